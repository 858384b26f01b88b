# SPDX-License-Identifier: MIT
"""What a request costs the database: round trips, indexes, nothing parsed, no transaction while sending."""

import observed
import pytest
import support
from lab import dbms, fcgi, mariadb
from lab import responder as lab_responder
from lab.scratch import wait_until

MANY = 400  # rows, so that reading a whole table would be dearer than any index
NODES = 30
COUNTERS = ("Com_stmt_prepare", "Com_stmt_execute", "Com_stmt_close", "Com_begin", "Com_set_option", "Com_change_db")


@pytest.fixture(scope="module")
def crowd(database, world):
    """Many applications, users, templates and tasks beside the ones asked about."""
    database.engine_sql(
        mariadb.insert("task_taskinstance", [
            {"id": 9_000_000 + i, "space_id": 1, "instance_id": support.root_id(9_000_000 + i),
             "template_id": 9_000_000 + i, "is_started": True, "is_finished": False, "is_revoked": False,
             "is_deleted": False, "is_expired": False} for i in range(MANY)]))
    database.sql(
        mariadb.insert("bkflow_states_app", [support.app_row(f"app{i}", f"secret{i}") for i in range(MANY)])
        + mariadb.insert("account_user", [{"username": f"user{i}", "is_active": True} for i in range(MANY)])
        + mariadb.insert("template_template", [{"id": 9_000_000 + i, "is_deleted": False, "bk_app_code": f"app{i}"}
                                               for i in range(MANY)]))
    for _ in range(20):
        world.task([support.node(), *(support.node(f"n{i}") for i in range(1, NODES))])
    database.sql("ANALYZE TABLE bkflow_states_app, account_user, template_template")
    database.engine_sql("ANALYZE TABLE task_taskinstance, eri_state")
    return world.task([support.node(), *(support.node(f"n{i}") for i in range(1, NODES))])


@pytest.fixture
def one_worker(program, database):
    """A responder with one connection to the database, which the test may watch."""
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    yield responder
    assert responder.stop() == 0


def status(database):
    rows = database.sql(f"SHOW GLOBAL STATUS WHERE Variable_name IN {COUNTERS}", None)
    return {name: int(value) for name, value in rows}


def cost(database, ask, count=10):
    """How often each counter rose per request."""
    before = status(database)
    for _ in range(count):
        ask()
    after = status(database)
    return {name: (after[name] - before[name]) / count for name in COUNTERS if after[name] != before[name]}


