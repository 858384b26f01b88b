// SPDX-License-Identifier: MIT
// What is shown of a place: the start, a list, a task, or a sub-process's task within it; and what people do there.

import {showDetails} from './details.js';
import {by, copyText, say, setText} from './dom.js';
import {applyFilter, isFiltering} from './filter.js';
import {showTasks, tickTasks} from './list.js';
import {buildModel, elapsedSeconds, kindOf, neighbour, statesOfSubtask, troubles} from './model.js';
import {formatPlace, newPlace, questionOf} from './place.js';
import {showCountdown, showProblem} from './problem.js';
import {countStates, mostUrgent} from './several.js';
import {freshness, showSign, showTab} from './sign.js';
import {Summary} from './summary.js';
import {clock, offsetOf, zoneName} from './time.js';
import {TreeView} from './tree.js';
import {durationWords, stateWord} from './words.js';

const NO_TROUBLE = {kind: 'failed', nodes: []};
const NO_MODEL = {root: null, data: {state: 'CREATED'}, steps: new Map(), order: [], byId: new Map()};

export class View {
  constructor({follower, notifier, now, place}) {
    Object.assign(this, {follower, notifier, now, place, words: null});
    this.summary = new Summary({onFilter: filter => this.#setFilter(filter), onWalk: direction => this.walk(direction)});
    this.tree = new TreeView({
      visibleSpan, onEnter: node => this.#openDetails(node), onMove: () => this.#showWalk(), onCopy: node => this.copyId(node),
    });
    this.forget();
  }

  // The form now asks for another task, or for none.
  forget() {
    Object.assign(this, {model: null, trouble: NO_TROUBLE, lastState: ''}); // the last one is what was told
    this.leave();
  }

  // Another place, perhaps within the same answer.
  leave() {
    Object.assign(this, {hasOpened: false, detailed: null}); // detailed: id of the node whose details are shown
    this.tree.clear();
  }

  // Changes how a place is looked at, without a step in the browser's history.
  keepPlace(parts) {
    this.place = newPlace({...this.place, ...parts});
    history.replaceState(null, '', formatPlace(this.place));
  }

  get isList() {
    return questionOf(this.place).isList;
  }

  get isShown() {
    return this.follower.data !== null;
  }

  #sinceMs() {
    return this.now() - this.follower.answeredAt;
  }

  // ---- what comes of asking ----

  takeAnswer() {
    if (!this.isList) {
      const {data} = this.follower;
      const states = this.place.subtask ? statesOfSubtask(data, this.place.subtask) : data;
      this.model = states && buildModel(states);
      this.trouble = this.model?.root ? troubles(this.model) : NO_TROUBLE;
    }
    this.show();
    this.#open();
    this.#tellChange();
  }

  // The first look at a place: at the node that the address names, else at the first step that went wrong.
  #open() {
    if (this.hasOpened) {
      return;
    }
    this.hasOpened = true;
    by(this.isList ? 'several' : this.model?.root ? 'tree' : 'result').focus({preventScroll: true});
    const named = this.model?.byId.get(this.place.node);
    const first = named ?? (isFiltering(this.place) ? undefined : this.trouble.nodes[0]);
    if (first) {
      this.tree.reveal(first);
    }
    if (named) {
      this.#openDetails(named);
    }
  }

