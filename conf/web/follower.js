// SPDX-License-Identifier: MIT
// Keeps asking one question: what is known of the answer, and when it is asked again. Knows no document and no clock of
// its own: `now()` is in milliseconds, and somebody calls tick() now and then.

const WAIT_SECONDS = 30; // how long the service may keep a request until something changes
const PAUSE_MS = 2000; // between requests where it does not
const UNSEEN_PAUSE_MS = 10000; // in a hidden tab, which does not keep one of the browser's few connections waiting
const LEAST_MS = 1000; // from one request to the next, however quickly things change
const SHARE = 4; // showing an answer takes at most one of so many parts of the time
const LONGEST_PAUSE_SECONDS = 30;

// No answer, or none of the service: will go away without anybody at this page doing something.
export const isPassing = status => [0, 502, 503, 504].includes(status);

export class Follower {
  // `changed(event)` is called after all that people should see: 'asked', 'answer', 'same', 'problem', 'stopped';
  // `isSeen()` says whether anybody looks.
  constructor({now, changed, isSeen}) {
    Object.assign(this, {now, changed, isSeen, isFollowing: true, heldUntil: 0});
    this.#forget();
  }

  #forget() {
    this.request?.abort();
    Object.assign(this, {
      data: null, etag: null, version: null, problem: null, failures: 0, answeredAt: 0, answeredTime: 0,
      request: null, isWaiting: false, dueAt: Infinity,
    });
  }

  // A new question: `ask(known, signal)` resolves to an outcome as in api.js, `hasEnded(data)` says whether there is
  // nothing more to come.
  start(question) {
    this.#forget();
    this.question = question;
    return this.askNow();
  }

  stop() {
    this.#forget();
    this.question = null;
    this.changed('stopped');
  }

  setFollowing(isFollowing) {
    this.isFollowing = isFollowing;
    if (!isFollowing && this.isWaiting) {
      this.request.abort();
      Object.assign(this, {request: null, isWaiting: false});
    }
    if (this.data !== null && this.problem === null && this.request === null) {
      this.#plan(0);
    }
    this.changed('same');
  }

  get hasEnded() {
    return this.data !== null && this.question.hasEnded(this.data);
  }

  // Asks although it may not be time; not if the service has said that it would refuse.
  askNow() {
    return this.#ask(0);
  }

  tick() {
    if (this.question && this.request === null && this.now() >= this.dueAt) {
      return this.#ask(this.isFollowing && this.isSeen() ? WAIT_SECONDS : 0);
    }
    return undefined;
  }

  async #ask(wait) {
    if (!this.question || this.now() < this.heldUntil) {
      return;
    }
    this.request?.abort();
    const mine = this.request = new AbortController();
    const known = {etag: this.etag, version: this.version, wait: this.problem === null ? wait : 0};
    Object.assign(this, {dueAt: Infinity, isWaiting: known.version !== null && known.wait > 0});
    this.changed('asked');
    const askedAt = this.now();
    const outcome = await this.question.ask(known, mine.signal);
    if (this.request !== mine || outcome.kind === 'dropped') {
      return; // somebody asked for something else meanwhile
    }
    Object.assign(this, {request: null, isWaiting: false});
    if (outcome.kind === 'problem') {
      this.#takeProblem(outcome);
    } else {
      this.#takeAnswer(outcome, askedAt, known);
    }
  }

  #takeAnswer(outcome, askedAt, known) {
    const answeredAt = this.now();
    Object.assign(this, {problem: null, failures: 0, version: outcome.version, answeredTime: outcome.time});
    if (outcome.kind === 'states') {
      Object.assign(this, {data: outcome.data, etag: outcome.etag, answeredAt});
    }
    this.changed(outcome.kind === 'states' ? 'answer' : 'same');
    // The one rule: an early answer without a change comes from a service that does not wait.
    const isNews = outcome.version !== null && outcome.version !== known.version;
    const hasWaited = known.wait > 0 && answeredAt - askedAt >= 1000 * known.wait - 500;
    const pause = isNews || (hasWaited && outcome.version !== null) ? 0 : outcome.pauseMs ?? PAUSE_MS;
    const cost = this.now() - answeredAt;
    this.#plan(Math.max(pause, SHARE * cost, askedAt + LEAST_MS - this.now()));
  }

  #plan(pauseMs) {
    const pause = this.isSeen() ? Math.max(0, pauseMs) : Math.max(UNSEEN_PAUSE_MS, pauseMs);
    this.dueAt = this.isFollowing && !this.hasEnded ? this.now() + pause : Infinity;
  }

  // Somebody looks again.
  hurry() {
    if (this.isSeen() && this.problem === null && this.dueAt < Infinity) {
      this.dueAt = Math.min(this.dueAt, this.now());
    }
  }

  #takeProblem(outcome) {
    this.problem = outcome;
    this.failures++;
    if (outcome.status === 429) {
      this.heldUntil = this.now() + 1000 * outcome.retryAfter;
      this.dueAt = this.data === null ? Infinity : this.heldUntil; // what was let in before is worth another try
    } else if (isPassing(outcome.status) || (outcome.status >= 500 && this.data !== null)) {
      const pause = Math.min(LONGEST_PAUSE_SECONDS, 2 ** (this.failures - 1));
      this.dueAt = this.now() + 1000 * Math.max(outcome.retryAfter, pause);
    } else if (outcome.status < 500) {
      // Whoever is not let in any more has nothing to look at either.
      Object.assign(this, {data: null, etag: null, version: null});
    }
    this.changed('problem');
  }
}
