# SPDX-License-Identifier: MIT
"""What a faulty or hostile client can do to the responder, and what a machine that runs short can.

Each test of a fault ends as `unharmed` does: the process lives, a fresh request is answered, all workers
are free, and no descriptor is left open. test_fastcgi.py has what web servers do, right or wrong.
"""

import contextlib
import json
import os
import random
import re
import socket
import struct
import subprocess
import threading
import time

import pytest
import support
from lab import client, fcgi
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab.scratch import wait_until

MAX_REQUEST = 65536
MAX_VARIABLES = 512
WORKERS = 2
CLIENT_TIMEOUT_MS = 3000
CLIENT_TIMEOUT = CLIENT_TIMEOUT_MS / 1000
# What a loaded machine may take on top.
SLACK = 10.0
LOST = "bkflow_states_log_lost_total"


@pytest.fixture(scope="module")
def large_task(world):
    """Its answer is larger than any socket's buffer."""
    return world.task([support.node(), *(support.node(f"step {i}") for i in range(6_000))])


@pytest.fixture(scope="module")
def target(program, database):
    responder = program.listen(lab_responder.settings_for(
        database, **{"server.workers": WORKERS, "server.client_timeout": f"{CLIENT_TIMEOUT_MS}ms"}))
    responder.idle_descriptors = descriptors_at_rest(responder)
    yield responder
    assert responder.stop() == 0, responder.log
    assert "Sanitizer" not in responder.log


@pytest.fixture
def states(finished_task):
    return support.states(finished_task)


@pytest.fixture
def unharmed(target, states):
    """Holds after the test: as said above."""
    pid = target.service.pid
    yield target
    assert_unharmed(target, states, pid)


@pytest.fixture
def connection(unharmed):
    with unharmed.connect() as connection:
        yield connection


def assert_unharmed(responder, variables, pid):
    assert responder.service.running, responder.log
    assert responder.service.pid == pid
    ask_at_once(responder, variables, WORKERS)
    wait_until(lambda: open_descriptors(responder) <= responder.idle_descriptors)


def ask_at_once(responder, variables, count):
    """So many fresh requests side by side are all answered: no worker is held by anybody else."""
    deadline = time.monotonic() + CLIENT_TIMEOUT + SLACK
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(responder.connect()) for _ in range(count)]
        for connection in connections:
            connection.send(fcgi.request(variables))
        for connection in connections:
            support.success(connection.response())
    assert time.monotonic() < deadline


def descriptors_at_rest(responder):
    """Of one that has just started: what is open then, and for each worker later a connection to each of the two
    databases, of which the deadline has a duplicate."""
    assert responder.ask(client.variables("/healthz")).status == 200  # it listens before all else is open
    return open_descriptors(responder) + 2 * 2 * WORKERS


def open_descriptors(responder):
    return len(os.listdir(f"/proc/{responder.service.pid}/fd"))


def lasting_descriptors(responder):
    """How many are open once those of connections that have ended are closed: the same number ten times in a row."""
    seen = []

    def is_lasting():
        seen.append(open_descriptors(responder))
        return len(seen) >= 10 and len(set(seen[-10:])) == 1
    wait_until(is_lasting)
    return seen[-1]


def fresh_scrape(responder, sample):
    """A number of the metrics; None where the sample is not there."""
    text = responder.ask(client.variables("/metrics")).body.decode()
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def small_records(content, size=1):
    return b"".join(fcgi.record(fcgi.PARAMS, content[at:at + size]) for at in range(0, len(content), size))


def send_params(connection, params):
    connection.send(fcgi.begin(keep=True) + params + fcgi.record(fcgi.PARAMS) + fcgi.record(fcgi.STDIN))
    return connection.response()


