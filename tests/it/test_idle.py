# SPDX-License-Identifier: MIT
"""What the program uses while nothing is asked of it, and what a reload or a request leaves behind: counts, never
times, so a machine that stands still makes no difference."""

import os
import pathlib
import time

import gateway
import memory
import pytest
import support
from lab import client, jwt
from lab import responder as lab_responder
from lab.scratch import wait_until

TICK_SECONDS = 0.1  # the server's own: it looks for what is late
SECONDS = 3
RELOADS = 100
ROUNDS = 400


def threads(responder):
    """Thread id to the number of times that it has waited."""
    counts = {}
    for status in pathlib.Path(f"/proc/{responder.service.pid}/task").glob("*/status"):
        fields = dict(line.split(":\t", 1) for line in status.read_text(encoding="utf-8").splitlines())
        counts[int(status.parent.name)] = int(fields["voluntary_ctxt_switches"])
    return counts


def cpu_seconds(responder):
    """User and system time, as proc_pid_stat(5) counts them."""
    stat = pathlib.Path(f"/proc/{responder.service.pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def watch(responder):
    """While SECONDS pass: how often each thread was woken, the CPU time, and how many ticks there were time for."""
    started, before, used = time.monotonic(), threads(responder), cpu_seconds(responder)
    time.sleep(SECONDS)
    woken = {thread: count - before.get(thread, 0) for thread, count in threads(responder).items()}
    used = cpu_seconds(responder) - used
    return woken, used, (time.monotonic() - started) / TICK_SECONDS


@pytest.fixture
def settings(database):
    return lab_responder.settings_for(database)


def test_only_the_tick_wakes_an_idle_program(program, settings, finished_task):
    """The main thread once or twice for each, all others not at all. A few are allowed for what the last request did."""
    responder = program.listen(settings)
    support.success(responder.ask(support.states(finished_task)))
    woken, used, ticks = watch(responder)
    main = woken.pop(responder.service.pid)
    assert main <= 2 * ticks + 10
    assert all(count <= 5 for count in woken.values()), woken
    assert used < SECONDS * 0.1
    assert responder.stop() == 0


def test_when_nobody_waits_any_more_nothing_is_watched(program, settings, finished_task):
    """Tasks are looked at for a few seconds longer, then the threads for waiting sleep."""
    responder = program.listen(settings | {"server.watch_interval": "50ms"})
    version = responder.ask(support.states(finished_task)).header("X-States-Version")
    support.success(responder.ask(support.states(finished_task, query=f"wait=200ms&version={version}")))
    wait_until(lambda: b"watched_tasks 0" in responder.ask(client.variables("/metrics")).body)
    woken, used, _ticks = watch(responder)
    woken.pop(responder.service.pid)
    assert all(count <= 5 for count in woken.values()), woken
    assert used < SECONDS * 0.1
    assert responder.stop() == 0


def test_a_host_that_is_away_costs_a_few_tries_a_second(program, settings, finished_task):
    """It is tried for as long as it takes, with pauses of up to 0.8 s, by no thread that spins."""
    hosts = {"database.host": "127.0.0.1:1, localhost"}
    responder = program.listen(settings | hosts)
    support.success(responder.ask(support.states(finished_task)))
    woken, used, ticks = watch(responder)
    assert sum(woken.values()) <= 10 * ticks
    assert used < SECONDS * 0.3
    assert responder.stop() == 0


def test_reloads_leave_no_memory_behind(program, lab, settings, finished_task):
    """A hundred of them, with gateway keys, each taken over by the only worker. What one configuration takes is far
    more than a hundredth of what is allowed."""
    memory.skip_if_sanitized(program)
    keys = {"auth.gateway": "on", "auth.gateway_key_main": jwt.Key(lab).public_path}
    responder = program.listen(settings | keys | {"server.workers": 1})

    def reload(count):
        for _ in range(count):
            since = len(responder.log)
            responder.reload(responder.settings)
            responder.wait_for_log("reloaded", since=since)
            support.success(responder.ask(support.states(finished_task)))

    reload(RELOADS // 4)
    before = memory.anonymous_kilobytes(responder)
    reload(RELOADS)
    assert memory.anonymous_kilobytes(responder) - before < 2 * RELOADS
    assert responder.stop() == 0


def test_requests_leave_no_memory_behind(program, lab, settings, finished_task):
    """Of each kind, and with tokens that are read anew each time: half a kilobyte for each round would be seen."""
    memory.skip_if_sanitized(program)
    key, stranger = jwt.Key(lab), jwt.Key(lab)
    kinds = [
        support.states(finished_task),
        support.states(finished_task, {"If-None-Match": '"another"'}),
        support.states(404_404),
        support.states("x"),
        support.states(finished_task, credentials=client.credentials(support.APP, "wrong", support.USER)),
        support.states(finished_task, credentials={"X-Bkapi-Authorization": '{"bk_app_code": [1, {"a": "b'}),
        support.states(finished_task, credentials={}, query=support.query_credentials() + "&bk_username=%zz"),
        gateway.asking(finished_task, key.token(gateway.claims(support.APP, support.USER))),
        gateway.asking(finished_task, key.token(gateway.claims(exp=1))),
        gateway.asking(finished_task, key.token(gateway.claims(user={"username": "u", "verified": False}))),
        gateway.asking(finished_task, stranger.token(gateway.claims())),
        gateway.asking(finished_task, key.token(b'{"app": [')),
    ]
    responder = program.listen(settings | {"server.workers": 1, "auth.gateway": "on",
                                           "auth.gateway_key_main": key.public_path})

    def ask(rounds):
        with responder.connect() as connection:
            for _ in range(rounds):
                for variables in kinds:
                    connection.ask(variables)

    ask(ROUNDS // 4)
    before = memory.anonymous_kilobytes(responder)
    ask(ROUNDS)
    assert memory.anonymous_kilobytes(responder) - before < ROUNDS // 2
    assert responder.stop() == 0
