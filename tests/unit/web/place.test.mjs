// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import test from 'node:test';

import {MOST_TASKS, formatPlace, newPlace, parsePlace, parseTaskIds, questionOf} from './place.js';

test('place: what is looked at comes back from the address', () => {
  for (const parts of [
    {task: '12'}, {task: '12', states: new Set(['FAILED', 'RUNNING']), text: 'n95', node: 'n9586f'},
    {tasks: ['12', '13']}, {tasks: ['12', '13'], task: '13'}, {task: '1', subtask: '15'}, {task: '1', text: 'a&b=c #%,√'},
  ]) {
    const place = newPlace(parts);
    assert.deepEqual(parsePlace(formatPlace(place)), place);
  }
});

test('place: the address is easy to read', () => {
  assert.equal(formatPlace(newPlace({task: '12', states: new Set(['RUNNING', 'FAILED'])})), '#task=12&filter=failed,running');
  assert.equal(formatPlace(newPlace({tasks: ['1', '2']})), '#tasks=1,2');
});

test('place: a credential in the address is not taken over', () => {
  const place = parsePlace('#task=12&secret=x&bk_app_secret=y&app=z&user=u');
  assert.equal(formatPlace(place), '#task=12');
});

test('place: nonsense leads nowhere', () => {
  for (const text of ['', '#', '#task=x', '#task=-1', '#task=0', '#tasks=1,x', '#task=9223372036854775808', '#=&&=', '#filter=%00,<b>']) {
    assert.deepEqual(parsePlace(text), newPlace({}), text);
  }
});

test('place: ids are numbers, separated by whatever people paste', () => {
  assert.deepEqual(parseTaskIds(' 12,13;14\n15\t16、17，18 '), {ids: ['12', '13', '14', '15', '16', '17', '18'], mistake: ''});
  assert.deepEqual(parseTaskIds('007 7'), {ids: ['7'], mistake: ''});
  assert.deepEqual(parseTaskIds('9223372036854775807').ids, ['9223372036854775807']);
});

test('place: mistakes in ids have names', () => {
  for (const [text, mistake] of [
    ['', 'missing'], [' ,', 'missing'], ['x', 'badTask'], ['1 0', 'badTask'], ['1.5', 'badTask'],
    ['9223372036854775808', 'badTask'], ['9'.repeat(1000), 'badTask'],
  ]) {
    assert.deepEqual(parseTaskIds(text), {ids: [], mistake}, text);
  }
  const many = Array.from({length: MOST_TASKS + 1}, (_, i) => i + 1);
  assert.equal(parseTaskIds(many.join(' ')).mistake, 'manyTasks');
  assert.equal(parseTaskIds(many.slice(1).join(' ')).ids.length, MOST_TASKS);
});

test('place: one task is asked for alone, also out of a list', () => {
  assert.deepEqual(questionOf(newPlace({tasks: ['1', '2']})), {ids: ['1', '2'], isList: true});
  assert.deepEqual(questionOf(newPlace({tasks: ['1', '2'], task: '2'})), {ids: ['2'], isList: false});
  assert.deepEqual(questionOf(newPlace({tasks: ['1']})), {ids: ['1'], isList: false});
  assert.deepEqual(questionOf(newPlace({})), {ids: [], isList: true});
});
