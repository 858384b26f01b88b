# SPDX-License-Identifier: MIT
"""GET /get_tasks_states_by_app/?task_ids=1,2,3: several tasks in one answer, each authorized by itself."""

import json
import re

import gateway
import pytest
import support
from lab import client, fcgi, jwt
from lab import responder as lab_responder
from lab.scratch import wait_until
from test_groups import Group
from test_metrics import scrape, value

LARGE = 2500  # nodes: more than a statement for several tasks brings
UNKNOWN = 404_404


def ask(responder, task_ids, query="", headers=None, **others):
    return responder.ask(support.batch(task_ids, query, headers, **others))


def data_of(response):
    return json.loads(support.success_text(response))


def alone(responder, task_id, **others):
    """The call for one task: what it says of a task, and its tree."""
    response = responder.ask(support.states(task_id, **others))
    if response.status != 200:
        body = response.json
        return {"code": body["code"], "message": body["message"]}, None
    tree = json.loads(support.success_text(response))
    return {"state": tree["state"], "version": response.header("X-States-Version")}, tree


@pytest.fixture(scope="module")
def mixed(world):
    """Tasks of every kind, by the name of the kind."""
    other = world.template(support.OTHER_APP)
    return {
        "finished": world.task([support.node(), support.node("a"), support.node("b")]),
        "rolled up": world.task([support.node(state="RUNNING"), support.node("a", state="FAILED")]),
        "odd state": world.task([support.node(state='a"\u6d41')]),
        "unknown": UNKNOWN,
        "largest id": 2**63 - 1,
        "other application": world.task([support.node()], template_id=other),
        "application in other case": world.task([support.node()], template_id=world.template(support.APP.upper())),
        "unbound": world.task([support.node()], template_id=world.template(None)),
        "without template": world.task([support.node()], template_id=None),
        "template deleted": world.task([support.node()], template_id=world.template(is_deleted=True)),
        "deleted": world.task([support.node()], is_deleted=True),
        "expired": world.task([support.node()], is_expired=True),
        "not started": world.task(is_started=False),
        "created": world.task(),
        "without root": world.task([support.node("orphan")]),
        "large": world.task([support.node(), *(support.node(f"n{i}") for i in range(1, LARGE))]),
        "also large": world.task([support.node(), *(support.node(f"n{i}") for i in range(1, LARGE))]),
        "another": world.task([support.node()]),
        "one more": world.task([support.node(state="REVOKED")]),
    }


def check_all(responder, tasks, **others):
    """Each entry says what the call for the task alone does, in the order asked."""
    task_ids = list(tasks.values())
    response = ask(responder, task_ids, **others)
    data = data_of(response)
    assert list(data) == [str(task_id) for task_id in task_ids]
    for kind, task_id in tasks.items():
        entry, _tree = alone(responder, task_id, **others)
        assert data[str(task_id)] == entry, kind
    return data


