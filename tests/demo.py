#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The whole chain on this machine: MariaDB with sample data, bkflow-states, lighttpd, curl.

All of it private to this run: a scratch folder, loopback ports that the kernel chose, the
invoking user. Ctrl-C ends and removes everything.
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time

from lab import client, mariadb, responder, scratch, webserver

APP, SECRET, USER = "demo_app", "demo-secret", "demo_user"
SHOWN_TASK = 2
# Where the sample configuration expects the window for people, and where it is here.
PAGE_HERE = {"/usr/local/share/bkflow-states/web": webserver.CONF / "web"}
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# task, what it is, HTTP status, state of the root (or the error's code)
SAMPLES = (
    (1, "finished", 200, "FINISHED"),
    (2, "running, a sub-process inside a sub-process", 200, "RUNNING"),
    (3, "a failed step below a running sub-process", 200, "FAILED"),
    (4, "a suspended step below a running sub-process", 200, "RUNNING"),
    (5, "not started", 200, "CREATED"),
    (6, "expired", 404, 40402),
    (7, "another application's", 403, 40303),
    (8, "its template is bound to no application", 403, 40302),
    (9, "its template is deleted", 404, 40403),
    (10, "no such task", 404, 40402),
)

# The states of the nested task from the root down, a level each.
SHOWN_LEVELS = (
    ["RUNNING"],
    ["FINISHED", "FINISHED", "RUNNING"],
    ["FINISHED", "RUNNING"],
    ["FINISHED", "RUNNING"],
)


def main():
    options = parse_arguments()
    for number in ENDING_SIGNALS:
        signal.signal(number, end_orderly)
    try:
        with scratch.Scratch() as folder:
            url = start_everything(folder, options.builddir)
            show(url)
            mistakes = check_samples(url)
            if not options.once and not mistakes:
                wait_for_ctrl_c()
    except KeyboardInterrupt:
        print("\nEnded before it was done.", file=sys.stderr)
        return 130
    for mistake in mistakes:
        print(f"WRONG: {mistake}", file=sys.stderr)
    print("All sample tasks are answered as they should be." if not mistakes else "The demo failed.")
    return 1 if mistakes else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builddir", required=True, help="the folder with the built bkflow-states")
    parser.add_argument("--once", action="store_true", help="check all answers and end")
    return parser.parse_args()


def end_orderly(*_):
    """Services and files go whatever signal ends us; a second one must not interrupt that."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def start_everything(folder, builddir):
    """Returns the URL under which the answers stand."""
    program = responder.Program(folder, builddir)
    with step("MariaDB with BKFlow's two databases and sample data"):
        database = mariadb.MariaDB(folder).start()
        database.create_databases()
        database.load_samples()
    with step("bkflow-states"):
        service = program.listen(responder.settings_for(database))
    with step("lighttpd"):
        server = webserver.WebServer(folder, "lighttpd", service.address, replacing=PAGE_HERE)
    print(f"Everything lives in {folder.folder}\n")
    return server.url


class step:
    """Says what is being started, and how long that took."""

    def __init__(self, what):
        self._what = what

    def __enter__(self):
        self._started = time.monotonic()
        print(f"Starting {self._what} ... ", end="", flush=True)

    def __exit__(self, failure, *_):
        print("failed" if failure else f"{time.monotonic() - self._started:.1f} s", flush=True)


def show(url):
    print(f"Task {SHOWN_TASK} is running. Ask for its states:\n")
    print(f"  {curl_line(url, SHOWN_TASK)}\n")
    _status, answer = ask(url, SHOWN_TASK)
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    print("\nThe other sample tasks:\n")
    for task_id, description, status, _state in SAMPLES:
        if task_id != SHOWN_TASK:
            print(f"  # {description}: {status}\n  {curl_line(url, task_id)}")
    print(f"\nFor people, with application {APP}, secret {SECRET}, user {USER}:\n\n  {page_url(url)}\n", flush=True)


def page_url(url):
    return f"{url.removesuffix(webserver.MOUNT)}/bkflow-web/#task={SHOWN_TASK}"


def curl_arguments(url, task_id):
    header = f"X-Bkapi-Authorization: {client.authorization(APP, SECRET, USER)}"
    return ["curl", "-sS", "--noproxy", "*", "-H", header, url + client.states_path(task_id)]


def curl_line(url, task_id):
    return shlex.join(curl_arguments(url, task_id))


def ask(url, task_id):
    """The very command that is printed, with the HTTP status written behind the answer."""
    done = subprocess.run([*curl_arguments(url, task_id), "-w", "\n%{http_code}"],
                          capture_output=True, text=True, timeout=30, check=True)
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(body)


def check_samples(url):
    """What is wrong with the answers, in words."""
    mistakes = []
    for task_id, _description, status, expected in SAMPLES:
        got_status, answer = ask(url, task_id)
        got = answer["data"]["state"] if answer["result"] else answer["code"]
        if (got_status, got) != (status, expected):
            mistakes.append(f"task {task_id}: expected {status} {expected}, got {got_status} {got}")
    levels = states_by_level(ask(url, SHOWN_TASK)[1]["data"])
    if levels != list(SHOWN_LEVELS):
        mistakes.append(f"task {SHOWN_TASK}: expected the states {list(SHOWN_LEVELS)}, got {levels}")
    return mistakes


def states_by_level(root):
    levels, nodes = [], [root]
    while nodes:
        levels.append([node["state"] for node in nodes])
        nodes = [child for node in nodes for child in node["children"].values()]
    return levels


def wait_for_ctrl_c():
    print("Ctrl-C ends the demo.", flush=True)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        print("\nStopping.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
