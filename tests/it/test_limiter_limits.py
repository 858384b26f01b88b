# SPDX-License-Identifier: MIT
"""The limit on failed logins under load: many workers, many addresses, attackers beside honest clients, reloads."""

import concurrent.futures
import itertools
import re
import time

import memory
import pytest
import support
from lab import client, fcgi, jwt, mariadb
from lab import responder as lab_responder
from lab.scratch import wait_until

TOO_MANY = 42901
WRONG = client.credentials(support.APP, "wrong", support.USER)
METRIC = re.compile(r'^bkflow_states_requests_total\{status="429",cause="too_many_failures"\} (\d+)$', re.MULTILINE)

numbers = itertools.count(1)


def fresh_address():
    """One that no other test has; of the networks that are set aside for such use."""
    return "198.18.{}.{}".format(*divmod(next(numbers), 256))


@pytest.fixture
def start(program, database):
    """A function from settings to a responder with an empty limiter, which is stopped afterwards."""
    started = []

    def start_with(**others):
        settings = {"auth." + name: value for name, value in others.items()}
        started.append(program.listen(lab_responder.settings_for(database, **settings)))
        return started[-1]

    yield start_with
    for responder in started:
        assert responder.stop() == 0


@pytest.fixture
def app(database, world):
    """The code, with "right" as its secret, and a task of an application that no other test has."""
    code = f"limited_{next(numbers)}"
    database.sql(mariadb.insert("bkflow_states_app", [support.app_row(code, "right")]))
    return code, world.task([support.node()], template_id=world.template(code))


def request(task_id, credentials, address, headers=None):
    return support.states(task_id, headers, credentials=credentials, address=address)


def assert_slowed(response, at_most=60):
    support.assert_error(response, 429, TOO_MANY)
    assert re.fullmatch("[1-9][0-9]*", response.header("Retry-After"))
    assert int(response.header("Retry-After")) <= at_most


class TestWhatCounts:
    """Each kind of failed login, and nothing that succeeds."""

    KINDS = {40102: WRONG, 40104: {"X-Bkapi-JWT": "a.b.c"}}

    @pytest.mark.parametrize("code", KINDS)
    def test_each_kind_alone(self, start, lab, finished_task, code):
        responder = start(failure_limit=3, gateway="on", gateway_key_main=jwt.Key(lab).public_path)
        for _ in range(3):
            response = responder.ask(request(finished_task, self.KINDS[code], "192.0.2.1"))
            support.assert_error(response, 401, code)
        assert_slowed(responder.ask(request(finished_task, self.KINDS[code], "192.0.2.1")))

    def test_kinds_add_up(self, start, lab, finished_task):
        responder = start(failure_limit=2, gateway="on", gateway_key_main=jwt.Key(lab).public_path)
        for credentials in self.KINDS.values():
            assert responder.ask(request(finished_task, credentials, "192.0.2.1")).status == 401
        assert_slowed(responder.ask(request(finished_task, support.GOOD, "192.0.2.1")))

    def test_success_below_the_limit_is_as_ever(self, start, finished_task):
        responder = start(failure_limit=100)
        for _ in range(50):
            assert responder.ask(request(finished_task, WRONG, "192.0.2.1")).status == 401
            support.success(responder.ask(request(finished_task, support.GOOD, "192.0.2.1")))

    def test_what_was_slowed_down_does_not_count_again(self, start, finished_task):
        """Else a client that tries again too early would never get out."""
        responder = start(failure_limit=60)
        for _ in range(60):
            responder.ask(request(finished_task, WRONG, "192.0.2.1"))
        wait_until(lambda: responder.ask(request(finished_task, support.GOOD, "192.0.2.1")).status != 429)
        support.success(responder.ask(request(finished_task, support.GOOD, "192.0.2.1")))

    def test_the_wait_that_was_told_is_enough(self, start, finished_task):
        """After Retry-After seconds, and no sooner than makes sense, one is heard again."""
        responder = start(failure_limit=30)
        for _ in range(31):
            response = responder.ask(request(finished_task, WRONG, "192.0.2.1"))
        assert_slowed(response, at_most=2)
        time.sleep(int(response.header("Retry-After")))
        support.success(responder.ask(request(finished_task, support.GOOD, "192.0.2.1")))

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    def test_other_routes_are_not_slowed(self, start, finished_task, path):
        responder = start(failure_limit=1)
        for _ in range(3):
            responder.ask(request(finished_task, WRONG, "127.0.0.1"))
        assert_slowed(responder.ask(request(finished_task, WRONG, "127.0.0.1")))
        assert responder.ask(client.variables(path)).status == 200


