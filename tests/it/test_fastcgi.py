# SPDX-License-Identifier: MIT
"""FastCGI 1.0 as web servers speak it, and as nobody should."""

import contextlib
import os
import random
import struct
import threading
import time

import pytest
import support
from lab import client, fcgi
from lab import responder as lab_responder
from lab.scratch import wait_until

MAX_REQUEST = 65536


@pytest.fixture
def connection(standard):
    with standard.connect() as connection:
        yield connection


@pytest.fixture
def states(finished_task):
    return support.states(finished_task)


def assert_still_works(responder, variables):
    support.success(responder.ask(variables))
    assert responder.service.running


class TestKeptConnection:
    """FCGI_KEEP_CONN leaves the connection to the web server."""

    def test_is_closed_without_the_flag(self, connection, states):
        support.success(connection.ask(states, keep=False))
        assert connection.is_closed_by_peer()

    def test_serves_many_requests_one_after_the_other(self, connection, states):
        for request_id in [1, 1, 2, 65535, 256, 1]:
            support.success(connection.ask(states, request_id=request_id))

    def test_ends_when_the_flag_is_gone(self, connection, states):
        support.success(connection.ask(states, keep=True))
        support.success(connection.ask(states, keep=False))
        assert connection.is_closed_by_peer()

    def test_64_connections_on_4_workers(self, serve, states):
        """All stay open, so a connection that held a worker would starve the other sixty."""
        responder = serve({"server.workers": 4})
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(responder.connect()) for _ in range(64)]
            for _round in range(3):
                for connection in connections:
                    connection.send(fcgi.request(states, keep=True))
                for connection in connections:
                    support.success(connection.response())

    def test_requests_written_back_to_back(self, connection, states):
        """Two requests in one write: both answered, in order."""
        first = states | {"HTTP_X_REQUEST_ID": "first"}
        second = states | {"HTTP_X_REQUEST_ID": "second"}
        connection.send(fcgi.request(first, keep=True) + fcgi.request(second, keep=True, request_id=2))
        assert connection.response(1).json["trace_id"] == "first"
        assert connection.response(2).json["trace_id"] == "second"

    def test_many_requests_back_to_back(self, connection, states):
        count = 50
        connection.send(b"".join(fcgi.request(states | {"HTTP_X_REQUEST_ID": f"number-{i}"}, keep=True)
                                 for i in range(count)))
        assert [connection.response().json["trace_id"] for _ in range(count)] == [f"number-{i}" for i in range(count)]

    def test_body_terminator_that_comes_after_the_answer(self, connection, states):
        """Some web servers send the empty STDIN late; it belongs to the request, not to the next."""
        connection.send(fcgi.begin(keep=True) + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states)))
        time.sleep(0.1)
        connection.send(fcgi.record(fcgi.STDIN))
        support.success(connection.response())
        support.success(connection.ask(states))

    def test_byte_by_byte(self, connection, states):
        for byte in fcgi.request(states, keep=True):
            connection.send(bytes([byte]))
        support.success(connection.response())

    @pytest.mark.parametrize("size", [1, 7, 8, 9, 255])
    def test_params_cut_into_small_records(self, connection, states, size):
        content = fcgi.pairs(states)
        records = [fcgi.record(fcgi.PARAMS, content[at:at + size], padding=size % 8)
                   for at in range(0, len(content), size)]
        connection.send(fcgi.begin(keep=True) + b"".join(records) + fcgi.record(fcgi.PARAMS) + fcgi.record(fcgi.STDIN))
        support.success(connection.response())

    def test_padding_of_every_record(self, connection, states):
        records = [(fcgi.BEGIN_REQUEST, struct.pack(">HB5x", fcgi.RESPONDER, fcgi.KEEP_CONN)),
                   (fcgi.PARAMS, fcgi.pairs(states)), (fcgi.PARAMS, b""), (fcgi.STDIN, b"body"), (fcgi.STDIN, b"")]
        connection.send(b"".join(fcgi.record(type_, content, padding=255) for type_, content in records))
        support.success(connection.response())
        support.success(connection.ask(states))

    def test_long_lengths_for_short_values(self, connection, states):
        """The four-byte form of a length is allowed for every length."""
        content = b"".join(struct.pack(">II", len(name) | 0x80000000, len(value) | 0x80000000) + name + value
                           for name, value in ((n.encode(), v.encode()) for n, v in states.items()))
        connection.send(fcgi.begin(keep=True) + fcgi.stream(fcgi.PARAMS, content) + fcgi.record(fcgi.STDIN))
        support.success(connection.response())


