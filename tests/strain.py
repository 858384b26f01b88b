#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Everything that threads share, at once: a responder with a real database under load, to be watched by a tool.

Clients on kept connections and on single ones ask for all samples, with good credentials, bad ones and tokens,
read the metrics, send rubbish, and hang up; others wait for changes, which come all the time, or change their mind;
meanwhile the configuration is loaded anew and the log is rotated, and at the end the responder is told to stop while
they go on. Every answer must be one that the sample deserves.
The tool is ThreadSanitizer where the program is built with it, or what --under names, such as valgrind: it must
have nothing to report.
"""

import argparse
import itertools
import os
import pathlib
import random
import re
import shlex
import signal
import sys
import threading
import time

from lab import client, fcgi, jwt, mariadb, responder, scratch

APP, SECRET, USER = "demo_app", "demo-secret", "demo_user"
GOOD = client.credentials(APP, SECRET, USER)
GUESSED = client.credentials("guessed_app", "guess", USER)
# The sample tasks, and what asking for one is answered.
SAMPLES = {1: 200, 2: 200, 3: 200, 4: 200, 5: 200, 6: 404, 7: 403, 8: 403, 9: 404, 10: 404}
RUBBISH = (b"GET / HTTP/1.1\r\n\r\n", fcgi.begin(keep=True), fcgi.record(fcgi.GET_VALUES),
           fcgi.request({"REQUEST_METHOD": "GET"}, keep=True)[:-9], fcgi.record(99, request_id=0))
FOUND = re.compile(r"WARNING: ThreadSanitizer|ERROR: \w+Sanitizer|runtime error:|^==\d+== .*(?:Invalid|lost: [1-9]|"
                   r"uninitialised)", re.MULTILINE)
# No worker was free for a second, or the database took long to connect to: under a tool, on a loaded machine,
# that may happen now and then.
BUSY = (50301, 50302)
ENDED = (fcgi.Hangup, ConnectionError, FileNotFoundError)


def main():
    options = parse_arguments()
    with scratch.Scratch() as folder:
        strain = Strain(folder, options)
        try:
            strain.run(options.seconds)
        finally:
            strain.end()
    for mistake in strain.mistakes:
        print(f"WRONG: {mistake}", file=sys.stderr)
    print(f"{strain.answers} answers, {strain.reloads} reloads: {len(strain.mistakes)} mistakes")
    return 1 if strain.mistakes else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--builddir", required=True, help="the folder with the built bkflow-states")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long the clients ask (8)")
    parser.add_argument("--under", default="", help="a tool and its arguments to run the responder under")
    return parser.parse_args()


class Watched(responder.Program):
    """The program, run under a tool."""

    def __init__(self, folder, options):
        super().__init__(folder, options.builddir)
        if options.under:
            starter = folder.write("under", ".sh", f'#!/bin/sh\nexec {options.under} {shlex.quote(self.path)} "$@"\n')
            starter.chmod(0o755)
            self.path = str(starter)


class Strain:
    def __init__(self, folder, options):
        database = mariadb.MariaDB(folder).start()
        database.create_databases()
        database.load_samples()
        self.database = database
        key = jwt.Key(folder, "P-256")
        self.log_path = folder.path("responder", ".log")
        self.settings = responder.settings_for(database, **{
            "server.workers": 4, "auth.failure_limit": 20, "auth.gateway": "on", "auth.gateway_key_main": key.public_path,
            "auth.gateway_algorithms": "ES256", "log.target": f"file:{self.log_path}", "log.access": "on"})
        self.responder = Watched(folder, options).listen(self.settings)
        self.requests = make_requests(key)
        self.mistakes = []
        self.reloads = 0
        self.is_over = threading.Event()
        self.is_stopping = threading.Event()
        self.clients = [*(Client(self, number) for number in range(8)),
                        *(WaitingClient(self, number) for number in range(8, 14))]

    @property
    def answers(self):
        return sum(each.answers for each in self.clients)

    def run(self, seconds):
        for each in self.clients:
            each.start()
        until = time.monotonic() + seconds
        for change in itertools.cycle(({"log.level": "debug"}, {"response.language": "zh-cn"}, {"server.workers": "many"},
                                       {"auth.failure_limit": 5}, {"log.format": "json"})):
            if time.monotonic() > until:
                break
            self.rotate()
            self.responder.reload(self.settings | change)
            self.reloads += 1
            self.database.engine_sql("UPDATE eri_state SET retry = retry + 1 WHERE id % 2")
            time.sleep(0.25)

    def rotate(self):
        if self.log_path.exists():
            os.replace(self.log_path, f"{self.log_path}.1")

    def end(self):
        """TERM while the clients ask: what they have asked is answered, and the process ends with 0."""
        self.is_stopping.set()
        status = self.responder.service.stop(signal.SIGTERM, timeout=60)
        self.is_over.set()
        for each in self.clients:
            if each.is_alive():
                each.join()
        if status != 0:
            self.mistakes.append(f"the responder ended with {status}")
        texts = [self.responder.log, *(path.read_text() for path in pathlib.Path(self.log_path).parent.glob("responder*"))]
        reports = [text for text in texts if FOUND.search(text)]
        self.mistakes += [f"a report:\n{text[-8000:]}" for text in reports]
        busy = sum(each.busy for each in self.clients)
        if self.answers < 100 or busy > self.answers / 10:
            self.mistakes.append(f"only {self.answers} answers, {busy} of them 503")


def make_requests(key):
    """Requests as variables, each with the statuses that it may be answered."""
    now = time.time()
    token = key.token({"exp": now + 3600, "iat": now, "app": {"app_code": APP, "verified": True},
                       "user": {"username": USER, "verified": True}}, "ES256")
    requests = []
    for task, status in SAMPLES.items():
        path = client.states_path(task)
        requests += [(client.variables(path, headers=GOOD), (status,)),
                     (client.variables(path, headers={"X-Bkapi-JWT": token}), (status,))]
    path = client.states_path(2)
    return requests + [
        (client.variables(path, headers=GOOD | {"If-None-Match": "*"}), (304,)),
        (client.variables(path, method="HEAD", headers=GOOD), (200,)),
        # Guessing comes from another address: it is slowed down there, and nobody else is.
        (client.variables(path, headers=GUESSED, address="192.0.2.7"), (401, 429)),
        (client.variables(path, headers={"X-Bkapi-JWT": token[:-4] + "AAAA"}, address="192.0.2.8"), (401, 429)),
        (client.variables("/metrics"), (200,)),
        (client.variables("/readyz"), (200,)),
        (client.variables("/healthz"), (200,)),
        (client.variables("/unknown"), (404,)),
    ]


class Client(threading.Thread):
    """Asks until all is over, on one kept connection or on a new one each time."""

    def __init__(self, strain, number):
        super().__init__(daemon=True)
        self._strain = strain
        self._keeps = number % 2 == 0
        self._chance = random.Random(number)
        self._connection = None
        self.answers = 0
        self.busy = 0

    def run(self):
        while not self._strain.is_over.is_set():
            try:
                self._step()
            except ENDED as end:
                self._hang_up()
                if not self._strain.is_stopping.is_set():
                    self._strain.mistakes.append(f"cut off: {end!r}")
            except Exception as failure:  # pylint: disable=broad-except
                self._hang_up()
                self._strain.mistakes.append(repr(failure))
                return

    def _step(self):
        if self._chance.random() < 0.05:
            self._send_rubbish()
            return
        self._connection = self._connection or fcgi.Connection(self._strain.responder.address, timeout=60)
        variables, statuses = self._chance.choice(self._strain.requests)
        answer = self._connection.ask(variables, keep=self._keeps)
        if answer.status == 503 and answer.json["code"] in BUSY:
            self.busy += 1
        elif answer.status not in statuses:
            self._strain.mistakes.append(f"{variables['PATH_INFO']}: {answer.status}, not {statuses}: {answer.body[:300]}")
        self.answers += 1
        if not self._keeps:
            self._hang_up()

    def _send_rubbish(self):
        with fcgi.Connection(self._strain.responder.address) as connection:
            connection.send(self._chance.choice(RUBBISH))

    def _hang_up(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class WaitingClient(Client):
    """Waits for changes; sometimes it asks something else meanwhile, aborts its request, or hangs up."""

    def _step(self):
        self._connection = self._connection or fcgi.Connection(self._strain.responder.address, timeout=60)
        path = client.states_path(self._chance.choice((1, 2, 3, 4, 5)))
        version = self._connection.ask(client.variables(path, headers=GOOD)).header("X-States-Version")
        wait = self._chance.choice(("20ms", "200ms", "2s"))
        variables = client.variables(path, query=f"wait={wait}&version={version or 'busy'}", headers=GOOD)
        self._connection.send(fcgi.request(variables, keep=True))
        self._chance.choice((self._read, self._read, self._read, self._interrupt, self._abort, self._hang_up))()

    def _read(self):
        answer = self._connection.response()
        self.answers += 1
        if answer.status == 503:
            self.busy += 1
        elif answer.status != 200:
            self._strain.mistakes.append(f"waiting: {answer.status}: {answer.body[:300]}")

    def _interrupt(self):
        time.sleep(self._chance.choice((0, 0.01)))
        self._connection.send(fcgi.request(client.variables("/healthz"), keep=True))
        self._read()
        self._read()

    def _abort(self):
        """The answer may be on its way already: the connection is of no further use then."""
        time.sleep(self._chance.choice((0, 0.01)))
        self._connection.send(fcgi.record(fcgi.ABORT_REQUEST))
        if self._connection.record().type != fcgi.END_REQUEST:
            self._hang_up()


if __name__ == "__main__":
    sys.exit(main())
