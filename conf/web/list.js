// SPDX-License-Identifier: MIT
// Several tasks, a row each; every row opens its task.

import {by, fillProgress, make, setText, stateChip} from './dom.js';
import {elapsedSeconds, kindOf, progress} from './model.js';
import {countStates} from './several.js';
import {durationWords, problemWords} from './words.js';

// `view`: {words, entries, sinceMs, taskLink(id)}. Rows stay where they are, and keep the focus, while answers come.
export function showTasks({words, entries, sinceMs, taskLink}) {
  setText(by('several-title'), words.severalTitle(entries.length));
  by('several-counts').replaceChildren(...[...countStates(entries)].map(([state, count]) => {
    const chip = stateChip(words, state);
    chip.lastChild.before(`${words.number(count)} `);
    return chip;
  }));
  const body = by('tasks');
  entries.forEach((entry, i) => {
    const row = body.rows[i] ?? body.appendChild(makeRow());
    fillRow(row, entry, words, taskLink);
    fillDuration(row, entry, words, sinceMs);
  });
  while (body.rows.length > entries.length) {
    body.lastChild.remove();
  }
}

// Once a second: what runs.
export function tickTasks(entries, words, sinceMs) {
  entries.forEach((entry, i) => fillDuration(by('tasks').rows[i], entry, words, sinceMs));
}

function makeRow() {
  const cells = ['task', 'state', 'progress', 'time'].map(name => make(name === 'task' ? 'th' : 'td', {className: `t-${name}`}));
  cells[0].scope = 'row';
  cells[0].append(make('a'));
  cells[2].append(make('span', {className: 'progress'}), make('span', {className: 'words'}));
  return make('tr', {}, ...cells);
}

function fillRow(row, {id, state, model, problem}, words, taskLink) {
  const [task, chip, steps] = row.cells;
  setText(task.firstChild, words.taskTitle(id));
  task.firstChild.href = taskLink(id);
  row.dataset.kind = problem ? 'problem' : kindOf(state);
  chip.replaceChildren(...(problem ? [] : [stateChip(words, state)]));
  const {done, all} = model ? progress(model) : {done: 0, all: 0};
  steps.firstChild.hidden = all === 0;
  fillProgress(steps.firstChild, model?.steps ?? []);
  setText(steps.lastChild, problem ? problemWords(words, problem)[0] : all > 0 ? words.steps(done, all) : '');
}

function fillDuration(row, {model}, words, sinceMs) {
  const hasBegun = Boolean(model?.root?.data.start_time);
  setText(row.cells[3], hasBegun ? durationWords(words, elapsedSeconds(model.root, sinceMs)) : '');
}