class TestRoundTrips:
    """Once a worker is warm: it is connected, and has prepared its statements."""

    def cost(self, database, responder, request, status_code=200):
        def ask():
            assert responder.ask(request).status == status_code
        ask()
        ask()
        return cost(database, ask)

    def test_four_for_a_task_under_way(self, database, one_worker, crowd):
        assert self.cost(database, one_worker, support.states(crowd)) == {"Com_stmt_execute": 4}

    def test_three_in_one_database(self, program, database):
        place = support.OneDatabase(database, "statements")
        request = support.states(support.World(place).task([support.node()]))
        responder = program.listen(lab_responder.settings_for(place, **{"server.workers": 1}))
        assert self.cost(database, responder, request) == {"Com_stmt_execute": 3}
        assert responder.stop() == 0

    def test_four_for_an_answer_that_the_client_knows(self, database, one_worker, crowd):
        tag = one_worker.ask(support.states(crowd)).header("ETag")
        request = support.states(crowd, {"If-None-Match": tag})
        assert self.cost(database, one_worker, request, 304) == {"Com_stmt_execute": 4}

    @pytest.mark.parametrize("columns, statements", [({"is_started": False}, 3), ({}, 4)])
    def test_where_there_are_no_nodes(self, database, world, one_worker, columns, statements):
        request = support.states(world.task(**columns))
        assert self.cost(database, one_worker, request) == {"Com_stmt_execute": statements}

    def test_three_more_for_each_level_of_subtasks(self, database, world, one_worker):
        """Links, tasks and nodes; of the last level, only its links."""
        task_id = world.task([support.node(), *(support.node(f"n{i}") for i in range(10))])
        request = support.states(task_id, query="subtasks=1")
        assert self.cost(database, one_worker, request) == {"Com_stmt_execute": 4 + 1}
        children = [world.subtask(task_id, f"n{i}", [support.node(), support.node("x")]) for i in range(10)]
        assert self.cost(database, one_worker, request) == {"Com_stmt_execute": 4 + 3 + 1}
        world.subtask(children[3], "x", is_started=False)
        assert self.cost(database, one_worker, request) == {"Com_stmt_execute": 4 + 3 + 2}

    @pytest.mark.parametrize("count, statements", [(1, 4), (16, 4), (17, 7), (100, 1 + 7 * 3)])
    def test_three_for_each_sixteen_of_several_tasks(self, database, world, one_worker, count, statements):
        """Tasks, templates and nodes; and callers once."""
        request = support.batch([world.task([support.node()]) for _ in range(count)])
        assert self.cost(database, one_worker, request) == {"Com_stmt_execute": statements}

    def test_one_more_for_each_large_task_of_several(self, database, world, one_worker):
        large = [world.task([support.node(), *(support.node(f"n{i}") for i in range(1200))]) for _ in range(3)]
        request = support.batch([*large, world.task([support.node()])])
        assert self.cost(database, one_worker, request)["Com_stmt_execute"] in (4 + 2, 4 + 3)

    def test_by_space(self, database, world, one_worker):
        """Callers, the space, tasks, nodes."""
        space_id = world.space()
        task_id = world.task([support.node()], space_id=space_id)
        request = support.space_states(space_id, task_id)
        assert self.cost(database, one_worker, request) == {"Com_stmt_execute": 4}
        refused = support.space_states(world.space(support.OTHER_APP), task_id)
        assert self.cost(database, one_worker, refused, 403) == {"Com_stmt_execute": 2}

    def test_three_for_an_application_that_may_not_see_it(self, database, world, one_worker):
        task_id = world.task([support.node()], template_id=world.template(support.OTHER_APP))
        assert self.cost(database, one_worker, support.states(task_id), 403) == {"Com_stmt_execute": 3}

    def test_one_for_a_wrong_secret(self, database, one_worker, crowd):
        request = support.states(crowd, credentials=support.client.credentials(support.APP, "wrong", support.USER))
        responder_limit = 8  # below failure_limit, with the two that warm up
        one_worker.ask(request)
        assert cost(database, lambda: one_worker.ask(request), responder_limit) == {"Com_stmt_execute": 1}

    def test_none_without_credentials(self, database, one_worker, crowd):
        assert self.cost(database, one_worker, support.states(crowd, credentials={}), 401) == {}


REFUSALS = {
    "unknown application": dict(code="nobody", secret=support.SECRET, status=401),
    "wrong secret": dict(secret="wrong", status=401),
    "disabled application": dict(code=support.DISABLED_APP, secret=support.DISABLED_SECRET, status=401),
    "unknown user": dict(user="nobody", status=401),
    "inactive user": dict(user=support.INACTIVE_USER, status=401),
    "unbound template": dict(app_code=None, status=403),
    "other application": dict(app_code=support.OTHER_APP, status=403),
}


@pytest.fixture
def watched(database, program):
    """A responder with one worker and no limit on failures, and what the server read for it."""
    with observed.counting(database):
        responder = program.listen(lab_responder.settings_for(
            database, **{"server.workers": 1, "auth.failure_limit": 0}))
        yield responder
        assert responder.stop() == 0


def rows_read(database, responder, request):
    """Rows read of each table, and the Handler counters of reading, for one request of a warm worker."""
    responder.ask(request)
    observed.forget_rows_read(database)
    before = handlers(database)
    answer = responder.ask(request)
    after = handlers(database)
    own = handlers(database)  # what looking at the counters costs
    counters = {name: after[name] - before[name] - (own[name] - after[name]) for name in after}
    tables = {table: count for (_database, table), count in observed.rows_read(database).items()}
    return answer.status, tables, counters


def handlers(database):
    rows = database.sql("SHOW GLOBAL STATUS LIKE 'Handler_read%'", None)
    return {name: int(value) for name, value in rows}


