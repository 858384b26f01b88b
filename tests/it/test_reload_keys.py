# SPDX-License-Identifier: MIT
"""Every key of the reference, changed by HUP while clients ask: what it does is what the new value says, for every
request that comes after "reloaded"; or it keeps its value in every respect, and the log names it."""

import contextlib
import re
import signal
import socket
import subprocess
import time

import gateway
import pytest
import support
from lab import client, dbms, fcgi, jwt, mariadb
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab.scratch import wait_until
from load import Load

ENOUGH = 12  # requests, for three times as many as there are workers


class Silence:
    """Takes connections at a port, says nothing, and counts them."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listening.setblocking(False)
        self._taken = []
        self.port = self._listening.getsockname()[1]

    def accepted(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self._taken.append(self._listening.accept()[0])
        return len(self._taken)

    def close(self):
        for taken in [self._listening, *self._taken]:
            taken.close()


class Stage:
    """A responder with the first settings, and what else a key's test may need."""

    def __init__(self, request):
        for name in ("program", "lab", "database", "world", "finished_task", "keys", "certificate"):
            setattr(self, name, request.getfixturevalue(name))
        self.silence = Silence()
        self.responder = None
        self.elsewhere = self.lab.path("elsewhere", ".sock")
        self.is_changed, self.reloaded_at = False, 0
        self.connections = self.answer = self.threads = None  # as they were before

    def ask(self, **others):
        return self.responder.ask(support.states(self.finished_task, **others))

    def statuses(self, **others):
        return {self.ask(**others).status for _ in range(ENOUGH)}

    def statuses_of_two(self):
        """Of requests for two tasks."""
        return {self.responder.ask(support.batch([1, 2])).status for _ in range(ENOUGH)}

    def status_of(self, path, headers=None):
        statuses = {self.responder.ask(client.variables(path, headers=headers)).status for _ in range(ENOUGH)}
        assert len(statuses) == 1, statuses
        return statuses.pop()


class Key:
    """`before` and `after`: the key's value, or functions from the stage to it. `others`: further settings, the same.
    `shows(stage)` is asked before with False to come and afterwards with True."""

    def __init__(self, before, after, shows, others=None):
        self.before, self.after, self.shows, self.others = before, after, shows, others

    def settings(self, stage, name, value):
        """A value of None leaves the key out."""
        others = self.others(stage) if callable(self.others) else self.others or {}
        value = value(stage) if callable(value) else value
        settings = lab_responder.settings_for(stage.database) | others | {name: value}
        return {key: text for key, text in settings.items() if text is not None}


class Kept(Key):
    """One that is read at start only: `shows` is False before and afterwards."""


# ---- how a value shows ----

def database_is_lost(stage):
    statuses = stage.statuses()
    assert len(statuses) == 1, statuses
    return statuses == {503}


def is_served_with(**others):
    def shows(stage):
        statuses = stage.statuses(**others)
        assert len(statuses) == 1, statuses
        return statuses == {200}
    return shows


def is_refused_with(**others):
    return lambda stage: not is_served_with(**others)(stage)


def token_is_accepted(make):
    def shows(stage):
        token = make(stage)
        statuses = {stage.responder.ask(gateway.asking(stage.finished_task, token)).status for _ in range(ENOUGH)}
        assert len(statuses) == 1, statuses
        return statuses == {200}
    return shows


def is_off(path, headers=None):
    return lambda stage: stage.status_of(path, headers) != 200


def half_a_request_is_cut_off(stage):
    """Within the new time limit; with the old one nobody has the patience."""
    if not stage.is_changed:
        return False
    with contextlib.ExitStack() as stack:
        halves = [stack.enter_context(stage.responder.connect()) for _ in range(ENOUGH)]
        for half in halves:
            half.send(fcgi.begin())
        return all(half.is_closed_by_peer() for half in halves)


def stop_is_not_waited_for(stage):
    if not stage.is_changed:
        return False
    with stage.database.locked("eri_state"):
        support.in_background(stage.responder, support.states(stage.finished_task))
        stage.database.wait_until_held_up()
        stage.responder.service.send_signal(signal.SIGTERM)
        return stage.responder.service.wait() == 0


