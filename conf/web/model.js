// SPDX-License-Identifier: MIT
// The tree of an answer as the page needs it. Without recursion: a task may be nested some thousand levels deep.

// A state's kind gives it its colour and icon. These are all states of bamboo-engine, and NODE_SUSPENDED, which BKFlow
// adds. A state that is not listed is shown as it is called, in grey.
const KINDS = {
  FINISHED: 'done', RUNNING: 'running', ROLLING_BACK: 'running', FAILED: 'failed', ROLL_BACK_FAILED: 'failed',
  SUSPENDED: 'paused', NODE_SUSPENDED: 'paused',
  CREATED: 'waiting', READY: 'waiting', LOOP_READY: 'waiting', BLOCKED: 'waiting',
  REVOKED: 'ended', ROLL_BACK_SUCCESS: 'ended',
};
const ENDED = new Set(['FINISHED', 'REVOKED']);

export const kindOf = state => KINDS[state] ?? 'waiting';

// What `data` says: {root, byId, order, steps, hasEnded}. `root` is null where there is no tree.
export function buildModel(data) {
  if (!data.id) {
    return {root: null, data, byId: new Map(), order: [], steps: new Map(), hasEnded: ENDED.has(data.state)};
  }
  const order = inOrder(data);
  markUnrest(order);
  return {
    root: order[0], data, order, byId: new Map(order.map(node => [node.id, node])), steps: countSteps(order),
    hasEnded: ENDED.has(data.state) && data.finish_time !== '',
  };
}

function inOrder(data) {
  const order = [];
  const todo = [newNode(data, null, 1, 1)];
  while (todo.length > 0) {
    const node = todo.pop();
    order.push(node);
    for (let i = node.children.length - 1; i >= 0; i--) {
      node.children[i] = newNode(node.children[i], node, i + 1, node.children.length);
      todo.push(node.children[i]);
    }
  }
  return order;
}

function newNode(data, parent, position, siblings) {
  return {
    id: data.id, state: data.state, data, parent, position, siblings, level: parent ? parent.level + 1 : 1,
    children: Object.values(data.children), startedAt: moment(data.start_time),
    isTicking: data.start_time !== '' && data.finish_time === '', isRestless: false,
  };
}

// Milliseconds of "2026-11-24 17:11:08 +0800"; NaN without a time.
function moment(text) {
  return Date.parse((text ?? '').replace(/^(\S+) (\S+) ([+-]\d\d)(\d\d)$/, '$1T$2$3:$4'));
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
    if (isStep(node)) {
      steps.set(node.state, (steps.get(node.state) ?? 0) + 1);
    }
  }
  return steps;
}

export function isStep(node) {
  if (node.parent === null) {
    return false;
  }
  const kind = kindOf(node.state);
  return node.children.length === 0 ||
    (kind !== 'done' && kind !== 'running' && !node.children.some(child => kindOf(child.state) === kind));
}

// The step in this state that comes next behind `node` in the order of the tree, from its end on to its start.
export function nextStep(model, state, node) {
  const at = model.order.indexOf(node);
  const found = [...model.order.slice(at + 1), ...model.order.slice(0, at + 1)];
  return found.find(other => other.state === state && isStep(other)) ?? null;
}

// Seconds, as the server would count them `sinceMs` after its answer.
export function elapsedSeconds(node, sinceMs) {
  return node.data.elapsed_time + (node.isTicking ? Math.floor(sinceMs / 1000) : 0);
}

// "2.1.3": the way down from the task. Short of the way where that would be long.
export function outline(node) {
  const numbers = [];
  for (let at = node; at.parent !== null && numbers.length < 5; at = at.parent) {
    numbers.unshift(at.position);
  }
  return (node.level - 1 > numbers.length ? '…' : '') + numbers.join('.');
}
