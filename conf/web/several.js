// SPDX-License-Identifier: MIT
// The states of several tasks: in one answer where the service offers that, else one by one.

import {buildModel, hasEnded, kindOf} from './model.js';

const AT_ONCE = 4;
const PAUSE_MS_EACH = 500; // between two rounds, for each task that is asked for on its own

// Another answer than 404 for the path, or 400 for what it does not know, tells nothing about whether it is offered.
const isMissing = ({status, code}) => status === 400 || status === 405 || (status === 404 && [0, 40401].includes(code)) ||
  code === 50003;
// A refusal that is about this one task. What is about the caller, or the service, stops the whole question.
const isOwn = ({status, code}) => [400, 403, 404].includes(status) || code === 50002 || code === 50003;

// A question for the follower. Its data: an array of {id, state, model, problem} in the order of `ids`; model and
// problem are null where there is none.
export function questionAbout(api, ids) {
  const singles = new Map(ids.map(id => [id, {entry: null, etag: null}]));
  return {
    async ask(known, signal) {
      if (api.offersBatch) {
        const outcome = await api.batch(ids, known, signal);
        if (outcome.kind !== 'problem' || !isMissing(outcome)) {
          return outcome.kind === 'states' ? {...outcome, data: ids.map(id => entryOf(id, outcome.data[id]))} : outcome;
        }
        api.offersBatch = false;
      }
      return oneByOne(api, singles, signal);
    },
    hasEnded: entries => entries.every(isOver),
  };
}

const isOver = ({model, problem}) => problem !== null || hasEnded(model.data);

function entryOf(id, given) {
  if (given === undefined || 'code' in given) {
    const code = Number(given?.code) || 40402;
    return refused(id, {status: Math.floor(code / 100), code, message: String(given?.message ?? '')});
  }
  const states = given.states ?? {state: given.state};
  return {id, state: states.state, model: buildModel(states), problem: null};
}

const refused = (id, problem) => ({id, state: '', model: null, problem});

async function oneByOne(api, singles, signal) {
  const todo = [...singles].filter(([, {entry}]) => entry === null || !isOver(entry));
  let stopped = null;
  const askSome = async () => {
    for (let next = todo.shift(); next && stopped === null; next = todo.shift()) {
      const [id, single] = next;
      const outcome = await api.task(id, {etag: single.etag, version: null, wait: 0}, signal);
      if (outcome.kind === 'states') {
        Object.assign(single, {etag: outcome.etag, entry: entryOf(id, {states: outcome.data})});
      } else if (outcome.kind === 'problem' && isOwn(outcome)) {
        single.entry = refused(id, outcome);
      } else if (outcome.kind !== 'unchanged') {
        stopped = outcome;
      }
    }
  };
  await Promise.all(Array.from({length: AT_ONCE}, askSome));
  return stopped ?? {
    kind: 'states', data: [...singles.values()].map(({entry}) => entry), etag: null, version: null, time: Date.now(),
    pauseMs: Math.max(2000, PAUSE_MS_EACH * singles.size),
  };
}

const URGENCY = ['failed', 'paused', 'running', 'waiting', 'ended', 'done'];

// The state of all of them together.
export function mostUrgent(entries) {
  const urgency = state => URGENCY.indexOf(kindOf(state));
  return [...countStates(entries).keys()].sort((a, b) => urgency(a) - urgency(b))[0] ?? 'CREATED';
}

// {state: how many}, for one line about all.
export function countStates(entries) {
  const counts = new Map();
  for (const {state} of entries.filter(entry => entry.problem === null)) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return counts;
}
