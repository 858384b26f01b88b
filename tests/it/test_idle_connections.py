# SPDX-License-Identifier: MIT
"""Database connections that nobody uses for a while, with something in between that forgets them.

A worker that has nothing to do at all closes its connections. Here it has, but nothing that takes the database."""

import pathlib
import time

import pytest
import support
from lab import client, relay, scratch

IDLE_SECONDS = 10.5  # a little longer than a connection may be idle without being looked at
TICKS = 100  # of the kernel's tables, a second
KEEPALIVE = "02"


@pytest.fixture
def way(database):
    with relay.Relay(database) as made:
        yield made


def settings(way, **others):
    return way.settings() | {"auth.failure_limit": 0, "server.workers": 1} | others


def stay_awake(responder):
    """The worker serves requests all the time, and its connection to the database is idle."""
    end = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < end:
        assert responder.ask(client.variables("/healthz")).status == 200
        time.sleep(0.5)


def timers_of_connections_to(port):
    """The kind of each connection's timer, and in how many seconds it expires (proc_net_tcp)."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    timers = [row[5].split(":") for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"]
    return [(kind, int(when, 16) / TICKS) for kind, when in timers]


def test_keepalive_comes_within_a_minute(program, way, finished_task):
    """So that whatever is in between sees them used, and a peer that is gone is noticed."""
    responder = program.listen(settings(way))
    support.success(responder.ask(support.states(finished_task)))
    # Right after an answer another timer may run.
    scratch.wait_until(lambda: {kind for kind, _ in timers_of_connections_to(way.port)} == {KEEPALIVE})
    assert max(seconds for _, seconds in timers_of_connections_to(way.port)) <= 60
    assert responder.stop() == 0


def test_a_connection_that_was_forgotten_while_idle_is_made_anew(program, way, finished_task):
    """Nobody notices, and the host is not blamed."""
    responder = program.listen(settings(way))
    support.success(responder.ask(support.states(finished_task)))
    before = way.accepted
    stay_awake(responder)
    way.forget()
    support.success(responder.ask(support.states(finished_task)))
    assert responder.ask(client.variables("/readyz")).status == 200
    assert way.accepted == 2 * before, "each connection once"
    assert "does not answer" not in responder.log
    assert "cannot connect" not in responder.log
    assert responder.stop() == 0


def test_an_idle_connection_that_still_works_is_kept(program, way, finished_task):
    responder = program.listen(settings(way))
    support.success(responder.ask(support.states(finished_task)))
    before = way.accepted
    stay_awake(responder)
    support.success(responder.ask(support.states(finished_task)))
    assert way.accepted == before
    assert responder.stop() == 0
