// SPDX-License-Identifier: MIT
// What stands above the tree: how the task is, the filter, and the way through what went wrong.

import {by, fillProgress, make, say, setText, stateChip} from './dom.js';
import {URGENT, isFiltering, sameStates, urgentStates} from './filter.js';
import {kindOf, progress} from './model.js';
import {shortStamp} from './time.js';
import {stateWord} from './words.js';

const SEARCH_MS = 120; // after the last key

export class Summary {
  // `onFilter(filter)` when somebody chooses another one, `onWalk(direction)` to the next trouble.
  constructor({onFilter, onWalk}) {
    this.onFilter = onFilter;
    by('search').addEventListener('input', () => this.#searchSoon());
    by('search').addEventListener('keydown', event => this.#onKey(event));
    by('urgent').addEventListener('click', () => this.#toggleUrgent());
    by('clear').addEventListener('click', () => {
      this.clear(); // and with it this button: the focus goes where all is shown
      by('tree').focus({preventScroll: true});
    });
    by('walk-next').addEventListener('click', () => onWalk(1));
    by('walk-previous').addEventListener('click', () => onWalk(-1));
  }

  // `view`: {words, title, model, filter, found, offset, zone, answeredTime, emptyWords}
  show(view) {
    Object.assign(this, view);
    const {data, root} = view.model;
    setText(by('result-title'), view.title);
    by('result-state').replaceChildren(stateChip(view.words, data.state));
    setText(by('result-words'), root ? this.#progressWords() : view.emptyWords);
    by('progress').hidden = view.model.steps.size === 0;
    fillProgress(by('progress'), view.model.steps);
    by('filters').hidden = root === null;
    if (root) {
      this.#showFilter();
    }
  }

  #progressWords() {
    const {words, model: {data, root}, offset, zone} = this;
    const {done, all} = progress(this.model);
    const time = ms => `${shortStamp(ms, this.answeredTime, offset)} ${zone}`;
    return [
      all > 0 && words.steps(done, all), data.start_time && words.startedAt(time(root.startedAt)),
      data.finish_time && words.finishedAt(time(root.finishedAt)),
    ].filter(Boolean).join(' · ');
  }

  // ---- the filter ----

  #showFilter() {
    const {words, model, filter, found} = this;
    const focused = document.activeElement?.dataset?.state;
    const counts = found?.counts ?? model.steps;
    const states = new Set([...model.steps.keys(), ...filter.states]);
    by('counts').replaceChildren(...[...states].map(state => this.#switch(state, counts.get(state) ?? 0)));
    [...by('counts').children].find(button => button.dataset.state === focused)?.focus();
    by('urgent').setAttribute('aria-pressed', String(this.#isUrgent));
    by('urgent').hidden = states.size < 2;
    if (document.activeElement !== by('search')) {
      by('search').value = filter.text;
    }
    by('found').hidden = !isFiltering(filter);
    if (found) {
      setText(by('found-text'), found.found === 0 ? words.nothingFound : words.shown(found.found, model.order.length));
    }
  }

  get #isUrgent() {
    const {states} = this.filter;
    return states.size > 0 && (sameStates(states, urgentStates(this.model)) || sameStates(states, new Set(URGENT)));
  }

  #switch(state, count) {
    const {words, filter} = this;
    const isOn = filter.states.has(state);
    const button = make('button', {type: 'button', className: 'switch', title: words.only(count, stateWord(words, state))},
      make('span', {className: 'box'}), make('b', {}, words.number(count)), ` ${stateWord(words, state)}`);
    Object.assign(button.dataset, {state, kind: kindOf(state)});
    button.setAttribute('aria-pressed', String(isOn));
    button.addEventListener('click', () => {
      const states = new Set(filter.states);
      (isOn ? states.delete(state) : states.add(state));
      this.#choose({...filter, states});
    });
    return button;
  }

  #toggleUrgent() {
    this.#choose({...this.filter, states: this.#isUrgent ? new Set() : urgentStates(this.model)});
  }

  clear() {
    clearTimeout(this.timer);
    by('search').value = '';
    this.#choose({states: new Set(), text: ''});
  }

  #choose(filter) {
    this.onFilter(filter);
    say(by('found').hidden ? '' : by('found-text').textContent);
  }

  #searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#choose({...this.filter, text: by('search').value.trim()}), SEARCH_MS);
  }

  #onKey(event) {
    if (event.key === 'Escape' && by('search').value !== '') {
      event.preventDefault();
      this.clear();
    } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault();
      clearTimeout(this.timer);
      this.#choose({...this.filter, text: by('search').value.trim()});
      by('tree').focus({preventScroll: true});
    }
  }

  // ---- what went wrong ----

  // `nodes`: the failed or suspended steps; `at`: which of them is active, or -1.
  showWalk({kind, nodes}, at) {
    by('walk').hidden = nodes.length === 0;
    if (nodes.length > 0) {
      by('walk').dataset.kind = kind;
      setText(by('walk-text'), this.words.troubles[kind](nodes.length));
      const {placeOf, next, showOne} = this.words;
      setText(by('walk-place'), at >= 0 && nodes.length > 1 ? placeOf(at + 1, nodes.length) : '');
      setText(by('walk-next'), nodes.length > 1 ? next : showOne);
      by('walk-previous').hidden = nodes.length < 2;
    }
  }
}
