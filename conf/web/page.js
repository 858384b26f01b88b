// SPDX-License-Identifier: MIT
// The page: who asks for which task, when it asks again, and what is said about the outcome.

import {askStates} from './api.js';
import {buildModel, elapsedSeconds, kindOf, nextStep} from './model.js';
import {TreeView} from './tree.js';
import {durationWords, languages, preferredLanguage, problemWords, stateWord} from './words.js';

const REFRESH_SECONDS = 5;
const LONGEST_WAIT_SECONDS = 30;
const LARGEST_TASK_ID = 2n ** 63n - 1n;
const PASSING = new Set([0, 502, 503, 504]); // will go away without anybody at this page doing something

const by = id => document.getElementById(id);

let language = preferredLanguage();
let words = languages[language];

// What is asked: {app, secret, user}; nothing keeps it but this variable and the form's fields.
let credentials = null;
let taskId = '';

// What is known: the last answer, and the problem if the last request was none.
let model = null;
let etag = null;
let answeredAt = 0; // performance.now()
let answeredTime = ''; // for people
let problem = null;
let failures = 0; // in a row

let request = null; // AbortController of the one request that may be under way
let dueAt = Infinity; // performance.now() of the next request
let waitsUntil = 0; // performance.now() before which the service would refuse us
let detailed = null; // id of the node whose details are shown

const tree = new TreeView(by('tree'), visibleSpan, openDetails);

// ---- asking ----

async function ask() {
  if (performance.now() < waitsUntil) {
    return; // the service said so
  }
  request?.abort();
  const mine = request = new AbortController();
  dueAt = Infinity;
  showBusy();
  const outcome = await askStates({taskId, credentials, language, etag}, mine.signal);
  if (request !== mine || outcome.kind === 'dropped') {
    return; // somebody asked for something else meanwhile
  }
  request = null;
  if (outcome.kind === 'problem') {
    takeProblem(outcome);
  } else {
    takeAnswer(outcome);
  }
  showBusy();
  tick();
}

function takeAnswer(outcome) {
  const isFirst = model === null;
  const before = model?.data.state;
  failures = 0;
  problem = null;
  answeredTime = clockTime();
  if (outcome.kind === 'states') {
    model = buildModel(outcome.data);
    etag = outcome.etag;
    answeredAt = performance.now();
  }
  planRefresh();
  showCredentials(false);
  showProblem();
  showResult();
  if (isFirst) {
    (model.root ? by('tree') : by('result')).focus({preventScroll: true});
  }
  if (isFirst || before !== model.data.state) {
    say(`${words.taskTitle(taskId)}: ${stateWord(words, model.data.state)}. ${by('result-words').textContent}`);
  }
}

function takeProblem(outcome) {
  problem = outcome;
  if (PASSING.has(outcome.status)) {
    failures++;
    const wait = Math.min(LONGEST_WAIT_SECONDS, Math.max(outcome.retryAfter, 2 ** (failures - 1)));
    dueAt = performance.now() + 1000 * wait;
  } else if (outcome.status === 429) {
    waitsUntil = performance.now() + 1000 * outcome.retryAfter;
    dueAt = model === null ? Infinity : waitsUntil; // what was let in before is worth another try, a guess is not
  } else if (outcome.status < 500) {
    forgetAnswer(); // whoever is not let in any more has nothing to look at either
  }
  showProblem();
  showResult();
  by('problem').scrollIntoView({block: 'nearest'});
  const [title, advice] = problemWords(words, outcome);
  if (failures <= 1) {
    say(`${title}. ${advice}`);
  }
  pointAtMistake(outcome);
}

// Where the person has to change something, that is where they are put, unless they are typing already.
function pointAtMistake({status, code}) {
  const isTyping = document.activeElement.matches('input[type=text], input[type=password]');
  if (status === 401) {
    showCredentials(true);
  }
  const field = {400: 'task', 401: code === 40103 ? 'user' : 'secret', 403: 'task', 404: 'task'}[status];
  if (field && !isTyping) {
    by(field).focus();
    by(field).select();
  }
}

