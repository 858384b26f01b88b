// SPDX-License-Identifier: MIT
// The tree as people see it: a tree grid with a timeline. Only the rows near the viewport exist: twenty thousand nodes
// cost no more than fifty.

import {by, fillId, iconPath, setAttribute, setText} from './dom.js';
import {kindOf, outline} from './model.js';
import {Timeline} from './timeline.js';
import {stateWord} from './words.js';

const SPARE_ROWS = 5; // above and below what is visible
const SMALL = 300; // nodes that may all be open at first
const DEEPEST_INDENT = 12;

export class TreeView {
  // `actions`: visibleSpan() tells where in the window rows can be seen, from top to bottom; onEnter(node) is called
  // when somebody wants to know more about a node, onMove(node) when another one is active.
  constructor(actions) {
    Object.assign(this, actions, {container: by('tree'), body: by('rows'), timeline: new Timeline(), spare: [], drawing: 0});
    this.clear();
    this.container.addEventListener('keydown', event => this.#onKey(event));
    this.container.addEventListener('blur', () => this.timeline.hideTip());
    this.body.addEventListener('click', event => this.#onClick(event));
    this.body.addEventListener('pointerover', event => this.#onPointer(event));
    this.body.addEventListener('pointerleave', () => this.timeline.hideTip());
    window.addEventListener('scroll', () => this.timeline.hideTip(), {passive: true});
    for (const name of ['scroll', 'resize']) {
      window.addEventListener(name, () => this.#drawSoon(), {passive: true});
    }
  }

  clear() {
    this.model = this.active = this.found = null;
    this.open = new Map(); // node id to what somebody chose; nothing there: isOpenAtFirst
    this.lines = [];
    this.rows = new Map(); // node id to its element
    this.body.replaceChildren();
    this.container.removeAttribute('aria-activedescendant');
    this.timeline.hideTip();
  }

  // Shows a model; what was open, and the active row, stay if they still exist. `context`: {words, title, offset, zone,
  // sinceMs(), subtaskLink(id)}; `found`: what a filter leaves, or null.
  show(model, context, found) {
    if ((found === null) !== (this.found === null) || found?.key !== this.found?.key) {
      this.openFound = new Map();
    }
    Object.assign(this, {model, context, found});
    this.timeline.drawAxis(model.root, context);
    this.active = model.byId.get(this.active?.id) ?? model.root;
    this.#layOut();
  }

  reveal(node) {
    for (let at = node.parent; at !== null; at = at.parent) {
      this.#choices.set(at.id, true);
    }
    this.#layOut();
    this.activate(node, true);
  }

  // In the middle of what is visible if `isFar`, else with as little scrolling as possible.
  activate(node, isFar = false) {
    this.active = node;
    this.#scrollTo(node, isFar);
    this.#drawAll();
    this.onMove(node);
  }

  setAllOpen(isOpen) {
    for (const node of this.model.order) {
      this.#choices.set(node.id, isOpen || node.parent === null);
    }
    this.#layOut();
  }

  // Once a second: durations and bars of what is running.
  tick() {
    this.timeline.drawAxis(this.model.root, this.context);
    for (const row of this.rows.values()) {
      this.timeline.fill(row, row.node);
    }
  }

  get #choices() {
    return this.found ? this.openFound : this.open;
  }

  #isShown(node) {
    return this.found === null || this.found.marks[node.index] > 0;
  }

  #hasChildren(node) {
    return node.children.length > 0 && (this.found === null || node.children.some(child => this.#isShown(child)));
  }

  #isOpen(node) {
    return this.#hasChildren(node) && (this.#choices.get(node.id) ?? (this.found !== null || this.#isOpenAtFirst(node)));
  }

  #isOpenAtFirst(node) {
    return node.parent === null || node.isRestless || this.model.order.length <= SMALL;
  }

  // ---- layout: which line a node is in ----

  #layOut() {
    this.lines = [];
    const todo = this.#isShown(this.model.root) ? [this.model.root] : [];
    while (todo.length > 0) {
      const node = todo.pop();
      node.line = this.lines.push(node) - 1;
      for (let i = this.#isOpen(node) ? node.children.length - 1 : -1; i >= 0; i--) {
        if (this.#isShown(node.children[i])) {
          todo.push(node.children[i]);
        }
      }
    }
    this.#keepActive();
    this.#measure();
    this.body.style.height = `${this.lines.length * this.lineHeight}px`;
    this.container.setAttribute('aria-rowcount', this.lines.length + 1);
    this.#drawAll();
  }

