# SPDX-License-Identifier: MIT
"""Stopping and log rotation while clients ask without a pause, straight over the FastCGI socket."""

import itertools
import json
import signal
import threading
import time

import pytest
import support
from lab import fcgi
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab.scratch import wait_until

DRAIN_SECONDS = 10  # the default of [server] drain_timeout
REFUSED = (ConnectionRefusedError, FileNotFoundError)
GONE = (ConnectionResetError, BrokenPipeError)


@pytest.fixture(scope="module")
def settings(database):
    return lab_responder.settings_for(database, **{"server.drain_timeout": f"{DRAIN_SECONDS}s"})


@pytest.fixture(scope="module")
def tasks(world, finished_task):
    """A small answer, and one of several records, which can be cut in the middle."""
    return finished_task, world.task([support.node(), *(support.node(f"step {i}") for i in range(600))])


class Client(threading.Thread):
    """Asks for one task after the other until it is told to end or nobody accepts it any more."""

    def __init__(self, address, tasks, name, keep):
        super().__init__()
        self._address, self.keep, self._name = address, keep, name
        self._tasks = itertools.cycle(tasks)
        self._connection = None
        self._is_over = threading.Event()
        self.whole = {}     # name of the request -> its answer
        self.sent_at = {}   # the same names, and those of requests that got no byte of an answer
        self.mishaps = []   # half answers, and what nobody has thought of
        self.is_refused = False

    def end(self):
        self._is_over.set()
        self.join()

    def run(self):
        try:
            while not self._is_over.is_set() and not self.is_refused:
                self._ask(f"{self._name}-{len(self.sent_at)}")
        except Exception as failure:  # pylint: disable=broad-except
            self.mishaps.append(repr(failure))
        finally:
            self._hang_up()

    def unanswered(self, before):
        """Requests that had been written whole before then, and were not answered."""
        return [name for name, at in self.sent_at.items() if at < before and name not in self.whole]

    def _ask(self, name):
        try:
            self._connection = self._connection or fcgi.Connection(self._address)
        except REFUSED:
            self.is_refused = True
            return
        variables = support.states(next(self._tasks), {"X-Request-Id": name})
        try:
            self._connection.send(fcgi.request(variables, keep=self.keep))
        except GONE as end:
            if not self.keep:
                self.mishaps.append(f"connected, then {end!r}")
            self._hang_up()
            return
        self.sent_at[name] = time.monotonic()
        answer = self._read()
        if answer is not None:
            self.whole[name] = answer
        if answer is None or not self.keep:
            self._hang_up()

    def _read(self):
        """A whole answer; None if the other side went without having sent a byte."""
        received = []
        try:
            while True:
                received.append(self._connection.record())
                if received[-1].type == fcgi.END_REQUEST:
                    return b"".join(record.content for record in received if record.type == fcgi.STDOUT)
        except (fcgi.Hangup, *GONE) as end:
            if received or self._connection.has_unread:
                self.mishaps.append(f"half an answer: {len(received)} records, then {end!r}")
            return None

    def _hang_up(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Clients:
    """Several at a time, half of them on connections that are kept."""

    def __init__(self, responder, tasks):
        self.all = [Client(responder.address, tasks, f"client-{i}", keep=i % 2 == 0) for i in range(6)]

    def __enter__(self):
        for client in self.all:
            client.start()
        self.wait_for_more(5)
        return self

    def __exit__(self, *_):
        for client in self.all:
            client.end()

    def wait_for_more(self, count):
        """Until each has got some more answers."""
        for client in self.all:
            aim = len(client.whole) + count
            wait_until(lambda client=client, aim=aim: len(client.whole) >= aim or not client.is_alive())

    @property
    def mishaps(self):
        return [mishap for client in self.all for mishap in client.mishaps]

    def assert_answers_are_right(self, expected):
        for client in self.all:
            for name, answer in client.whole.items():
                response = fcgi.Response(answer)
                assert response.status == 200, response.raw
                assert response.header("X-Request-Id") == name
                assert support.success_text(response) in expected


@pytest.fixture(scope="module")
def expected(serve, tasks):
    """What is right, told by a responder that nobody disturbs."""
    return {support.success_text(serve().ask(support.states(task_id))) for task_id in tasks}


def listen(program, settings, kind):
    address = {"unix": {}, "tcp": {"server.listen": f"tcp:127.0.0.1:{lab_scratch.free_port()}"}}
    return program.listen(settings | address[kind])


@pytest.mark.parametrize("number, kind", [
    (signal.SIGTERM, "unix"), (signal.SIGINT, "unix"), (signal.SIGUSR1, "unix"), (signal.SIGTERM, "tcp"),
], ids=lambda value: getattr(value, "name", value))
def test_stop_under_load(program, settings, tasks, expected, number, kind):
    """What was asked before is answered whole; nothing is answered by half; then nobody is let in.

    Whoever got a connection at all is answered: only one that was kept may be closed in a client's face."""
    responder = listen(program, settings, kind)
    with Clients(responder, tasks) as clients:
        asked_to_stop = time.monotonic()
        responder.service.send_signal(number)
        assert responder.service.wait(timeout=DRAIN_SECONDS) == 0, responder.log
        wait_until(lambda: not any(client.is_alive() for client in clients.all))
    assert clients.mishaps == []
    assert all(client.is_refused for client in clients.all)
    assert [client.unanswered(asked_to_stop) for client in clients.all] == [[]] * len(clients.all)
    once_each = [client for client in clients.all if not client.keep]
    assert [client.unanswered(float("inf")) for client in once_each] == [[]] * len(once_each)
    assert "unfinished" not in responder.log
    clients.assert_answers_are_right(expected)


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_requests_that_nobody_has_read_yet_are_answered(program, database, settings, tasks, kind):
    """More than there are workers, all written while these wait: on new connections and on kept ones."""
    small = tasks[0]
    responder = listen(program, settings | {"server.workers": 2, "database.query_timeout": "30s"}, kind)
    kept = [responder.connect() for _ in range(4)]
    for connection in kept:
        support.success(connection.ask(support.states(small)))
    with database.locked("eri_state"):
        held_up = support.hold_up(database, responder, support.states(small), 2)
        unread = [support.in_background(responder, support.states(small)) for _ in range(2)]
        for connection in kept:
            connection.send(fcgi.request(support.states(small), keep=True))
        responder.service.send_signal(signal.SIGTERM)
        responder.wait_for_log("stopping")
    for answer in held_up:
        support.success(answer())
    for answer in [*unread, *(connection.response for connection in kept)]:
        # On a slow machine the second has passed after which the spare worker answers.
        response = answer()
        if response.status != 200:
            support.assert_error(response, 503, 50302)
    assert responder.service.wait(timeout=DRAIN_SECONDS) == 0
    for connection in kept:
        assert connection.is_closed_by_peer()
        connection.close()


def test_log_rotation_under_load(program, lab, settings, tasks, expected):
    """Renamed, then HUP, as logrotate does it: each request has its line, once, in one of the files."""
    log = lab.path("rotated-under-load", ".log")
    responder = program.listen(settings | {"log.target": f"file:{log}", "log.access": "on", "log.format": "json"})
    old = [log.with_suffix(f".{number}") for number in range(5)]
    with Clients(responder, tasks) as clients:
        for path in old:
            log.rename(path)
            responder.service.send_signal(signal.SIGHUP)
            wait_until(log.exists)
            clients.wait_for_more(3)
    assert responder.stop() == 0
    assert clients.mishaps == []
    clients.assert_answers_are_right(expected)
    logged = [request_names(path) for path in [*old, log]]
    assert all(logged), "a file without a line: nothing was tested"
    assert sorted(itertools.chain(*logged)) == sorted(name for client in clients.all for name in client.sent_at)


def request_names(path):
    """Trace ids of the requests in a log; a line that is not whole is no JSON."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    events = [json.loads(line) for line in text.splitlines()]
    return [event["trace_id"] for event in events if event["message"] == "request"]