class TestEntries:
    def test_all_kinds(self, standard, mixed):
        data = check_all(standard, mixed)
        assert {entry.get("code", 0) for entry in data.values()} == {
            0, 40301, 40302, 40303, 40402, 40403, 50002}

    def test_in_any_order(self, standard, mixed):
        check_all(standard, dict(reversed(mixed.items())))

    def test_in_chinese(self, standard, mixed):
        small = {kind: mixed[kind] for kind in ("finished", "unknown", "other application", "unbound")}
        data = check_all(standard, small, headers={"blueking-language": "zh-cn"})
        assert data[str(UNKNOWN)]["message"] == f"任务不存在，task_id={UNKNOWN}"

    def test_one_database(self, program, database):
        place = support.OneDatabase(database, "batch")
        world = support.World(place)
        tasks = {str(i): world.task([support.node(state="RUNNING"), support.node(f"n{i}", state="FAILED")])
                 for i in range(20)}
        responder = program.listen(lab_responder.settings_for(place))
        check_all(responder, tasks | {"other": world.task(template_id=world.template("x")), "unknown": UNKNOWN})
        assert responder.stop() == 0

    def test_by_a_gateways_token(self, serve, lab, world):
        key = jwt.Key(lab)
        served = serve({"auth.gateway": "on", "auth.gateway_key_main": key.public_path})
        tasks = [world.task([support.node()], template_id=world.template(app)) for app in (gateway.APP, support.APP)]
        headers = {"X-Bkapi-JWT": gateway.token(key, gateway.header(), gateway.claims())}
        data = data_of(ask(served, tasks, headers=headers, credentials={}))
        assert data[str(tasks[0])]["state"] == "FINISHED"
        assert data[str(tasks[1])]["code"] == 40303 and gateway.APP in data[str(tasks[1])]["message"]

    @pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 32, 33, 100])
    def test_any_number(self, standard, world, count):
        check_all(standard, {str(i): world.task([support.node()]) for i in range(count)})

    def test_ids_are_shown_as_numbers_are(self, standard, mixed):
        assert list(data_of(ask(standard, [f"000{mixed['finished']}"]))) == [str(mixed["finished"])]

    def test_more_nodes_than_max_nodes_in_one_task(self, serve, mixed):
        small = {kind: mixed[kind] for kind in ("finished", "rolled up", "large", "another", "not started")}
        data = check_all(serve({"response.max_nodes": 2}), small)
        assert {kind for kind in small if data[str(small[kind])].get("code") == 50003} == {"finished", "large"}

    def test_all_together_may_have_more(self, serve, world):
        """Without nodes=1, none is kept."""
        tasks = {str(i): world.task([support.node(), *(support.node(f"n{k}") for k in range(9))]) for i in range(40)}
        assert "code" not in str(check_all(serve({"response.max_nodes": 10}), tasks))

    def test_wrong_callers_get_nothing(self, standard, mixed):
        ids = list(mixed.values())
        for credentials, code in (({}, 40101), (client.credentials(support.APP, "wrong", support.USER), 40102),
                                  (client.credentials(support.APP, support.SECRET, "nobody"), 40103)):
            support.assert_error(ask(standard, ids, credentials=credentials), 401, code)


class TestNodes:
    def test_trees_are_those_of_single_answers(self, standard, mixed):
        data = data_of(ask(standard, mixed.values(), "nodes=1"))
        for kind, task_id in mixed.items():
            entry, tree = alone(standard, task_id)
            assert data[str(task_id)] == (entry if tree is None else entry | {"states": tree}), kind
            if tree is not None:
                assert list(data[str(task_id)]) == ["state", "version", "states"]

    def test_nodes_of_all_are_limited_together(self, serve, world):
        tasks = [world.task([support.node(), support.node("a")]) for _ in range(20)] + [world.task()]
        assert ask(serve({"response.max_nodes": 40}), tasks, "nodes=1").status == 200
        few = serve({"response.max_nodes": 39})
        assert "nodes=1" in support.assert_error(ask(few, tasks, "nodes=1"), 500, 50003)
        assert ask(few, tasks).status == 200
        assert ask(few, tasks, "nodes=0").status == 200

    def test_a_large_answer_is_complete(self, standard, world):
        tasks = [world.task([support.node(), *(support.node(f"n{i}") for i in range(1, 300))]) for _ in range(60)]
        data = data_of(ask(standard, tasks, "nodes=1"))
        assert all(len(entry["states"]["children"]) == 299 for entry in data.values())


