// SPDX-License-Identifier: MIT
// What several parts of the page make and change in the document. Whatever comes from outside goes in as text.

import {kindOf} from './model.js';
import {stateWord} from './words.js';

const COPIED_MS = 1500;

export const by = id => document.getElementById(id);

export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

// Untouched where nothing changes, so that a selection or a screen reader's place is not lost.
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

export function setAttribute(element, name, value) {
  if (value === null) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

// The same icon's path, for where there are many of them.
export const iconPath = name => by(`i-${name}`).firstElementChild.getAttribute('d');

export function stateChip(words, state) {
  const chip = make('span', {className: 'state'}, icon(kindOf(state)), stateWord(words, state));
  chip.dataset.kind = kindOf(state);
  return chip;
}

// An id in two parts, of which the first is shortened where there is no room.
export function fillId(element, id) {
  if (element.title !== id) {
    element.title = id;
    const cut = Math.max(0, id.length - 6);
    element.replaceChildren(make('span', {className: 'head'}, id.slice(0, cut)), make('span', {className: 'tail'}, id.slice(cut)));
  }
}

// A bar of parts as long as there are steps in each state.
export function fillProgress(bar, steps) {
  bar.replaceChildren(...[...steps].map(([state, count]) => {
    const part = make('i');
    part.dataset.kind = kindOf(state);
    part.style.flexGrow = count;
    return part;
  }));
}

// Resolves to whether it could be done. Over plain HTTP browsers offer no clipboard, but they still copy a selection.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text) {
  const focused = document.activeElement;
  const area = make('textarea', {value: text, readOnly: true, className: 'hidden'});
  document.body.append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  focused?.focus({preventScroll: true});
  return isDone;
}

// `text()` is asked for when it is wanted.
export function copyButton(words, name, text) {
  const button = make('button', {type: 'button', className: 'quiet copy', textContent: words.copy});
  button.setAttribute('aria-label', `${words.copy}: ${name}`);
  button.addEventListener('click', async () => {
    const isDone = await copyText(text());
    say(isDone ? words.copied : words.notCopied);
    if (isDone) {
      const label = button.textContent === words.copied ? words.copy : button.textContent;
      button.textContent = words.copied;
      setTimeout(() => setText(button, label), COPIED_MS);
    }
  });
  return button;
}

// Pairs of term and value, [name, value, isId]; an id, which people may have to pass on, can be copied.
export function showFacts(list, words, facts) {
  const layout = JSON.stringify([words.other, facts.map(([name, , isId]) => [name, isId])]);
  if (list.dataset.layout !== layout) {
    list.dataset.layout = layout;
    list.replaceChildren(...facts.flatMap(([name, , isId]) => factElements(words, name, isId)));
  }
  const values = list.querySelectorAll('dd > span');
  facts.forEach(([, value], i) => setText(values[i], String(value)));
}

function factElements(words, name, isId) {
  const className = isId ? 'id' : '';
  const value = make('span');
  const copy = isId ? [' ', copyButton(words, name, () => value.textContent)] : [];
  return [make('dt', {textContent: name, className}), make('dd', {className}, value, ...copy)];
}

// For who does not see the page.
export function say(text) {
  by('status').textContent = text;
}