class TestFaultsOfLibraries:
    """What was seen to end, block or confuse programs that leave the protocol to libfcgi 2.4.2."""

    def test_get_values_with_one_name_40_times(self, connection, states):
        """It ends such a program (CVE-2025-23016 is of this kind)."""
        connection.send(fcgi.record(fcgi.GET_VALUES, fcgi.pairs([("FCGI_MPXS_CONNS", "")] * 40), request_id=0))
        answer = connection.record()
        assert fcgi.parse_pairs(answer.content) == [(b"FCGI_MPXS_CONNS", b"0")]
        support.success(connection.ask(states))

    def test_name_length_of_0xfffffffe(self, connection, states):
        """It ends such a program; here the client is told, and may ask again."""
        response = send_params(connection, fcgi.record(fcgi.PARAMS, b"\xff\xff\xff\xfe\x00abc"))
        support.assert_error(response, 400, 40000)
        support.success(connection.ask(states))

    def test_get_values_alone_is_answered_at_once_and_to_the_byte(self, connection):
        """It waits for a request, and sends bytes of its memory behind the pairs."""
        connection.send(fcgi.record(fcgi.GET_VALUES, fcgi.pairs([("FCGI_MPXS_CONNS", "")]), request_id=0))
        wanted = fcgi.record(fcgi.GET_VALUES_RESULT, b"\x0f\x01FCGI_MPXS_CONNS0", request_id=0)
        received = b""
        while len(received) < len(wanted):
            received += connection.socket.recv(4096)
        assert received == wanted
        assert_silent(connection)

    def test_abort_in_the_body_is_not_answered_with_a_response(self, connection, states):
        connection.send(fcgi.begin(keep=True) + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states))
                        + fcgi.record(fcgi.STDIN, b"half") + fcgi.record(fcgi.ABORT_REQUEST))
        assert connection.response().raw == b""
        support.success(connection.ask(states))

    def test_body_terminator_after_the_answer(self, connection, states):
        support.success(connection.ask(states))
        connection.send(fcgi.record(fcgi.STDIN))
        support.success(connection.ask(states))

    def test_two_requests_in_one_write(self, connection, states):
        connection.send(fcgi.request(states, keep=True) + fcgi.request(states, keep=True, request_id=2))
        support.success(connection.response(1))
        support.success(connection.response(2))

    def test_kept_connections_hold_no_worker(self, unharmed, states):
        with contextlib.ExitStack() as stack:
            for _ in range(4 * WORKERS):
                support.success(stack.enter_context(unharmed.connect()).ask(states))
            ask_at_once(unharmed, states, WORKERS)

    def test_descriptors_beyond_what_select_knows(self, unharmed, states):
        with contextlib.ExitStack() as stack:
            for _ in range(1100):
                last = stack.enter_context(unharmed.connect())
            support.success(last.ask(states))

    def test_started_by_a_cgi_program(self, program, database, finished_task):
        """A CGI program's variables stand in the environment of what it starts: with a listening socket that is
        no CGI request, and libfcgi's reader must not get to see the socket."""
        left_over = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": "/healthz"}
        config = program.config(lab_responder.settings_for(database))
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
            path = program.scratch.path("from-cgi", ".sock")
            listening.bind(str(path))
            listening.listen(16)
            service = program.scratch.start("bkflow-states", [program.path, "--config", config], stdin=listening,
                                            env=lab_responder.environment(left_over))
        responder = lab_responder.Responder(service, config, {}, path)
        with responder.connect() as hostile:
            hostile.send(fcgi.record(fcgi.GET_VALUES, fcgi.pairs([("FCGI_MAX_CONNS", "")] * 40), request_id=0))
            assert hostile.record().type == fcgi.GET_VALUES_RESULT
        for _ in range(3):
            support.success(responder.ask(support.states(finished_task)))
        assert responder.stop() == 0


def assert_silent(connection, seconds=0.1):
    connection.socket.settimeout(seconds)
    with pytest.raises(TimeoutError):
        connection.socket.recv(1)


