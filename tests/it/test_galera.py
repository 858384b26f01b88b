# SPDX-License-Identifier: MIT
"""Galera: the responder's hosts are the nodes of a cluster, which are lost and come back one by one."""

import contextlib
import select

import document
import load
import pytest
import support
from lab import client, fcgi, galera
from lab import responder as lab_responder
from lab.scratch import wait_until

pytestmark = pytest.mark.only_with("MariaDB", "it is its cluster")

WORKERS = 4
NODES = 3


@pytest.fixture(scope="module")
def cluster(lab):
    return galera.Cluster(lab, support.fill, NODES)


@pytest.fixture(autouse=True)
def whole(cluster):
    """Each test finds all nodes together, whatever became of the one before."""
    cluster.mend()


@pytest.fixture(scope="module")
def world(cluster):
    """Written at the second node, which lives until the last test."""
    return support.World(cluster.nodes[1])


@pytest.fixture(scope="module")
def task_id(world):
    return world.task([support.node()])


@pytest.fixture
def responder(program, cluster):
    started = program.listen(lab_responder.settings_for(cluster, **{"server.workers": WORKERS}))
    yield started
    assert started.stop() == 0, started.log
    assert "Sanitizer" not in started.log


@contextlib.contextmanager
def loaded(responder, task_id):
    """None of the requests under the block fails."""
    with load.Load(lambda: responder.ask(support.states(task_id)).status, WORKERS) as clients:
        clients.more()
        yield clients
    assert clients.failures == []


def wait_until_all_read_from(node):
    wait_until(lambda: len(node.connections()) == WORKERS, timeout=60)


def test_the_first_node_is_read(cluster, responder, task_id):
    with loaded(responder, task_id):
        wait_until_all_read_from(cluster.nodes[0])
        assert [len(node.connections()) for node in cluster.nodes] == [WORKERS, 0, 0]


def test_a_node_that_dies_is_not_noticed(cluster, world, responder, task_id):
    """Killed under load, then started again: no request fails, neither then nor while it catches up."""
    first, second, _third = cluster.nodes
    with loaded(responder, task_id) as clients:
        wait_until_all_read_from(first)
        first.kill()
        clients.more()
        assert len(second.connections()) > 0
        # Written once the others have agreed to go on without the first.
        written_meanwhile = world.task([support.node()])
        support.success(responder.ask(support.states(written_meanwhile)))
        first.rejoin()
        first.wait_until_synced(NODES)
        clients.more()
        wait_until_all_read_from(first)
        assert len(second.connections()) == 0
    support.success(responder.ask(support.states(written_meanwhile)))


def test_a_node_without_quorum_is_left(cluster, responder, task_id):
    """Cut off from the others it answers error 1047 over connections that stay up."""
    first, _second, third = cluster.nodes
    responder.reload(responder.settings | {"database.host": f"{third.address}, {first.address}"})
    with loaded(responder, task_id) as clients:
        wait_until_all_read_from(third)
        third.isolate(True)
        wait_until(lambda: not third.is_ready())
        clients.more()
        assert len(first.connections()) > 0
        third.isolate(False)
        third.wait_until_synced(NODES)
        wait_until_all_read_from(third)


@pytest.fixture
def waiting(lab, program, cluster):
    """A responder at the first node that waits for writes, with the option file of docs/scale.md."""
    [init_command] = document.blocks("cnf", 1)
    started = program.listen(lab_responder.settings_for(cluster, **{
        "server.workers": 2, "database.host": cluster.nodes[0].address, "database.query_timeout": "2s",
        "database.option_file": lab.write("sync-wait", ".cnf", init_command)}))
    yield started
    assert started.stop() == 0, started.log


def lagging(node):
    """It answers, but takes nothing in from the others."""
    return node.holding("FLUSH TABLES WITH READ LOCK")


def test_a_node_that_lags(cluster, world, responder, waiting):
    """It answers what it has; with wsrep_sync_wait it waits until it has what was there before the question."""
    with waiting.connect() as connection:
        with lagging(cluster.nodes[0]):
            new_task = world.task([support.node()])
            support.assert_error(responder.ask(support.states(new_task)), 404, 40402)
            connection.send(fcgi.request(support.states(new_task)))
            assert select.select([connection.socket], [], [], 0.3)[0] == []
        support.success(connection.response())
    wait_until(lambda: responder.ask(support.states(new_task)).status == 200)


def test_a_node_that_lags_for_long(cluster, world, waiting):
    """The wait counts as time of the statement, whatever the server makes of it."""
    with lagging(cluster.nodes[0]):
        support.assert_error(waiting.ask(support.states(world.task([support.node()]))), 504, 50401)


def test_no_node_has_a_quorum(cluster, responder, task_id):
    """Two of three nodes die: the third answers 1047, the responder 503, until an operator decides."""
    first, *others = cluster.nodes
    for node in others:
        node.kill()
    wait_until(lambda: not first.is_ready())
    for _ in range(2 * WORKERS):
        support.assert_error(responder.ask(support.states(task_id)), 503, 50301)
    assert responder.ask(client.variables("/readyz")).status == 503
    assert responder.ask(client.variables("/healthz")).status == 200
    first.bootstrap()
    wait_until(lambda: responder.ask(support.states(task_id)).status == 200)
    for node in others:
        node.rejoin()
    for node in others:
        node.wait_until_synced(NODES)
