# SPDX-License-Identifier: MIT
"""?subtasks=1: the states of the tasks that nodes have started, within those of the task."""

import json
import re

import pytest
import support

CREATED = ('{"start_time":null,"state":"CREATED","retry":0,"skip":0,"finish_time":null,"elapsed_time":0,"children":{}}')


def ask(responder, task_id, query="subtasks=1", headers=None):
    return responder.ask(support.states(task_id, headers, query=query))


def shown(responder, task_id):
    """The whole answer's data, as a tree."""
    return json.loads(support.success_text(ask(responder, task_id)))


def alone(responder, task_id):
    return json.loads(support.success_text(ask(responder, task_id, "")))


def subtask_of(data, task_id, name):
    """The member of a node below the root; None: it has none."""
    return data["children"][support.node_id(task_id, name)].get("subtask")


@pytest.fixture
def parent(world):
    return world.task([support.node(), support.node("a"), support.node("b")])


def own_states(database, world, task_id):
    """Binds a sub-process's task, so that it can be asked for as well."""
    database.engine_sql(f"UPDATE task_taskinstance SET template_id = {world.template()} WHERE id = {task_id}")


class TestShown:
    def test_member_after_children(self, standard, world, parent):
        task_id = world.subtask(parent, "a", [support.node(), support.node("x", state="RUNNING", archived=None)])
        data = shown(standard, parent)
        node = data["children"][support.node_id(parent, "a")]
        names = list(node)
        assert names[names.index("children") + 1] == "subtask"
        assert list(node["subtask"]) == ["task_id", "states"]
        assert node["subtask"]["task_id"] == task_id
        assert node["subtask"]["states"]["id"] == support.root_id(task_id)
        assert subtask_of(data, parent, "b") is None

    def test_nothing_else_changes(self, standard, world, parent):
        plain = support.success_text(ask(standard, parent, ""))
        world.subtask(parent, "a", [support.node()])
        assert support.success_text(ask(standard, parent, "")) == plain
        assert support.success_text(ask(standard, parent, "subtasks=0")) == plain
        data = shown(standard, parent)
        del data["children"][support.node_id(parent, "a")]["subtask"]
        assert data == alone(standard, parent)

    def test_states_are_what_a_call_for_the_task_returns(self, standard, database, world, parent):
        task_id = world.subtask(parent, "a", [support.node(), support.node("x", retry=2), support.node("y", "x")])
        states = subtask_of(shown(standard, parent), parent, "a")["states"]
        own_states(database, world, task_id)
        assert states == alone(standard, task_id)

    def test_three_levels_and_siblings(self, standard, world, parent):
        child = world.subtask(parent, "a", [support.node(), support.node("x"), support.node("y")])
        other = world.subtask(parent, "b", [support.node()])
        grandchild = world.subtask(child, "y", [support.node(), support.node("z")])
        deepest = world.subtask(grandchild, "z", [support.node(state="FAILED")])
        data = shown(standard, parent)
        second = subtask_of(data, parent, "a")
        third = subtask_of(second["states"], child, "y")
        fourth = subtask_of(third["states"], grandchild, "z")
        assert [one["task_id"] for one in (second, third, fourth)] == [child, grandchild, deepest]
        assert subtask_of(data, parent, "b")["task_id"] == other
        assert subtask_of(second["states"], child, "x") is None

    def test_the_state_of_a_subtask_is_not_rolled_up(self, standard, world):
        task_id = world.task([support.node(state="RUNNING"), support.node("a", state="RUNNING")])
        world.subtask(task_id, "a", [support.node(state="FAILED")])
        assert shown(standard, task_id)["state"] == "RUNNING"

    def test_the_root_may_have_started_one(self, standard, world, parent):
        task_id = world.subtask(parent, "", [support.node()])
        assert shown(standard, parent)["subtask"]["task_id"] == task_id

    @pytest.mark.parametrize("columns, states", [({"is_started": False}, CREATED), ({}, '{"state":"CREATED"}')],
                             ids=["not-started", "no-rows"])
    def test_without_nodes(self, standard, world, parent, columns, states):
        task_id = world.subtask(parent, "a", **columns)
        assert f'"subtask":{{"task_id":{task_id},"states":{states}}}' in support.success_text(ask(standard, parent))

    def test_many_of_one_level(self, standard, world):
        names = [f"n{i}" for i in range(40)]
        task_id = world.task([support.node()] + [support.node(name) for name in names])
        started = {name: world.subtask(task_id, name, [support.node()]) for name in names}
        data = shown(standard, task_id)
        assert {name: subtask_of(data, task_id, name)["task_id"] for name in names} == started

    def test_deep_chain(self, standard, world):
        top = at = world.task([support.node(), support.node("a")])
        for _ in range(50):
            at = world.subtask(at, "a", [support.node(), support.node("a")])
        assert support.success_text(ask(standard, top)).count('"subtask"') == 50

    def test_no_nodes_no_subtasks(self, standard, world):
        assert support.success_text(ask(standard, world.task(is_started=False))) == CREATED
        assert support.success_text(ask(standard, world.task())) == '{"state":"CREATED"}'


