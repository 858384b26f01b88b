# SPDX-License-Identifier: MIT
"""Contract 3.1: who may see which task, case by case and in this order."""

import pytest
import support
from lab import client

NO_TASK = (404, 40402, "Task does not exist. task_id={task}")
NO_TEMPLATE_ID = (403, 40301, "Task is not associated with any template. task_id={task}")
NO_TEMPLATE = (404, 40403, "Template associated with task does not exist. task_id={task}, template_id={template}")
UNBOUND = (403, 40302, "Template associated with task is not bindedto any bk_app_code. "
                       "task_id={task}, template_id={template}")
OTHER_APP = (403, 40303, "The current application does not have permission to operate this task, "
                         "app=worker_app, template bindedapp={app}")

RUNNING = dict(state="RUNNING", archived=None)


def ask(responder, task_id):
    """As one's own application; no answer to a stranger may hold anything of the node states."""
    response = responder.ask(support.states(task_id))
    if response.status != 200:
        for leak in (support.root_id(task_id), "RUNNING", "start_time", "children"):
            assert leak.encode() not in response.raw
        assert response.header("ETag") is None
    return response


def assert_refused(response, row, **values):
    status, code, message = row
    support.assert_error(response, status, code, message.format(**values))


def test_bound_to_the_asking_application(standard, world):
    task_id = world.task([support.node(**RUNNING)])
    assert support.success(ask(standard, task_id)).value("state") == "RUNNING"


def test_task_that_does_not_exist(standard):
    assert_refused(ask(standard, 404_404), NO_TASK, task=404_404)


def test_deleted_task(standard, world):
    task_id = world.task([support.node(**RUNNING)], is_deleted=True)
    assert_refused(ask(standard, task_id), NO_TASK, task=task_id)


@pytest.mark.parametrize("template_id", [None, 0])
def test_task_without_template(standard, world, template_id):
    task_id = world.task([support.node(**RUNNING)], template_id=template_id)
    assert_refused(ask(standard, task_id), NO_TEMPLATE_ID, task=task_id)


@pytest.mark.parametrize("template_id", [404_404, 9223372036854775807, -1])
def test_template_that_does_not_exist(standard, world, template_id):
    task_id = world.task([support.node(**RUNNING)], template_id=template_id)
    assert_refused(ask(standard, task_id), NO_TEMPLATE, task=task_id, template=template_id)


def test_deleted_template(standard, world):
    template_id = world.template(is_deleted=True)
    task_id = world.task([support.node(**RUNNING)], template_id=template_id)
    assert_refused(ask(standard, task_id), NO_TEMPLATE, task=task_id, template=template_id)


@pytest.mark.parametrize("bound_app", [None, ""])
def test_template_bound_to_no_application(standard, world, bound_app):
    template_id = world.template(bound_app)
    task_id = world.task([support.node(**RUNNING)], template_id=template_id)
    assert_refused(ask(standard, task_id), UNBOUND, task=task_id, template=template_id)


@pytest.mark.parametrize("bound_app", [
    "other_app", "nobody", "Worker_app", "WORKER_APP", "worker_app ", " worker_app", "worker_app\t", " ",
    "w\u00f6rker_app", "worker_ap", "worker_app2", "worker%", "\u5e94\u7528", "x" * 128, "\U0001f600", "a{app}b",
    "quote\"d", "back\\slash", "new\nline", "<b>&",
], ids=lambda code: ascii(code)[:30])
def test_bound_to_another_application(standard, world, bound_app):
    """Byte for byte: MySQL's collation would take several of these for our own code."""
    task_id = world.task([support.node(**RUNNING)], template_id=world.template(bound_app))
    assert_refused(ask(standard, task_id), OTHER_APP, app=bound_app)


@pytest.mark.parametrize("columns", [
    dict(is_started=False), dict(is_finished=True), dict(is_revoked=True),
], ids=lambda columns: next(iter(columns)))
def test_no_state_of_the_task_spares_the_checks(standard, world, columns):
    task_id = world.task([support.node(**RUNNING)], template_id=world.template("other_app"), **columns)
    assert_refused(ask(standard, task_id), OTHER_APP, app="other_app")