BAD_REQUESTS = {
    "unknown task id": lambda good: support.states("x"),
    "unknown path": lambda good: client.variables("/nowhere"),
    "no credentials": lambda good: support.states(1, credentials={}),
    "credentials that are no JSON": lambda good: support.states(1, credentials={"X-Bkapi-Authorization": "{"}),
    "malformed query": lambda good: support.states(1, credentials={}, query="%"),
    "other method": lambda good: good | {"REQUEST_METHOD": "DELETE"},
    "no variables": lambda good: {},
    "no method": lambda good: {"PATH_INFO": "/healthz"},
    "no path": lambda good: {"REQUEST_METHOD": "GET"},
    "odd variables": lambda good: good | {"": "x", "A" * 300: "", "\xff": "\0", "PATH_INFO": "/nowhere"},
    "too many bytes": lambda good: good | {"HTTP_X_LARGE": "x" * MAX_REQUEST},
    "very many small variables": lambda good: [(f"HTTP_X_{i}", "x") for i in range(20_000)],
    "many small variables": lambda good: [*good.items(), *((f"HTTP_X_{i}", "x") for i in range(1_000))],
}


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_next_request_after_a_bad_one(connection, states, kind):
    """On the same kept connection."""
    bad = connection.ask(BAD_REQUESTS[kind](states))
    assert 400 <= bad.status < 500
    assert bad.json["result"] is False
    support.success(connection.ask(states))


class TestSizes:
    """[server] max_request_bytes bounds the variables and the body, each."""

    @pytest.mark.parametrize("size", [MAX_REQUEST + 1, 200_000, 5_000_000])
    def test_variables_too_large(self, connection, states, size):
        response = connection.ask(states | {"HTTP_X_LARGE": "x" * size})
        support.assert_error(response, 431, 43101)
        support.success(connection.ask(states))

    def test_variables_just_within(self, connection, states):
        support.success(connection.ask(states | {"HTTP_X_LARGE": "x" * (MAX_REQUEST - 4096)}))

    @pytest.mark.parametrize("size", [MAX_REQUEST + 1, 200_000, 5_000_000])
    def test_body_too_large(self, connection, states, size):
        response = connection.ask(states | {"CONTENT_LENGTH": str(size)}, b"x" * size)
        support.assert_error(response, 413, 41301)
        support.success(connection.ask(states))

    def test_body_as_large_as_allowed(self, connection, states):
        support.success(connection.ask(states | {"CONTENT_LENGTH": str(MAX_REQUEST)}, b"x" * MAX_REQUEST))

    def test_limit_is_configurable(self, serve, states):
        responder = serve({"server.max_request_bytes": "8k"})
        support.assert_error(responder.ask(states | {"HTTP_X_LARGE": "x" * 8192}), 431, 43101)
        support.assert_error(responder.ask(states, b"x" * 8193), 413, 41301)
        assert_still_works(responder, states)


