// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import test from 'node:test';

import {NOT_STARTED, node} from './answers.mjs';
import {countStates, mostUrgent, questionAbout} from './several.js';

const NOTHING = {etag: null, version: null, wait: 0};
const {signal} = new AbortController();
const states = (data, more) => ({kind: 'states', data, etag: '"t"', version: 'v', time: 1, ...more});
const problem = (status, code) => ({kind: 'problem', status, code, message: '', traceId: '', retryAfter: 0});

// `batch` and `tasks[id]` are outcomes.
function makeApi({batch, tasks = {}}) {
  const asked = [];
  return {
    asked, offersBatch: true,
    async batch(ids) {
      asked.push(ids.join(','));
      return batch;
    },
    async task(id, {etag}) {
      asked.push(etag ? `${id} again` : id);
      return tasks[id];
    },
  };
}

const short = entries => entries.map(({id, state, problem: refused}) => [id, state || refused.code]);

test('several: one answer for all, in the order asked', async () => {
  const api = makeApi({batch: states({
    1: {state: 'FINISHED', version: 'a', states: node('r')}, 2: {state: 'CREATED', version: 'b', states: NOT_STARTED},
    3: {code: 40303, message: 'no'},
  })});
  const question = questionAbout(api, ['3', '1', '2', '4']);
  const {data, version} = await question.ask(NOTHING, signal);
  assert.deepEqual(short(data), [['3', 40303], ['1', 'FINISHED'], ['2', 'CREATED'], ['4', 40402]]);
  assert.deepEqual(api.asked, ['3,1,2,4']);
  assert.equal(version, 'v');
  assert.equal(question.hasEnded(data), false);
  assert.equal(question.hasEnded(data.filter(({id}) => id !== '2')), true);
  assert.deepEqual([...countStates(data)], [['FINISHED', 1], ['CREATED', 1]]);
});

test('several: the most urgent state stands for all', () => {
  const entries = (...states) => states.map(state => ({id: '1', state, model: null, problem: null}));
  assert.equal(mostUrgent(entries('FINISHED', 'RUNNING', 'FAILED', 'SUSPENDED')), 'FAILED');
  assert.equal(mostUrgent(entries('FINISHED', 'RUNNING', 'NODE_SUSPENDED')), 'NODE_SUSPENDED');
  assert.equal(mostUrgent(entries('FINISHED', 'RUNNING')), 'RUNNING');
  assert.equal(mostUrgent([{id: '1', state: '', model: null, problem: problem(404, 40402)}]), 'CREATED');
});

test('several: an answer without nodes has states', async () => {
  const question = questionAbout(makeApi({batch: states({1: {state: 'RUNNING', version: 'a'}})}), ['1']);
  const {data} = await question.ask(NOTHING, signal);
  assert.deepEqual(short(data), [['1', 'RUNNING']]);
});

test('several: one by one where the service has no such call, and not again what has ended', async () => {
  for (const missing of [problem(404, 40401), problem(404, 0), problem(400, 40000), problem(405, 40501), problem(500, 50003)]) {
    const api = makeApi({batch: missing, tasks: {1: states(node('r')), 2: states(node('s', 'RUNNING')), 3: problem(404, 40402)}});
    const question = questionAbout(api, ['1', '2', '3']);
    const outcome = await question.ask(NOTHING, signal);
    assert.deepEqual(short(outcome.data), [['1', 'FINISHED'], ['2', 'RUNNING'], ['3', 40402]]);
    assert.equal(outcome.version, null);
    assert.equal(outcome.pauseMs, 2000);
    await question.ask(NOTHING, signal);
    assert.deepEqual(api.asked, ['1,2,3', '1', '2', '3', '2 again']);
  }
});

test('several: what is about the caller or the service is no task\'s own problem', async () => {
  for (const refused of [problem(401, 40102), problem(429, 42901), problem(503, 50301), problem(0, 0)]) {
    const batch = questionAbout(makeApi({batch: refused}), ['1', '2']);
    assert.equal(await batch.ask(NOTHING, signal), refused);
    const single = questionAbout(makeApi({batch: problem(404, 40401), tasks: {1: refused, 2: refused}}), ['1', '2']);
    assert.equal(await single.ask(NOTHING, signal), refused);
  }
});
