# SPDX-License-Identifier: MIT
"""The tree equals BKFlow's own, case by case, over a real socket and a real database."""

import datetime
import json

import oracle
import pytest
import support
from lab import orderedjson, reference
from lab import responder as lab_responder

CASES = oracle.load()
SPACE = 1  # of all cases
WITH_ANSWER = [case for case in CASES if case.upstream is not None and not case.task["is_expired"]]
WITH_TREE = [case for case in WITH_ANSWER if '"id"' in case.upstream]


def load(place):
    """All cases in one world: their ids are unique over all cases."""
    place.insert("template_template", [{"id": case.task["template_id"], "is_deleted": False, "bk_app_code": support.APP}
                                       for case in CASES])
    place.insert("space_space", [{"id": SPACE, "app_code": support.APP}])
    place.insert("task_taskinstance", [case.task for case in CASES])
    place.insert("eri_state", [row for case in CASES for row in case.rows])


@pytest.fixture(scope="module")
def two_databases(database, serve):
    load(database)
    return serve


@pytest.fixture(scope="module")
def one_database(database, serve):
    place = support.OneDatabase(database, "oracle")
    load(place)
    whole = {name: value for name, value in lab_responder.settings_for(place).items() if name.startswith("database.")}
    return lambda settings: serve(settings | whole | {"engine_database.name": place.name,
                                                      "engine_database.user": whole["database.user"]})


@pytest.fixture(scope="module", params=["two_databases", "one_database"])
def respond(request):
    """A function from settings to a responder for all cases."""
    return request.getfixturevalue(request.param)


def ask(respond, case):
    """The answer, and the moments between which it was made."""
    responder = respond({"response.timezone": case.zone})
    before = utc_now()
    response = responder.ask(support.states(case.task["id"]))
    return response, before, utc_now()


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def test_all_cases_are_there():
    assert len(CASES) == 124
    assert [case.name for case in CASES if case.upstream is None] == ["030-root-row-missing", "043-deep-3000"]


@pytest.mark.parametrize("case", WITH_ANSWER, ids=str)
def test_answer_equals_bkflows(respond, case):
    response, before, after = ask(respond, case)
    got = orderedjson.parse(support.success_text(response))
    now = oracle.moment_of(got, case, before, after)
    orderedjson.assert_same(oracle.expected(case, now), got)


def test_depth_has_no_limit(respond):
    """BKFlow fails here with a recursion error, so the reference says what is right."""
    case = next(case for case in CASES if case.name == "043-deep-3000")
    response, before, after = ask(respond, case)
    got = support.success_text(response)
    # The root's own time comes last, and tells the moment of the answer for all nodes.
    seconds = int(got.rsplit('"elapsed_time":', 1)[1].split(",")[0])
    first, last = reference.moments_for(case.by_id[case.root_id], seconds)
    assert max(before, first) <= min(after, last)
    support.assert_same(case.reference_text(max(before, first)), got)


def test_missing_root_row_is_an_error(respond):
    case = next(case for case in CASES if case.name == "030-root-row-missing")
    response, _before, _after = ask(respond, case)
    support.assert_error(response, 500, 50002)


@pytest.mark.parametrize("case", [case for case in CASES if case.task["is_expired"]], ids=str)
def test_an_expired_task_does_not_exist(respond, case):
    """The state EXPIRED never leaves BKFlow: its engine's view finds no such task."""
    response, _before, _after = ask(respond, case)
    support.assert_error(response, 404, 40402)


class TestBySpace:
    """BKFlow's calls of spaces give the same states: those of single tasks as they are, and of several the root's."""

    def test_of_a_task(self, respond):
        for case in WITH_ANSWER:
            responder = respond({"response.timezone": case.zone})
            before = utc_now()
            response = responder.ask(support.space_states(SPACE, case.task["id"]))
            got = orderedjson.parse(support.success_text(response))
            now = oracle.moment_of(got, case, before, utc_now())
            orderedjson.assert_same(oracle.expected(case, now), got)

    def test_of_all_tasks_together(self, respond):
        """Where BKFlow's engine fails its state is null; an expired task is left out here, as in its call for one."""
        expected = {case.task["id"]: json.loads(case.upstream)["state"] for case in WITH_ANSWER}
        expected |= {case.task["id"]: None for case in CASES if case.name == "030-root-row-missing"}
        asked = [case.task["id"] for case in CASES if case.name != "043-deep-3000"]
        got = {}
        for first in range(0, len(asked), 100):
            response = respond({}).ask(*support.space_batch(SPACE, asked[first:first + 100]))
            assert response.status == 200 and response.json["code"] == "0"
            got |= {int(task_id): entry["state"] for task_id, entry in response.json["data"].items()}
        assert got == expected

    def test_of_all_tasks_by_application(self, respond):
        for query in ("", "nodes=1"):
            data = respond({}).ask(support.batch([case.task["id"] for case in WITH_ANSWER[:100]], query)).json["data"]
            assert {task_id: entry["state"] for task_id, entry in data.items()} == {
                str(case.task["id"]): json.loads(case.upstream)["state"] for case in WITH_ANSWER[:100]}


@pytest.mark.parametrize("case", [case for case in WITH_TREE if case.rows], ids=str)
def test_reference_agrees_with_bkflow(case):
    """The tests' own model of the answer, used for trees that BKFlow has no answer for."""
    orderedjson.assert_same(oracle.expected(case), orderedjson.parse(case.reference_text(case.now)))