class TestManagement:
    """Records that belong to no request: id 0."""

    def values(self, connection, *names):
        connection.send(fcgi.record(fcgi.GET_VALUES, fcgi.pairs([(name, "") for name in names]), request_id=0))
        answer = connection.record()
        assert (answer.type, answer.request_id) == (fcgi.GET_VALUES_RESULT, 0)
        return fcgi.parse_pairs(answer.content)

    def test_get_values(self, connection):
        """Answered at once, without a request having to follow."""
        values = dict(self.values(connection, "FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"))
        assert values.keys() == {b"FCGI_MAX_CONNS", b"FCGI_MAX_REQS", b"FCGI_MPXS_CONNS"}
        assert int(values[b"FCGI_MAX_CONNS"]) >= 64
        assert int(values[b"FCGI_MAX_REQS"]) >= 4
        assert values[b"FCGI_MPXS_CONNS"] == b"0"

    def test_get_values_leaves_out_what_is_unknown(self, connection):
        values = self.values(connection, "NO_SUCH", "FCGI_MPXS_CONNS", "")
        assert [name for name, _value in values] == [b"FCGI_MPXS_CONNS"]

    def test_get_values_of_nothing(self, connection):
        assert self.values(connection) == []

    def test_get_values_between_requests(self, connection, states):
        support.success(connection.ask(states))
        self.values(connection, "FCGI_MAX_CONNS")
        support.success(connection.ask(states))

    def test_get_values_within_a_request(self, connection, states):
        whole = fcgi.begin(keep=True) + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states))
        connection.send(whole)
        self.values(connection, "FCGI_MAX_CONNS")
        connection.send(fcgi.record(fcgi.STDIN))
        support.success(connection.response())

    @pytest.mark.parametrize("type_", [0, 12, 99, 255])
    def test_unknown_type(self, connection, states, type_):
        connection.send(fcgi.record(type_, b"whatever", request_id=0))
        answer = connection.record()
        assert (answer.type, answer.request_id) == (fcgi.UNKNOWN_TYPE, 0)
        assert answer.content == bytes([type_, 0, 0, 0, 0, 0, 0, 0])
        support.success(connection.ask(states))


class TestRequestRecords:
    """Roles, aborts, multiplexing, and records out of their place."""

    @pytest.mark.parametrize("role", [fcgi.AUTHORIZER, 3, 0, 99, 65535])
    def test_other_roles_are_refused(self, connection, states, role):
        connection.send(fcgi.begin(keep=True, request_id=7, role=role))
        refused = connection.response(7)
        assert (refused.raw, refused.protocol_status) == (b"", fcgi.UNKNOWN_ROLE)
        support.success(connection.ask(states))

    def test_rest_of_a_refused_request_is_passed_over(self, connection, states):
        connection.send(fcgi.begin(keep=True, request_id=7, role=fcgi.AUTHORIZER)
                        + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states), 7) + fcgi.record(fcgi.STDIN, b"", 7))
        assert connection.response(7).protocol_status == fcgi.UNKNOWN_ROLE
        support.success(connection.ask(states))

    def test_second_request_while_one_is_open(self, connection, states):
        connection.send(fcgi.begin(keep=True) + fcgi.begin(keep=True, request_id=2))
        refused = connection.response(2)
        assert (refused.raw, refused.protocol_status) == (b"", fcgi.CANT_MPX_CONN)
        connection.send(fcgi.stream(fcgi.PARAMS, fcgi.pairs(states)) + fcgi.record(fcgi.STDIN))
        support.success(connection.response(1))

    @pytest.mark.parametrize("sent", [
        lambda pairs: b"",
        lambda pairs: fcgi.record(fcgi.PARAMS, pairs[:30]),
        lambda pairs: fcgi.stream(fcgi.PARAMS, pairs),
        lambda pairs: fcgi.stream(fcgi.PARAMS, pairs) + fcgi.record(fcgi.STDIN, b"half of the bo"),
    ], ids=["after-begin", "in-params", "after-params", "in-body"])
    def test_abort(self, connection, states, sent):
        """Answered with END_REQUEST and no response; the connection goes on."""
        connection.send(fcgi.begin(keep=True) + sent(fcgi.pairs(states)) + fcgi.record(fcgi.ABORT_REQUEST))
        assert connection.response().raw == b""
        support.success(connection.ask(states))

    def test_abort_of_a_request_that_is_not_open(self, connection, states):
        connection.send(fcgi.record(fcgi.ABORT_REQUEST, request_id=9))
        support.success(connection.ask(states))

    def test_records_of_a_request_that_is_not_open(self, connection, states):
        connection.send(fcgi.record(fcgi.PARAMS, b"x" * 100, 9) + fcgi.record(fcgi.STDIN, b"y", 9))
        support.success(connection.ask(states))


def name_length(length):
    return struct.pack(">I", length | 0x80000000)


