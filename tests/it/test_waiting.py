# SPDX-License-Identifier: MIT
"""?wait=...&version=...: an answer that comes when the states change."""

import contextlib
import os
import signal
import time

import memory
import pytest
import support
from lab import client, fcgi, jwt, mariadb, mysql_proxy, scratch
from lab import responder as lab_responder
from lab.scratch import wait_until
from test_gateway import claims
from test_metrics import scrape, value

VERSION = "X-States-Version"
LONG = "10m"  # longer than any test may take


@pytest.fixture
def settings(database):
    return lab_responder.settings_for(database, **{"response.wait_max": LONG, "server.watch_interval": "50ms"})


@pytest.fixture
def responder(serve):
    return serve({"response.wait_max": LONG, "server.watch_interval": "50ms"})


@pytest.fixture
def task(world):
    return world.task([support.node(state="RUNNING", archived=None), support.node("a", state="RUNNING", archived=None)])


def version_of(responder, task, query="", **others):
    return responder.ask(support.states(task, query=query, **others)).header(VERSION)


def waiting(task, version, wait=LONG, **others):
    """The variables of a request that waits."""
    return support.states(task, query=f"wait={wait}&version={version}", **others)


def waits(responder, end):
    return value(scrape(responder), f'bkflow_states_waits_total{{end="{end}"}}')


def number_waiting(responder):
    return value(scrape(responder), "bkflow_states_waiting_requests")


class Guest:
    """Somebody who waits on a connection of its own."""

    def __init__(self, responder, variables, keep=False):
        self.connection = responder.connect()
        self.connection.send(fcgi.request(variables, keep=keep))

    def answer(self):
        answer = self.connection.response()
        self.connection.close()
        return answer


@contextlib.contextmanager
def guests(responder, count, variables, keep=False):
    """So many who wait, and really do."""
    before = number_waiting(responder)
    those = [Guest(responder, variables, keep) for _ in range(count)]
    wait_until(lambda: number_waiting(responder) == before + count)
    yield those
    wait_until(lambda: number_waiting(responder) == before)


def finish(database, task, name="a"):
    database.engine_sql("UPDATE eri_state SET name = 'FINISHED', archived_time = '2026-01-02 03:04:07' "
                        f"WHERE node_id = '{support.node_id(task, name)}'")


def retry(database, task, name="a"):
    database.engine_sql(f"UPDATE eri_state SET retry = retry + 1 WHERE node_id = '{support.node_id(task, name)}'")


class TestChange:
    """Whoever waits is answered because of a change, with the new states."""

    @pytest.mark.parametrize("change", [
        finish,
        retry,
        lambda database, task: database.engine_sql(
            f"UPDATE eri_state SET version = 'v2' WHERE node_id = '{support.node_id(task, 'a')}'"),
        lambda database, task: support.World(database).nodes(task, [support.node("b") | {"columns": {"id": 1}}]),
        lambda database, task: database.engine_sql(
            f"DELETE FROM eri_state WHERE node_id = '{support.node_id(task, 'a')}'"),
    ], ids=["a state", "a retry", "a node's version", "a new node", "a node less"])
    def test_is_seen(self, responder, database, task, change):
        version = version_of(responder, task)
        with guests(responder, 3, waiting(task, version)) as those:
            change(database, task)
            answers = [one.answer() for one in those]
        now = version_of(responder, task)
        assert now != version
        for answer in answers:
            support.success(answer)
            assert answer.header(VERSION) == now

    def test_of_another_task_answers_nobody(self, responder, database, world, task):
        other = world.task([support.node(), support.node("a")])
        with guests(responder, 1, waiting(task, version_of(responder, task))) as [one]:
            with guests(responder, 1, waiting(other, version_of(responder, other))) as [other_one]:
                finish(database, other, "")
                retry(database, other)
                support.success(other_one.answer())
            assert number_waiting(responder) >= 1
            finish(database, task)
            support.success(one.answer())

    def test_that_came_before_is_answered_at_once(self, responder, database, task):
        version = version_of(responder, task)
        finish(database, task)
        answer = responder.ask(waiting(task, version))
        assert support.success(answer) and answer.header(VERSION) != version

    @pytest.mark.parametrize("version", ["", "x", "%00", "0" * 32])
    def test_another_version_is_answered_at_once(self, responder, task, version):
        support.success(responder.ask(waiting(task, version)))

    def test_first_node_of_a_started_task(self, responder, world):
        task = world.task()
        with guests(responder, 1, waiting(task, version_of(responder, task))) as [one]:
            world.nodes(task, [support.node()])
            assert b'"children"' in one.answer().body

    def test_one_after_the_other(self, responder, database, task):
        version = version_of(responder, task)
        for _ in range(5):
            with guests(responder, 1, waiting(task, version)) as [one]:
                retry(database, task)
                answer = one.answer()
            support.success(answer)
            assert answer.header(VERSION) != version
            version = answer.header(VERSION)

    def test_ask_again_on_the_same_connection(self, responder, database, task):
        version = version_of(responder, task)
        with responder.connect() as connection:
            for _ in range(3):
                connection.send(fcgi.request(waiting(task, version), keep=True))
                wait_until(lambda: number_waiting(responder) > 0)
                retry(database, task)
                version = connection.response().header(VERSION)
            assert version == version_of(responder, task)


