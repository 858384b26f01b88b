# SPDX-License-Identifier: MIT
"""Clients of the soak that wait for changes, at a responder of their own that is restarted and killed.

Each request has a connection of its own, so that one which ends without an answer is a lost request. The listening
socket outlives the responder, as with systemd. No request may be lost unless its process was killed; and no client
may miss a change: each answer shows what was committed before the question, and in the end all know the last state.
"""

import collections
import dataclasses
import itertools
import re
import selectors
import signal
import socket
import threading
import time

import support
from lab import fcgi, scratch

TASKS = 50
CHANGES_PER_SECOND = 5
WAIT_SECONDS = 20
PAUSE_SECONDS = 0.5  # after an answer that is early or no success, or without any
EARLY_SECONDS = 2.0
# What a loaded machine may take on top of a wait, and to bring the last state to everybody.
SLACK = 60
UNAVAILABLE = (503, 504)
RETRY = re.compile(rb'"retry":(\d+)')
VERSION = re.compile(rb"^X-States-Version: ([0-9a-f]{32})\r$", re.MULTILINE)
STATUS = re.compile(rb"^Status: (\d+)", re.MULTILINE)


@dataclasses.dataclass
class Waiter:
    """A client: the version and the number of changes that it knows, and the request under way."""

    task: int
    version: str = ""
    known: int = -1
    stream: socket.socket = None
    got: bytes = b""
    asked: float = 0.0
    committed: int = 0  # when it asked
    due: float = 0.0


