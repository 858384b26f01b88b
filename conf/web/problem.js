// SPDX-License-Identifier: MIT
// The card that says what is wrong, and when it is tried again.

import {by, setText, showFacts} from './dom.js';
import {isPassing} from './follower.js';
import {durationWords, problemWords} from './words.js';

// `staleTime`: the time of what is still shown, else ''.
export function showProblem(words, problem, staleTime) {
  by('problem').hidden = problem === null;
  by('problem').dataset.over = String(staleTime !== '');
  if (problem === null) {
    return;
  }
  const [title, advice] = problemWords(words, problem);
  setText(by('problem-title'), title);
  setText(by('problem-advice'), advice);
  setText(by('problem-stale'), staleTime && words.staleSince(staleTime));
  by('problem').dataset.passing = String(isPassing(problem.status));
  const code = [problem.status, problem.code].filter(Boolean).join(' / ');
  showFacts(by('problem-facts'), words, [
    [words.message, problem.message], [words.code, code], [words.trace, problem.traceId, true],
  ].filter(([, value]) => value));
}

export function showCountdown(words, {problem, request, dueAt, heldUntil}, now) {
  if (problem === null) {
    return;
  }
  const mayRetry = problem.status === 429 || isPassing(problem.status) || problem.status >= 500;
  by('problem-wait').hidden = !mayRetry;
  by('retry').hidden = now < heldUntil;
  setText(by('problem-countdown'), waitWords(words, {problem, request, dueAt, heldUntil}, now));
}

function waitWords(words, {problem, request, dueAt, heldUntil}, now) {
  const until = time => durationWords(words, Math.max(0, Math.ceil((time - now) / 1000)));
  if (request !== null) {
    return words.tryingAgain;
  }
  if (problem.status === 429 && dueAt === Infinity) {
    return now < heldUntil ? words.wait(until(heldUntil)) : words.mayTry;
  }
  return dueAt === Infinity ? '' : words.again(until(dueAt));
}
