# SPDX-License-Identifier: MIT
"""The demo's data behind a web server, for the tests of what people and clients use."""

import contextlib
import dataclasses
import json

from lab import client, mariadb, webserver
from lab import responder as lab_responder

APP, SECRET, USER = "demo_app", "demo-secret", "demo_user"
GOOD = client.credentials(APP, SECRET, USER)
PAGE_INSTALLED = "/usr/local/share/bkflow-states/web"
# Makes the database unreachable, as far as a responder can tell.
NOWHERE = {"database.socket": "/nonexistent/mariadb.sock"}


@dataclasses.dataclass
class Demo:
    """A responder over the demo's database, and a web server in front of it."""

    database: mariadb.MariaDB
    responder: lab_responder.Responder
    server: webserver.WebServer

    @property
    def api(self):
        return self.server.url

    @property
    def page(self):
        return self.server.url.removesuffix(webserver.MOUNT) + "/bkflow-web/"

    def states(self, task_id, headers=None):
        """What a client gets for a task: (status, headers, body as JSON or None)."""
        status, got, body = self.server.get(client.states_path(task_id), GOOD | (headers or {}))
        return status, got, json.loads(body) if body else None


def start_database(lab):
    database = mariadb.MariaDB(lab, "demo").start()
    database.create_databases()
    database.load_samples()
    return database


def start_server(lab, responder, name="lighttpd"):
    return webserver.WebServer(lab, name, responder.address,
                               replacing={PAGE_INSTALLED: webserver.CONF / "web"})


@contextlib.contextmanager
def serving(lab, program, database, **settings):
    """A demo of its own, for tests that configure it or take it down."""
    responder = program.listen(lab_responder.settings_for(database, **settings))
    server = start_server(lab, responder)
    try:
        yield Demo(database, responder, server)
    finally:
        server.stop()
        responder.stop()
