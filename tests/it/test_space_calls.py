# SPDX-License-Identifier: MIT
"""The calls of a space: authorized by space_space.app_code, answered as by BKFlow (its apigw/decorators.py,
apigw/views/get_task_states.py and task/views.py)."""

import gateway
import pytest
import support
from lab import client, jwt
from lab import responder as lab_responder

LARGEST_ID = 9223372036854775807
ELSEWHERE = 2_000_000_001  # a space that does not exist


@pytest.fixture(scope="module")
def space(world):
    return world.space()


@pytest.fixture(scope="module")
def task(world, space):
    """A task of the space whose template is bound to another application."""
    return world.task([support.node(), support.node("a", state="FAILED"), support.node("b")],
                      template_id=world.template(support.OTHER_APP), space_id=space)


def ask(responder, space_id, task_id, headers=None, **others):
    return responder.ask(support.space_states(space_id, task_id, headers, **others))


class TestAnswer:
    def test_the_same_as_by_application(self, standard, database, world, space):
        task_id = world.task([support.node(), support.node("a", state="FAILED")], space_id=space)
        ours = ask(standard, space, task_id)
        by_application = standard.ask(support.states(task_id))
        assert support.success_text(ours) == support.success_text(by_application)
        assert ours.header("ETag") == by_application.header("ETag")

    @pytest.mark.parametrize("template", [None, 0, 999_999_999], ids=["none", "zero", "missing"])
    def test_the_template_does_not_matter(self, standard, world, space, template):
        task_id = world.task([support.node()], template_id=template, space_id=space)
        assert support.success(ask(standard, space, task_id)).value("id") == support.root_id(task_id)

    @pytest.mark.parametrize("template", [dict(is_deleted=True), dict(bk_app_code=None)], ids=str)
    def test_a_template_that_would_be_refused(self, standard, world, space, template):
        task_id = world.task([support.node()], template_id=world.template(**template), space_id=space)
        assert ask(standard, space, task_id).status == 200

    def test_without_the_last_slash_and_with_zeros(self, standard, space, task):
        path = f"/space/00{space}/task/0{task}/get_task_states"
        assert standard.ask(client.variables(path, headers=support.GOOD)).status == 200

    def test_head_and_304(self, standard, space, task):
        tag = ask(standard, space, task).header("ETag")
        head = ask(standard, space, task, method="HEAD")
        assert (head.status, head.body, head.header("ETag")) == (200, b"", tag)
        assert ask(standard, space, task, {"If-None-Match": tag}).status == 304

    def test_parameters(self, standard, world, space):
        parent = world.task([support.node(), support.node("a", state="FAILED")], space_id=space)
        world.subtask(parent, "a", [support.node()], space_id=space)
        data = ask(standard, space, parent, query="subtasks=1&failed=1").json["data"]
        assert data["failed_nodes"] == [support.node_id(parent, "a")]
        assert "subtask" in data["children"][support.node_id(parent, "a")]
        assert "subtasks" in support.assert_error(ask(standard, space, parent, query="subtasks=2"), 400, 40000)

    def test_tasks_without_nodes(self, standard, world, space):
        assert ask(standard, space, world.task(space_id=space)).json["data"] == {"state": "CREATED"}
        waiting = ask(standard, space, world.task(space_id=space, is_started=False)).json["data"]
        assert waiting["state"] == "CREATED" and "start_time" in waiting

    def test_by_a_gateways_token(self, serve, lab, world):
        key = jwt.Key(lab)
        served = serve({"auth.gateway": "on", "auth.gateway_key_main": key.public_path})
        space = world.space(gateway.APP)
        task_id = world.task([support.node()], space_id=space)
        headers = {"X-Bkapi-JWT": gateway.token(key, gateway.header(), gateway.claims())}
        assert ask(served, space, task_id, headers, credentials={}).status == 200
        other = world.space(support.APP)
        assert support.assert_error(ask(served, other, task_id, headers, credentials={}), 403, 40306)


