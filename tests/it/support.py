# SPDX-License-Identifier: MIT
"""Who asks in these tests, what a task looks like in the database, what an answer must look like."""

import contextlib
import hashlib
import itertools
import json
import os
import re
import urllib.parse

from lab import client, fcgi, mariadb, orderedjson, scratch
from lab.scratch import wait_until

APP, SECRET = "worker_app", "s3cret & of = worker+app"
OTHER_APP, OTHER_SECRET = "other_app", "the-others-s3cret"
DISABLED_APP, DISABLED_SECRET = "disabled_app", "once-g00d"
USER, INACTIVE_USER = "alice", "bob_who_left"
SALT = bytes(range(16))

GOOD = client.credentials(APP, SECRET, USER)

SUCCESS = re.compile(r'\{"result":true,"data":(.*),"message":"","code":0,"trace_id":"[A-Za-z0-9._-]+"\}', re.DOTALL)
RANDOM_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def states(task_id, headers=None, credentials=None, **others):
    """Variables of a request for a task's states, with good credentials unless told otherwise."""
    sent = (GOOD if credentials is None else credentials) | (headers or {})
    return client.variables(client.states_path(task_id), headers=sent, **others)


def space_states(space_id, task_id, headers=None, credentials=None, **others):
    """The same by the space's call."""
    sent = (GOOD if credentials is None else credentials) | (headers or {})
    return client.variables(client.space_states_path(space_id, task_id), headers=sent, **others)


def batch(task_ids, query="", headers=None, credentials=None, **others):
    """The same for several tasks in one answer."""
    sent = (GOOD if credentials is None else credentials) | (headers or {})
    query = "task_ids=" + ",".join(map(str, task_ids)) + ("&" + query if query else "")
    return client.variables("/get_tasks_states_by_app/", headers=sent, query=query, **others)


def space_batch(space_id, body, content_type="application/json", headers=None, credentials=None, **others):
    """A POST for several tasks of a space, and its body: both for Responder.ask. Lists become JSON."""
    body = json.dumps({"task_ids": body}).encode() if isinstance(body, list) else body
    sent = (GOOD if credentials is None else credentials) | (headers or {})
    variables = client.variables(client.space_batch_path(space_id), **{"method": "POST", "headers": sent} | others)
    return variables | {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}, body


def digest(secret, salt=SALT):
    return hashlib.sha256(salt + secret.encode()).digest()


def app_row(code, secret, **others):
    return {"bk_app_code": code, "salt": SALT, "secret_digest": digest(secret), "previous_digest": None,
            "previous_expires_at": None, "is_enabled": True, "created_at": "2026-01-01 00:00:00"} | others


def fill(server):
    """Give a new server the tables, APP and USER."""
    server.create_database()
    server.sql(mariadb.insert("bkflow_states_app", [app_row(APP, SECRET)])
               + mariadb.insert("account_user", [{"id": 1, "username": USER, "is_active": True}]))


def start_server_with(lab, name, task_id, children, **others):
    """A new server with APP, USER and one task, whose number of children tells which server was asked."""
    server = mariadb.MariaDB(lab, name, **others).start()
    fill(server)
    world = World(server)
    world.task(id=task_id, instance_id=root_id(task_id))
    world.nodes(task_id, [node()] + [node(f"step {i}") for i in range(children)])
    return server


class OneDatabase:
    """A database with BKFlow's tables and ours, beside others of a server, and one account that reads it; with APP
    and USER."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        self._user = f"{name}_reader"
        server.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", None)
        for schema_file in ("bkflow_standin.sql", "bkflow_states.sql"):
            server.load(schema_file, name)
        for schema_file in ("grants_interface.sql", "grants_engine.sql"):
            server.sql(mariadb.grants(schema_file, self._user, mariadb.RESPONDER_PASSWORD), name)
        self.insert("bkflow_states_app", [app_row(APP, SECRET)])
        self.insert("account_user", [{"id": 1, "username": USER, "is_active": True}])

    def insert(self, table, rows):
        self.server.sql(mariadb.insert(table, rows), self.name)

    def config(self):
        return self.server.config() | {"user": self._user, "name": self.name}

    def engine_config(self):
        return {}


class World:
    """Puts templates, tasks and nodes into the database, with ids of its own."""

    def __init__(self, database):
        self._database = database
        self._ids = itertools.count(500_001)

    def template(self, bk_app_code=APP, is_deleted=False):
        template_id = next(self._ids)
        self._insert("template_template", [{"id": template_id, "is_deleted": is_deleted, "bk_app_code": bk_app_code}])
        return template_id

    def space(self, app_code=APP):
        space_id = next(self._ids)
        self._insert("space_space", [{"id": space_id, "app_code": app_code}])
        return space_id

    def task(self, nodes=(), template_id="new", **columns):
        """A started task of a template bound to APP; nodes come from node(). Returns its id."""
        task_id = next(self._ids)
        if template_id == "new":
            template_id = self.template()
        row = {"id": task_id, "space_id": 1, "instance_id": root_id(task_id), "template_id": template_id,
               "is_started": True, "is_finished": False, "is_revoked": False, "is_deleted": False,
               "is_expired": False}
        self._insert("task_taskinstance", [row | columns])
        if nodes:
            self.nodes(task_id, nodes)
        return task_id

    def nodes(self, task_id, nodes):
        """Insert eri_state rows and return them as they now stand in the table."""
        rows = [{"id": next(self._ids)} | state_row(task_id, **node) for node in nodes]
        self._insert("eri_state", rows)
        return rows

    def subtask(self, parent, name, nodes=(), **columns):
        """A task that a node of the task PARENT started, as BKFlow runs sub-processes. Returns its id."""
        task_id = self.task(nodes, template_id=None, **columns)
        self.link(parent, name, task_id)
        return task_id

    def link(self, parent, name, task_id, **extra_info):
        """The row that says which node of PARENT started a task, in which of the node's versions."""
        extra_info = {"node_id": node_id(parent, name), "node_version": "v" + md5(name)} | extra_info
        self._insert("task_taskflowrelation", [{
            "id": next(self._ids), "task_id": task_id, "parent_task_id": parent, "root_task_id": parent,
            "create_time": "2026-01-01 00:00:00", "extra_info": json.dumps(extra_info)}])

    def _insert(self, table, rows):
        self._database.insert(table, rows)


