# SPDX-License-Identifier: MIT
"""Contract 1: paths, methods, task ids, and the pages for operators."""

import pytest
import support
from lab import client, responder as lab_responder

LARGEST_ID = 9223372036854775807


def asked(responder, path, method="GET", **others):
    return responder.ask(client.variables(path, method, headers=support.GOOD, **others))


@pytest.mark.parametrize("slash", ["", "/"])
def test_trailing_slash_is_optional(standard, finished_task, slash):
    response = asked(standard, f"/task/{finished_task}/get_task_states_by_app{slash}")
    assert support.success(response).value("id") == support.root_id(finished_task)


def test_head_has_the_headers_of_get_and_no_body(standard, finished_task):
    same_id = {"X-Request-Id": "the-same-for-both"}
    got = standard.ask(support.states(finished_task, same_id))
    head = standard.ask(support.states(finished_task, same_id, method="HEAD"))
    assert head.status == 200
    assert head.body == b""
    assert head.headers == got.headers


@pytest.mark.parametrize("path, status", [
    (client.states_path(404_404), 404),
    (client.states_path("x"), 400),
    ("/nowhere", 404),
])
def test_head_of_an_error_has_no_body(standard, path, status):
    response = asked(standard, path, "HEAD")
    assert response.status == status
    assert response.body == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "GETT", ""])
def test_other_methods_are_refused(standard, finished_task, method):
    response = asked(standard, client.states_path(finished_task), method)
    support.assert_error(response, 405, 40501)
    assert response.header("Allow") == "GET, HEAD"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_other_methods_are_refused_on_status_pages(standard, path):
    response = asked(standard, path, "POST")
    support.assert_error(response, 405, 40501)
    assert response.header("Allow") == "GET, HEAD"


@pytest.mark.parametrize("zeros", [0, 1, 3, 100])
def test_leading_zeros_of_a_task_id_are_accepted(standard, finished_task, zeros):
    response = asked(standard, client.states_path("0" * zeros + str(finished_task)))
    assert support.success(response).value("id") == support.root_id(finished_task)


@pytest.mark.parametrize("task_id", ["1", "00012", LARGEST_ID])
def test_a_task_id_may_be_any_positive_bigint(standard, task_id):
    message = support.assert_error(asked(standard, client.states_path(task_id)), 404, 40402)
    assert message == f"Task does not exist. task_id={int(task_id)}"


@pytest.mark.parametrize("task_id", [
    "0", "00", "+1", "-1", "1:", ":1", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "1,000", "x", "1x", "x1", "%31",
    LARGEST_ID + 1, 2**64 - 1, 2**64, 2**64 + 1, "9" * 40, "9" * 4000,
    "", "\u0661", "\uff11", "\u00b9", "\t1", "1\n", "1\r\n", "null", "true", "None",
], ids=ascii)
def test_other_task_ids_are_bad_requests(standard, task_id):
    support.assert_error(asked(standard, client.states_path(task_id)), 400, 40001)


@pytest.mark.parametrize("path", [
    "/task/", "/task/1", "/task/1/", "/task/1/get_task_states/", "/task/1/get_task_states_by_app/x",
    "/task/1/get_task_states_by_app//", "/task//1/get_task_states_by_app/", "/task/1/2/get_task_states_by_app/",
    "/task/1/GET_TASK_STATES_BY_APP/",
])
def test_anything_else_under_task_is_a_bad_request(standard, path):
    support.assert_error(asked(standard, path), 400, 40001)


@pytest.mark.parametrize("raw", [b"1\0", b"\xff", b"\xc0\xb1", b"1\x7f"], ids=ascii)
def test_task_ids_of_odd_bytes_are_bad_requests(standard, raw):
    path = b"/task/" + raw + b"/get_task_states_by_app/"
    variables = client.variables("", headers=support.GOOD) | {"PATH_INFO": path}
    support.assert_error(standard.ask(variables), 400, 40001)


@pytest.mark.parametrize("path", [
    "/", "/task", "/tasks/1/get_task_states_by_app/", "/TASK/1/get_task_states_by_app/",
    "//task/1/get_task_states_by_app/", "/bkflow/task/1/get_task_states_by_app/",
    "/healthz/x", "/healthzz", "/readyz2", "/metricsx", "x", "healthz", "/\xe9", "/" + "a" * 4000,
], ids=lambda path: ascii(path[:50]))
def test_unknown_paths(standard, path):
    support.assert_error(asked(standard, path), 404, 40401)