def held_up_requests_end(status):
    """Of a table that is locked, before anybody unlocks it."""
    def shows(stage):
        if not stage.is_changed:
            return False
        with stage.database.locked("eri_state"):
            return stage.statuses() == {status}
    return shows


def a_held_up_request_is_logged(stage):
    size = len(stage.responder.log)
    with stage.database.locked("eri_state"):
        answer = support.in_background(stage.responder, support.states(stage.finished_task))
        stage.database.wait_until_held_up()
        time.sleep(0.1)
    support.success(answer())
    if stage.is_changed:
        stage.responder.wait_for_log("slow request", since=size)
    return "slow request" in stage.responder.log[size:]


def guessing_is_stopped(stage):
    guess = client.credentials(support.APP, "wrong", support.USER)
    return 429 in {stage.ask(credentials=guess, address="10.9.8.7").status for _ in range(30)}


def nobody_is_waited_for(stage):
    """Connecting to where nothing is said ends within a short connect_timeout."""
    if not stage.is_changed:
        return False
    before = stage.silence.accepted()
    return stage.ask().status == 503 and stage.silence.accepted() > before


def messages_are_chinese(stage):
    messages = {support.assert_error(stage.ask(credentials={}), 401, 40101) for _ in range(ENOUGH)}
    assert len(messages) == 1, messages
    return not messages.pop().isascii()


def log_has(pattern):
    def shows(stage):
        stage.ask()
        if stage.is_changed:
            wait_until(lambda: re.search(pattern, stage.responder.log[stage.reloaded_at:]))
        return re.search(pattern, stage.responder.log[stage.reloaded_at:]) is not None
    return shows


def other_log_is_written(stage):
    path = stage.lab.folder / "other-target.log"
    return path.exists() and "reloaded" in path.read_text()


def connections_are_new(stage):
    stage.statuses()
    ids = {row[0] for row in stage.database.sql(f"SELECT id FROM {dbms.PROCESSES} WHERE user LIKE "
                                                f"'{mariadb.RESPONDER_USER}%'", None)}
    before, stage.connections = stage.connections, ids
    return before is not None and bool(ids - before)


def answer_is_another(stage):
    """Text or tag."""
    answers = {(answer.header("ETag"), answer.body.split(b'"trace_id"')[0], answer.status)
               for answer in (stage.ask() for _ in range(ENOUGH))}
    assert len(answers) == 1, answers
    before, stage.answer = stage.answer, answers.pop()
    return before is not None and before != stage.answer


def large_request_is_refused(stage):
    return stage.ask(headers={"X-Padding": "x" * 6000}).status != 200


def answers_elsewhere(stage):
    return stage.elsewhere.exists()


def more_workers(stage):
    """By their shards: a connection in the making is a thread, too."""
    text = stage.responder.ask(client.variables("/metrics")).body.decode()
    before, stage.threads = stage.threads, re.search(r"^bkflow_states_workers (\d+)", text, re.MULTILINE)[1]
    return before is not None and before != stage.threads


def number_of(stage, name):
    text = stage.responder.ask(client.variables("/metrics")).body.decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)", text, re.MULTILINE)[1])


def ask_and_wait(stage, wait):
    """A request for the states that its client has already."""
    version = stage.ask().header("X-States-Version")
    support.success(stage.ask(query=f"wait={wait}&version={version}"))


def nobody_waits_by(end):
    """How many waits have ended so does not change with one more request."""
    def shows(stage):
        name = f'bkflow_states_waits_total{{end="{end}"}}'
        before = number_of(stage, name)
        for wait in ("20ms", "1s", "20s"):  # a machine that stands still lets a short one end before it begins
            if number_of(stage, name) == before:
                ask_and_wait(stage, wait)
        return number_of(stage, name) == before
    return shows


