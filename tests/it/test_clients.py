# SPDX-License-Identifier: MIT
"""docs/examples: the clients against the demo, and against a server that plays tricks on them."""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import demo_world
import pytest
import support
from lab import scratch as lab_scratch

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "examples"
CLIENTS = {"sh": ["sh", EXAMPLES / "poll.sh"], "python": [sys.executable, EXAMPLES / "poll.py"],
           "php": ["php", EXAMPLES / "poll.php"]}
FINISHED, ENDED, USAGE, REFUSED, GAVE_UP = range(5)

client = pytest.mark.parametrize("name", CLIENTS)


def start(name, *arguments, **environment):
    """A running client; keyword arguments go into its environment, None takes a variable away."""
    variables = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "no_proxy": "*",
                 "BK_APP_CODE": demo_world.APP, "BK_APP_SECRET": demo_world.SECRET, "BK_USERNAME": demo_world.USER,
                 "POLL_SECONDS": "1", "POLL_PATIENCE": "30"} | environment
    return subprocess.Popen([*CLIENTS[name], *map(str, arguments)], text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={key: value for key, value in variables.items() if value is not None})


def ended(process):
    """(exit status, standard output, standard error)"""
    try:
        output, errors = process.communicate(timeout=40)
    finally:
        process.kill()
    return process.returncode, output, errors


def run(name, *arguments, **environment):
    return ended(start(name, *arguments, **environment))


# ---- against the demo ----

@client
@pytest.mark.parametrize("task_id, status, says", [(1, FINISHED, "FINISHED\n"), (3, ENDED, "FAILED\n")])
def test_says_how_a_task_ended(demo, name, task_id, status, says):
    assert run(name, demo.api, task_id) == (status, says, "")


@client
@pytest.mark.parametrize("task_id, code", [(6, 40402), (7, 40303), (10, 40402), ("x", 40001)])
def test_says_why_it_was_refused(demo, name, task_id, code):
    status, output, errors = run(name, demo.api, task_id)
    assert (status, output) == (REFUSED, "")
    assert str(code) in errors
    assert "trace_id" in errors
    assert demo_world.SECRET not in errors


@client
def test_a_wrong_secret_is_not_tried_again(demo, name):
    status, _output, errors = run(name, demo.api, 1, BK_APP_SECRET="wrong")
    assert status == REFUSED
    assert errors.count("40102") == 1


def test_follows_a_task_until_it_ends(demo, demo_tasks):
    """All clients at once, for the time that it takes."""
    task_id = demo_tasks.task([support.node(state="RUNNING", archived=None)], template_id=1)
    processes = {name: start(name, demo.api + "/", task_id) for name in CLIENTS}
    for process in processes.values():
        assert process.stdout.readline() == "RUNNING\n"
    demo.database.engine_sql("UPDATE eri_state SET name = 'FINISHED', archived_time = UTC_TIMESTAMP(6) "
                      f"WHERE node_id = '{support.root_id(task_id)}'")
    assert {name: ended(process) for name, process in processes.items()} == {
        name: (FINISHED, "FINISHED\n", "") for name in CLIENTS}


def test_gives_up_in_the_end(demo):
    running = {name: start(name, demo.api, 2, POLL_PATIENCE="2") for name in CLIENTS}
    nowhere = f"http://127.0.0.1:{lab_scratch.free_port()}"
    nobody = {name: start(name, nowhere, 2, POLL_PATIENCE="2") for name in CLIENTS}
    for process in running.values():
        status, output, errors = ended(process)
        assert (status, output) == (GAVE_UP, "RUNNING\n")
        assert "gave up" in errors
    for process in nobody.values():
        status, output, errors = ended(process)
        assert (status, output) == (GAVE_UP, "")
        assert "trying again" in errors


# ---- usage ----

@client
@pytest.mark.parametrize("missing", ["BK_APP_CODE", "BK_APP_SECRET", "BK_USERNAME"])
def test_without_credentials_it_says_how_it_is_used(name, missing):
    status, output, errors = run(name, "http://127.0.0.1:9", 1, **{missing: None})
    assert (status, output) == (USAGE, "")
    assert "usage" in errors


@client
def test_wrong_usage(name):
    assert run(name)[0] == USAGE
    assert run(name, "http://127.0.0.1:9")[0] == USAGE
    assert run(name, "http://127.0.0.1:9", 1, POLL_SECONDS="0")[0] == USAGE


