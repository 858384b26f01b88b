# SPDX-License-Identifier: MIT
"""POST /space/{space_id}/get_tasks_states/, the first call with a body: what BKFlow's get_tasks_states answers (its
apigw/views/get_tasks_states.py, apigw/serializers/task.py and task/views.py), and bad input."""

import json
import os
import re
import subprocess

import gateway
import pytest
import support
from lab import client, fcgi, jwt
from lab import responder as lab_responder
from test_groups import Group

MAX_REQUEST = 65536
ELSEWHERE = 2_000_000_001  # a space that does not exist
SUCCESS = re.compile(r'\{"result":true,"data":(\{.*\}),"message":"","code":"0","trace_id":"[A-Za-z0-9._-]+"\}')


def ask(responder, space_id, body, **others):
    return responder.ask(*support.space_batch(space_id, body, **others))


def states_of(response):
    """Task ids to states; the whole envelope is checked."""
    assert response.status == 200, response.raw
    match = SUCCESS.fullmatch(response.body.decode())
    assert match, response.body
    data = json.loads(match[1])
    assert all(list(entry) == ["state"] for entry in data.values())
    return {int(task_id): entry["state"] for task_id, entry in data.items()}


@pytest.fixture(scope="module")
def space(world):
    return world.space()


@pytest.fixture(scope="module")
def tasks(world, space):
    """Tasks by what is special about them, with the state that BKFlow tells, or None if it leaves them out."""
    def task(nodes=(), **columns):
        return world.task(nodes, **{"space_id": space, "template_id": None} | columns)

    return {
        "finished": (task([support.node(), support.node("a")]), "FINISHED"),
        "rolled up": (task([support.node(state="RUNNING"), support.node("a", state="FAILED")]), "FAILED"),
        "suspended": (task([support.node(state="RUNNING"), support.node("a", state="SUSPENDED")]), "NODE_SUSPENDED"),
        "revoked": (task([support.node(state="REVOKED")]), "REVOKED"),
        "not started": (task(is_started=False), "CREATED"),
        "no nodes": (task(), "CREATED"),
        "template of another application": (
            task([support.node()], template_id=world.template(support.OTHER_APP)), "FINISHED"),
        "large": (task([support.node(), *(support.node(f"n{i}") for i in range(2500))]), "FINISHED"),
    }


@pytest.fixture(scope="module")
def left_out(world, space):
    return {
        "unknown": 404_404,
        "of another space": world.task([support.node()], space_id=world.space()),
        "of another application's space": world.task([support.node()], space_id=world.space(support.OTHER_APP)),
        "deleted": world.task([support.node()], space_id=space, is_deleted=True),
        "expired": world.task([support.node()], space_id=space, is_expired=True),
    }