class TestLinks:
    def test_newest_of_the_current_version(self, standard, world, parent):
        world.subtask(parent, "a", [support.node()])
        newest = world.subtask(parent, "a", [support.node()])
        world.link(parent, "a", world.task([support.node()]), node_version="v" + "0" * 32)
        assert subtask_of(shown(standard, parent), parent, "a")["task_id"] == newest

    def test_follows_the_node_to_its_next_version(self, standard, database, world, parent):
        world.subtask(parent, "a", [support.node()])
        database.engine_sql(f"UPDATE eri_state SET version = 'vnext' WHERE node_id = '{support.node_id(parent, 'a')}'")
        assert subtask_of(shown(standard, parent), parent, "a") is None
        task_id = world.task([support.node()])
        world.link(parent, "a", task_id, node_version="vnext")
        assert subtask_of(shown(standard, parent), parent, "a")["task_id"] == task_id

    @pytest.mark.parametrize("columns", [{"is_deleted": True}, {"is_expired": True}, {"space_id": 2}],
                             ids=["deleted", "expired", "other-space"])
    def test_leaves_out(self, standard, world, parent, columns):
        world.subtask(parent, "a", [support.node()])  # an older one is not shown in the place of the newest
        world.subtask(parent, "a", [support.node()], **columns)
        assert shown(standard, parent) == alone(standard, parent)

    def test_leaves_out_a_missing_task(self, standard, world, parent):
        world.link(parent, "a", 404404)
        assert shown(standard, parent) == alone(standard, parent)

    def test_leaves_out_a_task_without_a_root_row(self, standard, world, parent):
        size = len(standard.log)
        task_id = world.subtask(parent, "a", [support.node("x")])
        assert shown(standard, parent) == alone(standard, parent)
        standard.wait_for_log(f"task_id={task_id}", since=size)

    @pytest.mark.parametrize("extra_info", ["NULL", "'null'", "'[]'", "'{}'", "'{\"node_id\": 1}'", "'\"x\"'"])
    def test_leaves_out_links_that_name_no_node(self, standard, database, world, parent, extra_info):
        world.subtask(parent, "a", [support.node()])
        database.engine_sql(f"UPDATE task_taskflowrelation SET extra_info = {extra_info} WHERE parent_task_id = {parent}")
        assert shown(standard, parent) == alone(standard, parent)

    def test_leaves_out_a_link_that_is_too_long(self, standard, world, parent):
        world.link(parent, "a", world.task([support.node()]), padding="x" * 600)
        assert shown(standard, parent) == alone(standard, parent)

    def test_leaves_out_what_the_root_does_not_lead_to(self, standard, world):
        task_id = world.task([support.node(), support.node("lost", "nowhere")])
        world.subtask(task_id, "lost", [support.node()])
        assert shown(standard, task_id) == alone(standard, task_id)

    def test_circles_end(self, standard, world, parent):
        child = world.subtask(parent, "a", [support.node(), support.node("x"), support.node("y")])
        world.link(child, "x", parent)
        world.link(child, "y", child)
        data = shown(standard, parent)
        states = subtask_of(data, parent, "a")["states"]
        assert subtask_of(states, child, "x") is None
        assert subtask_of(states, child, "y") is None


class TestAccess:
    def test_the_binding_of_the_task_that_was_asked_for_counts(self, standard, database, world, parent):
        task_id = world.subtask(parent, "a", [support.node()])
        other = world.template(support.OTHER_APP)
        database.engine_sql(f"UPDATE task_taskinstance SET template_id = {other} WHERE id = {task_id}")
        assert subtask_of(shown(standard, parent), parent, "a")["task_id"] == task_id
        support.assert_error(ask(standard, task_id), 403, 40303)

    def test_no_binding_no_subtasks(self, standard, world):
        task_id = world.task([support.node(), support.node("a")], template_id=world.template(support.OTHER_APP))
        world.subtask(task_id, "a", [support.node()])
        support.assert_error(ask(standard, task_id), 403, 40303)