class TestLockout:
    """Nobody can keep an application out by failing in its name."""

    def test_a_flood_of_failures_from_elsewhere(self, start, app):
        """Its own address has not failed: its secret is good all the while."""
        responder = start(failure_limit=5)
        code, task_id = app
        right = client.credentials(code, "right", support.USER)
        with responder.connect() as connection:
            for count in range(2000):
                wrong = client.credentials(code, str(count), support.USER)
                assert connection.ask(request(task_id, wrong, fresh_address())).status == 401
                if count % 100 == 0:
                    support.success(connection.ask(request(task_id, right, "192.0.2.1")))

    def test_an_address_that_failed_lately_waits_for_the_application(self, start, app):
        responder = start(failure_limit=5)
        code, task_id = app
        right, wrong = (client.credentials(code, secret, support.USER) for secret in ("right", "wrong"))
        for _ in range(5):
            assert responder.ask(request(task_id, wrong, fresh_address())).status == 401
        assert responder.ask(request(task_id, wrong, "192.0.2.2")).status == 401
        assert_slowed(responder.ask(request(task_id, right, "192.0.2.2")))
        support.success(responder.ask(request(task_id, right, "192.0.2.3")))

    def test_forging_x_forwarded_for_does_not_blame_others(self, start, finished_task):
        """Nobody is trusted by default: the failures are those of who sent them."""
        responder = start(failure_limit=3)
        for _ in range(3):
            forged = {"X-Forwarded-For": "192.0.2.1"}
            assert responder.ask(request(finished_task, WRONG, "192.0.2.66", forged)).status == 401
        support.success(responder.ask(request(finished_task, support.GOOD, "192.0.2.1")))
        forged = {"X-Forwarded-For": "192.0.2.7"}
        assert_slowed(responder.ask(request(finished_task, support.GOOD, "192.0.2.66", forged)))

    def test_a_client_cannot_shift_its_failures_through_a_trusted_proxy(self, program, database, finished_task):
        """What it writes itself stands before what the proxy adds."""
        responder = program.listen(lab_responder.settings_for(
            database, **{"auth.failure_limit": 3, "server.trusted_proxies": "10.0.0.0/8"}))
        for made_up in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            headers = {"X-Forwarded-For": f"{made_up}, 198.51.100.1"}
            assert responder.ask(request(finished_task, WRONG, "10.0.0.1", headers)).status == 401
        headers = {"X-Forwarded-For": "192.0.2.9, 198.51.100.1"}
        assert_slowed(responder.ask(request(finished_task, support.GOOD, "10.0.0.1", headers)))
        headers = {"X-Forwarded-For": "192.0.2.1"}
        support.success(responder.ask(request(finished_task, support.GOOD, "10.0.0.1", headers)))
        assert responder.stop() == 0

    @pytest.mark.parametrize("first, second, other", [
        ("192.0.2.1", "192.0.2.1:2001", "192.0.2.2"), ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("::1", "[::1]:2001", "::1:0:0:0:1"), ("2001:db8::1", "2001:db8::ffff:ffff", "2001:db8:0:1::1"),
        ("2001:db8::1", "[2001:db8::2]:80", "[2001:db8:1::1]:80"), ("fe80::1%a", "fe80::1%b", "fe80:0:0:1::1%a"),
    ])
    def test_spellings_and_addresses_of_one_client(self, start, finished_task, first, second, other):
        """A client may have all addresses of an IPv6 network of 64 bits."""
        responder = start(failure_limit=2)
        for address in (first, second):
            guess = client.credentials(f"unknown-{address}", "x", "y")
            assert responder.ask(request(finished_task, guess, address)).status == 401
        for address in (first, second):
            assert_slowed(responder.ask(request(finished_task, support.GOOD, address)))
        support.success(responder.ask(request(finished_task, support.GOOD, other)))

    @pytest.mark.parametrize("text", ["", "unix:", "x" * 5000, "\u00e9"], ids=lambda text: ascii(text)[:12])
    def test_texts_that_are_no_address_count_as_one(self, start, finished_task, text):
        """Or each new text would be a new client."""
        responder = start(failure_limit=2)
        for address in (text, "another"):
            assert responder.ask(request(finished_task, WRONG, address)).status == 401
        assert_slowed(responder.ask(request(finished_task, support.GOOD, text + "2")))
        support.success(responder.ask(request(finished_task, support.GOOD, "192.0.2.1")))


class TestWorkers:
    """One count for all workers of a process."""

    def test_failures_at_many_workers_add_up(self, program, database, finished_task):
        limit = 40
        responder = program.listen(lab_responder.settings_for(
            database, **{"auth.failure_limit": limit, "server.workers": 8}))
        variables = request(finished_task, WRONG, "192.0.2.1")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = [answer.status for answer in pool.map(lambda _: responder.ask(variables), range(200))]
        assert set(statuses) == {401, 429}
        # At once eight may be on their way, and at 40 a minute one more is let in each 1.5 s.
        assert limit <= statuses.count(401) <= limit + 8 + 10
        for _ in range(20):  # whichever worker takes it
            assert_slowed(responder.ask(variables))
        assert responder.stop() == 0