class TestVariables:
    """Name-value pairs at and beyond their bounds."""

    def padded_to(self, states, size):
        content = fcgi.pairs(states)
        name = b"HTTP_X_FILL"
        # One byte for the name's length, four for the value's.
        return content + fcgi.pairs({name: b"x" * (size - len(content) - len(name) - 5)})

    def test_as_large_as_allowed(self, connection, states):
        content = self.padded_to(states, MAX_REQUEST)
        assert len(content) == MAX_REQUEST
        support.success(send_params(connection, small_records(content, 65535)))

    def test_one_byte_more(self, connection, states):
        content = self.padded_to(states, MAX_REQUEST + 1)
        support.assert_error(send_params(connection, small_records(content, 65535)), 431, 43101)
        support.success(connection.ask(states))

    def test_as_large_as_allowed_in_records_of_one_byte(self, connection, states):
        support.success(send_params(connection, small_records(self.padded_to(states, MAX_REQUEST))))

    @pytest.mark.parametrize("count, status", [(MAX_VARIABLES, 200), (MAX_VARIABLES + 1, 400)])
    def test_as_many_as_allowed(self, connection, states, count, status):
        fill = [(f"HTTP_X_{i}", "x") for i in range(count - len(states))]
        assert connection.ask([*states.items(), *fill]).status == status
        support.success(connection.ask(states))

    @pytest.mark.parametrize("tail", [
        b"\x01\x02ab", b"\x04\x00abc", b"\x01", b"\x80\x00\x00", b"\x01\x80\x00\x00", b"\xff\xff\xff\xff\xff\xff\xff\xff",
        struct.pack(">II", 0x80000001, 0xffffffff) + b"ab", struct.pack(">II", 0xffffffff, 0x80000001) + b"ab",
        struct.pack(">II", 0x80000001, 0x80000002) + b"ab",
    ], ids=lambda tail: tail.hex())
    def test_pair_that_runs_over_its_stream(self, connection, states, tail):
        response = send_params(connection, fcgi.record(fcgi.PARAMS, fcgi.pairs(states) + tail))
        support.assert_error(response, 400, 40000)
        support.success(connection.ask(states))

    def test_a_body_beyond_its_bound_is_read_to_its_end_and_not_kept(self, connection, states):
        connection.send(fcgi.begin(keep=True) + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states)))
        for _ in range(200):
            connection.send(fcgi.record(fcgi.STDIN, b"x" * 65535))
        connection.send(fcgi.record(fcgi.STDIN))
        support.assert_error(connection.response(), 413, 41301)
        support.success(connection.ask(states))


class TestRecords:
    """Records in every form."""

    def test_every_length_of_padding(self, connection, states):
        for padding in range(256):
            connection.send(fcgi.record(fcgi.GET_VALUES, fcgi.pairs({"FCGI_MPXS_CONNS": ""}), 0, padding)
                            + fcgi.record(fcgi.ABORT_REQUEST, b"", 77, 255 - padding))
            assert connection.record().type == fcgi.GET_VALUES_RESULT
        support.success(connection.ask(states))

    @pytest.mark.parametrize("version", [0, 2, 127, 255])
    def test_another_version_ends_the_connection(self, connection, version):
        connection.send(fcgi.record(fcgi.GET_VALUES, b"", 0, version=version))
        assert connection.is_closed_by_peer()

    def test_another_version_in_the_middle_of_a_request(self, connection, states):
        connection.send(fcgi.begin(keep=True) + fcgi.record(fcgi.PARAMS, fcgi.pairs(states), version=2))
        assert connection.is_closed_by_peer()

    @pytest.mark.parametrize("request_id", [1, 65535])
    def test_every_type_within_a_request(self, connection, states, request_id):
        """With another id than the request's: passed over, except that a second one may not begin."""
        strangers = [type_ for type_ in range(256) if type_ != fcgi.BEGIN_REQUEST]
        connection.send(fcgi.begin(True, request_id)
                        + b"".join(fcgi.record(type_, b"12345678", request_id - 1 or 2) for type_ in strangers)
                        + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states), request_id)
                        + fcgi.record(fcgi.STDIN, b"", request_id))
        support.success(connection.response(request_id))

    def test_every_unknown_management_type(self, connection, states):
        unknown = [type_ for type_ in range(256) if type_ not in (fcgi.BEGIN_REQUEST, fcgi.GET_VALUES)]
        connection.send(b"".join(fcgi.record(type_, b"x", 0) for type_ in unknown))
        for type_ in unknown:
            answer = connection.record()
            assert (answer.type, answer.request_id, answer.content) == (
                fcgi.UNKNOWN_TYPE, 0, bytes([type_]) + bytes(7))
        support.success(connection.ask(states))

    def test_get_values_of_the_largest_size(self, connection, states):
        """Unknown names, as many as fit, around one that is known and comes first."""
        content = fcgi.pairs([("FCGI_MPXS_CONNS", "")]) + fcgi.pairs([("N" * 100, "")] * 700)
        connection.send(fcgi.record(fcgi.GET_VALUES, content[:65535], 0))
        assert fcgi.parse_pairs(connection.record().content) == [(b"FCGI_MPXS_CONNS", b"0")]
        support.success(connection.ask(states))

    @pytest.mark.parametrize("role", [0, 2, 3, 4, 65535])
    def test_unknown_role_without_keeping(self, connection, role):
        connection.send(fcgi.begin(keep=False, role=role))
        assert connection.response().protocol_status == fcgi.UNKNOWN_ROLE
        assert connection.is_closed_by_peer()

    def test_second_request_while_one_is_sent_is_refused_again_and_again(self, connection, states):
        connection.send(fcgi.begin(keep=True) + fcgi.record(fcgi.PARAMS, fcgi.pairs(states)))
        for request_id in (2, 65535, 2):
            connection.send(fcgi.request(states, keep=True, request_id=request_id))
            assert connection.response(request_id).protocol_status == fcgi.CANT_MPX_CONN
        connection.send(fcgi.record(fcgi.PARAMS) + fcgi.record(fcgi.STDIN))
        support.success(connection.response(1))

    def test_random_sequences_of_records(self, unharmed, states):
        """Well-formed records that make no sense together; the same in every run."""
        source = random.Random(23016)
        types = [*range(13), *[fcgi.BEGIN_REQUEST, fcgi.PARAMS, fcgi.STDIN, fcgi.ABORT_REQUEST] * 4]
        pairs = fcgi.pairs(states)
        contents = [b"", b"", bytes(8), struct.pack(">HB5x", 1, 1), pairs, pairs[:50], pairs[50:], b"\xff" * 300]
        for _ in range(100):
            records = b"".join(
                fcgi.record(source.choice(types), source.choice(contents), source.choice([0, 1, 1, 2, 65535]),
                            source.choice([0, 0, 1, 255])) for _ in range(source.randint(1, 60)))
            with unharmed.connect() as hostile, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                hostile.send(records)


