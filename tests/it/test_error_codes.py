# SPDX-License-Identifier: MIT
"""Error numbers as real servers give them, each provoked on the server itself: what the program makes of it with one
host and with a second one. src/db/error_code.c has the table.

MariaDB and MySQL often differ in the number, which is why the log is searched for it."""

import contextlib
import re
import subprocess

import pytest
import support
from lab import dbms, mariadb, scratch
from lab.scratch import wait_until
from support import all_connections_taken, setting

TASK = 777_777
FIRST, SECOND = "127.0.0.6", "127.0.0.7"
CHILDREN = {FIRST: 1, SECOND: 2}
READER = f"'{mariadb.RESPONDER_USER}'@'%'"
DOWN, FAULT, LATE = 50301, 50303, 50401


@pytest.fixture(scope="module")
def port():
    return scratch.free_port_of_all_addresses()


@pytest.fixture(scope="module")
def servers(lab, port):
    """The first is mistreated, and left well again; a task has as many children as tell which one was asked."""
    return {address: support.start_server_with(lab, f"codes-{address}", TASK, CHILDREN[address], port=port, address=address)
            for address in CHILDREN}


@pytest.fixture
def first(servers):
    return servers[FIRST]


@pytest.fixture
def start(program, port):
    """Starts a responder for these hosts; each has ended in order when the test is over."""
    started = []

    def starter(*names, **others):
        started.append(program.listen({
            "database.host": ", ".join(names), "database.port": port, "database.user": mariadb.RESPONDER_USER,
            "database.password": mariadb.RESPONDER_PASSWORD, "database.name": mariadb.DATABASE,
            "auth.failure_limit": 0, "server.workers": 1} | others))
        return started[-1]

    yield starter
    for responder in started:
        assert responder.stop() == 0, responder.log


def ask(responder):
    return responder.ask(support.states(TASK))


def children_of(response):
    return len(support.success(response).value("children"))


def numbers_in(log):
    """Of all errors of the server or its library that the log names. The program's own is 0: no answer in time."""
    return {int(number) for number in re.findall(r"(?:errno=|database error )([1-9]\d*)", log)}


# ---- causes that last: context managers; a connection that exists goes on or not, as the cause has it ----


@contextlib.contextmanager
def limit_reached(server):
    with setting(server, f"ALTER USER {READER} WITH MAX_CONNECTIONS_PER_HOUR 1",
                 f"ALTER USER {READER} WITH MAX_CONNECTIONS_PER_HOUR 0; FLUSH USER_RESOURCES"):
        subprocess.run([*dbms.CLIENT, f"--socket={server.socket}", f"--user={mariadb.RESPONDER_USER}",
                        f"--password={mariadb.RESPONDER_PASSWORD}", "--execute=DO 0"], check=True, capture_output=True)
        yield


def no_prepared_statement_left(server):
    return setting(server, "SET GLOBAL max_prepared_stmt_count = 0", "SET GLOBAL max_prepared_stmt_count = 16382")


def offline(server):
    return setting(server, "SET GLOBAL offline_mode = 1", "SET GLOBAL offline_mode = 0")


def expired_at_login(server):
    return setting(server, ("" if dbms.IS_MYSQL else "SET GLOBAL disconnect_on_expired_password = 1;")
                   + f"ALTER USER {READER} PASSWORD EXPIRE", new_password())


@contextlib.contextmanager
def expired_at_statements(server):
    """The login is taken by servers that were started for it."""
    usual = server.options
    server.stop()
    server.options = (*usual, "--disconnect-on-expired-password=0")
    server.start()
    with setting(server, f"ALTER USER {READER} PASSWORD EXPIRE", new_password()):
        yield
    server.stop()
    server.options = usual
    server.start()


def new_password():
    return (("" if dbms.IS_MYSQL else "SET GLOBAL disconnect_on_expired_password = 0;")
            + f"ALTER USER {READER} IDENTIFIED BY '{mariadb.RESPONDER_PASSWORD}'")


