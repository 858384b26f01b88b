# SPDX-License-Identifier: MIT
"""Two responders behind each web server, with the configuration that docs/scale.md shows."""

import dataclasses
import re

import document
import load
import pytest
import support
from lab import client, webserver
from lab import responder as lab_responder
from lab import scratch as lab_scratch
from lab.scratch import wait_until

CLIENTS = 4
ROWS = 2  # of finished_task


class Pair:
    """Two responders that listen on TCP, as docs/scale.md has them on two machines."""

    def __init__(self, program, database):
        self._program = program
        # However long a table stays locked, nobody is refused for want of a worker or of time.
        self._settings = lab_responder.settings_for(
            database, **{"server.workers": CLIENTS + 2, "database.query_timeout": "1m", "engine_database.query_timeout": "1m"})
        self._ports = [lab_scratch.free_port() for _ in range(2)]
        self.responders = [self._listen(port) for port in self._ports]

    def places(self, pattern="{host}:{port}"):
        """The document's addresses and ours, as a configuration writes them."""
        return {pattern.format(host=host, port=9001): pattern.format(host="127.0.0.1", port=port)
                for host, port in zip(("10.0.0.11", "10.0.0.12"), self._ports)}

    def kill_first(self):
        self.responders[0].service.stop(9)

    def start_first(self):
        self.responders[0] = self._listen(self._ports[0])

    def restart(self, number):
        assert self.responders[number].stop() == 0, self.responders[number].log
        self.responders[number] = self._listen(self._ports[number])

    def wait_until_used(self, number):
        """Until the web server gives new requests to this responder, and not only those that waited for it."""
        before = self._metric(number, "rows_read_total")
        waiting = CLIENTS * ROWS
        wait_until(lambda: self._metric(number, "rows_read_total") > before + waiting)

    def started_at(self, number):
        return self._metric(number, "start_time_seconds")

    def wait_until_busy(self, number):
        """Until it has a request of the web server's; one more worker is busy with our question."""
        wait_until(lambda: self._metric(number, "workers_busy") > 1)

    def _metric(self, number, name):
        return metric(self.responders[number].ask(client.variables("/metrics")).body, name)

    def stop(self):
        for responder in self.responders:
            assert responder.stop() == 0, responder.log

    def _listen(self, port):
        return self._program.listen(self._settings | {"server.listen": f"tcp:127.0.0.1:{port}"})


def metric(text, name):
    return float(re.search(rf"^bkflow_states_{name} (\S+)$", text.decode(), re.MULTILINE)[1])


# ---- the samples of conf/, with the blocks of the document in them ----


def part_of_sample(name, pattern):
    [found] = re.findall(pattern, (webserver.CONF / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return found


def edits_of_nginx(pair):
    upstream, inside, metrics = document.blocks("nginx", 3)
    kept, location = "        fastcgi_keep_conn on;\n", "    location ~ ^/bkflow(/|$) {\n"
    sample_upstream = part_of_sample("nginx.conf", r"^upstream bkflow_states \{.*?^\}\n")
    return {sample_upstream: document.placed(upstream, pair.places()),
            kept: kept + inside, location: document.placed(metrics, pair.places()) + location}


def edits_of_lighttpd(pair):
    [hosts] = document.blocks("lighttpd", 1)
    return {part_of_sample("lighttpd-tcp.conf", r"^    fastcgi.server = .*?^    \)\) \)\n"):
            document.placed(hosts, pair.places('"host" => "{host}", "port" => {port}'))}


def edits_of_apache(pair):
    balancer, proxy_pass = document.blocks("apache", 2)
    location = '<Location "/bkflow">\n'
    return {location: document.placed(balancer, pair.places()) + location,
            part_of_sample("apache-proxy.conf", r"^ +ProxyPass .*?\n"): proxy_pass}


@dataclasses.dataclass(frozen=True)
class Balancer:
    """A web server that shares the requests; `lost` is its answer to those that a dead responder had."""

    name: str
    sample: str
    edits: callable
    lost: int | None = None
    modules: tuple = ()


BALANCERS = [
    Balancer("nginx", "nginx.conf", edits_of_nginx),
    Balancer("lighttpd", "lighttpd-tcp.conf", edits_of_lighttpd, lost=500),
    Balancer("apache2", "apache-proxy.conf", edits_of_apache,
             modules=("proxy_balancer", "lbmethod_byrequests", "slotmem_shm")),
]


@pytest.fixture(scope="module")
def pair(program, database):
    pair = Pair(program, database)
    yield pair
    pair.stop()


@pytest.fixture(scope="module", params=BALANCERS, ids=lambda balancer: balancer.name)
def balancer(request):
    return request.param


@pytest.fixture(scope="module")
def server(lab, pair, balancer):
    server = webserver.WebServer(lab, balancer.name, sample=balancer.sample, replacing=balancer.edits(pair),
                                 modules=balancer.modules)
    yield server
    server.stop()


@pytest.fixture
def clients_of(server, finished_task):
    """A function that begins to ask through the web server."""
    return lambda: load.Load(lambda: server.get(client.states_path(finished_task), support.GOOD)[0], CLIENTS)


def test_a_tag_of_one_is_known_to_the_other(pair, finished_task):
    """The tag comes from the rows alone, so a client may be answered 304 by whichever it meets."""
    first, second = pair.responders
    tag = first.ask(support.states(finished_task)).header("ETag")
    assert second.ask(support.states(finished_task, {"If-None-Match": tag})).status == 304


def test_the_metrics_of_each(pair, server, balancer):
    if balancer.name == "nginx":  # the document shows it for this one
        for number in range(2):
            status, _headers, body = server.get(f"-metrics/{number + 1}")  # beside the mount
            assert (status, metric(body, "start_time_seconds")) == (200, pair.started_at(number))
        assert pair.started_at(0) != pair.started_at(1)


def test_a_responder_dies(database, pair, balancer, clients_of):
    """Killed while it has requests. Those are given to the other one, except by lighttpd; no later one fails."""
    with clients_of() as clients:
        pair.wait_until_used(0)
        pair.wait_until_used(1)
        with database.locked("eri_state"):
            pair.wait_until_busy(0)
            pair.kill_first()
        clients.more()
        pair.start_first()
        pair.wait_until_used(0)
    if balancer.lost is None:
        assert clients.failures == []
    else:
        assert 1 <= len(clients.failures) <= CLIENTS  # what each had under way at the most
        assert set(clients.failures) == {balancer.lost}


def test_restarts_one_after_the_other(pair, clients_of):
    """The second one is restarted when the web server has found the first again: no request fails."""
    with clients_of() as clients:
        clients.more()
        pair.restart(0)
        pair.wait_until_used(0)
        pair.restart(1)
        clients.more()
    assert clients.failures == []