HOSTILE = {
    "GET_VALUES that repeats a name 40 times":
        fcgi.record(fcgi.GET_VALUES, fcgi.pairs([("FCGI_MAX_CONNS", "")] * 40), request_id=0),
    "GET_VALUES with a value that runs over":
        fcgi.record(fcgi.GET_VALUES, b"\x0e\x7fFCGI_MAX_CONNS", request_id=0),
    "GET_VALUES with a huge name length":
        fcgi.record(fcgi.GET_VALUES, b"\xff\xff\xff\xfe\x00", request_id=0),
    "PARAMS with a name length of 0xfffffffe":
        fcgi.begin(True) + fcgi.stream(fcgi.PARAMS, b"\xff\xff\xff\xfe\x00abc") + fcgi.record(fcgi.STDIN),
    "PARAMS with two lengths that overflow their sum":
        fcgi.begin(True) + fcgi.stream(fcgi.PARAMS, name_length(0x7fffffff) * 2 + b"x") + fcgi.record(fcgi.STDIN),
    "PARAMS that end within a length":
        fcgi.begin(True) + fcgi.stream(fcgi.PARAMS, b"\x80\x00") + fcgi.record(fcgi.STDIN),
    "PARAMS that end within a value":
        fcgi.begin(True) + fcgi.stream(fcgi.PARAMS, b"\x01\x7fab") + fcgi.record(fcgi.STDIN),
    "version 0": fcgi.record(fcgi.BEGIN_REQUEST, bytes(8), version=0),
    "version 2": fcgi.record(fcgi.BEGIN_REQUEST, bytes(8), version=2),
    "version 255": fcgi.record(fcgi.BEGIN_REQUEST, bytes(8), version=255),
    "BEGIN_REQUEST that is too short": fcgi.record(fcgi.BEGIN_REQUEST, b"\x00\x01"),
    "BEGIN_REQUEST without content": fcgi.record(fcgi.BEGIN_REQUEST),
    "BEGIN_REQUEST with id 0": fcgi.record(fcgi.BEGIN_REQUEST, struct.pack(">HB5x", 1, 1), request_id=0),
    "BEGIN_REQUEST twice with the same id": fcgi.begin(True) * 2,
    "STDIN before PARAMS are complete": fcgi.begin(True) + fcgi.record(fcgi.STDIN, b"x"),
    "PARAMS behind their end": fcgi.begin(True) + fcgi.record(fcgi.PARAMS) + fcgi.record(fcgi.PARAMS, b"\x01\x01ab"),
    "records that only a responder sends": b"".join(
        fcgi.record(type_, b"x" * 8) for type_ in (fcgi.END_REQUEST, fcgi.STDOUT, fcgi.STDERR)),
    "results of management records":
        fcgi.record(fcgi.GET_VALUES_RESULT, b"", 0) + fcgi.record(fcgi.UNKNOWN_TYPE, bytes(8), 0),
    "the greeting of another protocol": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000001fc0303") + bytes(range(256)),
    "nothing but zero bytes": bytes(100_000),
    "nothing but ones": b"\xff" * 100_000,
    "endless empty STDIN": fcgi.begin(True) + fcgi.record(fcgi.STDIN) * 10_000,
    "endless unknown records": fcgi.record(77, b"x" * 1000, request_id=0) * 200,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_records_harm_nobody_else(standard, states, kind):
    """Whatever becomes of that connection, the process and others' requests live on."""
    pid = standard.service.pid
    with standard.connect() as other, standard.connect() as hostile:
        support.success(other.ask(states))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            hostile.send(HOSTILE[kind])
            hostile.socket.settimeout(0.2)
            with contextlib.suppress(fcgi.Hangup, TimeoutError):
                hostile.record()
        support.success(other.ask(states))
    assert_still_works(standard, states)
    assert standard.service.pid == pid


def test_random_bytes_harm_nobody(standard, states):
    """The same bytes in every run."""
    source = random.Random(2026)
    good = fcgi.request(states, keep=True)
    for _ in range(200):
        broken = bytearray(good)
        for _ in range(source.randint(1, 5)):
            broken[source.randrange(len(broken))] = source.randrange(256)
        with standard.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(bytes(broken[:source.randint(1, len(broken))]))
    assert_still_works(standard, states)


class TestSlowClients:
    """[server] client_timeout: nobody holds a connection half open for ever."""

    @pytest.fixture
    def impatient(self, serve):
        return serve({"server.client_timeout": "1s"})

    @pytest.mark.parametrize("part", ["header", "begin", "params", "body"])
    def test_half_a_request_is_cut(self, impatient, states, part):
        whole = fcgi.begin(True) + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states)) + fcgi.record(fcgi.STDIN, b"x")
        length = {"header": 5, "begin": 16, "params": 100, "body": len(whole)}[part]
        with impatient.connect() as connection:
            started = time.monotonic()
            connection.send(whole[:length])
            assert connection.is_closed_by_peer()
            assert 0.9 < time.monotonic() - started < 10
        assert_still_works(impatient, states)

    def test_a_trickle_is_cut(self, impatient, states):
        """Single bytes do not renew the time: the whole request has it."""
        whole = fcgi.request(states, keep=True)
        with impatient.connect() as connection:
            started = time.monotonic()
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                for byte in whole:
                    connection.send(bytes([byte]))
                    time.sleep(0.02)
            assert time.monotonic() - started < 10

    def test_an_idle_kept_connection_is_not_cut(self, impatient, states):
        with impatient.connect() as connection:
            support.success(connection.ask(states))
            time.sleep(1.5)
            support.success(connection.ask(states))

    def test_who_does_not_read_holds_nobody_up_for_long(self, serve, states, large_task):
        """As many connections that do not read as there are workers, and answers beyond any socket buffer.

        Until their time is over others may be told that the service is overloaded, but are told.
        """
        responder = serve({"server.workers": 2, "server.client_timeout": "2s"})
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                deaf = stack.enter_context(responder.connect())
                deaf.send(fcgi.request(support.states(large_task), keep=True))

            def is_served():
                response = responder.ask(states)
                if response.status != 200:
                    support.assert_error(response, 503, 50302)
                    assert int(response.header("Retry-After")) >= 1
                return response.status == 200
            wait_until(is_served, timeout=15)

    def test_who_reads_slowly_is_cut_as_well(self, serve, states, large_task):
        """A byte now and then does not renew the time."""
        responder = serve({"server.workers": 2, "server.client_timeout": "500ms"})
        with responder.connect() as connection:
            connection.send(fcgi.request(support.states(large_task), keep=True))
            received = 0
            with contextlib.suppress(ConnectionResetError):
                while piece := connection.socket.recv(500):
                    received += len(piece)
                    time.sleep(0.005)
            assert received < 2_000_000, "all of the answer was waited for"
        assert_still_works(responder, states)

    @pytest.mark.parametrize("part", [0, 5, 16, 100, -8, None],
                             ids=["nothing", "header", "begin", "params", "almost", "all"])
    def test_hangup_in_the_middle(self, standard, states, part):
        for _ in range(20):
            with standard.connect() as connection:
                connection.send(fcgi.request(states, keep=True)[:part])
        assert_still_works(standard, states)

    def test_hangup_while_the_answer_is_sent(self, standard, states, large_task):
        for _ in range(4):
            with standard.connect() as connection:
                connection.send(fcgi.request(support.states(large_task), keep=True))
                connection.socket.recv(100)
        assert_still_works(standard, states)


@pytest.fixture(scope="module")
def large_task(world):
    return world.task([support.node(), *(support.node(f"step {i}") for i in range(10_000))])


def test_many_clients_at_once(standard, states):
    """Each thread sees its own answers only."""
    failures = []

    def client_thread(number):
        try:
            with standard.connect() as connection:
                for i in range(30):
                    wanted = f"thread-{number}-{i}"
                    response = connection.ask(states | {"HTTP_X_REQUEST_ID": wanted})
                    support.success(response)
                    assert response.json["trace_id"] == wanted
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=client_thread, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def test_descriptors_are_given_back(program, database, states):
    """After a hundred connections of all kinds as many are open as before."""
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    support.success(responder.ask(states))  # the worker has its database connection now

    def open_descriptors():
        return len(os.listdir(f"/proc/{responder.service.pid}/fd"))

    time.sleep(0.2)
    before = open_descriptors()
    for kind in HOSTILE.values():
        with responder.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(kind)
    for _ in range(100):
        support.success(responder.ask(states))
    wait_until(lambda: open_descriptors() <= before)
    responder.stop()