  // Said to who does not see it, and told by a notification once nothing goes on.
  #tellChange() {
    const state = this.#state();
    if (state === this.lastState) {
      return;
    }
    const text = this.isList ? this.#listTitle() : `${this.#title()}: ${stateWord(this.words, state)}`;
    const isFirst = this.lastState === '';
    this.lastState = state;
    say(this.isList ? text : `${text}. ${by('result-words').textContent}`);
    if (!isFirst && ['done', 'failed', 'paused', 'ended'].includes(kindOf(state))) {
      this.notifier.tell(text, kindOf(state));
    }
  }

  #state() {
    return this.isList ? mostUrgent(this.follower.data) : this.model?.data.state ?? 'CREATED';
  }

  // ---- what is shown ----

  show() {
    const isSeveral = this.isShown && this.isList;
    const isTask = this.isShown && !isSeveral;
    document.body.dataset.view = !this.isShown ? 'start' : isSeveral ? 'list' : 'task';
    by('several').hidden = !isSeveral;
    by('result').hidden = !isTask;
    by('result').dataset.stale = by('several').dataset.stale = String(this.follower.problem !== null);
    this.#showCrumbs();
    showProblem(this.words, this.follower.problem, this.isShown ? this.#answerTime() : '');
    if (isSeveral) {
      const taskLink = id => this.#taskLink(id);
      showTasks({words: this.words, entries: this.follower.data, sinceMs: this.#sinceMs(), taskLink});
    } else if (isTask) {
      this.#showTask();
    }
    this.#showTab();
  }

  #showTask() {
    const {words, place} = this;
    const {offset, zone} = this.#zone();
    const model = this.model ?? NO_MODEL;
    const isFiltered = model.root && isFiltering(place);
    const found = isFiltered ? {...applyFilter(model, place), key: formatPlace({...place, node: ''})} : null;
    by('columns').hidden = model.root === null;
    this.summary.show({
      words, title: this.#title(), model, filter: place, found, offset, zone,
      answeredTime: this.follower.answeredTime, emptyWords: this.#emptyWords(model),
    });
    if (model.root) {
      setText(by('axis-title'), words.timeline(zone));
      by('tree').setAttribute('aria-label', words.treeLabel(this.#title()));
      this.tree.show(model, {
        words, title: this.#title(), offset, zone, sinceMs: () => this.#sinceMs(), subtaskLink: this.#subtaskLink,
      }, found);
    }
    this.#refreshDetails();
    this.#showWalk();
  }

  #emptyWords({data}) {
    if (this.model === null) {
      return this.words.subtaskGone(this.place.task, this.place.subtask);
    }
    return data.start_time === null ? this.words.notStarted : this.words.noNodes;
  }

  #title() {
    const {words, place} = this;
    return place.subtask ? words.subtaskTitle(place.subtask) : words.taskTitle(questionOf(place).ids[0]);
  }

  #listTitle() {
    const {words, follower} = this;
    return [...countStates(follower.data)].map(([state, count]) => `${words.number(count)} ${stateWord(words, state)}`)
      .join(', ');
  }

  #taskLink(id) {
    return formatPlace(newPlace({tasks: this.place.tasks, task: id}));
  }

  #subtaskLink = id => formatPlace(newPlace({tasks: this.place.tasks, task: this.place.task, subtask: id}));

  #showCrumbs() {
    const {words, place} = this;
    const toTask = by('crumb-task');
    const toList = by('crumb-list');
    toTask.hidden = !place.subtask;
    toTask.href = this.#taskLink(place.task);
    setText(toTask, words.backToTask(place.task));
    toList.hidden = place.tasks.length < 2 || !place.task;
    toList.href = formatPlace(newPlace({tasks: place.tasks}));
    setText(toList, words.backToList(place.tasks.length));
    by('crumbs').hidden = toTask.hidden && toList.hidden;
  }

  #showTab() {
    const {words, follower} = this;
    if (!this.isShown) {
      showTab(words.title, null);
      return;
    }
    const warning = follower.problem === null ? '' : '⚠ '; // what the tab tells is old
    const title = this.isList ? `${this.#listTitle()} · ${words.severalTitle(follower.data.length)}`
      : `${stateWord(words, this.#state())} · ${this.#title()} · ${words.title}`;
    showTab(warning + title, kindOf(this.#state()));
  }

  // The zone of the answer's own times; the browser's where it has none.
  #zone() {
    const {data} = this.follower;
    const given = this.isList ? data?.find(entry => entry.model?.root)?.model.data : data;
    const offset = offsetOf(given?.start_time) ?? -new Date().getTimezoneOffset();
    return {offset, zone: zoneName(offset)};
  }

  #answerTime() {
    const {offset, zone} = this.#zone();
    return `${clock(this.follower.answeredTime, offset)} ${zone}`;
  }

  // ---- once a second ----

  tick() {
    const {words, follower} = this;
    by('result').setAttribute('aria-busy', String(follower.request !== null && !follower.isWaiting));
    showCountdown(words, follower, this.now());
    if (!this.isShown) {
      return;
    }
    const sign = freshness(words, {...follower, ...this.#zone(), hasEnded: follower.hasEnded});
    showSign(by(this.isList ? 'several-freshness' : 'freshness'), sign);
    if (this.isList) {
      tickTasks(follower.data, words, this.#sinceMs());
    } else if (this.model?.root) {
      this.#tickTask(this.model.root);
    }
  }

  #tickTask(root) {
    const seconds = elapsedSeconds(root, this.#sinceMs());
    setText(by('result-elapsed'), root.data.start_time ? durationWords(this.words, seconds) : '');
    this.tree.tick();
    if (this.detailed !== null) {
      this.#refreshDetails();
    }
  }

  // ---- the filter, and the way through what went wrong ----

  #setFilter({states, text}) {
    this.keepPlace({states, text, node: ''});
    this.#showTask();
    if (!isFiltering(this.place) && this.tree.active) {
      this.tree.reveal(this.tree.active);
    }
  }

  #showWalk() {
    this.summary.showWalk(this.trouble, this.trouble.nodes.indexOf(this.tree.active));
  }

  walk(direction) {
    const node = neighbour(this.trouble.nodes, this.tree.active, direction);
    if (!node) {
      return;
    }
    if (isFiltering(this.place) && applyFilter(this.model, this.place).marks[node.index] === 0) {
      this.keepPlace({states: new Set(), text: ''});
      this.#showTask();
    }
    this.tree.reveal(node);
    by('tree').focus({preventScroll: true});
  }

  // ---- details ----

  #showDetails(node) {
    this.detailed = node?.id ?? null;
    showDetails(node, {words: this.words, ...this.#zone(), sinceMs: this.#sinceMs(), subtaskLink: this.#subtaskLink});
  }

  #refreshDetails() {
    this.#showDetails(this.model?.byId.get(this.detailed) ?? null);
  }

  #openDetails(node) {
    this.keepPlace({node: node.parent === null ? '' : node.id});
    this.#showDetails(node);
    this.tree.tick(); // the timeline has another width
    this.tree.activate(node); // the details may lie over it
  }

  closeDetails() {
    this.keepPlace({node: ''});
    this.#showDetails(null);
    this.tree.timeline.hideTip();
    if (this.model?.root) {
      this.tree.tick();
      by('tree').focus({preventScroll: true});
    }
  }

  async copyId(node = this.tree.active) {
    if (node) {
      say(await copyText(node.id) ? this.words.copied : this.words.notCopied);
    }
  }
}

// From where to where the window shows rows: what sticks to its top, and on a phone the details at its bottom.
function visibleSpan() {
  const details = by('details');
  const isSheet = !details.hidden && getComputedStyle(details).position === 'fixed';
  const over = by('problem').checkVisibility() ? by('problem').offsetHeight : 0;
  const heads = document.querySelector('.heads').offsetHeight + by('walk').offsetHeight;
  return [Math.max(heads, over), isSheet ? details.offsetTop : window.innerHeight];
}
