// SPDX-License-Identifier: MIT
// Which nodes are shown: {states, text}. States hold for steps, the text for ids and numbers of all nodes; the way down
// to what is found stays visible.

import {kindOf, outline} from './model.js';

export const NO_FILTER = Object.freeze({states: new Set(), text: ''});
export const URGENT = ['FAILED', 'RUNNING'];

export const isFiltering = filter => filter.states.size > 0 || filter.text !== '';

// What a filter leaves of a model:
//   marks   for each node by its index: 0 not shown, 1 above something found, 2 found
//   counts  steps by state among what the text finds, whatever states are chosen
//   found   how many nodes are found, `steps` how many of them are steps
export function applyFilter(model, filter) {
  const text = filter.text.toLowerCase();
  const isNumber = /^[\d.]+$/.test(text);
  const marks = new Uint8Array(model.order.length);
  const counts = new Map();
  let [found, steps] = [0, 0];
  for (let i = model.order.length - 1; i >= 0; i--) {
    const node = model.order[i];
    const hasText = matchesText(node, text, isNumber);
    if (hasText && node.isStep) {
      counts.set(node.state, (counts.get(node.state) ?? 0) + 1);
    }
    if (hasText && (filter.states.size === 0 || (node.isStep && filter.states.has(node.state)))) {
      marks[i] = 2;
      found++;
      steps += node.isStep ? 1 : 0;
    }
    if (marks[i] > 0 && node.parent !== null) {
      marks[node.parent.index] ||= 1;
    }
  }
  return {marks, counts, found, steps};
}

// `isNumber`: only then it can be an outline, which takes longer to make than all others together.
function matchesText(node, text, isNumber) {
  return text === '' || node.id.toLowerCase().includes(text) || node.taskId === text ||
    (isNumber && outline(node) === text);
}

// The states of a model in which something is wrong or under way, and always the two that are meant by that.
export function urgentStates(model) {
  const found = [...model.steps.keys()].filter(state => ['failed', 'running'].includes(kindOf(state)));
  return new Set([...URGENT, ...found]);
}

export function sameStates(a, b) {
  return a.size === b.size && [...a].every(state => b.has(state));
}