function planRefresh() {
  dueAt = by('auto').checked && !model.hasEnded ? performance.now() + 1000 * REFRESH_SECONDS : Infinity;
}

function forgetAnswer() {
  model = etag = detailed = null;
  dueAt = Infinity;
  tree.clear();
}

// ---- the form ----

by('form').addEventListener('submit', event => {
  event.preventDefault();
  if (performance.now() >= waitsUntil && takeForm()) {
    location.replace(`#task=${taskId}`);
    ask();
  }
});

// Reads the fields; false if one of them cannot be.
function takeForm() {
  const entered = {app: by('app').value.trim(), secret: by('secret').value, user: by('user').value.trim()};
  const task = by('task').value.trim();
  const mistakes = {task: isTaskId(task) ? '' : words[task === '' ? 'missing' : 'badTask']};
  for (const name of ['app', 'secret', 'user']) {
    mistakes[name] = entered[name] === '' ? words.missing : '';
  }
  showMistakes(mistakes);
  if (Object.values(mistakes).some(Boolean)) {
    return false;
  }
  credentials = entered;
  taskId = String(BigInt(task));
  forgetAnswer();
  return true;
}

function isTaskId(text) {
  return /^\d+$/.test(text) && BigInt(text) >= 1n && BigInt(text) <= LARGEST_TASK_ID;
}

function showMistakes(mistakes) {
  if (mistakes.app || mistakes.secret || mistakes.user) {
    showCredentials(true);
  }
  const names = ['app', 'secret', 'user', 'task'];
  for (const name of names) {
    by(`${name}-mistake`).textContent = mistakes[name];
    by(name).setAttribute('aria-invalid', String(mistakes[name] !== ''));
    by(name).setAttribute('aria-describedby', `${name}-mistake`);
  }
  by(names.find(name => mistakes[name]) ?? 'look').focus();
}

// The three fields, or one line that says whose they are.
function showCredentials(areEditable) {
  by('who').hidden = by('promise').hidden = !areEditable;
  by('known').hidden = areEditable;
  by('known-text').textContent = credentials === null ? '' : words.knownAs(credentials.app, credentials.user);
}

by('change').addEventListener('click', () => {
  showCredentials(true);
  by('app').focus();
});

function forget() {
  request?.abort();
  request = credentials = problem = null;
  for (const name of ['app', 'secret', 'user']) {
    by(name).value = '';
  }
  forgetAnswer();
  showCredentials(true);
  showProblem();
  showResult();
  showBusy();
}

by('forget').addEventListener('click', () => {
  forget();
  by('app').focus();
});

// A page that is left must not come back out of the browser's memory with a secret in it.
window.addEventListener('pagehide', forget);

// ---- what is shown ----

function showBusy() {
  const isWaiting = performance.now() < waitsUntil;
  by('look').textContent = request !== null && model === null ? words.looking : words.look;
  by('look').setAttribute('aria-disabled', String(isWaiting));
  by('result').setAttribute('aria-busy', String(request !== null));
}

function showProblem() {
  by('problem').hidden = problem === null;
  if (problem === null) {
    return;
  }
  const [title, advice] = problemWords(words, problem);
  by('problem-title').textContent = title;
  by('problem-advice').textContent = advice;
  by('problem').dataset.passing = String(PASSING.has(problem.status));
  const code = [problem.status, problem.code].filter(Boolean).join(' / ');
  showFacts(by('problem-facts'), [
    [words.message, problem.message], [words.code, code], [words.trace, problem.traceId, true],
  ].filter(([, value]) => value));
  showCountdown();
}

function showCountdown() {
  if (problem === null) {
    return;
  }
  const now = performance.now();
  const mayRetry = problem.status === 429 || PASSING.has(problem.status) || problem.status >= 500;
  by('problem-wait').hidden = !mayRetry;
  by('retry').hidden = now < waitsUntil;
  by('problem-countdown').textContent = waitWords(now);
}

