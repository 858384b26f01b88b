# SPDX-License-Identifier: MIT
"""Contract 2.3: repeated failures are slowed down. And whose failures they are."""

import itertools
import json
import time

import gateway
import pytest
import support
from lab import client, jwt, mariadb
from lab import responder as lab_responder

TOO_MANY = 42901

# A build with AddressSanitizer keeps freed memory aside, which would look like growth.
GIVE_BACK_AT_ONCE = {"ASAN_OPTIONS": "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"}

# Each test has addresses and applications that no other test has.
numbers = itertools.count(1)


def fresh_address():
    return "10.1.{}.{}".format(*divmod(next(numbers), 256))


class App:
    """An application with a task; its secret is "right"."""

    def __init__(self, database, world):
        self.code = f"guessed_{next(numbers)}"
        database.sql(mariadb.insert("bkflow_states_app", [support.app_row(self.code, "right")]))
        self.task_id = world.task([support.node()], template_id=world.template(self.code))
        self.good = client.credentials(self.code, "right", support.USER)
        self.wrong_secret = client.credentials(self.code, "wrong", support.USER)
        self.wrong_user = client.credentials(self.code, "right", "nobody")

    def ask(self, responder, address, credentials=None):
        return responder.ask(support.states(self.task_id, credentials=credentials or self.good, address=address))

    def fail(self, responder, address, times, credentials=None):
        for _ in range(times):
            response = self.ask(responder, address, credentials or self.wrong_secret)
            assert response.status == 401, response.raw


@pytest.fixture
def app(database, world):
    return App(database, world)


@pytest.fixture
def other_app(database, world):
    return App(database, world)


@pytest.fixture(scope="module")
def responder(serve):
    return serve({"auth.failure_limit": 5})


def assert_slowed(response):
    support.assert_error(response, 429, TOO_MANY)
    assert 1 <= int(response.header("Retry-After")) <= 60


def test_an_address_that_keeps_failing(responder, app):
    """Then good credentials are not looked at either: they might be the next guess."""
    address = fresh_address()
    app.fail(responder, address, 5)
    assert_slowed(app.ask(responder, address, app.wrong_secret))
    assert_slowed(app.ask(responder, address))


def test_a_caller_that_proved_its_secret_does_not_guess(responder, app):
    """Or one unknown user of a portal would lock the portal out."""
    address = fresh_address()
    app.fail(responder, address, 20, app.wrong_user)
    support.success(app.ask(responder, address))


@pytest.mark.parametrize("changes", [
    {"user": {"username": "alice", "verified": False}}, {"app": {"app_code": "x", "verified": False}},
    {"app": None}, {"exp": 1}, {"nbf": 4e9}, {"exp": "never"},
], ids=str)
def test_a_token_that_the_gateway_signed_is_no_guess(serve, lab, app, changes):
    """The gateway speaks for many callers: one of them must not lock out the others."""
    key = jwt.Key(lab)
    responder = serve({"auth.failure_limit": 5, "auth.gateway": "on", "auth.gateway_key_main": key.public_path})
    address = fresh_address()
    app.fail(responder, address, 20, {"X-Bkapi-JWT": key.token(gateway.claims(**changes))})
    support.success(app.ask(responder, address))
    app.fail(responder, address, 5, {"X-Bkapi-JWT": key.token(gateway.claims()) + "A"})
    assert_slowed(app.ask(responder, address))


def test_other_addresses_are_not_slowed(responder, app):
    address = fresh_address()
    app.fail(responder, address, 5)
    assert_slowed(app.ask(responder, address))
    support.success(app.ask(responder, fresh_address()))


def test_an_address_is_slowed_for_every_application(responder, app, other_app):
    address = fresh_address()
    app.fail(responder, address, 5)
    assert_slowed(other_app.ask(responder, address))


def test_success_does_not_wipe_failures(responder, app, other_app):
    """Or an owner of one good application could guess at others for ever."""
    address = fresh_address()
    for _ in range(5):
        app.fail(responder, address, 1)
        other_app.ask(responder, address)
    assert_slowed(other_app.ask(responder, address))


@pytest.mark.parametrize("make, status", [
    (lambda app: support.states(404_404, credentials=app.good), 404),
    (lambda app: support.states("x", credentials=app.good), 400),
    (lambda app: support.states(app.task_id, credentials={}), 401),
    (lambda app: support.states(app.task_id, credentials={"X-Bkapi-Authorization": "{"}), 400),
    (lambda app: support.states(app.task_id, credentials={}, query="%"), 400),
    (lambda app: support.states(app.task_id, credentials=app.good, method="POST"), 405),
    (lambda app: client.variables("/nowhere"), 404),
], ids=["no-task", "bad-id", "nothing-given", "no-json", "bad-query", "method", "path"])
def test_what_is_no_guess_does_not_count(responder, app, make, status):
    address = fresh_address()
    for _ in range(12):
        assert responder.ask(make(app) | {"REMOTE_ADDR": address}).status == status
    support.success(app.ask(responder, address))


