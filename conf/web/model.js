// SPDX-License-Identifier: MIT
// The tree of an answer as the page needs it. Without recursion: a task may be nested some thousand levels deep.

import {moment} from './time.js';

// A state's kind gives it its colour and icon. These are all states of bamboo-engine, and NODE_SUSPENDED, which BKFlow
// adds. A state that is not listed is shown as it is called, in grey.
const KINDS = {
  FINISHED: 'done', RUNNING: 'running', ROLLING_BACK: 'running', FAILED: 'failed', ROLL_BACK_FAILED: 'failed',
  SUSPENDED: 'paused', NODE_SUSPENDED: 'paused',
  CREATED: 'waiting', READY: 'waiting', LOOP_READY: 'waiting', BLOCKED: 'waiting',
  REVOKED: 'ended', ROLL_BACK_SUCCESS: 'ended',
};
const ENDED = new Set(['FINISHED', 'REVOKED']);

export const kindOf = state => (Object.hasOwn(KINDS, state) ? KINDS[state] : 'waiting');

// What `data` says. `root` is null where there is no tree; `order` has all nodes, parents first; `steps` counts steps
// by state. A node that started a sub-process has that task's root as its last child.
export function buildModel(data) {
  if (!data.id) {
    return {root: null, data, order: [], byId: new Map(), steps: new Map()};
  }
  const order = inOrder(data);
  markUnrest(order);
  return {root: order[0], data, order, byId: new Map(order.map(node => [node.id, node])), steps: countSteps(order)};
}

// Whether an answer will not change any more.
export const hasEnded = data => ENDED.has(data.state) && data.finish_time !== '';

// The states of a sub-process's task somewhere in an answer; null if it is not there.
export function statesOfSubtask(data, taskId) {
  const todo = [data];
  while (todo.length > 0) {
    const {children = {}, subtask} = todo.pop();
    if (String(subtask?.task_id) === taskId) {
      return subtask.states;
    }
    todo.push(...Object.values(children), ...(subtask ? [subtask.states] : []));
  }
  return null;
}

function inOrder(data) {
  const order = [];
  const todo = [newNode(data, null, 1, 1, '')];
  while (todo.length > 0) {
    const node = todo.pop();
    node.index = order.push(node) - 1;
    node.children = childrenOf(node);
    for (let i = node.children.length - 1; i >= 0; i--) {
      todo.push(node.children[i]);
    }
  }
  return order;
}

function childrenOf(node) {
  const {children = {}, subtask} = node.data;
  const below = Object.values(children);
  const count = below.length + (subtask ? 1 : 0);
  const nodes = below.map((data, i) => newNode(data, node, i + 1, count, ''));
  return subtask ? [...nodes, newNode(subtask.states, node, count, count, String(subtask.task_id))] : nodes;
}

// `taskId` is that of a sub-process's task for its root, else empty.
function newNode(data, parent, position, siblings, taskId) {
  const started = data.start_time ?? '';
  const finished = data.finish_time ?? '';
  return {
    id: data.id ?? `task ${taskId}`, taskId, state: data.state, data, parent, position, siblings,
    level: parent ? parent.level + 1 : 1, index: 0, children: [], startedAt: moment(started),
    finishedAt: moment(finished), isTicking: started !== '' && finished === '', isRestless: false, isStep: false,
  };
}

// A node is restless if somebody would want to see what is below it: not everything there has finished.
function markUnrest(order) {
  for (let i = order.length - 1; i > 0; i--) {
    const node = order[i];
    if (node.isRestless || (node.state !== 'FINISHED' && kindOf(node.state) !== 'waiting')) {
      node.parent.isRestless = true;
    }
  }
}

// Steps are what people count: nodes without nodes below, and whatever stopped by itself.
function countSteps(order) {
  const steps = new Map();
  for (const node of order) {
    node.isStep = isStep(node);
    if (node.isStep) {
      steps.set(node.state, (steps.get(node.state) ?? 0) + 1);
    }
  }
  return steps;
}

function isStep(node) {
  if (node.parent === null) {
    return false;
  }
  const kind = kindOf(node.state);
  return node.children.length === 0 ||
    (kind !== 'done' && kind !== 'running' && !node.children.some(child => kindOf(child.state) === kind));
}

// What somebody looks for first: the failed steps, or if there are none, the suspended ones. {kind, nodes}.
export function troubles(model) {
  for (const kind of ['failed', 'paused']) {
    const nodes = model.order.filter(node => node.isStep && kindOf(node.state) === kind);
    if (nodes.length > 0) {
      return {kind, nodes};
    }
  }
  return {kind: 'failed', nodes: []};
}

// Which of `nodes`, in the order of the tree, comes next after `node` (or before it, with -1), around the end.
export function neighbour(nodes, node, direction) {
  const at = node?.index ?? -1;
  const found = direction > 0 ? nodes.find(other => other.index > at) : nodes.findLast(other => other.index < at);
  return found ?? (direction > 0 ? nodes[0] : nodes.at(-1)) ?? null;
}

// Seconds, as the server would count them `sinceMs` after its answer.
export function elapsedSeconds(node, sinceMs) {
  return (node.data.elapsed_time ?? 0) + (node.isTicking ? Math.floor(sinceMs / 1000) : 0);
}

// {done, all} of the steps.
export function progress(model) {
  const all = [...model.steps.values()].reduce((sum, count) => sum + count, 0);
  return {done: model.steps.get('FINISHED') ?? 0, all};
}

// "2.1.3": the way down from the node's task. Short of the way where that would be long; empty for a task's root.
export function outline(node) {
  const numbers = [];
  let at = node;
  for (; at.parent !== null && at.taskId === '' && numbers.length < 5; at = at.parent) {
    numbers.unshift(at.position);
  }
  return (at.parent !== null && at.taskId === '' ? '…' : '') + numbers.join('.');
}

// What an answer says about the node itself, as it says it.
export function ownFields(node) {
  const {children: _children, subtask, ...own} = node.data;
  return subtask ? {...own, subtask: {task_id: subtask.task_id}} : own;
}
