#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Load with faults for as long as asked: every answer the right one to the byte, memory and descriptors flat.

    soak.py --builddir DIR --seconds N

The load comes over the FastCGI socket, on kept and on new connections, and through nginx. Meanwhile the
configuration is reloaded, the log rotated, database connections are killed, the database is restarted, clients
abort, send halves of requests, garbage, or do not read. Further clients wait for changes at a responder that is
restarted and killed (soak_waiting.py). Only while the database is away may a request fail, and
then only with an answer that says so. The exit code tells whether all of it held.
"""

import argparse
import collections
import contextlib
import dataclasses
import http.client
import os
import random
import re
import select
import signal
import statistics
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import soak_waiting
import support
from lab import client, fcgi, mariadb, scratch, webserver
from lab import responder as lab_responder

WORKERS = 4
CLIENT_TIMEOUT = 2
# What a loaded machine may take on top of a time limit.
SLACK = 20
PAUSE = 0.006
# After the database is back, every worker has to have found that out.
RECOVERY = 3.0
PROGRESS_SECONDS = 10
# Beyond the baseline: what load and faults have open at a time.
DESCRIPTORS_OF_CLIENTS = 100
MEMORY_SLACK_KB = 3072  # what the arenas of all workers keep, where not all had a large task early
UNAVAILABLE = (503, 504)
TRACE_ID = "soak"
SIZES = (2, 30, 300)


@dataclasses.dataclass
class Sample:
    elapsed: float
    memory_kb: int
    descriptors: int
    threads: int


class Tally:
    """What the load's threads found; windows are the times in which failures are excused."""

    def __init__(self, done):
        self._lock = threading.Lock()
        self._done = done
        self.began = time.monotonic()
        self.answers = {"kept": 0, "new": 0, "nginx": 0, "waiting": 0}
        self.failures = []  # (started, ended, what)
        self.windows = []  # (begin, end, why)
        self.mistakes = []  # what was found wrong with the faults

    def right(self, way):
        with self._lock:
            self.answers[way] += 1

    def failed(self, way, started, what):
        with self._lock:
            self.failures.append((started, time.monotonic(), f"{way}: {what}"))

    @contextlib.contextmanager
    def window(self, why):
        """Failures of requests that overlap this block, or the time of recovery behind it, are excused."""
        started = time.monotonic()
        self.windows.append((started, float("inf"), why))
        yield
        before = dict(self.answers)
        expect(lambda: self._done.is_set() or all(n >= before[way] + WORKERS for way, n in self.answers.items()),
               "it does not recover")
        self.windows[-1] = (started, time.monotonic() + RECOVERY, why)

    def judged(self):
        """Why each failure is excused, or None, with what it was."""
        return [(self._excuse(started, ended, what), f"after {started - self.began:.2f} to {ended - self.began:.2f} s {what}")
                for started, ended, what in list(self.failures)]

    def unexcused(self):
        return [what for excuse, what in self.judged() if excuse is None]

    def _excuse(self, started, ended, what):
        if what.startswith("wrong") or "answered" not in what:
            return None
        # Where windows overlap, the one named last in the alphabet: a restart explains more than a kill.
        return max((why for begin, end, why in list(self.windows) if started < end and ended > begin), default=None)


