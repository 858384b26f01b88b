# SPDX-License-Identifier: MIT
"""The time limit of a statement ends the connection to the database, and nobody else's."""

import os
import time

import pytest
import support
from lab import client, fcgi, relay

ROUNDS = 8
QUERY_TIMEOUT, GRACE = 0.5, 0.25  # seconds


@pytest.fixture
def deaf_reader(lab):
    """A pipe for the log that is full whenever the test wants it."""
    path = lab.path("deaf", ".fifo")
    os.mkfifo(path)
    with open(path, "r+b", buffering=0) as pipe:
        os.set_blocking(pipe.fileno(), False)
        yield path, pipe


def empty(pipe):
    while pipe.read(1 << 16):
        pass


def fill(pipe):
    while pipe.write(b"x" * 4096):
        pass


def test_whoever_gets_the_number_of_a_closed_connection_is_left_alone(program, database, world, deaf_reader):
    """The server hangs up just before the time limit. The client library closes the socket, and the next client
    gets its number, while the worker waits for the reader of its log."""
    path, pipe = deaf_reader
    task_id = world.task([support.node()])
    with relay.Relay(database) as way:
        settings = way.settings() | {"auth.failure_limit": 0, "server.workers": 3, "log.access": "on",
                                     "database.query_timeout": f"{QUERY_TIMEOUT * 1000:.0f}ms"}
        responder = program.listen(settings, wrapper=["sh", "-c", 'exec "$@" 2>"$0"', path])
        for _ in range(ROUNDS):
            support.success(responder.ask(support.states(task_id)))
            empty(pipe)
            assert responder.ask(client.variables("/healthz")).status == 200  # there is room again
            way.forget(new=True)
            late = support.in_background(responder, support.states(task_id))
            fill(pipe)
            time.sleep(QUERY_TIMEOUT + 0.8 * GRACE)
            way.hang_up()
            time.sleep(0.01)
            innocents = [responder.connect() for _ in range(4)]
            for innocent in innocents:
                innocent.send(fcgi.begin(keep=True))
            time.sleep(GRACE + 0.3)
            for innocent in innocents:
                rest = fcgi.request(client.variables("/healthz"), keep=True)[len(fcgi.begin(keep=True)):]
                innocent.send(rest)
                assert innocent.response().status == 200
                innocent.close()
            assert late().status in (503, 504)
            empty(pipe)
        assert responder.stop() == 0
