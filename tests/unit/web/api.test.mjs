// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import test from 'node:test';

import {Api} from './api.js';

const NOTHING = {etag: null, version: null, wait: 0};
const CALLER = {app: 'demo_app', secret: 'sécret 🙂', user: '张三'};

// An API that answers from a list: [status, body, headers], or an error to be thrown.
function makeApi(...answers) {
  const asked = [];
  const api = new Api('https://host/bkflow', async (url, options) => {
    asked.push({url, ...options});
    const answer = answers.shift();
    if (answer instanceof Error) {
      throw answer;
    }
    const [status, body = '', headers = {}] = answer;
    return new Response(status === 304 ? null : typeof body === 'string' ? body : JSON.stringify(body), {status, headers});
  });
  api.caller = CALLER;
  return {api, asked, task: known => api.task('2', {...NOTHING, ...known}, new AbortController().signal)};
}

const GOOD = {result: true, data: {state: 'CREATED'}, code: 0};
const refusal = code => [Math.floor(code / 100), {result: false, code, message: 'no', trace_id: 't'}];

test('api: credentials go into the header only, in ASCII', async () => {
  const {asked, task} = makeApi([200, GOOD]);
  await task();
  const [{url, headers, ...options}] = asked;
  assert.equal(url, 'https://host/bkflow/task/2/get_task_states_by_app/?subtasks=1');
  const header = headers['X-Bkapi-Authorization'];
  assert.match(header, /^[\x20-\x7e]*$/);
  assert.deepEqual(JSON.parse(header), {bk_app_code: 'demo_app', bk_app_secret: 'sécret 🙂', bk_username: '张三'});
  assert.equal(options.redirect, 'error');
  assert.equal(options.mode, 'same-origin');
  assert.equal(options.cache, 'no-store');
});

test('api: an answer with its tag, its version and its time', async () => {
  const {task} = makeApi([200, GOOD, {ETag: '"t"', 'X-States-Version': 'v', Date: 'Tue, 24 Nov 2026 09:11:08 GMT'}]);
  assert.deepEqual(await task(), {
    kind: 'states', data: GOOD.data, etag: '"t"', version: 'v', time: Date.UTC(2026, 10, 24, 9, 11, 8),
  });
});

test('api: waits only for a version that it has', async () => {
  const {asked, task} = makeApi([200, GOOD], [304, '', {'X-States-Version': 'a b'}]);
  await task({wait: 30});
  assert.equal((await task({wait: 30, version: 'a b', etag: '"t"'})).kind, 'unchanged');
  assert.deepEqual(asked.map(({url}) => url.split('?')[1]), ['subtasks=1', 'subtasks=1&wait=30&version=a+b']);
  assert.equal(asked[1].headers['If-None-Match'], '"t"');
});

test('api: where waiting is refused, it asks without, and remembers', async () => {
  const {asked, task} = makeApi(refusal(40000), [200, GOOD], [200, GOOD]);
  assert.equal((await task({wait: 30, version: 'v'})).kind, 'states');
  await task({wait: 30, version: 'v'});
  assert.deepEqual(asked.map(({url}) => url.includes('wait')), [true, false, false]);
});

test('api: what is cut off on the way is asked again without waiting; twice, and it waits no more', async () => {
  const {asked, task} = makeApi([504, 'proxy'], [200, GOOD], new TypeError('cut'), [200, GOOD], [200, GOOD]);
  for (let i = 0; i < 3; i++) {
    assert.equal((await task({wait: 30, version: 'v'})).kind, 'states');
  }
  assert.deepEqual(asked.map(({url}) => url.includes('wait')), [true, false, true, false, false]);
});

test('api: a refusal by the service during a wait is not asked twice', async () => {
  const {asked, task} = makeApi(refusal(40303));
  assert.equal((await task({wait: 30, version: 'v'})).code, 40303);
  assert.equal(asked.length, 1);
});

test('api: where sub-processes cannot be read, it asks without them, and remembers', async () => {
  const {asked, task} = makeApi(refusal(50303), [200, GOOD], [200, GOOD]);
  assert.equal((await task()).kind, 'states');
  await task();
  assert.deepEqual(asked.map(({url}) => url.includes('subtasks')), [true, false, false]);
});

test('api: a database that refuses everything is not mistaken for one', async () => {
  const {task} = makeApi(refusal(50303), refusal(50303));
  assert.equal((await task()).code, 50303);
});

test('api: a problem says what it is', async () => {
  const {task} = makeApi([429, {result: false, code: 42901, message: 'slow down', trace_id: 'abc'}, {'Retry-After': '12'}]);
  assert.deepEqual(await task(), {
    kind: 'problem', status: 429, code: 42901, message: 'slow down', traceId: 'abc', retryAfter: 12,
  });
});

test('api: what is not the service\'s answer has no code', async () => {
  for (const body of ['<html>', '', 'null', '[]', '7', '{"code":"x","message":{}}']) {
    const {task} = makeApi([502, body]);
    const outcome = await task();
    assert.deepEqual([outcome.kind, outcome.status, outcome.code, typeof outcome.message], ['problem', 502, 0, 'string'], body);
  }
});

test('api: no answer is status 0, a dropped request is none', async () => {
  const {task, api} = makeApi(new TypeError('offline'), new TypeError('aborted'));
  assert.equal((await task()).status, 0);
  const dropped = new AbortController();
  dropped.abort();
  assert.deepEqual(await api.task('2', NOTHING, dropped.signal), {kind: 'dropped'});
});

test('api: several in one answer', async () => {
  const {api, asked} = makeApi([200, {result: true, data: {}}]);
  await api.batch(['1', '2'], {...NOTHING, version: 'v', wait: 30}, new AbortController().signal);
  const query = new URL(asked[0].url);
  assert.equal(query.pathname, '/bkflow/get_tasks_states_by_app/');
  assert.deepEqual(Object.fromEntries(query.searchParams), {task_ids: '1,2', nodes: '1', wait: '30', version: 'v'});
});
