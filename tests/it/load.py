# SPDX-License-Identifier: MIT
"""Clients that keep asking while something happens to those who answer."""

import threading
import time

from lab.scratch import wait_until


class Load:
    """`ask` returns a status; each client calls it again as soon as it has its answer.

    An answer that is not 200, and a connection that breaks, is a failure, kept in `failures`.
    """

    def __init__(self, ask, clients=4):
        self._ask = ask
        self._end = threading.Event()
        self._clients = [threading.Thread(target=self._run) for _ in range(clients)]
        self.answered = 0
        self.slowest = 0.0
        self.failures = []
        self._lock = threading.Lock()

    def __enter__(self):
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for client in self._clients:
            client.join()

    def more(self, count=100):
        """Wait for so many more answers."""
        until = self.answered + count
        wait_until(lambda: self.answered >= until)

    def _run(self):
        while not self._end.is_set():
            started = time.monotonic()
            try:
                outcome = self._ask()
            except Exception as error:  # pylint: disable=broad-except # whatever it is, it is a failed request
                outcome = repr(error)
            self._note(outcome, time.monotonic() - started)

    def _note(self, outcome, seconds):
        with self._lock:
            self.answered += 1
            self.slowest = max(self.slowest, seconds)
            if outcome != 200:
                self.failures.append(outcome)
