// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import test from 'node:test';

import {Follower} from './follower.js';

const RUNNING = {state: 'RUNNING'};
const ENDED = {state: 'FINISHED'};

// A follower with a clock that stands still, and a service that is told what to answer, and after how many seconds.
function makeStage() {
  const stage = {time: 0, asked: [], events: [], answers: [], isSeen: true};
  stage.follower = new Follower({
    now: () => stage.time, changed: event => stage.events.push(event), isSeen: () => stage.isSeen,
  });
  const question = {
    async ask(known, signal) {
      stage.asked.push({...known, at: stage.time, signal});
      const [seconds, outcome] = stage.answers.shift() ?? [0, await new Promise(resolve => { stage.release = resolve; })];
      stage.time += 1000 * seconds;
      return outcome;
    },
    hasEnded: data => data === ENDED,
  };
  stage.start = () => stage.follower.start(question);
  // Sets the clock to the next request's time, and has it made.
  stage.next = () => {
    stage.time = Math.max(stage.time, stage.follower.dueAt);
    return stage.follower.tick();
  };
  return stage;
}

const states = (version, data = RUNNING) => ({kind: 'states', data, etag: `"${version}"`, version, time: 1});
const failure = (status, more) => ({kind: 'problem', status, code: 0, message: '', traceId: '', retryAfter: 0, ...more});

test('follower: waits for a version other than the one it has', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')], [7, states('b')], [7, states('c')]);
  await stage.start();
  await stage.next();
  await stage.next();
  assert.deepEqual(stage.asked.map(({version, wait, at}) => [version, wait, at]), [[null, 0, 0], ['a', 30, 1000], ['b', 30, 8000]]);
});

test('follower: asks again at once after a full wait without news', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')], [30, states('a')], [30, {kind: 'unchanged', version: 'a', time: 2}], [0, states('b')]);
  await stage.start();
  await stage.next();
  await stage.next();
  await stage.next();
  assert.deepEqual(stage.asked.map(({at}) => at), [0, 1000, 31000, 61000]);
  assert.equal(stage.follower.answeredTime, 1);
});

test('follower: pauses where the service does not wait', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')], [0, states('a')], [0, states('a')], [0, states('b')], [0, states('b')]);
  await stage.start();
  for (let i = 0; i < 4; i++) {
    await stage.next();
  }
  assert.deepEqual(stage.asked.map(({at}) => at), [0, 1000, 3000, 5000, 6000]);
});

test('follower: pauses where the service has no versions', async () => {
  const stage = makeStage();
  const old = {...states('x'), version: null};
  stage.answers.push([0, old], [0, old], [0, old]);
  await stage.start();
  await stage.next();
  await stage.next();
  assert.deepEqual(stage.asked.map(({at, etag}) => [at, etag]), [[0, null], [2000, '"x"'], [4000, '"x"']]);
});

test('follower: pauses longer where the outcome says so', async () => {
  const stage = makeStage();
  stage.answers.push([0, {...states('x'), version: null, pauseMs: 9000}]);
  await stage.start();
  assert.equal(stage.follower.dueAt, 9000);
});

test('follower: a page that is slow to show an answer gets fewer', async () => {
  const stage = makeStage();
  stage.follower.changed = event => { stage.time += event === 'answer' ? 700 : 0; };
  stage.answers.push([0, states('a')]);
  await stage.start();
  assert.equal(stage.follower.dueAt, 700 + 4 * 700);
});

test('follower: asks no more when all has ended', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a', ENDED)]);
  await stage.start();
  assert.equal(stage.follower.dueAt, Infinity);
  assert.equal(stage.follower.hasEnded, true);
});

test('follower: keeps what it has while the service is away, and comes back to waiting', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')], [0, failure(503)], [0, failure(0)], [0, failure(504)], [0, states('a')]);
  await stage.start();
  for (let i = 0; i < 4; i++) {
    await stage.next();
  }
  assert.deepEqual(stage.asked.map(({at, wait}) => [at, wait]), [[0, 0], [1000, 30], [2000, 0], [4000, 0], [8000, 0]]);
  assert.equal(stage.follower.data, RUNNING);
  assert.equal(stage.follower.problem, null);
  assert.equal(stage.follower.failures, 0);
});

