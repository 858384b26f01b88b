# SPDX-License-Identifier: MIT
"""A proxy in front of BKFlow, with the samples of docs/bkflow.md: one call goes to bkflow-states, everything else to
BKFlow, and this call too whenever bkflow-states cannot answer it."""

import contextlib
import json
import pathlib
import socket
import struct
import threading
from concurrent import futures

import gateway
import pytest
import support
from lab import bkflow, documents, fcgi, jwt, webserver
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab.scratch import becomes_true, wait_until
from test_waiting import VERSION, finish, number_waiting

SAMPLES = {"nginx": "bkflow-nginx.conf", "haproxy": "bkflow-haproxy.cfg"}
BKFLOW_IN_SAMPLE = "bkflow.example.org:80"


class Route:
    """A proxy with what it passes requests to: a socket where tests put responders, and the stand-in for BKFlow."""

    def __init__(self, lab, name, port, requests, replacing=None):
        self.name = name
        self.socket = lab.path("routed", ".sock")
        self.proxy = webserver.WebServer(lab, name, self.socket, SAMPLES[name], replacing={
            BKFLOW_IN_SAMPLE: f"127.0.0.1:{port}", **(replacing or {})})
        self.to_bkflow = requests

    def request(self, target, headers=None, **others):
        return self.proxy.request(target, headers, **others)

    def states(self, task_id, headers=None, prefix="/stag--bk-flow/", query="", **others):
        path = f"{prefix}apigw/task/{task_id}/get_task_states_by_app/"
        return self.request(path + query, headers or support.GOOD, **others)

    def assert_ours(self, task_id):
        before = len(self.to_bkflow)
        status, headers, body = self.states(task_id)
        assert (status, json.loads(body)["code"]) == (200, 0)
        assert bkflow.MARK not in headers
        assert len(self.to_bkflow) == before

    def assert_bkflows(self, task_id):
        before = len(self.to_bkflow)
        status, headers, body = self.states(task_id)
        assert (status, headers[bkflow.MARK]) == (bkflow.STATUS, "of-bkflow")
        assert json.loads(body)["answered_by"] == "BKFlow"
        assert len(self.to_bkflow) == before + 1

    def is_ours_again(self, task_id):
        return becomes_true(lambda: self.states(task_id)[0] == 200)


class FixedResponder:
    """Answers each FastCGI request with the same status, or closes the connection if there is none; remembers the
    variables."""

    def __init__(self, path, status):
        path.unlink(missing_ok=True)
        self._answer = self._reply(status) if status else b""
        self.seen = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = self._socket.accept()
                with connection:
                    self.seen.append(self._variables(connection))
                    connection.sendall(self._answer)

    @staticmethod
    def _reply(status):
        body = "" if status == 304 else "fixed"
        text = f"Status: {status} Whatever\r\nContent-Type: text/plain\r\n\r\n{body}"
        return (fcgi.stream(fcgi.STDOUT, text.encode())
                + fcgi.record(fcgi.END_REQUEST, struct.pack(">IB3x", 0, fcgi.REQUEST_COMPLETE)))

    @staticmethod
    def _variables(connection):
        """Those of one request, which is read to its end."""
        stream = connection.makefile("rb")
        params = b""
        while True:
            _version, kind, _id, length, padding = fcgi.HEADER.unpack(stream.read(fcgi.HEADER.size))
            content = stream.read(length + padding)[:length]
            if kind == fcgi.PARAMS:
                params += content
            if kind == fcgi.STDIN and not content:
                return {name.decode(): value.decode() for name, value in fcgi.parse_pairs(params)}


@pytest.fixture(scope="module")
def stand_in():
    with bkflow.standing_in() as (port, requests):
        yield port, requests


@pytest.fixture(scope="module", params=SAMPLES)
def route(request, lab, stand_in):
    made = Route(lab, request.param, *stand_in)
    yield made
    made.proxy.stop()


@contextlib.contextmanager
def responder_at(route, program, database, **settings):
    """Listening where the proxy expects it, until the end of the block."""
    responder = program.listen(lab_responder.settings_for(
        database, **{"server.listen": f"unix:{route.socket}", **settings}))
    try:
        yield responder
    finally:
        assert responder.stop() == 0, responder.log


@pytest.fixture
def ours(route, program, database):
    with responder_at(route, program, database) as responder:
        yield responder


# ---- which one is asked ----