class TestSeveralTasks:
    """One request for several tasks waits for a change of any."""

    @staticmethod
    def ask(tasks, query=""):
        return client.variables("/get_tasks_states_by_app/", headers=support.GOOD,
                                query=f"task_ids={','.join(map(str, tasks))}{query}")

    def test_a_change_of_any(self, responder, database, world, task):
        tasks = [task, world.task([support.node()]), world.task(is_started=False), 9_999_999]
        for changed in tasks[:2]:
            version = responder.ask(self.ask(tasks)).header(VERSION)
            with guests(responder, 2, self.ask(tasks, f"&wait={LONG}&version={version}")) as those:
                retry(database, changed, "")
                for one in those:
                    answer = one.answer()
                    support.success(answer)
                    assert answer.header(VERSION) != version

    def test_one_that_is_started(self, responder, database, world, task):
        new = world.task(is_started=False)
        version = responder.ask(self.ask([task, new])).header(VERSION)
        with guests(responder, 1, self.ask([task, new], f"&wait={LONG}&version={version}")) as [one]:
            database.engine_sql(f"UPDATE task_taskinstance SET is_started = 1 WHERE id = {new}")
            world.nodes(new, [support.node()])
            assert one.answer().header(VERSION) != version

    def test_no_change(self, responder, task):
        """Not even where there is nothing to be seen."""
        for tasks in ([task], [9_999_998, 9_999_999]):
            version = responder.ask(self.ask(tasks)).header(VERSION)
            answer = responder.ask(self.ask(tasks, f"&wait=300ms&version={version}&nodes=1"))
            support.success(answer)
            assert answer.header(VERSION) == version


class TestEndOfWait:
    """Without a change the answer comes when the time is over."""

    def test_same_version(self, responder, task):
        version = version_of(responder, task)
        began = time.monotonic()
        answer = responder.ask(waiting(task, version, "300ms"))
        assert time.monotonic() - began >= 0.3
        support.success(answer)
        assert answer.header(VERSION) == version

    def test_not_modified(self, responder, finished_task):
        """The states of a task that is over; of a running one the clock is a change of the tag."""
        first = responder.ask(support.states(finished_task))
        answer = responder.ask(waiting(finished_task, first.header(VERSION), "100ms",
                                       headers={"If-None-Match": first.header("ETag")}))
        assert (answer.status, answer.body) == (304, b"")
        assert answer.header(VERSION) == first.header(VERSION)

    def test_head(self, responder, task):
        answer = responder.ask(waiting(task, version_of(responder, task), "100ms", method="HEAD"))
        assert (answer.status, answer.body) == (200, b"")

    def test_is_limited(self, serve, task):
        """By wait_max: nobody here would wait for an hour."""
        responder = serve({"response.wait_max": "200ms"})
        version = version_of(responder, task)
        answer = responder.ask(waiting(task, version, "1h"))
        support.success(answer)
        assert answer.header(VERSION) == version

    def test_wait_max_0(self, serve, task):
        responder = serve({"response.wait_max": "0"})
        before = waits(responder, "time")
        support.success(responder.ask(waiting(task, version_of(responder, task))))
        assert waits(responder, "time") == before