def watched_often(stage):
    name = "bkflow_states_watch_ticks_total"
    before = number_of(stage, name)

    def are_more():
        ask_and_wait(stage, "200ms")
        return number_of(stage, name) > before + 2
    if stage.is_changed:
        wait_until(are_more)
    return are_more()


# ---- values ----

def reach(stage, section):
    """What leads to a database, all of it."""
    engine = stage.database.engine_config() if section == "engine_database" else {}
    return stage.database.config() | engine


def password_file(content=None):
    return lambda stage: stage.lab.write("password", ".txt", content or stage.database.config()["password"])


def option_file(section, user=None):
    def write(stage):
        return stage.lab.write("my", ".cnf", f"[client]\nuser = {user or reach(stage, section)['user']}\n")
    return write


def with_gateway(stage, **others):
    return {"auth.gateway": "on", "auth.gateway_key_main": stage.keys[0].public_path} | {
        f"auth.{name}": value for name, value in others.items()}


def token(number=0, algorithm="RS512", header=None, **claims):
    return lambda stage: stage.keys[number].token(gateway.claims(support.APP, **claims), algorithm, **header or {})


def keys_of(section):
    """Both databases have the same keys."""
    def name(key):
        return f"{section}.{key}"

    def in_database(key):
        return lambda stage: reach(stage, section)[key]

    def own(*left_out, **others):
        """The engine's keys are given, so that only one changes."""
        def settings(stage):
            given = {name(key): value for key, value in reach(stage, section).items()}
            return given | {name(key): None for key in left_out} | {name(key): value for key, value in others.items()}
        return settings

    return {
        name("host"): Key("", "127.0.0.1", database_is_lost, own(port=1)),
        name("port"): Key(lab_scratch.free_port(), lambda stage: stage.silence.port, nobody_is_waited_for,
                          own("socket", host="127.0.0.1", connect_timeout="100ms")),
        name("socket"): Key(in_database("socket"), "/nonexistent/socket", database_is_lost, own()),
        name("user"): Key(in_database("user"), "nobody", database_is_lost, own()),
        name("password"): Key(in_database("password"), "wrong", database_is_lost, own()),
        name("password_file"): Key(password_file(), password_file("wrong"), database_is_lost, own("password")),
        name("name"): Key(in_database("name"), "nothing", database_is_lost, own()),
        name("connect_timeout"): Key("60s", "100ms", nobody_is_waited_for,
                                     lambda stage: own("socket", host="127.0.0.1", port=stage.silence.port)(stage)),
        name("query_timeout"): Key("10m", "100ms", held_up_requests_end(504), own()),
        name("tls_ca"): Key("", lambda stage: stage.certificate, database_is_lost, own()),
        name("tls_verify"): Key("on", "off", connections_are_new,
                                lambda stage: own()(stage) | {"server.workers": 1}),
        name("option_file"): Key(option_file(section), option_file(section, "nobody"), database_is_lost, own(user="")),
    }