class TestMemory:
    """Fixed, however many fail."""

    AT_ONCE = 100  # requests on their way on the connection

    @pytest.mark.parametrize("count, headers", [
        (100_000, lambda number: {"X-Bkapi-JWT": "a.b.c"}),
        (10_000, lambda number: client.credentials(f"unknown-{number}", "x", "y")),
    ], ids=["addresses", "codes-too"])
    def test_many_addresses_and_codes(self, program, start, lab, finished_task, count, headers):
        """Each from an address of its own; with a token, which needs no database, that is quick."""
        memory.skip_if_sanitized(program)
        responder = start(failure_limit=1000, gateway="on", gateway_key_main=jwt.Key(lab).public_path)
        with responder.connect() as connection:
            self.fail(connection, finished_task, range(1000), headers)
            before = memory.resident_kilobytes(responder)
            self.fail(connection, finished_task, range(1000, count), headers)
            after = memory.resident_kilobytes(responder)
            support.success(connection.ask(request(finished_task, support.GOOD, "192.0.2.1")))
        assert after - before < 256, f"{before} kB became {after} kB"

    def fail(self, connection, task_id, some, headers):
        for first in some[::self.AT_ONCE]:
            batch = range(first, first + self.AT_ONCE)
            requests = [request(task_id, headers(number), f"2001:db8:{number >> 16:x}:{number & 65535:x}::1") for number in batch]
            connection.send(b"".join(fcgi.request(variables, keep=True) for variables in requests))
            for _ in batch:
                assert connection.response().status == 401

    def test_who_just_failed_is_remembered_among_many(self, start, finished_task):
        """Room is made by those who failed longest ago."""
        responder = start(failure_limit=3)
        with responder.connect() as connection:
            for number in range(3000):
                wrong = client.credentials(f"unknown-{number}", "x", "y")
                connection.ask(request(finished_task, wrong, fresh_address()))
            for _ in range(3):
                assert connection.ask(request(finished_task, WRONG, "192.0.2.1")).status == 401
            assert_slowed(connection.ask(request(finished_task, WRONG, "192.0.2.1")))


def test_metrics_count_them(start, finished_task):
    responder = start(failure_limit=2)

    def counted():
        return int(METRIC.search(responder.ask(client.variables("/metrics")).body.decode())[1])

    assert counted() == 0
    statuses = [responder.ask(request(finished_task, WRONG, "192.0.2.1")).status for _ in range(7)]
    assert statuses == [401] * 2 + [429] * 5
    wait_until(lambda: counted() >= 5)  # a request is counted when its answer is out
    assert counted() == 5


def test_access_log_tells_them(program, database, finished_task):
    responder = program.listen(lab_responder.settings_for(database, **{"auth.failure_limit": 1, "log.access": "on"}))
    for name in ("first", "second"):
        responder.ask(request(finished_task, WRONG, "192.0.2.1", {"X-Request-Id": name}))
    responder.wait_for_log("request trace_id=second")
    line = next(line for line in responder.log.splitlines() if "request trace_id=second" in line)
    assert "status=429" in line and "cause=too_many_failures" in line
    assert responder.stop() == 0


def test_messages_tell_nothing_of_the_credentials(start, finished_task):
    """Good and bad ones get the same answer while one has to wait."""
    responder = start(failure_limit=1)
    responder.ask(request(finished_task, WRONG, "192.0.2.1"))
    same_id = {"X-Request-Id": "the-same-for-both"}
    tried = (WRONG, support.GOOD, client.credentials("nobody", "x", "y"), {})
    answers = [responder.ask(request(finished_task, credentials, "192.0.2.1", same_id)).raw for credentials in tried]
    assert len({re.sub(rb"Retry-After: \d+", b"", answer) for answer in answers}) == 1


class TestReload:
    """The limit of now counts, also for failures of before."""

    @pytest.fixture
    def reload(self):
        def reload_with(responder, limit):
            size = len(responder.log)
            responder.reload(responder.settings | {"auth.failure_limit": limit})
            responder.wait_for_log("reloaded", since=size)
        return reload_with

    def test_on_and_off(self, start, reload, finished_task):
        responder = start(failure_limit=0)
        wrong, right = (request(finished_task, credentials, "192.0.2.1") for credentials in (WRONG, support.GOOD))
        for _ in range(30):
            assert responder.ask(wrong).status == 401
        reload(responder, 5)
        support.success(responder.ask(right))
        for _ in range(5):
            assert responder.ask(wrong).status == 401
        assert_slowed(responder.ask(right))
        reload(responder, 0)
        support.success(responder.ask(right))
        for _ in range(30):
            assert responder.ask(wrong).status == 401

    def test_failures_are_not_forgotten_by_a_reload(self, start, reload, finished_task):
        responder = start(failure_limit=5)
        for _ in range(5):
            responder.ask(request(finished_task, WRONG, "192.0.2.1"))
        reload(responder, 5)
        assert_slowed(responder.ask(request(finished_task, support.GOOD, "192.0.2.1")))


def test_two_processes_count_apart(program, database, finished_task):
    """As the manual says: with N processes N times as many are let in."""
    settings = lab_responder.settings_for(database, **{"auth.failure_limit": 2})
    first, second = program.listen(settings), program.listen(settings)
    wrong = request(finished_task, WRONG, "192.0.2.1")
    for responder in (first, second):
        assert [responder.ask(wrong).status for _ in range(3)] == [401, 401, 429]
        assert responder.stop() == 0
