// SPDX-License-Identifier: MIT
// Who asks, and for which tasks. Nothing keeps the credentials but this object and the form's fields.

import {by, setText} from './dom.js';
import {parseTaskIds} from './place.js';

const CREDENTIALS = ['app', 'secret', 'user'];

export class Form {
  // `onSubmit(ids)` once the fields are in order; `onForget()` after the credentials have gone.
  constructor({onSubmit, onForget, mayAsk}) {
    this.credentials = null; // {app, secret, user}
    by('form').addEventListener('submit', event => {
      event.preventDefault();
      const ids = mayAsk() ? this.#take() : null;
      if (ids !== null) {
        onSubmit(ids);
      }
    });
    by('change').addEventListener('click', () => {
      this.edit(true);
      by('app').focus();
    });
    by('forget').addEventListener('click', () => {
      onForget();
      by('app').focus();
    });
    by('account').addEventListener('click', () => this.#openAccount(by('account').getAttribute('aria-expanded') !== 'true'));
    by('task').addEventListener('paste', event => pasteIds(event));
  }

  setWords(words) {
    this.words = words;
    setText(by('known-text'), this.credentials ? words.knownAs(this.credentials.app, this.credentials.user) : '');
  }

  // Reads the fields; null if one of them cannot be.
  #take() {
    const entered = {app: by('app').value.trim(), secret: by('secret').value, user: by('user').value.trim()};
    const {ids, mistake} = parseTaskIds(by('task').value);
    const mistakes = {task: mistake && this.words[mistake]};
    for (const name of CREDENTIALS) {
      mistakes[name] = entered[name] === '' ? this.words.missing : '';
    }
    this.#showMistakes(mistakes);
    if (Object.values(mistakes).some(Boolean)) {
      return null;
    }
    this.credentials = entered;
    return ids;
  }

  #showMistakes(mistakes) {
    if (CREDENTIALS.some(name => mistakes[name])) {
      this.edit(true);
    }
    const names = [...CREDENTIALS, 'task'];
    for (const name of names) {
      by(`${name}-mistake`).textContent = mistakes[name];
      by(name).setAttribute('aria-invalid', String(mistakes[name] !== ''));
      by(name).setAttribute('aria-describedby', `${name}-mistake`);
    }
    by(names.find(name => mistakes[name]) ?? 'look').focus();
  }

  // The three fields, or one line that says whose they are.
  edit(areEditable) {
    by('who').hidden = !areEditable;
    by('known').hidden = areEditable;
    this.#openAccount(false);
    this.setWords(this.words);
  }

  #openAccount(isOpen) {
    by('account').setAttribute('aria-expanded', String(isOpen));
  }

  forget() {
    this.credentials = null;
    for (const name of CREDENTIALS) {
      by(name).value = '';
    }
    this.edit(true);
  }

  setTasks(ids) {
    by('task').value = ids.join(', ');
  }

  // Where the person has to change something, that is where they are put, unless they are typing already.
  pointAtMistake({status, code}) {
    const isTyping = document.activeElement.matches('#form input');
    if ([401, 403, 404].includes(status)) {
      this.edit(status === 401); // who was let in as far as to the task need not say again who they are
    }
    const field = {400: 'task', 401: code === 40103 ? 'user' : 'secret', 403: 'task', 404: 'task'}[status];
    if (field && !isTyping) {
      by(field).focus();
      by(field).select();
    }
  }

  showBusy({isAsking, isHeld}) {
    setText(by('look'), isAsking ? this.words.looking : this.words.look);
    by('look').setAttribute('aria-disabled', String(isHeld));
  }
}

// A list that has a line for each id; a field of one line would join the lines.
function pasteIds(event) {
  const text = event.clipboardData?.getData('text/plain') ?? '';
  if (/[\r\n]/.test(text)) {
    event.preventDefault();
    event.target.setRangeText(text.trim().split(/\s+/).join(', '), event.target.selectionStart, event.target.selectionEnd, 'end');
  }
}
