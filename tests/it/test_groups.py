# SPDX-License-Identifier: MIT
"""Requests that a worker answers together. They are sent while the responder stands still, so that it finds them all
at once; its own metrics tell that they were one group."""

import concurrent.futures
import contextlib
import re

import time

import gateway
import pytest
import support
from lab import client, fcgi, jwt
from lab import responder as lab_responder
from lab.scratch import wait_until
from test_metrics import scrape, value

LARGE = 5000  # nodes: more than the statement of a group may bring
GROUP = 16


@pytest.fixture
def alone(program, database):
    """A responder with one worker."""
    responder = program.listen(lab_responder.settings_for(
        database, **{"server.workers": 1, "auth.failure_limit": 0, "server.client_timeout": "3s"}))
    yield responder
    assert responder.stop() == 0, responder.log


@pytest.fixture(scope="module")
def large_task(world):
    return world.task([support.node(), *(support.node(f"n{i}") for i in range(1, LARGE))])


@pytest.fixture(scope="module")
def running_task(world):
    return world.task([support.node(state="RUNNING", archived=None), support.node("step", state="FAILED")])


class Group:
    """Kept connections whose next requests arrive together."""

    def __init__(self, responder, count):
        self.responder = responder
        self.connections = [responder.connect() for _ in range(count)]
        for connection in self.connections:  # kept and idle: each is known to the loop
            assert connection.ask(client.variables("/healthz")).status == 200

    def send(self, *requests):
        """Each request on a connection of its own. Bytes are sent as they are."""
        with self.responder.service.frozen():
            for connection, request in zip(self.connections, requests, strict=False):
                connection.send(request if isinstance(request, bytes) else fcgi.request(request, keep=True))

    def ask(self, *requests):
        """All answers are read at the same time: none waits for a client that reads another one first."""
        self.send(*requests)
        with concurrent.futures.ThreadPoolExecutor(len(requests)) as readers:
            return list(readers.map(fcgi.Connection.response, self.connections[:len(requests)]))

    def close(self):
        for connection in self.connections:
            connection.close()


@pytest.fixture
def group(alone):
    with contextlib.closing(Group(alone, GROUP)) as made:
        yield made


def largest_group(text):
    """The limit of the highest bucket that has counted."""
    counts = [(int(limit), int(count)) for limit, count in re.findall(
        r'^bkflow_states_group_requests_bucket\{le="(\d+)"\} (\d+)$', text, re.MULTILINE)]
    return next(limit for limit, count in counts if count == counts[-1][1])


def test_what_arrives_together_is_answered_together(alone, group, finished_task):
    before = scrape(alone)
    expected = support.success_text(alone.ask(support.states(finished_task)))
    for response in group.ask(*[support.states(finished_task)] * GROUP):
        assert support.success_text(response) == expected
    after = scrape(alone)
    assert largest_group(after) == GROUP
    rows = value(after, "bkflow_states_rows_read_total") - value(before, "bkflow_states_rows_read_total")
    assert rows == 4  # two nodes, read once for the group and once alone


def test_each_request_of_a_group_has_its_own_answer(alone, group, world, running_task, finished_task):
    """Whatever the others are: good, refused in every way, known to the client, without nodes, unknown."""
    tag = alone.ask(support.states(finished_task)).header("ETag")
    other = world.task([support.node()], template_id=world.template(support.OTHER_APP))
    cases = [
        (support.states(finished_task), 200, None),
        (support.states(running_task), 200, None),
        (support.states(finished_task, {"If-None-Match": tag}), 304, None),
        (support.states(finished_task, credentials=client.credentials(support.APP, "wrong", support.USER)), 401, 40102),
        (support.states(finished_task, credentials=client.credentials("nobody", support.SECRET, support.USER)), 401,
         40102),
        (support.states(finished_task, credentials=client.credentials(
            support.DISABLED_APP, support.DISABLED_SECRET, support.USER)), 401, 40102),
        (support.states(finished_task, credentials=client.credentials(support.APP, support.SECRET, "nobody")), 401,
         40103),
        (support.states(finished_task, credentials={}), 401, 40101),
        (support.states(other), 403, 40303),
        (support.states(other, credentials=client.credentials(
            support.OTHER_APP, support.OTHER_SECRET, support.USER)), 200, None),
        (support.states(9223372036854775807), 404, 40402),
        (support.states(world.task(is_started=False)), 200, None),
        (support.states(world.task(is_deleted=True)), 404, 40402),
        (support.states(world.task(template_id=None)), 403, 40301),
        (client.variables("/nowhere"), 404, 40401),
        (client.variables("/readyz"), 200, None),
    ]
    assert len(cases) == GROUP
    # Each alone, and all together in several orders: the answers are the same.
    for turn in range(0, GROUP, 5):
        ordered = cases[turn:] + cases[:turn]
        for (request, status, code), response in zip(ordered, group.ask(*[case[0] for case in ordered]), strict=True):
            assert response.status == status, (request, response.raw)
            if code is not None:
                support.assert_error(response, status, code)
    assert largest_group(scrape(alone)) == GROUP