class TestClients:
    """What the client does meanwhile."""

    def test_hangs_up(self, responder, task):
        before = waits(responder, "gone")
        with guests(responder, 5, waiting(task, version_of(responder, task))) as those:
            for one in those:
                one.connection.close()
        assert waits(responder, "gone") == before + 5

    @pytest.mark.parametrize("keep", [True, False])
    def test_aborts(self, responder, task, keep):
        with guests(responder, 1, waiting(task, version_of(responder, task)), keep) as [one]:
            one.connection.send(fcgi.record(fcgi.ABORT_REQUEST))
            assert one.connection.record().type == fcgi.END_REQUEST
        if keep:
            support.success(one.connection.ask(support.states(task)))
        else:
            assert one.connection.is_closed_by_peer()

    @pytest.mark.parametrize("sent", [
        fcgi.record(fcgi.ABORT_REQUEST, request_id=2), fcgi.record(fcgi.ABORT_REQUEST, b"x"),
        fcgi.record(fcgi.ABORT_REQUEST, padding=8), fcgi.record(fcgi.STDIN), fcgi.record(8, b"x")],
        ids=["another request", "with content", "with padding", "a second end", "data"])
    def test_other_records_end_the_wait(self, responder, task, sent):
        with guests(responder, 1, waiting(task, version_of(responder, task)), keep=True) as [one]:
            one.connection.send(sent)
            support.success(one.connection.response())
        support.success(one.connection.ask(support.states(task)))

    def test_sends_half_a_record(self, responder, task):
        abort = fcgi.record(fcgi.ABORT_REQUEST)
        with guests(responder, 1, waiting(task, version_of(responder, task)), keep=True) as [one]:
            one.connection.send(abort[:3])
            support.success(one.connection.response())
        one.connection.send(abort[3:])
        support.success(one.connection.ask(support.states(task)))

    def test_sends_another_request(self, responder, task):
        """The first one is answered, then the next."""
        variables = waiting(task, version_of(responder, task))
        with guests(responder, 1, variables, keep=True) as [one]:
            one.connection.send(fcgi.request(support.states(task), request_id=2))
            support.success(one.connection.response(1))
            support.success(one.connection.response(2))

    def test_sends_another_request_at_once(self, responder, task):
        variables = waiting(task, version_of(responder, task))
        with responder.connect() as connection:
            connection.send(fcgi.request(variables, keep=True) + fcgi.request(support.states(task), request_id=2))
            support.success(connection.response(1))
            support.success(connection.response(2))

    def test_sends_garbage(self, responder, task):
        with guests(responder, 1, waiting(task, version_of(responder, task)), keep=True) as [one]:
            one.connection.send(b"\xff" * 100)
            support.success(one.connection.response())
            assert one.connection.is_closed_by_peer()
        assert responder.service.running