class Soak:
    """Database, responder, nginx, load and faults."""

    def __init__(self, lab, builddir, seconds, waiting):
        self.seconds = seconds
        self.done = threading.Event()
        self.tally = Tally(self.done)
        self.all_injected = threading.Event()  # each kind of fault, once
        self.samples = []
        self.log_lines = 0
        self.lab = lab
        self.database = start_database(lab)
        world = support.World(self.database)
        self.tasks = [world.task([support.node(), *(support.node(f"step {i}") for i in range(size - 1))])
                      for size in SIZES]
        self.large_task = world.task([support.node(), *(support.node(f"step {i}") for i in range(3_000))])
        self.log_path = lab.path("responder", ".log")
        self.program = lab_responder.Program(lab, builddir)
        self.responder = self.program.listen(lab_responder.settings_for(self.database, **{
            "server.workers": WORKERS, "server.client_timeout": f"{CLIENT_TIMEOUT}s",
            "log.target": f"file:{self.log_path}", "log.access": "on"}))
        self.pid = self.responder.service.pid
        # What is open at the start, and a database connection for each worker later. It listens before all else is open.
        assert self.responder.ask(client.variables("/healthz")).status == 200
        self.idle_descriptors = count_descriptors(self.pid) + WORKERS
        self.nginx = webserver.WebServer(lab, "nginx", fcgi_socket=self.responder.address)
        self.variables = [support.states(task, {"X-Request-Id": TRACE_ID}) for task in self.tasks]
        self.expected = [self._expect(variables) for variables in self.variables]
        warm_up(self.responder, self.variables[0])
        self.crowd = soak_waiting.Crowd(lab, self.program, self.database, world,
                                        lab_responder.settings_for(self.database), waiting)

    def _expect(self, variables):
        response = self.responder.ask(variables)
        support.success(response)
        return response

    def run(self):
        threads = [threading.Thread(target=target) for target in (
            lambda: self._load("kept", self._kept()), lambda: self._load("kept", self._kept()),
            lambda: self._load("new", self._new), lambda: self._load("nginx", self._through_nginx()), self._watch)]
        threads += self.crowd.threads(lambda started, what: self.tally.failed("waiting", started, what),
                                      lambda: self.tally.right("waiting"))
        for thread in threads:
            thread.start()
        try:
            # In this thread: what a thread has started, here the database, is killed when that thread ends.
            Faults(self).run()
            self.crowd.settle()
        finally:
            self.done.set()
            self.crowd.end()
            for thread in threads:
                thread.join()
            self.crowd.close()

    # ---- load ----

    def _load(self, way, ask):
        source = random.Random(way)
        while not self.done.is_set():
            number = source.randrange(len(self.tasks))
            started = time.monotonic()
            try:
                status, is_right, body = ask(number)
            except Exception as failure:
                self.tally.failed(way, started, f"no answer: {failure!r}")
            else:
                if is_right:
                    self.tally.right(way)
                elif status in UNAVAILABLE:
                    self.tally.failed(way, started, f"answered {status} {body[:200]}")
                else:
                    self.tally.failed(f"wrong {way}", started, f"answered {status} {body[:200]}")
            time.sleep(PAUSE)

    def _kept(self):
        connection = self.responder.connect()

        def ask(number):
            response = connection.ask(self.variables[number])
            return response.status, response.raw == self.expected[number].raw, response.body
        return ask

    def _new(self, number):
        response = self.responder.ask(self.variables[number])
        return response.status, response.raw == self.expected[number].raw, response.body

    def _through_nginx(self):
        connection = self.nginx.connect()
        headers = support.GOOD | {"X-Request-Id": TRACE_ID}

        def ask(number):
            try:
                connection.request("GET", self.nginx.mount + client.states_path(self.tasks[number]), headers=headers)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()  # the next request opens it anew
                raise
            return answer.status, body == self.expected[number].body, body
        return ask

    # ---- watching ----

    def _watch(self):
        try:
            self._watch_until_time_is_over()
        finally:
            self.done.set()

    def _watch_until_time_is_over(self):
        started = time.monotonic()
        told = 0
        while self.responder.service.running and not self.done.is_set():
            elapsed = time.monotonic() - started
            if elapsed >= self.seconds and (self.all_injected.is_set() or elapsed > self.seconds + 5 * SLACK):
                break
            self.samples.append(take_sample(self.pid, elapsed))
            if elapsed - told >= PROGRESS_SECONDS:
                told = elapsed
                self._tell_progress()
            self.done.wait(min(1.0, self.seconds / 50))

    def _tell_progress(self):
        last = self.samples[-1]
        unexcused = len(self.tally.unexcused())
        print(f"{last.elapsed:6.0f} s  {sum(self.tally.answers.values()):8d} right  "
              f"{len(self.tally.failures) - unexcused:5d} excused  {unexcused:3d} wrong  "
              f"{last.memory_kb:6d} kB  {last.descriptors:3d} descriptors  {last.threads} threads", flush=True)

    # ---- judging ----

    def judge(self):
        """A list of what did not hold; empty is good."""
        wrong = self.tally.unexcused()[:10] + self.tally.mistakes[:10] + self.crowd.mistakes[:10]
        if not self.responder.service.running:
            return [*wrong, f"the responder ended: {self.responder.log}"]
        self.nginx.stop()
        if not scratch.becomes_true(lambda: count_descriptors(self.pid) <= self.idle_descriptors, SLACK):
            wrong.append(f"{count_descriptors(self.pid)} descriptors are open, {self.idle_descriptors} at the start")
        most = max(sample.descriptors for sample in self.samples)
        if most > self.idle_descriptors + DESCRIPTORS_OF_CLIENTS:
            wrong.append(f"{most} descriptors were open at a time")
        if not self.all_injected.is_set():
            wrong.append(f"not all faults were injected: {self.faults}")
        if not min(self.tally.answers.values()):
            wrong.append(f"no right answer at all one of the ways: {self.tally.answers}")
        wrong += self._judge_memory() + self._judge_log()
        if (status := self.responder.stop()) != 0 or "Sanitizer" in self.responder.log:
            wrong.append(f"the responder ended with {status}: {self.responder.log}")
        return wrong

    def memory(self):
        """Medians of the second and of the last quarter: by the second one all that stays has been allocated."""
        quarter = max(1, len(self.samples) // 4)
        return [int(statistics.median(sample.memory_kb for sample in part))
                for part in (self.samples[quarter:2 * quarter] or self.samples, self.samples[-quarter:])]

    def _judge_memory(self):
        early, late = self.memory()
        if late <= early * 1.05 + MEMORY_SLACK_KB or is_sanitized(self.program.path):
            return []
        return [f"memory has grown from {early} to {late} kB"]

    def _judge_log(self):
        """Every request has its line, in one of the files that were rotated."""
        metrics = self.responder.ask(client.variables("/metrics")).body.decode()
        counted = sum(int(n) for n in re.findall(r"^bkflow_states_requests_total\{.*\} (\d+)$", metrics, re.MULTILINE))
        lost = re.search(r"^bkflow_states_log_lost_total (\d+)$", metrics, re.MULTILINE)[1]

        def lines():
            return self.log_lines + count_requests(self.log_path)
        # The scrape itself is logged as well.
        if not scratch.becomes_true(lambda: lines() == counted + 1, SLACK) or lost != "0":
            return [f"{counted + 1} requests, {lines()} lines in the log, {lost} lost"]
        return []


class Faults:
    """Injects one fault after the other until the soak is done."""

    def __init__(self, soak):
        self.soak = soak
        self.responder = soak.responder
        self.tally = soak.tally
        self.counts = soak.faults = {}
        self.diary = soak.diary = []
        self.open = []  # (by when the responder has to have ended it, connection)
        self._deaf = []  # the sockets of those that do not read
        self._reloads = 0

    def run(self):
        often = [self.reload, self.rotate, self.kill_connections, self.abort, self.abort_at_nginx, self.hang_up,
                 self.half_sent, self.deaf, self.garbage, self.restart_waiting, self.kill_waiting, self.reload_waiting]
        # Each once, whatever the time; the restart early, so that a short run sees the recovery.
        plan = [*often[:3], self.restart_database, *often[3:]]
        source = random.Random(6)
        pause = min(1.5, self.soak.seconds / 40)
        next_restart = time.monotonic() + 60
        while not self.soak.done.wait(pause):
            fault = plan.pop(0) if plan else source.choice(often)
            if time.monotonic() > next_restart:
                fault, next_restart = self.restart_database, time.monotonic() + 60
            self._inject(fault)
            if not plan:
                self.soak.all_injected.set()
        self._expect_ended(wait=True)

    def _inject(self, fault):
        self.counts[fault.__name__] = self.counts.get(fault.__name__, 0) + 1
        started = time.monotonic() - self.tally.began
        try:
            fault()
            self._expect_ended()
        except Exception as failure:
            self.tally.mistakes.append(f"{fault.__name__}: {failure!r}")
        self.diary.append(f"{started:.2f} to {time.monotonic() - self.tally.began:.2f} s {fault.__name__}")

    def reload(self):
        """One of the keys alternates."""
        self._reloads += 1
        size = len(read(self.soak.log_path))
        self.responder.reload(self.responder.settings | {"response.language": ("en", "zh-cn")[self._reloads % 2]})
        expect(lambda: "reloaded" in read(self.soak.log_path)[size:], "the reload is not logged")

    def rotate(self):
        """As logrotate does: the file is moved away, HUP makes a new one."""
        moved = self.soak.log_path.with_suffix(".1")
        os.rename(self.soak.log_path, moved)
        self.responder.service.send_signal(signal.SIGHUP)
        expect(lambda: self.soak.log_path.exists() and "reloaded" in read(self.soak.log_path), "no new log file")
        self.soak.log_lines += count_requests(moved)
        moved.unlink()

    def kill_connections(self):
        with self.tally.window("connections killed"):
            self.soak.database.kill_connections()
            self._use_every_worker()

    def restart_database(self):
        with self.tally.window("database restarted"):
            self.soak.database.stop()
            time.sleep(0.5)
            self.soak.database.start()
            expect(lambda: self.responder.ask(client.variables("/readyz")).status == 200, "it does not recover")
            self._use_every_worker()

    def restart_waiting(self):
        self.soak.crowd.restart()

    def kill_waiting(self):
        self.soak.crowd.kill()

    def reload_waiting(self):
        self.soak.crowd.reload()

    def _use_every_worker(self):
        """Each finds out that its connection is gone, and makes another, while failures are excused."""
        for _ in range(5):
            with contextlib.ExitStack() as stack:
                connections = [stack.enter_context(self.responder.connect()) for _ in range(4 * WORKERS)]
                for connection in connections:
                    connection.send(fcgi.request(self.soak.variables[0]))
                for connection in connections:
                    connection.response()

    def abort(self):
        """ABORT_REQUEST in the variables, in the body and during the answer; then the connection goes on."""
        variables = fcgi.pairs(self.soak.variables[0])
        with self.responder.connect() as connection:
            for part in (fcgi.record(fcgi.PARAMS, variables[:100]), fcgi.stream(fcgi.PARAMS, variables),
                         fcgi.stream(fcgi.PARAMS, variables) + fcgi.record(fcgi.STDIN, b"half")):
                connection.send(fcgi.begin(True) + part + fcgi.record(fcgi.ABORT_REQUEST))
                if connection.response().raw != b"":
                    raise AssertionError("an aborted request was answered")
            connection.send(fcgi.request(support.states(self.soak.large_task), keep=True))
            connection.send(fcgi.record(fcgi.ABORT_REQUEST))
            connection.response()

    def abort_at_nginx(self):
        for _ in range(5):
            with scratch.connect(("127.0.0.1", self.soak.nginx.port), timeout=SLACK) as stream:
                path = self.soak.nginx.mount + client.states_path(self.soak.large_task)
                headers = "".join(f"{name}: {value}\r\n" for name, value in support.GOOD.items())
                stream.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())

    def hang_up(self):
        for part in (0, 5, 16, 100, None):
            with self.responder.connect() as connection:
                connection.send(fcgi.request(support.states(self.soak.large_task), keep=True)[:part])

    def half_sent(self):
        whole = fcgi.request(self.soak.variables[0], keep=True)
        for part in (3, 16, 150, -8):
            self._keep_open(whole[:part])

    def deaf(self):
        """Fewer at a time than there are workers, so that the load is to notice nothing."""
        expect(lambda: all(is_over(stream) for stream in self._deaf), "the deaf hold workers for ever")
        self._deaf = [self._keep_open(fcgi.request(support.states(self.soak.large_task), keep=True))
                      for _ in range(WORKERS - 2)]

    def garbage(self):
        source = random.Random(self.counts["garbage"])
        whole = bytearray(fcgi.request(self.soak.variables[0], keep=True))
        for _ in range(10):
            broken = bytearray(whole)
            for _ in range(source.randint(1, 8)):
                broken[source.randrange(len(broken))] = source.randrange(256)
            with self.responder.connect() as connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(broken)
        with self.responder.connect() as connection:
            name_too_long = struct.pack(">I", 0xfffffffe) + b"\0"
            connection.send(fcgi.begin(True) + fcgi.stream(fcgi.PARAMS, name_too_long) + fcgi.record(fcgi.STDIN))
            if connection.response().status != 400:
                raise AssertionError("variables that are none were not refused")

    def _keep_open(self, sent):
        connection = self.responder.connect()
        connection.send(sent)
        self.open.append((time.monotonic() + CLIENT_TIMEOUT + SLACK, connection))
        return connection.socket

    def _expect_ended(self, wait=False):
        """Connections whose time is over have been ended by the responder, without our reading anything before."""
        while self.open and (wait or self.open[0][0] < time.monotonic()):
            due, connection = self.open.pop(0)
            with connection:
                if not scratch.becomes_true(lambda: has_hung_up(connection.socket), due - time.monotonic()):
                    self.tally.mistakes.append("a connection was not ended when its time was over")