class TestAnswer:
    def test_the_state_of_each_root(self, standard, space, tasks, left_out):
        ids = [task_id for task_id, _state in tasks.values()]
        got = states_of(ask(standard, space, ids + list(left_out.values())))
        assert got == dict(tasks.values())
        assert list(got) == ids

    def test_a_task_whose_states_cannot_be_told(self, serve, world, space):
        """BKFlow's state is null where its engine fails."""
        rootless = world.task([support.node("orphan")], space_id=space)
        large = world.task([support.node(), support.node("a"), support.node("b")], space_id=space)
        good = world.task([support.node()], space_id=space)
        served = serve({"response.max_nodes": 2})
        assert states_of(ask(served, space, [rootless, large, good])) == {rootless: None, large: None, good: "FINISHED"}

    def test_nothing_to_tell(self, standard, space, left_out):
        assert states_of(ask(standard, space, [])) == {}
        assert states_of(ask(standard, space, list(left_out.values()))) == {}

    def test_an_id_that_comes_again_is_told_once(self, standard, space, tasks):
        finished, revoked = tasks["finished"][0], tasks["revoked"][0]
        got = ask(standard, space, [finished, revoked, finished, str(finished), revoked])
        assert list(states_of(got)) == [finished, revoked]
        assert got.body.count(b'"state"') == 2

    @pytest.mark.parametrize("body", [
        '{{"task_ids":[{0}]}}', '{{"task_ids":["{0}"]}}', '{{"task_ids":["00{0}"]}}', ' {{ "task_ids" :\r\n\t[ {0}\n ] }} ',
        '{{"bk_app_code":"nobody","task_ids":[{0}],"more":{{"task_ids":[1,[2,{{}}]]}}}}', '{{"task\\u005fids":[{0}]}}'])
    def test_forms_of_ids(self, standard, space, tasks, body):
        finished = tasks["finished"][0]
        assert states_of(ask(standard, space, body.format(finished).encode())) == {finished: "FINISHED"}

    @pytest.mark.parametrize("count", [1, 16, 17, 100])
    def test_any_number(self, standard, world, space, count):
        ids = [world.task([support.node()], space_id=space) for _ in range(count)]
        assert states_of(ask(standard, space, ids)) == {task_id: "FINISHED" for task_id in ids}

    def test_one_database(self, program, database):
        place = support.OneDatabase(database, "space_batch")
        world = support.World(place)
        space_id = world.space()
        ids = [world.task([support.node()], space_id=space_id, template_id=None) for _ in range(20)]
        responder = program.listen(lab_responder.settings_for(place))
        assert states_of(ask(responder, space_id, ids)) == {task_id: "FINISHED" for task_id in ids}
        assert responder.stop() == 0

    def test_by_a_gateways_token(self, serve, lab, world):
        key = jwt.Key(lab)
        served = serve({"auth.gateway": "on", "auth.gateway_key_main": key.public_path})
        space_id = world.space(gateway.APP)
        task_id = world.task([support.node()], space_id=space_id)
        headers = {"X-Bkapi-JWT": gateway.token(key, gateway.header(), gateway.claims())}
        assert states_of(ask(served, space_id, [task_id], headers=headers, credentials={})) == {task_id: "FINISHED"}

    def test_its_version(self, standard, database, world, space):
        ids = [world.task([support.node()], space_id=space) for _ in range(2)]
        before = ask(standard, space, ids)
        assert before.header("ETag") is None
        assert re.fullmatch("[0-9a-f]{32}", before.header("X-States-Version"))
        database.engine_sql(f"UPDATE eri_state SET name = 'FAILED' WHERE root_id = '{support.root_id(ids[1])}'")
        assert ask(standard, space, ids).header("X-States-Version") != before.header("X-States-Version")

    def test_plain_cgi(self, program, database, space, tasks):
        ids = [task_id for task_id, _state in tasks.values()]
        settings = lab_responder.settings_for(database)
        assert states_of(program.cgi(settings, *support.space_batch(space, ids))) == dict(tasks.values())
        variables, body = support.space_batch(space, ids)
        support.assert_error(program.cgi(settings, variables | {"CONTENT_LENGTH": str(len(body) - 3)}, body), 400, 40007)
        support.assert_error(program.cgi(settings, variables, body[:-3]), 400, 40007)
        for length in ({}, {"CONTENT_LENGTH": ""}):  # then the body ends where the input does
            unknown = {name: value for name, value in variables.items() if name != "CONTENT_LENGTH"} | length
            assert states_of(program.cgi(settings, unknown, body)) == dict(tasks.values())
            support.assert_error(program.cgi(settings, unknown), 400, 40007)
            support.assert_error(program.cgi(settings, unknown, b" " * (MAX_REQUEST + 1)), 413, 41301)
            whole = body + b" " * (MAX_REQUEST - len(body))
            assert states_of(program.cgi(settings, unknown, whole)) == dict(tasks.values())
        large = variables | {"CONTENT_LENGTH": str(MAX_REQUEST + 1)}
        support.assert_error(program.cgi(settings, large, b" " * (MAX_REQUEST + 1)), 413, 41301)

    def test_plain_cgi_with_an_input_that_does_not_end(self, program, database, space):
        """The body is awaited for client_timeout, and then it is what has come."""
        settings = lab_responder.settings_for(database, **{"server.client_timeout": "300ms"})
        variables, body = support.space_batch(space, [])
        unknown = {name: value for name, value in variables.items() if name != "CONTENT_LENGTH"}
        environment = unknown | {"BKFLOW_STATES_CONFIG": str(program.config(settings))}
        reading, writing = os.pipe()
        try:
            os.write(writing, body)
            done = subprocess.run([program.path], env=environment, stdin=reading, stdout=subprocess.PIPE, check=True)
        finally:
            os.close(reading)
            os.close(writing)
        assert b'"data":{}' in done.stdout


