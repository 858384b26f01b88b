# SPDX-License-Identifier: MIT
"""Behind lighttpd and nginx, with the sample configurations that conf/ offers."""

import json
import urllib.parse

import pytest
import support
from lab import client, orderedjson, webserver
from lab import responder as lab_responder


@pytest.fixture(scope="module", params=["lighttpd", "nginx"])
def server(request, lab, serve):
    return webserver.WebServer(lab, request.param, serve().address)


@pytest.fixture(scope="module")
def nested_task(world):
    names = [("a", ""), ("b", "a"), ("c", "b"), ("d", "")]
    return world.task([support.node(), *(support.node(name, parent) for name, parent in names)])


def get(server, task_id, headers=None, credentials=None, **others):
    sent = (support.GOOD if credentials is None else credentials) | (headers or {})
    return server.get(client.states_path(task_id), sent, **others)


def test_nested_tree_arrives(server, standard, nested_task):
    """The very bytes that the responder sent."""
    same_id = {"X-Request-Id": "the-same-for-both"}
    status, headers, body = get(server, nested_task, same_id)
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert body == standard.ask(support.states(nested_task, same_id)).body
    root = orderedjson.parse(body).value("data")
    path = root
    for name in ("a", "b", "c"):
        path = path.value("children").value(support.node_id(nested_task, name))
    assert path.value("children") == []


def test_headers_arrive(server, nested_task):
    _status, headers, body = get(server, nested_task)
    assert headers.get_all("Cache-Control") == ["no-cache"]
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_all("X-Request-Id") == [json.loads(body)["trace_id"]]
    assert len(headers.get_all("ETag")) == 1


WRONG_SECRET = client.credentials(support.APP, "wrong", support.USER)
ERRORS = {
    40001: lambda world: dict(task_id="x"),
    40101: lambda world: dict(task_id=1, credentials={}),
    40102: lambda world: dict(task_id=1, credentials=WRONG_SECRET),
    40303: lambda world: dict(task_id=world.task(template_id=world.template("other_app"))),
    40302: lambda world: dict(task_id=world.task(template_id=world.template(None))),
    40402: lambda world: dict(task_id=404_404),
    40501: lambda world: dict(task_id=1, method="DELETE"),
    50002: lambda world: dict(task_id=world.task([support.node("orphan")])),
}


@pytest.mark.parametrize("code", ERRORS)
def test_errors_pass_through_untouched(server, world, code):
    status, headers, body = get(server, **ERRORS[code](world))
    assert status == code // 100
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["code"] == code


def test_unknown_path_is_answered_by_the_responder(server):
    status, _headers, body = server.get("/nowhere")
    assert (status, json.loads(body)["code"]) == (404, 40401)


def test_head(server, nested_task):
    same_id = {"X-Request-Id": "the-same-for-both"}
    _status, of_get, _body = get(server, nested_task, same_id)
    status, of_head, body = get(server, nested_task, same_id, method="HEAD")
    assert (status, body) == (200, b"")
    for name in ("ETag", "Content-Type", "Cache-Control", "X-Request-Id"):
        assert of_head[name] == of_get[name]


def test_not_modified(server, nested_task):
    _status, headers, _body = get(server, nested_task)
    status, again, body = get(server, nested_task, {"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")
    assert again["ETag"] == headers["ETag"]


def test_credentials_in_the_query(server, nested_task):
    path = client.states_path(nested_task) + "?" + support.query_credentials()
    status, _headers, body = server.get(path)
    assert status == 200, body


def test_query_stays_out_of_the_access_log(server):
    path = client.states_path(404_405)
    server.get(path + "?" + support.query_credentials())
    log = server.access_log_when(path)
    assert "bk_app_secret" not in log
    assert urllib.parse.quote_plus(support.SECRET) not in log


@pytest.mark.parametrize("raw", [b"%34%30%34", b"404%2Fx", b"%00", b"%0A1"], ids=ascii)
def test_escapes_in_the_path_reach_the_same_checks(server, raw):
    """Decoded or refused by the web server, never taken for another task."""
    status, _headers, _body = server.get(f"/task/{raw.decode()}/get_task_states_by_app/", support.GOOD)
    assert status in (400, 404)


def test_underscore_spelling_of_a_credential_header_does_not_smuggle(server, nested_task):
    """lighttpd makes one variable of both spellings, or refuses the second; nginx drops it."""
    wrong = client.authorization(support.APP, "wrong", support.USER)
    status, _headers, body = get(server, nested_task, {"X_Bkapi_Authorization": wrong})
    if server.service.name == "lighttpd":
        assert status == 400
        assert b"<html" in body or json.loads(body)["code"] == 40002
    else:
        assert status == 200
    status, _headers, body = get(server, nested_task, {"X_Bkapi_Authorization": support.GOOD["X-Bkapi-Authorization"]},
                                 credentials={"X-Bkapi-Authorization": wrong})
    assert status in (400, 401)


def test_large_answer_is_whole(server, standard, world):
    task_id = world.task([support.node(), *(support.node(f"step {i}") for i in range(10_000))])
    same_id = {"X-Request-Id": "the-same-for-both"}
    status, _headers, body = get(server, task_id, same_id)
    assert status == 200
    assert len(body) > 4_000_000
    support.assert_same(standard.ask(support.states(task_id, same_id)).body, body)


def test_many_requests_in_a_row(server, nested_task):
    """More than any pool of kept connections holds."""
    for _ in range(100):
        assert get(server, nested_task)[0] == 200


def test_metrics_see_the_clients_address(server):
    assert server.get("/metrics")[0] == 200


def test_answers_after_a_restart_of_the_responder(lab, program, database, nested_task):
    """Connections that the web server kept are gone with the old process."""
    settings = lab_responder.settings_for(database)
    first = program.listen(settings)
    nginx = webserver.WebServer(lab, "nginx", first.address)
    for _ in range(4):
        assert get(nginx, nested_task)[0] == 200
    assert first.stop() == 0
    second = program.listen(settings | {"server.listen": f"unix:{first.address}"})
    for _ in range(8):
        assert get(nginx, nested_task)[0] == 200
    nginx.service.stop()
    second.stop()