class Crowd:
    """The responder with its clients and the changes. `counts` tells what happened, `mistakes` what did not hold."""

    def __init__(self, lab, program, database, world, settings, count):
        self.mistakes = []
        self.counts = collections.Counter()
        self._database = database
        self._done = threading.Event()
        self._settles = threading.Event()
        self._tasks = [world.task([support.node(state="RUNNING", archived=None), support.node("step")])
                       for _ in range(TASKS)]
        self._committed = dict.fromkeys(self._tasks, 0)
        self._killed = 0.0  # when a process was killed last
        self._program, self._settings = program, settings
        self._path = lab.path("waiting", ".sock")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self._path))
        self._listening.listen(4096)
        self._waiters = [Waiter(self._tasks[number % TASKS]) for number in range(count)]
        self._selector = selectors.DefaultSelector()
        self._failed = lambda started, what: None
        self._answered = lambda: None
        self.responder = self._start()

    def _start(self):
        return self._program.hand_over(self._settings, [self._listening], self._path)

    # ---- faults; for the thread that started it ----

    def restart(self):
        """What the process has accepted it answers."""
        if (status := self.responder.stop()) != 0:
            self.mistakes.append(f"the stopped responder ended with {status}: {self.responder.log}")
        self.responder = self._start()

    def kill(self):
        self._killed = float("inf")
        self.responder.service.stop(signal.SIGKILL)
        self._killed = time.monotonic()
        self.responder = self._start()

    def reload(self):
        self.responder.service.send_signal(signal.SIGHUP)

    # ---- threads ----

    def threads(self, failed, answered):
        """Not started yet. FAILED is told of each answer that may only come while the database is away."""
        self._failed, self._answered = failed, answered
        return [threading.Thread(target=self._run_clients), threading.Thread(target=self._run_changes)]

    def settle(self):
        """No more changes: waits until every client knows the last state, and ends the threads."""
        self._settles.set()
        if not scratch.becomes_true(lambda: not self._behind() or self._done.is_set(), SLACK):
            self.mistakes.append(f"{len(self._behind())} waiting clients do not know the last state")
        self._done.set()

    def end(self):
        self._done.set()

    def close(self):
        """After the threads have ended."""
        for waiter in self._waiters:
            if waiter.stream:
                waiter.stream.close()
        status = self.responder.stop()
        self._listening.close()
        if status != 0 or "Sanitizer" in self.responder.log:
            self.mistakes.append(f"the responder of waiting clients ended with {status}: {self.responder.log}")

    def _behind(self):
        return [waiter for waiter in self._waiters if waiter.known < self._committed[waiter.task]]

    def _run_changes(self):
        for task in itertools.cycle(self._tasks):
            if self._settles.wait(1 / CHANGES_PER_SECOND) or self._done.is_set():
                return
            self._change(task)

    def _change(self, task):
        """Sets a number instead of adding to it: where the database goes away, it may be set twice."""
        number = self._committed[task] + 1
        while not self._done.is_set():
            try:
                self._database.engine_sql(f"UPDATE eri_state SET retry = {number} "
                                          f"WHERE node_id = '{support.root_id(task)}'")
                break
            except RuntimeError:
                self._done.wait(PAUSE_SECONDS)
        self._committed[task] = number
        self.counts["changes"] += 1

    def _run_clients(self):
        try:
            while not self._done.is_set():
                self._look()
        except Exception as failure:
            self.mistakes.append(f"the waiting clients ended: {failure!r}")
            raise

    def _look(self):
        for key, _events in self._selector.select(0.02):
            self._read(key.data)
        now = time.monotonic()
        for waiter in self._waiters:
            if waiter.stream is None and waiter.due <= now:
                self._ask(waiter)
            elif waiter.stream and now > waiter.asked + WAIT_SECONDS + SLACK:
                self._lose(waiter, "has not been answered")

    # ---- one client ----

    def _ask(self, waiter):
        stream = socket.socket(socket.AF_UNIX)
        stream.setblocking(False)
        if stream.connect_ex(str(self._path)) != 0:
            stream.close()  # the queue of the socket is full
            waiter.due = time.monotonic() + PAUSE_SECONDS
            return
        waiter.got, waiter.asked, waiter.committed = b"", time.monotonic(), self._committed[waiter.task]
        query = f"wait={WAIT_SECONDS}s&version={waiter.version}" if waiter.version else ""
        stream.send(fcgi.request(support.states(waiter.task, query=query)))
        self._selector.register(stream, selectors.EVENT_READ, waiter)
        waiter.stream = stream

    def _end(self, waiter, pause=0.0):
        self._selector.unregister(waiter.stream)
        waiter.stream.close()
        waiter.stream = None
        waiter.due = time.monotonic() + pause

    def _lose(self, waiter, what):
        self._end(waiter, PAUSE_SECONDS)
        if waiter.asked < self._killed:
            self.counts["killed"] += 1
        else:
            self.mistakes.append(f"a waiting request {what}, {time.monotonic() - waiter.asked:.1f} s after it was sent")

    def _read(self, waiter):
        try:
            data = waiter.stream.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        waiter.got += data
        if not data:
            self._take_end(waiter)

    def _take_end(self, waiter):
        answer = whole_answer(waiter.got)
        if answer is None:
            self._lose(waiter, "has ended without an answer")
            return
        status = int(found[1]) if (found := STATUS.search(answer)) else 200
        if status != 200:
            self._take_failure(waiter, status, answer)
            return
        self._take_states(waiter, VERSION.search(answer)[1].decode(), int(RETRY.search(answer)[1]))

    def _take_failure(self, waiter, status, answer):
        kind = "" if status in UNAVAILABLE else "wrong "
        self._failed(waiter.asked, f"{kind}answered {status} {answer[-200:]}")
        self._end(waiter, PAUSE_SECONDS)

    def _take_states(self, waiter, version, known):
        now = time.monotonic()
        is_same = version == waiter.version
        if known < waiter.committed or known > self._committed[waiter.task] + 1:
            self.mistakes.append(f"a waiting client got state {known} after {waiter.committed} had been committed")
        if is_same != (known == waiter.known):
            self.mistakes.append(f"version {version} of state {known} came after {waiter.version} of {waiter.known}")
        self.counts["the same" if is_same else "new states"] += 1
        is_early = is_same and now < waiter.asked + WAIT_SECONDS - EARLY_SECONDS
        self.counts["early"] += is_early
        waiter.version, waiter.known = version, known
        self._answered()
        self._end(waiter, PAUSE_SECONDS if is_early else 0.0)


def whole_answer(data):
    """What is in the records, if they end with END_REQUEST."""
    parts = []
    while len(data) >= fcgi.HEADER.size:
        _version, kind, _request, length, padding = fcgi.HEADER.unpack(data[:fcgi.HEADER.size])
        if kind == fcgi.END_REQUEST:
            return b"".join(parts)
        parts.append(data[fcgi.HEADER.size:fcgi.HEADER.size + length])
        data = data[fcgi.HEADER.size + length + padding:]
    return None
