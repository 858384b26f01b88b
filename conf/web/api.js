// SPDX-License-Identifier: MIT
// One request to the API, and what came of it.

const TIMEOUT_MS = 30000;
const BASE = new URL(document.querySelector('meta[name="bkflow-api"]').content, document.baseURI);

// Resolves, whatever happens, to one of
//   {kind: 'states', data, etag}   {kind: 'unchanged'}   {kind: 'dropped'} (the signal said so)
//   {kind: 'problem', status, code, message, traceId, retryAfter}; status 0: no answer at all.
export async function askStates({taskId, credentials, language, etag}, signal) {
  try {
    const answer = await fetch(`${BASE.href}/task/${taskId}/get_task_states_by_app/`, {
      headers: requestHeaders(credentials, language, etag),
      // The ETag is ours to handle, and the secret must not follow a redirect to anywhere.
      cache: 'no-store', mode: 'same-origin', redirect: 'error', referrerPolicy: 'no-referrer',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return answer.status === 304 ? {kind: 'unchanged'} : await outcome(answer);
  } catch {
    return signal.aborted ? {kind: 'dropped'} : problem(0, {}, null);
  }
}

function requestHeaders(credentials, language, etag) {
  const headers = {
    'X-Bkapi-Authorization': asciiJson({
      bk_app_code: credentials.app, bk_app_secret: credentials.secret, bk_username: credentials.user,
    }),
    'blueking-language': language,
  };
  return etag ? {...headers, 'If-None-Match': etag} : headers;
}

// A header takes no letters beyond Latin-1; JSON can do without.
function asciiJson(value) {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g,
    letter => '\\u' + letter.charCodeAt(0).toString(16).padStart(4, '0'));
}

async function outcome(answer) {
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = {}; // not the API's answer, but a web server's or proxy's on the way
  }
  if (answer.status === 200 && body.result === true) {
    return {kind: 'states', data: body.data, etag: answer.headers.get('ETag')};
  }
  return problem(answer.status, body, answer.headers);
}

function problem(status, body, headers) {
  return {
    kind: 'problem', status, code: body.code ?? 0, message: body.message ?? '',
    traceId: body.trace_id ?? headers?.get('X-Request-Id') ?? '',
    retryAfter: seconds(headers?.get('Retry-After') ?? ''),
  };
}

// Retry-After is a number of seconds or a date.
function seconds(text) {
  const wait = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return wait > 0 ? Math.ceil(wait) : 0;
}