function waitWords(now) {
  if (request !== null) {
    return words.tryingAgain;
  }
  if (problem.status === 429 && dueAt === Infinity) {
    return now < waitsUntil ? words.wait(durationWords(words, secondsUntil(waitsUntil, now))) : words.mayTry;
  }
  return dueAt === Infinity ? '' : words.again(durationWords(words, secondsUntil(dueAt, now)));
}

function secondsUntil(time, now) {
  return Math.max(0, Math.ceil((time - now) / 1000));
}

function showResult() {
  by('result').hidden = model === null;
  document.title = [model && stateWord(words, model.data.state), model && words.taskTitle(taskId), words.title]
    .filter(Boolean).join(' · ');
  if (model === null) {
    return;
  }
  const {data, root} = model;
  by('result-title').textContent = words.taskTitle(taskId);
  by('result-state').replaceChildren(stateChip(data.state));
  by('result-words').textContent = resultWords();
  by('columns').hidden = root === null;
  for (const id of ['open-all', 'close-all']) {
    by(id).hidden = root === null;
  }
  showSteps();
  if (root) {
    by('tree').setAttribute('aria-label', words.treeLabel(taskId));
    tree.show(model, words, taskId, answeredAt);
  }
  showDetails(model.byId.get(detailed) ?? null);
  tick();
}

function resultWords() {
  const {data, root, steps} = model;
  if (!root) {
    return data.start_time === null ? words.notStarted : words.noNodes;
  }
  const all = [...steps.values()].reduce((sum, count) => sum + count, 0);
  return [
    all > 0 && words.steps(steps.get('FINISHED') ?? 0, all), data.start_time && words.startedAt(data.start_time),
    data.finish_time && words.finishedAt(data.finish_time),
  ].filter(Boolean).join(' · ');
}

// The bar, and a button for each state that leads to the steps which are in it.
function showSteps() {
  const focused = document.activeElement?.dataset?.state;
  const counts = [...model.steps];
  by('progress').replaceChildren(...counts.map(([state, count]) => {
    const part = document.createElement('i');
    part.dataset.kind = kindOf(state);
    part.style.flexGrow = count;
    return part;
  }));
  by('progress').hidden = counts.length === 0;
  by('counts').replaceChildren(...counts.map(countButton));
  by('counts').querySelector(`[data-state="${CSS.escape(focused ?? '')}"]`)?.focus();
}

function countButton([state, count]) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'count';
  button.dataset.state = state;
  button.append(stateChip(state, String(count)));
  button.setAttribute('aria-label', words.jump(count, stateWord(words, state)));
  button.title = words.jump(count, stateWord(words, state));
  button.addEventListener('click', () => goToNext(state));
  return button;
}

function goToNext(state) {
  const node = model?.root && nextStep(model, state, tree.active);
  if (node) {
    tree.reveal(node);
    by('tree').focus({preventScroll: true});
  }
}