def test_the_call_is_answered_by_bkflow_states(route, ours, finished_task):
    route.assert_ours(finished_task)


OTHER_TARGETS = [
    "/apigw/task/7/get_task_states_by_app", "/apigw/task/x/get_task_states_by_app/",
    "/apigw/task/7/get_task_states_by_app/more", "/apigw/task/7/get_task_states/", "/task/7/get_task_states_by_app/",
    "/myapigw/task/7/get_task_states_by_app/", "/apigw/space/1/task/7/get_task_states/", "/", "/healthz", "/metrics",
    "/apigw/task//get_task_states_by_app/", "/stag--bk-flow/apigw/space/1/create_task/",
]


@pytest.mark.parametrize("target", OTHER_TARGETS, ids=range(len(OTHER_TARGETS)))
def test_other_paths_are_bkflows(route, ours, target):
    status, _headers, _body = route.request(target, support.GOOD)
    assert (status, route.to_bkflow[-1].target) == (bkflow.STATUS, target)


@pytest.mark.parametrize("prefix", ["/", "/one/", "/stag--bk-flow/", "/one/two/"],
                         ids=["none", "one", "with hyphens", "two"])
def test_a_prefix_becomes_script_name(route, prefix):
    with FixedResponder(route.socket, 200) as fixed:
        status, _headers, body = route.states(7, prefix=prefix)
    assert (status, body) == (200, b"fixed")
    assert fixed.seen[0]["SCRIPT_NAME"] == f"{prefix}apigw"
    assert fixed.seen[0]["PATH_INFO"] == "/task/7/get_task_states_by_app/"


def test_any_task_id_of_digits_is_ours(route, ours):
    """Also one that is too large: the answer is bkflow-states' 400."""
    status, headers, body = route.states("9" * 30)
    assert (status, json.loads(body)["code"], bkflow.MARK in headers) == (400, 40001, False)


# What docs/bkflow.md says to replace, and by what.
OF_TASKS = "task/[0-9]+/get_task_states_by_app/$"
OF_SPACES_TOO = ("(task/[0-9]+/get_task_states_by_app|"
                 "space/[0-9]+/(task/[0-9]+/get_task_states|get_tasks_states))/$")


@pytest.fixture(scope="module", params=SAMPLES)
def wider(request, lab, stand_in):
    text = (documents.ROOT / "docs" / "bkflow.md").read_text(encoding="utf-8")
    assert f"`{OF_TASKS}`" in text and f"\n    {OF_SPACES_TOO}\n" in text
    made = Route(lab, request.param, *stand_in, replacing={OF_TASKS: OF_SPACES_TOO})
    yield made
    made.proxy.stop()


class TestCallsOfSpaces:
    """Passed to bkflow-states as well, the body included; and to BKFlow while it is down."""

    def get(self, wider, space, task_id):
        return wider.request(f"/stag--bk-flow/apigw/space/{space}/task/{task_id}/get_task_states/", support.GOOD)

    def post(self, wider, space, ids, path="get_tasks_states/", method="POST"):
        body = json.dumps({"task_ids": ids}).encode()
        headers = support.GOOD | {"Content-Type": "application/json"}
        return wider.request(f"/stag--bk-flow/apigw/space/{space}/{path}", headers, method=method, body=body)

    def test_are_answered_by_bkflow_states(self, wider, program, database, world):
        space = world.space()
        task_id = world.task([support.node()], space_id=space)
        with responder_at(wider, program, database):
            wider.assert_ours(task_id)
            status, headers, body = self.get(wider, space, task_id)
            assert (status, json.loads(body)["data"]["state"], bkflow.MARK in headers) == (200, "FINISHED", False)
            status, headers, body = self.post(wider, space, [task_id, 404_404])
            assert (status, json.loads(body)["data"]) == (200, {str(task_id): {"state": "FINISHED"}})

    def test_others_are_bkflows(self, wider, program, database):
        with responder_at(wider, program, database):
            for path in ("create_task/", "get_tasks_states", "get_tasks_states/x", "task/7/operate_task/start/"):
                assert self.post(wider, 1, [7], path)[0] == bkflow.STATUS

    def test_are_bkflows_while_bkflow_states_is_down(self, wider):
        wider.socket.unlink(missing_ok=True)
        assert self.get(wider, 1, 7)[0] == bkflow.STATUS
        assert self.post(wider, 1, [7, 8])[0] == bkflow.STATUS
        seen = wider.to_bkflow[-1]
        assert (seen.method, json.loads(seen.body)) == ("POST", {"task_ids": [7, 8]})

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_answers_that_bkflow_replaces(self, wider, status):
        with FixedResponder(wider.socket, status):
            assert self.post(wider, 1, [7])[0] == bkflow.STATUS
        assert json.loads(wider.to_bkflow[-1].body) == {"task_ids": [7]}


