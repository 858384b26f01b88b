# SPDX-License-Identifier: MIT
"""What clients see of each fault that a database server can have, while several of them ask.

While it lasts: errors that say when to try again, no wrong data, nobody waiting past the limits. After
it: right again within a second, for which these tests allow three on a loaded machine."""

import contextlib
import subprocess
import time

import impostor
import pressure
import pytest
import support
from lab import client, mariadb, scratch
from lab import responder as lab_responder

DOWN, OVERLOADED, FAULT, LATE = 50301, 50302, 50303, 50401
AGAIN_SECONDS = 3  # after the fault; the longest pause is 0.8 s
CHILDREN = 2


@pytest.fixture(scope="module")
def server(lab):
    """A server to be mistreated; each test leaves it well."""
    database = mariadb.MariaDB(lab, "faulty", port=scratch.free_port()).start()
    support.fill(database)
    return database


@pytest.fixture(scope="module")
def world_of_faults(server):
    return support.World(server)


@pytest.fixture(scope="module")
def task(world_of_faults):
    return world_of_faults.task([support.node(), support.node("one"), support.node("two")])


@pytest.fixture
def responder(program, server):
    """A fresh one for each test: none starts with what another did to the connections."""
    started = program.listen(settings(server))
    yield started
    assert started.stop() == 0, started.log


def settings(server, **others):
    return lab_responder.settings_for(server, **{"server.workers": 4, "database.query_timeout": "500ms"} | others)


def tcp_settings(server, **others):
    reach = settings(server, **{"database.host": server.address, "database.port": server.port} | others)
    del reach["database.socket"]
    return reach


def assert_again(load):
    """The fault is over as of now."""
    assert load.wait_for_status(200) < AGAIN_SECONDS
    load.wait_for_calm()


def test_stopped_and_started(server, responder, task):
    with pressure.Pressure(responder, task) as load:
        load.wait_for_calm()
        server.stop()
        load.wait_for_status(503)
        server.start()
        assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {DOWN})
    assert responder.log.count("the database host fails") == 1  # for all workers and attempts


def test_connections_killed(server, responder, task):
    with pressure.Pressure(responder, task) as load:
        load.wait_for_calm()
        for _ in range(5):
            assert server.kill_connections() > 0
            load.wait_for_calm(10)
    # A statement that was under way may have been cut in the midst of its rows, or as if it were late.
    pressure.assert_no_harm(load.answers(), CHILDREN, {DOWN, FAULT, LATE})
    assert sum(answer.status != 200 for answer in load.answers()) <= 20


def test_frozen(server, responder, task):
    """Requests that wait are given up soon after query_timeout; then everybody is told at once."""
    with pressure.Pressure(responder, task) as load:
        load.wait_for_calm()
        frozen = time.monotonic()
        with server.frozen():
            load.wait_for_status(504, since=frozen)
            time.sleep(1.5)  # all have met it, and the prober has seen that it stays unresponsive
            known = time.monotonic()
            time.sleep(1)
            thawed = time.monotonic()
        assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {DOWN, OVERLOADED, LATE})
    # 0.5 s, what the server gets to end it by itself (0.25 s), a tick (0.1 s). The client library's
    # own limit would be 2 s.
    waited = [answer for answer in load.answers(frozen) if answer.status == 504]
    assert 0.5 <= min(answer.seconds for answer in waited)
    assert min(answer.run_seconds for answer in waited) < 1.5
    assert max(answer.run_seconds for answer in load.answers(frozen)) < 4
    told = [answer for answer in load.answers(known) if answer.asked + answer.seconds < thawed]
    assert len(told) > 20  # a client that waits gets one answer a second
    assert {answer.code for answer in told} == {DOWN}


def test_frozen_without_workers_to_spare(program, server, task):
    """query_timeout is 3 s: the overload responder answers those who wait, and they wait no longer than that. There
    are more clients than two workers take at once."""
    responder = program.listen(settings(server, **{"server.workers": 2, "database.query_timeout": "3s"}))
    for _ in range(4):
        support.success(responder.ask(support.states(task)))
    with pressure.Pressure(responder, task, clients=40) as load:
        load.wait_for_calm()
        with server.frozen():
            assert load.wait_for(lambda answer: answer.code == OVERLOADED) < 6
            assert responder.ask(client.variables("/healthz")).status == 200
            load.wait_for(lambda answer: answer.code == DOWN)
        assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {DOWN, OVERLOADED, LATE})
    assert max(answer.run_seconds for answer in load.answers()) < 7
    assert responder.stop() == 0


def test_too_many_connections(server, responder, task):
    with contextlib.ExitStack() as cause:
        cause.enter_context(support.all_connections_taken(server))
        with pressure.Pressure(responder, task) as load:
            load.wait_for_status(503)
            cause.close()
            assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {DOWN})
    assert "Too many connections" in responder.log


