# SPDX-License-Identifier: MIT
"""bkflow-states itself, started in each of the ways that the program knows."""

import contextlib
import functools
import os
import shutil
import signal
import socket
import sys
import time

from . import dbms, fcgi
from . import scratch as lab

# Takes the place of systemd: the sockets on descriptors 3, 4, ... and two variables that say so.
ACTIVATE = """
import fcntl, os, sys
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in sys.argv[1].split(",")]
for place, number in enumerate(given, 3):
    os.dup2(number, place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)))
os.execv(sys.argv[2], sys.argv[2:])
"""


def settings_for(database, **others):
    """Settings as a flat dict, "section.key" to value, that lead to a database of the lab, or its two.

    Failed logins are not slowed down unless a test asks for it: most tests that fail to log in do so
    dozens of times, and from one address."""
    reach = {f"database.{key}": value for key, value in database.config().items()}
    reach |= {f"engine_database.{key}": value for key, value in database.engine_config().items()}
    return reach | {"auth.failure_limit": 0} | others


def config_text(settings):
    sections = {}
    if "database.password" in settings:
        settings = dbms.key_settings() | settings
    for name, value in settings.items():
        section, key = name.split(".", 1)
        sections.setdefault(section, []).append(f"{key} = {value}\n")
    return "\n".join(f"[{section}]\n{''.join(lines)}" for section, lines in sections.items())


class Program:
    """The built program, and the folder for its configurations and sockets."""

    def __init__(self, scratch, builddir):
        self.scratch = scratch
        self.path = os.path.join(os.path.abspath(builddir), "bkflow-states")
        if not os.access(self.path, os.X_OK):
            raise RuntimeError(f"{self.path} is not built")

    @functools.cached_property
    def library(self):
        """Whose client library it was built with."""
        return "MySQL" if b"libmysqlclient" in lab.run(["ldd", self.path]).stdout else "MariaDB"

    def config(self, settings):
        return self.scratch.write("bkflow-states", ".conf", config_text(settings))

    def run(self, *arguments, env=None, stdin=b""):
        """Run to the end, as --check-config, --help or plain CGI do."""
        return lab.run([self.path, *arguments], stdin, env=environment(env))

    def cgi(self, settings, variables, stdin=b""):
        """One request in the plain CGI way: variables in the environment, the answer on stdout.

        The configuration is named there too: a CGI program's arguments may come from the client.
        """
        named = {"BKFLOW_STATES_CONFIG": str(self.config(settings))}
        done = self.run(env=variables | named, stdin=stdin)
        return fcgi.Response(done.stdout, done.stderr, done.returncode)

    def listen(self, settings, env=None, ready=True, wrapper=()):
        """Started with a `listen` key; a unix socket unless the settings say something else.

        `wrapper` is a command that executes the program in its own place, such as prlimit."""
        path = self.scratch.path("fcgi", ".sock")
        settings = {"server.listen": f"unix:{path}"} | settings
        config = self.config(settings)
        argv = [*wrapper, self.path, "--config", config]
        service = self.scratch.start("bkflow-states", argv, is_bounded=True, env=environment(env))
        return Responder(service, config, settings, _address(settings["server.listen"]), ready)

    def spawn_fcgi(self, settings):
        """Started by spawn-fcgi, with the listening socket on descriptor 0."""
        path = self.scratch.path("fcgi", ".sock")
        config = self.config(settings)
        argv = [lab.find_program("spawn-fcgi"), "-n", "-s", path, "--", self.path, "--config", config]
        return Responder(self.scratch.start("bkflow-states", argv, is_bounded=True), config, settings, path)

    def activate(self, settings):
        """Started as by a systemd socket unit, with LISTEN_FDS."""
        path = self.scratch.path("fcgi", ".sock")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(str(path))
            listening.listen(16)
            return self.hand_over(settings, [listening], path)

    def hand_over(self, settings, sockets, address, ready=True):
        """Started as by a systemd socket unit with these sockets, one of which has the address."""
        config = self.config(settings)
        numbers = [one.fileno() for one in sockets]
        argv = [sys.executable, "-c", ACTIVATE, ",".join(map(str, numbers)), self.path, "--config", config]
        service = self.scratch.start("bkflow-states", argv, is_bounded=True, env=environment(), pass_fds=numbers)
        return Responder(service, config, settings, address, ready)


class Responder:
    """A running responder and the way to talk to it."""

    def __init__(self, service, config_path, settings, address, ready=True):
        self.service = service
        self.config_path = config_path
        self.settings = settings
        self.address = address
        if ready:
            service.wait_until(functools.partial(lab.accepts, address))

    def connect(self):
        return fcgi.Connection(self.address)

    def ask(self, variables, stdin=b""):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(variables, stdin, keep=False)

    @property
    def log(self):
        return self.service.log

    def wait_for_log(self, text, since=0, timeout=lab.PATIENCE_SECONDS):
        """Log lines may come after the answer; `since` is a length of the log."""
        deadline = time.monotonic() + timeout
        while text not in self.log[since:]:
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} does not appear in the log:\n{self.log[since:]}")
            time.sleep(lab.POLL_SECONDS)

    def reload(self, settings):
        """Put a file with other settings in the place of the configuration and send HUP. Not into the file itself: the
        program may still be about to read it, because of an earlier HUP, and would find it empty."""
        self.settings = settings
        written = self.config_path.with_suffix(".new")
        written.write_text(config_text(settings), encoding="utf-8")
        shutil.copymode(self.config_path, written)
        written.rename(self.config_path)
        self.service.send_signal(signal.SIGHUP)

    def stop(self):
        return self.service.stop()


def environment(variables=None):
    """Our own environment without what would configure the program, and with `variables`."""
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith(("BKFLOW_STATES_", "LISTEN_"))}
    return inherited | (variables or {})


def _address(listen):
    kind, _colon, rest = listen.partition(":")
    if kind == "unix":
        return rest.split(",")[0]
    host, port = rest.rsplit(":", 1)
    return host, int(port)