class TestRefusals:
    @pytest.mark.parametrize("ids", [[1], [], [404_404]])
    def test_the_space_comes_first(self, standard, world, ids):
        support.assert_error(ask(standard, ELSEWHERE, ids), 403, 40305)
        support.assert_error(ask(standard, world.space(support.OTHER_APP), ids), 403, 40306)

    def test_callers_are_authenticated_first(self, standard, space):
        for credentials, code in (({}, 40101), (client.credentials(support.APP, "wrong", support.USER), 40102),
                                  (client.credentials(support.APP, support.SECRET, "nobody"), 40103)):
            support.assert_error(ask(standard, space, [1], credentials=credentials), 401, code)
            support.assert_error(ask(standard, ELSEWHERE, [1], credentials=credentials), 401, code)

    def test_credentials_in_the_body_are_none(self, standard, space):
        body = json.dumps({"bk_app_code": support.APP, "bk_app_secret": support.SECRET, "bk_username": support.USER,
                           "task_ids": [1]}).encode()
        support.assert_error(ask(standard, space, body, credentials={}), 401, 40101)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", ""])
    def test_other_methods(self, standard, space, method):
        variables, body = support.space_batch(space, [1])
        response = standard.ask(variables | {"REQUEST_METHOD": method}, body)
        assert (response.status, response.header("Allow")) == (405, "POST")

    @pytest.mark.parametrize("path", ["/space/x/get_tasks_states/", "/space/0/get_tasks_states/", "/space/1/get_tasks_states//"])
    def test_other_paths(self, standard, path):
        variables, body = support.space_batch(1, [1])
        support.assert_error(standard.ask(variables | {"PATH_INFO": path}, body), 400, 40005)

    def test_it_cannot_wait(self, standard, space):
        assert "wait" in support.assert_error(ask(standard, space, [1], query="wait=1s"), 400, 40000)


NOT_JSON = [
    b"", b" ", b"x", b"null", b"[]", b"[1]", b"1", b'"x"', b'{"task_ids":[1]', b'{"task_ids":[1]}}', b'{"task_ids":[1]}x',
    b'{"task_ids":[1],"task_ids":[2]}', b'{"task_ids":[1],"task\\u005fids":[2]}', b'{"a":1,"a":2,"task_ids":[1]}',
    b'{"task_ids":[01]}', b'{"task_ids":[1,]}', b'{"task_ids":[,1]}', b"{'task_ids':[1]}", b'{"task_ids":[1]}\0',
    b'\xef\xbb\xbf{"task_ids":[1]}', b'{"task_ids":["\xff"]}', b'{"task_ids":[+1]}', b'{"task_ids":[1]/**/}',
    b'{"task_ids":' + b"[" * 9 + b"]" * 9 + b"}", b'{"task_ids":' + b"[" * 30000, b'{"a":' * 10000,
    b"{" + b",".join(b'"%d":0' % i for i in range(5000)) + b"}"]
NO_IDS = [
    b"{}", b'{"task_id":[1]}', b'{"Task_ids":[1]}', b'{"more":{"task_ids":[1]}}', b'{"task_ids":1}', b'{"task_ids":"1"}',
    b'{"task_ids":"1,2"}', b'{"task_ids":null}', b'{"task_ids":true}', b'{"task_ids":{"1":1}}', b'{"task_ids":[null]}',
    b'{"task_ids":[true]}', b'{"task_ids":[0]}', b'{"task_ids":[-1]}', b'{"task_ids":[1.0]}', b'{"task_ids":[1e3]}',
    b'{"task_ids":[[1]]}', b'{"task_ids":[{"id":1}]}', b'{"task_ids":[{}]}', b'{"task_ids":[""]}', b'{"task_ids":["x"]}',
    b'{"task_ids":["1,2"]}', b'{"task_ids":[" 1"]}', b'{"task_ids":["\\u0031"]}', b'{"task_ids":[1,""]}',
    b'{"task_ids":[9223372036854775808]}', b'{"task_ids":["9223372036854775808"]}', b'{"task_ids":[18446744073709551617]}',
    b'{"task_ids":[1' + b"0" * 400 + b"]}", b'{"task_ids":["\xef\xbc\x91"]}']


