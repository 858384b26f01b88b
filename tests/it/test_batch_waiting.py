# SPDX-License-Identifier: MIT
"""?wait=...&version=... of the call for several tasks, and of the space's call."""

import pytest
import support
from lab import responder as lab_responder
from lab.scratch import wait_until
from test_batch import ask, data_of
from test_waiting import LONG, VERSION, Guest, finish, guests, number_waiting, retry, waiting


@pytest.fixture
def responder(serve):
    return serve({"response.wait_max": LONG, "server.watch_interval": "50ms"})


def running(world, **columns):
    nodes = [support.node(state="RUNNING", archived=None), support.node("a", state="RUNNING", archived=None)]
    return world.task(nodes, **columns)


def waiting_for(responder, ids, query="", wait=LONG):
    version = ask(responder, ids, query).header(VERSION)
    return support.batch(ids, f"{query}&wait={wait}&version={version}"), version


@pytest.fixture
def ids(world):
    """More than one statement's, some of which will never change."""
    other = world.task([support.node()], template_id=world.template(support.OTHER_APP))
    return [running(world) for _ in range(20)] + [other, 404_404, world.task(is_started=False)]


class TestChange:
    @pytest.mark.parametrize("query", ["", "nodes=1"])
    @pytest.mark.parametrize("which", [0, 15, 16, 19])
    def test_of_any_task_is_seen(self, responder, database, ids, query, which):
        variables, version = waiting_for(responder, ids, query)
        with guests(responder, 3, variables) as those:
            retry(database, ids[which])
            answers = [one.answer() for one in those]
        for answer in answers:
            assert answer.header(VERSION) != version
            assert list(data_of(answer)) == [str(task_id) for task_id in ids]

    def test_of_a_task_that_may_not_be_seen_is_none(self, responder, database, ids):
        variables, _version = waiting_for(responder, ids)
        with guests(responder, 1, variables) as [one]:
            database.engine_sql(f"UPDATE eri_state SET retry = 9 WHERE root_id = '{support.root_id(ids[20])}'")
            finish(database, ids[3])
            assert data_of(one.answer())[str(ids[20])]["code"] == 40303

    def test_that_came_before_is_answered_at_once(self, responder, database, ids):
        variables, version = waiting_for(responder, ids)
        finish(database, ids[7])
        answer = responder.ask(variables)
        assert data_of(answer) and answer.header(VERSION) != version

    def test_the_first_node_of_a_task(self, responder, world):
        ids = [world.task(), running(world)]
        variables, _version = waiting_for(responder, ids)
        with guests(responder, 1, variables) as [one]:
            world.nodes(ids[0], [support.node()])
            assert data_of(one.answer())[str(ids[0])]["state"] == "FINISHED"

    def test_the_root_of_a_task_that_had_none(self, responder, world):
        ids = [world.task([support.node("orphan")])]
        variables, _version = waiting_for(responder, ids)
        with guests(responder, 1, variables) as [one]:
            world.nodes(ids[0], [support.node()])
            assert data_of(one.answer())[str(ids[0])]["state"] == "FINISHED"

    def test_a_task_that_is_created(self, responder, world):
        """No root is watched for it: it is looked for every ten seconds."""
        ids = [2**62 + 17, running(world)]
        variables, _version = waiting_for(responder, ids)
        with guests(responder, 1, variables) as [one]:
            world.task(id=ids[0], instance_id=support.root_id(ids[0]))
            assert data_of(one.answer())[str(ids[0])]["state"] == "CREATED"

    def test_the_binding_is_checked_again(self, responder, database, world):
        template = world.template()
        ids = [running(world, template_id=template), running(world)]
        variables, _version = waiting_for(responder, ids)
        with guests(responder, 1, variables) as [one]:
            database.sql(f"UPDATE template_template SET bk_app_code = '{support.OTHER_APP}' WHERE id = {template}")
            retry(database, ids[1])
            assert data_of(one.answer())[str(ids[0])]["code"] == 40303


class TestEnd:
    def test_without_a_change(self, responder, ids):
        variables, version = waiting_for(responder, ids, wait="300ms")
        answer = responder.ask(variables)
        assert (answer.status, answer.header(VERSION)) == (200, version)
        tag = answer.header("ETag")
        known = responder.ask(variables | {"HTTP_IF_NONE_MATCH": tag})
        assert (known.status, known.header(VERSION)) == (304, version)

    def test_only_ids_that_cannot_be_seen(self, responder):
        variables, version = waiting_for(responder, [404_404, 404_405], wait="300ms")
        assert responder.ask(variables).header(VERSION) == version

    def test_a_client_that_hangs_up(self, responder, ids):
        variables, _version = waiting_for(responder, ids)
        with guests(responder, 2, variables) as those:
            for one in those:
                one.connection.close()

    @pytest.mark.parametrize("query, what", [("wait=x", "wait"), ("wait=2h", "wait"), ("wait=1s&wait=1s", "wait"),
                                             ("version=" + "x" * 129, "version")])
    def test_bad_input(self, responder, query, what):
        assert what in support.assert_error(ask(responder, [1], query), 400, 40000)

    def test_not_in_plain_cgi(self, program, database):
        settings = lab_responder.settings_for(database)
        assert "CGI" in support.assert_error(program.cgi(settings, support.batch([1], "wait=1s&version=x")), 400, 40000)


class TestBySpace:
    def test_a_change_is_seen(self, responder, database, world):
        space = world.space()
        task_id = running(world, space_id=space, template_id=None)
        version = responder.ask(support.space_states(space, task_id)).header(VERSION)
        variables = support.space_states(space, task_id, query=f"wait={LONG}&version={version}")
        with guests(responder, 2, variables) as those:
            finish(database, task_id)
            for one in those:
                answer = one.answer()
                assert support.success(answer) and answer.header(VERSION) != version

    def test_the_space_is_checked_again(self, responder, database, world):
        space = world.space()
        task_id = running(world, space_id=space, template_id=None)
        version = responder.ask(support.space_states(space, task_id)).header(VERSION)
        variables = support.space_states(space, task_id, query=f"wait={LONG}&version={version}")
        with guests(responder, 1, variables) as [one]:
            database.sql(f"UPDATE space_space SET app_code = '{support.OTHER_APP}' WHERE id = {space}")
            retry(database, task_id)
            support.assert_error(one.answer(), 403, 40306)


def test_single_and_several_beside_each_other(responder, database, world):
    """They watch the same root."""
    task_id = running(world)
    single = waiting(task_id, responder.ask(support.states(task_id)).header(VERSION))
    several, _version = waiting_for(responder, [task_id, running(world)])
    with guests(responder, 2, single) as those:
        others = [Guest(responder, several) for _ in range(2)]
        wait_until(lambda: number_waiting(responder) == 4)
        finish(database, task_id)
        assert all(one.answer().status == 200 for one in [*those, *others])