class TestAborts:
    """ABORT_REQUEST at each moment."""

    @pytest.mark.parametrize("cut", [0, 1, 8, 100])
    def test_within_the_variables(self, connection, states, cut):
        connection.send(fcgi.begin(keep=True) + fcgi.record(fcgi.PARAMS, fcgi.pairs(states)[:cut])
                        + fcgi.record(fcgi.ABORT_REQUEST))
        ended = connection.response()
        assert (ended.raw, ended.protocol_status) == (b"", fcgi.REQUEST_COMPLETE)
        support.success(connection.ask(states))

    def test_without_keeping_the_connection(self, connection, states):
        connection.send(fcgi.begin(keep=False) + fcgi.stream(fcgi.PARAMS, fcgi.pairs(states))
                        + fcgi.record(fcgi.ABORT_REQUEST))
        assert connection.response().raw == b""
        assert connection.is_closed_by_peer()

    def test_during_the_answer(self, connection, states, large_task):
        """It goes on to its end: what has begun is no longer worth stopping. The next request is answered."""
        connection.send(fcgi.request(support.states(large_task), keep=True))
        first = connection.record()
        connection.send(fcgi.record(fcgi.ABORT_REQUEST))
        rest = connection.response()
        support.success(fcgi.Response(first.content + rest.raw))
        support.success(connection.ask(states))

    def test_right_behind_the_request(self, connection, states):
        connection.send(fcgi.request(states, keep=True) + fcgi.record(fcgi.ABORT_REQUEST))
        support.success(connection.response())
        support.success(connection.ask(states))

    def test_a_thousand_times(self, connection, states):
        aborted = fcgi.begin(keep=True) + fcgi.record(fcgi.PARAMS, b"x") + fcgi.record(fcgi.ABORT_REQUEST)
        for _ in range(10):
            connection.send(aborted * 100)
            for _ in range(100):
                assert connection.response().raw == b""
        support.success(connection.ask(states))