class TestBadInput:
    @pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: ascii(body[:30]))
    def test_no_json_object(self, standard, space, body):
        assert "JSON" in support.assert_error(ask(standard, space, body), 400, 40007)

    @pytest.mark.parametrize("body", NO_IDS, ids=lambda body: ascii(body[:40]))
    def test_no_ids(self, standard, space, body):
        assert "task_ids" in support.assert_error(ask(standard, space, body), 400, 40006)

    def test_too_many_ids(self, serve, standard, space):
        assert "more than 100" in support.assert_error(ask(standard, space, list(range(1, 102))), 400, 40006)
        support.assert_error(ask(standard, space, [7] * 101), 400, 40006)
        assert ask(serve({"response.max_tasks": 1000}), space, list(range(1, 1001))).status == 200

    @pytest.mark.parametrize("content_type", [
        "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8", "application/json ; a=b"])
    def test_content_types_of_json(self, standard, space, content_type):
        assert ask(standard, space, [], content_type=content_type).status == 200

    @pytest.mark.parametrize("content_type", [
        "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/json, text/plain",
        "text/json", "multipart/form-data; boundary=application/json", "application/problem+json", ";application/json"])
    def test_other_content_types(self, standard, space, content_type):
        response = ask(standard, space, [1], content_type=content_type)
        assert "Content-Type" in support.assert_error(response, 400, 40007)

    def test_no_content_type(self, standard, space):
        variables, body = support.space_batch(space, [1])
        del variables["CONTENT_TYPE"]
        support.assert_error(standard.ask(variables, body), 400, 40007)

    @pytest.mark.parametrize("length", [None, ""])
    def test_without_a_length_what_comes_is_the_body(self, standard, space, tasks, length):
        """As from a web server that was sent the body in chunks."""
        variables, body = support.space_batch(space, [tasks["finished"][0]])
        variables = {name: value for name, value in variables.items() if name != "CONTENT_LENGTH"}
        variables |= {} if length is None else {"CONTENT_LENGTH": length}
        assert states_of(standard.ask(variables, body)) == {tasks["finished"][0]: "FINISHED"}

    @pytest.mark.parametrize("length", ["0", "1", "-1", "x", "+19", "019", "18446744073709551635", "19 ", "0x13", "19,19"])
    def test_a_length_that_is_not_the_bodys(self, standard, space, length):
        variables, body = support.space_batch(space, [123])
        assert len(body) == 19
        response = standard.ask(variables | {"CONTENT_LENGTH": length}, body)
        assert "Content-Length" in support.assert_error(response, 400, 40007)

    def test_sizes(self, standard, space):
        body = json.dumps({"task_ids": []}).encode()
        assert ask(standard, space, body + b" " * (MAX_REQUEST - len(body))).status == 200
        support.assert_error(ask(standard, space, body + b" " * (MAX_REQUEST + 1 - len(body))), 413, 41301)
        support.assert_error(ask(standard, space, b"x" * 5_000_000), 413, 41301)

    def test_the_body_in_any_pieces(self, standard, space, tasks):
        variables, body = support.space_batch(space, [task_id for task_id, _state in tasks.values()])
        for size in (1, 7, len(body)):
            pieces = [body[at:at + size] for at in range(0, len(body), size)]
            with standard.connect() as connection:
                connection.send(fcgi.begin() + fcgi.stream(fcgi.PARAMS, fcgi.pairs(variables)))
                for piece in pieces:
                    connection.send(fcgi.record(fcgi.STDIN, piece, padding=size % 5))
                connection.send(fcgi.record(fcgi.STDIN))
                assert states_of(connection.response()) == dict(tasks.values())

    def test_no_body_is_left_for_the_next_request(self, standard, space, tasks):
        """On a kept connection: neither the body nor a part of it."""
        variables, body = support.space_batch(space, [tasks["finished"][0]])
        empty = {name: value for name, value in variables.items() if name != "CONTENT_LENGTH"}
        with standard.connect() as connection:
            for _ in range(3):
                connection.send(fcgi.request(variables, body, keep=True))
                assert states_of(connection.response()) == {tasks["finished"][0]: "FINISHED"}
                connection.send(fcgi.request(empty, keep=True))
                support.assert_error(connection.response(), 400, 40007)


def test_in_a_group(program, database, space, tasks, finished_task):
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    ids = [task_id for task_id, _state in tasks.values()]
    requests = [support.space_batch(space, ids), (support.states(finished_task), b""),
                support.space_batch(ELSEWHERE, ids), support.space_batch(space, ids[::-1]),
                (support.space_states(space, ids[0]), b""), support.space_batch(space, b"x"),
                (support.batch([finished_task]), b"")]
    for _ in range(3):
        got = Group(responder, len(requests)).ask(*[fcgi.request(variables, body, keep=True) for variables, body in requests])
        assert [response.status for response in got] == [200, 200, 403, 200, 200, 400, 200]
        assert states_of(got[0]) == states_of(got[3]) == dict(tasks.values())
    assert responder.stop() == 0