class TestNothingIsReadTooEarly:
    """Counted by the server, on a task with many nodes."""

    @pytest.fixture
    def ask(self, database, world, watched):
        def asked(code=support.APP, secret=support.SECRET, user=support.USER, app_code=support.APP, status=200):
            template_id = world.template(app_code)
            task_id = world.task([support.node(), *(support.node(f"n{i}") for i in range(1, NODES))],
                                 template_id=template_id)
            request = support.states(task_id, credentials=support.client.credentials(code, secret, user))
            got, tables, counters = rows_read(database, watched, request)
            assert got == status
            return tables, counters
        return asked

    def test_the_counters_see_what_a_good_request_reads(self, ask):
        tables, counters = ask()
        assert tables["eri_state"] == NODES
        assert tables["task_taskinstance"] == 1
        assert sum(counters.values()) >= NODES

    @pytest.mark.parametrize("name", REFUSALS)
    def test_a_refusal_reads_no_node(self, ask, name):
        tables, _counters = ask(**REFUSALS[name])
        assert "eri_state" not in tables

    @pytest.mark.parametrize("name", [name for name, case in REFUSALS.items() if case["status"] == 401])
    def test_a_caller_that_is_not_authenticated_reads_no_task(self, ask, name):
        tables, _counters = ask(**REFUSALS[name])
        assert "task_taskinstance" not in tables and "template_template" not in tables

    def test_an_unknown_application_and_a_wrong_secret_cost_the_same(self, ask):
        _tables, unknown = ask(**REFUSALS["unknown application"])
        _tables, wrong = ask(**REFUSALS["wrong secret"])
        assert unknown == wrong
        assert unknown["Handler_read_key"] > 0


SPACE_REFUSALS = {
    "unknown space": dict(app_code=None, status=403),
    "space of another application": dict(app_code=support.OTHER_APP, status=403),
}


class TestNothingIsReadTooEarlyBySpace:
    """The same for the space's call."""

    @pytest.fixture
    def ask(self, database, world, watched):
        def asked(secret=support.SECRET, app_code=support.APP, task="own", status=200):
            space_id = 2_000_000_009 if app_code is None else world.space(app_code)
            task_id = world.task([support.node(), *(support.node(f"n{i}") for i in range(1, NODES))],
                                 space_id=space_id if task == "own" else world.space())
            request = support.space_states(space_id, task_id, credentials=support.client.credentials(
                support.APP, secret, support.USER))
            got, tables, counters = rows_read(database, watched, request)
            assert got == status
            return tables, counters
        return asked

    def test_what_a_good_request_reads(self, ask):
        tables, _counters = ask()
        assert {name: int(tables[name]) for name in ("space_space", "task_taskinstance", "eri_state")} == {
            "space_space": 1, "task_taskinstance": 1, "eri_state": NODES}
        assert "template_template" not in tables

    def test_a_caller_that_is_not_authenticated_reads_no_space(self, ask):
        tables, _counters = ask(secret="wrong", status=401)
        assert not {"space_space", "task_taskinstance", "eri_state"} & set(tables)

    @pytest.mark.parametrize("name", SPACE_REFUSALS)
    def test_a_refused_space_reads_no_task(self, ask, name):
        tables, _counters = ask(**SPACE_REFUSALS[name])
        assert not {"task_taskinstance", "eri_state"} & set(tables)

    def test_unknown_spaces_and_those_of_others_cost_the_same(self, ask):
        (_tables, unknown), (_others, others) = (ask(**case) for case in SPACE_REFUSALS.values())
        assert unknown == others and unknown["Handler_read_key"] > 0

    def test_a_task_of_another_space_reads_no_node(self, ask):
        tables, _counters = ask(task="other", status=403)
        assert "eri_state" not in tables


@pytest.fixture
def plans(program, database, lab):
    """A function from a request to the plans with which the server ran its statements."""
    watch = observed.Plans(database, lab)
    watch.start()
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))

    def plans_of(request):
        responder.ask(request)  # connects and prepares
        before = watch.now()
        responder.ask(request)
        return watch.since(before)

    yield plans_of
    assert responder.stop() == 0
    watch.stop()


def assert_indexed(steps):
    """Every table of the product is entered by a key."""
    tables = [step for step in steps if not step.table.startswith(("<derived", "NULL"))]
    assert tables
    for step in tables:
        assert step.access in ("const", "eq_ref", "ref", "range"), steps
        assert step.key != "NULL", steps
        assert "filesort" not in step.extra and "temporary" not in step.extra, steps


