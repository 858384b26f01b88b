// SPDX-License-Identifier: MIT
// The page: puts form, follower and views together. What is looked at stands in the address; who looks does not.

import {Api} from './api.js';
import {showDetails} from './details.js';
import {by, copyText, say, setText} from './dom.js';
import {applyFilter, isFiltering} from './filter.js';
import {Follower} from './follower.js';
import {Form} from './form.js';
import {showTasks, tickTasks} from './list.js';
import {buildModel, elapsedSeconds, hasEnded, kindOf, neighbour, statesOfSubtask, troubles} from './model.js';
import {formatPlace, newPlace, parsePlace, questionOf} from './place.js';
import {showCountdown, showProblem} from './problem.js';
import {countStates, questionAbout} from './several.js';
import {Notifier, freshness, showSign, showTab} from './sign.js';
import {Summary} from './summary.js';
import {clock, offsetOf, zoneName} from './time.js';
import {TreeView} from './tree.js';
import {durationWords, languages, preferredLanguage, problemWords, stateWord} from './words.js';

const base = new URL(document.querySelector('meta[name="bkflow-api"]').content, document.baseURI).href;
const now = () => performance.now();

const api = new Api(base, (url, options) => fetch(url, options));
const follower = new Follower({now, changed: onChanged, isSeen: () => !document.hidden});
const form = new Form({onSubmit: submit, onForget: forget, mayAsk: () => now() >= follower.heldUntil});
const summary = new Summary({onFilter: setFilter, onWalk: walk});
const tree = new TreeView({visibleSpan, onEnter: openDetails, onMove: showWalk, onCopy: copyId});
const notifier = new Notifier(by('notify'));

let language = preferredLanguage(navigator.language);
let words = languages[language];
let place = parsePlace(location.hash);
let model = null; // of the task, or of the sub-process's task, that is looked at
let trouble = {kind: 'failed', nodes: []};
let detailed = null; // id of the node whose details are shown
let hasOpened = false; // the place has been shown since it was gone to
let lastState = ''; // what was told last

const isList = () => questionOf(place).isList;
const isShown = () => follower.data !== null;
const sinceMs = () => now() - follower.answeredAt;

// ---- places ----

function submit(ids) {
  api.forgetService();
  api.caller = form.credentials;
  const wanted = ids.length === 1 ? {task: ids[0]} : {tasks: ids};
  const isSame = ids.length === 1 ? place.task === ids[0] : place.task === '' && String(place.tasks) === String(ids);
  go(isSame ? place : newPlace(wanted), isShown() && !isSame, true);
}

// Looks at another place: with a step in the browser's history, or instead of the one before.
function go(next, isStep, mustAsk = false) {
  const was = JSON.stringify(questionOf(place));
  place = next;
  history[isStep ? 'pushState' : 'replaceState'](null, '', formatPlace(place));
  arrive(mustAsk || was !== JSON.stringify(questionOf(place)));
}

function arrive(isOtherQuestion) {
  const {ids, isList: isSeveral} = questionOf(place);
  form.setTasks(ids);
  hasOpened = false;
  detailed = null;
  if (!form.credentials || ids.length === 0) {
    follower.stop();
  } else if (isOtherQuestion || !isShown()) {
    follower.isFollowing = isSeveral || by('auto').checked; // a list has no switch for it
    lastState = '';
    model = null;
    tree.clear();
    follower.start(isSeveral ? questionAbout(api, ids) : questionAboutOne(ids[0]));
  } else {
    showAnswer();
  }
}

function questionAboutOne(id) {
  return {ask: (known, signal) => api.task(id, known, signal), hasEnded};
}

function keepPlace(parts) {
  place = newPlace({...place, ...parts});
  history.replaceState(null, '', formatPlace(place));
}

window.addEventListener('hashchange', () => {
  const was = JSON.stringify(questionOf(place));
  place = parsePlace(location.hash);
  tree.clear();
  arrive(was !== JSON.stringify(questionOf(place)));
});