class TestCallers:
    """All checks are made again when the request is answered."""

    @pytest.fixture
    def application(self, database):
        """One of this test's own, with its good credentials."""
        database.insert("bkflow_states_app", [support.app_row("waiting_app", "s")])
        yield client.credentials("waiting_app", "s", support.USER)
        database.sql("DELETE FROM bkflow_states_app WHERE bk_app_code = 'waiting_app'")

    @pytest.fixture
    def template(self, world, application):
        return world.template("waiting_app")

    @pytest.fixture
    def task(self, world, template):
        return world.task([support.node(), support.node("a", state="RUNNING", archived=None)], template)

    @pytest.mark.parametrize("statement, status, code", [
        ("UPDATE bkflow_states_app SET is_enabled = 0 WHERE bk_app_code = 'waiting_app'", 401, 40102),
        ("UPDATE template_template SET bk_app_code = 'other_app' WHERE id = {template}", 403, 40303),
        ("UPDATE template_template SET is_deleted = 1 WHERE id = {template}", 404, 40403),
    ], ids=["a disabled application", "another binding", "a deleted template"])
    def test_lose_their_right(self, responder, database, application, template, task, statement, status, code):
        version = version_of(responder, task, credentials=application)
        with guests(responder, 2, waiting(task, version, credentials=application)) as those:
            database.sql(statement.format(template=template))
            finish(database, task)
            for one in those:
                support.assert_error(one.answer(), status, code)

    def test_a_token_ends_the_wait_and_is_not_refused_for_it(self, serve, lab, task):
        key = jwt.Key(lab)
        responder = serve({"response.wait_max": LONG, "auth.gateway": "on", "auth.leeway": "0",
                           "auth.gateway_key_main": key.public_path, "auth.gateway_default": "main"})
        answers = []
        for seconds in (3, 10, 60):  # a machine that stands still lets a token expire before it comes
            token = {"X-Bkapi-JWT": key.token(claims("waiting_app", exp=time.time() + seconds))}
            version = version_of(responder, task, credentials=token)
            answers.append(responder.ask(waiting(task, version, credentials=token)))
            if answers[-1].status == 200 and answers[-1].header(VERSION) == version:
                break
        support.success(answers[-1])

    def test_a_large_request_does_not_wait(self, responder, application, task):
        """It would have to be kept."""
        before = waits(responder, "no_room")
        variables = waiting(task, version_of(responder, task, credentials=application), credentials=application,
                            headers={"Cookie": "x" * 9000})
        support.success(responder.ask(variables))
        assert waits(responder, "no_room") == before + 1

    def test_half_of_the_places_are_for_one_application(self, program, settings, world, application, task):
        responder = program.listen(settings | {"server.waiting_max": 4})
        other = world.task([support.node()])
        version = version_of(responder, task, credentials=application)
        with guests(responder, 2, waiting(task, version, credentials=application)) as those:
            support.success(responder.ask(waiting(task, version, credentials=application)))
            assert waits(responder, "no_room") == 1
            with guests(responder, 2, waiting(other, version_of(responder, other))) as others:
                support.success(responder.ask(waiting(other, version_of(responder, other))))
                assert waits(responder, "no_room") == 2
                for one in others:
                    one.connection.close()
            with guests(responder, 1, waiting(other, version_of(responder, other))) as [one]:
                one.connection.close()
            for one in those:
                one.connection.close()
        assert responder.stop() == 0


class TestSubtasks:
    def test_changes_and_new_ones_are_seen(self, responder, database, world, task):
        child = world.subtask(task, "a", [support.node(), support.node("x", state="RUNNING", archived=None)])

        def wait_for(change):
            version = version_of(responder, task, "subtasks=1")
            variables = support.states(task, query=f"subtasks=1&wait={LONG}&version={version}")
            with guests(responder, 1, variables) as [one]:
                change()
                assert one.answer().header(VERSION) != version
        wait_for(lambda: retry(database, child, "x"))
        wait_for(lambda: retry(database, task, "a"))
        wait_for(lambda: world.subtask(child, "x", [support.node()]))

    def test_a_task_that_is_started(self, responder, database, world):
        """The answer is of its first node, or of the time before it, if somebody read then."""
        task = world.task(is_started=False)
        version = version_of(responder, task)
        with guests(responder, 1, waiting(task, version)) as [one]:
            database.engine_sql(f"UPDATE task_taskinstance SET is_started = 1 WHERE id = {task}")
            world.nodes(task, [support.node()])
            answer = one.answer()
        support.success(answer)
        assert answer.header(VERSION) != version


def test_one_database(program, database):
    place = support.OneDatabase(database, "waiting")
    world = support.World(place)
    responder = program.listen(lab_responder.settings_for(place, **{"server.watch_interval": "50ms"}))
    task = world.task([support.node()])
    with guests(responder, 1, waiting(task, version_of(responder, task))) as [one]:
        world.nodes(task, [support.node("b")])
        support.success(one.answer())
    assert responder.stop() == 0


