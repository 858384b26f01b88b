# SPDX-License-Identifier: MIT
"""Every sample of conf/, with the web server and the way of starting it that it is for."""

import grp
import concurrent.futures
import contextlib
import gzip
import itertools
import json
import os
import pwd
import signal
import socket
import struct
import subprocess
import time
import urllib.parse

import deployment
import load
import pytest
import support
from lab import client
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab import webserver
from lab.scratch import wait_until
from test_metrics import value

MARKS = itertools.count()
SAME_ID = {"X-Request-Id": "the-same-for-both"}
LARGE = 10_000
# Of a path below the mount, or of what a server may take for one.
SPELLINGS = {
    "usual": "{mount}/task/1/",
    "mount": "{mount}/",
    "without slash": "{mount}",
    "two slashes": "/{mount}/task/1/",
    "encoded": "/%62kflow/task/1/",
    "by a detour": "/x/..{mount}/task/1/",
    "line break": "{mount}/task/1%0A/",
    "bad escape": "{mount}/%zz",
    "too long": "{mount}/" + "long/" * 2000,
}
IN_SERVERS_LOG = {("lighttpd", "line break"), ("lighttpd", "bad escape")}
# An .htaccess cannot name a log: it is the host's, with the query string, as docs/deploy.md says.
with_own_log = pytest.mark.parametrize("site", [
    name for name, deployed in deployment.DEPLOYMENTS.items() if deployed.sample != "htaccess"], indirect=True)
ACCEPTS_GZIP = support.GOOD | {"Accept-Encoding": "gzip"}
WRONG_SECRET = client.credentials(support.APP, "wrong", support.USER)


@pytest.fixture(scope="module")
def stage(lab, program, database):
    # Patient, so that a worker that waits for a client which is gone would be seen.
    return deployment.Stage(lab, program, lab_responder.settings_for(database, **{"server.client_timeout": "2m"}))


@pytest.fixture(scope="module", params=deployment.DEPLOYMENTS)
def site(request, stage):
    with deployment.DEPLOYMENTS[request.param].run(stage) as running:
        yield running


@pytest.fixture
def logs(site):
    return Logs(site)


@pytest.fixture(scope="module")
def large_task(world):
    return world.task([support.node(), *(support.node(f"step {i}") for i in range(LARGE - 1))])


def get(server, path, headers=None, **others):
    status, got_headers, body = server.get(path, SAME_ID | (support.GOOD if headers is None else headers), **others)
    return status, got_headers, body


def ask(standard, path, headers=None, **others):
    """What the responder itself says, without a web server between."""
    return standard.ask(client.variables(path, headers=SAME_ID | (support.GOOD if headers is None else headers),
                                         **others))


def assert_passes_untouched(site, standard, path, headers=None, method="GET"):
    expected = ask(standard, path, headers, method=method)
    status, got_headers, body = get(site.server, path, headers, method=method)
    assert (status, body) == (expected.status, expected.body), site.server.error_log
    for name, value in expected.headers:
        if name != "Status":
            assert got_headers.get_all(name) == [value]
    return expected


class Logs:
    """What a site's web server logs from now on: in the sample's own log, and in that of everything else."""

    def __init__(self, site):
        self._site = site
        self._before = [len(text) for text in self._read()]

    def of_sample(self):
        return self._read()[0][self._before[0]:]

    def of_server(self):
        return self._read()[1][self._before[1]:]

    def _read(self):
        """Behind all that came before stand two requests: one that the sample takes, one that it does not."""
        server, number = self._site.server, next(MARKS)
        get(server, f"/mark-{number}")
        server.request(f"/other-{number}")
        return server.logs_when(f"mark-{number}", f"other-{number}")


