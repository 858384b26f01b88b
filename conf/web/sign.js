// SPDX-License-Identifier: MIT
// Whether the page is current, and what a tab in the background tells: title, icon, notification.

import {by, say, setAttribute, setText} from './dom.js';
import {clock} from './time.js';

// `about`: {answeredTime, offset, problem, hasEnded, isWaiting, isFollowing}
export function freshness(words, {answeredTime, offset, zone, problem, hasEnded, isWaiting, isFollowing}) {
  const time = `${clock(answeredTime, offset)} ${zone}`;
  if (problem !== null) {
    return {kind: 'stale', text: words.stale(time)};
  }
  if (hasEnded) {
    return {kind: 'over', text: words.over(time)};
  }
  if (!isFollowing) {
    return {kind: 'still', text: words.still(time)};
  }
  return {kind: 'current', text: isWaiting ? words.current(time) : words.updated(time)};
}

export function showSign(element, {kind, text}) {
  element.dataset.sign = kind;
  setText(element, text);
}

// Icons of their own, because the policy allows no data: addresses.
export function showTab(title, kind) {
  if (document.title !== title) {
    document.title = title;
  }
  setAttribute(by('icon'), 'href', kind === null ? 'icon.svg' : `icon-${kind}.svg`);
}

export class Notifier {
  constructor(button) {
    Object.assign(this, {button, isOn: false});
    button.hidden = !window.isSecureContext || !('Notification' in window);
    button.addEventListener('click', () => this.#toggle());
  }

  async #toggle() {
    this.isOn = !this.isOn && await Notification.requestPermission() === 'granted';
    if (Notification.permission === 'denied') {
      say(this.words.notifyRefused);
      this.button.title = this.words.notifyRefused;
    }
    this.button.setAttribute('aria-pressed', String(this.isOn));
  }

  setWords(words) {
    this.words = words;
    this.button.title = words.notifyHint;
  }

  // Only to who does not look at the page.
  tell(title, kind) {
    if (this.isOn && (document.hidden || !document.hasFocus())) {
      const notification = new Notification(title, {tag: 'bkflow-states', icon: `icon-${kind}.svg`});
      notification.addEventListener('click', () => {
        window.focus();
        notification.close();
      });
    }
  }
}
