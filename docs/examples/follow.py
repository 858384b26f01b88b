#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Follows a task until it ends: follow.py http://HOST/bkflow TASK_ID

Environment and exit status: see README.md in this folder.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

USAGE = "usage: BK_APP_CODE=... BK_APP_SECRET=... BK_USERNAME=... follow.py http://HOST/bkflow TASK_ID"
ENDED = {"FINISHED": 0, "FAILED": 1, "REVOKED": 1}
USAGE_ERROR, REFUSED, GAVE_UP = 2, 3, 4
TEMPORARY = (0, 429, 502, 503, 504)  # 0: no answer


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The secret must not follow a redirect to wherever it leads."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


def main():
    names = ("BK_APP_CODE", "BK_APP_SECRET", "BK_USERNAME")
    wait, pause, patience = number("WAIT_SECONDS", 30), number("POLL_SECONDS", 2), number("PATIENCE_SECONDS", 3600)
    if len(sys.argv) != 3 or not all(os.environ.get(name) for name in names) or wait is None or not pause or not patience:
        print(USAGE, file=sys.stderr)
        return USAGE_ERROR
    url = f"{sys.argv[1].rstrip('/')}/task/{sys.argv[2]}/get_task_states_by_app/"
    # json.dumps writes ASCII only, which is what a header can hold.
    who = json.dumps({name.lower(): os.environ[name] for name in names})
    return follow(url, who, wait, pause, time.monotonic() + patience)


def number(name, default):
    """A whole number from the environment; None for anything else."""
    text = os.environ.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() else None


def follow(url, who, wait, pause, deadline):
    version, shown, failures = "", None, 0
    while True:
        asked = time.monotonic()
        wait = min(wait, max(int(deadline - asked), 1))
        status, headers, body = ask(f"{url}?wait={wait}s&version={urllib.parse.quote(version)}", who, wait + 30)
        rest = 0
        if status == 200:
            failures = 0
            state = state_of(body)
            if state is None:
                print("the answer cannot be understood", file=sys.stderr)
                return REFUSED
            if state != shown:
                print(state, flush=True)
                shown = state
            if state in ENDED:
                return ENDED[state]
            known, version = version, headers.get("X-States-Version", "")
            is_early = time.monotonic() - asked < max(wait, 1)
            if not version or (version == known and is_early):
                rest = pause  # the server did not wait
        elif status in TEMPORARY:
            rest = retry_after(headers) or pause * 2 ** min(failures, 4)
            failures += 1
            print(f"status {status}, trying again in {rest} s", file=sys.stderr)
        else:
            print(f"refused with status {status}: {body.decode(errors='replace')}", file=sys.stderr)
            return REFUSED
        if time.monotonic() + rest >= deadline:
            print(f"gave up, the last status was {status}", file=sys.stderr)
            return GAVE_UP
        time.sleep(rest)


def ask(url, who, seconds):
    """One request: (status, headers, body)."""
    request = urllib.request.Request(url, headers={"X-Bkapi-Authorization": who})
    try:
        with OPENER.open(request, timeout=seconds) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
    except OSError as error:
        print(error, file=sys.stderr)
        return 0, {}, b""


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