def test_unknown_path_needs_no_credentials(standard):
    support.assert_error(standard.ask(client.variables("/nowhere")), 404, 40401)


@pytest.mark.parametrize("change", [
    lambda variables: variables.pop("PATH_INFO"),
    lambda variables: variables.update(PATH_INFO=""),
], ids=["missing", "empty"])
def test_without_path_info_the_operator_is_told_what_to_set(standard, change):
    variables = support.states(1)
    change(variables)
    assert "PATH_INFO" in support.assert_error(standard.ask(variables), 404, 40401)


def test_a_request_needs_a_method(standard):
    variables = support.states(1)
    del variables["REQUEST_METHOD"]
    support.assert_error(standard.ask(variables), 400, 40000)


def test_a_body_on_get_is_read_and_ignored(standard, finished_task):
    variables = support.states(finished_task) | {"CONTENT_LENGTH": "5"}
    support.success(standard.ask(variables, b"hello"))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_credentials(standard, path):
    response = standard.ask(client.variables(path))
    assert response.status == 200
    assert response.header("Cache-Control") == "no-cache"


@pytest.mark.parametrize("page", ["healthz", "readyz", "metrics"])
def test_each_status_page_can_be_switched_off(serve, page):
    responder = serve({f"status.{page}": "off"})
    support.assert_error(responder.ask(client.variables(f"/{page}")), 404, 40401)
    for other in {"healthz", "readyz", "metrics"} - {page}:
        assert responder.ask(client.variables(f"/{other}")).status == 200


@pytest.mark.parametrize("address, is_allowed", [
    ("127.0.0.1", True), ("127.255.0.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
    ("128.0.0.1", False), ("10.0.0.1", False), ("::2", False), ("", False), ("unix:", False), ("127.0.0.1x", False),
])
def test_metrics_are_for_local_addresses_by_default(standard, address, is_allowed):
    response = standard.ask(client.variables("/metrics", address=address))
    if is_allowed:
        assert response.status == 200
    else:
        support.assert_error(response, 403, 40304)


@pytest.mark.parametrize("address, is_allowed", [
    ("10.1.2.3", True), ("10.255.0.1", True), ("192.0.2.7", True), ("2001:db8:1::9", True),
    ("127.0.0.1", False), ("11.0.0.1", False), ("192.0.2.8", False), ("2001:db9::1", False),
])
def test_metrics_are_for_the_networks_of_allow(serve, address, is_allowed):
    responder = serve({"status.allow": "10.0.0.0/8, 192.0.2.7, 2001:db8::/32"})
    response = responder.ask(client.variables("/metrics", address=address))
    assert response.status == (200 if is_allowed else 403)


def test_metrics_are_refused_without_an_address(standard):
    variables = client.variables("/metrics")
    del variables["REMOTE_ADDR"]
    support.assert_error(standard.ask(variables), 403, 40304)


def test_a_client_cannot_choose_its_address(standard):
    spoofed = {"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "Remote-Addr": "127.0.0.1"}
    response = standard.ask(client.variables("/metrics", headers=spoofed, address="192.0.2.1"))
    support.assert_error(response, 403, 40304)


def test_metrics_count_requests(program, database):
    """On a responder of its own, so that nobody else is counted; its one worker counts before it reads on."""
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    before = metrics(responder)
    support.assert_error(asked(responder, client.states_path(404_404)), 404, 40402)
    after = metrics(responder)
    grown = {name for name, value in after.items() if value > before.get(name, 0.0)}
    assert any("no_task" in name for name in grown), sorted(grown)
    responder.stop()


def metrics(responder):
    """The samples of the Prometheus page by name with labels; every line of it must be well-formed."""
    response = responder.ask(client.variables("/metrics"))
    assert response.status == 200
    assert response.header("Content-Type").startswith("text/plain")
    samples = {}
    for line in response.body.decode().splitlines():
        if not line.startswith("# HELP ") and not line.startswith("# TYPE "):
            name, value = line.rsplit(" ", 1)
            assert name.startswith(("bkflow_states_", "process_")), line
            samples[name] = float(value)
    return samples