class TestTagAndVersion:
    def test_304_and_head(self, standard, mixed):
        ids = [mixed["finished"], mixed["unbound"], mixed["not started"]]
        for query in ("", "nodes=1"):
            first = ask(standard, ids, query)
            tag, version = first.header("ETag"), first.header("X-States-Version")
            assert re.fullmatch("[0-9a-f]{32}", version)
            known = ask(standard, ids, query, {"If-None-Match": tag})
            assert (known.status, known.body, known.header("X-States-Version")) == (304, b"", version)
            head = ask(standard, ids, query, method="HEAD")
            assert (head.status, head.body, head.header("ETag")) == (200, b"", tag)
            assert head.header("X-States-Version") == version

    def test_the_tag_is_of_what_is_shown(self, standard, mixed):
        ids = [mixed["finished"], mixed["unbound"]]
        tags = [ask(standard, *request).header("ETag") for request in (
            (ids,), (ids, "nodes=1"), (ids[:1],), (ids[::-1],), (ids, "", {"blueking-language": "zh-cn"}))]
        assert len(set(tags)) == len(tags)
        assert ask(standard, ids).header("ETag") == ask(standard, ids, "nodes=0").header("ETag") == tags[0]

    def test_only_the_clock_moves(self, standard, world):
        """A running task: its elapsed time is shown with nodes=1 only, and is no change of its states."""
        ids = [world.task([support.node(state="RUNNING", archived=None)])]
        plain, nodes = ask(standard, ids), ask(standard, ids, "nodes=1")
        wait_until(lambda: ask(standard, ids, "nodes=1").header("ETag") != nodes.header("ETag"))
        assert ask(standard, ids).header("ETag") == plain.header("ETag")
        versions = {ask(standard, ids, query).header("X-States-Version") for query in ("", "nodes=1")}
        assert versions == {plain.header("X-States-Version")}

    @pytest.mark.parametrize("change", [
        "UPDATE eri_state SET name = 'FAILED' WHERE root_id = '{root}'", "UPDATE eri_state SET retry = 3 WHERE root_id = '{root}'",
        "UPDATE task_taskinstance SET is_deleted = 1 WHERE instance_id = '{root}'",
        "UPDATE task_taskinstance SET template_id = NULL WHERE instance_id = '{root}'"])
    def test_any_change_is_one(self, standard, database, world, change):
        ids = [world.task([support.node()]) for _ in range(20)]
        before = ask(standard, ids)
        database.engine_sql(change.format(root=support.root_id(ids[17])))
        after = ask(standard, ids, "", {"If-None-Match": before.header("ETag")})
        assert after.status == 200
        assert after.header("X-States-Version") != before.header("X-States-Version")


BAD_IDS = [
    "", "0", "x", "1,", ",1", "1,,2", "1, 2", " 1", "1;2", "-1", "+1", "1.0", "1e3", "0x1", "1,1", "1,2,01", str(2**63),
    "9" * 40, "[1]", "\uff11", "1%00", "1%0a", "null", "1%2C1", ",".join(map(str, range(1, 102)))]


class TestBadInput:
    @pytest.mark.parametrize("task_ids", BAD_IDS, ids=lambda text: ascii(text[:20]))
    def test_task_ids(self, standard, task_ids):
        assert "task_ids" in support.assert_error(ask(standard, [task_ids]), 400, 40006)

    def test_missing(self, standard):
        for query in ("", "task_id=1", "Task_ids=1"):
            response = standard.ask(client.variables("/get_tasks_states_by_app/", headers=support.GOOD, query=query))
            assert "missing" in support.assert_error(response, 400, 40006)

    @pytest.mark.parametrize("query", ["task_ids=2", "nodes=2", "nodes=", "nodes=1&nodes=1", "nodes=true"])
    def test_other_parameters(self, standard, query):
        support.assert_error(ask(standard, [1], query), 400, 40000)

    @pytest.mark.parametrize("query", ["failed=1", "subtasks=1", "x=%zz", "failed=5"])
    def test_what_is_of_no_use_is_ignored(self, standard, mixed, query):
        assert data_of(ask(standard, [mixed["finished"]], query)) == data_of(ask(standard, [mixed["finished"]]))

    def test_the_configured_number(self, serve):
        few = serve({"response.max_tasks": 3})
        assert ask(few, [1, 2, 3]).status == 200
        assert "more than 3" in support.assert_error(ask(few, [1, 2, 3, 4]), 400, 40006)
        many = serve({"response.max_tasks": 1000, "server.max_request_bytes": "64k"})
        ids = [9_000_000_000_000_000_000 + i for i in range(1000)]
        assert len(data_of(ask(many, ids))) == 1000

    @pytest.mark.parametrize("method", ["POST", "PUT", ""])
    def test_methods(self, standard, method):
        response = ask(standard, [1], method=method)
        support.assert_error(response, 405, 40501)
        assert response.header("Allow") == "GET, HEAD"

    @pytest.mark.parametrize("path", ["/get_tasks_states_by_app/1", "/get_tasks_states_by_app//", "/get_tasks_states"])
    def test_paths(self, standard, path):
        support.assert_error(standard.ask(client.variables(path, headers=support.GOOD, query="task_ids=1")), 404, 40401)