class TestFaults:
    """What does not end a wait."""

    @pytest.fixture(scope="class")
    def server(self, lab):
        server = mariadb.MariaDB(lab, "waiting", port=scratch.free_port()).start()
        support.fill(server)
        return server

    @pytest.fixture(scope="class")
    def own_world(self, server):
        return support.World(server)

    @pytest.fixture
    def own_task(self, own_world):
        return own_world.task([support.node(), support.node("a")])

    @pytest.fixture
    def own(self, program, server, own_task):
        responder = program.listen(lab_responder.settings_for(server, **{
            "response.wait_max": LONG, "server.watch_interval": "50ms"}))
        yield responder
        assert responder.stop() == 0

    def test_reload(self, own, server, own_task):
        version = version_of(own, own_task)
        with guests(own, 3, waiting(own_task, version)) as those:
            for wait_max in ("10m", "0", "10m"):
                own.reload(own.settings | {"response.wait_max": wait_max})
                own.wait_for_log("reloaded")
            assert number_waiting(own) == 3
            retry(server, own_task)
            for one in those:
                assert one.answer().header(VERSION) != version

    @pytest.mark.parametrize("query", ["", "subtasks=1&"], ids=["watched", "read again meanwhile"])
    def test_a_database_that_is_restarted(self, own, server, own_task, query):
        version = version_of(own, own_task, query)
        variables = support.states(own_task, query=f"{query}wait={LONG}&version={version}")
        failures = "bkflow_states_watch_failures_total"
        with guests(own, 3, variables) as those:
            before = value(scrape(own), failures)
            server.stop()
            wait_until(lambda: value(scrape(own), failures) >= before + 2)
            if query:
                time.sleep(3)  # they are run again every two seconds
            assert number_waiting(own) == 3
            server.start()
            wait_until(lambda: value(scrape(own), "bkflow_states_watch_ticks_total") > 0)
            assert number_waiting(own) == 3
            retry(server, own_task)
            for one in those:
                answer = one.answer()
                support.success(answer)
                assert answer.header(VERSION) != version

    def test_a_change_while_the_database_is_away(self, own, server, own_task):
        version = version_of(own, own_task)
        with guests(own, 1, waiting(own_task, version)) as [one]:
            retry(server, own_task)
            server.stop()
            server.start()
            assert one.answer().header(VERSION) != version

    def test_a_statement_that_fails_for_good(self, program, server, own_task):
        """The watcher's, and no other: the answer comes when the wait ends, and one line in the log."""
        def rule(command, text):
            is_watchers = command == mysql_proxy.PREPARE and "BIT_XOR" in text
            return mysql_proxy.error(1142) if is_watchers else None
        port = scratch.free_port()
        server.log_in(mariadb.RESPONDER_USER)  # tests before this one start the server again
        with mysql_proxy.Proxy(server, port, "127.0.0.1") as proxy:
            proxy.follow(rule)
            reach = server.config() | {"host": "127.0.0.1", "port": port}
            del reach["socket"]
            responder = program.listen({f"database.{key}": text for key, text in reach.items()} | {
                "response.wait_max": LONG, "server.watch_interval": "50ms"})
            version = version_of(responder, own_task)
            with guests(responder, 1, waiting(own_task, version, LONG)) as [one]:
                wait_until(lambda: value(scrape(responder), "bkflow_states_watch_failures_total") >= 2)
                one.connection.close()
            support.success(responder.ask(waiting(own_task, version, "1s")))
            assert responder.log.count("changes cannot be watched") == 1
            assert responder.stop() == 0

    def test_a_database_that_does_not_answer(self, program, server, own_task):
        """Requests that are run again meanwhile would be answered 504, or 503 while all workers wait."""
        responder = program.listen(lab_responder.settings_for(server, **{
            "response.wait_max": LONG, "server.watch_interval": "50ms", "server.workers": 1,
            "database.query_timeout": "300ms"}))
        version = version_of(responder, own_task, "subtasks=1")
        errors = "bkflow_states_database_errors_total"
        with guests(responder, 3, support.states(own_task, query=f"subtasks=1&wait={LONG}&version={version}")) as those:
            with server.locked("eri_state"):
                before = value(scrape(responder), errors)
                wait_until(lambda: value(scrape(responder), errors) >= before + 5)
                assert number_waiting(responder) == 3
            retry(server, own_task)
            for one in those:
                assert one.answer().header(VERSION) != version
        assert responder.stop() == 0

    def test_killed_connections(self, own, server, own_task):
        version = version_of(own, own_task)
        with guests(own, 3, waiting(own_task, version)) as those:
            for _ in range(5):
                server.kill_connections()
                time.sleep(0.1)
            assert number_waiting(own) == 3
            retry(server, own_task)
            for one in those:
                assert one.answer().header(VERSION) != version

    def test_failover(self, program, lab):
        """Two servers with the same states: they stay, and changes of the second one are seen."""
        port, task = scratch.free_port(), 777_777
        first, second = (support.start_server_with(lab, f"waiting-{address}", task, 1, port=port, address=address)
                         for address in ("127.0.0.1", "127.0.0.2"))
        reach = first.config() | {"host": "127.0.0.1, 127.0.0.2", "port": port}
        del reach["socket"]
        responder = program.listen({f"database.{key}": text for key, text in reach.items()} | {
            "auth.failure_limit": 0, "response.wait_max": LONG, "server.watch_interval": "50ms"})
        version = version_of(responder, task)
        with guests(responder, 3, waiting(task, version)) as those:
            first.stop()
            support.success(responder.ask(support.states(task)))
            assert number_waiting(responder) == 3
            retry(second, task, "step 0")
            for one in those:
                assert one.answer().header(VERSION) != version
        assert responder.stop() == 0