class TestRefusals:
    """In BKFlow's order: the space, its application, the task, the task's space."""

    def refused(self, response, status, code, message):
        assert support.assert_error(response, status, code) == message

    def test_an_unknown_space(self, standard, task):
        self.refused(ask(standard, ELSEWHERE, task), 403, 40305, f"Space does not exist. space_id={ELSEWHERE}")
        self.refused(ask(standard, LARGEST_ID, task), 403, 40305, f"Space does not exist. space_id={LARGEST_ID}")

    @pytest.mark.parametrize("app_code", [
        support.OTHER_APP, support.APP.upper(), support.APP + " ", " " + support.APP, support.APP[:-1], "w\u00f6rker_app",
        "", support.APP + "\u200b"], ids=ascii)
    def test_a_space_of_another_application(self, standard, world, app_code):
        space = world.space(app_code)
        task_id = world.task([support.node()], space_id=space)
        message = f"The current application does not have permission to operate this space, app={support.APP}"
        self.refused(ask(standard, space, task_id), 403, 40306, message)
        self.refused(ask(standard, space, 404_404), 403, 40306, message)  # the space comes first

    @pytest.mark.parametrize("columns", [dict(is_deleted=True), dict(is_expired=True)], ids=str)
    def test_a_task_that_is_gone(self, standard, world, space, columns):
        task_id = world.task([support.node()], space_id=space, **columns)
        self.refused(ask(standard, space, task_id), 404, 40402, f"Task does not exist. task_id={task_id}")

    def test_an_unknown_task(self, standard, space):
        self.refused(ask(standard, space, 404_404), 404, 40402, "Task does not exist. task_id=404404")

    def test_a_task_of_another_space(self, standard, world, space):
        """Bound to the caller, and in another space of its own: each space shows its tasks only."""
        task_id = world.task([support.node()], space_id=world.space())
        self.refused(ask(standard, space, task_id), 403, 40307, "space_id is invalid")

    @pytest.mark.parametrize("space_id, task_id, code, message", [
        (ELSEWHERE, 1, 40305, f"空间不存在，space_id={ELSEWHERE}"),
        (None, 1, 40306, f"当前应用无权操作此空间，app={support.APP}")])
    def test_in_bkflows_chinese(self, standard, world, space_id, task_id, code, message):
        space_id = space_id or world.space(support.OTHER_APP)
        response = ask(standard, space_id, task_id, {"blueking-language": "zh-cn"})
        self.refused(response, 403, code, message)

    def test_callers_are_authenticated_first(self, standard, space, task):
        for credentials, code in (({}, 40101), (client.credentials(support.APP, "wrong", support.USER), 40102),
                                  (client.credentials(support.APP, support.SECRET, "nobody"), 40103)):
            support.assert_error(ask(standard, space, task, credentials=credentials), 401, code)
            support.assert_error(ask(standard, ELSEWHERE, task, credentials=credentials), 401, code)

    @pytest.mark.parametrize("path", [
        "/space/", "/space/1", "/space/1/", "/space/1/task/2", "/space/x/task/1/get_task_states/",
        "/space/1/task/x/get_task_states/", "/space/0/task/1/get_task_states/", "/space/1/task/0/get_task_states/",
        "/space/-1/task/1/get_task_states/", "/space//task/1/get_task_states/", "/space/1/task//get_task_states/",
        f"/space/{LARGEST_ID + 1}/task/1/get_task_states/", "/space/1/task/1/get_task_states_by_app/",
        "/space/1/task/1/get_task_states/x", "/space/1/task/1/get_task_states//", "/space/1/template/1/get_task_states/"])
    def test_other_paths(self, standard, path):
        support.assert_error(standard.ask(client.variables(path, headers=support.GOOD)), 400, 40005)

    @pytest.mark.parametrize("path", ["/space", "/spaces/1/task/1/get_task_states/"])
    def test_unknown_paths(self, standard, path):
        support.assert_error(standard.ask(client.variables(path, headers=support.GOOD)), 404, 40401)

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "GET,", "GET, HEAD", "HEAD,GET", ""])
    def test_other_methods(self, standard, space, task, method):
        response = ask(standard, space, task, method=method)
        support.assert_error(response, 405, 40501)
        assert response.header("Allow") == "GET, HEAD"


def test_one_database(program, database):
    place = support.OneDatabase(database, "spaces")
    world = support.World(place)
    space = world.space()
    task_id = world.task([support.node()], space_id=space, template_id=None)
    responder = program.listen(lab_responder.settings_for(place))
    assert ask(responder, space, task_id).status == 200
    support.assert_error(ask(responder, space + 1_000_000, task_id), 403, 40305)
    assert responder.stop() == 0


class TestMissingTable:
    """Only the calls of spaces fail, and check says so (test_ctl_check.py)."""

    @pytest.fixture(params=["missing", "not-granted"])
    def without(self, request, database):
        with support.out_of_reach(database.sql, "space_space", "(`id`, `app_code`)", "bkflow_states", request.param):
            yield

    def test_others_are_answered(self, serve, space, task, finished_task, without):
        served = serve({"server.workers": 1})
        for _ in range(3):
            support.assert_error(ask(served, space, task), 503, 50303)
            assert served.ask(support.states(finished_task)).status == 200
        assert served.ask(client.variables("/readyz")).status == 200

    def test_then_they_are_answered_again(self, serve, space, task):
        assert ask(serve({"server.workers": 1}), space, task).status == 200
