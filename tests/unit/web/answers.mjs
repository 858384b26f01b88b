// SPDX-License-Identifier: MIT
// Answers of the API in small, for the tests beside this file.

export function node(id, state = 'FINISHED', children = [], more = {}) {
  return {
    id, state, children: Object.fromEntries(children.map(child => [child.id, child])), retry: 0, loop: 1, skip: false,
    error_ignored: false, elapsed_time: 60, start_time: '2026-11-24 17:11:08 +0800',
    finish_time: state === 'RUNNING' ? '' : '2026-11-24 17:12:08 +0800', ...more,
  };
}

export const NOT_STARTED = {
  start_time: null, state: 'CREATED', retry: 0, skip: 0, finish_time: null, elapsed_time: 0, children: {},
};

// root; 1 done; 2 with 2.1 done, 2.2 failed; 3 running
export const FAILED = node('root', 'FAILED', [
  node('first'), node('second', 'FAILED', [node('good'), node('bad', 'FAILED')]), node('third', 'RUNNING'),
]);

// root; 1 runs the sub-process with task 12: x failed, y done
export const WITH_SUBTASK = node('root', 'RUNNING', [
  node('caller', 'RUNNING', [], {subtask: {task_id: 12, states: node('sub', 'FAILED', [node('x', 'FAILED'), node('y')])}}),
]);
