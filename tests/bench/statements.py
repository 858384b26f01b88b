# SPDX-License-Identifier: MIT
"""Learns which statements the responder runs for a request, so that the floor can run the very same."""

import re

import data

VALUE = r"('(?:[^'\\]|\\.)*'|-?[\d.]+|NULL)"
# A worker may do more for the first request of an application than for the next ones.
WARM_UP_REQUESTS = 40
LOOKS = 5

LOG_ON = "SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = 1"
LOG_OFF = "SET GLOBAL general_log = 0; TRUNCATE mysql.general_log"


def captured(database, ask):
    """The statements of one request, with :task, :root, :app and :user where those values went in.

    Nothing may have been asked before: the server logs the values of those statements only that were prepared while
    it was logging.
    """
    database.sql(LOG_ON, None)
    task_ids = data.task_ids(10)
    for task_id in task_ids[:WARM_UP_REQUESTS]:
        ask(task_id)
    prepared = _logged(database, "Prepare")
    looks = [_one_request(database, ask, task_id, prepared) for task_id in task_ids[-LOOKS:]]
    database.sql(LOG_OFF, None)
    return min(looks, key=len)


def _one_request(database, ask, task_id, prepared):
    database.sql("TRUNCATE mysql.general_log", None)
    ask(task_id)
    # Whoever was not warm yet prepared something just now.
    known = prepared + _logged(database, "Prepare")
    executed = _logged(database, "Execute")
    if not executed:
        raise RuntimeError("the responder's request left no prepared statement in the general log")
    return [_named(text, known, task_id) for text in executed]


def _logged(database, kind):
    user = database.config()["user"]
    rows = database.sql(
        "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log "
        f"WHERE command_type = '{kind}' AND user_host LIKE '{user}[%'", None)
    return [_unescaped(text) for text, in rows]


def _unescaped(text):
    """mariadb --batch writes these three as escapes."""
    return text.replace("\\n", " ").replace("\\t", " ").replace("\\\\", "\\")


def _named(executed, prepared, task_id):
    """The prepared text this came from, each ? replaced by the parameter's name or else by its value."""
    for text in prepared:
        pieces = text.split("?")
        found = re.fullmatch(VALUE.join(map(re.escape, pieces)), executed, re.DOTALL)
        if found:
            names = [_name(value, task_id) for value in found.groups()] + [""]
            return "".join(piece + name for piece, name in zip(pieces, names))
    raise RuntimeError(f"no prepared statement gives: {executed}")


def _name(value, task_id):
    names = {f"'{data.APP_CODE}'": ":app", f"'{data.USERNAME}'": ":user", f"'{data.root_of(task_id)}'": ":root",
             str(task_id): ":task"}
    # The log cannot show bytes; the only bytes that a request has are the digest of its secret.
    return f"x'{data.secret_digest()}'" if "\\x" in value else names.get(value, value)
