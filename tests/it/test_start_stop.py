# SPDX-License-Identifier: MIT
"""Contract 5: the ways in which the program starts, and what signals do."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
import support
from lab import client, fcgi
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab.scratch import wait_until


@pytest.fixture
def settings(database):
    return lab_responder.settings_for(database)


def assert_serves(responder, task_id):
    support.success(responder.ask(support.states(task_id)))


def listening(family, address, type_=socket.SOCK_STREAM):
    one = socket.socket(family, type_)
    one.bind(address)
    one.listen(16)
    return one


class TestListen:
    """[server] listen."""

    @pytest.mark.parametrize("option, mode", [
        ("", 0o660), (",mode=0600", 0o600), (",mode=0666", 0o666), (",mode=0660", 0o660),
    ])
    def test_unix_socket_gets_its_mode(self, program, lab, settings, finished_task, option, mode):
        path = lab.path("mode", ".sock")
        responder = program.listen(settings | {"server.listen": f"unix:{path}{option}"})
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
        assert_serves(responder, finished_task)
        assert responder.stop() == 0

    def test_mode_does_not_depend_on_umask(self, program, lab, settings):
        path = lab.path("umask", ".sock")
        before = os.umask(0o077)
        try:
            responder = program.listen(settings | {"server.listen": f"unix:{path},mode=0666"})
        finally:
            os.umask(before)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
        responder.stop()

    def test_tcp(self, program, settings, finished_task):
        responder = program.listen(settings | {"server.listen": f"tcp:127.0.0.1:{lab_scratch.free_port()}"})
        assert_serves(responder, finished_task)
        assert responder.stop() == 0

    def test_socket_left_over_by_a_killed_process_is_replaced(self, program, lab, settings, finished_task):
        path = lab.path("leftover", ".sock")
        killed = program.listen(settings | {"server.listen": f"unix:{path}"})
        killed.service.stop(signal.SIGKILL)
        assert path.exists()
        assert_serves(program.listen(settings | {"server.listen": f"unix:{path}"}), finished_task)

    def test_socket_in_use_is_not_taken_over(self, program, lab, settings, finished_task):
        path = lab.path("in-use", ".sock")
        first = program.listen(settings | {"server.listen": f"unix:{path}"})
        second = program.run("--config", program.config(settings | {"server.listen": f"unix:{path}"}))
        assert second.returncode not in (0, 2)
        assert str(path).encode() in second.stderr
        assert_serves(first, finished_task)

    def test_file_that_is_no_socket_is_left_alone(self, program, lab, settings):
        path = lab.write("precious", ".txt", "do not delete")
        done = program.run("--config", program.config(settings | {"server.listen": f"unix:{path}"}))
        assert done.returncode not in (0, 2)
        assert path.read_text() == "do not delete"

    def test_port_in_use(self, program, settings):
        address = f"tcp:127.0.0.1:{lab_scratch.free_port()}"
        program.listen(settings | {"server.listen": address})
        done = program.run("--config", program.config(settings | {"server.listen": address}))
        assert done.returncode not in (0, 2)
        assert done.stderr


class TestInheritedSocket:
    """Started by somebody else who owns the socket."""

    def test_spawn_fcgi(self, program, settings, finished_task):
        responder = program.spawn_fcgi(settings)
        assert_serves(responder, finished_task)
        assert responder.stop() == 0

    def test_systemd_socket_activation(self, program, settings, finished_task):
        responder = program.activate(settings)
        assert_serves(responder, finished_task)
        assert responder.stop() == 0

    def test_every_socket_that_systemd_passes_is_served(self, program, lab, settings, finished_task):
        paths = [lab.path("activated", ".sock") for _ in range(2)]
        port = lab_scratch.free_port()
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(listening(socket.AF_UNIX, str(path))) for path in paths]
            sockets.append(stack.enter_context(listening(socket.AF_INET, ("127.0.0.1", port))))
            responder = program.hand_over(settings, sockets, paths[0])
        for address in [*paths, ("127.0.0.1", port)]:
            with fcgi.Connection(address) as connection:
                support.success(connection.ask(support.states(finished_task), keep=False))
        assert responder.stop() == 0
        assert not lab_scratch.accepts(paths[1])

    @pytest.mark.parametrize("make, reason", [
        (lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), "datagram"),
        (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "datagram"),
        (lambda: listening(socket.AF_UNIX, "", socket.SOCK_SEQPACKET), "stream"),
        (lambda: socket.socketpair()[0], "Accept=no"),
        (lambda: socket.socket(socket.AF_UNIX), "not listening"),
        (lambda: open(os.devnull, "rb"), "not a socket"),
    ], ids=["datagram", "udp", "packets", "connection", "not-listening", "file"])
    @pytest.mark.parametrize("position", [0, 1])
    def test_what_cannot_be_served_is_refused_with_the_reason(self, program, lab, settings, make, reason, position):
        """Beside a good socket: whoever connects to the other one would wait for ever."""
        path = lab.path("activated", ".sock")
        with listening(socket.AF_UNIX, str(path)) as good, make() as bad:
            sockets = [bad, good] if position == 0 else [good, bad]
            responder = program.hand_over(settings, sockets, path, ready=False)
        assert responder.service.wait() == 78
        assert reason in responder.log
        assert f"fd={3 + position}" in responder.log

    def test_a_socket_on_descriptor_0_that_is_not_listening_is_refused(self, program, settings):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            service = program.scratch.start("bkflow-states", [program.path, "--config", program.config(settings)],
                                            stdin=datagrams, env=lab_responder.environment())
        assert service.wait() == 78
        assert "datagram" in service.log

    @pytest.mark.parametrize("count", ["2x", "-1", "1000000", ""])
    def test_a_count_that_is_none_is_refused(self, program, settings, count):
        """As sd_listen_fds(3) does."""
        script = 'LISTEN_PID=$$ exec "$@"'
        config = program.config(settings)
        done = lab_scratch.run(["sh", "-c", script, "sh", program.path, "--config", config],
                               env=lab_responder.environment({"LISTEN_FDS": count}))
        assert done.returncode == 78
        assert b"LISTEN_FDS" in done.stderr

    def test_a_socket_that_is_passed_but_not_used_is_told(self, program, lab, settings, finished_task):
        """[server] listen wins: clients of the other socket would wait without anybody knowing why."""
        path = lab.path("own", ".sock")
        with listening(socket.AF_UNIX, str(lab.path("activated", ".sock"))) as unused:
            responder = program.hand_over(settings | {"server.listen": f"unix:{path}"}, [unused], path)
        assert_serves(responder, finished_task)
        assert "not used" in responder.log
        assert responder.stop() == 0

    def test_listen_fds_for_another_process_are_not_ours(self, program, settings):
        """LISTEN_PID names the one who is meant; what is left is plain CGI, with nothing to answer."""
        done = program.run("--config", program.config(settings), env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
        assert done.returncode == 2
        assert done.stderr


class TestPlainCgi:
    """Without any socket: variables in the environment, one answer on standard output."""

    @pytest.mark.parametrize("make, status", [
        (lambda task_id: support.states(task_id), 200),
        (lambda task_id: support.states(404_404), 404),
        (lambda task_id: support.states(task_id, credentials={}), 401),
        (lambda task_id: support.states("x"), 400),
        (lambda task_id: client.variables("/healthz"), 200),
        (lambda task_id: client.variables("/readyz"), 200),
    ], ids=["states", "no-task", "no-credentials", "bad-id", "healthz", "readyz"])
    def test_one_request(self, program, settings, standard, finished_task, make, status):
        """The same answer as over FastCGI, to the byte."""
        variables = make(finished_task) | {"HTTP_X_REQUEST_ID": "the-same-for-both"}
        response = program.cgi(settings, variables)
        assert response.app_status == 0
        assert response.status == status
        assert response.raw == standard.ask(variables).raw

    def test_head(self, program, settings, finished_task):
        response = program.cgi(settings, support.states(finished_task, method="HEAD"))
        assert (response.status, response.body) == (200, b"")

    def test_body_is_ignored(self, program, settings, finished_task):
        variables = support.states(finished_task) | {"CONTENT_LENGTH": "5"}
        support.success(program.cgi(settings, variables, b"hello"))

    def test_a_body_that_never_comes_is_waited_for_no_longer_than_client_timeout(self, program, settings, finished_task):
        settings = settings | {"server.client_timeout": "300ms"}
        variables = support.states(finished_task) | {
            "CONTENT_LENGTH": "5", "BKFLOW_STATES_CONFIG": str(program.config(settings))}
        with subprocess.Popen([program.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=lab_responder.environment(variables)) as process:
            try:
                answer = b"".join(iter(lambda: os.read(process.stdout.fileno(), 65536), b""))
                support.success(fcgi.Response(answer))
                assert process.wait() == 0
            finally:
                process.kill()

    def test_large_answer(self, program, settings, world):
        task_id = world.task([support.node(), *(support.node(f"step {i}") for i in range(2000))])
        root = support.success(program.cgi(settings, support.states(task_id)))
        assert len(root.value("children")) == 2000

    def test_database_down(self, program, settings):
        response = program.cgi(settings | {"database.socket": "/nonexistent/socket"}, support.states(1))
        support.assert_error(response, 503, 50301)

    def test_bad_configuration(self, program, settings):
        """The client gets an answer that tells it nothing, the operator the mistake and the exit code."""
        response = program.cgi(settings | {"server.workers": "many"}, support.states(1))
        support.assert_error(response, 500, 50001)
        assert response.app_status == 78
        assert b"workers" in response.stderr

    @pytest.mark.parametrize("argument", ["--version", "--help", "--print-config", "--config=/etc/passwd"])
    def test_arguments_are_not_looked_at(self, program, settings, finished_task, argument):
        """Some web servers make arguments out of the client's query string."""
        env = support.states(finished_task) | {"BKFLOW_STATES_CONFIG": str(program.config(settings))}
        done = program.run(argument, env=env)
        support.success(fcgi.Response(done.stdout))


