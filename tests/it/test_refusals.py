# SPDX-License-Identifier: MIT
"""The log says why a request was refused, and not more often than somebody can read."""

import re

import gateway
import pytest
import support
from lab import client, jwt
from lab import responder as lab_responder

REFUSED = re.compile(r"info: request refused trace_id=(\S+) address=(\S+) cause=(\S+) detail=(\"[^\"]*\"|\S+)(.*)")


@pytest.fixture
def start(program, database):
    """A function from settings to a responder whose log is its own."""
    started = []

    def start_with(**settings):
        started.append(program.listen(lab_responder.settings_for(database, **settings)))
        return started[-1]

    yield start_with
    for responder in started:
        responder.stop()


@pytest.fixture(scope="module")
def key(lab):
    return jwt.Key(lab)


def refused(responder, variables, trace_id="x-1"):
    """Ask, and return address, cause, detail and the rest of the event about it."""
    responder.ask(variables | {"HTTP_X_REQUEST_ID": trace_id})
    responder.wait_for_log(f"trace_id={trace_id} ")
    events = [match for match in REFUSED.finditer(responder.log) if match[1] == trace_id]
    assert len(events) == 1, responder.log
    _trace_id, address, cause, detail, rest = events[0].groups()
    return address, cause, detail.strip('"'), rest.strip()


@pytest.mark.parametrize("credentials, cause, detail, app", [
    (client.credentials(support.APP, "wrong-secret", support.USER), "credentials_wrong", "wrong secret", True),
    (client.credentials("nobody", "x", "y"), "credentials_wrong", "unknown application", False),
    (client.credentials(support.DISABLED_APP, support.DISABLED_SECRET, support.USER), "credentials_wrong",
     "disabled application", True),
    (client.credentials(support.APP, support.SECRET, "nobody"), "user_unknown", "unknown or inactive user", True),
    ({}, "credentials_missing", "no credentials", False),
    ({"X-Bkapi-Authorization": "x"}, "credentials_format",
     "X-Bkapi-Authorization: not one JSON object with distinct members", False),
    ({"X-Bkapi-JWT": "a.b.c"}, "way_in_closed", "gateway = off", False),
], ids=lambda value: value if isinstance(value, str) else "")
def test_of_a_login(start, finished_task, credentials, cause, detail, app):
    """The application is named where there is one of that code: another text may be a secret in the wrong place."""
    responder = start()
    told = refused(responder, support.states(finished_task, credentials=credentials, address="192.0.2.1"))
    assert told[:3] == ("192.0.2.1", cause, detail)
    assert f"task_id={finished_task}" in told[3]
    assert ("app=" in told[3]) == app
    for secret in (support.SECRET, "wrong-secret", support.DISABLED_SECRET):
        assert secret not in responder.log


@pytest.mark.parametrize("changes, header, cause, detail", [
    ({"exp": 1}, {}, "token_claims", "token: expired, or without exp"),
    ({"nbf": 4e9}, {}, "token_claims", "token: not yet valid (nbf)"),
    ({"user": {"username": "x", "verified": False}}, {}, "token_claims", "token: no verified user"),
    ({"app": None}, {}, "token_claims", "token: no verified application"),
    ({}, {"kid": "elsewhere"}, "token_refused", "token: there is no gateway_key_elsewhere"),
    ({}, {"algorithm": "RS256"}, "token_refused", "token: gateway_algorithms does not allow RS256"),
], ids=["exp", "nbf", "user", "app", "kid", "alg"])
def test_of_a_token(start, key, finished_task, changes, header, cause, detail):
    responder = start(**{"auth.gateway": "on", "auth.gateway_key_main": key.public_path})
    token = key.token(gateway.claims(**changes), **header)
    told = refused(responder, gateway.asking(finished_task, token, address="192.0.2.1"))
    assert told[:3] == ("192.0.2.1", cause, detail)
    assert token not in responder.log


def test_of_a_token_that_another_key_signed(start, key, lab, finished_task):
    responder = start(**{"auth.gateway": "on", "auth.gateway_key_main": key.public_path})
    token = jwt.Key(lab).token(gateway.claims())
    assert refused(responder, gateway.asking(finished_task, token))[1:3] == ("token_refused", "token: wrong signature")


@pytest.mark.parametrize("path, shown", [
    ("/nowhere", "/nowhere"), ("/bkflow/task/1/get_task_states_by_app/", "/bkflow/task/1/get_task_states_by_app/"),
    ("/x?bk_app_secret=geheim", "/x"), ("/x&bk_app_secret=geheim", "/x"), ("/geheim=x", "/geheim"),
    ("/" + "x" * 5000, "/" + "x" * 199), ("/a\nb", '"/a\\u000ab"'), ("/a\u202eb", '"/a\\u202eb"'), ("/\x9b", '"/\\u009b"'),
], ids=ascii)
def test_of_an_unknown_path(start, path, shown):
    """It is named, without what belongs into a query string."""
    responder = start()
    assert refused(responder, client.variables(path, address="192.0.2.1")) == (
        "192.0.2.1", "unknown_path", "unknown path", f"path={shown}")


def test_of_a_client_too_many(start, finished_task):
    responder = start(**{"auth.failure_limit": 1})
    wrong = support.states(finished_task, credentials=client.credentials("nobody", "x", "y"), address="192.0.2.1")
    assert refused(responder, wrong, "first")[1] == "credentials_wrong"
    assert refused(responder, wrong, "second")[1] == "too_many_failures"


def test_of_each_address_and_cause_one_and_then_their_number(start, finished_task):
    responder = start(**{"auth.failure_limit": 0})
    with responder.connect() as connection:
        for _ in range(50):
            for address in ("192.0.2.1", "192.0.2.2"):
                wrong = client.credentials(support.APP, "wrong", support.USER)
                connection.ask(support.states(finished_task, credentials=wrong, address=address))
        for number in range(20):
            connection.ask(client.variables(f"/{number}", address="192.0.2.1"))
    assert responder.stop() == 0
    assert len(REFUSED.findall(responder.log)) <= 3 * 2  # one more each where the test took longer than the minute
    for address, cause, total in (("192.0.2.1", "credentials_wrong", 50), ("192.0.2.2", "credentials_wrong", 50),
                                  ("192.0.2.1", "unknown_path", 20)):
        told = len(re.findall(f"request refused .* address={address} cause={cause} ", responder.log))
        counts = re.findall(rf"more requests refused address={address} cause={cause} count=(\d+)", responder.log)
        assert told + sum(map(int, counts)) == total


def test_by_plain_cgi(program, database, finished_task, lab):
    path = lab.path("cgi-log")
    settings = lab_responder.settings_for(database, **{"log.target": f"file:{path}"})
    wrong = client.credentials(support.APP, "wrong", support.USER)
    assert program.cgi(settings, support.states(finished_task, credentials=wrong)).status == 401
    assert "cause=credentials_wrong detail=\"wrong secret\"" in path.read_text()
