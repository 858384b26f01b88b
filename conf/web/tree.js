// SPDX-License-Identifier: MIT
// The tree as people see it. Only the rows near the viewport exist: ten thousand nodes cost no more than fifty.

import {elapsedSeconds, kindOf, outline} from './model.js';
import {durationWords, stateWord} from './words.js';

const SPARE_ROWS = 8; // above and below what is visible
const SMALL = 300; // nodes that may all be open at first
const DEEPEST_INDENT = 12;

export class TreeView {
  // `visibleSpan()` tells where in the window rows can be seen, from top to bottom. `onEnter(node)` is called when
  // somebody wants to know more about a node.
  constructor(container, visibleSpan, onEnter) {
    Object.assign(this, {container, visibleSpan, onEnter});
    this.clear();
    container.addEventListener('keydown', event => this.#onKey(event));
    container.addEventListener('click', event => this.#onClick(event));
    for (const name of ['scroll', 'resize']) {
      window.addEventListener(name, () => this.#drawSoon(), {passive: true});
    }
  }

  clear() {
    this.model = null;
    this.open = new Map(); // node id to what somebody chose; nothing there: isOpenAtFirst
    this.active = null;
    this.lines = [];
    this.rows = new Map(); // node id to its element
    this.container.replaceChildren();
    this.container.removeAttribute('aria-activedescendant');
  }

  // Shows a model; what was open, and the active row, stay if they still exist.
  show(model, words, taskId, answeredAt) {
    Object.assign(this, {model, words, taskId, answeredAt});
    this.active = model.byId.get(this.active?.id) ?? model.root;
    this.#layOut();
  }

  reveal(node) {
    for (let at = node.parent; at !== null; at = at.parent) {
      this.open.set(at.id, true);
    }
    this.#layOut();
    this.activate(node);
  }

  activate(node) {
    this.active = node;
    this.#scrollTo(node);
    this.#draw();
  }

  setAllOpen(isOpen) {
    for (const node of this.model.order) {
      this.open.set(node.id, isOpen || node.parent === null);
    }
    while (!isOpen && this.active.level > 2) {
      this.active = this.active.parent;
    }
    this.#layOut();
  }

  // Once a second: durations and bars of what is running.
  tick() {
    const sinceMs = performance.now() - this.answeredAt;
    for (const [id, row] of this.rows) {
      this.#fillTimes(row, this.model.byId.get(id), sinceMs);
    }
  }

  #isOpen(node) {
    return node.children.length > 0 && (this.open.get(node.id) ?? this.#isOpenAtFirst(node));
  }

  #isOpenAtFirst(node) {
    return node.parent === null || node.isRestless || this.model.order.length <= SMALL;
  }

  // ---- layout: which node stands in which line ----

  #layOut() {
    this.lines = [];
    const todo = [this.model.root];
    while (todo.length > 0) {
      const node = todo.pop();
      node.line = this.lines.push(node) - 1;
      if (this.#isOpen(node)) {
        todo.push(...node.children.toReversed());
      }
    }
    // A collapsed node hides what is below it; the active row moves up to where it can be seen.
    while (this.lines[this.active.line] !== this.active) {
      this.active = this.active.parent;
    }
    const style = getComputedStyle(this.container);
    this.lineHeight = parseFloat(style.getPropertyValue('--line'));
    this.container.style.height = `${this.lines.length * this.lineHeight}px`;
    this.#draw();
  }

  #drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      if (this.model?.root) {
        this.#keepLineHeight();
        this.#draw();
      }
    });
  }

  // On a narrow window a row has two lines of text.
  #keepLineHeight() {
    const height = parseFloat(getComputedStyle(this.container).getPropertyValue('--line'));
    if (height !== this.lineHeight) {
      this.#layOut();
    }
  }

  #draw() {
    const top = -this.container.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / this.lineHeight) - SPARE_ROWS);
    const last = Math.ceil((top + window.innerHeight) / this.lineHeight) + SPARE_ROWS;
    const shown = new Set(this.lines.slice(first, Math.max(last, 0)));
    shown.add(this.active); // a screen reader follows aria-activedescendant, which must exist
    this.#dropRowsBut(shown);
    const sinceMs = performance.now() - this.answeredAt;
    for (const node of shown) {
      this.#fill(this.#rowOf(node), node, sinceMs);
    }
    this.container.setAttribute('aria-activedescendant', rowId(this.active));
  }

  #dropRowsBut(shown) {
    const ids = new Set(Array.from(shown, node => node.id));
    for (const [id, row] of this.rows) {
      if (!ids.has(id)) {
        row.remove();
        this.rows.delete(id);
      }
    }
  }

  #rowOf(node) {
    let row = this.rows.get(node.id);
    if (!row) {
      row = makeRow(node);
      this.rows.set(node.id, row);
      this.container.append(row);
    }
    return row;
  }

  #fill(row, node, sinceMs) {
    const hasChildren = node.children.length > 0;
    row.style.transform = `translateY(${node.line * this.lineHeight}px)`;
    row.setAttribute('aria-level', node.level);
    row.setAttribute('aria-posinset', node.position);
    row.setAttribute('aria-setsize', node.siblings);
    setOrRemove(row, 'aria-expanded', hasChildren ? String(this.#isOpen(node)) : null);
    row.setAttribute('aria-selected', String(node === this.active));
    row.dataset.kind = kindOf(node.state);
    row.style.setProperty('--level', Math.min(node.level - 1, DEEPEST_INDENT));
    const parts = row.parts;
    setText(parts.number, outline(node));
    setText(parts.name, node.parent === null ? this.words.taskTitle(this.taskId) : shortId(node.id));
    setText(parts.word, stateWord(this.words, node.state));
    setText(parts.notes, notes(this.words, node).join(' · '));
    parts.icon.setAttribute('href', `#i-${kindOf(node.state)}`);
    this.#fillTimes(row, node, sinceMs);
  }

  #fillTimes(row, node, sinceMs) {
    const seconds = elapsedSeconds(node, sinceMs);
    setText(row.parts.time, node.data.start_time === '' ? '' : durationWords(this.words, seconds));
    const span = Math.max(1, elapsedSeconds(this.model.root, sinceMs));
    const offset = (node.startedAt - this.model.root.startedAt) / 1000;
    const start = Math.min(1, Math.max(0, offset / span));
    const bar = row.parts.bar;
    bar.hidden = Number.isNaN(offset);
    bar.style.left = `${start * 100}%`;
    bar.style.width = `${Math.min(1 - start, seconds / span) * 100}%`;
  }

  // ---- keyboard and mouse, as the ARIA practices have it for a tree ----

  #onKey(event) {
    if (!this.model?.root || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    const page = Math.max(1, Math.floor(window.innerHeight / this.lineHeight) - 3);
    const moves = {
      ArrowDown: () => this.#moveTo(this.active.line + 1),
      ArrowUp: () => this.#moveTo(this.active.line - 1),
      PageDown: () => this.#moveTo(this.active.line + page),
      PageUp: () => this.#moveTo(this.active.line - page),
      Home: () => this.#moveTo(0),
      End: () => this.#moveTo(this.lines.length - 1),
      ArrowRight: () => this.#moveIn(),
      ArrowLeft: () => this.#moveOut(),
      '*': () => this.#openSiblings(),
      ' ': () => this.#setOpen(this.active, !this.#isOpen(this.active)),
      Enter: () => this.onEnter(this.active),
    };
    if (Object.hasOwn(moves, event.key)) {
      event.preventDefault();
      moves[event.key]();
    }
  }

  #moveTo(line) {
    this.activate(this.lines[Math.min(Math.max(line, 0), this.lines.length - 1)]);
  }

  #moveIn() {
    if (this.#isOpen(this.active)) {
      this.#moveTo(this.active.line + 1);
    } else {
      this.#setOpen(this.active, true);
    }
  }

  #moveOut() {
    if (this.#isOpen(this.active)) {
      this.#setOpen(this.active, false);
    } else {
      this.activate(this.active.parent ?? this.active);
    }
  }

  #setOpen(node, isOpen) {
    if (node.children.length > 0) {
      this.open.set(node.id, isOpen);
      this.#layOut();
      this.#scrollTo(this.active);
    }
  }

  #openSiblings() {
    for (const node of this.active.parent?.children ?? [this.active]) {
      this.open.set(node.id, true);
    }
    this.#layOut();
  }

  #onClick(event) {
    const row = event.target.closest('[role=treeitem]');
    const node = row && this.model.byId.get(row.dataset.node);
    if (!node) {
      return;
    }
    this.active = node;
    if (event.target.closest('.twisty') && node.children.length > 0) {
      this.#setOpen(node, !this.#isOpen(node));
    } else {
      this.#draw();
      this.onEnter(node);
    }
  }

  #scrollTo(node) {
    const top = this.container.getBoundingClientRect().top + node.line * this.lineHeight;
    const [roof, end] = this.visibleSpan();
    const floor = end - 1.5 * this.lineHeight;
    if (top < roof) {
      window.scrollBy(0, top - roof);
    } else if (top > floor) {
      window.scrollBy(0, top - floor);
    }
  }
}

function notes(words, node) {
  const {retry, loop, skip, error_ignored: isIgnored} = node.data;
  return [
    retry > 0 && words.retries(retry), loop > 1 && words.loops(loop), skip && words.skipped, isIgnored && words.ignored,
  ].filter(Boolean);
}

function shortId(id) {
  return id.length > 10 ? `${id.slice(0, 9)}…` : id;
}

function rowId(node) {
  return `node-${node.id}`;
}

function makeRow(node) {
  const row = document.getElementById('row').content.firstElementChild.cloneNode(true);
  row.id = rowId(node);
  row.dataset.node = node.id;
  const part = name => row.querySelector(`.${name}`);
  row.parts = {
    number: part('number'), name: part('name'), word: part('word'), notes: part('notes'), time: part('c-time'),
    bar: part('span'), icon: row.querySelector('.state use'),
  };
  return row;
}

// Untouched where nothing changes, so that a selection or a screen reader's place is not lost.
function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function setOrRemove(element, name, value) {
  if (value === null) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value);
  }
}