def run_closed(program, closed, *arguments, env=None, stdin=subprocess.DEVNULL):
    """The program without some of the descriptors 0 to 2, as a shell's `>&-` starts it."""
    script = 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed)
    return lab_scratch.run(["sh", "-c", script, "sh", program.path, *arguments], stdin,
                           env=lab_responder.environment(env))


class TestClosedDescriptors:
    """Without standard input, output or error: no other descriptor takes their place."""

    @pytest.mark.parametrize("closed", [(1,), (1, 2), (0, 1), (0, 1, 2)], ids=str)
    @pytest.mark.parametrize("argument", ["--version", "--help", "--check-config", "--print-config", "--print-reference"])
    def test_output_that_nobody_gets_is_a_failure(self, program, settings, closed, argument):
        done = run_closed(program, closed, "--config", program.config(settings), argument)
        assert done.returncode == 1
        assert (b"cannot write the output" in done.stderr) == (2 not in closed)

    @pytest.mark.parametrize("closed", [(1,), (1, 2), (0, 1), (0, 1, 2)], ids=str)
    def test_a_cgi_answer_that_nobody_gets_is_a_failure(self, program, settings, finished_task, closed):
        """It must not go into the connection to the database either."""
        variables = support.states(finished_task) | {"BKFLOW_STATES_CONFIG": str(program.config(settings))}
        done = run_closed(program, closed, env=variables)
        assert done.returncode == 1
        assert b"Status" not in done.stderr

    def test_a_server_needs_none_of_them(self, program, lab, settings, finished_task):
        path, log = lab.path("closed", ".sock"), lab.path("closed", ".log")
        config = program.config(settings | {"server.listen": f"unix:{path}", "log.target": f"file:{log}"})
        argv = ["sh", "-c", 'exec "$@" 0>&- 1>&- 2>&-', "sh", program.path, "--config", config]
        service = program.scratch.start("bkflow-states", argv, env=lab_responder.environment())
        responder = lab_responder.Responder(service, config, {}, path)
        assert_serves(responder, finished_task)
        names = [os.readlink(f"/proc/{service.pid}/fd/{number}") for number in range(3)]
        assert names == [os.devnull] * 3
        assert responder.stop() == 0

    def test_descriptor_0_is_not_used_again_when_its_socket_is_closed(self, program, settings, finished_task):
        responder = program.spawn_fcgi(settings)
        assert_serves(responder, finished_task)
        assert os.readlink(f"/proc/{responder.service.pid}/fd/0") == os.devnull
        assert responder.stop() == 0