class TestSlowOnes:
    """[server] client_timeout is for a request as a whole, and for all answers to what was sent at once."""

    @pytest.mark.parametrize("is_kept", [False, True], ids=["first", "second"])
    def test_byte_by_byte(self, unharmed, states, is_kept):
        """A connection's first request and its second: both have to be whole in time."""
        with unharmed.connect() as slow:
            if is_kept:
                support.success(slow.ask(states))
            started = time.monotonic()
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                for byte in fcgi.begin(keep=True) + fcgi.record(fcgi.PARAMS, bytes(200)):
                    slow.send(bytes([byte]))
                    time.sleep(0.1)
            assert CLIENT_TIMEOUT / 2 < time.monotonic() - started < CLIENT_TIMEOUT + SLACK

    def test_as_many_as_workers_do_not_read(self, unharmed, states, large_task):
        """assert_unharmed then finds the workers free."""
        with contextlib.ExitStack() as stack:
            for _ in range(WORKERS):
                deaf = stack.enter_context(unharmed.connect())
                deaf.send(fcgi.request(support.states(large_task), keep=True))
            wait_until(lambda: unharmed.ask(states).status == 200)

    def test_many_answers_read_slowly_have_the_time_of_one(self, unharmed, states):
        """Else a client could hold a worker for long with what it sends in one write."""
        with unharmed.connect() as slow:
            support.success(slow.ask(states))
            slow.send(fcgi.record(99, b"", 0) * 8000)
            deadline = time.monotonic() + CLIENT_TIMEOUT + SLACK
            while open_descriptors(unharmed) > unharmed.idle_descriptors:
                assert time.monotonic() < deadline, "it is never cut"
                with contextlib.suppress(ConnectionResetError):
                    slow.socket.recv(100)
                time.sleep(0.02)

    def test_the_spare_worker_waits_for_nobody(self, program, database, states, large_task):
        """It is the main thread: signals and time limits depend on it. All workers are held by who does not read;
        then come requests whose answers nobody reads either; /healthz is answered all the same."""
        responder = program.listen(lab_responder.settings_for(
            database, **{"server.workers": 1, "server.client_timeout": "20s"}))
        support.success(responder.ask(states))
        started = time.monotonic()
        with responder.connect() as deaf, responder.connect() as greedy:
            deaf.send(fcgi.request(support.states(large_task), keep=True))
            time.sleep(0.3)
            many = fcgi.request(client.variables("/healthz"), keep=True)
            greedy.send(many * (60_000 // len(many)))
            for _ in range(3):
                assert responder.ask(client.variables("/healthz")).status == 200
            assert time.monotonic() - started < 15, "it waited for who does not read"
        assert responder.stop() == 0


class TestLateBytes:
    """A client that goes on writing when it is answered already, on a connection that is not kept: it must neither
    be told that the pipe is broken nor lose the answer."""

    @pytest.fixture(params=["unix", "tcp"])
    def answering(self, request, program, database, unharmed):
        if request.param == "unix":
            return unharmed
        responder = program.listen(lab_responder.settings_for(
            database, **{"server.listen": f"tcp:127.0.0.1:{lab_scratch.free_port()}"}))
        request.addfinalizer(lambda: self.assert_stops(responder))
        return responder

    def assert_stops(self, responder):
        assert responder.stop() == 0

    def wait_for_the_end(self, connection):
        """Until the answer is complete and the other side will send nothing more, without reading it."""
        want = fcgi.record(fcgi.END_REQUEST, bytes(8))
        wait_until(lambda: connection.socket.recv(1 << 20, socket.MSG_PEEK).endswith(want))

    @pytest.mark.parametrize("late", [
        fcgi.record(fcgi.STDIN), fcgi.record(fcgi.ABORT_REQUEST), b"x" * 100_000,
    ], ids=["stdin", "abort", "rubbish"])
    def test_after_an_answer(self, answering, states, late):
        with answering.connect() as client_:
            client_.send(fcgi.request(states))
            self.wait_for_the_end(client_)
            for _ in range(3):
                client_.send(late)
            support.success(client_.response())
            assert client_.is_closed_by_peer()

    def test_after_a_refusal(self, answering):
        """An unknown role is answered before the client has sent its variables."""
        with answering.connect() as client_:
            client_.send(fcgi.begin(role=fcgi.AUTHORIZER))
            self.wait_for_the_end_of_refusal(client_)
            for _ in range(3):
                client_.send(fcgi.record(fcgi.PARAMS, b"x" * 10_000))
            assert client_.response().protocol_status == fcgi.UNKNOWN_ROLE

    def wait_for_the_end_of_refusal(self, connection):
        wait_until(lambda: len(connection.socket.recv(1 << 20, socket.MSG_PEEK)) == 16)

    def test_who_never_hangs_up_is_let_go(self, unharmed, states):
        """`unharmed` finds no descriptor left open, although the client keeps its own."""
        client_ = unharmed.connect()
        support.success(client_.ask(states, keep=False))
        wait_until(lambda: open_descriptors(unharmed) <= unharmed.idle_descriptors)
        client_.close()

    def test_who_writes_without_end_is_let_go(self, unharmed, states):
        with unharmed.connect() as client_:
            support.success(client_.ask(states, keep=False))
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                while True:
                    client_.send(b"x" * 65536)

    def test_a_stop_waits_for_late_bytes_only_briefly(self, program, database, states):
        responder = program.listen(lab_responder.settings_for(database, **{"server.drain_timeout": "20s"}))
        with responder.connect() as client_:
            support.success(client_.ask(states, keep=False))
            assert responder.stop() == 0
        assert "unfinished" not in responder.log


class TestFloods:
    """More connections than there is room for."""

    ROOM = 8

    @pytest.fixture
    def small(self, program, database, states):
        """Descriptors for so many connections and no more: a limit that a process cannot raise."""
        descriptors = 64 + 8 * WORKERS + self.ROOM
        responder = program.listen(
            lab_responder.settings_for(
                database, **{"server.workers": WORKERS, "server.client_timeout": f"{CLIENT_TIMEOUT_MS}ms"}),
            wrapper=["prlimit", f"--nofile={descriptors}:{descriptors}"])
        responder.idle_descriptors = descriptors_at_rest(responder)
        yield responder
        assert_unharmed(responder, states, responder.service.pid)
        assert responder.stop() == 0, responder.log

    def test_the_limit_is_told(self, small):
        with small.connect() as connection:
            connection.send(fcgi.record(fcgi.GET_VALUES, fcgi.pairs({"FCGI_MAX_CONNS": ""}), 0))
            assert fcgi.parse_pairs(connection.record().content) == [(b"FCGI_MAX_CONNS", b"%d" % self.ROOM)]

    def test_who_sends_nothing_has_to_go(self, small, states):
        with contextlib.ExitStack() as stack:
            for _ in range(2 * self.ROOM):
                stack.enter_context(small.connect())
            support.success(small.ask(states))

    @pytest.mark.parametrize("sent", [b"", b"\1\1", fcgi.begin() + fcgi.record(fcgi.PARAMS, b"x")],
                             ids=["nothing", "half-a-header", "half-a-request"])
    def test_requests_that_are_not_whole_make_room(self, program, database, states, sent):
        """However long client_timeout is, and however many there are: a new client need not wait for it."""
        descriptors = 64 + 8 * WORKERS + self.ROOM
        responder = program.listen(
            lab_responder.settings_for(database, **{"server.workers": WORKERS, "server.client_timeout": "600s"}),
            wrapper=["prlimit", f"--nofile={descriptors}:{descriptors}"])
        with contextlib.ExitStack() as stack:
            for _ in range(3 * self.ROOM):
                stack.enter_context(responder.connect()).send(sent)
            support.success(responder.ask(states))
            responder.wait_for_log("no room for new connections")
        assert responder.stop() == 0

    def test_idle_kept_connections_make_room(self, small, states):
        """They may stay for ever where there is room; here those that idle for long are ended, and it is logged."""
        with contextlib.ExitStack() as stack:
            kept = [stack.enter_context(small.connect()) for _ in range(self.ROOM)]
            for connection in kept:
                support.success(connection.ask(states))
            support.success(small.ask(states))
            small.wait_for_log("no room for new connections")
            ended = 0
            for connection in kept:
                try:
                    support.success(connection.ask(states))
                except (fcgi.Hangup, BrokenPipeError, ConnectionResetError):
                    ended += 1
            assert ended > 0

    def test_idle_connections_stay_where_there_is_room(self, small, states):
        with small.connect() as kept:
            support.success(kept.ask(states))
            time.sleep(CLIENT_TIMEOUT + 0.5)
            support.success(kept.ask(states))

    def test_many_at_once_are_all_served(self, small, states):
        """Three times as many clients as there is room for."""
        failures = []

        def ask():
            try:
                for _ in range(5):
                    support.success(small.ask(states))
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=ask) for _ in range(3 * self.ROOM)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]

    def test_more_than_the_systems_queue_holds(self, unharmed, states):
        """The kernel turns away who comes while the queue is full; whoever waits is served."""
        with contextlib.ExitStack() as stack:
            with unharmed.service.frozen(), pytest.raises(BlockingIOError):
                for _ in range(1500):
                    one = stack.enter_context(socket.socket(socket.AF_UNIX))
                    one.setblocking(False)
                    one.connect(unharmed.address)
            support.success(unharmed.ask(states))

    def test_no_descriptor_is_left(self, program, database, states):
        """The limit sinks while it runs: new connections wait, and are served when one is free again."""
        responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
        with responder.connect() as kept:
            support.success(kept.ask(states))
            before = limit_descriptors(responder, lasting_descriptors(responder))
            with responder.connect() as waiting:
                waiting.send(fcgi.request(states))
                support.success(kept.ask(states))
                assert_silent(waiting, 0.3)
                limit_descriptors(responder, before)
                waiting.socket.settimeout(SLACK)
                support.success(waiting.response())
        assert responder.stop() == 0