def test_refused_tokens_count(serve, lab, app):
    responder = serve({"auth.failure_limit": 5, "auth.gateway": "on", "auth.gateway_key_x": jwt.Key(lab).public_path})
    address, token = fresh_address(), {"X-Bkapi-JWT": "a.b.c"}
    app.fail(responder, address, 5, token)
    assert_slowed(app.ask(responder, address, token))
    assert_slowed(app.ask(responder, address))


class TestApplication:
    """Failures from many addresses at one application's secret."""

    def test_guessing_from_many_addresses_is_slowed(self, responder, app):
        for _ in range(5):
            app.fail(responder, fresh_address(), 1)
        guesser = fresh_address()
        app.fail(responder, guesser, 1)
        assert_slowed(app.ask(responder, guesser))

    def test_guessing_does_not_lock_the_application_out(self, responder, app):
        """Its own servers, which have not failed, are served on."""
        for _ in range(20):
            app.ask(responder, fresh_address(), app.wrong_secret)
        support.success(app.ask(responder, fresh_address()))

    def test_guesser_of_one_application_may_use_another(self, responder, app, other_app):
        for _ in range(5):
            app.fail(responder, fresh_address(), 1)
        guesser = fresh_address()
        app.fail(responder, guesser, 1)
        assert_slowed(app.ask(responder, guesser))
        support.success(other_app.ask(responder, guesser))


def test_failures_are_forgiven_with_time(serve, app):
    """Sixty a minute: one each second."""
    responder = serve({"auth.failure_limit": 60})
    address = fresh_address()
    app.fail(responder, address, 55)
    for _ in range(10):
        response = app.ask(responder, address, app.wrong_secret)
    assert_slowed(response)
    assert int(response.header("Retry-After")) == 1
    time.sleep(1.1)
    support.success(app.ask(responder, address))


def test_no_limit(serve, app):
    app.fail(serve({"auth.failure_limit": 0}), fresh_address(), 100)


def test_twenty_by_default(program, database, app):
    settings = lab_responder.settings_for(database)
    del settings["auth.failure_limit"]
    responder = program.listen(settings)
    address = fresh_address()
    app.fail(responder, address, 20)
    assert_slowed(app.ask(responder, address))
    assert responder.stop() == 0


def test_many_addresses_take_no_memory(program, database, app):
    """Far more addresses than there is room for: they push each other out, nothing grows."""
    settings = lab_responder.settings_for(database, **{"auth.failure_limit": 5})
    responder = program.listen(settings, env=GIVE_BACK_AT_ONCE)
    app.fail(responder, fresh_address(), 1)
    before = resident_kilobytes(responder)
    with responder.connect() as connection:
        for number in range(10_000):
            wrong = client.credentials(f"unknown-{number}", "x", "y")
            address = "11.{}.{}.{}".format(number >> 16, number >> 8 & 255, number & 255)
            assert connection.ask(support.states(app.task_id, credentials=wrong, address=address)).status == 401
    assert resident_kilobytes(responder) < before + 2048
    assert responder.stop() == 0


