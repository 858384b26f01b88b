# SPDX-License-Identifier: MIT
"""Two failures in a row, of every kind, on every statement: each is answered as an error, the process lives, and the
next answer is right."""

import contextlib
import itertools

import pytest
import support
from lab import client, mariadb, scratch
from lab import responder as lab_responder

FAILED = {503, 504}
READS = ("bkflow_states_app", "account_user", "task_taskinstance", "template_template", "eri_state")
READER = f"'{mariadb.RESPONDER_USER}'@'%'"


class Served:
    """One server, and responders whose statements are those for one database and for two."""

    def __init__(self, lab, program):
        self.server = mariadb.MariaDB(lab, "failure-pairs").start()
        support.fill(self.server)
        world = support.World(self.server)
        started = world.task([support.node(), support.node("one")])
        waiting = world.task(is_started=False)
        # Asked in this order: each statement of a responder comes by at least once.
        self.requests = [support.states(started), support.states(waiting), client.variables("/readyz")]
        # Without a limit of the server's own for what hangs there.
        settings = lab_responder.settings_for(
            self.server, **{"server.workers": 1, "database.query_timeout": "200ms"})
        self.responders = [
            program.listen(settings),
            program.listen(settings | {"engine_database.connect_timeout": "9s"}),
        ]

    def statuses(self):
        """Of all requests to all responders, which are asked at the same time."""
        answers = [[] for _ in self.responders]
        for request in self.requests:
            waiting = [support.in_background(responder, request) for responder in self.responders]
            for seen, answer in zip(answers, waiting):
                seen.append(answer().status)
        return answers

    def wait_until_well(self):
        scratch.wait_until(lambda: all(set(seen) == {200} for seen in self.statuses()))

    def end(self):
        for responder in self.responders:
            assert responder.stop() == 0, responder.log
        self.server.stop()


@pytest.fixture(scope="module")
def served(lab, program):
    made = Served(lab, program)
    yield made
    made.end()


def for_each_table(statement):
    return ";".join(statement.format(table=table) for table in READS)


@contextlib.contextmanager
def changed(server, change, back):
    server.sql(change)
    yield
    server.sql(back)


def locked(server):
    """The server ends the statements."""
    return server.holding("LOCK TABLES " + ", ".join(f"{table} WRITE" for table in READS))


def frozen(server):
    """Our own time limit ends them."""
    return server.frozen()


@contextlib.contextmanager
def lost(server):
    server.kill()
    yield
    server.start()


@contextlib.contextmanager
def killed(server):
    """Connections are killed; new ones are refused."""
    server.sql(f"ALTER USER {READER} ACCOUNT LOCK", None)
    server.kill_connections()
    yield
    server.sql(f"ALTER USER {READER} ACCOUNT UNLOCK", None)


@contextlib.contextmanager
def revoked(server):
    server.sql(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {READER}")
    yield
    server.load_grants()


def altered(server):
    """Types that cannot be read."""
    return changed(server, for_each_table("CREATE TABLE kept_{table} LIKE {table};"
                                          "INSERT INTO kept_{table} SELECT * FROM {table};")
                   + "ALTER TABLE eri_state MODIFY `loop` TIME;"
                     "ALTER TABLE task_taskinstance MODIFY is_started VARCHAR(9);"
                     "ALTER TABLE template_template MODIFY is_deleted VARCHAR(9);",
                   for_each_table("DROP TABLE {table}; RENAME TABLE kept_{table} TO {table}"))


def missing(server):
    return changed(server, for_each_table("RENAME TABLE {table} TO away_{table}"),
                   for_each_table("RENAME TABLE away_{table} TO {table}"))


FAILURES = [locked, frozen, lost, killed, revoked, altered, missing]
PAIRS = list(itertools.product(FAILURES, repeat=2))


@pytest.mark.parametrize("first, second", PAIRS, ids=[f"{a.__name__}-{b.__name__}" for a, b in PAIRS])
def test_two_failures_in_a_row(served, first, second):
    served.wait_until_well()
    for failure in (first, second):
        with failure(served.server):
            for seen in served.statuses():
                assert seen[0] in FAILED, (failure.__name__, seen)
                assert set(seen) <= FAILED | {200}  # what is not touched may succeed
    served.wait_until_well()