def limit_descriptors(responder, soft):
    """Set the running process's soft limit; returns the former one."""
    before = subprocess.run(["prlimit", f"--pid={responder.service.pid}", "--nofile", "--output=SOFT", "--noheadings"],
                            capture_output=True, text=True, check=True).stdout
    subprocess.run(["prlimit", f"--pid={responder.service.pid}", f"--nofile={soft}:"], check=True)
    return int(before)


class TestDeafReader:
    """Whoever reads the program's stderr has stopped: lines are lost and counted, and no worker waits."""

    @pytest.fixture
    def reader(self, lab):
        path = lab.path("stderr", ".fifo")
        os.mkfifo(path)
        with open(path, "r+b", buffering=0) as reader:
            os.set_blocking(reader.fileno(), False)
            yield path, reader

    def test_requests_go_on(self, program, database, states, reader):
        path, pipe = reader
        responder = program.listen(
            lab_responder.settings_for(database, **{"server.workers": WORKERS, "log.access": "on"}),
            wrapper=["sh", "-c", 'exec "$@" 2>"$0"', path])
        with responder.connect() as connection:
            for _ in range(2000):
                support.success(connection.ask(states))
        wait_until(lambda: fresh_scrape(responder, LOST) > 0)
        lines = self.all_of(pipe)
        assert 200 < len(lines) < 2000
        for line in lines:
            assert line.endswith(b"\n") and b" info: " in line
        support.success(responder.ask(states | {"HTTP_X_REQUEST_ID": "it-reads-again"}))
        wait_until(lambda: b"it-reads-again" in b"".join(self.all_of(pipe)))
        assert responder.stop() == 0

    @staticmethod
    def all_of(pipe):
        pieces = iter(lambda: pipe.read(1 << 16), None)
        return b"".join(pieces).splitlines(keepends=True)