def locked_account(server):
    return setting(server, f"ALTER USER {READER} ACCOUNT LOCK", f"ALTER USER {READER} ACCOUNT UNLOCK")


def another_password(server):
    return setting(server, f"ALTER USER {READER} IDENTIFIED BY 'another'", new_password())


@contextlib.contextmanager
def revoked(server):
    server.sql(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {READER}", None)
    try:
        yield
    finally:
        server.load_grants()


def no_table(server):
    return setting(server, "RENAME TABLE bkflow.eri_state TO bkflow.away", "RENAME TABLE bkflow.away TO bkflow.eri_state")


def no_column(server):
    return setting(server, "ALTER TABLE bkflow.eri_state RENAME COLUMN version TO away",
                   "ALTER TABLE bkflow.eri_state RENAME COLUMN away TO version")


def case(cause, code, mariadbs, mysqls, is_new=True):
    """`is_new`: the responder has no connection when the cause begins."""
    number = mysqls if dbms.IS_MYSQL else mariadbs
    server = "MySQL" if mariadbs is None else "MariaDB"
    marks = [pytest.mark.only_with(server, "the other cannot be made to")] if None in (mariadbs, mysqls) else []
    return pytest.param(cause, code, number, is_new, id=cause.__name__ + ("" if is_new else "-connected"), marks=marks)


LASTING = [
    case(all_connections_taken, DOWN, 1040, 1040),
    case(limit_reached, DOWN, 1226, 1226),
    case(no_prepared_statement_left, DOWN, 1461, 1461),
    case(offline, DOWN, None, 3032),
    case(offline, DOWN, None, 3032, is_new=False),
    case(expired_at_login, DOWN, 1862, 1862),
    case(expired_at_statements, DOWN, 1820, 1820),
    case(locked_account, DOWN, 4151, 3118),
    case(another_password, DOWN, 1045, 1045),
    case(revoked, DOWN, 1044, 1044),
    case(revoked, FAULT, 1142, 1142, is_new=False),
    case(no_table, FAULT, 1146, 1146),
    case(no_table, FAULT, 1146, 1146, is_new=False),
    case(no_column, FAULT, 1054, 1054),
    case(no_column, FAULT, 1054, 1054, is_new=False),
]


@pytest.mark.parametrize("cause, code, number, is_new", LASTING)
def test_one_host_fails_with_the_number_in_the_log(first, start, cause, code, number, is_new):
    responder = start(FIRST)
    if not is_new:
        assert children_of(ask(responder)) == CHILDREN[FIRST]
    with cause(first):
        support.assert_error(ask(responder), 503, code)
        wait_until(lambda: number in numbers_in(responder.log))
    wait_until(lambda: ask(responder).status == 200)


@pytest.mark.parametrize("cause, code, number, is_new", LASTING)
def test_a_second_host_answers_within_the_request(first, start, cause, code, number, is_new):
    responder = start(FIRST, SECOND)
    if not is_new:
        assert children_of(ask(responder)) == CHILDREN[FIRST]
    with cause(first):
        assert children_of(ask(responder)) == CHILDREN[SECOND], code
    wait_until(lambda: children_of(ask(responder)) == CHILDREN[FIRST])


# ---- statements that are ended ----


def test_a_lock_that_is_waited_for_too_long(first, start):
    """The server's own limit for locks, which is shorter than ours here."""
    with setting(first, "SET GLOBAL lock_wait_timeout = 1", "SET GLOBAL lock_wait_timeout = 86400"):
        responder = start(FIRST, **{"database.query_timeout": "30s"})
        with first.locked("eri_state"):
            support.assert_error(ask(responder), 504, LATE)
        wait_until(lambda: 1205 in numbers_in(responder.log))
        assert children_of(ask(responder)) == CHILDREN[FIRST]


def test_the_servers_time_limit(first, start):
    """max_statement_time or max_execution_time. The connection survives it, and the host is not to blame."""
    responder = start(FIRST, **{"database.query_timeout": "300ms"})
    assert children_of(ask(responder)) == CHILDREN[FIRST]
    before = first.connections()
    with first.locked("eri_state"):
        support.assert_error(ask(responder), 504, LATE)
    wait_until(lambda: (3024 if dbms.IS_MYSQL else 1969) in numbers_in(responder.log))
    assert children_of(ask(responder)) == CHILDREN[FIRST]
    assert "the database host fails" not in responder.log
    assert len(before) == 1


@pytest.mark.parametrize("how", ["KILL QUERY", "KILL"])
def test_a_statement_that_is_killed_is_sent_again_once(first, start, how):
    responder = start(FIRST, **{"database.query_timeout": "30s"})
    assert children_of(ask(responder)) == CHILDREN[FIRST]
    with first.locked("eri_state"):
        answer = support.in_background(responder, support.states(TASK))
        kill_waiting(first, how)
    assert children_of(answer()) == CHILDREN[FIRST]
    with first.locked("eri_state"):
        answer = support.in_background(responder, support.states(TASK))
        kill_waiting(first, how)
        kill_waiting(first, how)
    support.assert_error(answer(), 503, DOWN)
    ends = {"KILL QUERY": {1317}, "KILL": {1317, 1927, 2006, 2013, 3169}}[how]
    wait_until(lambda: numbers_in(responder.log))
    assert numbers_in(responder.log) <= ends, responder.log
    wait_until(lambda: ask(responder).status == 200)


def kill_waiting(server, how):
    """The statement that waits for the lock; returns when it has ended."""
    server.wait_until_held_up()
    ids = waiting(server)
    for number in ids:
        server.sql(f"{how} {number}", None, force=True)
    wait_until(lambda: not set(ids) & set(waiting(server)) or how == "KILL QUERY")


def waiting(server):
    return [row[0] for row in server.sql(f"SELECT id FROM {dbms.PROCESSES} WHERE user = '{mariadb.RESPONDER_USER}' "
                                         "AND state LIKE 'Waiting for%lock'", None)]


# ---- what costs nothing ----


CHANGES = [
    "ALTER TABLE bkflow.eri_state ADD COLUMN more INT, ALGORITHM=COPY",
    "ALTER TABLE bkflow.eri_state DROP COLUMN more, ALGORITHM=COPY",
    "ALTER TABLE bkflow.eri_state ENGINE=InnoDB",
    "ANALYZE TABLE bkflow.eri_state",
    "FLUSH TABLES",
]


def test_an_altered_table_costs_no_request(first, start):
    responder = start(FIRST)
    assert children_of(ask(responder)) == CHILDREN[FIRST]
    for change in CHANGES:
        first.sql(change, None)
        assert children_of(ask(responder)) == CHILDREN[FIRST], change
    assert not numbers_in(responder.log)


def test_a_read_only_server_answers(first, start):
    name = "super_read_only" if dbms.IS_MYSQL else "read_only"
    with setting(first, f"SET GLOBAL {name} = 1", f"SET GLOBAL {name} = 0, GLOBAL read_only = 0"):
        responder = start(FIRST)
        assert children_of(ask(responder)) == CHILDREN[FIRST]
    assert not numbers_in(responder.log)


def test_a_connection_that_was_idle_too_long_costs_no_request(first, start):
    """wait_timeout: MySQL tells so with an error, MariaDB just hangs up."""
    with setting(first, "SET GLOBAL wait_timeout = 1", "SET GLOBAL wait_timeout = 28800"):
        responder = start(FIRST)
        assert children_of(ask(responder)) == CHILDREN[FIRST]
        wait_until(lambda: not first.connections())
        assert children_of(ask(responder)) == CHILDREN[FIRST]
    assert not numbers_in(responder.log)