def root_id(task_id):
    return node_id(task_id, "")


def node_id(task_id, name):
    """A node's id: the root has the empty name."""
    return "n" + md5(f"{task_id}/{name}")


def md5(text):
    """32 hexadecimal digits, as BKFlow's ids have them."""
    return hashlib.md5(text.encode()).hexdigest()


def node(name="", parent="", state="FINISHED",
         started="2026-01-02 03:04:05", archived="2026-01-02 03:04:06", **columns):
    """A row of eri_state to be; a node without a name is the root, parents are meant by name."""
    return {"name": name, "parent": parent, "state": state,
            "started": started, "archived": archived, "columns": columns}


def state_row(task_id, name, parent, state, started, archived, columns):
    row = {"node_id": node_id(task_id, name), "root_id": root_id(task_id), "parent_id": node_id(task_id, parent),
           "name": state, "version": "v" + md5(name), "loop": 1, "inner_loop": 1, "retry": 0, "skip": False,
           "error_ignored": False, "created_time": "2026-01-01 00:00:00",
           "started_time": started, "archived_time": archived}
    return row | columns


def success_text(response):
    """Check the envelope of a success and return its data member as the text that was sent."""
    assert response.status == 200, response.raw
    text = response.body.decode()
    match = SUCCESS.fullmatch(text)
    assert match, text[:200] + " ... " + text[-200:]
    return match[1]


def success(response):
    return orderedjson.parse(success_text(response))


def assert_same(expected, got):
    """Two long texts. Not a bare assert: pytest would take minutes to show how megabytes differ."""
    if expected != got:
        at = len(os.path.commonprefix([expected, got]))
        around = slice(max(0, at - 60), at + 60)
        raise AssertionError(f"at {at}: expected ...{expected[around]!r}..., got ...{got[around]!r}...")


def assert_error(response, status, code, message=None):
    """The whole error envelope, its order included; returns its message."""
    assert response.status == status, response.raw
    body = orderedjson.parse(response.body)
    assert body.names() == ["result", "message", "code", "data", "trace_id"]
    assert body.value("result") is False
    assert body.value("code") == code, response.raw
    assert body.value("data") is None
    assert response.header("Content-Type") == "application/json"
    if message is not None:
        assert body.value("message") == message
    return body.value("message")


def query_credentials(code=APP, secret=SECRET, username=USER):
    return urllib.parse.urlencode({"bk_app_code": code, "bk_app_secret": secret, "bk_username": username})


def in_background(responder, variables):
    """Send a request; the function returned reads its answer."""
    connection = responder.connect()
    connection.send(fcgi.request(variables))
    return connection.response


def hold_up(database, responder, variables, count):
    """Keep COUNT workers busy with a table that the caller has locked: one request after the other, because requests
    that arrive together are one worker's. The functions returned read the answers."""
    answers = []
    for number in range(1, count + 1):
        answers.append(in_background(responder, variables))
        database.wait_until_held_up(number)
    return answers


@contextlib.contextmanager
def out_of_reach(sql, table, columns, user, why):
    """While the block runs, the table is missing, or the user may not read the columns that it was granted."""
    if why == "missing":
        hide, show = f"RENAME TABLE {table} TO hidden_table", f"RENAME TABLE hidden_table TO {table}"
    else:
        hide, show = (f"{verb} SELECT {columns} ON {table} {whom} '{user}'@'%'"
                      for verb, whom in (("REVOKE", "FROM"), ("GRANT", "TO")))
    sql(hide)
    yield
    sql(show)


@contextlib.contextmanager
def setting(server, change, back):
    """A server that is set up in another way, by SQL, and well again afterwards."""
    server.sql(change, None)
    try:
        yield
    finally:
        wait_until(lambda: can_connect(server))
        server.sql(back, None)


@contextlib.contextmanager
def all_connections_taken(server):
    with setting(server, "SET GLOBAL max_connections = 10, GLOBAL connect_timeout = 3600",
                 "SET GLOBAL max_connections = 151, GLOBAL connect_timeout = 10"), contextlib.ExitStack() as others:
        for _ in range(12):  # connections that say nothing count as well, once the server has taken them
            others.enter_context(scratch.connect(server.socket, 5.0))
        wait_until(lambda: not can_connect(server))
        yield


def can_connect(server):
    try:
        return bool(server.sql("SELECT 1", None))
    except RuntimeError:
        return False
