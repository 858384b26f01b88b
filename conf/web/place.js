// SPDX-License-Identifier: MIT
// The address's fragment: what is looked at and how, never who looks.
//   #task=12&filter=failed,running&find=n95&node=n9586f...   one task
//   #task=12&subtask=15                                      a sub-process's task within the answer for task 12
//   #tasks=12,13,14                                          several; with &task=12 one of them

export const MOST_TASKS = 100;
const LARGEST_TASK_ID = 2n ** 63n - 1n;
const NOWHERE = Object.freeze({tasks: [], task: '', subtask: '', states: new Set(), text: '', node: ''});

export const newPlace = parts => ({...NOWHERE, ...parts});

// {ids, mistake}: the ids in a text that somebody entered; `mistake` is '' or 'missing', 'badTask', 'manyTasks'.
export function parseTaskIds(text) {
  const parts = text.split(/[\s,;，；、]+/).filter(Boolean);
  if (parts.length === 0) {
    return {ids: [], mistake: 'missing'};
  }
  if (!parts.every(isTaskId)) {
    return {ids: [], mistake: 'badTask'};
  }
  const ids = [...new Set(parts.map(part => String(BigInt(part))))];
  return ids.length > MOST_TASKS ? {ids: [], mistake: 'manyTasks'} : {ids, mistake: ''};
}

function isTaskId(text) {
  return /^\d{1,40}$/.test(text) && BigInt(text) >= 1n && BigInt(text) <= LARGEST_TASK_ID;
}

const oneId = text => {
  const {ids} = parseTaskIds(text ?? '');
  return ids.length === 1 ? ids[0] : '';
};

export function parsePlace(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const {ids} = parseTaskIds(given.get('tasks') ?? '');
  const states = (given.get('filter') ?? '').toUpperCase().split(',').filter(state => /^[A-Z_]{1,40}$/.test(state));
  return newPlace({
    tasks: ids, task: oneId(given.get('task')), subtask: oneId(given.get('subtask')), states: new Set(states),
    text: (given.get('find') ?? '').slice(0, 100), node: (given.get('node') ?? '').slice(0, 100),
  });
}

export function formatPlace({tasks, task, subtask, states, text, node}) {
  const parts = [
    tasks.length > 0 && `tasks=${tasks.join(',')}`, task && `task=${task}`, subtask && `subtask=${subtask}`,
    states.size > 0 && `filter=${[...states].sort().join(',').toLowerCase()}`,
    text && `find=${encodeURIComponent(text)}`, node && `node=${encodeURIComponent(node)}`,
  ];
  return `#${parts.filter(Boolean).join('&')}`;
}

// What has to be asked for a place: the ids, and whether they are a list.
export function questionOf({tasks, task}) {
  if (task) {
    return {ids: [task], isList: false};
  }
  return tasks.length === 1 ? {ids: tasks, isList: false} : {ids: tasks, isList: true};
}