class TestEachDeployment:
    """What every one of them has to let through."""

    def test_states_below_the_mount(self, site, standard, finished_task):
        assert assert_passes_untouched(site, standard, client.states_path(finished_task)).status == 200

    def test_without_the_last_slash(self, site, standard, finished_task):
        path = client.states_path(finished_task).rstrip("/")
        assert assert_passes_untouched(site, standard, path).status == 200

    def test_states_at_the_root(self, site, standard, finished_task):
        server = site.serve(at_root=True)
        try:
            path = client.states_path(finished_task)
            status, _headers, body = get(server, path)
            assert (status, body) == (200, ask(standard, path).body), server.error_log
            assert get(server, "/readyz")[0] == 200
            for nowhere in ("/", "/nowhere"):
                status, _headers, body = get(server, nowhere)
                assert (status, json.loads(body)["code"]) == (404, 40401)
        finally:
            server.stop()

    def test_query_string(self, site, finished_task):
        path = client.states_path(finished_task) + "?" + support.query_credentials()
        status, _headers, body = get(site.server, path, {})
        assert status == 200, body

    def test_header_with_credentials(self, site, standard, finished_task):
        """It arrives whole, so a wrong secret in it is found to be wrong."""
        path = client.states_path(finished_task)
        assert assert_passes_untouched(site, standard, path, WRONG_SECRET).status == 401
        assert assert_passes_untouched(site, standard, path, {}).status == 401

    def test_encoded_path_is_decoded_once(self, site, finished_task):
        plain = client.states_path(finished_task)
        status, _headers, _body = get(site.server, "/%74ask" + plain.removeprefix("/task").replace("5", "%35"))
        assert status == 200
        status, _headers, _body = get(site.server, plain.replace("/task", "/%2574ask"))
        assert status == 404

    def test_head(self, site, standard, finished_task):
        path = client.states_path(finished_task)
        expected = assert_passes_untouched(site, standard, path, method="HEAD")
        assert (expected.status, expected.body) == (200, b"")

    def test_post_is_refused(self, site, finished_task):
        status, headers, body = get(site.server, client.states_path(finished_task), method="POST", body=b"a=b")
        assert (status, json.loads(body)["code"]) == (405, 40501)
        assert headers["Allow"] == "GET, HEAD"

    def test_a_body_arrives(self, site, world):
        space = world.space()
        ids = [world.task([support.node()], space_id=space) for _ in range(100)]
        headers = support.GOOD | {"Content-Type": "application/json"}
        body = json.dumps({"task_ids": ids}).encode()
        status, _headers, answer = get(site.server, client.space_batch_path(space), headers, method="POST", body=body)
        assert (status, len(json.loads(answer)["data"])) == (200, 100), answer

    def test_a_body_in_chunks(self, site, world):
        space = world.space()
        task_id = world.task([support.node()], space_id=space)
        headers = support.GOOD | {"Content-Type": "application/json"}
        body = json.dumps({"task_ids": [task_id]}).encode()
        status, _headers, answer = get(site.server, client.space_batch_path(space), headers, method="POST",
                                       body=iter([body[:7], body[7:]]))
        assert status == 200, answer
        assert json.loads(answer)["data"] == {str(task_id): {"state": "FINISHED"}}

    @pytest.mark.parametrize("path", ["/nowhere", "/", client.states_path(404_404)])
    def test_not_found_passes_untouched(self, site, standard, path):
        assert assert_passes_untouched(site, standard, path).status == 404

    def test_forbidden_passes_untouched(self, site, standard, world):
        path = client.states_path(world.task(template_id=world.template("other_app")))
        assert assert_passes_untouched(site, standard, path).status == 403

    def test_server_error_passes_untouched(self, site, standard, world):
        path = client.states_path(world.task([support.node("orphan")]))
        assert assert_passes_untouched(site, standard, path).status == 500

    def test_not_modified(self, site, standard, finished_task):
        path = client.states_path(finished_task)
        tag = ask(standard, path).header("ETag")
        status, headers, body = get(site.server, path, support.GOOD | {"If-None-Match": tag})
        assert (status, body, headers["ETag"]) == (304, b"", tag)

    @with_own_log
    @pytest.mark.parametrize("name", ["bkflow-old", "bkflowx/task/1/get_task_states_by_app/"], ids=["old", "x"])
    def test_a_longer_name_than_the_mount_is_not_ours(self, logs, site, name):
        """So it is not for the program, and the sample's log has nothing of its query either."""
        status, headers, _body = site.server.request(f"/{name}?{support.query_credentials()}")
        assert status == 404
        assert headers.get_content_type() != "application/json"
        assert "bk_app_secret" not in logs.of_sample()

    @with_own_log
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_no_spelling_of_the_mount_brings_a_secret_into_a_log(self, logs, site, spelling):
        """Whether the program answers it, or the web server does. But lighttpd applies its conditions to well-formed
        requests only: docs/deploy.md."""
        if (site.deployment.server, spelling) in IN_SERVERS_LOG:
            return
        path = SPELLINGS[spelling].format(mount=site.server.mount)
        site.server.request(f"{path}?{support.query_credentials()}")
        assert "bk_app_secret" not in logs.of_sample() + logs.of_server()

    @pytest.mark.parametrize("path", ["/task/1%0A/get_task_states_by_app/", "/%0A", "/task/%0A1",
                                      "/task/1/get_task_states_by_app%0A"],
                             ids=["in the middle", "alone", "at an id", "at the end"])
    def test_line_break_in_the_path_leaves_it_whole(self, site, standard, path):
        """The program answers as it does without a web server, or the web server refuses it itself."""
        status, headers, body = get(site.server, path)
        if headers.get_content_type() == "application/json":
            expected = standard.ask(client.variables(urllib.parse.unquote(path), headers=SAME_ID | support.GOOD))
            assert (status, body) == (expected.status, expected.body)
        else:
            assert status in (400, 403, 404)

    def test_large_answer_is_compressed_for_who_accepts_it(self, site, large_task):
        path = client.states_path(large_task)
        _status, _headers, plain = get(site.server, path)
        status, headers, body = get(site.server, path, ACCEPTS_GZIP)
        assert (status, headers["Content-Encoding"]) == (200, "gzip"), site.server.error_log
        assert "accept-encoding" in headers["Vary"].lower()
        assert len(body) < len(plain) / 4
        support.assert_same(plain, gzip.decompress(body))

    def test_not_modified_with_the_tag_of_a_compressed_answer(self, site, large_task):
        path = client.states_path(large_task)
        _status, headers, _body = get(site.server, path, ACCEPTS_GZIP)
        assert headers["Content-Encoding"] == "gzip"
        status, _headers, body = get(site.server, path, ACCEPTS_GZIP | {"If-None-Match": headers["ETag"]})
        assert (status, body) == (304, b"")
        status, _headers, body = get(site.server, path, support.GOOD | {"If-None-Match": headers["ETag"]})
        assert (status, body) == (304, b"")

    def test_large_answer_is_whole(self, site, standard, large_task):
        path = client.states_path(large_task)
        status, _headers, body = get(site.server, path)
        assert status == 200
        assert body.count(b'"children":') == LARGE
        support.assert_same(ask(standard, path).body, body)

    def test_clients_that_hang_up_cost_no_worker(self, site, finished_task, large_task):
        """More of them than there are workers, and each soon enough for the answer to be in the middle."""
        for _ in range(8):
            hang_up_in_the_middle(site.server, client.states_path(large_task))
        started = time.monotonic()
        for _ in range(8):
            assert get(site.server, client.states_path(finished_task))[0] == 200
        assert time.monotonic() - started < 25
        if site.deployment.is_cgi:
            site.stage.expect_no_process()

    def test_query_string_is_not_logged(self, site):
        if site.deployment.sample == "htaccess":
            return  # the host's log is not the guest's to set
        get(site.server, "/logged?" + support.query_credentials(), {})
        assert "bk_app_secret" not in site.server.access_log_when("/logged")


