# SPDX-License-Identifier: MIT
"""A gateway's caller beside other credentials, in other databases, at other times."""

import itertools
import time

import gateway
import pytest
import support
from lab import client, jwt, mariadb
from lab import responder as lab_responder

APP = gateway.APP
SWITCHED_OFF = 40105


@pytest.fixture(scope="module")
def key(lab):
    return jwt.Key(lab)


@pytest.fixture(scope="module")
def settings(key):
    return {"auth.gateway": "on", "auth.gateway_key_main": key.public_path}


@pytest.fixture(scope="module")
def responder(serve, settings):
    return serve(settings)


@pytest.fixture(scope="module")
def task_id(world):
    """A task of the application that comes with a token."""
    return world.task([support.node()], template_id=world.template(APP))


@pytest.fixture(scope="module")
def good(key):
    return key.token(gateway.claims())


class TestMixed:
    """Contract 2: more than one credential in a request. finished_task is of the direct caller's application."""

    def test_a_good_token_alone_counts(self, responder, task_id, finished_task, good):
        """Beside good direct credentials of another application, beside bad ones, and beside nonsense."""
        support.assert_error(responder.ask(gateway.asking(finished_task, good, support.GOOD)), 403, 40303)
        for credentials in (support.GOOD, client.credentials(support.APP, "wrong", "nobody"),
                            {"X-Bkapi-Authorization": "not json"}):
            for query in ("", support.query_credentials(), support.query_credentials(secret="wrong"), "%",
                          "bk_app_code=x&bk_app_code=x"):
                support.success(responder.ask(gateway.asking(task_id, good, credentials, query=query)))

    def test_a_bad_token_is_final(self, responder, finished_task, good):
        for token in (good[:-2], "a.b.c", "", " ", "x"):
            for credentials, query in ((support.GOOD, ""), ({}, support.query_credentials()),
                                       (support.GOOD, support.query_credentials())):
                response = responder.ask(gateway.asking(finished_task, token, credentials, query=query))
                support.assert_error(response, 401, gateway.REFUSED)

    def test_without_a_token_direct_credentials_count(self, responder, finished_task):
        support.success(responder.ask(support.states(finished_task)))
        support.success(responder.ask(support.states(finished_task, credentials={}, query=support.query_credentials())))

    def test_header_beats_query(self, responder, finished_task):
        support.success(responder.ask(support.states(finished_task, query=support.query_credentials(secret="wrong"))))
        wrong = client.credentials(support.APP, "wrong", support.USER)
        response = responder.ask(support.states(finished_task, credentials=wrong, query=support.query_credentials()))
        support.assert_error(response, 401, 40102)

    @pytest.mark.parametrize("first, second", itertools.product(["good", "bad", ""], repeat=2))
    def test_a_doubled_token(self, responder, task_id, good, first, second):
        values = {"good": good, "bad": "a.b.c", "": ""}
        doubled = (client.header_variable("X-Bkapi-JWT"), values[second])
        for credentials in ({}, support.GOOD):
            variables = [*gateway.asking(task_id, values[first], credentials).items(), doubled]
            assert "X-Bkapi-JWT" in support.assert_error(responder.ask(variables), 400, 40002)

    @pytest.mark.parametrize("value", [support.GOOD["X-Bkapi-Authorization"], "", "x"], ids=["same", "empty", "junk"])
    def test_a_doubled_authorization_beside_a_good_token(self, responder, task_id, good, value):
        doubled = (client.header_variable("X-Bkapi-Authorization"), value)
        variables = [*gateway.asking(task_id, good, support.GOOD).items(), doubled]
        assert "X-Bkapi-Authorization" in support.assert_error(responder.ask(variables), 400, 40002)

    def test_gateway_off(self, standard, finished_task, good):
        for credentials, token in itertools.product(({}, support.GOOD), (good, "a.b.c", "")):
            response = standard.ask(gateway.asking(finished_task, token, credentials))
            assert support.assert_error(response, 401, SWITCHED_OFF).endswith("X-Bkapi-JWT")

    def test_direct_off(self, serve, settings, task_id, finished_task, good):
        responder = serve(settings | {"auth.direct": "off"})
        query = support.query_credentials()
        support.success(responder.ask(gateway.asking(task_id, good, support.GOOD, query=query)))
        for request in (support.states(finished_task), support.states(finished_task, credentials={}, query=query)):
            support.assert_error(responder.ask(request), 401, SWITCHED_OFF)
        gateway.assert_refused(responder, task_id, good[:-2])

    def test_requests_of_one_connection_share_no_login(self, responder, task_id, finished_task, good):
        """A web server sends many clients' requests over one connection."""
        with responder.connect() as connection:
            for _ in range(3):
                support.success(connection.ask(gateway.asking(task_id, good)))
                support.assert_error(connection.ask(support.states(task_id, credentials={})), 401, 40101)
                support.success(connection.ask(support.states(finished_task)))
                support.assert_error(connection.ask(gateway.asking(task_id, good[:-2])), 401, gateway.REFUSED)
                support.assert_error(connection.ask(gateway.asking(finished_task, good)), 403, 40303)


