// SPDX-License-Identifier: MIT
// One request to the API, and what came of it. What a service does not offer is noticed once and not asked for again.

const ANSWER_SECONDS = 30; // for what comes without being waited for
const MOST_CUT_OFF = 2;

// Every request resolves, whatever happens, to one of
//   {kind: 'states', data, etag, version, time}   {kind: 'unchanged', version, time}
//   {kind: 'dropped'} (the signal said so)
//   {kind: 'problem', status, code, message, traceId, retryAfter}; status 0: no answer at all.
// `version` is null where the service gives none; `time` is the answer's own, in milliseconds.
export class Api {
  constructor(base, send) {
    Object.assign(this, {base, send, language: 'en', caller: null});
    this.forgetService();
  }

  // Another caller, or another try: the service may offer more now.
  forgetService() {
    this.offersSubtasks = this.offersWaiting = this.offersBatch = true;
    this.cutOff = 0; // waiting requests in a row
  }

  // The states of one task. `known`: {etag, version, wait}, the last one in seconds; 0: answer at once.
  async task(id, known, signal) {
    const ask = () => this.#request(`/task/${id}/get_task_states_by_app/`, this.offersSubtasks ? {subtasks: 1} : {},
      known, signal);
    const outcome = await ask();
    // The table that links sub-processes is missing or closed; the task's own nodes may be open nevertheless.
    if (this.offersSubtasks && outcome.code === 50303) {
      this.offersSubtasks = false;
      return ask();
    }
    return outcome;
  }

  // The states of several in one answer.
  batch(ids, known, signal) {
    return this.#request('/get_tasks_states_by_app/', {task_ids: ids.join(','), nodes: 1}, known, signal);
  }

  async #request(path, parameters, known, signal) {
    if (!this.offersWaiting || !known.version || !known.wait) {
      return this.#send(path, parameters, {...known, wait: 0}, signal);
    }
    const outcome = await this.#send(path, {...parameters, wait: known.wait, version: known.version}, known, signal);
    // Without an answer of the service: cut off, perhaps by something on the way that does not wait as long.
    const isCutOff = outcome.kind === 'problem' && outcome.code === 0;
    this.cutOff = isCutOff ? this.cutOff + 1 : 0;
    if (outcome.status === 400 || this.cutOff >= MOST_CUT_OFF) {
      this.offersWaiting = false;
    }
    return outcome.status === 400 || isCutOff ? this.#send(path, parameters, {...known, wait: 0}, signal) : outcome;
  }

  async #send(path, parameters, {etag, wait}, signal) {
    const limit = timeLimit(signal, ANSWER_SECONDS + wait);
    const query = new URLSearchParams(parameters).toString();
    try {
      const answer = await this.send(`${this.base}${path}${query && `?${query}`}`, {
        headers: this.#headers(etag),
        // The ETag is ours to handle, and the secret must not follow a redirect to anywhere.
        cache: 'no-store', mode: 'same-origin', redirect: 'error', referrerPolicy: 'no-referrer', signal: limit.signal,
      });
      return await outcomeOf(answer);
    } catch {
      return signal.aborted ? {kind: 'dropped'} : problem(0, {}, null);
    } finally {
      limit.end();
    }
  }

  #headers(etag) {
    const {app, secret, user} = this.caller;
    const headers = {
      'X-Bkapi-Authorization': asciiJson({bk_app_code: app, bk_app_secret: secret, bk_username: user}),
      'blueking-language': this.language,
    };
    return etag ? {...headers, 'If-None-Match': etag} : headers;
  }
}

// A signal that comes when another one does, or after so many seconds.
function timeLimit(signal, seconds) {
  const limit = new AbortController();
  const abort = () => limit.abort();
  const timer = setTimeout(abort, 1000 * seconds);
  signal.addEventListener('abort', abort);
  return {
    signal: limit.signal,
    end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    },
  };
}

// A header takes no letters beyond Latin-1; JSON can do without.
function asciiJson(value) {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g,
    letter => '\\u' + letter.charCodeAt(0).toString(16).padStart(4, '0'));
}

async function outcomeOf(answer) {
  const {headers} = answer;
  const about = {version: headers.get('X-States-Version'), time: Date.parse(headers.get('Date') ?? '') || Date.now()};
  if (answer.status === 304) {
    return {kind: 'unchanged', ...about};
  }
  const body = parsed(await answer.text());
  if (answer.status === 200 && body.result === true) {
    return {kind: 'states', data: body.data, etag: headers.get('ETag'), ...about};
  }
  return problem(answer.status, body, headers);
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {}; // not the API's answer, but a web server's or proxy's on the way
  }
}

function problem(status, body, headers) {
  return {
    kind: 'problem', status, code: Number(body.code) || 0, message: String(body.message ?? ''),
    traceId: String(body.trace_id ?? headers?.get('X-Request-Id') ?? ''),
    retryAfter: seconds(headers?.get('Retry-After') ?? ''),
  };
}

// Retry-After is a number of seconds or a date.
function seconds(text) {
  const wait = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return wait > 0 ? Math.ceil(wait) : 0;
}