class TestStop:
    """TERM, INT and USR1: finish what is running, then go."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1], ids=lambda number: number.name)
    def test_ends_with_exit_code_0(self, program, settings, finished_task, number):
        responder = program.listen(settings)
        assert_serves(responder, finished_task)
        with responder.connect() as idle:
            support.success(idle.ask(support.states(finished_task)))
            started = lab_scratch.run_time()
            assert responder.service.stop(number) == 0
            assert lab_scratch.run_time() - started < 5, "an idle kept connection must not hold it up"
        assert not os.path.exists(responder.address), "the socket it made is left behind"

    def test_socket_of_somebody_else_is_left(self, program, settings):
        responder = program.spawn_fcgi(settings)
        responder.stop()
        assert os.path.exists(responder.address)

    def test_running_request_is_finished(self, program, database, settings, world):
        """The request waits for a locked table; TERM comes meanwhile; then the lock is gone."""
        task_id = world.task([support.node()])
        responder = program.listen(settings)
        with database.locked("eri_state"):
            answers = support.in_background(responder, support.states(task_id))
            database.wait_until_held_up()
            responder.service.send_signal(signal.SIGTERM)
            wait_until(lambda: not lab_scratch.accepts(responder.address))
        support.success(answers())
        assert responder.service.wait() == 0

    def test_drain_timeout_ends_the_rest(self, program, database, settings, world):
        task_id = world.task([support.node()])
        responder = program.listen(settings | {"server.drain_timeout": "300ms", "database.query_timeout": "30s"})
        with database.locked("eri_state"):
            answers = support.in_background(responder, support.states(task_id))
            database.wait_until_held_up()
            started = time.monotonic()
            responder.service.send_signal(signal.SIGTERM)
            assert responder.service.wait() in (0, 1)
            assert time.monotonic() - started > 0.2
        with pytest.raises((fcgi.Hangup, ConnectionResetError)):
            answers()

    @pytest.mark.parametrize("sent", [b"", b"\1\1", fcgi.begin(), fcgi.begin() + fcgi.record(fcgi.PARAMS, b"x")],
                             ids=["nothing", "half-a-header", "the-beginning", "half-a-request"])
    @pytest.mark.parametrize("is_kept", [False, True], ids=["first", "second"])
    def test_a_request_that_is_never_whole_does_not_hold_it_up(self, program, settings, finished_task, sent, is_kept):
        """It gets a second from then on, however long client_timeout is."""
        responder = program.listen(settings | {"server.drain_timeout": "20s", "server.client_timeout": "600s"})
        with responder.connect() as half:
            if is_kept:
                support.success(half.ask(support.states(finished_task)))
            half.send(sent)
            assert_serves(responder, finished_task)
            assert responder.stop() == 0
            assert "unfinished" not in responder.log

    def test_a_request_that_is_sent_slowly_is_answered_all_the_same(self, program, settings, finished_task):
        """What comes within that second."""
        responder = program.listen(settings)
        request = fcgi.request(support.states(finished_task))
        with responder.connect() as slow:
            slow.send(request[:30])
            assert_serves(responder, finished_task)
            responder.service.send_signal(signal.SIGTERM)
            responder.wait_for_log("stopping")
            slow.send(request[30:])
            support.success(slow.response())
        assert responder.service.wait() == 0

    def test_many_starts_and_stops(self, program, settings, finished_task):
        for _ in range(10):
            responder = program.listen(settings)
            assert_serves(responder, finished_task)
            assert responder.stop() == 0


class TestLogAtTheStart:
    """[log] target that cannot be opened: requests are answered, and standard error gets the log and the reason."""

    TOLD = "[log] target cannot be opened; the log goes to standard error"

    @pytest.fixture(params=["FIFO", "no-folder", "folder"])
    def bad(self, request, lab):
        if request.param == "FIFO":
            path = lab.path("unread", ".fifo")
            os.mkfifo(path)
            return path
        return lab.folder if request.param == "folder" else lab.path("no-such-folder") / "x.log"

    def test_a_responder_serves(self, program, settings, bad, finished_task):
        responder = program.listen(settings | {"log.target": f"file:{bad}", "log.format": "json"})
        assert_serves(responder, finished_task)
        told = json.loads(responder.log.splitlines()[0])
        assert (told["level"], told["message"]) == ("error", self.TOLD)
        assert str(bad) in told["target"]
        assert responder.stop() == 0

    def test_plain_cgi_serves(self, program, settings, bad, finished_task):
        response = program.cgi(settings | {"log.target": f"file:{bad}"}, support.states(finished_task))
        support.success(response)
        assert self.TOLD in response.stderr.decode()

    def test_a_reload_after_the_repair_opens_it(self, program, lab, settings, finished_task):
        path = lab.path("late-folder") / "x.log"
        responder = program.listen(settings | {"log.target": f"file:{path}"})
        path.parent.mkdir()
        responder.service.send_signal(signal.SIGHUP)
        wait_until(lambda: path.exists() and "reloaded" in path.read_text())
        assert responder.stop() == 0


class TestWorkersThatDoNotStart:
    """The system makes no more threads: those that are there serve, and it is told; without any it is an error."""

    @pytest.fixture(scope="class")
    def few_threads(self, lab):
        library = lab.path("few_threads", ".so")
        source = os.path.join(os.path.dirname(__file__), "few_threads.c")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return lambda count: {"LD_PRELOAD": str(library), "ASAN_OPTIONS": options, "THREADS_MAX": str(count)}

    def test_some(self, program, database, settings, world, finished_task, few_threads):
        responder = program.listen(settings | {"server.workers": 8}, env=few_threads(4))
        assert_serves(responder, finished_task)
        responder.wait_for_log("fewer workers")
        text = responder.ask(client.variables("/metrics")).body.decode()
        [workers] = re.findall(r"^bkflow_states_workers (\d+)", text, re.MULTILINE)
        assert 1 <= int(workers) - 1 < 8
        # All of them wait, which the overload responder has to notice.
        waiting_task = world.task([support.node()])
        with database.locked("eri_state"):
            waiting = support.hold_up(database, responder, support.states(waiting_task), int(workers) - 1)
            support.assert_error(responder.ask(support.states(finished_task)), 503, 50302)
        for answer in waiting:
            support.success(answer())
        assert responder.stop() == 0

    @pytest.mark.parametrize("others", range(4))
    def test_none_for_requests_that_wait(self, program, settings, world, few_threads, others):
        """Beside prober and worker; connections to the database take some, too. Nobody waits, or as usual."""
        task_id = world.task([support.node(state="RUNNING", archived=None)])
        responder = program.listen(settings | {"server.workers": 1}, env=few_threads(2 + others))
        version = responder.ask(support.states(task_id)).header("X-States-Version")
        response = responder.ask(support.states(task_id, query=f"wait=200ms&version={version}"))
        support.success(response)
        assert response.header("X-States-Version") == version
        if others == 0:
            responder.wait_for_log("no more threads or memory: requests with wait are answered at once")
        assert responder.stop() == 0

    def test_none(self, program, settings, few_threads):
        responder = program.listen(settings, env=few_threads(0), ready=False)
        assert responder.service.wait() == 1
        assert "cannot start" in responder.log


class TestWorkersThatEnd:
    """A worker thread that ends by itself takes the process with it, and says so."""

    @pytest.fixture(scope="class")
    def unruly(self, lab):
        """Environment that loads end_worker.c into the program."""
        library = lab.path("end_worker", ".so")
        source = os.path.join(os.path.dirname(__file__), "end_worker.c")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        # The program may be built with a sanitizer, which wants to be the first library of all.
        options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": options}

    def assert_ends_loudly(self, responder):
        assert responder.service.wait() == 1
        assert "a worker ended unexpectedly, and so does the process" in responder.log

    def test_while_serving(self, program, lab, settings, finished_task, unruly):
        now = lab.path("now")
        responder = program.listen(settings, env=unruly | {"END_WORKER": str(now)})
        assert_serves(responder, finished_task)
        now.touch()
        with responder.connect():
            self.assert_ends_loudly(responder)

    def test_waiting_room(self, program, lab, settings, finished_task, unruly):
        """It looks at the task that a request waits for now and then, and so ends first."""
        now = lab.path("now")
        responder = program.listen(settings | {"server.watch_interval": "50ms"}, env=unruly | {"END_WORKER": str(now)})
        version = responder.ask(support.states(finished_task)).header("X-States-Version")
        with responder.connect() as connection:
            connection.send(fcgi.request(support.states(finished_task, query=f"wait=50s&version={version}")))
            wait_until(lambda: b"waiting_requests 1" in responder.ask(client.variables("/metrics")).body)
            now.touch()
            self.assert_ends_loudly(responder)

    def test_while_stopping(self, program, lab, database, settings, world, unruly):
        """Asked to stop, with a request under way: the end is none that was asked for."""
        now = lab.path("now")
        task_id = world.task([support.node()])
        responder = program.listen(settings, env=unruly | {"END_WORKER": str(now)})
        with responder.connect() as half, database.locked("eri_state"):
            support.in_background(responder, support.states(task_id))
            database.wait_until_held_up()
            responder.service.send_signal(signal.SIGTERM)
            responder.wait_for_log("stopping")
            now.touch()
            with contextlib.suppress(BrokenPipeError):  # its time is over: that wakes a worker as well
                half.send(fcgi.begin())
            self.assert_ends_loudly(responder)

    def test_at_the_start(self, program, settings, unruly):
        responder = program.listen(settings, env=unruly | {"END_WORKER": "init"}, ready=False)
        self.assert_ends_loudly(responder)
        assert "cannot start in a thread" in responder.log


class TestReload:
    """HUP: new settings without losing a request; bad ones change nothing."""

    @pytest.fixture
    def responder(self, program, settings):
        responder = program.listen(settings)
        yield responder
        assert responder.stop() == 0

    def reload(self, responder, settings):
        size = len(responder.log)
        responder.reload(settings)
        responder.wait_for_log(" reload", since=size)

    def test_new_settings_count(self, responder, finished_task):
        query = support.query_credentials()
        support.success(responder.ask(support.states(finished_task, credentials={}, query=query)))
        self.reload(responder, responder.settings | {"auth.query_credentials": "off"})
        response = responder.ask(support.states(finished_task, credentials={}, query=query))
        support.assert_error(response, 401, 40105)

    def test_bad_settings_change_nothing(self, responder, finished_task):
        good = responder.settings
        for bad in ({"auth.query_credentials": "maybe"}, {"auth.no_such_key": "1"}, {"response.language": "xx"},
                    {"database.tls_ca": "/nonexistent/ca.pem"}, {"database.option_file": "/nonexistent/my.cnf"},
                    {"database.user": "", "database.option_file": ""}, {"log.target": "file:/nonexistent/x.log"},
                    {"server.listen": "unix:/nonexistent/x.sock"}):
            self.reload(responder, good | {"status.healthz": "off"} | bad)
            assert responder.ask(client.variables("/healthz")).status == 200
            assert_serves(responder, finished_task)
        for word in ("no_such_key", "/nonexistent/ca.pem", "/nonexistent/my.cnf", "user is empty",
                     "[log] target: nothing can be made in /nonexistent", "[server] listen: nothing can be made"):
            assert word in responder.log

    def test_another_database_password_counts(self, responder, database, finished_task):
        """Connections that stand are made anew with it."""
        assert_serves(responder, finished_task)
        self.reload(responder, responder.settings | {"database.password": "not-the-password"})
        support.assert_error(responder.ask(support.states(finished_task)), 503, 50301)
        self.reload(responder, responder.settings | {"database.password": database.config()["password"]})
        assert_serves(responder, finished_task)

    def test_a_name_to_listen_at_is_not_looked_up(self, responder):
        """Nothing waits for a name server; the next start, and --check-config, tell."""
        self.reload(responder, responder.settings | {"server.listen": "tcp:nobody.invalid:9000"})
        assert "nobody.invalid" not in responder.log
        assert "[server] listen" in responder.log
        self.reload(responder, responder.settings | {"server.listen": "tcp:192.0.2.1:9000"})
        assert "cannot listen on 192.0.2.1, port 9000" in responder.log

    def test_a_setting_that_needs_a_restart_is_named(self, responder, finished_task):
        self.reload(responder, responder.settings | {"server.workers": 7})
        responder.wait_for_log("workers")
        assert_serves(responder, finished_task)

    def test_log_file_is_opened_anew(self, program, lab, settings, finished_task):
        path = lab.path("rotated", ".log")
        responder = program.listen(settings | {"log.target": f"file:{path}", "log.access": "on"})
        responder.ask(support.states(finished_task, {"X-Request-Id": "before-rotation"}))
        wait_until(lambda: "before-rotation" in path.read_text())
        moved = path.rename(path.with_suffix(".old"))
        responder.service.send_signal(signal.SIGHUP)
        wait_until(path.exists)
        responder.ask(support.states(finished_task, {"X-Request-Id": "after-rotation"}))
        wait_until(lambda: "after-rotation" in path.read_text())
        assert "after-rotation" not in moved.read_text()
        assert responder.stop() == 0

    def test_a_log_that_cannot_be_opened_leaves_the_old_one(self, program, lab, settings, finished_task):
        """A FIFO that nobody reads, or a folder that is not there: nothing waits for it, and it is told."""
        path, fifo = lab.path("good", ".log"), lab.path("unread", ".fifo")
        os.mkfifo(fifo)
        responder = program.listen(settings | {"log.target": f"file:{path}", "log.access": "on"})
        missing = lab.path("no-such-folder")
        for bad, named in ((fifo, fifo), (missing / "x.log", missing)):
            size = path.stat().st_size
            responder.reload(responder.settings | {"log.target": f"file:{bad}"})
            wait_until(lambda size=size: " reload" in path.read_text()[size:])
            assert str(named) in path.read_text()[size:]
        responder.ask(support.states(finished_task, {"X-Request-Id": "after-bad-targets"}))
        wait_until(lambda: "after-bad-targets" in path.read_text())
        assert responder.stop() == 0

    def test_a_log_can_be_a_fifo_that_is_read(self, program, lab, settings, finished_task):
        fifo = lab.path("read", ".fifo")
        os.mkfifo(fifo)
        with open(fifo, "r+b", buffering=0) as reader:
            responder = program.listen(settings | {"log.target": f"file:{fifo}", "log.access": "on"})
            responder.ask(support.states(finished_task, {"X-Request-Id": "into-the-fifo"}))
            text = b""
            while b"into-the-fifo" not in text:
                text += reader.read(65536)
            assert responder.stop() == 0

    def test_no_request_is_lost(self, responder, finished_task):
        """Reloads while clients ask."""
        failures = []
        done = threading.Event()

        def ask_until_done():
            while not done.is_set():
                try:
                    assert_serves(responder, finished_task)
                except Exception as failure:
                    failures.append(failure)
                    return

        threads = [threading.Thread(target=ask_until_done) for _ in range(4)]
        for thread in threads:
            thread.start()
        for count in range(20):
            self.reload(responder, responder.settings | {"response.language": ("en", "zh-cn")[count % 2]})
        done.set()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