  // A collapsed node hides what is below it; the active row moves up to where it can be seen, or to what is found.
  #keepActive() {
    let node = this.active;
    while (node !== null && this.lines[node.line] !== node) {
      node = node.parent;
    }
    this.active = node ?? this.lines.find(line => this.found?.marks[line.index] === 2) ?? this.lines[0] ?? this.model.root;
  }

  #measure() {
    this.lineHeight = parseFloat(getComputedStyle(this.container).getPropertyValue('--line'));
  }

  #drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      if (this.model !== null) {
        this.#redraw();
      }
    });
  }

  // On a narrow window a row has two lines of text.
  #redraw() {
    const height = this.lineHeight;
    this.#measure();
    if (height === this.lineHeight) {
      this.#draw();
    } else {
      this.#layOut();
    }
  }

  // ---- rows, in the order of the lines ----

  // After a change of anything that rows show; scrolling alone leaves those that stay as they are.
  #drawAll() {
    this.drawing++;
    this.#draw();
  }

  #draw() {
    const shown = this.#visibleNodes();
    const ids = new Set(shown.map(node => node.id));
    for (const [id, row] of this.rows) {
      if (!ids.has(id)) {
        this.rows.delete(id);
        this.spare.push(row);
      }
    }
    let before = null;
    for (const node of shown) {
      before = this.#place(this.#rowOf(node), node, before);
    }
    this.spare.forEach(row => row.remove());
    setAttribute(this.container, 'aria-activedescendant', this.rows.get(this.active.id)?.id ?? null);
  }

  // A screen reader follows aria-activedescendant, so the active row exists wherever it is.
  #visibleNodes() {
    const top = -this.body.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / this.lineHeight) - SPARE_ROWS);
    const last = Math.max(first, Math.ceil((top + window.innerHeight) / this.lineHeight) + SPARE_ROWS);
    const nodes = this.lines.slice(first, last);
    const {line} = this.active;
    if (this.lines[line] !== this.active || (line >= first && line < last)) {
      return nodes;
    }
    return line < first ? [this.active, ...nodes] : [...nodes, this.active];
  }

  #rowOf(node) {
    let row = this.rows.get(node.id);
    if (!row) {
      row = this.spare.pop() ?? makeRow();
      this.rows.set(node.id, row);
    }
    return row;
  }

  #place(row, node, before) {
    const next = before === null ? this.body.firstChild : before.nextSibling;
    if (row !== next) {
      this.body.insertBefore(row, next);
    }
    if (row.node !== node || row.drawing !== this.drawing) {
      row.drawing = this.drawing;
      this.#fill(row, node);
    }
    return row;
  }

  #fill(row, node) {
    row.node = node;
    row.id = `row-${node.index}`;
    row.style.transform = `translateY(${node.line * this.lineHeight}px)`;
    setAttribute(row, 'aria-rowindex', node.line + 2);
    setAttribute(row, 'aria-level', node.level);
    setAttribute(row, 'aria-posinset', node.position);
    setAttribute(row, 'aria-setsize', node.siblings);
    setAttribute(row, 'aria-expanded', this.#hasChildren(node) ? this.#isOpen(node) : null);
    setAttribute(row, 'aria-selected', node === this.active);
    row.dataset.above = String(this.found?.marks[node.index] === 1);
    row.style.setProperty('--level', Math.min(node.level - 1, DEEPEST_INDENT));
    this.#fillName(row.parts, node);
    setText(row.parts.word, stateWord(this.context.words, node.state));
    if (row.dataset.kind !== kindOf(node.state)) {
      row.dataset.kind = kindOf(node.state);
      row.parts.icon.setAttribute('d', iconPath(row.dataset.kind));
    }
    this.timeline.fill(row, node);
  }

  #fillName({name, number, notes, copy, own}, node) {
    const {words, title, subtaskLink} = this.context;
    setText(number, outline(node));
    const isTask = node.parent === null || node.taskId !== '';
    name.classList.toggle('id', !isTask);
    if (isTask) {
      name.title = node.parent === null && node.taskId === '' ? node.id : '';
      setText(name, node.parent === null ? title : words.subtaskTitle(node.taskId));
    } else {
      fillId(name, node.id);
    }
    copy.title = words.copyId;
    own.hidden = node.taskId === '' || node.parent === null;
    if (!own.hidden) {
      own.title = words.openSubtask(node.taskId);
      setAttribute(own, 'href', subtaskLink(node.taskId));
      setAttribute(own, 'aria-label', own.title);
    }
    setText(notes, notesOf(words, node).join(' · '));
  }

  #onPointer(event) {
    const row = event.target.closest('[role=row]');
    const cell = event.target.closest('.c-line, .c-time');
    this.timeline.hideTip();
    if (row && cell) {
      this.timeline.showTipSoon(row, () => this.visibleSpan()[0]);
    }
  }

  // ---- keyboard and mouse, as the ARIA practices have it for a tree grid ----

  #onKey(event) {
    if (this.lines.length === 0 || event.ctrlKey || event.altKey || event.metaKey) {
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
      this.#showTipOfActive();
    }
  }

  #showTipOfActive() {
    const row = this.rows.get(this.active.id);
    if (row && this.container.matches(':focus')) {
      this.timeline.showTip(row, this.visibleSpan()[0]);
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
    if (this.#hasChildren(node)) {
      this.#choices.set(node.id, isOpen);
      this.#layOut();
      this.#scrollTo(this.active);
    }
  }

  #openSiblings() {
    for (const node of this.active.parent?.children ?? [this.active]) {
      this.#choices.set(node.id, true);
    }
    this.#layOut();
  }

  #onClick(event) {
    const row = event.target.closest('[role=row]');
    if (!row || event.target.closest('a')) {
      return;
    }
    const {node} = row;
    this.active = node;
    if (event.target.closest('.copy-id')) {
      this.onCopy(node);
    } else if (event.target.closest('.twisty') && this.#hasChildren(node)) {
      this.#setOpen(node, !this.#isOpen(node));
      return;
    } else {
      this.onEnter(node);
    }
    this.#drawAll();
    this.onMove(node);
  }

  #scrollTo(node, isFar = false) {
    const top = this.body.getBoundingClientRect().top + node.line * this.lineHeight;
    const [roof, end] = this.visibleSpan();
    const floor = end - 1.5 * this.lineHeight;
    if (top >= roof && top <= floor) {
      return;
    }
    const aim = isFar ? (roof + floor) / 2 : top < roof ? roof : floor;
    window.scrollBy(0, top - aim);
  }
}

function notesOf(words, node) {
  const {retry, loop, skip, error_ignored: isIgnored} = node.data;
  return [
    retry > 0 && words.retries(retry), loop > 1 && words.loops(loop), skip && words.skipped, isIgnored && words.ignored,
  ].filter(Boolean);
}

function makeRow() {
  const row = by('row').content.firstElementChild.cloneNode(true);
  const part = name => row.querySelector(`.${name}`);
  row.parts = {
    number: part('number'), name: part('name'), word: part('word'), notes: part('notes'), time: part('c-time'),
    bar: part('span'), line: part('c-line'), copy: part('copy-id'), own: part('own'),
    icon: row.querySelector('.state path'),
  };
  return row;
}