class TestBinding:
    """An application that the gateway verified still sees its own tasks only."""

    @pytest.mark.parametrize("code", [APP.upper(), APP + " ", " " + APP, "g\u00e4teway_app",
                                      "other_app"], ids=ascii)
    def test_byte_for_byte(self, responder, task_id, key, code):
        response = responder.ask(gateway.asking(task_id, key.token(gateway.claims(code))))
        message = support.assert_error(response, 403, 40303)
        assert message.endswith(f"app={code}, template bindedapp={APP}")

    def test_our_table_does_not_bind_the_gateway(self, responder, world, key):
        """Whom the gateway lets in is settled there: what is disabled here is so for direct credentials."""
        task = world.task([support.node()], template_id=world.template(support.DISABLED_APP))
        gateway.assert_accepted(responder, task, key.token(gateway.claims(support.DISABLED_APP, support.INACTIVE_USER)))


class TestBlueKingsTokens:
    """What the real gateway sends, for minutes the same for each application and user."""

    @pytest.fixture(scope="class")
    def responder(self, serve, key):
        return serve({"auth.gateway": "on", f"auth.gateway_key_{gateway.BKFLOW}": key.public_path, "log.access": "on"})

    @pytest.mark.parametrize("spelling", ["", "bk_"], ids=["app_code", "bk_app_code"])
    def test_both_spellings_are_accepted(self, responder, task_id, key, spelling):
        gateway.assert_accepted(responder, task_id, gateway.bluekings_token(key, spelling=spelling))

    def test_who_is_not_verified_is_refused(self, responder, task_id, key):
        for party in ({"app": {"app_code": gateway.APP, "verified": False}},
                      {"user": {"username": gateway.USER, "verified": False}}):
            gateway.assert_refused(responder, task_id, gateway.bluekings_token(key, **party))

    def test_a_token_sent_again_is_its_own_callers(self, responder, world, task_id, key):
        """Each is judged by its own claims, however often and in which order they come."""
        other_app, other_user = "another_app", "another_user"
        others_task = world.task([support.node()], template_id=world.template(other_app))
        mine = gateway.bluekings_token(key)
        others = gateway.bluekings_token(key, other_app, other_user)
        for _ in range(20):
            gateway.assert_accepted(responder, task_id, mine)
            gateway.assert_accepted(responder, others_task, others)
            support.assert_error(responder.ask(gateway.asking(task_id, others)), 403, 40303)
            support.assert_error(responder.ask(gateway.asking(others_task, mine)), 403, 40303)

    def test_a_changed_byte_of_a_token_sent_before_is_refused(self, responder, task_id, key):
        token = gateway.bluekings_token(key)
        gateway.assert_accepted(responder, task_id, token)
        for at in (0, len(token) // 3, len(token) - 200, len(token) - 3):
            changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
            gateway.assert_refused(responder, task_id, changed)
        gateway.assert_accepted(responder, task_id, token)


class TestClock:
    """exp, nbf and iat near the edges."""

    @pytest.mark.parametrize("claim, offset, is_good", [
        ("exp", -7, True), ("exp", -13, False), ("nbf", 7, True), ("nbf", 13, False),
        ("iat", 7, True), ("iat", 13, False),
    ])
    def test_ten_seconds_by_default(self, responder, task_id, key, claim, offset, is_good):
        token = key.token(gateway.claims(**{claim: time.time() + offset}))
        (gateway.assert_accepted if is_good else gateway.assert_refused)(responder, task_id, token)

    @pytest.mark.parametrize("claim, offset, is_good", [
        ("exp", 5, True), ("exp", -0.01, False), ("nbf", -0.01, True), ("nbf", 5, False),
        ("iat", -0.01, True), ("iat", 5, False),
    ])
    def test_no_leeway(self, serve, settings, task_id, key, claim, offset, is_good):
        token = key.token(gateway.claims(**{claim: time.time() + offset}))
        check = gateway.assert_accepted if is_good else gateway.assert_refused
        check(serve(settings | {"auth.leeway": "0"}), task_id, token)

    def test_long_leeway(self, serve, settings, task_id, key):
        responder = serve(settings | {"auth.leeway": "5m"})
        gateway.assert_accepted(responder, task_id, key.token(gateway.claims(exp=time.time() - 290)))
        gateway.assert_refused(responder, task_id, key.token(gateway.claims(exp=time.time() - 310)))

    def test_a_token_expires_while_it_is_used(self, serve, settings, task_id, key):
        responder = serve(settings | {"auth.leeway": "0"})
        expires = time.time() + 1.5
        token = key.token(gateway.claims(exp=expires))
        gateway.assert_accepted(responder, task_id, token)
        time.sleep(max(0, expires - time.time()) + 0.01)
        gateway.assert_refused(responder, task_id, token)


class Bare:
    """A database with BKFlow's tables of tasks, and none that says who may come in."""

    NAME = "no_callers"

    def __init__(self, server):
        self._server = server
        tables = "".join(f"CREATE TABLE {self.NAME}.{table} LIKE {table};"
                         for table in ("template_template", "task_taskinstance", "eri_state"))
        server.sql(f"CREATE DATABASE {self.NAME}; GRANT SELECT ON {self.NAME}.* TO bkflow_states@'%';" + tables)

    def insert(self, table, rows):
        self._server.sql(mariadb.insert(table, rows), self.NAME)


class TestTables:
    """Gateway callers need neither bkflow_states_app nor account_user to be there."""

    @pytest.fixture(scope="class")
    def bare(self, database):
        return Bare(database)

    def test_one_database(self, serve, settings, bare, good):
        world = support.World(bare)
        task = world.task([support.node()], template_id=world.template(APP))
        responder = serve(settings | {"database.name": Bare.NAME, "engine_database.name": Bare.NAME,
                                      "engine_database.user": mariadb.RESPONDER_USER})
        gateway.assert_accepted(responder, task, good)
        support.assert_error(responder.ask(support.states(task)), 503, 50303)
        gateway.assert_accepted(responder, task, good)

    def test_two_databases(self, serve, settings, bare, world, good):
        template_id = 700_001
        bare.insert("template_template", [{"id": template_id, "is_deleted": False, "bk_app_code": APP}])
        task = world.task([support.node()], template_id=template_id)
        responder = serve(settings | {"database.name": Bare.NAME})
        gateway.assert_accepted(responder, task, good)
        support.assert_error(responder.ask(support.states(task)), 503, 50303)
        gateway.assert_accepted(responder, task, good)


def test_entity_tag_and_head(responder, task_id, good):
    tag = responder.ask(gateway.asking(task_id, good)).header("ETag")
    again = responder.ask(support.states(task_id, {"X-Bkapi-JWT": good, "If-None-Match": tag}, credentials={}))
    assert (again.status, again.body) == (304, b"")
    assert responder.ask(gateway.asking(task_id, good, method="HEAD")).body == b""
    for token in (good[:-1], "", "a.b.c"):
        spared = responder.ask(support.states(task_id, {"X-Bkapi-JWT": token, "If-None-Match": tag}, credentials={}))
        assert spared.status == 401, "a known tag is no way in"


def test_plain_cgi(program, database, settings, task_id, good):
    whole = lab_responder.settings_for(database, **settings)
    support.success(program.cgi(whole, gateway.asking(task_id, good)))
    support.assert_error(program.cgi(whole, gateway.asking(task_id, good[:-1])), 401, gateway.REFUSED)


def test_refused_tokens_are_counted_and_logged(program, database, settings, task_id, key):
    responder = program.listen(lab_responder.settings_for(database, **settings | {"log.access": "on"}))
    headers = {"X-Bkapi-JWT": key.token(gateway.claims(), kid="x"), "X-Request-Id": "refused-token"}
    request = support.states(task_id, headers, credentials={})
    assert responder.ask(request).status == 401
    responder.wait_for_log("request trace_id=refused-token")
    line = next(line for line in responder.log.splitlines() if "request trace_id=refused-token" in line)
    assert "cause=token_refused" in line
    metrics = responder.ask(client.variables("/metrics")).body.decode()
    assert 'bkflow_states_requests_total{status="401",cause="token_refused"} 1\n' in metrics
    assert responder.stop() == 0
