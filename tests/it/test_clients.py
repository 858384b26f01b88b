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
import urllib.parse

import demo_world
import pytest
import support
from lab import scratch as lab_scratch

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "examples"
CLIENTS = {"sh": ["sh", EXAMPLES / "follow.sh"], "python": [sys.executable, EXAMPLES / "follow.py"],
           "php": ["php", EXAMPLES / "follow.php"]}
FINISHED, ENDED, USAGE, REFUSED, GAVE_UP = range(5)

client = pytest.mark.parametrize("name", CLIENTS)


def start(name, *arguments, **environment):
    """A running client; keyword arguments go into its environment, None takes a variable away."""
    variables = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "no_proxy": "*",
                 "BK_APP_CODE": demo_world.APP, "BK_APP_SECRET": demo_world.SECRET, "BK_USERNAME": demo_world.USER,
                 "POLL_SECONDS": "1", "PATIENCE_SECONDS": "60"} | environment
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


def test_lets_the_server_wait(demo, demo_tasks):
    """A client that polls instead would pause longer than anybody waits for it here."""
    task_id = demo_tasks.task([support.node(state="RUNNING", archived=None), support.node("a", state="RUNNING", archived=None)],
                              template_id=1)
    processes = {name: start(name, demo.api, task_id, WAIT_SECONDS="30", POLL_SECONDS="500") for name in CLIENTS}
    for process in processes.values():
        assert process.stdout.readline() == "RUNNING\n"
    for name in ("a", ""):
        demo.database.engine_sql("UPDATE eri_state SET name = 'FINISHED', archived_time = UTC_TIMESTAMP(6) "
                          f"WHERE node_id = '{support.node_id(task_id, name)}'")
    assert {name: ended(process) for name, process in processes.items()} == {
        name: (FINISHED, "FINISHED\n", "") for name in CLIENTS}
    asked = f"/task/{task_id}/get_task_states_by_app/"
    lab_scratch.wait_until(lambda: demo.server.access_log_when(asked).count(asked) >= 2 * len(CLIENTS))
    assert demo.server.access_log_when(asked).count(asked) <= 3 * len(CLIENTS)


def test_gives_up_in_the_end(demo):
    running = {name: start(name, demo.api, 2, PATIENCE_SECONDS="2") for name in CLIENTS}
    nowhere = f"http://127.0.0.1:{lab_scratch.free_port()}"
    nobody = {name: start(name, nowhere, 2, PATIENCE_SECONDS="2") for name in CLIENTS}
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
    for variable, text in (("POLL_SECONDS", "0"), ("WAIT_SECONDS", "x"), ("WAIT_SECONDS", "-1"), ("PATIENCE_SECONDS", "x")):
        assert run(name, "http://127.0.0.1:9", 1, **{variable: text})[0] == USAGE


# ---- against a server that plays a part ----

def states(state, version=None):
    headers = {} if version is None else {"X-States-Version": version}
    return 200, headers, json.dumps({"result": True, "data": {"state": state}}, separators=(",", ":"))


def waited(seconds, answer):
    """An answer that the server holds back."""
    return (*answer, seconds)


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
                status, headers, body, *seconds = answer
                time.sleep(sum(seconds))
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


def all_on_stage(on_stage, *answers, **environment):
    """Each client on a stage of its own, all at once; gives the stages of those that followed task 5 to its end."""
    stages = {name: on_stage(*answers) for name in CLIENTS}
    processes = {name: start(name, stage.url, 5, **environment) for name, stage in stages.items()}
    for name, process in processes.items():
        status, output, errors = ended(process)
        assert (status, output) == (FINISHED, "RUNNING\nFINISHED\n"), (name, errors)
        assert len(stages[name].asked) == len(answers)
    return stages


def assert_gaps(name, stage, gaps):
    """Seconds from each request to the next, as far as the machine did not stand still."""
    for number, least in enumerate(gaps):
        seconds, running = stage.gap(number)
        assert least - 0.05 <= seconds and running < least + 1.9, (name, number)


def test_waiting(on_stage):
    """The last version is sent; a pause is made exactly when the server did not wait: an early answer with the same
    version, or one without."""
    stages = all_on_stage(
        on_stage, states("RUNNING", "v1"), states("RUNNING", "v 2&"), states("RUNNING", "v 2&"),
        waited(4, states("RUNNING", "v 2&")), states("RUNNING"), states("RUNNING"), states("FINISHED", "v3"),
        WAIT_SECONDS="4", POLL_SECONDS="3")
    for name, stage in stages.items():
        asked = [urllib.parse.urlsplit(path) for _time, path, _headers, _seen in stage.asked]
        assert {url.path for url in asked} == {"/bkflow/task/5/get_task_states_by_app/"}
        queries = [urllib.parse.parse_qs(url.query, keep_blank_values=True) for url in asked]
        assert [query["wait"] for query in queries] == [["4s"]] * 7, name
        assert [query["version"] for query in queries] == [[""], ["v1"], ["v 2&"], ["v 2&"], ["v 2&"], [""], [""]], name
        assert_gaps(name, stage, (0, 0, 3, 4, 3, 3))


def test_failures(on_stage):
    """Retry-After where it is given, else a pause that grows: 1, 2, 4, 8. The version stays."""
    stages = all_on_stage(
        on_stage, states("RUNNING", "v1"), (502, {}, "<html>"), None, (503, {"Retry-After": "1"}, "{}"),
        (429, {"Retry-After": "2"}, "{}"), states("RUNNING", "v2"), (504, {}, ""), states("FINISHED", "v3"))
    for name, stage in stages.items():
        assert [path.rpartition("=")[2] for _time, path, _headers, _seen in stage.asked] == [
            "", "v1", "v1", "v1", "v1", "v1", "v2", "v2"], name
        assert_gaps(name, stage, (0, 1, 2, 1, 2, 0, 1))


def test_an_old_bkflow_is_polled(on_stage):
    stages = all_on_stage(on_stage, states("RUNNING"), states("RUNNING"), states("FINISHED"), POLL_SECONDS="2")
    for name, stage in stages.items():
        assert_gaps(name, stage, (2, 2))


AWKWARD = {"BK_APP_CODE": "an app", "BK_APP_SECRET": 'q"uo\\te % $(x) ` 密钥', "BK_USERNAME": "张三"}


@client
def test_credentials_travel_whole_and_only_in_the_header(on_stage, name):
    stage = on_stage(states("FINISHED"))
    assert run(name, stage.url, 1, **AWKWARD)[0] == FINISHED
    (_time, path, headers, seen), = stage.asked
    sent = headers["X-Bkapi-Authorization"].encode("latin-1").decode()
    assert json.loads(sent) == {key.lower(): value for key, value in AWKWARD.items()}
    assert set(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)) == {"wait"}  # and an empty version
    assert b"/follow." in seen
    assert AWKWARD["BK_APP_SECRET"].encode() not in seen
    assert b"uo\\te" not in seen
    assert b"uo\\\\te" not in seen


@client
def test_redirects_are_not_followed(on_stage, name):
    elsewhere = on_stage(states("FINISHED"))
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