class TestFailures:
    @pytest.fixture
    def one_worker(self, program, database):
        responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
        yield responder
        assert responder.stop() == 0, responder.log

    def test_a_failing_statement_is_the_whole_calls_failure(self, database, one_worker, mixed):
        ids = [mixed["unknown"], mixed["finished"]]
        database.engine_sql("RENAME TABLE eri_state TO away")
        try:
            support.assert_error(ask(one_worker, ids), 503, 50303)
            support.assert_error(ask(one_worker, ids, "nodes=1"), 503, 50303)
            assert data_of(ask(one_worker, [mixed["unknown"], mixed["not started"]]))
        finally:
            database.engine_sql("RENAME TABLE away TO eri_state")
        check_all(one_worker, {"a": ids[0], "b": ids[1]})

    def test_a_statement_that_takes_too_long(self, program, database, finished_task):
        responder = program.listen(lab_responder.settings_for(
            database, **{"server.workers": 1, "database.query_timeout": "500ms", "engine_database.query_timeout": "500ms"}))
        with database.locked("eri_state"):
            support.assert_error(ask(responder, [finished_task]), 504, 50401)
        assert ask(responder, [finished_task]).status == 200
        assert responder.stop() == 0

    def test_a_client_that_vanishes(self, one_worker, mixed):
        ids = list(mixed.values())
        for query in ("", "nodes=1"):
            for _ in range(5):
                with one_worker.connect() as connection:
                    connection.send(fcgi.request(support.batch(ids, query)))
            check_all(one_worker, mixed)

    def test_defects_of_the_data_are_logged(self, one_worker, mixed):
        ask(one_worker, [mixed["without root"], mixed["unknown"]])
        wait_until(lambda: f"task_id={mixed['without root']} cause=no_root_row" in one_worker.log)
        assert f"task_id={UNKNOWN} cause" not in one_worker.log


class TestGroups:
    @pytest.fixture
    def alone(self, program, database):
        responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
        yield responder
        assert responder.stop() == 0, responder.log

    def test_beside_single_calls(self, alone, mixed, finished_task):
        requests = [support.states(finished_task), support.batch(mixed.values()),
                      support.states(mixed["large"]), support.batch(list(mixed.values())[::-1], "nodes=1"),
                      support.states(mixed["other application"]), support.batch([mixed["finished"]]),
                      support.batch(["x"]), client.variables("/healthz"),
                      support.states(finished_task, query="subtasks=1")]
        expected = [alone.ask(request) for request in requests]
        assert [response.status for response in expected] == [200, 200, 200, 200, 403, 200, 400, 200, 200]
        group = Group(alone, len(requests))
        got = group.ask(*requests)
        for before, after in zip(expected, got, strict=True):
            assert after.status == before.status
            if after.status == 200 and "data" in after.json:
                assert after.json["data"] == before.json["data"]

    def test_the_log_has_their_number(self, program, database, mixed):
        responder = program.listen(lab_responder.settings_for(
            database, **{"server.workers": 1, "log.access": "on", "log.slow": "1ms"}))
        ask(responder, [mixed["large"], mixed["also large"], mixed["finished"]])
        wait_until(lambda: "request trace_id=" in responder.log)
        [line] = [line for line in responder.log.splitlines() if "info: request trace_id=" in line]
        assert " tasks=3 " in line and " cause=ok " in line and "task_id" not in line
        assert responder.stop() == 0

    def test_rows_are_counted(self, alone, world):
        ids = [world.task([support.node(), support.node("a")]) for _ in range(20)]
        alone.ask(support.batch(ids))
        before = value(scrape(alone), "bkflow_states_rows_read_total")
        alone.ask(support.batch(ids))
        assert value(scrape(alone), "bkflow_states_rows_read_total") - before == 40
