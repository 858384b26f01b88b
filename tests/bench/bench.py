#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make bench: measures bkflow-states against the statements alone, a null responder, and PHP.

All runs of one cell are spread over the rounds, so what else the machine does falls on all cells alike; a figure is
the median of its rounds. Compare figures of one run only.
"""

import argparse
import functools
import http.client
import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

# The path has to be set first.
# pylint: disable=wrong-import-position
import answers
import data
import goals
import measure
import page
import services
import refusals
import waiting
from lab import jwt, scratch

GROUPS = ("memory", "json", "floor", "direct", "gateway", "null", "web", "php", "etag", "half", "refusals", "waiting", "page",
          "index", "scale")
DEFAULT_GROUPS = GROUPS[:-1]
CREDENTIALS = json.dumps(
    {"bk_app_code": data.APP_CODE, "bk_app_secret": data.APP_SECRET, "bk_username": data.USERNAME})
MEMORY_WORKERS = 8
SETTLE_SECONDS = 1.0
WARM_UP_SECONDS = 0.5
HALF_CONNECTIONS = 64
CONNECTIONS = 16
MANY_CONNECTIONS = 64
DIRECT_CONNECTIONS = (1, 16, 64, 256)
DATABASES = ("one database", "two databases")
WEB_GROUPS = {"null", "web", "php", "index", "scale"}  # and PHP
# Where an answer takes a tenth of a second, more clients than workers would only find the responder overloaded.
CONNECTIONS_LARGE = services.WORKERS
LARGE_NODES = 10000
GATEWAY = "bk-flow-engine"
# Three for each entry of the responder's table of verified tokens: sent in turn, none is in it when it comes again.
MANY_TOKENS = 3 * 4096


class Bench:
    """The services, and what can be measured with them."""

    def __init__(self, lab, options):
        self.options = options
        self.groups = options.only or DEFAULT_GROUPS
        self.lab = lab
        say("building the helpers and the data")
        self.helpers = services.Helpers(lab, options.builddir)
        self.database, self.database_pid = services.start_database(lab)
        self.tasks = {nodes: self._task_file(f"tasks-{nodes}", data.task_ids(nodes)) for nodes in data.SIZES}
        self.finished = {nodes: self._task_file(f"finished-{nodes}", filter(data.is_finished, data.task_ids(nodes)))
                         for nodes in data.SIZES}
        self.memory = self._measure_memory() if "memory" in self.groups else {}
        self.json = self._measure_json() if "json" in self.groups else {}
        self._start_services()
        self.results = {}
        self.waiters = {}

    def _task_file(self, name, task_ids):
        return self.lab.write(name, "", "".join(f"{task} {data.root_of(task)}\n" for task in task_ids))

    # ---- services ----

    def _start_services(self):
        say("starting everything")
        self.responder = services.start_responder(self.lab, self.options.builddir, self.database, self.options.workers)
        self.responders = {"one database": self.responder, "two databases": services.start_responder(
            self.lab, self.options.builddir, self.database, self.options.workers, **services.SECOND_DATABASE)}
        self._start_gateway()
        self.floor_file = self.lab.write("floor", ".sql", (HERE / "floor.sql").read_text(encoding="utf-8").replace(
            ":digest", data.secret_digest()))
        self.floor = measure.Floor(self.helpers.floor, self.database, data.APP_CODE, data.USERNAME)
        answers.check(lambda task: self._ask(task, self.responders["two databases"]), self._ask)
        self.via_nginx = self.via_lighttpd = self.null = self.null_direct = self.php = self.nginx = self.lighttpd = None
        if not WEB_GROUPS.isdisjoint(self.groups):
            self._start_web()

    def _start_web(self):
        self.null, null_socket = services.start_null(self.lab, self.helpers, self._answer_bytes(10))
        php = services.start_php(self.lab)
        self.php = php.service
        kept = services.Backend("kept", self.responder.address, keepalive=16)
        plain = services.Backend("plain", self.responder.address)
        null = services.Backend("null", null_socket, keepalive=16)
        self.nginx, nginx_port = services.start_nginx(self.lab, [
            kept, plain, null, *self._start_scale(), services.php_backend(php, "mysqli.php", self.database),
            services.php_backend(php, "pdo.php", self.database)])
        self.lighttpd, lighttpd_port = services.start_lighttpd(self.lab, [plain, null])
        self.via_nginx = measure.Wrk(nginx_port, CREDENTIALS)
        self.via_lighttpd = measure.Wrk(lighttpd_port, CREDENTIALS)
        self.null_direct = measure.Load(self.helpers.load, null_socket, CREDENTIALS)
        for port, name in ((nginx_port, "kept"), (nginx_port, "mysqli"), (nginx_port, "pdo"), (lighttpd_port, "plain")):
            answers.check(lambda task, port=port, name=name: _http_get(port, name, task), self._ask)

    def _start_gateway(self):
        """A responder that takes tokens, one token of the caller, and many."""
        if "gateway" not in self.groups:
            return
        key = jwt.Key(self.lab)
        self.responders["gateway"] = services.start_responder(
            self.lab, self.options.builddir, self.database, self.options.workers,
            **{"auth.gateway": "on", f"auth.gateway_key_{GATEWAY}": key.public_path})
        self.tokens = {count: self._token_file(key, count) for count in (1, MANY_TOKENS)}

    def _token_file(self, key, count):
        say(f"signing {count} tokens")
        return self.lab.write(f"tokens-{count}", "", subprocess.run(
            [self.helpers.tokens, "--key", key.private_path, "--kid", GATEWAY, "--app", data.APP_CODE,
             "--username", data.USERNAME, "--count", str(count)], check=True, capture_output=True, text=True).stdout)

    def _start_scale(self):
        """A second responder on the same database, and two on a cluster of databases."""
        if "scale" not in self.groups:
            return []
        start = functools.partial(services.start_responder, self.lab, self.options.builddir, workers=services.WORKERS)
        self.second = start(database=self.database)
        cluster, self.cluster_pids = services.start_cluster(self.lab)
        self.on_cluster = start(database=cluster)
        self.waiting = start(database=cluster, **services.waiting_for_writes(self.lab))
        return [services.Backend("two", self.responder.address, self.second.address, keepalive=16)]

    def _ask(self, task_id, responder=None):
        """The body that the responder answers straight over its socket."""
        return (responder or self.responder).ask({
            "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
            "PATH_INFO": f"/task/{task_id}/get_task_states_by_app/", "HTTP_X_BKAPI_AUTHORIZATION": CREDENTIALS,
        }).body

    def _answer_bytes(self, nodes):
        return len(self._ask(data.task_ids(nodes)[0]))

    def _watched(self, service, web=None):
        watched = {"responder": measure.family(service.pid), "database": [self.database_pid]}
        return watched | ({"web": measure.family(web.pid)} if web else {})

    # ---- memory, with a responder of its own ----

    def _measure_memory(self):
        say(f"memory with {MEMORY_WORKERS} workers")
        responder = services.start_responder(self.lab, self.options.builddir, self.database, MEMORY_WORKERS)
        pids = [responder.service.pid]
        time.sleep(SETTLE_SECONDS)
        idle = measure.pss_bytes(pids)
        load = measure.Load(self.helpers.load, responder.address, CREDENTIALS)
        with measure.PeakPss(pids, interval=0.01) as peak:
            load.run(self.tasks[10000], max(3.0, self.options.seconds), {}, connections=MEMORY_WORKERS)
        time.sleep(SETTLE_SECONDS)
        after = measure.pss_bytes(pids)
        responder.stop()
        return {"idle": idle, "peak": peak.peak, "after": after}

    # ---- JSON, without anything around it ----

    def _measure_json(self):
        say("JSON alone")
        return {nodes: json.loads(subprocess.run([self.helpers.json, "--nodes", str(nodes)], check=True,
                                                 capture_output=True, text=True).stdout)
                for nodes in (100, 1000, 10000)}

    # ---- cells: (group, what, nodes, run) ----

    def cells(self):
        yield from (cell for cell in self._all_cells() if cell[0] in self.groups)

    def _all_cells(self):
        own = self.responder.service
        for nodes in (10, 100, 1000, 10000):
            yield "floor", "floor", nodes, self._floor(self.floor_file, nodes)
        for databases in DATABASES:
            for connections in DIRECT_CONNECTIONS:
                yield "direct", f"{databases}, {connections} connections", 10, self._direct(
                    10, connections=connections, databases=databases)
            for nodes in (100, 1000, 10000):
                yield "direct", f"{databases}, 16 connections", nodes, self._direct(nodes, databases=databases)
        yield "direct", "one database, 16 connections", 100000, self._direct(100000)
        yield "direct", "one database, 16 not kept", 10, self._direct(10, options=["--no-keep"])
        for what, count in (("the same token", 1), ("another token each time", MANY_TOKENS)):
            yield "gateway", f"gateway, {what}", 10, lambda seconds, count=count: self._direct(
                10, databases="gateway", options=["--tokens", self.tokens[count]])(seconds)
        yield "null", "null, direct", 10, lambda seconds: self.null_direct.run(
            self.tasks[10], seconds, self._watched(self.null), CONNECTIONS)
        yield "null", "null, nginx kept", 10, self._wrk(self.via_nginx, "null", 10, self.null, self.nginx)
        yield "null", "null, lighttpd", 10, self._wrk(self.via_lighttpd, "null", 10, self.null, self.lighttpd)
        for nodes in (10, 100, 1000):
            yield "web", "nginx kept", nodes, self._wrk(self.via_nginx, "kept", nodes, own, self.nginx)
            yield "php", "PHP mysqli, nginx", nodes, self._wrk(self.via_nginx, "mysqli", nodes, self.php, self.nginx)
            yield "php", "PHP PDO, nginx", nodes, self._wrk(self.via_nginx, "pdo", nodes, self.php, self.nginx)
            yield "web", "lighttpd", nodes, self._wrk(self.via_lighttpd, "plain", nodes, own, self.lighttpd)
        for what, name, service in (("nginx kept, 64", "kept", own), ("PHP mysqli, nginx, 64", "mysqli", self.php),
                                    ("PHP PDO, nginx, 64", "pdo", self.php)):
            yield "php", what, 10, self._wrk(self.via_nginx, name, 10, service, self.nginx, MANY_CONNECTIONS)
        yield "web", "nginx not kept", 10, self._wrk(self.via_nginx, "plain", 10, own, self.nginx)
        for nodes in (10, 100, 1000, 10000):
            yield "etag", "200, finished tasks", nodes, self._direct(nodes, self.finished)
            yield "etag", "304, finished tasks", nodes, self._direct(nodes, self.finished, options=["--etag"])
        yield "half", "64 kept, all they can", 10, self._direct(10, connections=HALF_CONNECTIONS)
        yield "half", "64 kept, half of that", 10, self._half_load()
        for nodes in (10, 100, 1000):
            yield "scale", "one responder, nginx", nodes, self._wrk(self.via_nginx, "kept", nodes, own, self.nginx)
            yield "scale", "two responders, nginx", nodes, lambda seconds, nodes=nodes: self._two(nodes, seconds)
        for nodes in (10, 1000):
            yield "scale", "one node of Galera", nodes, lambda seconds, nodes=nodes: self._clustered(
                self.on_cluster, nodes, seconds)
            yield "scale", "the same, wsrep_sync_wait", nodes, lambda seconds, nodes=nodes: self._clustered(
                self.waiting, nodes, seconds)

    def indexed_cells(self):
        """The same again, with an index on eri_state that covers what is read."""
        own = self.responder.service
        for nodes in (10, 1000):
            yield "index", "covering index, direct", nodes, self._direct(nodes)
        yield "index", "covering index, nginx kept", 1000, self._wrk(
            self.via_nginx, "kept", 1000, own, self.nginx)
        for what, name in (("covering index, PHP mysqli", "mysqli"), ("covering index, PHP PDO", "pdo")):
            yield "index", what, 1000, self._wrk(self.via_nginx, name, 1000, self.php, self.nginx)

    def _floor(self, statement_file, nodes):
        watched = {"database": [self.database_pid]}
        return lambda seconds: self.floor.run(statement_file, nodes, self.tasks[nodes], seconds, watched,
                                              self.options.workers)

    def _direct(self, nodes, tasks=None, connections=None, options=(), databases=DATABASES[0]):
        connections = connections or (CONNECTIONS_LARGE if nodes >= LARGE_NODES else CONNECTIONS)
        responder = self.responders[databases]
        load = measure.Load(self.helpers.load, responder.address, CREDENTIALS)
        watched = self._watched(responder.service)

        def run(seconds):
            before = measure.groups(responder)
            figures = load.run((tasks or self.tasks)[nodes], seconds, watched, connections, options)
            return figures | {"group": measure.mean_group(before, measure.groups(responder))}
        return run

    def _wrk(self, wrk, name, nodes, service, web, connections=CONNECTIONS):
        return lambda seconds: wrk.run(name, self.tasks[nodes], seconds, self._watched(service, web), connections)

    def _two(self, nodes, seconds):
        watched = self._watched(self.responder.service, self.nginx)
        watched["responder"].append(self.second.service.pid)
        return self.via_nginx.run("two", self.tasks[nodes], seconds, watched, CONNECTIONS)

    def _clustered(self, responder, nodes, seconds):
        watched = {"responder": [responder.service.pid], "database": self.cluster_pids}
        load = measure.Load(self.helpers.load, responder.address, CREDENTIALS)
        return load.run(self.tasks[nodes], seconds, watched, 1)  # what a single client waits

    def _half_load(self):
        """At half of the rate that the same connections reached in the same round."""
        def run(seconds):
            full = self.results["64 kept, all they can", 10][-1]["rate"]
            return self._direct(10, connections=HALF_CONNECTIONS, options=["--rate", full / 2])(seconds)
        return run

    def measure_waiting(self):
        if "waiting" not in self.groups:
            return {}
        return waiting.Waiting(self.lab, self.helpers, self.options.builddir, self.database, self.database_pid,
                               CREDENTIALS).measure(say)

    # ---- rounds ----

    def measure(self):
        self._rounds(list(self.cells()))
        if "index" in self.groups:
            say("making the covering index")
            services.make_covering_index(self.database)
            self._rounds(list(self.indexed_cells()))
        return {cell: measure.median(samples) for cell, samples in self.results.items()}

    def _rounds(self, cells):
        for number in range(1, self.options.rounds + 1):
            for _group, what, nodes, run in cells:
                say(f"round {number} of {self.options.rounds}: {what}, {nodes} nodes")
                if number == 1:
                    self.results[what, nodes] = [run(WARM_UP_SECONDS)]
                samples = self.results[what, nodes]
                samples.append(run(self.options.seconds))
                if number == 1:
                    del samples[0]  # that was the warm-up

    def measure_refusals(self):
        """Medians in microseconds, of a refusal of each kind, on a task of 100,000 nodes."""
        return refusals.measure(self.database, self.responder, say) if "refusals" in self.groups else {}

    def measure_page(self):
        """The longest frames in milliseconds of the web page with 20,000 nodes."""
        return page.measure(self.lab, self.database, self.responder, self.options.rounds, say) if "page" in self.groups else {}


def _http_get(port, name, task_id):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/{name}/task/{task_id}/get_task_states_by_app/",
                       headers={"X-Bkapi-Authorization": CREDENTIALS})
    body = connection.getresponse().read()
    connection.close()
    return body


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- output ----

COLUMNS = (
    ("requests/s", "rate", 1, "{:,.0f}"),
    ("p50 ms", "p50_us", 1e-3, "{:.2f}"),
    ("p99 ms", "p99_us", 1e-3, "{:.2f}"),
    ("responder CPU us", "responder_us", 1, "{:,.1f}"),
    ("database CPU us", "database_us", 1, "{:,.1f}"),
    ("web server CPU us", "web_us", 1, "{:,.1f}"),
    ("client CPU us", "cpu_us", 1, "{:,.1f}"),
    ("peak PSS MB", "pss_bytes", 1e-6, "{:.1f}"),
    ("mean group", "group", 1, "{:.1f}"),
    ("others' CPU %", "bystanders", 100, "{:.0f}"),
)
QUIET = 0.05


def print_table(medians):
    print("| what | nodes | " + " | ".join(column[0] for column in COLUMNS) + " | rate / floor |")
    print("|---|--:|" + "--:|" * (len(COLUMNS) + 1))
    for (what, nodes), figures in medians.items():
        floor = medians.get(("floor", nodes))
        cells = [layout.format(figures[name] * factor) if name in figures else ""
                 for _, name, factor, layout in COLUMNS]
        ratio = f"{figures['rate'] / floor['rate']:.2f}" if floor else ""
        print(f"| {what} | {nodes:,} | " + " | ".join(cells) + f" | {ratio} |")


def print_json(figures):
    if figures:
        print("\n| JSON alone, ns of CPU per node | keeping the row | linking and tag | writing | bytes |")
        print("|---|--:|--:|--:|--:|")
    for nodes, steps in figures.items():
        print(f"| {nodes:,} nodes | {steps['keep_ns']:.0f} | {steps['link_ns']:.0f} | {steps['write_ns']:.0f} | "
              f"{steps['bytes_per_node']:.0f} |")


def print_refusals(medians):
    if medians:
        print("\n| refusal, task of 100,000 nodes | median us |")
        print("|---|--:|")
    for name, us in medians.items():
        print(f"| {name} | {us:.0f} |")


def print_page(longest):
    if longest:
        print(f"\n| the web page with {page.NODES:,} nodes | longest frame, ms |")
        print("|---|--:|")
    for what, ms in longest.items():
        print(f"| {what} | {ms:.0f} |")


def print_goals(verdicts):
    print("\n| goal | measured | limit | |")
    print("|---|--:|--:|---|")
    for verdict in verdicts:
        print(f"| {verdict.text} | {verdict.value:.2f} | {verdict.relation} {verdict.limit} | "
              f"{'pass' if verdict.passes else 'FAIL'} |")


def print_doubts(medians):
    """A rate or a p99 is worth what the machine could give; CPU per request stands more."""
    if not medians:
        return
    busy = statistics.median(figures["bystanders"] for figures in medians.values())
    if busy > QUIET:
        print(f"\nOther processes took {busy:.0%} of the machine: do not trust rates, p99 and what follows from them.")


def as_json(bench, medians, verdicts):
    return {
        "rounds": bench.options.rounds,
        "seconds": bench.options.seconds,
        "refusals": bench.refusals,
        "page": bench.page,
        "memory": bench.memory,
        "json": bench.json,
        "waiting": bench.waiters,
        "results": [{"what": what, "nodes": nodes, **figures} for (what, nodes), figures in medians.items()],
        "goals": [verdict.as_dict() for verdict in verdicts],
    }


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builddir", default=".", help="where bkflow-states was built")
    parser.add_argument("--json", metavar="FILE", help="keep everything in FILE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run; wrk takes whole seconds")
    parser.add_argument("--workers", type=int, default=services.WORKERS, help="of each responder")
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"some of: {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="one round of one second: a look, not a measurement")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 1.0
    unknown = set(options.only or ()) - set(GROUPS)
    if unknown or options.rounds < 1:
        parser.error(f"unknown group: {', '.join(unknown)}" if unknown else "--rounds must be 1 or more")
    return options


def main():
    options = parse_options()
    missing = services.missing_packages()
    if missing and not WEB_GROUPS.isdisjoint(options.only or DEFAULT_GROUPS):
        sys.exit(f"make bench needs these Debian packages: {' '.join(missing)}")
    try:
        with scratch.Scratch() as lab:
            bench = Bench(lab, options)
            bench.page = bench.measure_page()
            bench.refusals = bench.measure_refusals()
            bench.waiters = bench.measure_waiting()
            medians = bench.measure()
    except (measure.NotMeasured, answers.Differ, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"not measured: {error}")
    verdicts = list(goals.judge(medians, bench.memory, bench.json, bench.refusals, bench.waiters, bench.page))
    print_table(medians)
    print_json(bench.json)
    print_refusals(bench.refusals)
    print("\n".join(("", *waiting.table(bench.waiters))))
    print_page(bench.page)
    if verdicts:
        print_goals(verdicts)
    print_doubts(medians)
    if options.json:
        text = json.dumps(as_json(bench, medians, verdicts), indent=1)
        pathlib.Path(options.json).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
