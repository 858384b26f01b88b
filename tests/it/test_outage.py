# SPDX-License-Identifier: MIT
"""A database that is away, comes back, is slow, or stands on a second server."""

import threading
import time

import pytest
import support
from lab import client, mariadb, scratch
from lab import responder as lab_responder
from lab.scratch import wait_until

ENGINE_TABLES = ("task_taskinstance", "eri_state")


@pytest.fixture(scope="module")
def second(lab):
    """Another server with tables and accounts of its own; started and stopped by the tests."""
    server = mariadb.MariaDB(lab, "second", port=scratch.free_port()).start()
    support.fill(server)
    return server


@pytest.fixture(scope="module")
def second_world(second):
    return support.World(second)


def assert_unavailable(response):
    message = support.assert_error(response, 503, 50301)
    assert int(response.header("Retry-After")) >= 1
    for leak in ("sock", "SQL", "mysql", "bkflow_states"):
        assert leak not in message


def assert_recovers(responder, task_id):
    wait_until(lambda: responder.ask(support.states(task_id)).status != 503)
    support.success(responder.ask(support.states(task_id)))


def test_down_at_the_start_then_up_then_down_then_up(program, second, second_world):
    task_id = second_world.task([support.node()])
    second.stop()
    responder = program.listen(lab_responder.settings_for(second))
    assert_unavailable(responder.ask(support.states(task_id)))
    assert responder.ask(client.variables("/healthz")).status == 200
    assert responder.ask(client.variables("/readyz")).status == 503
    second.start()
    assert_recovers(responder, task_id)
    assert responder.ask(client.variables("/readyz")).status == 200
    second.stop()
    for _ in range(8):  # every worker has met it
        assert_unavailable(responder.ask(support.states(task_id)))
    second.start()
    assert_recovers(responder, task_id)
    assert responder.stop() == 0


def test_a_restart_between_two_requests_goes_unnoticed(program, second, second_world):
    """Connections that the server closed meanwhile are made anew within the request."""
    task_id = second_world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(second, **{"server.workers": 2}))
    for _ in range(8):
        support.success(responder.ask(support.states(task_id)))
    second.stop()
    second.start()
    for _ in range(8):
        support.success(responder.ask(support.states(task_id)))
    assert responder.stop() == 0


def test_idle_connections_are_given_back(program, second, second_world):
    """An account may have only a few, and others may need them."""
    task_id = second_world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(second, **{"server.workers": 2}))
    for _ in range(2):
        support.success(responder.ask(support.states(task_id)))
        assert second.connections()
        wait_until(lambda: second.connections() == [])
    assert responder.stop() == 0


def test_killed_connections_go_unnoticed(serve, database, finished_task):
    responder = serve({"server.workers": 2})
    for _ in range(8):
        support.success(responder.ask(support.states(finished_task)))
    assert database.kill_connections() > 0
    for _ in range(8):
        support.success(responder.ask(support.states(finished_task)))


def test_engine_tables_on_a_second_server(program, world, database, second, second_world):
    """Applications, users and templates here; tasks and states there, and only there."""
    task_id = 777_777
    second_world.task(id=task_id, instance_id=support.root_id(task_id), template_id=world.template())
    second_world.nodes(task_id, [support.node(), support.node("step")])
    engine = {f"engine_database.{key}": value for key, value in second.config().items()}
    responder = program.listen(lab_responder.settings_for(database) | engine)
    root = support.success(responder.ask(support.states(task_id)))
    assert len(root.value("children")) == 1
    support.assert_error(responder.ask(support.states(404_404)), 404, 40402)
    second.stop()
    assert_unavailable(responder.ask(support.states(task_id)))
    assert responder.ask(client.variables("/readyz")).status == 503
    second.start()
    assert_recovers(responder, task_id)
    assert responder.stop() == 0


class TestHosts:
    """[database] host: a list, tried in order."""

    def settings(self, second, hosts):
        access = second.config()
        del access["socket"]
        tcp = {"host": hosts, "port": second.port}
        return {f"database.{key}": value for key, value in (access | tcp).items()}

    @pytest.mark.parametrize("hosts", [
        "127.0.0.1", "127.0.0.9, 127.0.0.1", "127.0.0.1,127.0.0.9", "127.0.0.8,127.0.0.9,127.0.0.1",
    ])
    def test_the_first_that_answers_is_taken(self, program, second, second_world, hosts):
        task_id = second_world.task([support.node()])
        responder = program.listen(self.settings(second, hosts))
        support.success(responder.ask(support.states(task_id)))
        assert responder.stop() == 0

    def test_none_answers(self, program, second):
        responder = program.listen(self.settings(second, "127.0.0.8,127.0.0.9"))
        assert_unavailable(responder.ask(support.states(1)))
        assert responder.stop() == 0


