// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import test from 'node:test';

import {FAILED, NOT_STARTED, WITH_SUBTASK, node} from './answers.mjs';
import {
  buildModel, elapsedSeconds, hasEnded, kindOf, neighbour, outline, ownFields, progress, statesOfSubtask, troubles,
} from './model.js';

test('model: nodes stand in the order of the answer, parents first', () => {
  const {order} = buildModel(FAILED);
  assert.deepEqual(order.map(({id}) => id), ['root', 'first', 'second', 'good', 'bad', 'third']);
  assert.deepEqual(order.map(({level}) => level), [1, 2, 2, 3, 3, 2]);
  assert.deepEqual(order.map(outline), ['', '1', '2', '2.1', '2.2', '3']);
});

test('model: steps are leaves and what stopped by itself', () => {
  const model = buildModel(FAILED);
  assert.deepEqual(model.order.filter(({isStep}) => isStep).map(({id}) => id), ['first', 'good', 'bad', 'third']);
  assert.deepEqual(progress(model), {done: 2, all: 4});
});

test('model: a parent that stopped without a stopped child is a step', () => {
  const model = buildModel(node('root', 'FAILED', [node('group', 'FAILED', [node('leaf')])]));
  assert.deepEqual(troubles(model).nodes.map(({id}) => id), ['group']);
});

test('model: failed steps come before suspended ones', () => {
  const nodes = [node('a', 'SUSPENDED'), node('b', 'FAILED'), node('c', 'SUSPENDED')];
  assert.deepEqual(troubles(buildModel(node('root', 'FAILED', nodes))).nodes.map(({id}) => id), ['b']);
  const paused = troubles(buildModel(node('root', 'SUSPENDED', [nodes[0], nodes[2]])));
  assert.deepEqual([paused.kind, paused.nodes.map(({id}) => id)], ['paused', ['a', 'c']]);
  assert.deepEqual(troubles(buildModel(node('root'))).nodes, []);
});

test('model: the walk through failed steps goes around, from wherever one stands', () => {
  const nodes = ['a', 'b', 'c', 'd'].map(id => node(id, id === 'b' || id === 'd' ? 'FAILED' : 'FINISHED'));
  const model = buildModel(node('root', 'FAILED', nodes));
  const failed = troubles(model).nodes;
  const next = (id, direction) => neighbour(failed, model.byId.get(id) ?? null, direction).id;
  assert.deepEqual(['root', 'b', 'c', 'd'].map(id => next(id, 1)), ['b', 'd', 'd', 'b']);
  assert.deepEqual(['root', 'b', 'c', 'd'].map(id => next(id, -1)), ['d', 'd', 'b', 'b']);
  assert.equal(neighbour([], model.root, 1), null);
});

test('model: what a sub-process runs hangs below the node that started it', () => {
  const model = buildModel(WITH_SUBTASK);
  assert.deepEqual(model.order.map(({id, taskId, level}) => [id, taskId, level]),
    [['root', '', 1], ['caller', '', 2], ['sub', '12', 3], ['x', '', 4], ['y', '', 4]]);
  assert.deepEqual(model.order.map(outline), ['', '1', '', '1', '2']);
  assert.deepEqual(troubles(model).nodes.map(({id}) => id), ['x']);
  assert.equal(model.order[1].isRestless, true);
});

test('model: a sub-process that has not started is there without an id', () => {
  const model = buildModel(node('root', 'RUNNING', [node('c', 'RUNNING', [], {subtask: {task_id: 7, states: NOT_STARTED}})]));
  assert.deepEqual(model.order.map(({id, state}) => [id, state]), [['root', 'RUNNING'], ['c', 'RUNNING'], ['task 7', 'CREATED']]);
  assert.deepEqual(progress(model), {done: 0, all: 1});
});

test('model: the states of a sub-process are found at any depth', () => {
  const deep = node('root', 'RUNNING', [node('group', 'RUNNING', [node('c', 'RUNNING', [], {subtask: {task_id: 3, states: WITH_SUBTASK}})])]);
  assert.equal(statesOfSubtask(deep, '12').id, 'sub');
  assert.equal(statesOfSubtask(deep, '3'), WITH_SUBTASK);
  assert.equal(statesOfSubtask(deep, '4'), null);
});

test('model: thousands of levels need no stack', () => {
  let data = node('leaf');
  for (let i = 0; i < 20000; i++) {
    data = node(`n${i}`, 'FINISHED', [data]);
  }
  const model = buildModel(data);
  assert.equal(model.order.length, 20001);
  assert.equal(outline(model.order.at(-1)), '…1.1.1.1.1');
});

test('model: no tree, no nodes', () => {
  for (const data of [NOT_STARTED, {state: 'CREATED'}]) {
    const model = buildModel(data);
    assert.deepEqual([model.root, model.order, model.steps.size], [null, [], 0]);
  }
});

test('model: only what will not change any more has ended', () => {
  assert.equal(hasEnded(node('a')), true);
  assert.equal(hasEnded(node('a', 'REVOKED')), true);
  assert.equal(hasEnded(node('a', 'FINISHED', [], {finish_time: ''})), false);
  for (const state of ['RUNNING', 'FAILED', 'SUSPENDED', 'CREATED', 'no such state']) {
    assert.equal(hasEnded(node('a', state)), false, state);
  }
});

test('model: what runs gets older, what has ended does not', () => {
  const [running, done] = [buildModel(node('a', 'RUNNING')).root, buildModel(node('b')).root];
  assert.deepEqual([running, done].map(at => elapsedSeconds(at, 5900)), [65, 60]);
});

test('model: a state nobody knows is grey, even one that objects have by themselves', () => {
  assert.deepEqual(['NEW_STATE', 'constructor', '__proto__', undefined].map(kindOf), Array(4).fill('waiting'));
});

test('model: a node\'s own fields are those of the answer, without what is below', () => {
  const [, caller] = buildModel(WITH_SUBTASK).order;
  const own = ownFields(caller);
  assert.deepEqual(own.subtask, {task_id: 12});
  assert.equal('children' in own, false);
  assert.equal(own.start_time, '2026-11-24 17:11:08 +0800');
});