def start_database(lab):
    server = mariadb.MariaDB(lab, "soak").start()
    support.fill(server)
    return server


def warm_up(responder, variables):
    """Every worker has its database connection then."""
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(responder.connect()) for _ in range(4 * WORKERS)]
            for connection in connections:
                connection.send(fcgi.request(variables))
            for connection in connections:
                support.success(connection.response())


def is_over(stream):
    return stream.fileno() < 0 or has_hung_up(stream)


def has_hung_up(stream):
    """Without reading: what is left of an answer stays where it is."""
    poll = select.poll()
    poll.register(stream, 0)
    return bool(poll.poll(0))


def take_sample(pid, elapsed):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        memory = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return Sample(elapsed, memory, count_descriptors(pid), len(os.listdir(f"/proc/{pid}/task")))


def count_descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def count_requests(path):
    """Access lines in a log file. An event that says why requests were refused begins alike."""
    text = read(path)
    return text.count(" info: request ") - text.count(" info: request refused ")


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def is_sanitized(path):
    with open(path, "rb") as file:
        return re.search(rb"__[almt]san_init", file.read()) is not None


def expect(condition, what):
    if not scratch.becomes_true(condition, SLACK):
        raise AssertionError(what)


def summary(soak):
    early, late = soak.memory()
    answers = soak.tally.answers
    excused = collections.Counter(excuse for excuse, _what in soak.tally.judged())
    rows = [
        ("seconds", f"{soak.samples[-1].elapsed:.0f}"),
        ("right answers", f"{sum(answers.values())} ({', '.join(f'{way} {n}' for way, n in answers.items())})"),
        ("503 or 504 around a database restart", f"{excused['database restarted']}"),
        ("503 or 504 around killed connections", f"{excused['connections killed']}"),
        ("wrong or missing answers", f"{excused[None]}"),
        ("waiting clients", ", ".join(f"{n} {what}" for what, n in sorted(soak.crowd.counts.items()))),
        ("memory (PSS), second quarter and last", f"{early} kB, {late} kB"),
        ("descriptors, idle and at most", f"{soak.idle_descriptors}, {max(s.descriptors for s in soak.samples)}"),
        *((f"fault: {name.replace('_', ' ')}", f"{count} times") for name, count in sorted(soak.faults.items())),
    ]
    width = max(len(name) for name, _value in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


def soak_for(lab, builddir, seconds, waiting=2000):
    """Returns what did not hold, as a list of sentences."""
    soak = Soak(lab, builddir, seconds, waiting)
    soak.run()
    wrong = soak.judge()
    print(summary(soak))
    if wrong:
        print("The last faults: " + ", ".join(soak.diary[-5:]))
        print("The responder's log, without access lines and what was rotated away:")
        print("\n".join(line for line in read(soak.log_path).splitlines() if " info: request " not in line))
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builddir", default=".")
    parser.add_argument("--seconds", type=float, default=1200)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with scratch.Scratch() as lab:
        wrong = soak_for(lab, arguments.builddir, arguments.seconds)
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    print("soak: it did not hold" if wrong else "soak: all held")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
