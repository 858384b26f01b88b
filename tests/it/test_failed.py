# SPDX-License-Identifier: MIT
"""?failed=1: the ids of failed nodes as the last member of data, so that clients need not walk the tree."""

import json

import pytest
import support


def ask(responder, task_id, query="failed=1", headers=None):
    return responder.ask(support.states(task_id, headers, query=query))


def failed_in(data):
    """The ids of failed nodes, parents first, as a client would find them."""
    found = [data["id"]] if data["state"] == "FAILED" else []
    for child in data["children"].values():
        found += failed_in(child)
    return found


def names(task_id, *nodes):
    return [support.node_id(task_id, name) for name in nodes]


@pytest.fixture
def broken(world):
    """Rows in another order than the tree's; an orphan; a state that comes from a child."""
    return world.task([
        support.node("late", "b", state="FAILED"), support.node(state="RUNNING"),
        support.node("a"), support.node("b", state="RUNNING"), support.node("c", state="FAILED"),
        support.node("deep", "a", state="FAILED"), support.node("orphan", "nobody", state="FAILED")])


def test_ids_in_the_order_of_the_answer(standard, broken):
    text = support.success_text(ask(standard, broken))
    data = json.loads(text)
    assert list(data)[-1] == "failed_nodes"
    assert data["failed_nodes"] == names(broken, "", "deep", "b", "late", "c") == failed_in(data)


def test_nothing_else_changes(standard, broken):
    plain = support.success_text(ask(standard, broken, "failed=0"))
    assert plain == support.success_text(ask(standard, broken, ""))
    text = support.success_text(ask(standard, broken))
    support.assert_same(plain[:-1], text[:text.rindex(',"failed_nodes"')])


@pytest.mark.parametrize("task", [
    dict(nodes=[support.node()]), dict(nodes=[support.node(state="REVOKED"), support.node("a", state="REVOKED")]),
    dict(), dict(is_started=False)], ids=["finished", "revoked", "created", "not-started"])
def test_an_empty_list(standard, world, task):
    data = json.loads(support.success_text(ask(standard, world.task(**task))))
    assert data.popitem() == ("failed_nodes", [])


def test_only_nodes_of_the_tasks_own_tree(standard, world):
    parent = world.task([support.node(), support.node("a"), support.node("b", state="FAILED")])
    world.subtask(parent, "a", [support.node(state="FAILED")])
    world.subtask(parent, "b", is_started=False)
    data = json.loads(support.success_text(ask(standard, parent, "failed=1&subtasks=1")))
    assert data["failed_nodes"] == names(parent, "b")
    assert "failed_nodes" not in json.dumps(data["children"])


@pytest.mark.parametrize("query", ["failed=2", "failed=", "failed", "failed=1&failed=1", "failed=on"])
def test_other_values(standard, broken, query):
    assert "failed" in support.assert_error(ask(standard, broken, query), 400, 40000)


def test_the_tag_is_of_what_is_shown(standard, database, broken):
    plain, tag = ask(standard, broken, "").header("ETag"), ask(standard, broken).header("ETag")
    assert plain == ask(standard, broken, "failed=0").header("ETag") != tag
    assert ask(standard, broken, headers={"If-None-Match": tag}).status == 304
    assert ask(standard, broken, headers={"If-None-Match": plain}).status == 200
    database.engine_sql(f"UPDATE eri_state SET name = 'FINISHED' WHERE node_id = '{support.node_id(broken, 'c')}'")
    changed = ask(standard, broken, headers={"If-None-Match": tag})
    assert changed.status == 200 and names(broken, "c")[0] not in changed.json["data"]["failed_nodes"]


def test_the_list_of_a_large_task(standard, world):
    task_id = world.task([support.node()] + [
        support.node(f"step {i}", state="FAILED" if i % 2 else "FINISHED") for i in range(3000)])
    data = json.loads(support.success_text(ask(standard, task_id)))
    assert data["failed_nodes"] == failed_in(data) and len(data["failed_nodes"]) == 1500
