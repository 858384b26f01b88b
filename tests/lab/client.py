# SPDX-License-Identifier: MIT
"""What a web server hands over: a client's request as CGI variables."""

import json


def variables(path, method="GET", query="", headers=None, address="127.0.0.1"):
    """The variables of one request; `headers` are the client's own, by their HTTP names."""
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "/bkflow",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": "/bkflow" + path + ("?" + query if query else ""),
        "REMOTE_ADDR": address,
        "REMOTE_PORT": "40000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "CONTENT_LENGTH": "0",
        **{header_variable(name): value for name, value in (headers or {}).items()},
    }


def header_variable(name):
    return "HTTP_" + name.upper().replace("-", "_")


def states_path(task_id):
    return f"/task/{task_id}/get_task_states_by_app/"


def space_states_path(space_id, task_id):
    return f"/space/{space_id}/task/{task_id}/get_task_states/"


def space_batch_path(space_id):
    return f"/space/{space_id}/get_tasks_states/"


def authorization(code, secret, username):
    """The preferred way to give credentials: one header that holds a JSON object."""
    return json.dumps({"bk_app_code": code, "bk_app_secret": secret, "bk_username": username})


def credentials(code, secret, username):
    return {"X-Bkapi-Authorization": authorization(code, secret, username)}
