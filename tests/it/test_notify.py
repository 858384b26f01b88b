# SPDX-License-Identifier: MIT
"""What a service manager hears: sd_notify(3)'s datagrams, on a socket of the test's own."""

import contextlib
import socket
import time

import pytest
from lab import responder as lab_responder

TIMEOUT = 10


@pytest.fixture(params=["/", "@"], ids=["path", "abstract"])
def manager(request, lab):
    """The manager's socket, by a path or by an abstract name, and how NOTIFY_SOCKET names it."""
    path = str(lab.path("notify", ".sock"))
    name = path if request.param == "/" else "@" + path
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(name.replace("@", "\0"))
        listening.settimeout(TIMEOUT)
        yield listening, name


def heard(listening):
    """The next message but for the watchdog's."""
    while (message := listening.recv(4096).decode()) == "WATCHDOG=1":
        pass
    return message.split("\n")


def test_a_life(program, database, manager):
    listening, name = manager
    responder = program.listen(lab_responder.settings_for(database), env={"NOTIFY_SOCKET": name})
    assert heard(listening) == ["READY=1"]
    responder.service.send_signal(1)
    reloading, since = heard(listening)
    assert reloading == "RELOADING=1"
    assert since.startswith("MONOTONIC_USEC=") and int(since.partition("=")[2]) > 0
    assert heard(listening) == ["READY=1"]
    responder.service.send_signal(15)
    assert heard(listening) == ["STOPPING=1"]
    assert responder.stop() == 0


def test_the_watchdog_is_fed(program, database, manager):
    listening, name = manager
    responder = program.listen(lab_responder.settings_for(database),
                               env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"})
    assert heard(listening) == ["READY=1"]
    for _ in range(3):
        assert listening.recv(4096) == b"WATCHDOG=1"
    assert responder.stop() == 0


def test_the_watchdog_is_fed_no_more_often_than_it_needs(program, database, manager):
    """Twice in each of its intervals, here 2 s, and not at every tick."""
    listening, name = manager
    started = time.monotonic()
    responder = program.listen(lab_responder.settings_for(database),
                               env={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"})
    assert heard(listening) == ["READY=1"]
    for _ in range(3):
        assert listening.recv(4096) == b"WATCHDOG=1"
    assert time.monotonic() - started > 1.5
    assert responder.stop() == 0


def test_a_manager_that_does_not_listen_is_no_reason_to_fail(program, database, lab):
    responder = program.listen(lab_responder.settings_for(database),
                               env={"NOTIFY_SOCKET": str(lab.path("nobody", ".sock"))})
    assert responder.stop() == 0
