# SPDX-License-Identifier: MIT
"""/metrics: what promtool thinks of it, and that it counts what happened."""

import json
import re
import subprocess
import time

import pytest
import support
from lab import client, fcgi, responder as lab_responder


def scrape(responder):
    response = responder.ask(client.variables("/metrics"))
    assert response.status == 200, response.raw
    assert response.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return response.body.decode()


def value(text, sample):
    """The number that stands behind a sample's name and labels."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    assert found, f"{sample} is not in:\n{text}"
    return float(found[1])


def test_promtool_finds_nothing_to_mend(standard):
    done = subprocess.run(["promtool", "check", "metrics"], input=scrape(standard), text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_requests_are_counted_by_status_and_cause(program, database, finished_task):
    # A request is counted when its answer is out: one worker does so before it reads the next.
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 1}))
    before = scrape(responder)
    etag = responder.ask(support.states(finished_task)).header("ETag")
    responder.ask(support.states(finished_task, {"If-None-Match": etag}))
    responder.ask(support.states(9223372036854775807))
    responder.ask(support.states(finished_task, credentials=client.credentials(support.APP, "wrong", support.USER)))
    after = scrape(responder)
    for labels in ['status="304",cause="not_modified"', 'status="404",cause="no_task"',
                   'status="401",cause="credentials_wrong"']:
        sample = f"bkflow_states_requests_total{{{labels}}}"
        assert value(after, sample) == value(before, sample) + 1, labels
    # The first scrape is itself a request that ended well.
    sample = 'bkflow_states_requests_total{status="200",cause="ok"}'
    assert value(after, sample) == value(before, sample) + 2
    count = "bkflow_states_request_duration_seconds_count"
    assert value(after, count) == value(before, count) + 5
    assert value(after, "bkflow_states_rows_read_total") > value(before, "bkflow_states_rows_read_total")
    assert value(after, "bkflow_states_database_connects_total") >= 1
    assert value(after, "bkflow_states_workers") == 2  # one and the spare one
    assert responder.stop() == 0


def test_what_goes_wrong_is_counted_once(program, database, finished_task):
    """Connections that do not speak FastCGI, and statements and connection attempts that failed."""
    protocol, statements = "bkflow_states_protocol_errors_total", "bkflow_states_database_errors_total"
    settings = lab_responder.settings_for(database, **{"server.workers": 1})
    responder = program.listen(settings)
    support.success(responder.ask(support.states(finished_task)))
    first = scrape(responder)
    assert (value(first, protocol), value(first, statements)) == (0, 0)
    for count in range(1, 4):
        with responder.connect() as connection:
            connection.send(fcgi.record(fcgi.GET_VALUES, b"", 0, version=2))
            assert connection.is_closed_by_peer()
        text = scrape(responder)
        assert (value(text, protocol), value(text, statements)) == (count, 0)
    with database.locked("eri_state"):
        responder.reload(settings | {"database.query_timeout": "200ms"})
        responder.wait_for_log(" reloaded")
        support.assert_error(responder.ask(support.states(finished_task)), 504, 50401)
    text = scrape(responder)
    assert (value(text, protocol), value(text, statements)) == (3, 1)
    assert responder.stop() == 0


def test_connection_attempts_that_fail_are_counted(program, database):
    responder = program.listen(lab_responder.settings_for(database, **{"database.password": "wrong"}))
    sample = "bkflow_states_database_errors_total"
    support.assert_error(responder.ask(support.states(1)), 503, 50301)
    assert value(scrape(responder), sample) >= 1
    assert value(scrape(responder), "bkflow_states_database_connects_total") == 0
    assert responder.stop() == 0


def test_durations_are_those_of_the_requests(program, database, world):
    """A request that waited for the database for a while is in the sum, and in the bucket of its length."""
    waiting_task = world.task([support.node()])
    responder = program.listen(lab_responder.settings_for(database, **{"server.workers": 2}))
    total = "bkflow_states_request_duration_seconds_sum"
    with database.locked("eri_state"):
        answer = support.in_background(responder, support.states(waiting_task))
        database.wait_until_held_up()
        before = value(scrape(responder), total)
        time.sleep(0.3)
    support.success(answer())
    text = scrape(responder)
    assert value(text, total) - before > 0.3
    slow = 'bkflow_states_request_duration_seconds_bucket{le="0.25"}'
    assert value(text, "bkflow_states_request_duration_seconds_count") > value(text, slow)
    assert responder.stop() == 0


def test_time_in_the_database_is_logged(program, database, finished_task):
    """As long as the table was locked at least, and no longer than the request took."""
    responder = program.listen(lab_responder.settings_for(
        database, **{"log.access": "on", "log.format": "json", "server.workers": 1}))
    with database.locked("eri_state"):
        answer = support.in_background(responder, support.states(finished_task))
        database.wait_until_held_up()
        started = time.monotonic()
        time.sleep(0.2)
        held_us = (time.monotonic() - started) * 1e6
    support.success(answer())
    responder.ask(client.variables("/healthz"))
    assert responder.stop() == 0
    states, healthz = (event for event in map(json.loads, responder.log.splitlines()) if event["message"] == "request")
    assert held_us <= states["database_us"] <= states["total_us"]
    assert healthz["database_us"] == 0