const taskLink = id => formatPlace(newPlace({tasks: place.tasks, task: id}));
const subtaskLink = id => formatPlace(newPlace({tasks: place.tasks, task: place.task, subtask: id}));

function forget() {
  form.forget();
  api.caller = null;
  model = null;
  tree.clear();
  follower.stop();
}

// A page that is left must not come back out of the browser's memory with a secret in it.
window.addEventListener('pagehide', forget);

// ---- what comes of asking ----

function onChanged(event) {
  if (event === 'answer') {
    if (!hasOpened) {
      form.edit(false);
    }
    showAnswer();
  } else if (event === 'problem') {
    takeProblem();
  } else if (event === 'stopped') {
    showView();
  }
  tick();
}

function showAnswer() {
  if (isList()) {
    showView();
    openList();
    tellChange(listState(), listTitle());
    return;
  }
  const states = place.subtask ? statesOfSubtask(follower.data, place.subtask) : follower.data;
  model = states && buildModel(states);
  trouble = model?.root ? troubles(model) : {kind: 'failed', nodes: []};
  showView();
  open();
  if (model) {
    tellChange(model.data.state, `${title()}: ${stateWord(words, model.data.state)}`, by('result-words').textContent);
  }
}

// The first look at a place: at the node that the address names, else at the first step that went wrong.
function open() {
  if (hasOpened) {
    return;
  }
  hasOpened = true;
  (model?.root ? by('tree') : by('result')).focus({preventScroll: true});
  const named = model?.byId.get(place.node);
  const first = named ?? (isFiltering(place) ? undefined : trouble.nodes[0]);
  if (first) {
    tree.reveal(first);
  }
  if (named) {
    openDetails(named);
  }
}

function openList() {
  if (!hasOpened) {
    hasOpened = true;
    by('several').focus({preventScroll: true});
  }
}

// Said to who does not see it, and told by a notification once nothing goes on.
function tellChange(state, text, more = '') {
  if (state === lastState) {
    return;
  }
  const isFirst = lastState === '';
  lastState = state;
  say(more ? `${text}. ${more}` : text);
  if (!isFirst && ['done', 'failed', 'paused', 'ended'].includes(kindOf(state))) {
    notifier.tell(text, kindOf(state));
  }
}

// The most urgent state of several.
function listState() {
  const states = [...countStates(follower.data).keys()];
  const order = ['failed', 'paused', 'running', 'waiting', 'ended', 'done'];
  return states.sort((a, b) => order.indexOf(kindOf(a)) - order.indexOf(kindOf(b)))[0] ?? 'CREATED';
}

const listTitle = () => [...countStates(follower.data)].map(([state, count]) => `${words.number(count)} ${stateWord(words, state)}`).join(', ');

function takeProblem() {
  const {problem, failures} = follower;
  if (!isShown()) {
    model = null;
    tree.clear();
  }
  showView();
  if (!isShown()) {
    by('problem').scrollIntoView({block: 'nearest'});
    form.pointAtMistake(problem);
  }
  if (failures <= 1) {
    say(problemWords(words, problem).join('. '));
  }
}

// ---- what is shown ----

function showView() {
  const isSeveral = isShown() && isList();
  const isTask = isShown() && !isSeveral;
  document.body.dataset.view = !isShown() ? 'start' : isSeveral ? 'list' : 'task';
  by('several').hidden = !isSeveral;
  by('result').hidden = !isTask;
  by('result').dataset.stale = by('several').dataset.stale = String(follower.problem !== null);
  showCrumbs();
  showProblem(words, follower.problem, isShown() ? answerTime() : '');
  if (isSeveral) {
    showTasks({words, entries: follower.data, sinceMs: sinceMs(), taskLink});
  } else if (isTask) {
    showTask();
  }
  showTitle();
}

