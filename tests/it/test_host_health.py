# SPDX-License-Identifier: MIT
"""A host is well if it answers the statements that requests need, and what each of its errors means.

A proxy stands before the preferred host and fails as no real server can be made to."""

import re

import pressure
import pytest
import support
from lab import client, dbms, mariadb, mysql_proxy, scratch
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
    return support.start_server_with(lab, f"health-{address}", TASK, CHILDREN[address], port=port, address=address)


@pytest.fixture
def proxy(servers, port):
    with mysql_proxy.Proxy(servers[PREFERRED], port, PREFERRED) as running:
        yield running


def settings(port, *names, **others):
    """With more workers than requests at a time: on a slow machine, none is refused for want of one."""
    return {"database.host": ", ".join(names), "database.port": port, "database.user": mariadb.RESPONDER_USER,
            "database.password": mariadb.RESPONDER_PASSWORD, "database.name": mariadb.DATABASE,
            "auth.failure_limit": 0, "server.workers": 6} | others


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


@pytest.mark.parametrize("answer", [HANG_UP, *LASTING])
def test_a_host_that_fails_each_statement_is_left_until_it_answers_one(proxy, start, answer):
    """It takes connections, and DO 0, all the time."""
    proxy.fail_statements(answer if answer == HANG_UP else error(answer))
    responder = start(PREFERRED, SECOND)
    with pressure.Pressure(responder, TASK) as load:
        load.wait_for_calm(100)
        assert {answer.children for answer in load.answers()} == {CHILDREN[SECOND]}
        assert is_ready(responder)
        proxy.heal()
        load.wait_for(comes_from(PREFERRED))
        load.wait_for_calm()
    assert {answer.status for answer in load.answers()} == {200}
    assert (responder.log.count(BEGINS), responder.log.count(ENDS)) == (1, 1), responder.log


def test_a_host_whose_statements_hang_is_left_until_it_answers_one(proxy, start):
    """As with a disk that has stalled: handshake and DO 0 go through."""
    responder = start(PREFERRED, SECOND, **{"database.query_timeout": "500ms"})
    with pressure.Pressure(responder, TASK) as load:
        load.wait_for(comes_from(PREFERRED))
        proxy.fail_statements(HANG)
        load.wait_for(comes_from(SECOND))
        responder.wait_for_log(BEGINS)
        load.wait_for_calm(200)  # longer than the prober waits for a statement
        assert is_ready(responder)
        known = len(load.answers())
        load.wait_for_calm(100)
        assert {answer.children for answer in load.answers()[known:]} == {CHILDREN[SECOND]}
        proxy.heal()
        load.wait_for(comes_from(PREFERRED))
    assert {answer.status for answer in load.answers()} <= {200, 504}
    assert (responder.log.count(BEGINS), responder.log.count(ENDS)) == (1, 1), responder.log


def test_a_single_host_that_fails_each_statement_is_told_and_not_ready(proxy, start):
    responder = start(PREFERRED)
    assert children_of(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]
    assert is_ready(responder)
    proxy.fail_statements(HANG_UP)
    for _ in range(5):
        support.assert_error(responder.ask(support.states(TASK)), 503, DOWN)
        assert not is_ready(responder)
    responder.wait_for_log(BEGINS)
    proxy.heal()
    wait_until(lambda: is_ready(responder))
    assert children_of(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]
    responder.wait_for_log(ENDS)
    assert (responder.log.count(BEGINS), responder.log.count(ENDS)) == (1, 1), responder.log
    # With its cause, and how often and how long.
    begin, end = [line for line in responder.log.splitlines() if BEGINS in line or ENDS in line]
    assert re.search(r"\berrno=\d+", begin) and PREFERRED in begin
    assert re.search(r"\bfailures=[1-9]", end) and re.search(r"\bms=\d", end) and PREFERRED in end


def test_a_session_that_cannot_be_set_up_is_waited_for_as_briefly_as_a_connection(proxy, start):
    responder = start(PREFERRED, SECOND, **{"database.query_timeout": "30s", "database.connect_timeout": "30s"})
    proxy.fail_statements(HANG, commands=[QUERY])
    started = scratch.run_time()
    assert children_of(responder.ask(support.states(TASK))) == CHILDREN[SECOND]
    assert scratch.run_time() - started < 15
    proxy.heal()


def test_an_operator_who_ends_a_statement_is_no_time_limit(servers, port, start):
    server = servers[SECOND]
    responder = start(SECOND, **{"database.query_timeout": "30s"})
    assert children_of(responder.ask(support.states(TASK))) == CHILDREN[SECOND]
    with server.locked("eri_state"):
        answer = support.in_background(responder, support.states(TASK))
        server.wait_until_held_up()
        for number in waiting_statements(server):
            server.sql(f"KILL QUERY {number}", None, force=True)
        server.wait_until_held_up()  # it is asked again, once
        for number in waiting_statements(server):
            server.sql(f"KILL QUERY {number}", None, force=True)
    support.assert_error(answer(), 503, DOWN)
    wait_until(lambda: responder.ask(support.states(TASK)).status == 200)


def waiting_statements(server):
    return [row[0] for row in server.sql(f"SELECT id FROM {dbms.PROCESSES} WHERE user = "
                                         f"'{mariadb.RESPONDER_USER}' AND state LIKE 'Waiting for%lock'", None)]


TABLES = ("account_user", "bkflow_states_app", "template_template", "task_taskinstance", "eri_state")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("is_split", [False, True], ids=["one-database", "two-databases"])
def test_ready_asks_what_requests_ask(servers, port, start, table, is_split):
    server = servers[SECOND]
    engine = {f"engine_{key}": value for key, value in settings(port, SECOND).items() if key.startswith("database.")}
    responder = start(SECOND, **(engine if is_split else {}))
    assert is_ready(responder)
    server.sql(f"RENAME TABLE {table} TO away")
    try:
        response = responder.ask(client.variables("/readyz"))
        support.assert_error(responder.ask(support.states(TASK)), 503, FAULT)
    finally:
        server.sql(f"RENAME TABLE away TO {table}")
    support.assert_error(response, 503, FAULT)
    assert is_ready(responder)
    assert children_of(responder.ask(support.states(TASK))) == CHILDREN[SECOND]


def test_ready_needs_no_table_that_requests_do_not_need(servers, start):
    server = servers[SECOND]
    responder = start(SECOND, **{"auth.user_table_check": "off"})
    server.sql("RENAME TABLE account_user TO away")
    try:
        assert is_ready(responder)
        assert children_of(responder.ask(support.states(TASK))) == CHILDREN[SECOND]
    finally:
        server.sql("RENAME TABLE away TO account_user")
