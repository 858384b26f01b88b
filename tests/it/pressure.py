# SPDX-License-Identifier: MIT
"""Clients that ask all the time, while a test does something to the database."""

import dataclasses
import threading
import time

import support
from lab import orderedjson
from lab.scratch import PATIENCE_SECONDS, run_time


@dataclasses.dataclass
class Answer:
    asked: float  # monotonic
    seconds: float
    run_seconds: float  # the same without those in which the machine stood still
    status: int
    code: int
    retry_after: str
    children: int  # how many the root has; -1 where it is no success


class Pressure:
    """`clients` threads, each of which asks for a task's states again as soon as it is answered.

    Leaving the block ends them; a client that got no whole answer fails the test there."""

    def __init__(self, responder, task_id, clients=4, pause=0.01):
        self._responder = responder
        self._variables = support.states(task_id)
        self._pause = pause
        self._ends = threading.Event()
        self._answers = []
        self._failures = []
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join()
        if kind is None and self._failures:
            raise self._failures[0]

    def _run(self):
        try:
            while not self._ends.is_set():
                self._ask()
                time.sleep(self._pause)
        except Exception as failure:  # pylint: disable=broad-except
            self._failures.append(failure)

    def _ask(self):
        asked, running = time.monotonic(), run_time()
        response = self._responder.ask(self._variables)
        seconds, run_seconds = time.monotonic() - asked, run_time() - running
        children, code = -1, 0
        if response.status == 200:
            children = len(support.success(response).value("children"))
        else:
            code = orderedjson.parse(response.body).value("code")
        self._answers.append(
            Answer(asked, seconds, run_seconds, response.status, code, response.header("Retry-After"), children))

    def answers(self, since=0.0):
        return [answer for answer in list(self._answers) if answer.asked >= since]

    def wait_for(self, holds, since=None):
        """Waits for an answer that `holds` to a question asked from now on, or from `since` on; returns how many
        seconds that took (run_time)."""
        start, running = time.monotonic(), run_time()
        since = since or start
        while not any(holds(answer) for answer in self.answers(since)):
            assert not self._failures, self._failures
            assert time.monotonic() - start < PATIENCE_SECONDS, [vars(a) for a in self.answers(since)[-8:]]
            time.sleep(0.01)
        return run_time() - running

    def wait_for_status(self, status, since=None):
        return self.wait_for(lambda answer: answer.status == status, since)

    def wait_for_calm(self, answers=30):
        """Waits until so many answers in a row are successes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        start = time.monotonic()
        while True:
            got = self.answers(start)
            if len(got) >= answers and all(answer.status == 200 for answer in got[-answers:]):
                return
            assert not self._failures, self._failures
            assert time.monotonic() < deadline, [vars(a) for a in got[-8:]]
            time.sleep(0.01)


def assert_no_harm(answers, children, codes):
    """Each answer is the right one, or an error with one of these codes that says when to try again."""
    for answer in answers:
        if answer.status == 200:
            assert answer.children == children, vars(answer)
        else:
            assert answer.code in codes, vars(answer)
            assert int(answer.retry_after) >= 1, vars(answer)
