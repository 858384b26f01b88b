# SPDX-License-Identifier: MIT
"""Drives the generators and reads what a run costs the processes that serve it."""

import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PSS_INTERVAL_SECONDS = 0.1
WRK_THREADS = 2


def family(pid):
    """A process and its children, which is how web servers and PHP-FPM work."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(grandchild for child in children for grandchild in family(int(child)))]


def cpu_seconds(pids):
    """Clock of each process in nanoseconds; /proc/PID/stat counts the same in hundredths of a second."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def pss_bytes(pids):
    """Proportional set size: memory of its own, and a share of what it shares."""
    total = 0
    for pid in pids:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        total += int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024
    return total


class PeakPss:
    """The largest PSS seen while the block runs."""

    def __init__(self, pids, interval=PSS_INTERVAL_SECONDS):
        self.peak = 0
        self._pids, self._interval = pids, interval
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _watch(self):
        while not self._end.is_set():
            self.peak = max(self.peak, pss_bytes(self._pids))
            self._end.wait(self._interval)


class Bystanders:
    """What share of the machine neither we nor what we measure has used."""

    def __init__(self, watched):
        self._pids = [pid for pids in watched.values() for pid in pids]
        self._start = time.monotonic()
        self._before = self._used()

    def _used(self):
        fields = pathlib.Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[1:9])
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        own = sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
                  for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return busy - own - cpu_seconds(self._pids)

    def share(self):
        elapsed = time.monotonic() - self._start
        return max(0.0, (self._used() - self._before) / elapsed / os.cpu_count())


class NotMeasured(Exception):
    """A run without a usable result."""


def run(argv, watched, env=None):
    """Run a generator; WATCHED names pids whose CPU is counted. Returns its figures and theirs per request."""
    peak, bystanders = PeakPss(watched.get("responder", [])), Bystanders(watched)
    with peak, subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=os.environ | (env or {})) as process:
        _line_that_starts(process.stdout, "measuring")
        before = {role: cpu_seconds(pids) for role, pids in watched.items()}
        line = _line_that_starts(process.stdout, "{")
        after = {role: cpu_seconds(pids) for role, pids in watched.items()}
        errors = process.stderr.read()
    if process.returncode != 0 or line is None:
        raise NotMeasured(f"{_command(argv)}: {errors}")
    figures = json.loads(line)
    if figures.get("errors") or not figures["requests"]:
        raise NotMeasured(f"{_command(argv)}: {figures} {errors}")
    figures["bystanders"] = bystanders.share()
    for role, cpu in after.items():
        figures[f"{role}_us"] = (cpu - before[role]) * 1e6 / figures["requests"]
    if peak.peak:
        figures["pss_bytes"] = peak.peak
    return figures


def shares(argv, watched):
    """Run a generator whose requests do not follow each other: its figures, and what share of one core each of
    WATCHED used while it measured."""
    with subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        _line_that_starts(process.stdout, "measuring")
        start, before = time.monotonic(), {role: cpu_seconds(pids) for role, pids in watched.items()}
        bystanders = Bystanders(watched)
        pss = pss_bytes(watched["responder"])
        line = _line_that_starts(process.stdout, "{")
        elapsed = time.monotonic() - start
        after = {role: cpu_seconds(pids) for role, pids in watched.items()}
        errors = process.stderr.read()
    if process.returncode != 0 or line is None or json.loads(line)["errors"]:
        raise NotMeasured(f"{_command(argv)}: {line} {errors}")
    return json.loads(line) | {"bystanders": bystanders.share(), "pss_bytes": pss} | {
        role: (cpu - before[role]) / elapsed for role, cpu in after.items()}


def _command(argv):
    return " ".join(map(str, argv))


def _line_that_starts(lines, start):
    """wrk has more to say than what we ask it for."""
    return next((line for line in lines if line.startswith(start)), None)


def median(samples):
    return {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}


def groups(responder):
    """How many groups the responder has answered, and how many requests were in them."""
    text = responder.ask({"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1",
                          "REMOTE_ADDR": "127.0.0.1", "PATH_INFO": "/metrics"}).body.decode()
    return tuple(int(re.search(rf"^bkflow_states_group_requests_{name} (\d+)$", text, re.MULTILINE).group(1))
                 for name in ("count", "sum"))


def mean_group(before, after):
    return (after[1] - before[1]) / (after[0] - before[0])


class Load:
    """The FastCGI load generator, straight on a socket."""

    def __init__(self, program, socket, credentials):
        self._argv = [program, "--socket", socket, "--credentials", credentials]

    def run(self, tasks, seconds, watched, connections, options=()):
        return run([*self._argv, "--tasks", tasks, "--seconds", seconds, "--connections", connections, *options],
                   watched)


class Wrk:
    """wrk, through a web server."""

    def __init__(self, port, credentials):
        self._port, self._credentials = port, credentials

    def run(self, name, tasks, seconds, watched, connections):
        return run(["wrk", f"-t{WRK_THREADS}", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s",
                    "-s", HERE / "wrk.lua", f"http://127.0.0.1:{self._port}/{name}"], watched,
                   {"BENCH_TASKS": str(tasks), "BENCH_CREDENTIALS": self._credentials})


class Floor:
    """The statements alone."""

    def __init__(self, program, database, app_code, username):
        config = database.config()
        self._argv = [program, "--socket", config["socket"], "--user", config["user"], "--password",
                      config["password"], "--database", config["name"], "--app", app_code, "--username", username]

    def run(self, statements, nodes, tasks, seconds, watched, connections):
        figures = run([*self._argv, "--sql", statements, "--tasks", tasks, "--seconds", seconds,
                       "--connections", connections], watched)
        if figures["rows"] < nodes:
            raise NotMeasured(f"{statements} gave {figures['rows']} rows for {nodes} nodes")
        figures["responder_us"] = figures.pop("cpu_us")
        return figures