def resident_kilobytes(responder):
    with open(f"/proc/{responder.service.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class TestForwardedFor:
    """[server] trusted_proxies: whose word is believed about a client's address."""

    ALLOWED, PROXY, OTHER_PROXY, STRANGER = "203.0.113.5", "10.9.9.1", "10.9.9.2", "198.51.100.7"

    @pytest.fixture(scope="class")
    def responder(self, serve):
        return serve({"server.trusted_proxies": "10.9.9.0/24", "status.allow": self.ALLOWED})

    def status(self, responder, peer, forwarded):
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        return responder.ask(client.variables("/metrics", headers=headers, address=peer)).status

    @pytest.mark.parametrize("peer, forwarded", [
        (ALLOWED, None), (PROXY, ALLOWED), (PROXY, f"{STRANGER}, {ALLOWED}"), (PROXY, f"{ALLOWED}, {OTHER_PROXY}"),
        (PROXY, f"{ALLOWED},{OTHER_PROXY} , {PROXY}"), (ALLOWED, STRANGER), (PROXY, f" {ALLOWED} "),
        (PROXY, f"{ALLOWED}:2001"), (PROXY, f"{ALLOWED}, {OTHER_PROXY}:80"), (f"{ALLOWED}:2001", None),
        (PROXY, f"::ffff:{ALLOWED}"), (PROXY, f"[::ffff:{ALLOWED}]:2001"),
    ])
    def test_allowed(self, responder, peer, forwarded):
        assert self.status(responder, peer, forwarded) == 200

    @pytest.mark.parametrize("peer, forwarded", [
        (STRANGER, ALLOWED), (PROXY, STRANGER), (PROXY, f"{ALLOWED}, {STRANGER}"), (PROXY, None), (PROXY, ""),
        (STRANGER, f"{ALLOWED}, {PROXY}"), (PROXY, f"{ALLOWED}, "), (PROXY, f"{ALLOWED}:x"), (PROXY, "unknown"),
        (PROXY, f"{ALLOWED}, unknown, {OTHER_PROXY}"), (PROXY, f"{ALLOWED} {STRANGER}"),
    ])
    def test_not_allowed(self, responder, peer, forwarded):
        assert self.status(responder, peer, forwarded) == 403

    def test_nobody_is_believed_by_default(self, standard):
        spoofed = {"X-Forwarded-For": "127.0.0.1"}
        response = standard.ask(client.variables("/metrics", headers=spoofed, address=self.STRANGER))
        assert response.status == 403

    def test_doubled_header_is_not_believed(self, responder):
        """lighttpd makes X-Forwarded-For and X_Forwarded_For one variable: the second may be the client's."""
        name = client.header_variable("X-Forwarded-For")
        honest = client.variables("/metrics", headers={"X-Forwarded-For": self.STRANGER}, address=self.PROXY)
        response = responder.ask([*honest.items(), (name, self.ALLOWED)])
        assert response.status in (400, 403)

    def test_failures_count_for_the_forwarded_address(self, serve, app):
        responder = serve({"server.trusted_proxies": "10.9.9.0/24", "auth.failure_limit": 5})

        def ask(forwarded, credentials):
            headers = {"X-Forwarded-For": forwarded}
            return responder.ask(support.states(app.task_id, headers, credentials, address=self.PROXY))

        for _ in range(5):
            assert ask(self.STRANGER, app.wrong_secret).status == 401
        assert_slowed(ask(self.STRANGER, app.good))
        support.success(ask("198.51.100.8", app.good))

    def test_a_port_behind_the_address_is_no_new_address(self, serve, app, other_app):
        """Some proxies append the port, which is another with each connection."""
        responder = serve({"server.trusted_proxies": "10.9.9.0/24", "auth.failure_limit": 5})

        def ask(forwarded, task_id, credentials):
            headers = {"X-Forwarded-For": forwarded}
            return responder.ask(support.states(task_id, headers, credentials, address=self.PROXY))

        for client_address, asked in (("6.6.6.6:{}", app), ("[2001:db8:6::6]:{}", other_app)):
            for port in range(2001, 2006):
                assert ask(client_address.format(port), asked.task_id, asked.wrong_secret).status == 401
            assert_slowed(ask(client_address.format(2006), asked.task_id, asked.good))
        assert_slowed(ask("6.6.6.6", app.task_id, app.good))
        support.success(ask("6.6.6.7:2001", app.task_id, app.good))


class TestUserTableCheck:
    """[auth] user_table_check = off: users live elsewhere, the secret speaks for any name."""

    @pytest.fixture(scope="class")
    def responder(self, serve):
        return serve({"auth.user_table_check": "off"})

    @pytest.mark.parametrize("username", ["nobody", support.INACTIVE_USER, support.USER, "x" * 300])
    def test_any_name_will_do(self, responder, finished_task, username):
        credentials = client.credentials(support.APP, support.SECRET, username)
        support.success(responder.ask(support.states(finished_task, credentials=credentials)))

    def test_a_name_is_still_needed(self, responder, finished_task):
        value = json.dumps({"bk_app_code": support.APP, "bk_app_secret": support.SECRET})
        response = responder.ask(support.states(finished_task, credentials={"X-Bkapi-Authorization": value}))
        support.assert_error(response, 401, 40101)

    def test_the_secret_is_still_checked(self, responder, finished_task):
        wrong = client.credentials(support.APP, "wrong", support.USER)
        support.assert_error(responder.ask(support.states(finished_task, credentials=wrong)), 401, 40102)

    def test_a_warning_is_logged_at_start(self, responder, standard):
        assert "user_table_check" in responder.log
        assert "user_table_check" not in standard.log
