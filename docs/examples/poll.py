#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Follows a task until it ends: poll.py http://HOST/bkflow TASK_ID

Environment and exit status: see README.md beside this file.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

USAGE = "usage: BK_APP_CODE=... BK_APP_SECRET=... BK_USERNAME=... poll.py http://HOST/bkflow TASK_ID"
ENDED = {"FINISHED": 0, "FAILED": 1, "REVOKED": 1}
USAGE_ERROR, REFUSED, GAVE_UP = 2, 3, 4
PASSING = (0, 429, 502, 503, 504)  # 0: no answer
NO_ANSWER = 0, {}, b""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The secret must not follow a redirect to wherever it leads."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


def main():
    names = ("BK_APP_CODE", "BK_APP_SECRET", "BK_USERNAME")
    pause, patience = number("POLL_SECONDS", 5), number("POLL_PATIENCE", 3600)
    if len(sys.argv) != 3 or not all(os.environ.get(name) for name in names) or pause == 0:
        print(USAGE, file=sys.stderr)
        return USAGE_ERROR
    url = f"{sys.argv[1].rstrip('/')}/task/{sys.argv[2]}/get_task_states_by_app/"
    # ASCII only, which json.dumps makes of anything, is what a header can hold.
    who = json.dumps({name.lower(): os.environ[name] for name in names})
    return follow(url, who, pause, time.monotonic() + patience)


def number(name, default):
    """A whole number from the environment; 0 for what is none."""
    text = os.environ.get(name, str(default))
    return int(text) if text.isdecimal() else 0


def follow(url, who, pause, deadline):
    etag = shown = None
    failures = 0
    while True:
        status, headers, body = ask(url, who, etag)
        wait = pause
        if status == 200:
            failures = 0
            etag = headers["ETag"]
            state = state_of(body)
            if state is None:
                print("the answer is not to be understood", file=sys.stderr)
                return REFUSED
            if state != shown:
                print(state, flush=True)
                shown = state
            if state in ENDED:
                return ENDED[state]
        elif status == 304:
            failures = 0
        elif status in PASSING:
            failures += 1
            wait = retry_after(headers) or pause * 2 ** min(failures - 1, 4)
            print(f"status {status}, trying again in {wait} s", file=sys.stderr)
        else:
            print(f"refused with status {status}: {body.decode(errors='replace')}", file=sys.stderr)
            return REFUSED
        if time.monotonic() + wait >= deadline:
            print(f"gave up, the last status was {status}", file=sys.stderr)
            return GAVE_UP
        time.sleep(wait)


def ask(url, who, etag):
    """One request: (status, headers, body)."""
    headers = {"X-Bkapi-Authorization": who}
    if etag:
        headers["If-None-Match"] = etag
    try:
        with OPENER.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
    except OSError as error:
        print(error, file=sys.stderr)
        return NO_ANSWER


def state_of(body):
    """The task's state; None if this is no answer of the API, or one nested deeper than Python can follow."""
    try:
        return json.loads(body)["data"]["state"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def retry_after(headers):
    text = headers.get("Retry-After") or ""
    return int(text) if text.isdecimal() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