WITHOUT_KID = {"header": {"kid": None}}
KEYS = {
    "server.listen": Kept(None, lambda stage: f"unix:{stage.elsewhere}", answers_elsewhere),
    "server.workers": Kept("4", "9", more_workers),
    "server.max_request_bytes": Kept("64k", "4k", large_request_is_refused),
    "server.client_timeout": Key("10m", "100ms", half_a_request_is_cut_off),
    "server.trusted_proxies": Key("", "127.0.0.1", is_off("/metrics", {"X-Forwarded-For": "10.1.1.1"})),
    "server.drain_timeout": Key("10m", "100ms", stop_is_not_waited_for, {"database.query_timeout": "10m"}),
    "server.waiting_max": Kept("0", "10", nobody_waits_by("no_room")),
    "server.watch_interval": Key("60s", "50ms", watched_often),
    **keys_of("database"),
    **keys_of("engine_database"),
    "auth.direct": Key("on", "off", is_refused_with(), with_gateway),
    "auth.query_credentials": Key("on", "off", is_refused_with(credentials={}, query=support.query_credentials())),
    "auth.user_table_check": Key("on", "off", is_served_with(
        credentials=client.credentials(support.APP, support.SECRET, "unheard_of"))),
    "auth.gateway": Key("off", "on", token_is_accepted(token()), with_gateway),
    "auth.gateway_key_main": Key(lambda stage: stage.keys[0].public_path, lambda stage: stage.keys[1].public_path,
                                 token_is_accepted(token(1)), with_gateway),
    "auth.gateway_default": Key("", "main", token_is_accepted(token(**WITHOUT_KID)), with_gateway),
    "auth.gateway_algorithms": Key("RS512", "RS256", token_is_accepted(token(algorithm="RS256")), with_gateway),
    "auth.leeway": Key("1s", "10m", token_is_accepted(lambda stage: token(exp=time.time() - 100)(stage)),
                       with_gateway),
    "auth.failure_limit": Key("0", "3", guessing_is_stopped),
    "response.timezone": Kept("Asia/Shanghai", "Europe/Berlin", answer_is_another),
    "response.language": Key("en", "zh-cn", messages_are_chinese),
    "response.max_tasks": Key("2", "1", lambda stage: stage.statuses_of_two() == {400}),
    "response.wait_max": Key("50s", "0", nobody_waits_by("time")),
    "response.max_nodes": Kept("100", "1", answer_is_another),
    "status.healthz": Key("on", "off", is_off("/healthz")),
    "status.readyz": Key("on", "off", is_off("/readyz")),
    "status.metrics": Key("on", "off", is_off("/metrics")),
    "status.allow": Key("127.0.0.1", "10.0.0.0/8", is_off("/metrics")),
    "log.target": Key("stderr", lambda stage: f"file:{stage.lab.folder}/other-target.log", other_log_is_written),
    "log.level": Key("error", "info", log_has("info: reloaded")),
    "log.format": Key("text", "json", log_has('"message":"reloaded"')),
    "log.access": Key("off", "on", log_has("info: request ")),
    "log.slow": Key("0", "1ms", a_held_up_request_is_logged),
}


# ---- the test ----

@pytest.fixture(scope="module")
def keys(lab):
    return [jwt.Key(lab), jwt.Key(lab)]


@pytest.fixture(scope="module")
def certificate(lab):
    path, key = lab.path("authority", ".pem"), lab.path("authority", ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=nobody", "-keyout", key, "-out", path], check=True, capture_output=True)
    return path


@pytest.fixture
def stage(request):
    stage = Stage(request)
    yield stage
    if stage.responder is not None:
        stage.responder.stop()
    stage.silence.close()


def test_every_key_is_tried(program):
    reference = program.run("--print-reference").stdout.decode()
    section, names = None, set()
    for line in reference.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif match := re.match(r"#(\w+) =", line):
            names.add(f"{section}.{match[1].replace('gateway_key_NAME', 'gateway_key_main')}")
    assert names == set(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_a_change_takes_effect_completely_or_is_named(stage, name):
    key = KEYS[name]
    before = key.settings(stage, name, key.before)
    stage.responder = stage.program.listen(before)
    listen = {} if name == "server.listen" else {"server.listen": stage.responder.settings["server.listen"]}
    assert not key.shows(stage)
    with Load(lambda: stage.responder.ask(client.variables("/nothing")).status, clients=2) as load:
        load.more(10)
        stage.reloaded_at = len(stage.responder.log)
        stage.responder.reload(key.settings(stage, name, key.after) | listen)
        wait_for_reload(stage)
        load.more(10)
    assert set(load.failures) == {404}
    stage.is_changed = True
    assert key.shows(stage) == (not isinstance(key, Kept))
    section, _dot, word = name.partition(".")
    named = f'a changed key takes effect only after a restart key="[{section}] {word}"'
    assert (named in stage.responder.log) == isinstance(key, Kept)


def wait_for_reload(stage):
    other_log = stage.lab.folder / "other-target.log"
    wait_until(lambda: "reloaded" in stage.responder.log[stage.reloaded_at:]
               or (other_log.exists() and "reloaded" in other_log.read_text()))
    assert "refused" not in stage.responder.log[stage.reloaded_at:]
