# SPDX-License-Identifier: MIT
"""bkflow-statesctl and the databases that it is let loose on."""

import fcntl
import itertools
import json
import os
import pty
import re
import struct
import subprocess
import termios

import support
from conftest import BUILDDIR
from lab import mariadb, scratch
from lab import responder as lab_responder

OK, FAILED, USAGE, CONFIGURATION = 0, 1, 2, 78
READER_PASSWORD, ADMIN, ADMIN_PASSWORD = "only-reads", "site_admin", "may-write"
TEMPLATE = {"id": 1, "is_deleted": False, "bk_app_code": None}
TASK = {"id": 1, "space_id": 1, "instance_id": support.root_id(1), "template_id": 1, "is_started": False,
        "is_finished": False, "is_revoked": False, "is_deleted": False, "is_expired": False}
TABLES = ("template_template", "task_taskinstance", "eri_state", "account_user", "bkflow_states_app",
          "task_taskflowrelation", "space_space")

PATH = os.path.join(os.path.abspath(BUILDDIR), "bkflow-statesctl")
_numbers = itertools.count(1)


def execute(arguments, stdin=b"", env=None, **options):
    """Run the tool to its end, in a locale with UTF-8 and without a terminal."""
    return scratch.run([PATH, *arguments], stdin, env=environment(env), **options)


def environment(env=None):
    return lab_responder.environment({"LC_ALL": "C.UTF-8"} | (env or {}))


class Site:
    """A database of its own on the shared server, with an account that reads it and one that may write.

    The schema is BKFlow's stand-in, with a template and its task; ours and the grants are there unless `bare`.
    """

    def __init__(self, server, lab, bare=False):
        self.server = server
        self.lab = lab
        self.name = f"site_{next(_numbers)}"
        self.reader = f"{self.name}_reader"
        server.sql(f"CREATE DATABASE {self.name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;"
                   f"CREATE USER '{self.reader}'@'%' IDENTIFIED BY '{READER_PASSWORD}';"
                   f"CREATE USER IF NOT EXISTS '{ADMIN}'@'%' IDENTIFIED BY '{ADMIN_PASSWORD}';"
                   f"GRANT ALL ON {self.name}.* TO '{ADMIN}'@'%'", None)
        self.load("bkflow_standin.sql")
        self.sql(mariadb.insert("template_template", [TEMPLATE]) + mariadb.insert("task_taskinstance", [TASK]))
        self.admin_password_file = self.secret_file("admin-password", ADMIN_PASSWORD + "\n")
        if not bare:
            self.load("bkflow_states.sql")
            self.load_grants()

    def sql(self, text):
        return self.server.sql(text, self.name)

    def load(self, schema_file):
        self.sql((mariadb.SCHEMA / schema_file).read_text(encoding="utf-8"))

    def load_grants(self):
        for name in ("grants_interface.sql", "grants_engine.sql"):
            self.sql(mariadb.grants(name, self.reader, READER_PASSWORD))

    def settings(self, **others):
        return {
            "auth.failure_limit": 0, "database.socket": self.server.socket,
            "database.user": self.reader, "database.password": READER_PASSWORD, "database.name": self.name,
        } | others

    def secret_file(self, stem, text):
        path = self.lab.write(stem, ".txt", text)
        path.chmod(0o600)
        return path

    def config(self, settings=None):
        return self.secret_file("ctl", lab_responder.config_text(self.settings() | (settings or {})))

    def run(self, *arguments, settings=None, **options):
        """As the configured account, which only reads."""
        return execute(["--config", self.config(settings), *arguments], **options)

    def administer(self, *arguments, **options):
        return self.run("--user", ADMIN, "--password-file", self.admin_password_file, *arguments, **options)

    def json(self, *arguments, expect=OK, **options):
        return parsed(self.run("--json", *arguments, **options), expect)

    def administer_json(self, *arguments, expect=OK, **options):
        return parsed(self.administer("--json", *arguments, **options), expect)

    def add(self, code):
        """Add an application and return its secret."""
        return self.administer_json("app", "add", "--", code)["secret"]

    def world(self):
        return support.World(_Database(self))


class _Database:
    """What support.World asks of a server."""

    def __init__(self, site):
        self._site = site

    def insert(self, table, rows):
        self._site.sql(mariadb.insert(table, rows))


def parsed(done, expect=OK):
    assert done.returncode == expect, (done.stdout, done.stderr)
    assert done.stdout.endswith(b"\n") and done.stdout.count(b"\n") == 1
    return json.loads(done.stdout)


def output(done, expect=OK):
    assert done.returncode == expect, (done.stdout, done.stderr)
    return done.stdout.decode()


def complaint(done, expect=FAILED):
    """What it says on standard error; nothing may stand on standard output then."""
    assert done.returncode == expect, (done.stdout, done.stderr)
    assert done.stdout == b""
    return done.stderr.decode()


def shown_secret(done):
    """The one secret that a text answer shows."""
    found = re.findall(r"^    (\S+)$", output(done), re.MULTILINE)
    assert len(found) == 1, done.stdout
    return found[0]


class Terminal:
    """The tool in a terminal: what is typed, and all that appears. LINES is its height; 0: unknown."""

    def __init__(self, arguments, env=None, lines=0):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", lines, 80, 0, 0))
        self._process = subprocess.Popen([PATH, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave,
                                         env=environment({"TERM": "xterm"} | (env or {})), start_new_session=True)
        os.close(slave)
        self.screen = ""

    def wait_for(self, text):
        while text not in self.screen:
            assert self._read(), f"{text!r} does not appear:\n{self.screen}"

    def type(self, text):
        os.write(self._master, text.encode())

    def finish(self):
        while self._read():
            pass
        os.close(self._master)
        return self._process.wait(timeout=30)

    def _read(self):
        try:
            got = os.read(self._master, 65536)
        except OSError:  # the other side is closed
            return False
        self.screen += got.decode()
        return bool(got)