test('follower: pauses grow to half a minute, and heed Retry-After', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')], ...Array.from({length: 8}, () => [0, failure(503)]), [0, failure(503, {retryAfter: 90})]);
  await stage.start();
  const pauses = [];
  for (let i = 0; i < 9; i++) {
    await stage.next();
    pauses.push((stage.follower.dueAt - stage.time) / 1000);
  }
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 30, 30, 30, 90]);
});

test('follower: a defect of the service is tried again only if something was shown', async () => {
  const shown = makeStage();
  shown.answers.push([0, states('a')], [0, failure(500, {code: 50001})]);
  await shown.start();
  await shown.next();
  assert.ok(shown.follower.dueAt < Infinity);
  const empty = makeStage();
  empty.answers.push([0, failure(500, {code: 50001})]);
  await empty.start();
  assert.equal(empty.follower.dueAt, Infinity);
});

test('follower: who is refused sees nothing any more', async () => {
  for (const status of [400, 401, 403, 404]) {
    const stage = makeStage();
    stage.answers.push([0, states('a')], [0, failure(status, {code: 100 * status})]);
    await stage.start();
    await stage.next();
    assert.deepEqual([stage.follower.data, stage.follower.version, stage.follower.dueAt], [null, null, Infinity]);
  }
});

test('follower: is held back after too many failures, and guesses no more by itself', async () => {
  const stage = makeStage();
  stage.answers.push([0, failure(429, {retryAfter: 12})]);
  await stage.start();
  assert.equal(stage.follower.dueAt, Infinity);
  await stage.follower.askNow();
  assert.equal(stage.asked.length, 1);
  stage.time = 12000;
  stage.answers.push([0, states('a')]);
  await stage.follower.askNow();
  assert.equal(stage.asked.length, 2);
});

test('follower: another question drops the one under way', async () => {
  const stage = makeStage();
  const first = stage.start();
  const {signal} = stage.asked[0];
  const {release} = stage;
  stage.answers.push([0, states('b')]);
  await stage.start();
  assert.equal(signal.aborted, true);
  release(states('late'));
  await first;
  assert.equal(stage.follower.version, 'b');
});

test('follower: stopping drops the request and all that is known', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')]);
  await stage.start();
  const waiting = stage.next();
  assert.equal(stage.follower.isWaiting, true);
  stage.follower.stop();
  stage.release(states('late'));
  await waiting;
  assert.equal(stage.follower.data, null);
  stage.time = 1e9;
  await stage.follower.tick();
  assert.equal(stage.asked.length, 2);
});

test('follower: not following ends the waiting, following again asks', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')]);
  await stage.start();
  const waiting = stage.next();
  stage.follower.setFollowing(false);
  assert.equal(stage.asked[1].signal.aborted, true);
  stage.release({kind: 'dropped'});
  await waiting;
  assert.equal(stage.follower.dueAt, Infinity);
  stage.answers.push([0, states('b')]);
  stage.follower.setFollowing(true);
  await stage.next();
  assert.equal(stage.follower.version, 'b');
});

test('follower: in a hidden tab it asks seldom and does not wait, until somebody looks again', async () => {
  const stage = makeStage();
  stage.isSeen = false;
  stage.answers.push([0, states('a')], [0, states('b')], [0, states('b')]);
  await stage.start();
  await stage.next();
  assert.deepEqual(stage.asked.map(({wait, at}) => [wait, at]), [[0, 0], [0, 10000]]);
  stage.follower.hurry();
  assert.equal(stage.follower.dueAt, 20000);
  stage.isSeen = true;
  stage.time = 11000;
  stage.follower.hurry();
  await stage.follower.tick();
  assert.deepEqual([stage.asked[2].wait, stage.asked[2].at], [30, 11000]);
});

test('follower: looking again does not shorten the pause after a failure', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')], [0, failure(503, {retryAfter: 60})]);
  await stage.start();
  await stage.next();
  stage.follower.hurry();
  assert.equal(stage.follower.dueAt, 61000);
});

test('follower: asking by hand does not wait', async () => {
  const stage = makeStage();
  stage.answers.push([0, states('a')], [0, states('a')]);
  await stage.start();
  await stage.follower.askNow();
  assert.deepEqual(stage.asked.map(({wait}) => wait), [0, 0]);
});