def open_files(responder):
    return len(os.listdir(f"/proc/{responder.service.process.pid}/fd"))


class TestMany:
    COUNT = 400

    def test_others_are_served_meanwhile(self, program, settings, database, world, task):
        responder = program.listen(settings | {"server.workers": 2})
        other = world.task([support.node()])
        version = version_of(responder, task)
        with guests(responder, self.COUNT, waiting(task, version)) as those:
            for _ in range(50):
                support.success(responder.ask(support.states(other)))
            retry(database, task)
            for one in those:
                assert one.answer().header(VERSION) != version
        assert responder.stop() == 0

    def test_memory_and_descriptors_return(self, program, settings, task):
        memory.skip_if_sanitized(program)
        responder = program.listen(settings)
        version = version_of(responder, task)
        files, sizes = open_files(responder), []
        for _ in range(4):
            with guests(responder, self.COUNT, waiting(task, version)) as those:
                sizes.append(memory.anonymous_kilobytes(responder))
                for one in those:
                    one.connection.close()
            wait_until(lambda: open_files(responder) <= files + 8)  # connections to the database
        assert sizes[-1] <= sizes[0] + self.COUNT  # kilobytes: each needs about two while it waits
        assert responder.stop() == 0


class TestStop:
    """The process stops while requests wait."""

    def test_all_are_answered(self, program, settings, task):
        responder = program.listen(settings)
        version = version_of(responder, task)
        those = [Guest(responder, waiting(task, version)) for _ in range(50)]
        wait_until(lambda: number_waiting(responder) == 50)
        responder.service.send_signal(signal.SIGTERM)
        for one in those:
            answer = one.answer()
            support.success(answer)
            assert answer.header(VERSION) == version
        wait_until(lambda: not responder.service.running)
        assert responder.stop() == 0
        assert "requests unfinished" not in responder.log


class TestPlainCgi:
    def test_refuses(self, program, settings, task):
        answer = program.cgi(settings, waiting(task, "x"))
        support.assert_error(answer, 400, 40000, "Malformed request: wait is not possible in plain CGI")
        support.success(program.cgi(settings, waiting(task, "x", "0")))


def test_metrics_name_what_waits(responder, task):
    with guests(responder, 2, waiting(task, version_of(responder, task))) as those:
        assert value(scrape(responder), "bkflow_states_watched_tasks") >= 1
        for one in those:
            one.connection.close()


def test_only_states_can_wait(responder):
    for path in ("/healthz", "/readyz", "/metrics"):
        support.assert_error(responder.ask(client.variables(path, query="wait=1s")), 400, 40000)
