# SPDX-License-Identifier: MIT
"""Large and deep trees, whole and equal to the reference; more nodes than allowed."""

import datetime

import pytest
import support
from lab import reference

ZONE = "Asia/Shanghai"
WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5)


def with_times(rows):
    """Rows as the reference wants them: all nodes here have the default times."""
    return [row | {"started_time": WHEN, "archived_time": WHEN + datetime.timedelta(seconds=1)} for row in rows]


def wide(count):
    return [support.node(), *(support.node(f"n{i}") for i in range(1, count))]


def chain(count):
    return [support.node(), *(support.node(f"n{i}", f"n{i - 1}" if i > 1 else "") for i in range(1, count))]


def bushy(count):
    return [support.node(), *(support.node(f"n{i}", f"n{(i - 1) // 7}" if i > 7 else "") for i in range(1, count))]


SHAPES = {"10,000 beside each other": (wide, 10_000), "5,000 below each other": (chain, 5_000),
          "20,000 seven to each": (bushy, 20_000)}


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_reference_to_the_byte(standard, world, shape):
    make, count = SHAPES[shape]
    task_id = world.task()
    rows = with_times(world.nodes(task_id, make(count)))
    expected = reference.data_text(support.root_id(task_id), rows, now=None, zone_name=ZONE)
    got = support.success_text(standard.ask(support.states(task_id)))
    assert got.count('"elapsed_time"') == count
    support.assert_same(expected, got)


def test_failure_at_the_bottom_of_a_deep_chain_reaches_the_root(standard, world):
    running = dict(state="RUNNING", archived=None)
    nodes = chain(5_000)
    nodes = [node | running for node in nodes[:-1]] + [nodes[-1] | {"state": "FAILED"}]
    text = support.success_text(standard.ask(support.states(world.task(nodes))))
    assert text.count('"state":"FAILED"') == 5_000


@pytest.mark.parametrize("count, is_allowed", [(99, True), (100, True), (101, False), (5_000, False)])
def test_max_nodes(serve, world, count, is_allowed):
    responder = serve({"response.max_nodes": 100})
    task_id = world.task(wide(count))
    response = responder.ask(support.states(task_id))
    if is_allowed:
        assert len(support.success(response).value("children")) == count - 1
    else:
        support.assert_error(response, 500, 50003)


def test_too_many_nodes_do_not_harm_the_next_request(serve, world, finished_task):
    responder = serve({"response.max_nodes": 100})
    task_id = world.task(wide(5_000))
    with responder.connect() as connection:
        for _ in range(8):
            support.assert_error(connection.ask(support.states(task_id)), 500, 50003)
            support.success(connection.ask(support.states(finished_task)))
