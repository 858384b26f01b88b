# SPDX-License-Identifier: MIT
"""What each error of a database host means.

A proxy stands before the preferred host and fails as no real server can be made to."""

import re

import pressure
import pytest
import support
from lab import client, mariadb, mysql_proxy, scratch
from lab.mysql_proxy import EXECUTE, HANG, HANG_UP, PREPARE, QUERY, error
from lab.scratch import wait_until

TASK = 666_666
PREFERRED, SECOND = "127.0.0.4", "127.0.0.5"
CHILDREN = {PREFERRED: 1, SECOND: 2}
DOWN, FAULT, LATE = 50301, 50303, 50401

BEGINS = "the database host fails"
ENDS = "the database host answers again"

# Each says that the connection, the statement's handle or this attempt is lost, and nothing about the next one.
PASSING = (1020, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1213, 1243, 1317, 1412, 1615, 1927, 2006, 2013, 2026, 3032,
           3169, 4031, 9001, 9006)
# Each says that this host fails, or refuses what another may not.
LASTING = (1037, 1040, 1041, 1044, 1047, 1142, 1146, 1203, 1226, 1461, 1820, 1877, 3032, 4711, 9001)


@pytest.fixture(scope="module")
def port():
    return scratch.free_port_of_all_addresses()


@pytest.fixture(scope="module")
def servers(lab, port):
    """The one behind the proxy, and the second host; a task has as many children as tell which one was asked."""
    return {address: start_server(lab, address, port if address == SECOND else None) for address in CHILDREN}


def start_server(lab, address, port):
    server = mariadb.MariaDB(lab, f"health-{address}", port=port, address=address).start()
    support.fill(server)
    world = support.World(server)
    world.task(id=TASK, instance_id=support.root_id(TASK))
    world.nodes(TASK, [support.node()] + [support.node(f"step {i}") for i in range(CHILDREN[address])])
    return server


@pytest.fixture
def proxy(servers, port):
    with mysql_proxy.Proxy(servers[PREFERRED], port, PREFERRED) as running:
        yield running


def settings(port, *names, **others):
    return {"database.host": ", ".join(names), "database.port": port, "database.user": mariadb.RESPONDER_USER,
            "database.password": mariadb.RESPONDER_PASSWORD, "database.name": mariadb.DATABASE,
            "auth.failure_limit": 0, "server.workers": 2} | others


@pytest.fixture
def start(program, port):
    """Starts a responder for these hosts; each has ended in order when the test is over."""
    started = []

    def starter(*names, **others):
        started.append(program.listen(settings(port, *names, **others)))
        return started[-1]

    yield starter
    for responder in started:
        assert responder.stop() == 0, responder.log


def children_of(response):
    return len(support.success(response).value("children"))


def is_ready(responder):
    return responder.ask(client.variables("/readyz")).status == 200


def comes_from(address):
    return lambda answer: answer.children == CHILDREN[address]


def fail_once(proxy, command, answer):
    """The next such command gets `answer`, later ones go through."""
    answers = [answer]
    proxy.follow(lambda asked, text: answers.pop() if asked == command and answers else None)
    return answers


@pytest.mark.parametrize("command", [PREPARE, EXECUTE], ids=["prepare", "execute"])
@pytest.mark.parametrize("code", PASSING)
def test_an_error_that_passes_costs_no_request(proxy, start, code, command):
    responder = start(PREFERRED, **{"server.workers": 1})
    left = fail_once(proxy, command, error(code))
    assert children_of(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]
    assert not left
    assert children_of(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]