function stateChip(state, count = '') {
  const chip = document.createElement('span');
  chip.className = 'state';
  chip.dataset.kind = kindOf(state);
  chip.append(icon(kindOf(state)), `${count} ${stateWord(words, state)}`.trim());
  return chip;
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

function showDetails(node) {
  by('details').hidden = node === null;
  by('columns').classList.toggle('two', node !== null);
  detailed = node?.id ?? null;
  if (node === null) {
    return;
  }
  by('details-title').replaceChildren(stateChip(node.state));
  const yesNo = value => (value ? words.yes : words.no);
  const {data} = node;
  const name = words.detail;
  showFacts(by('details-facts'), [
    [name.id, data.id, true], [name.parent_id, data.parent_id, true], [name.version, data.version, true],
    [name.start_time, data.start_time || words.none], [name.finish_time, data.finish_time || words.none],
    [name.retry, data.retry], [name.loop, data.loop], [name.skip, yesNo(data.skip)],
    [name.error_ignored, yesNo(data.error_ignored)], [name.level, node.level], [name.children, node.children.length],
  ]);
}

function openDetails(node) {
  showDetails(node);
  tree.activate(node); // the details may lie over it
}

// From where to where the window shows rows: the heads stick to its top, a phone has the details at its bottom.
function visibleSpan() {
  const details = by('details');
  const isSheet = !details.hidden && getComputedStyle(details).position === 'fixed';
  return [document.querySelector('.heads').offsetHeight, isSheet ? details.offsetTop : window.innerHeight];
}

function closeDetails() {
  showDetails(null);
  by('tree').focus({preventScroll: true});
}

by('details-close').addEventListener('click', closeDetails);

// Pairs of term and value; an id, which people may have to pass on, can be copied.
function showFacts(list, facts) {
  const was = list.dataset.shown;
  list.dataset.shown = JSON.stringify([language, facts]);
  if (was === list.dataset.shown) {
    return;
  }
  list.replaceChildren(...facts.flatMap(([name, value, isId]) => {
    const term = document.createElement('dt');
    const text = document.createElement('dd');
    term.textContent = name;
    text.textContent = value;
    if (isId) {
      term.className = text.className = 'id';
      text.append(' ', copyButton(name, value));
    }
    return [term, text];
  }));
}

function copyButton(name, value) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet copy';
  button.textContent = words.copy;
  button.setAttribute('aria-label', `${words.copy}: ${name}`);
  // Over plain HTTP browsers offer no clipboard; the text can be marked by hand.
  button.hidden = navigator.clipboard === undefined;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(value);
    button.textContent = words.copied;
    say(words.copied);
  });
  return button;
}

function say(text) {
  by('status').textContent = text;
}

function clockTime() {
  return new Date().toLocaleTimeString('sv');
}

// ---- language ----

function showLanguage() {
  words = languages[language];
  document.documentElement.lang = language === 'en' ? 'en' : 'zh-CN';
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = words[element.dataset.text];
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', words[element.dataset.label]);
  }
  by('language').textContent = words.other;
  by('language').lang = words.otherLang;
  showCredentials(by('known').hidden);
  showBusy();
  showProblem();
  showResult();
}

by('language').addEventListener('click', () => {
  language = language === 'en' ? 'zh-cn' : 'en';
  showLanguage();
  // The API's own words come in the new language, too. Not after a failed login: that would count as another one.
  if (problem !== null && problem.status !== 401 && problem.status !== 429) {
    ask();
  }
});

// ---- time, keys, hidden tabs ----

function tick() {
  const now = performance.now();
  if (credentials !== null && request === null && now >= dueAt && !document.hidden) {
    ask();
  }
  showCountdown();
  showBusy();
  if (model !== null) {
    by('freshness').textContent = freshness();
    by('result-elapsed').textContent = model.root?.data.start_time
      ? durationWords(words, elapsedSeconds(model.root, now - answeredAt)) : '';
    if (model.root) {
      tree.tick();
    }
  }
}

function freshness() {
  const time = problem === null ? words.updated(answeredTime) : words.stale(answeredTime);
  return [time, model.hasEnded ? words.over : document.hidden && words.paused].filter(Boolean).join(' · ');
}

setInterval(tick, 1000);
document.addEventListener('visibilitychange', tick);

by('retry').addEventListener('click', ask);
by('refresh').addEventListener('click', ask);
by('open-all').addEventListener('click', () => tree.setAllOpen(true));
by('close-all').addEventListener('click', () => tree.setAllOpen(false));
by('auto').addEventListener('change', () => {
  if (problem === null) {
    planRefresh();
  }
});

// Single letters count only inside the result, so that speech input and typing do not set them off.
by('result').addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) {
    return;
  }
  const keys = {r: ask, f: () => goToNext('FAILED'), Escape: closeDetails};
  keys[event.key]?.();
});

by('insecure').hidden = window.isSecureContext;
by('task').value = new URLSearchParams(location.hash.slice(1)).get('task') ?? '';
showLanguage();
