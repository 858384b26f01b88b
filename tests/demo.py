#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The whole chain on this machine: MariaDB with sample data, bkflow-states, lighttpd, curl.

All of it private to this run: a scratch folder, loopback ports that the kernel chose, the
invoking user. Ctrl-C ends and removes everything.
"""

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

from lab import mariadb, responder, scratch, webserver

APP, SECRET, USER = "demo_app", "demo-secret", "demo_user"
# Where the sample configuration expects the web page, and where it is here.
PAGE_HERE = {"/usr/local/share/bkflow-states/web": webserver.CONF / "web"}
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Typed once, before any of the commands below. Each line fits into 100 columns.
SHELL = """\
H='X-Bkapi-Authorization: {{"bk_app_code":"{app}",'\\
'"bk_app_secret":"{secret}","bk_username":"{user}"}}'
B={url} S=get_task_states_by_app/ V={version}
"""
# Behind a proxy that the environment names, curl would ask that.
PROXIES = ("http_proxy", "all_proxy", "ALL_PROXY")


@dataclasses.dataclass(frozen=True)
class Sample:
    """A request, and what its answer must be: the HTTP status, and the states in the order of the answer or the
    error's code; of several tasks, one or the other. It is answered after `seconds`, with the version that it was
    sent with."""

    path: str
    shows: str
    status: int
    expected: object
    seconds: int = 0

    @property
    def command(self):
        url = f"$B/{self.path}"
        return f'curl -H "$H" "{url}"' if "?" in url else f'curl -H "$H" {url}'

    @property
    def row(self):
        answer = self.expected if self.status != 200 else "" if "task_ids" in self.path else self.expected[0]
        return f"{f'{self.command:<49} {self.status} {answer}':<70}{self.shows}"


RUNNING_STATES = ["RUNNING", "FINISHED", "FINISHED", "RUNNING"]
SAMPLES = (
    Sample("task/1/$S", "all four steps are done", 200, ["FINISHED"] * 5),
    Sample("task/2/$S", "its last step is a sub-process", 200, RUNNING_STATES),
    Sample("task/2/$S?subtasks=1", "the same, and that one's steps", 200, RUNNING_STATES + RUNNING_STATES),
    Sample("task/2/$S?wait=2s&version=$V", "when it changes, or after 2 s", 200, RUNNING_STATES, seconds=2),
    Sample("task/12/$S", "that sub-process is a task too", 200, RUNNING_STATES),
    Sample("task/3/$S?failed=1", "a step failed: failed_nodes", 200, ["FAILED", "FINISHED", "FINISHED", "FAILED"]),
    Sample("task/4/$S", "a step waits for approval", 200,
           ["NODE_SUSPENDED", "FINISHED", "FINISHED", "RUNNING", "SUSPENDED"]),
    Sample("task/5/$S", "not started", 200, ["CREATED"]),
    Sample("task/11/$S", "older: sub-processes inside it", 200,
           ["RUNNING", "FINISHED", "FINISHED", "RUNNING", "FINISHED", "RUNNING", "FINISHED", "RUNNING"]),
    Sample("get_tasks_states_by_app/?task_ids=1,2,7", "several tasks at once", 200, ["FINISHED", "RUNNING", 40303]),
    Sample("task/6/$S", "expired", 404, 40402),
    Sample("task/7/$S", "another application's", 403, 40303),
    Sample("task/8/$S", "bound to no application", 403, 40302),
    Sample("task/9/$S", "its template is deleted", 404, 40403),
    Sample("task/10/$S", "no such task", 404, 40402),
)
SHOWN = SAMPLES[1]


def main():
    options = parse_arguments()
    for number in ENDING_SIGNALS:
        signal.signal(number, end_orderly)
    try:
        with scratch.Scratch() as folder:
            url = start_everything(folder, options.builddir)
            _status, version, answer = ask(url, SHOWN)
            show(url, version, answer, options.verbose)
            mistakes = [mistake for sample in SAMPLES for mistake in check(url, sample, version)]
            report(mistakes, options.once)
            if not options.once and not mistakes:
                wait_for_end()
    except KeyboardInterrupt:
        print("\nEnded before it was done.", file=sys.stderr)
        return 130
    return 1 if mistakes else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builddir", required=True, help="the folder with the built bkflow-states")
    parser.add_argument("--once", action="store_true", help="check all answers and end")
    parser.add_argument("--verbose", action="store_true", help="show the complete answer for one task")
    return parser.parse_args()


def end_orderly(*_):
    """Services and files go whatever signal ends us; a second one must not interrupt that."""
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def start_everything(folder, builddir):
    """Returns the URL under which the answers are."""
    program = responder.Program(folder, builddir)
    print("Starting", end="", flush=True)
    with step("MariaDB with BKFlow's two databases", ","):
        database = mariadb.MariaDB(folder).start()
        database.create_databases()
        database.load_samples()
    with step("bkflow-states", ","):
        service = program.listen(responder.settings_for(database))
    with step("lighttpd", ".\n\n"):
        server = webserver.WebServer(folder, "lighttpd", service.address, replacing=PAGE_HERE)
    return server.url


class step:
    """Says what is being started, and how long that took."""

    def __init__(self, what, end):
        self._what = what
        self._end = end

    def __enter__(self):
        self._started = time.monotonic()
        print(f" {self._what} ", end="", flush=True)

    def __exit__(self, failure, *_):
        print("failed" if failure else f"{time.monotonic() - self._started:.1f} s", end=self._end, flush=True)


def show(url, version, answer, is_verbose):
    print(table(url, version))
    if is_verbose:
        print(f"\n{SHOWN.command}")
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    print(f"\nWeb page: {url.removesuffix(webserver.MOUNT)}/bkflow-web/#task=2 ({APP}, {SECRET}, {USER})", flush=True)


def table(url, version):
    """What can be typed, and what each sample task shows."""
    return "\n".join([shell(url, version), *(sample.row for sample in SAMPLES)])


def shell(url, version):
    lines = SHELL.format(app=APP, secret=SECRET, user=USER, url=url, version=version)
    return lines + ("export no_proxy=127.0.0.1\n" if any(map(os.environ.get, PROXIES)) else "")


def ask(url, sample, version=""):
    """By the very commands that are printed; gives status, version and answer."""
    done = subprocess.run(["sh", "-c", f"{shell(url, version)}{sample.command} -sS --include"],
                          capture_output=True, text=True, timeout=30, check=True)
    head, _, body = done.stdout.partition("\n\n")
    headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    return int(head.split()[1]), headers.get("x-states-version"), json.loads(body)


def check(url, sample, version):
    """What is wrong with the answer, in words."""
    started = time.monotonic()
    status, got_version, answer = ask(url, sample, version)
    nodes = list(all_nodes(answer["data"])) if answer["result"] else []
    got = [node.get("state") or node["code"] for node in nodes] or answer["code"]
    if (status, got) != (sample.status, sample.expected):
        yield f"{sample.command}: expected {sample.status} {sample.expected}, got {status} {got}"
    failed = [node["id"] for node in nodes if node.get("state") == "FAILED"]
    if "failed=1" in sample.path and answer["data"].get("failed_nodes") != failed:
        yield f"{sample.command}: expected {failed} in failed_nodes"
    if sample.seconds and (time.monotonic() - started < sample.seconds or got_version != version):
        yield f"{sample.command}: expected version {version} after {sample.seconds} s, got {got_version}"


def all_nodes(data):
    """Those of one task in the order of the answer, or what is said of several tasks."""
    return nodes_below(data) if "state" in data else data.values()


def nodes_below(node):
    """The node itself comes first."""
    yield node
    for child in node.get("children", {}).values():
        yield from nodes_below(child)
    if "subtask" in node:
        yield from nodes_below(node["subtask"]["states"])


def report(mistakes, is_once):
    for mistake in mistakes:
        print(f"WRONG: {mistake}", file=sys.stderr)
    good = "All answers are as they should be." + ("" if is_once else " Ctrl-C ends the demo.")
    print("The demo failed." if mistakes else good, flush=True)


def wait_for_end():
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        print("\nStopping.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