function showTask() {
  const {offset, zone} = zoneNow();
  const view = model ?? {root: null, data: {state: 'CREATED'}, steps: new Map(), order: [], byId: new Map()};
  const found = view.root && isFiltering(place) ? {...applyFilter(view, place), key: formatPlace({...place, node: ''})} : null;
  by('columns').hidden = by('open-all').hidden = by('close-all').hidden = view.root === null;
  summary.show({
    words, title: title(), model: view, filter: place, found, offset, zone, answeredTime: follower.answeredTime,
    emptyWords: emptyWords(view),
  });
  if (view.root) {
    setText(by('axis-title'), words.timeline(zone));
    by('tree').setAttribute('aria-label', words.treeLabel(title()));
    tree.show(view, {words, title: title(), offset, zone, sinceMs, subtaskLink}, found);
  }
  refreshDetails();
  showWalk();
}

function emptyWords({data}) {
  if (model === null) {
    return words.subtaskGone(place.task, place.subtask);
  }
  return data.start_time === null ? words.notStarted : words.noNodes;
}

const title = () => (place.subtask ? words.subtaskTitle(place.subtask) : words.taskTitle(questionOf(place).ids[0]));

function showCrumbs() {
  const toTask = by('crumb-task');
  const toList = by('crumb-list');
  toTask.hidden = !place.subtask;
  toTask.href = taskLink(place.task);
  setText(toTask, words.backToTask(place.task));
  toList.hidden = place.tasks.length < 2 || !place.task;
  toList.href = formatPlace(newPlace({tasks: place.tasks}));
  setText(toList, words.backToList(place.tasks.length));
  by('crumbs').hidden = toTask.hidden && toList.hidden;
}

function showTitle() {
  const warning = isShown() && follower.problem !== null ? '⚠ ' : ''; // what the tab tells is old
  if (!isShown()) {
    showTab(words.title, null);
  } else if (isList()) {
    showTab(`${warning}${listTitle()} · ${words.severalTitle(follower.data.length)}`, kindOf(listState()));
  } else {
    const state = model?.data.state ?? 'CREATED';
    showTab(`${warning}${stateWord(words, state)} · ${title()} · ${words.title}`, kindOf(state));
  }
}

// The zone of the answer's own times; the browser's where it has none.
function zoneNow() {
  const given = isList() ? follower.data?.find(entry => entry.model?.root)?.model.data : follower.data;
  const offset = offsetOf(given?.start_time) ?? -new Date().getTimezoneOffset();
  return {offset, zone: zoneName(offset)};
}

function answerTime() {
  const {offset, zone} = zoneNow();
  return `${clock(follower.answeredTime, offset)} ${zone}`;
}

// ---- the filter, and the way through what went wrong ----

function setFilter({states, text}) {
  keepPlace({states, text, node: ''});
  showTask();
  if (!isFiltering(place) && tree.active) {
    tree.reveal(tree.active);
  }
}

function showWalk() {
  const at = trouble.nodes.indexOf(tree.active);
  summary.showWalk(trouble, at);
}

function walk(direction) {
  const node = neighbour(trouble.nodes, tree.active, direction);
  if (!node) {
    return;
  }
  if (isFiltering(place) && applyFilter(model, place).marks[node.index] === 0) {
    keepPlace({states: new Set(), text: ''});
    showTask();
  }
  tree.reveal(trouble.nodes.find(other => other.id === node.id));
  by('tree').focus({preventScroll: true});
}

// ---- details ----

function detailContext() {
  return {words, ...zoneNow(), sinceMs: sinceMs(), subtaskLink};
}

function openDetails(node) {
  detailed = node.id;
  keepPlace({node: node.parent === null ? '' : node.id});
  showDetails(node, detailContext());
  tree.tick(); // the timeline has another width
  tree.activate(node); // the details may lie over it
}

function refreshDetails() {
  const node = model?.byId.get(detailed) ?? null;
  detailed = node?.id ?? null;
  showDetails(node, detailContext());
}