# ---- the switch ----

def test_down_and_back_up(route, program, database, finished_task):
    """No socket, then a responder, then a socket file that nobody serves, then a responder again."""
    route.socket.unlink(missing_ok=True)
    route.assert_bkflows(finished_task)
    for _ in range(2):
        with responder_at(route, program, database):
            assert route.is_ours_again(finished_task)
            route.assert_ours(finished_task)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as unserved:
            route.socket.unlink(missing_ok=True)
            unserved.bind(str(route.socket))
        route.assert_bkflows(finished_task)


def test_kept_connections_die_with_the_responder(route, program, database, finished_task):
    """Killed, with connections that the proxy has kept: no request fails."""
    responder = program.listen(lab_responder.settings_for(database, **{"server.listen": f"unix:{route.socket}"}))
    for _ in range(20):
        route.assert_ours(finished_task)
    responder.service.process.kill()
    responder.service.wait()
    for _ in range(20):
        route.assert_bkflows(finished_task)


def test_without_a_database(route, program, database, finished_task):
    """bkflow-states answers 503, BKFlow the client; with the database it is bkflow-states again."""
    with responder_at(route, program, database, **{"database.port": lab_scratch.free_port(),
                                                   "database.host": "127.0.0.1"}) as responder:
        route.assert_bkflows(finished_task)
        responder.wait_for_log("the database host fails")
        responder.reload(lab_responder.settings_for(database, **{"server.listen": f"unix:{route.socket}"}))
        assert route.is_ours_again(finished_task)


@pytest.mark.parametrize("status", [502, 503, 504])
def test_answers_that_bkflow_replaces(route, status):
    with FixedResponder(route.socket, status) as fixed:
        route.assert_bkflows(7)
        assert len(fixed.seen) == 1
        route.assert_bkflows(7)
        assert len(fixed.seen) == 2, "bkflow-states is asked first, every time"


@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 405, 429, 500])
def test_answers_that_stay(route, status):
    with FixedResponder(route.socket, status):
        answered, headers, _body = route.states(7)
    assert (answered, bkflow.MARK in headers) == (status, False)


def test_a_responder_that_hangs(lab, stand_in, program, database, finished_task, route):
    """A shorter time limit than the sample's, which is half of the gateway's."""
    hasty = Route(lab, route.name, *stand_in, replacing={" 60s": " 1s"})
    with responder_at(hasty, program, database) as responder:
        with responder.service.frozen():
            # BKFlow has no more time than bkflow-states here: on a slow machine not every call comes back.
            wait_until(lambda: hasty.states(finished_task)[0] == bkflow.STATUS)
    hasty.proxy.stop()


def test_no_answer_is_replaced_too(route):
    """As of a responder that is killed while it works."""
    with FixedResponder(route.socket, status=None) as fixed:
        route.assert_bkflows(7)
        assert len(fixed.seen) == 1


class TestWaiting:
    """Through the proxy, whose time limit is longer than `wait_max`."""

    @pytest.fixture
    def task(self, world):
        return world.task([support.node(state="RUNNING", archived=None)])

    @pytest.fixture
    def ask(self, route, responder, task):
        """A function that asks and returns the answer to come; the request waits when it returns."""
        with futures.ThreadPoolExecutor() as pool:
            def ask():
                version = responder.ask(support.states(task)).header(VERSION)
                answer = pool.submit(route.states, task, query=f"?wait=40s&version={version}")
                wait_until(lambda: number_waiting(responder) == 1)
                return answer
            yield ask

    @pytest.fixture
    def responder(self, route, program, database):
        """A test may end it."""
        started = program.listen(lab_responder.settings_for(database, **{"server.listen": f"unix:{route.socket}"}))
        yield started
        if started.service.running:
            started.stop()

    def test_a_change_is_the_answer(self, ask, database, task):
        answer = ask()
        finish(database, task, "")
        status, headers, body = answer.result()
        assert (status, bkflow.MARK in headers) == (200, False)
        assert json.loads(body)["data"]["state"] == "FINISHED"

    def test_is_answered_when_bkflow_states_stops(self, responder, ask):
        answer = ask()
        assert responder.stop() == 0
        status, headers, _body = answer.result()
        assert (status, bkflow.MARK in headers) == (200, False)

    def test_is_bkflows_when_bkflow_states_dies(self, responder, ask):
        answer = ask()
        responder.service.stop(9)
        status, headers, _body = answer.result()
        assert (status, headers[bkflow.MARK]) == (bkflow.STATUS, "of-bkflow")