# ---- against a server that plays a part ----

def states(state, etag):
    return 200, {"ETag": etag}, json.dumps({"result": True, "data": {"state": state}}, separators=(",", ":"))


class Stage:
    """Gives one answer after the other; None hangs up. Notes what was asked, when, and with which processes around."""

    def __init__(self, *answers):
        self.asked = []
        self._answers = list(answers)
        stage = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Plays the next answer."""

            def do_GET(self):
                stage.asked.append(((time.monotonic(), lab_scratch.run_time()), self.path, self.headers, command_lines()))
                answer = stage._answers.pop(0)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, body = answer
                self.send_response(status)
                for header in ({"Content-Length": str(len(body.encode()))} | headers).items():
                    self.send_header(*header)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                """Nothing to standard error."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/bkflow"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def gap(self, number):
        """Seconds between one request and the next, and how many of them the machine did not stand still."""
        (earlier, earlier_running), (later, later_running) = self.asked[number][0], self.asked[number + 1][0]
        return later - earlier, later_running - earlier_running

    def header(self, number, name):
        return self.asked[number][2].get(name)


def command_lines():
    """What every user of this machine can see of the processes on it."""
    seen = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen.append(path.read_bytes())
        except OSError:
            continue  # it has ended meanwhile
    return b"\n".join(seen)


@pytest.fixture
def on_stage(request):
    """A function from answers to a stage, which is taken down at the end."""
    def opened(*answers):
        stage = Stage(*answers)
        request.addfinalizer(stage.close)
        return stage
    return opened


def test_tags_and_waiting(on_stage):
    """If-None-Match with the last tag; Retry-After where it is given, else a pause that grows: 1, 2, 4, 8."""
    def scene():
        return on_stage(
            states("RUNNING", '"a"'), (304, {"ETag": '"a"'}, ""), (502, {}, "<html>"), None,
            (503, {"Retry-After": "1"}, "{}"), (429, {"Retry-After": "2"}, "{}"),
            states("RUNNING", '"b"'), states("FINISHED", '"c"'))
    stages = {name: scene() for name in CLIENTS}
    processes = {name: start(name, stage.url, 5) for name, stage in stages.items()}
    for name, process in processes.items():
        stage = stages[name]
        status, output, errors = ended(process)
        assert (status, output) == (FINISHED, "RUNNING\nFINISHED\n"), (name, errors)
        assert {path for _time, path, _headers, _seen in stage.asked} == {"/bkflow/task/5/get_task_states_by_app/"}
        assert [stage.header(number, "If-None-Match") for number in range(8)] == [None] + ['"a"'] * 6 + ['"b"'], name
        for number, least in enumerate((1, 1, 1, 2, 1, 2, 1)):
            seconds, running = stage.gap(number)
            assert least - 0.05 <= seconds and running < least + 1.9, (name, number)


AWKWARD = {"BK_APP_CODE": "an app", "BK_APP_SECRET": 'q"uo\\te % $(x) ` 密钥', "BK_USERNAME": "张三"}


@client
def test_credentials_travel_whole_and_only_in_the_header(on_stage, name):
    stage = on_stage(states("FINISHED", '"a"'))
    assert run(name, stage.url, 1, **AWKWARD)[0] == FINISHED
    (_time, path, headers, seen), = stage.asked
    sent = headers["X-Bkapi-Authorization"].encode("latin-1").decode()
    assert json.loads(sent) == {key.lower(): value for key, value in AWKWARD.items()}
    assert "?" not in path
    assert b"poll." in seen
    assert AWKWARD["BK_APP_SECRET"].encode() not in seen
    assert b"uo\\te" not in seen
    assert b"uo\\\\te" not in seen


@client
def test_redirects_are_not_followed(on_stage, name):
    elsewhere = on_stage(states("FINISHED", '"a"'))
    stage = on_stage((302, {"Location": elsewhere.url + "/"}, ""))
    assert run(name, stage.url, 1)[0] == REFUSED
    assert elsewhere.asked == []


@client
@pytest.mark.parametrize("body", ["<html>", "[]", "null", '{"result":true,"data":null}', ""])
def test_what_is_no_answer_is_not_taken_for_one(on_stage, name, body):
    status, output, errors = run(name, on_stage((200, {}, body)).url, 1)
    assert (status, output) == (REFUSED, "")
    assert errors
    assert "Traceback" not in errors