def test_slow_by_a_lock(server, responder, task):
    """The server ends the statement; the host is not at fault, and connections to it stay in use."""
    with pressure.Pressure(responder, task) as load:
        load.wait_for_calm()
        with server.locked("eri_state"):
            load.wait_for_status(504)
        assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {LATE, OVERLOADED})
    assert max(answer.seconds for answer in load.answers()) < 3
    assert "the database host" not in responder.log


def test_password_changed(server, responder, task):
    """Connections that stand go on; new ones are refused until the new password is configured."""
    with contextlib.ExitStack() as at_the_end, pressure.Pressure(responder, task) as load:
        load.wait_for_calm()
        at_the_end.callback(set_password, server, mariadb.RESPONDER_PASSWORD)
        set_password(server, "another")
        load.wait_for_calm()
        server.kill_connections()
        load.wait_for_status(503)
        responder.reload(responder.settings | {"database.password": "another"})
        assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {DOWN, FAULT, LATE})
    assert "Access denied" in responder.log


def set_password(server, password):
    server.sql(f"ALTER USER '{mariadb.RESPONDER_USER}'@'%' IDENTIFIED BY '{password}'", None)


BROKEN = {
    "table": ("RENAME TABLE eri_state TO eri_away", "RENAME TABLE eri_away TO eri_state"),
    "column": ("ALTER TABLE task_taskinstance RENAME COLUMN instance_id TO away",
               "ALTER TABLE task_taskinstance RENAME COLUMN away TO instance_id"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_missing(server, responder, task, broken):
    """While it runs, and for one that starts meanwhile."""
    away, back = BROKEN[broken]
    with pressure.Pressure(responder, task) as load:
        load.wait_for_calm()
        server.sql(away)
        load.wait_for_status(503)
        server.sql(back)
        assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {FAULT})


@pytest.mark.parametrize("broken", BROKEN)
def test_missing_at_the_start(program, server, task, broken):
    away, back = BROKEN[broken]
    server.sql(away)
    responder = program.listen(settings(server))
    with pressure.Pressure(responder, task) as load:
        load.wait_for_status(503)
        server.sql(back)
        assert_again(load)
    pressure.assert_no_harm(load.answers(), CHILDREN, {FAULT})
    assert "eri_state" in responder.log or "instance_id" in responder.log
    assert responder.stop() == 0


def test_replica_without_the_newest_rows(responder, world_of_faults):
    """A task that has not arrived does not exist; one whose engine rows have not is not begun."""
    task_id = 999_999
    support.assert_error(responder.ask(support.states(task_id)), 404, 40402)
    world_of_faults.task(id=task_id, instance_id=support.root_id(task_id))
    begun = support.success(responder.ask(support.states(task_id)))
    assert begun.value("state") == "CREATED"
    world_of_faults.nodes(task_id, [support.node()])
    arrived = support.success(responder.ask(support.states(task_id)))
    assert arrived.value("state") == "FINISHED"


@pytest.mark.parametrize("setting, wrong, right", [
    ("time_zone", "'+09:00'", "'SYSTEM'"),
    # For new connections its clock stands two hours ahead, as if it were set wrong.
    ("init_connect", "'SET timestamp = UNIX_TIMESTAMP() + 7200'", "''"),
], ids=["zone", "clock"])
def test_time_of_the_server_changes_nothing(program, server, task, setting, wrong, right):
    """The tables hold UTC; whether a secret that was rotated out still holds, our own clock tells."""
    old = client.credentials("rotating", "the-old-one", support.USER)
    with contextlib.ExitStack() as at_the_end:
        at_the_end.callback(server.sql, f"SET GLOBAL {setting} = {right};"
                                        "DELETE FROM bkflow_states_app WHERE bk_app_code = 'rotating'")
        server.sql(mariadb.insert("bkflow_states_app", [support.app_row(
            "rotating", "the-new-one", previous_digest=support.digest("the-old-one"))]))
        responder = program.listen(settings(server, **{"server.workers": 1}))
        expected = support.success_text(responder.ask(support.states(task)))
        server.sql(f"SET GLOBAL {setting} = {wrong}")
        assert server.kill_connections() == 1
        assert support.success_text(responder.ask(support.states(task))) == expected
        for hours, status in ((1, 403), (-1, 401)):  # 403: known, but the task is another application's
            server.sql("UPDATE bkflow_states_app SET previous_expires_at = UTC_TIMESTAMP() "
                       f"+ INTERVAL {hours} HOUR WHERE bk_app_code = 'rotating'")  # root's clock is right
            assert responder.ask(support.states(task, credentials=old)).status == status
        assert responder.stop() == 0


class Refuser(impostor.Impostor):
    """Counts connections and ends them."""

    count = 0

    def serve(self, client):
        self.count += 1


def test_many_workers_do_not_storm_a_server_that_is_down(program, server, task):
    """One attempt at a time and process, however many workers and clients there are."""
    responder = program.listen(tcp_settings(server, **{"server.workers": 16}))
    with pressure.Pressure(responder, task, clients=12) as load:
        load.wait_for_calm()
        server.stop()
        load.wait_for_status(503)
        try:
            with Refuser((server.address, server.port)) as refuser:
                time.sleep(2.5)
                attempts = refuser.count
        finally:
            server.start()
        assert_again(load)
    # After pauses of 50, 100, 200, 400 and then 800 ms, each cut by up to half: at least one.
    assert 1 <= attempts <= 14
    pressure.assert_no_harm(load.answers(), CHILDREN, {DOWN, OVERLOADED})
    # And afterwards as many as are of use.
    assert server.status("Connections") < 16 + 30
    assert responder.stop() == 0


# ---- ways in that do not open ----

@pytest.fixture(scope="module")
def authority(lab):
    """Two certificate authorities, and a certificate of the first for 127.0.0.1."""
    folder = lab.path("tls")
    folder.mkdir()

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)

    for name in ("right", "wrong"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1",
            "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName = IP:127.0.0.1\n", encoding="ascii")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "right.pem", "-CAkey", "right.key", "-CAcreateserial",
            "-days", 2, "-extfile", "names", "-out", "server.pem")
    return folder