# ---- what arrives ----

SENT = {"X-Bkapi-Jwt": "header.claims.signature", "X-Request-Id": "a-Request_Id.1", "X-Bkapi-Request-Id": "other-1",
        "Blueking-Language": "zh-cn", "Traceparent": "00-" + 32 * "a" + "-" + 16 * "b" + "-01"}


@pytest.mark.parametrize("target", ["/apigw/space/1/get_space_configs/", "/apigw/task/7/get_task_states_by_app/"],
                         ids=["another call", "this call"])
def test_headers_reach_bkflow_unchanged(route, target):
    """Also where it answers in the place of a responder that is not there."""
    route.socket.unlink(missing_ok=True)
    route.request(target, SENT)
    arrived = route.to_bkflow[-1].headers
    assert {name: arrived.get_all(name) for name in SENT} == {name: [value] for name, value in SENT.items()}
    assert arrived.get_all("Host") == ["bkflow.example.org"]


def test_headers_reach_bkflow_states_unchanged(route):
    with FixedResponder(route.socket, 200) as fixed:
        route.states(7, SENT)
    variables = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in SENT.items()}
    assert variables.items() <= fixed.seen[0].items()


def test_a_token_and_the_request_id(route, lab, program, database, world):
    """The gateway's token is accepted, and the request's id comes back as it was."""
    key = jwt.Key(lab)
    task_id = world.task([support.node()], world.template(gateway.APP))
    with responder_at(route, program, database, **{
            "auth.gateway": "on", "auth.direct": "off", f"auth.gateway_key_{gateway.GATEWAY}": key.public_path}):
        token = key.token(gateway.claims())
        status, headers, body = route.states(task_id, {"X-Bkapi-Jwt": token, "X-Request-Id": "Of_the-Gateway.1"})
    assert status == 200, body
    assert headers.get_all("X-Request-Id") == ["Of_the-Gateway.1"]


@pytest.mark.parametrize("target", [
    "/stag--bk-flow/apigw/task/7/get_task_states_by_app/?a=%2F&b=%61+c", "/a%2Fb/%61//c/?q=%20&q=1", "/?",
], ids=["this call", "escapes", "an empty query"])
def test_targets_reach_bkflow_unchanged(route, target):
    route.socket.unlink(missing_ok=True)
    route.request(target)
    assert route.to_bkflow[-1].target == target


def test_a_large_body_reaches_bkflow(route):
    """Templates that are created are larger than what proxies take by themselves."""
    body = b"x" * 5_000_000
    status, _headers, _body = route.request("/apigw/space/1/create_template/", method="POST", body=body)
    seen = route.to_bkflow[-1]
    assert (status, seen.method, seen.body == body) == (bkflow.STATUS, "POST", True)


def test_a_large_answer_arrives_whole(route, ours, world):
    task_id = world.task([support.node(), *(support.node(f"step {i}") for i in range(3_000))])
    status, _headers, body = route.states(task_id)
    assert (status, len(json.loads(body)["data"]["children"])) == (200, 3_000)


def test_entity_tags_pass(route, ours, finished_task):
    _status, headers, _body = route.states(finished_task)
    status, _headers, body = route.states(finished_task, support.GOOD | {"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")


def test_the_log_names_who_answered(route, ours, finished_task):
    """And no query string, where a client may have put a secret."""
    route.states(finished_task, prefix="/logged/")
    route.request("/apigw/task/7/get_task_states_by_app/logged?bk_app_secret=hidden")
    log = pathlib.Path(route.proxy.access_log if route.name == "nginx" else route.proxy.service.log_path)
    wait_until(lambda: "/logged/" in log.read_text() and "app/logged" in log.read_text())
    [line] = [line for line in log.read_text().splitlines() if "/logged/" in line]
    assert str(route.socket) in line if route.name == "nginx" else "bkflow_states/states" in line
    assert "hidden" not in log.read_text()
