// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import test from 'node:test';

import {FAILED, WITH_SUBTASK, node} from './answers.mjs';
import {NO_FILTER, applyFilter, isFiltering, sameStates, urgentStates} from './filter.js';
import {buildModel} from './model.js';

function shown(data, filter) {
  const model = buildModel(data);
  const found = applyFilter(model, {...NO_FILTER, ...filter});
  return {...found, ids: model.order.filter(({index}) => found.marks[index] > 0).map(({id}) => id)};
}

test('filter: steps in a state, and the way down to them', () => {
  const found = shown(FAILED, {states: new Set(['FAILED'])});
  assert.deepEqual(found.ids, ['root', 'second', 'bad']);
  assert.deepEqual([...found.marks], [1, 0, 1, 0, 2, 0]);
  assert.deepEqual([found.found, found.steps], [1, 1]);
});

test('filter: the counts of all states stay while states are chosen', () => {
  const {counts} = shown(FAILED, {states: new Set(['FAILED'])});
  assert.deepEqual(Object.fromEntries(counts), {FINISHED: 2, FAILED: 1, RUNNING: 1});
});

test('filter: the counts follow the text', () => {
  const {counts, ids} = shown(FAILED, {text: 'o'});
  assert.deepEqual(ids, ['root', 'second', 'good']);
  assert.deepEqual(Object.fromEntries(counts), {FINISHED: 1});
});

test('filter: a part of an id, in any case', () => {
  assert.deepEqual(shown(FAILED, {text: 'HIR'}).ids, ['root', 'third']);
});

test('filter: a number, and the id of a sub-process, as a whole', () => {
  assert.deepEqual(shown(FAILED, {text: '2.2'}).ids, ['root', 'second', 'bad']);
  assert.deepEqual(shown(WITH_SUBTASK, {text: '12'}).ids, ['root', 'caller', 'sub']);
  assert.deepEqual(shown(WITH_SUBTASK, {text: '1.2'}).ids, []);
});

test('filter: state and text together', () => {
  assert.deepEqual(shown(FAILED, {text: 'd', states: new Set(['FINISHED'])}).ids, ['root', 'second', 'good']);
});

test('filter: nothing found is nothing shown', () => {
  const found = shown(FAILED, {text: 'xyz'});
  assert.deepEqual([found.ids, found.found], [[], 0]);
});

test('filter: no filter finds everything', () => {
  assert.equal(isFiltering(NO_FILTER), false);
  assert.equal(shown(FAILED, {}).found, 6);
});

test('filter: urgent is what failed or runs, by whatever name', () => {
  const model = buildModel(node('root', 'RUNNING', [node('a', 'ROLL_BACK_FAILED'), node('b'), node('c', 'SUSPENDED')]));
  assert.deepEqual([...urgentStates(model)].sort(), ['FAILED', 'ROLL_BACK_FAILED', 'RUNNING']);
});

test('filter: sets are the same whatever their order', () => {
  assert.equal(sameStates(new Set(['A', 'B']), new Set(['B', 'A'])), true);
  assert.equal(sameStates(new Set(['A', 'B']), new Set(['A', 'C'])), false);
  assert.equal(sameStates(new Set(['A']), new Set(['A', 'C'])), false);
});
