# SPDX-License-Identifier: MIT
"""Contract 3.1: every message in English and in Chinese, and who chooses which."""

import itertools
import re

import gateway
import pytest
import support
from lab import client, jwt, orderedjson
from lab import responder as lab_responder

ENGLISH, CHINESE = {"blueking-language": "en"}, {"blueking-language": "zh-cn"}
CHINESE_COOKIE = {"Cookie": "blueking_language=zh-cn"}

# BKFlow's own wording, to the letter; {task} and {template} are ids.
BINDING = {
    40402: (404, lambda world: dict(is_deleted=True), "任务不存在，task_id={task}"),
    40301: (403, lambda world: dict(template_id=None), "任务未关联任何模板，task_id={task}"),
    40403: (404, lambda world: dict(template_id=404_404),
            "任务关联的模板不存在，task_id={task}，template_id={template}"),
    40302: (403, lambda world: dict(template_id=world.template("")),
            "任务关联的模板未绑定任何 bk_app_code，task_id={task}，template_id={template}"),
    40303: (403, lambda world: dict(template_id=world.template("other_app")),
            "当前应用无权操作此任务，app=worker_app，模板绑定的 app=other_app"),
}


def message(response):
    return response.json["message"]


def is_chinese(text):
    return re.search("[\u4e00-\u9fff]", text) is not None


@pytest.mark.parametrize("code", BINDING)
@pytest.mark.parametrize("headers", [CHINESE, CHINESE_COOKIE], ids=["header", "cookie"])
def test_binding_messages_are_bkflows(standard, world, code, headers):
    status, make, chinese = BINDING[code]
    columns = make(world)
    task_id = world.task(**columns)
    response = standard.ask(support.states(task_id, headers))
    support.assert_error(response, status, code, chinese.format(task=task_id, template=columns.get("template_id")))


def test_names_in_a_message_are_not_translated(standard, world):
    task_id = world.task(template_id=world.template("应用{app}\U0001f600"))
    expected = "当前应用无权操作此任务，app=worker_app，模板绑定的 app=应用{app}\U0001f600"
    support.assert_error(standard.ask(support.states(task_id, CHINESE)), 403, 40303, expected)


def asking(change=lambda variables: variables, task_id=404_404, **others):
    """A function from the headers that choose a language to a request's variables."""
    return lambda headers: change(support.states(task_id, headers, **others))


def without(name):
    return lambda variables: {key: value for key, value in variables.items() if key != name}


def credentials(code=support.APP, secret=support.SECRET, username=support.USER):
    return client.credentials(code, secret, username)


# Every cause that a request by itself can bring about: status, code, a function to the request.
CAUSES = {
    "no-method": (400, 40000, asking(without("REQUEST_METHOD"))),
    "task-id": (400, 40001, asking(task_id="x")),
    "doubled": (400, 40002, asking(lambda variables: [*variables.items(), ("HTTP_X_BKAPI_AUTHORIZATION", "x")])),
    "no-json": (400, 40003, asking(credentials={"X-Bkapi-Authorization": "x"})),
    "bad-query": (400, 40004, asking(credentials={}, query="%")),
    "no-credentials": (401, 40101, asking(credentials={})),
    "no-code": (401, 40101, asking(credentials=credentials(code=""))),
    "no-secret": (401, 40101, asking(credentials=credentials(secret=""))),
    "no-user": (401, 40101, asking(credentials=credentials(username=""))),
    "wrong-secret": (401, 40102, asking(credentials=credentials(secret="wrong"))),
    "unknown-user": (401, 40103, asking(credentials=credentials(username="nobody"))),
    "gateway-off": (401, 40105, asking(credentials={"X-Bkapi-JWT": "a.b.c"})),
    "no-task": (404, 40402, asking()),
    "unknown-path": (404, 40401, lambda headers: client.variables("/nowhere", headers=headers)),
    "no-path-info": (404, 40401, asking(without("PATH_INFO"))),
    "method": (405, 40501, asking(method="POST")),
    "head-too-large": (431, 43101, asking(query="x" * 70_000)),
    "metrics": (403, 40304, lambda headers: client.variables("/metrics", headers=headers, address="192.0.2.1")),
}

# What is refused before the request's variables are read cannot know the language that they ask for.
WITHOUT_VARIABLES = {"head-too-large"}


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_in_both_languages(standard, cause):
    status, code, make = CAUSES[cause]
    english, chinese = (standard.ask(make(headers)) for headers in (ENGLISH, CHINESE))
    assert support.assert_error(english, status, code).isascii()
    assert is_chinese(support.assert_error(chinese, status, code)) == (cause not in WITHOUT_VARIABLES)
    assert orderedjson.parse(english.body).names() == orderedjson.parse(chinese.body).names()


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_in_the_configured_language(serve, cause):
    status, code, make = CAUSES[cause]
    responder = serve({"response.language": "zh-cn"})
    assert is_chinese(support.assert_error(responder.ask(make({})), status, code))


@pytest.mark.parametrize("cause", ["no-code", "no-secret", "no-user"])
def test_what_is_missing_is_named_in_both(standard, cause):
    name = {"no-code": "bk_app_code", "no-secret": "bk_app_secret", "no-user": "bk_username"}[cause]
    for headers in (ENGLISH, CHINESE):
        assert name in message(standard.ask(CAUSES[cause][2](headers)))