@contextlib.contextmanager
def tls_offered(server, authority):
    server.stop()
    server.options = (f"--ssl-cert={authority / 'server.pem'}", f"--ssl-key={authority / 'server.key'}")
    server.start()
    try:
        yield
    finally:
        server.stop()
        server.options = ()
        server.start()


def ask_once(program, configuration, task):
    responder = program.listen(configuration)
    response = responder.ask(support.states(task))
    assert responder.stop() == 0
    return response, responder.log


def assert_refused(response, log, reason):
    support.assert_error(response, 503, DOWN)
    assert "the database host fails" in log
    assert reason in log, log


def test_tls_demanded_but_not_offered(program, server, authority, task):
    """No way without: the password would go in the clear."""
    response, log = ask_once(program, tcp_settings(server, **{"database.tls_ca": authority / "right.pem"}), task)
    assert_refused(response, log, "SSL")


def test_tls_by_the_right_and_the_wrong_authority(program, server, authority, task):
    with tls_offered(server, authority):
        server.sql(f"ALTER USER '{mariadb.RESPONDER_USER}'@'%' REQUIRE SSL", None)
        response, _log = ask_once(program, tcp_settings(server, **{"database.tls_ca": authority / "right.pem"}), task)
        support.success(response)
        response, log = ask_once(program, tcp_settings(server, **{"database.tls_ca": authority / "wrong.pem"}), task)
        assert_refused(response, log, "certificate")
        response, log = ask_once(program, tcp_settings(server), task)
        assert_refused(response, log, "Access denied")
        server.sql(f"ALTER USER '{mariadb.RESPONDER_USER}'@'%' REQUIRE NONE", None)


@pytest.mark.parametrize("lose", [
    lambda server: server.kill_connections(),
    lambda server: (server.stop(), server.start()),
], ids=["killed", "restarted"])
def test_a_connection_lost_over_tls_goes_unnoticed(program, server, authority, task, lose):
    """The client library says that TLS has failed (2026), or nothing at all."""
    with tls_offered(server, authority):
        responder = program.listen(tcp_settings(server, **{"database.tls_ca": authority / "right.pem"}))
        for _ in range(8):
            support.success(responder.ask(support.states(task)))
        for _ in range(3):
            lose(server)
            for _ in range(8):
                support.success(responder.ask(support.states(task)))
        assert responder.stop() == 0


def test_password_file_that_is_not_there(program, server, task):
    """It does not start; one that runs keeps its configuration."""
    missing = settings(server, **{"database.password_file": "/nonexistent/password"})
    del missing["database.password"]
    done = program.run("--config", program.config(missing))
    assert done.returncode == 78
    assert b"/nonexistent/password" in done.stderr
    running = program.listen(settings(server))
    before = len(running.log)
    running.reload(running.settings | {"database.password": "", "database.password_file": "/nonexistent/password"})
    running.wait_for_log("reload refused", since=before)
    support.success(running.ask(support.states(task)))
    assert running.stop() == 0


def test_no_password_at_all(program, server, task):
    without = settings(server)
    del without["database.password"]
    response, log = ask_once(program, without, task)
    assert_refused(response, log, "Access denied")
