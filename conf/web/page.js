// SPDX-License-Identifier: MIT
// The page: connects form, follower and view. The address says what is shown, never who looks at it.

import {Api} from './api.js';
import {by, say} from './dom.js';
import {Follower} from './follower.js';
import {Form} from './form.js';
import {hasEnded} from './model.js';
import {formatPlace, newPlace, parsePlace, questionOf} from './place.js';
import {questionAbout} from './several.js';
import {Notifier} from './sign.js';
import {View} from './view.js';
import {languages, preferredLanguage, problemWords} from './words.js';

const base = new URL(document.querySelector('meta[name="bkflow-api"]').content, document.baseURI).href;
const now = () => performance.now();

const api = new Api(base, (url, options) => fetch(url, options));
const follower = new Follower({now, changed: onChanged, isSeen: () => !document.hidden});
const form = new Form({onSubmit: submit, onForget: forget, mayAsk: () => now() >= follower.heldUntil});
const view = new View({follower, notifier: new Notifier(by('notify')), now, place: parsePlace(location.hash)});

let language = preferredLanguage(navigator.language);

// ---- from place to place ----

function submit(ids) {
  api.forgetService();
  api.caller = form.credentials;
  const {place} = view;
  const isSame = ids.length === 1 ? place.task === ids[0] : place.task === '' && String(place.tasks) === String(ids);
  const isStep = follower.data !== null && !isSame;
  view.place = isSame ? place : newPlace(ids.length === 1 ? {task: ids[0]} : {tasks: ids});
  history[isStep ? 'pushState' : 'replaceState'](null, '', formatPlace(view.place));
  arrive(true);
}

window.addEventListener('hashchange', () => {
  const before = JSON.stringify(questionOf(view.place));
  view.place = parsePlace(location.hash);
  arrive(before !== JSON.stringify(questionOf(view.place)));
});

function arrive(isOtherQuestion) {
  const {ids, isList} = questionOf(view.place);
  form.setTasks(ids);
  view.leave();
  if (!form.credentials || ids.length === 0) {
    follower.stop();
  } else if (isOtherQuestion || follower.data === null) {
    view.forget();
    follower.isFollowing = isList || by('auto').checked; // a list has no switch for it
    follower.start(isList ? questionAbout(api, ids) : questionAboutOne(ids[0]));
  } else {
    view.takeAnswer();
  }
}

function questionAboutOne(id) {
  return {ask: (known, signal) => api.task(id, known, signal), hasEnded};
}

function forget() {
  form.forget();
  api.caller = null;
  view.forget();
  follower.stop();
}

// A page that is left must not come back out of the browser's memory with a secret in it.
window.addEventListener('pagehide', forget);

// ---- what comes of asking ----

function onChanged(event) {
  if (event === 'answer') {
    if (!view.hasOpened) {
      form.edit(false);
    }
    view.takeAnswer();
  } else if (event === 'problem') {
    takeProblem(follower.problem);
  } else if (event === 'stopped') {
    view.show();
  }
  tick();
}

function takeProblem(problem) {
  if (follower.data === null) {
    view.forget();
    view.show();
    by('problem').scrollIntoView({block: 'nearest'});
    form.pointAtMistake(problem);
  } else {
    view.show();
  }
  if (follower.failures <= 1) {
    say(problemWords(view.words, problem).join('. '));
  }
}

// ---- time ----

function tick() {
  follower.tick();
  form.showBusy({isAsking: follower.request !== null && follower.data === null, isHeld: now() < follower.heldUntil});
  view.tick();
}

setInterval(tick, 1000);
document.addEventListener('visibilitychange', () => {
  follower.hurry();
  tick();
});

// ---- language ----

function showLanguage() {
  const words = languages[language];
  api.language = language;
  view.words = words;
  view.notifier.setWords(words);
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
  view.show();
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
by('open-all').addEventListener('click', () => view.tree.setAllOpen(true));
by('close-all').addEventListener('click', () => view.tree.setAllOpen(false));
by('details-close').addEventListener('click', () => view.closeDetails());
by('auto').addEventListener('change', () => follower.setFollowing(by('auto').checked));
by('tools').addEventListener('click', () => {
  by('tools').setAttribute('aria-expanded', String(by('tools').getAttribute('aria-expanded') !== 'true'));
});

// Single letters count only inside the result, so that speech input and typing do not set them off.
by('result').addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || event.target.matches('#search')) {
    return;
  }
  const keys = {
    r: () => follower.askNow(), f: () => view.walk(1), F: () => view.walk(-1), c: () => view.copyId(),
    Escape: () => view.closeDetails(),
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
form.setTasks(questionOf(view.place).ids);
showLanguage();
