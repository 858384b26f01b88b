# SPDX-License-Identifier: MIT
"""A read replica is the first host, its primary the second: what an operator can rely on, and what not."""

import contextlib
import functools

import document
import load
import pytest
import support
from lab import dbms, mariadb
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab.scratch import wait_until

WORKERS = 2
USER, PASSWORD = "replica", "its-password"
MARIADBS_CHECK = "    option mysql-check user haproxy\n"


class Replicated:
    """Two servers with one port at two addresses; what is written at the primary is also at the replica."""

    def __init__(self, lab):
        port = lab_scratch.free_port_of_all_addresses()
        self.primary = mariadb.MariaDB(lab, "primary", port, "127.0.0.3", options=(
            "--server-id=1", f"--log-bin={lab.path('binlog')}", *dbms.REPLICATION_OPTIONS)).start()
        self.primary.sql(f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; "
                         f"GRANT REPLICATION SLAVE ON *.* TO {USER}@'127.0.0.1'", None)
        self.replica = mariadb.MariaDB(lab, "replica", port, "127.0.0.2", options=(
            "--server-id=2", "--read-only=1", "--relay-log=relay", *dbms.REPLICATION_OPTIONS)).start()
        self.replica.sql(dbms.change_source("127.0.0.3", port, USER, PASSWORD) + "; START REPLICA", None)
        support.fill(self.primary)

    def config(self):
        return self.config_of(self.replica, self.primary)

    def engine_config(self):
        return self.primary.engine_config()

    def config_of(self, *servers):
        config = self.primary.config() | {"port": self.primary.port,
                                          "host": ", ".join(server.address for server in servers)}
        del config["socket"]
        return config

    def catch_up(self):
        """The replica has what the primary has now."""
        [[position]] = self.primary.sql(f"SELECT {dbms.POSITION}", None)
        assert self.replica.sql(f"SELECT {dbms.WAIT_FOR_POSITION}('{position}', 300)", None) == [["0"]]

    @contextlib.contextmanager
    def halted(self):
        """Replication does not go on; the replica answers as before."""
        self.replica.sql("STOP REPLICA", None)
        yield
        self.replica.sql("START REPLICA", None)
        self.catch_up()


@pytest.fixture(scope="module")
def servers(lab):
    return Replicated(lab)


@pytest.fixture(scope="module")
def world(servers):
    return support.World(servers.primary)


@pytest.fixture
def task_id(servers, world):
    made = world.task([support.node(name, state="RUNNING", archived=None) for name in ("", "step")])
    servers.catch_up()
    return made


@pytest.fixture
def responder(program, servers):
    started = program.listen(lab_responder.settings_for(servers, **{"server.workers": WORKERS}))
    yield started
    assert started.stop() == 0, started.log
    assert "Sanitizer" not in started.log


@pytest.fixture
def proxy_port(lab, servers):
    """HAProxy as docs/scale.md has it."""
    servers.primary.sql("CREATE USER haproxy@'127.0.0.1'", None)
    servers.catch_up()
    port = lab_scratch.free_port()
    listen, mysqls_check = document.blocks("haproxy", 2)
    config = lab.write("haproxy", ".cfg", document.placed(listen, {
        MARIADBS_CHECK: mysqls_check if dbms.IS_MYSQL else MARIADBS_CHECK,
        "127.0.0.1:3307": f"127.0.0.1:{port}",
        "10.0.0.22:3306": f"{servers.replica.address}:{servers.replica.port}",
        "10.0.0.21:3306": f"{servers.primary.address}:{servers.primary.port}"}))
    service = lab.start("haproxy", [lab_scratch.find_program("haproxy"), "-db", "-f", config])
    service.wait_until(functools.partial(lab_scratch.accepts, ("127.0.0.1", port)))
    yield port
    service.stop()


def state(responder, task_id):
    return support.success(responder.ask(support.states(task_id))).value("state")


def assert_is_not_missed(servers, responder, task_id):
    """The replica is stopped under load, the primary answers, and hands over to it when it is back."""
    with load.Load(lambda: responder.ask(support.states(task_id)).status, WORKERS) as clients:
        clients.more()
        assert (len(servers.replica.connections()), len(servers.primary.connections())) == (WORKERS, 0)
        servers.replica.stop()
        clients.more()
        assert len(servers.primary.connections()) > 0
        servers.replica.start()
        wait_until(lambda: len(servers.replica.connections()) == WORKERS and len(servers.primary.connections()) == 0)
    assert clients.failures == []


def test_a_replica_that_is_stopped_is_not_noticed(servers, responder, task_id):
    assert_is_not_missed(servers, responder, task_id)


def test_a_replica_that_lags_answers_what_it_has(servers, world, responder, task_id):
    """The tree as it was, whole; a task that came later is not there."""
    with servers.halted():
        servers.primary.sql("UPDATE eri_state SET name = 'FINISHED', archived_time = NOW(6) "
                            f"WHERE root_id = '{support.root_id(task_id)}'")
        new_task = world.task([support.node()])
        assert state(responder, task_id) == "RUNNING"
        support.assert_error(responder.ask(support.states(new_task)), 404, 40402)
    assert state(responder, task_id) == "FINISHED"
    assert state(responder, new_task) == "FINISHED"


def test_the_operator_takes_a_lagging_replica_out(servers, world, responder, task_id):
    """Another order of hosts and HUP: the responder does not look at how far a replica is behind."""
    with servers.halted():
        new_task = world.task([support.node()])
        support.assert_error(responder.ask(support.states(new_task)), 404, 40402)
        config = servers.config_of(servers.primary, servers.replica)
        responder.reload(responder.settings | {"database.host": config["host"]})
        wait_until(lambda: responder.ask(support.states(new_task)).status == 200)


def test_behind_a_proxy(program, servers, proxy_port, task_id):
    """The proxy chooses the host: for the responder there is one, whose connections break."""
    settings = lab_responder.settings_for(servers, **{
        "server.workers": WORKERS, "database.host": "127.0.0.1", "database.port": proxy_port})
    responder = program.listen(settings)
    assert_is_not_missed(servers, responder, task_id)
    assert responder.stop() == 0