class TestCausesThatNeedMore:
    """A configuration, a database or a client of its own."""

    def both(self, responder, make, status, code, **others):
        assert support.assert_error(responder.ask(make(ENGLISH), **others), status, code).isascii()
        assert is_chinese(support.assert_error(responder.ask(make(CHINESE), **others), status, code))

    def test_refused_token(self, serve, lab):
        responder = serve({"auth.gateway": "on", "auth.gateway_key_main": jwt.Key(lab).public_path})
        self.both(responder, asking(credentials={"X-Bkapi-JWT": "a.b.c"}), 401, gateway.REFUSED)

    def test_query_credentials_off(self, serve):
        responder = serve({"auth.query_credentials": "off"})
        self.both(responder, asking(credentials={}, query=support.query_credentials()), 401, 40105)

    def test_too_many_failures(self, serve):
        responder = serve({"auth.failure_limit": 1})
        wrong = asking(credentials=credentials(secret="wrong"), address="198.51.100.99")
        assert responder.ask(wrong({})).status == 401
        self.both(responder, wrong, 429, 42901)

    def test_no_root_row(self, standard, world):
        self.both(standard, asking(task_id=world.task([support.node("step")])), 500, 50002)

    def test_too_many_nodes(self, serve, world):
        task_id = world.task([support.node(), *(support.node(f"step {i}") for i in range(5))])
        self.both(serve({"response.max_nodes": 3}), asking(task_id=task_id), 500, 50003)

    def test_database_down(self, serve):
        self.both(serve({"database.socket": "/nonexistent/socket"}), asking(), 503, 50301)

    def test_database_that_is_not_granted(self, serve):
        self.both(serve({"database.name": "mysql"}), asking(), 503, 50301)

    def test_query_timeout(self, serve, database, world):
        task_id = world.task([support.node()])
        responder = serve({"database.query_timeout": "200ms"})
        with database.locked("eri_state"):
            self.both(responder, asking(task_id=task_id), 504, 50401)

    def test_body_too_large(self, standard):
        """Refused before the variables are read: in the configured language."""
        body = b"x" * 70_000
        variables = asking(method="POST")(CHINESE) | {"CONTENT_LENGTH": str(len(body))}
        support.assert_error(standard.ask(variables, body), 413, 41301)


class TestChoice:
    """Header, then cookie, then configuration."""

    @pytest.mark.parametrize("value", ["zh-cn", "ZH-CN", "Zh-Cn", "zh-CN", "zh-hans", "zh-Hans"])
    def test_case_of_the_value_does_not_matter(self, standard, value):
        for headers in ({"blueking-language": value}, {"Cookie": f"blueking_language={value}"}):
            assert is_chinese(message(standard.ask(asking()(headers))))

    @pytest.mark.parametrize("value", ["EN", "En", "en"])
    def test_english_where_chinese_is_the_default(self, serve, value):
        responder = serve({"response.language": "zh-cn"})
        for headers in ({"blueking-language": value}, {"Cookie": f"blueking_language={value}"}):
            assert message(responder.ask(asking()(headers))).isascii()

    @pytest.mark.parametrize("value", ["fr", "zh", "zh-tw", "zh_cn", "zh-cnx", "xzh-cn", "en-us", "", " ", "zh-cn,en",
                                       "zh-cn q=1", "\u4e2d\u6587", "z" * 5000, "*"], ids=lambda text: ascii(text)[:15])
    def test_unknown_language_falls_back_to_the_configured_one(self, standard, serve, value):
        for headers in ({"blueking-language": value}, {"Cookie": f"blueking_language={value}"}):
            assert message(standard.ask(asking()(headers))).isascii()
            assert is_chinese(message(serve({"response.language": "zh-cn"}).ask(asking()(headers))))

    @pytest.mark.parametrize("header, cookie", itertools.product(["en", "zh-cn"], repeat=2))
    def test_header_wins(self, standard, header, cookie):
        headers = {"blueking-language": header, "Cookie": f"blueking_language={cookie}"}
        assert is_chinese(message(standard.ask(asking()(headers)))) == (header == "zh-cn")

    @pytest.mark.parametrize("cookie, expected", [
        ("blueking_language=zh-cn", True), ("a=b; blueking_language=zh-cn", True),
        ("blueking_language=zh-cn; a=b", True),
        ("a=b;blueking_language=zh-cn;c=d", True), (" blueking_language=zh-cn ", True),
        ("xblueking_language=zh-cn", False), ("blueking_languagex=zh-cn", False), ("blueking-language=zh-cn", False),
        ("a=blueking_language=zh-cn", False), ("blueking_language", False), ("blueking_language=", False), ("", False),
        (";;;=;", False), ("Blueking_Language=zh-cn", False),
    ], ids=repr)
    def test_cookie(self, standard, cookie, expected):
        assert is_chinese(message(standard.ask(asking()({"Cookie": cookie})))) == expected

    def test_accept_language_is_not_looked_at(self, standard):
        """BKFlow does not either."""
        assert message(standard.ask(asking()({"Accept-Language": "zh-cn"}))).isascii()

    def test_a_success_is_the_same_in_any_language(self, standard, finished_task):
        headers = {"X-Request-Id": "the-same-for-both"}
        answers = {standard.ask(support.states(finished_task, headers | choice)).raw for choice in (ENGLISH, CHINESE)}
        assert len(answers) == 1

    def test_reload_changes_the_default(self, program, database):
        responder = program.listen(lab_responder.settings_for(database))
        assert message(responder.ask(asking()({}))).isascii()
        size = len(responder.log)
        responder.reload(responder.settings | {"response.language": "zh-cn"})
        responder.wait_for_log("reloaded", since=size)
        assert is_chinese(message(responder.ask(asking()({}))))
        assert responder.stop() == 0
