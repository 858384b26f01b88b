// SPDX-License-Identifier: MIT
// When nodes ran: an axis above the tree, a bar in each row, and what a bar means in words.

import {by, make, setAttribute, setText} from './dom.js';
import {elapsedSeconds} from './model.js';
import {barOf, makeAxis, shortStamp} from './time.js';
import {durationWords} from './words.js';

const LABEL_WIDTH = 72; // of a time on the axis, in CSS pixels
const NOW_WIDTH = 48; // from the time before to the mark of now
const TIP_MS = 100; // not for a pointer that only passes

export class Timeline {
  // `root`: the node whose time the axis spans; `context` as in tree.js.
  drawAxis(root, context) {
    Object.assign(this, {root, context});
    const axis = Number.isNaN(root.startedAt) ? null : this.#makeAxis();
    const key = JSON.stringify([axis?.start, axis?.end, axis?.ticks, axis?.now, context.words.now]);
    if (key !== this.key) {
      Object.assign(this, {key, axis});
      showAxis(axis, context.words);
    }
  }

  #makeAxis() {
    const {root, context} = this;
    const ends = this.#endOfRoot();
    const most = Math.max(1, Math.floor(by('axis').clientWidth / LABEL_WIDTH));
    return makeAxis({
      startMs: root.startedAt, endMs: ends, nowMs: root.isTicking ? ends : null, offset: context.offset, most,
    });
  }

  #endOfRoot() {
    return this.root.startedAt + 1000 * elapsedSeconds(this.root, this.context.sinceMs());
  }

  // Duration and bar of a row; untouched if neither the node nor the axis has changed.
  fill(row, node) {
    const {axis, context: {words, sinceMs}} = this;
    if (row.timesOf === node && row.axis === axis && row.timesIn === words && !node.isTicking) {
      return;
    }
    Object.assign(row, {timesOf: node, axis, timesIn: words});
    const seconds = elapsedSeconds(node, sinceMs());
    setText(row.parts.time, node.data.start_time ? durationWords(words, seconds) : '');
    setAttribute(row.parts.line, 'aria-label', this.#timesOf(node));
    const bar = axis && barOf(axis, node.startedAt, seconds);
    row.parts.bar.hidden = !bar;
    if (bar) {
      row.parts.bar.style.left = `${bar.left * 100}%`;
      row.parts.bar.style.width = `${bar.width * 100}%`;
    }
  }

  #timesOf(node) {
    const {words, offset, sinceMs} = this.context;
    if (Number.isNaN(node.startedAt)) {
      return words.notBegun;
    }
    const now = this.#endOfRoot();
    const from = shortStamp(node.startedAt, now, offset);
    const long = durationWords(words, elapsedSeconds(node, sinceMs()));
    return node.isTicking ? words.runs(from, long) : words.ran(from, shortStamp(node.finishedAt, now, offset), long);
  }

  // ---- the same in words, over the row ----

  // `roof()`: where in the window rows begin to be visible.
  showTipSoon(row, roof) {
    this.timer = setTimeout(() => this.showTip(row, roof()), TIP_MS);
  }

  showTip(row, roof) {
    const {line} = row.parts;
    const place = row.getBoundingClientRect();
    const area = line.checkVisibility() ? line.getBoundingClientRect() : place;
    const tip = by('tip');
    setText(tip, this.#timesOf(row.node));
    tip.hidden = false;
    const left = area.left + area.width * (this.axis ? barOf(this.axis, row.node.startedAt, 0)?.left ?? 0 : 0);
    const top = place.top - tip.offsetHeight;
    tip.style.left = `${Math.max(8, Math.min(left, window.innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${top < roof ? place.bottom : top}px`;
  }

  hideTip() {
    clearTimeout(this.timer);
    if (!by('tip').hidden) {
      by('tip').hidden = true;
    }
  }
}

// Lines at the round times through all rows, their labels above, and one line for now.
function showAxis(axis, words) {
  const lines = by('lines');
  const room = NOW_WIDTH / Math.max(1, by('axis').clientWidth);
  const percent = place => `${(100 * place).toFixed(3)}%`;
  const marks = (axis?.ticks ?? []).map(({at, label}) => ({at, label, name: 'tick'}));
  if (axis?.now) {
    marks.push({at: axis.now, label: words.now, name: 'tick now'});
  }
  lines.style.setProperty('--grid', (axis?.ticks ?? [])
    .map(({at}) => `linear-gradient(var(--grid-line), var(--grid-line)) ${percent(at)} 0 / 1px 100% no-repeat`)
    .join(', ') || 'none');
  lines.style.setProperty('--now', axis?.now ? percent(axis.now) : '-10px');
  by('axis').replaceChildren(...marks.filter(({at, name}) => name !== 'tick' || !axis.now || axis.now - at > room)
    .map(({at, label, name}) => {
      const mark = make('span', {className: name, textContent: label});
      mark.style.left = percent(at);
      mark.dataset.edge = at < 0.06 ? 'start' : at > 0.94 ? 'end' : '';
      return mark;
    }));
}