class TestFullDisk:
    """Requests are answered while the log cannot be written; what was lost is counted."""

    def test_from_the_start(self, program, database, lab, states):
        settings = lab_responder.settings_for(database, **{"log.access": "on", "log.target": "file:/dev/full"})
        responder = program.listen(settings)
        lost = fresh_scrape(responder, LOST)
        for _ in range(10):
            support.success(responder.ask(states))
        wait_until(lambda: fresh_scrape(responder, LOST) >= lost + 10)
        # Another place for the log, without a restart.
        path = lab.path("room", ".log")
        responder.reload(settings | {"log.target": f"file:{path}"})
        wait_until(lambda: path.exists() and "reloaded" in path.read_text())
        support.success(responder.ask(states))
        wait_until(lambda: "status=200" in path.read_text())
        assert responder.stop() == 0

    def test_full_and_then_no_more(self, program, database, lab, states):
        """The limit on a file's size stands for the disk's. One line is cut there; the next is whole again."""
        path = lab.path("limited", ".log")
        responder = program.listen(
            lab_responder.settings_for(database, **{"log.access": "on", "log.target": f"file:{path}", "log.format": "json"}),
            wrapper=["prlimit", "--fsize=4000:"])
        for _ in range(40):
            support.success(responder.ask(states))
        assert path.stat().st_size == 4000
        wait_until(lambda: fresh_scrape(responder, LOST) > 0)
        subprocess.run(["prlimit", f"--pid={responder.service.pid}", "--fsize=1000000:"], check=True)
        support.success(responder.ask(states | {"HTTP_X_REQUEST_ID": "there-is-room-again"}))
        wait_until(lambda: "there-is-room-again" in path.read_text())
        whole = [line for line in path.read_text().splitlines() if line.endswith("}")]
        # Not always as the last one: another worker may still write about a scrape.
        assert "there-is-room-again" in [json.loads(line).get("trace_id") for line in whole]
        assert responder.stop() == 0
