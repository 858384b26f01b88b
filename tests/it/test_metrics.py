# SPDX-License-Identifier: MIT
"""/metrics: what promtool thinks of it, and that it counts what happened."""

import re
import subprocess

import support
from lab import client, responder as lab_responder


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
