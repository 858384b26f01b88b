# SPDX-License-Identifier: MIT
"""How long a refusal takes, on a task that is very large: no longer for one who guesses right in part."""

import hashlib
import json
import statistics
import time

import data
from lab import fcgi, mariadb

REQUESTS = 400
OTHER_APP, OTHER_SECRET = "other_app", "other-secret-0123456789abcdef0123456789"
UNBOUND_TASK, UNBOUND_TEMPLATE = 600000, 600000


def _fill(database):
    """The other application, and a task of a template that is bound to none, with the rows of a small one."""
    digest = hashlib.sha256(data.SALT + OTHER_SECRET.encode()).digest()
    row = {"salt": data.SALT, "secret_digest": digest, "description": "", "created_at": "2026-01-01 00:00:00",
           "rotated_at": "2026-01-01 00:00:00"}
    database.sql(
        mariadb.insert("bkflow_states_app", [
            row | {"bk_app_code": OTHER_APP, "is_enabled": True}, row | {"bk_app_code": "disabled", "is_enabled": False}])
        + mariadb.insert("template_template", [{"id": UNBOUND_TEMPLATE, "is_deleted": False, "bk_app_code": None}])
        + mariadb.insert("task_taskinstance", [{
            "id": UNBOUND_TASK, "space_id": 1, "instance_id": data.root_of(UNBOUND_TASK),
            "template_id": UNBOUND_TEMPLATE, "is_started": True, "is_finished": False, "is_revoked": False,
            "is_deleted": False, "is_expired": False}]))


def _request(task_id, code, secret, user):
    credentials = json.dumps({"bk_app_code": code, "bk_app_secret": secret, "bk_username": user})
    return fcgi.request({
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "PATH_INFO": f"/task/{task_id}/get_task_states_by_app/", "HTTP_X_BKAPI_AUTHORIZATION": credentials}, keep=True)


def _seconds(connection, request, status):
    before = time.perf_counter()
    connection.send(request)
    answer = connection.response()
    if answer.status != status:
        raise RuntimeError(f"{answer.status} instead of {status}: {answer.raw[:300]}")
    return time.perf_counter() - before


def measure(database, responder, say):
    _fill(database)
    large = data.task_ids(100000)[0]
    good = (data.APP_CODE, data.APP_SECRET, data.USERNAME)
    cases = {
        "unknown application": (large, "nobody", data.APP_SECRET, data.USERNAME, 401),
        "wrong secret": (large, data.APP_CODE, "wrong", data.USERNAME, 401),
        "disabled application": (large, "disabled", OTHER_SECRET, data.USERNAME, 401),
        "unknown user": (large, data.APP_CODE, data.APP_SECRET, "nobody", 401),
        "no such task": (9223372036854775807, *good, 404),
        "unbound template": (UNBOUND_TASK, *good, 403),
        "other application": (large, OTHER_APP, OTHER_SECRET, data.USERNAME, 403),
    }
    say(f"{len(cases)} refusals")
    requests = {name: (_request(*case), status) for name, (*case, status) in cases.items()}
    taken = {name: [] for name in cases}
    with responder.connect() as connection:
        for _ in range(REQUESTS):  # in turn, so that what else the machine does falls on all alike
            for name, request in requests.items():
                taken[name].append(_seconds(connection, *request))
    return {name: statistics.median(seconds) * 1e6 for name, seconds in taken.items()}