class TestLimits:
    def test_max_nodes_counts_all(self, serve, world, parent):
        world.subtask(parent, "a", [support.node(), support.node("x")])
        world.subtask(parent, "b", is_started=False)
        assert ask(serve({"response.max_nodes": 6}), parent).status == 200
        few = serve({"response.max_nodes": 5})
        assert str(parent) in support.assert_error(ask(few, parent), 500, 50003)
        assert ask(few, parent, "").status == 200

    @pytest.mark.parametrize("query", ["subtasks=2", "subtasks=", "subtasks", "subtasks=yes", "subtasks=1&subtasks=1",
                                       "subtasks=01"])
    def test_other_values(self, standard, parent, query):
        assert "subtasks" in support.assert_error(ask(standard, parent, query), 400, 40000)

    @pytest.mark.parametrize("query", ["x=%zz", "x=1&y", "&&", "x=%zz&subtasks=1", "subtasks=1%00"])
    def test_what_cannot_be_decoded_is_ignored(self, standard, parent, query):
        assert ask(standard, parent, query).status == 200

    def test_percent_encoded(self, standard, world, parent):
        world.subtask(parent, "a", [support.node()])
        assert '"subtask"' in support.success_text(ask(standard, parent, "%73ubtasks=%31"))


class TestTag:
    def tag(self, responder, task_id, query="subtasks=1"):
        return ask(responder, task_id, query).header("ETag")

    def test_the_plain_one_without_subtasks(self, standard, parent):
        assert self.tag(standard, parent) == self.tag(standard, parent, "")

    def test_changes_when_only_a_subtask_does(self, standard, database, world, parent):
        task_id = world.subtask(parent, "a", [support.node(), support.node("x")])
        plain, before = self.tag(standard, parent, ""), self.tag(standard, parent)
        assert before != plain
        assert self.tag(standard, parent) == before
        database.engine_sql(f"UPDATE eri_state SET retry = 1 WHERE node_id = '{support.node_id(task_id, 'x')}'")
        assert self.tag(standard, parent) != before
        assert self.tag(standard, parent, "") == plain

    def test_changes_when_another_node_started_it(self, standard, database, world, parent):
        world.subtask(parent, "a", [support.node()])
        before = self.tag(standard, parent)
        database.engine_sql(f"UPDATE task_taskflowrelation SET extra_info = JSON_SET(extra_info, '$.node_id', "
                     f"'{support.node_id(parent, 'b')}', '$.node_version', 'v{support.md5('b')}') "
                     f"WHERE parent_task_id = {parent}")
        assert self.tag(standard, parent) != before

    def test_304(self, standard, world, parent):
        world.subtask(parent, "a", [support.node()])
        headers = {"If-None-Match": self.tag(standard, parent)}
        assert ask(standard, parent, headers=headers).status == 304
        assert ask(standard, parent, "", headers).status == 200


class TestMissingTable:
    """Only requests with subtasks=1 fail, and check says so."""

    @pytest.fixture(params=["missing", "not-granted"])
    def without(self, request, database):
        columns = "(`id`, `task_id`, `parent_task_id`, `extra_info`)"
        with support.out_of_reach(database.engine_sql, "task_taskflowrelation", columns, database.engine_user,
                                  request.param):
            yield

    def test_others_are_answered(self, serve, parent, without):
        served = serve({"server.workers": 1})
        for _ in range(3):
            support.assert_error(ask(served, parent), 503, 50303)
            assert ask(served, parent, "").status == 200
        assert served.ask(support.client.variables("/readyz")).status == 200

    def test_no_request_costs_the_connection(self, serve, parent, without):
        """But for one that is ten seconds old: a privilege that has been granted meanwhile may need a new one."""
        served = serve({"server.workers": 1})
        assert ask(served, parent, "").status == 200
        before = connects(served)
        for _ in range(20):
            support.assert_error(ask(served, parent), 503, 50303)
        assert connects(served) - before < 10


def connects(served):
    text = served.ask(support.client.variables("/metrics")).body.decode()
    return int(re.search(r"^bkflow_states_database_connects_total (\d+)", text, re.MULTILINE)[1])