class TestOrder:
    """Of two reasons the one that stands first in the contract is given."""

    def test_deleted_task_without_template(self, standard, world):
        task_id = world.task(template_id=None, is_deleted=True)
        assert_refused(ask(standard, task_id), NO_TASK, task=task_id)

    def test_deleted_task_of_another_application(self, standard, world):
        task_id = world.task(template_id=world.template("other_app"), is_deleted=True)
        assert_refused(ask(standard, task_id), NO_TASK, task=task_id)

    @pytest.mark.parametrize("bound_app", ["other_app", None, ""])
    def test_deleted_template_of_another_application_or_none(self, standard, world, bound_app):
        template_id = world.template(bound_app, is_deleted=True)
        task_id = world.task(template_id=template_id)
        assert_refused(ask(standard, task_id), NO_TEMPLATE, task=task_id, template=template_id)

    def test_binding_before_missing_root_row(self, standard, world):
        task_id = world.task([support.node("orphan", "nowhere")], template_id=world.template("other_app"))
        assert_refused(ask(standard, task_id), OTHER_APP, app="other_app")


def test_a_change_of_the_binding_counts_at_once(standard, database, world):
    template_id = world.template()
    task_id = world.task([support.node()], template_id=template_id)
    support.success(ask(standard, task_id))
    database.sql(f"UPDATE template_template SET bk_app_code = 'other_app' WHERE id = {template_id}")
    assert_refused(ask(standard, task_id), OTHER_APP, app="other_app")


CHINESE = {
    "no_task": lambda world: dict(is_deleted=True),
    "no_template_id": lambda world: dict(template_id=None),
    "no_template": lambda world: dict(template_id=404_404),
    "unbound": lambda world: dict(template_id=world.template("")),
    "other_app": lambda world: dict(template_id=world.template("other_app")),
}


@pytest.mark.parametrize("kind", CHINESE)
@pytest.mark.parametrize("headers", [
    {"blueking-language": "zh-cn"}, {"Cookie": "a=b; blueking_language=zh-cn; c=d"},
], ids=["header", "cookie"])
def test_messages_in_chinese(standard, world, kind, headers):
    task_id = world.task(**CHINESE[kind](world))
    english = standard.ask(support.states(task_id))
    chinese = standard.ask(support.states(task_id, headers))
    assert (chinese.status, chinese.json["code"]) == (english.status, english.json["code"])
    assert english.json["message"].isascii()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese.json["message"])


@pytest.mark.parametrize("headers, is_chinese", [
    ({}, False),
    ({"blueking-language": "en"}, False),
    ({"blueking-language": "fr"}, False),
    ({"blueking-language": "en", "Cookie": "blueking_language=zh-cn"}, False),
    ({"blueking-language": "zh-cn", "Cookie": "blueking_language=en"}, True),
    ({"Cookie": "xblueking_language=zh-cn"}, False),
], ids=["none", "en", "unknown", "header-wins-en", "header-wins-zh", "other-cookie"])
def test_choice_of_language(standard, headers, is_chinese):
    message = standard.ask(support.states(404_404, headers)).json["message"]
    assert (not message.isascii()) == is_chinese


def test_default_language_is_configurable(serve):
    responder = serve({"response.language": "zh-cn"})
    assert not responder.ask(support.states(404_404)).json["message"].isascii()
    assert responder.ask(support.states(404_404, {"blueking-language": "en"})).json["message"].isascii()


def test_binding_needs_credentials_of_the_bound_application(standard, world):
    """The other way round: what is refused to us is given to the one it is bound to."""
    task_id = world.task([support.node()], template_id=world.template(support.OTHER_APP))
    others = client.credentials(support.OTHER_APP, support.OTHER_SECRET, support.USER)
    support.success(standard.ask(support.states(task_id, credentials=others)))