class TestPlans:
    """Read from the server's own log of how it ran each statement."""

    def test_task_under_way(self, plans, crowd):
        steps = plans(support.states(crowd))
        assert_indexed(steps)
        assert [step.table for step in steps] == ["a", "u", "t", "p", "s"]
        assert [step.access for step in steps] == ["const", "const", "const", "const", "ref"]

    def test_subtasks(self, plans, world, crowd):
        assert crowd
        task_id = world.task([support.node(), support.node("a"), support.node("b")])
        for name in "ab":
            world.subtask(task_id, name, [support.node()])
        steps = plans(support.states(task_id, query="subtasks=1"))
        assert_indexed(steps)
        assert [step.table for step in steps] == ["a", "u", "t", "p", "s", "r", "t", "s", "r"]

    def test_by_space(self, plans, world, crowd):
        assert crowd
        space_id = world.space()
        steps = plans(support.space_states(space_id, world.task([support.node()], space_id=space_id)))
        assert_indexed(steps)
        assert [step.table for step in steps] == ["a", "u", "o", "t", "s"]

    def test_task_that_was_not_started(self, plans, world, crowd):
        assert crowd
        assert_indexed(plans(support.states(world.task(is_started=False))))

    def test_wrong_secret(self, plans, crowd):
        assert_indexed(plans(support.states(crowd, credentials=support.client.credentials(
            support.APP, "wrong", support.USER))))

    def test_nobody_by_that_name(self, plans, crowd):
        steps = plans(support.states(crowd, credentials=support.client.credentials("nobody", "wrong", "nobody")))
        assert {step.extra for step in steps} <= {"no matching row in const table", ""}  # looked up by a unique key

    def test_another_applications_task_reads_no_state(self, plans, world, crowd):
        assert crowd
        task_id = world.task([support.node()], template_id=world.template(support.OTHER_APP))
        assert_indexed(plans(support.states(task_id)))


def test_no_transaction_is_open_while_an_answer_is_sent(database, world, one_worker):
    """A client that reads slowly must not hold the database."""
    task_id = world.task([support.node(), *(support.node(f"n{i}") for i in range(1, 5_000))])
    support.success(one_worker.ask(support.states(task_id)))
    with one_worker.connect() as connection:
        connection.send(fcgi.request(support.states(task_id)))
        connection.record()  # it has begun, and cannot end before more is read
        wait_until(lambda: connections(database, "command <> 'Sleep'") == [])
        assert connections(database, "id IN (SELECT trx_mysql_thread_id FROM information_schema.innodb_trx)") == []
        assert len(connections(database, "TRUE")) >= 1
        assert connection.response().raw.endswith(b"}")


def connections(database, condition):
    return database.sql(f"SELECT id, command, state FROM {dbms.PROCESSES} "
                        f"WHERE user LIKE 'bkflow_states%' AND {condition}", None)


# Columns as another version of BKFlow, or an operator, may have made them.
OTHER_TYPES = (
    "ALTER TABLE eri_state MODIFY `loop` SMALLINT NOT NULL, MODIFY retry BIGINT UNSIGNED NOT NULL, "
    "MODIFY skip INT NOT NULL, MODIFY started_time TIMESTAMP(6) NULL, MODIFY version TEXT",
    "ALTER TABLE eri_state MODIFY node_id CHAR(33) NOT NULL, MODIFY id BIGINT UNSIGNED AUTO_INCREMENT",
    "ALTER TABLE task_taskinstance MODIFY is_started INT NOT NULL, MODIFY id INT AUTO_INCREMENT",
    "ALTER TABLE bkflow_states_app MODIFY is_enabled SMALLINT NOT NULL, MODIFY previous_expires_at DATETIME NULL",
)


def test_columns_of_other_types_give_the_same_answer(program, lab):
    """Altered while the responder runs, with all it needs prepared; and once more from the start."""
    server = mariadb.MariaDB(lab, "types").start()
    support.fill(server)
    task_id = support.World(server).task(
        [support.node(), support.node("step", loop=3, retry=2, skip=True), support.node("last", state="FAILED")])
    settings = lab_responder.settings_for(server, **{"server.workers": 1})
    responder = program.listen(settings)
    expected = support.success_text(responder.ask(support.states(task_id)))
    for change in OTHER_TYPES:
        server.sql(change)
        for _ in range(3):
            assert support.success_text(responder.ask(support.states(task_id))) == expected, change
    assert responder.stop() == 0
    fresh = program.listen(settings)
    assert support.success_text(fresh.ask(support.states(task_id))) == expected
    assert fresh.stop() == 0
    server.stop()