def test_slow_query_is_cut(program, database, world):
    task_id = world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(database, **{"database.query_timeout": "500ms"}))
    support.success(responder.ask(support.states(task_id)))
    with database.locked("eri_state"):
        started = time.monotonic()
        support.assert_error(responder.ask(support.states(task_id)), 504, 50401)
        assert time.monotonic() - started > 0.4
    support.success(responder.ask(support.states(task_id)))
    assert responder.stop() == 0


def test_overload_is_told_at_once(program, database, world, finished_task):
    """All workers wait for the database: others get 503 soon, and what needs no database goes on."""
    waiting_task = world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 2}))
    with database.locked("eri_state"):
        waiting = support.hold_up(database, responder, support.states(waiting_task), 2)
        response = responder.ask(support.states(finished_task))
        assert responder.ask(client.variables("/healthz")).status == 200
        support.assert_error(response, 503, 50302)
        assert int(response.header("Retry-After")) >= 1
    for answer in waiting:
        support.success(answer())
    support.success(responder.ask(support.states(finished_task)))
    assert responder.stop() == 0


def test_an_overload_is_one_pair_of_log_lines(program, database, world, finished_task):
    """However many requests it refuses."""
    waiting_task = world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    with database.locked("eri_state"):
        waiting = support.hold_up(database, responder, support.states(waiting_task), 1)
        for _ in range(3):
            support.assert_error(responder.ask(support.states(finished_task)), 503, 50302)
    for answer in waiting:
        support.success(answer())
    responder.wait_for_log("info: no longer overloaded refused=3 ")
    assert responder.log.count("overloaded:") == responder.log.count("no longer overloaded") == 1
    assert responder.stop() == 0


def test_a_halt_is_no_overload(program, database, world, finished_task):
    """After a second in which the whole process stood still, the worker goes on, and nobody is told otherwise."""
    waiting_task = world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    with database.locked("eri_state"):
        waiting = support.in_background(responder, support.states(waiting_task))
        database.wait_until_held_up()
        with responder.service.frozen():
            other = support.in_background(responder, support.states(finished_task))
            time.sleep(1.2)
        time.sleep(0.2)  # two ticks
    support.success(waiting())
    support.success(other())
    assert responder.stop() == 0


def test_overload_is_over_at_once(program, database, world, finished_task):
    """From the first answer on, nobody else is told that all workers are waiting, however busy the spare one is."""
    waiting_task = world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    is_over = threading.Event()

    def keep_the_spare_busy():
        while not is_over.is_set():
            responder.ask(client.variables("/healthz"))

    asking = [threading.Thread(target=keep_the_spare_busy) for _ in range(2)]
    try:
        with database.locked("eri_state"):
            answer = support.in_background(responder, support.states(waiting_task))
            database.wait_until_held_up()
            for thread in asking:
                thread.start()
            support.assert_error(responder.ask(support.states(finished_task)), 503, 50302)
        support.success(answer())
        statuses = [responder.ask(support.states(finished_task)).status for _ in range(30)]
    finally:
        is_over.set()
    for thread in asking:
        thread.join()
    assert statuses == [200] * 30
    assert responder.stop() == 0


@pytest.mark.parametrize("revoked", ["account_user", "bkflow_states_app", "template_template", *ENGINE_TABLES])
def test_missing_grant_is_no_answer(program, second, second_world, revoked):
    """An operator's mistake: no state, no SQL in the answer, a line in the log."""
    task_id = second_world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(second))
    columns = ", ".join(f"`{row[0]}`" for row in second.sql(
        f"SELECT DISTINCT column_name FROM information_schema.column_privileges WHERE table_name = '{revoked}'"))
    privilege = f"SELECT ({columns})" if columns else "SELECT"
    second.sql(f"REVOKE {privilege} ON {revoked} FROM 'bkflow_states'@'%'")
    response = responder.ask(support.states(task_id))
    second.sql(f"GRANT {privilege} ON {revoked} TO 'bkflow_states'@'%'")
    assert response.status in (500, 503)
    assert response.json["result"] is False
    for leak in ("SELECT", revoked, "denied"):
        assert leak not in response.json["message"]
    assert "denied" in responder.log
    support.success(responder.ask(support.states(task_id)))
    assert responder.stop() == 0