function closeDetails() {
  detailed = null;
  keepPlace({node: ''});
  showDetails(null);
  tree.tick();
  tree.timeline.hideTip();
  by('tree').focus({preventScroll: true});
}

async function copyId(node) {
  say(await copyText(node.id) ? words.copied : words.notCopied);
}

// From where to where the window shows rows: what sticks to its top, and on a phone the details at its bottom.
function visibleSpan() {
  const details = by('details');
  const isSheet = !details.hidden && getComputedStyle(details).position === 'fixed';
  const over = by('problem').checkVisibility() ? by('problem').offsetHeight : 0;
  const heads = document.querySelector('.heads').offsetHeight + by('walk').offsetHeight;
  return [Math.max(heads, over), isSheet ? details.offsetTop : window.innerHeight];
}

// ---- time ----

function tick() {
  follower.tick();
  const isHeld = now() < follower.heldUntil;
  form.showBusy({isAsking: follower.request !== null && !isShown(), isHeld});
  by('result').setAttribute('aria-busy', String(follower.request !== null && !follower.isWaiting));
  showCountdown(words, follower, now());
  if (!isShown()) {
    return;
  }
  const sign = freshness(words, {...follower, ...zoneNow(), hasEnded: follower.hasEnded});
  showSign(by(isList() ? 'several-freshness' : 'freshness'), sign);
  if (isList()) {
    tickTasks(follower.data, words, sinceMs());
  } else if (model?.root) {
    tickTask();
  }
}

function tickTask() {
  setText(by('result-elapsed'), model.root.data.start_time ? durationWords(words, elapsedSeconds(model.root, sinceMs())) : '');
  tree.tick();
  if (detailed !== null) {
    refreshDetails();
  }
}

setInterval(tick, 1000);
document.addEventListener('visibilitychange', () => {
  follower.hurry();
  tick();
});

// ---- language ----

function showLanguage() {
  words = languages[language];
  api.language = language;
  notifier.setWords(words);
  document.documentElement.lang = language === 'en' ? 'en' : 'zh-CN';
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = words[element.dataset.text];
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', words[element.dataset.label]);
  }
  for (const element of document.querySelectorAll('[data-hint]')) {
    element.placeholder = element.title = words[element.dataset.hint];
  }
  by('language').textContent = words.other;
  by('language').lang = words.otherLang;
  form.setWords(words);
  showView();
  tick();
}

by('language').addEventListener('click', () => {
  language = language === 'en' ? 'zh-cn' : 'en';
  showLanguage();
  // The API's own words come in the new language, too. Not after a failed login: that would count as another one.
  const {problem} = follower;
  if (problem !== null && problem.status !== 401 && problem.status !== 429) {
    follower.askNow();
  }
});

// ---- buttons and keys ----

by('retry').addEventListener('click', () => follower.askNow());
by('refresh').addEventListener('click', () => follower.askNow());
by('open-all').addEventListener('click', () => tree.setAllOpen(true));
by('close-all').addEventListener('click', () => tree.setAllOpen(false));
by('details-close').addEventListener('click', closeDetails);
by('tools').addEventListener('click', () => {
  by('tools').setAttribute('aria-expanded', String(by('tools').getAttribute('aria-expanded') !== 'true'));
});
by('auto').addEventListener('change', () => follower.setFollowing(by('auto').checked));

// Single letters count only inside the result, so that speech input and typing do not set them off.
by('result').addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || event.target.matches('#search')) {
    return;
  }
  const keys = {
    r: () => follower.askNow(), f: () => walk(1), F: () => walk(-1), c: () => copyId(tree.active),
    Escape: closeDetails,
    '/': () => {
      event.preventDefault();
      by('tools').setAttribute('aria-expanded', 'true'); // on a phone the search is behind it
      by('search').focus();
    },
  };
  if (Object.hasOwn(keys, event.key)) {
    keys[event.key]();
  }
});

by('insecure').hidden = window.isSecureContext;
showLanguage();
form.setTasks(questionOf(place).ids);