def test_subtasks_are_for_those_who_ask(alone, group, world):
    """Requests for one task share its rows only if they want the same of it."""
    task_id = world.task([support.node(), support.node("a")])
    world.subtask(task_id, "a", [support.node()])
    expected = {query: support.success_text(alone.ask(support.states(task_id, query=query)))
                for query in ("", "subtasks=1")}
    assert '"subtask"' in expected["subtasks=1"] and '"subtask"' not in expected[""]
    queries = ["", "subtasks=1"] * (GROUP // 2)
    answers = group.ask(*[support.states(task_id, query=query) for query in queries])
    assert [support.success_text(answer) for answer in answers] == [expected[query] for query in queries]


def test_a_large_task_does_not_hold_up_small_ones(alone, group, large_task, finished_task):
    """The large answer is not even asked for before the small ones are out."""
    small = support.success_text(alone.ask(support.states(finished_task)))
    large = support.success_text(alone.ask(support.states(large_task)))
    responses = group.ask(support.states(large_task), *[support.states(finished_task)] * 10, support.states(large_task))
    assert support.success_text(responses[0]) == large
    assert support.success_text(responses[-1]) == large
    for response in responses[1:-1]:
        assert support.success_text(response) == small


def test_large_tasks_come_one_by_one(alone, group, world, large_task):
    """Several that do not fit a group's statement, and one that fits."""
    others = [world.task([support.node(), *(support.node(f"n{i}") for i in range(1, 1500))]) for _ in range(3)]
    tasks = [*others, large_task, *others]
    expected = [support.success_text(alone.ask(support.states(task))) for task in tasks]
    for response, text in zip(group.ask(*map(support.states, tasks)), expected, strict=True):
        support.assert_same(text, support.success_text(response))


def test_more_nodes_than_allowed_fail_alone(program, database, world, finished_task):
    large = world.task([support.node(), *(support.node(f"n{i}") for i in range(1, 60))])
    responder = program.listen(lab_responder.settings_for(
        database, **{"server.workers": 1, "response.max_nodes": 50}))
    with contextlib.closing(Group(responder, 4)) as group:
        responses = group.ask(support.states(finished_task), support.states(large), support.states(finished_task))
        support.success(responses[0])
        support.assert_error(responses[1], 500, 50003)
        support.success(responses[2])
    assert responder.stop() == 0


def test_tokens_and_secrets_in_one_group(program, database, lab, world, finished_task):
    """Each is judged by its own: of the tokens only the one that holds gets in."""
    key = jwt.Key(lab)
    task = world.task([support.node()], template_id=world.template(gateway.APP))
    responder = program.listen(lab_responder.settings_for(database, **{
        "server.workers": 1, "auth.failure_limit": 0, "auth.gateway": "on",
        "auth.gateway_key_main": key.public_path}))
    good = key.token(gateway.claims())
    expired = key.token(gateway.claims(exp=time.time() - 3600))
    forged = good[:-8] + "AAAAAAAA"
    with contextlib.closing(Group(responder, 8)) as group:
        responses = group.ask(
            gateway.asking(task, good), gateway.asking(task, expired), gateway.asking(task, forged),
            support.states(finished_task), support.states(task), gateway.asking(finished_task, good),
            gateway.asking(task, good, support.GOOD), gateway.asking(task, expired, support.GOOD))
        assert [response.status for response in responses] == [200, 401, 401, 200, 403, 403, 200, 401]
        assert largest_group(scrape(responder)) == 8
    assert responder.stop() == 0


def test_a_client_that_vanishes_takes_nobody_along(alone, group, large_task, finished_task):
    group.send(support.states(large_task), *[support.states(finished_task)] * 8)
    group.connections[0].close()
    for connection in group.connections[1:9]:
        support.success(connection.response())
    support.success(alone.ask(support.states(finished_task)))


def test_a_client_that_does_not_read_is_served_last(alone, group, large_task, finished_task):
    """It asks for more than its socket takes, and reads nothing: the small answers are out all the same."""
    many = b"".join(fcgi.request(support.states(large_task), keep=True, request_id=number) for number in range(1, 4))
    group.send(many, *[support.states(finished_task)] * 8)
    for connection in group.connections[1:9]:
        support.success(connection.response())


def test_requests_in_one_write_are_all_answered_in_their_order(alone, group, running_task, finished_task):
    """Pipelined on one connection, while others have requests of their own."""
    tasks = [finished_task, 9223372036854775807, finished_task]
    pipelined = b"".join(fcgi.request(support.states(task), keep=True, request_id=number)
                         for number, task in enumerate(tasks, 1))
    group.send(pipelined, *[support.states(finished_task)] * 5)
    for number, task in enumerate(tasks, 1):
        assert group.connections[0].response(number).status == (200 if task == finished_task else 404)
    for connection in group.connections[1:6]:
        support.success(connection.response())


@pytest.mark.parametrize("table", ["bkflow_states_app", "task_taskinstance", "eri_state"])
def test_a_statement_that_fails_fails_its_whole_group(alone, group, database, finished_task, table):
    """As it would fail each of them; what needed no database is answered all the same."""
    place = database.database_of(table)
    database.sql(f"RENAME TABLE {table} TO {table}_gone", place)
    try:
        responses = group.ask(*[support.states(finished_task)] * 6, client.variables("/healthz"))
    finally:
        database.sql(f"RENAME TABLE {table}_gone TO {table}", place)
    assert [response.status for response in responses] == [503] * 6 + [200]
    wait_until(lambda: alone.ask(support.states(finished_task)).status == 200)
