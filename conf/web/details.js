// SPDX-License-Identifier: MIT
// All that an answer says about one node.

import {by, copyButton, make, setText, showFacts, stateChip} from './dom.js';
import {elapsedSeconds, ownFields} from './model.js';
import {stamp} from './time.js';
import {durationWords} from './words.js';

// `context`: {words, offset, zone, sinceMs, subtaskLink(id)}
export function showDetails(node, context) {
  by('details').hidden = node === null;
  by('columns').classList.toggle('two', node !== null);
  if (node === null) {
    return;
  }
  const {words} = context;
  const shown = JSON.stringify([words.other, node.id, node.state, node.data.version]);
  if (by('details').dataset.shown !== shown) {
    by('details').dataset.shown = shown;
    by('details-title').replaceChildren(stateChip(words, node.state));
    by('details-tools').replaceChildren(...tools(node, context));
  }
  showFacts(by('details-facts'), words, facts(node, context));
}

function tools(node, {words, subtaskLink}) {
  const copy = copyButton(words, words.copyJson, () => JSON.stringify(ownFields(node), null, 2));
  setText(copy, words.copyJson);
  copy.className = 'quiet';
  const subtask = subtaskOf(node);
  return subtask === '' ? [copy] : [make('a', {className: 'button quiet', href: subtaskLink(subtask)}, words.openSubtask(subtask)), copy];
}

// The id of the task that the node started, or is the root of.
export function subtaskOf(node) {
  return node.taskId || String(node.data.subtask?.task_id ?? '');
}

function facts(node, {words, offset, zone, sinceMs}) {
  const {data} = node;
  const {detail, explain} = words;
  const time = (text, ms) => (text ? `${stamp(ms, offset)} ${zone}` : words.none);
  const rows = [
    [detail.id, data.id, true], [detail.task_id, subtaskOf(node), true],
    [detail.start_time, time(data.start_time, node.startedAt)], [detail.finish_time, time(data.finish_time, node.finishedAt)],
    [detail.elapsed, data.start_time ? durationWords(words, elapsedSeconds(node, sinceMs)) : words.none],
    [detail.retry, explain.retry(data.retry ?? 0)], [detail.loop, explain.loop(data.loop ?? 0)],
    [detail.skip, explain.skip(Boolean(data.skip))],
    [detail.error_ignorable, data.error_ignorable ? words.yes : words.no],
    [detail.error_ignored, explain.error_ignored(Boolean(data.error_ignored))],
    [detail.children, words.number(node.children.length)],
    [detail.parent_id, data.parent_id, true], [detail.root_id, data.root_id, true], [detail.version, data.version, true],
  ];
  return rows.filter(([, value, isId]) => !isId || value);
}