def hang_up_in_the_middle(server, path):
    with socket.socket() as connection:
        # Little room, so that the answer cannot wait in our kernel; and a reset instead of a farewell.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.settimeout(10)
        connection.connect(("127.0.0.1", server.port))
        header = "X-Bkapi-Authorization: " + support.GOOD["X-Bkapi-Authorization"]
        connection.sendall(f"GET {server.mount}{path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


@contextlib.contextmanager
def load_on(server, path):
    """Clients that ask without a pause while the block runs."""
    with load.Load(lambda: get(server, path)[0]) as clients:
        clients.more()
        yield clients


class TestRestartUnderLoad:
    """Where the socket outlives the program, or another process takes over, nobody notices."""

    @pytest.mark.parametrize("server, sample", [
        ("lighttpd", "lighttpd.conf"), ("nginx", "nginx.conf"), ("nginx", "nginx-no-keepalive.conf"),
        ("apache2", "apache-proxy.conf"),
    ])
    def test_systemd_keeps_the_socket(self, stage, finished_task, server, sample):
        with deployment.Held(stage) as held:
            web = webserver.WebServer(stage.lab, server, held.path, sample=sample)
            with load_on(web, client.states_path(finished_task)) as clients:
                for _ in range(3):
                    held.restart()
                    clients.more()
            web.stop()
        assert clients.failures == []

    def test_reload_of_lighttpd_starts_the_program_anew(self, stage, finished_task):
        """USR1 is what "systemctl reload" sends. (mod_fcgid leaves requests hanging when Apache gets it.)"""
        with deployment.DEPLOYMENTS["lighttpd starts it"].run(stage) as site:
            with load_on(site.server, client.states_path(finished_task)) as clients:
                for _ in range(2):
                    before = stage.processes()
                    site.server.service.send_signal(signal.SIGUSR1)
                    wait_until(lambda: stage.processes() and not set(before) & set(stage.processes()))
                    clients.more()
            assert clients.failures == []

    @pytest.mark.parametrize("name, count", [("lighttpd starts it", 1), ("Apache mod_fcgid", 8)])
    def test_web_server_gets_over_the_end_of_processes(self, stage, finished_task, name, count):
        """mod_fcgid of all, one after the other; lighttpd, which knows two, of one of them."""
        with deployment.DEPLOYMENTS[name].run(stage) as site:
            with load_on(site.server, client.states_path(finished_task)) as clients:
                for stopped in stage.processes()[:count]:
                    os.kill(stopped, signal.SIGTERM)
                    wait_until(lambda gone=stopped: gone not in stage.processes())
                    clients.more()
            assert clients.failures == []

    def test_reload_under_load(self, stage, finished_task):
        """HUP needs no help from whoever holds the socket."""
        with deployment.Held(stage) as held:
            web = webserver.WebServer(stage.lab, "nginx", held.path)
            with load_on(web, client.states_path(finished_task)) as clients:
                for _ in range(3):
                    held.service.send_signal(signal.SIGHUP)
                    clients.more()
            web.stop()
            assert held.service.log.count("reloaded") == 3
        assert clients.failures == []


WAITING = ("lighttpd", "lighttpd, spawn-fcgi on TCP", "lighttpd starts it", "nginx, systemd socket",
           "nginx without kept connections, spawn-fcgi", "Apache mod_proxy_fcgi")
PROCESS_FOR_EACH = ("Apache mod_fcgid", ".htaccess, mod_fcgid")


def sites(names):
    return pytest.mark.parametrize("site", names, indirect=True)


class TestWaiting:
    """What waits where is in docs/deploy.md."""

    @pytest.fixture
    def task(self, world):
        return world.task([support.node(state="RUNNING", archived=None), support.node("a")])

    @staticmethod
    def version(site, task):
        return get(site.server, client.states_path(task))[1]["X-States-Version"]

    @staticmethod
    def waiting(site):
        """Where two processes share a socket, one of them tells."""
        return value(site.server.get("/metrics")[2].decode(), "bkflow_states_waiting_requests")

    def path(self, site, task, wait="40s"):
        return f"{client.states_path(task)}?wait={wait}&version={self.version(site, task)}"

    @sites(WAITING)
    def test_a_change_answers(self, site, database, task):
        """Several wait, so that each of lighttpd's two processes gets at least one of them."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            path = self.path(site, task)
            answers = [pool.submit(get, site.server, path) for _ in range(4)]
            wait_until(lambda: self.waiting(site) >= 1)
            database.engine_sql(f"UPDATE eri_state SET retry = 1 WHERE node_id = '{support.node_id(task, 'a')}'")
            for status, headers, body in [answer.result() for answer in answers]:
                assert (status, json.loads(body)["data"]["children"][support.node_id(task, "a")]["retry"]) == (200, 1)
                assert headers["X-States-Version"] not in path

    @sites(WAITING)
    def test_the_end_of_the_wait_answers(self, site, task):
        path = self.path(site, task, "1s")
        started = time.monotonic()
        status, headers, _body = get(site.server, path)
        assert time.monotonic() - started >= 1
        assert status == 200
        assert path.endswith(headers["X-States-Version"])

    @sites(("nginx, systemd socket",))
    def test_a_client_that_hangs_up_frees_it(self, site, task):
        with waiting_client(site.server, self.path(site, task, "10m")):
            wait_until(lambda: self.waiting(site) == 1)
        wait_until(lambda: self.waiting(site) == 0)

    @sites(("lighttpd", "Apache mod_proxy_fcgi"))
    def test_the_end_of_the_wait_frees_what_a_client_has_left(self, site, task):
        """Neither looks at a client before it has an answer for it."""
        with waiting_client(site.server, self.path(site, task, "3s")):
            wait_until(lambda: self.waiting(site) == 1)
        wait_until(lambda: self.waiting(site) == 0)

    @sites(PROCESS_FOR_EACH)
    def test_no_process_is_occupied_by_waiting(self, site, task):
        """mod_fcgid has one for each request."""
        path = self.path(site, task, "10m")
        status, headers, _body = get(site.server, path)
        assert status == 200
        assert path.endswith(headers["X-States-Version"])

    @sites([name for name, deployed in deployment.DEPLOYMENTS.items() if deployed.is_cgi])
    def test_plain_cgi_refuses(self, site, task):
        status, _headers, body = get(site.server, self.path(site, task))
        assert (status, json.loads(body)["code"]) == (400, 40000)


@contextlib.contextmanager
def waiting_client(server, path):
    """It hangs up at the end of the block."""
    with lab_scratch.connect(("127.0.0.1", server.port), timeout=lab_scratch.PATIENCE_SECONDS) as stream:
        header = "X-Bkapi-Authorization: " + support.GOOD["X-Bkapi-Authorization"]
        stream.sendall(f"GET {server.mount}{path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        yield stream


class TestLogRotation:
    """conf/logrotate, with logrotate itself."""

    def test_log_is_rotated_and_opened_anew(self, stage, program, finished_task):
        folder = stage.lab.path("log")
        folder.mkdir()
        log, pid_file = folder / "bkflow-states.log", folder / "pid"
        responder = program.listen(stage.settings | {"log.target": f"file:{log}", "log.access": "on"})
        pid_file.write_text(str(responder.service.pid))
        responder.ask(support.states(finished_task, SAME_ID))
        wait_until(lambda: SAME_ID["X-Request-Id"] in log.read_text())
        self._rotate(stage, folder, pid_file)
        assert SAME_ID["X-Request-Id"] in (folder / "bkflow-states.log.1").read_text()
        wait_until(lambda: log.exists() and "reloaded" in log.read_text())
        responder.ask(support.states(finished_task, {"X-Request-Id": "after-the-rotation"}))
        wait_until(lambda: "after-the-rotation" in log.read_text())
        assert "after-the-rotation" not in (folder / "bkflow-states.log.1").read_text()
        assert responder.stop() == 0

    @pytest.mark.parametrize("owner, status", [("root", 0), ("account", -signal.SIGHUP)])
    def test_signals_no_process_but_the_accounts_own(self, stage, owner, status):
        """Whatever the account writes into its pid file. The process sleeps until a byte comes, or HUP."""
        if os.geteuid() != 0:
            pytest.skip("needs root, as logrotate does")
        account = webserver.web_user()
        cat = ["env", "--default-signal=HUP", "cat"]  # under nohup, HUP would be ignored
        command = cat if owner == "root" else ["setpriv", "--reuid", account, "--clear-groups", *cat]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdin.write(b"x")
            process.stdin.flush()
            assert process.stdout.read(1) == b"x"  # so it is no longer on its way to be another user's
            pid_file = stage.lab.write("pid", "", str(process.pid))
            pid_file.chmod(0o644)
            self._postrotate(account, pid_file)
            process.stdin.close()
            assert process.wait() == status

    @staticmethod
    def _postrotate(account, pid_file):
        text = (webserver.CONF / "logrotate" / "bkflow-states").read_text()
        script = text.partition("    postrotate\n")[2].partition("    endscript\n")[0]
        for there, here in {"/run/systemd/system": "/nonexistent", "/run/bkflow-states/pid": pid_file,
                            "-u bkflow-states": f"-u {account}"}.items():
            script = script.replace(there, str(here))
        subprocess.run(["sh", "-c", script], check=True, timeout=20, stderr=subprocess.DEVNULL)

    @staticmethod
    def _rotate(stage, folder, pid_file):
        text = (webserver.CONF / "logrotate" / "bkflow-states").read_text()
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        for there, here in {"/var/log/bkflow-states": folder, "/run/bkflow-states/pid": pid_file,
                            "/run/systemd/system": "/nonexistent",
                            "runuser -u bkflow-states": f"runuser -u {user}",
                            "bkflow-states bkflow-states\n": f"{user} {group}\n"}.items():
            assert there in text
            text = text.replace(there, str(here))
        if os.geteuid() != 0:
            # Nobody but root may change over.
            text = text.replace(f"    su {user} {group}\n", "").replace(f"runuser -u {user} --", "")
        config = stage.lab.write("logrotate", ".conf", text)
        config.chmod(0o644)
        done = subprocess.run([lab_scratch.find_program("logrotate"), "--force", "--state", folder / "state", config],
                              capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stderr) == (0, "")


class TestSystemdUnits:
    """conf/systemd, as far as systemd's tools can judge without a running manager."""

    @pytest.fixture(scope="class")
    def units(self, stage):
        folder = stage.lab.path("units")
        folder.mkdir()
        for unit in ("bkflow-states.service", "bkflow-states.socket"):
            text = (webserver.CONF / "systemd" / unit).read_text().replace(deployment.PROGRAM, stage.program.path)
            (folder / unit).write_text(text)
        return folder

    def _analyze(self, *arguments):
        return subprocess.run([lab_scratch.find_program("systemd-analyze"), *map(str, arguments)],
                              capture_output=True, text=True, timeout=30, check=False)

    def test_no_mistakes(self, units):
        done = self._analyze("verify", "--man=no", units / "bkflow-states.service", units / "bkflow-states.socket")
        complaints = [line for line in done.stderr.splitlines() if "bkflow-states" in line]
        assert (done.returncode, complaints) == (0, [])

    def test_little_is_exposed(self, units):
        """systemd's score, in tenths; what is left is the network, which a remote database needs."""
        done = self._analyze("security", "--offline=true", "--threshold=15", units / "bkflow-states.service")
        assert done.returncode == 0, done.stdout[-2000:]

    def test_stopping_is_waited_for(self):
        """The drain_timeout, 10 s if not configured, has to fit in."""
        assert int(deployment.unit_value("bkflow-states.service", "TimeoutStopSec")) > 10
