# SPDX-License-Identifier: MIT
"""What the figures of one run ought to be."""

import dataclasses

MB = 1e6
PHP = ("PHP mysqli, nginx", "PHP PDO, nginx")
DATABASES = ("one database", "two databases")


@dataclasses.dataclass
class Verdict:
    """One goal: the value, and the limit it is held to."""

    text: str
    value: float
    relation: str
    limit: float

    @property
    def passes(self):
        return {"<=": self.value <= self.limit, "<": self.value < self.limit, ">=": self.value >= self.limit}[
            self.relation]

    def as_dict(self):
        return dataclasses.asdict(self) | {"passes": self.passes}


def judge(medians, memory, json, refusals, waiting, page):
    """The goals whose figures were measured; --only leaves some out."""
    for goal in (_rate, _cpu, _gateway, _tail, _nginx, _not_modified, _half):
        yield from goal(medians)
    yield from _refusals(refusals)
    yield from _page(page)
    yield from _json(json)
    yield from _memory(memory)
    yield from _waiting(waiting)


def _direct(medians, databases, connections, nodes=10):
    return medians.get((f"{databases}, {connections} connections", nodes))


def _rate(medians):
    floor = medians.get(("floor", 10))
    for databases in DATABASES:
        for connections, limit in ((16, 1.1), (64, 1.7), (256, 1.7)):
            own = _direct(medians, databases, connections)
            if own and floor:
                yield Verdict(f"{databases}, 10 nodes, {connections} connections: rate / floor's",
                              own["rate"] / floor["rate"], ">=", limit)


def _cpu(medians):
    floor = medians.get(("floor", 10))
    for databases in DATABASES:
        own = _direct(medians, databases, 64)
        if own and floor:
            yield Verdict(f"{databases}, 10 nodes, 64 connections: database CPU per request / floor's",
                          own["database_us"] / floor["database_us"], "<=", 0.42)
            yield Verdict(f"{databases}, 10 nodes, 64 connections: responder CPU per request / floor's client's",
                          own["responder_us"] / floor["responder_us"], "<=", 1.7)


def _gateway(medians):
    known, new = (medians.get((f"gateway, {what}", 10)) for what in ("the same token", "another token each time"))
    if known and new:
        yield Verdict("10 nodes: responder CPU with the same token / with another token each time",
                      known["responder_us"] / new["responder_us"], "<=", 0.7)


def _tail(medians):
    for databases in DATABASES:
        own = _direct(medians, databases, 64)
        if own:
            yield Verdict(f"{databases}, 10 nodes, 64 connections: p99 / p50", own["p99_us"] / own["p50_us"], "<=", 2)


def _faster(medians, names, nodes):
    found = [medians[name, nodes] for name in names if (name, nodes) in medians]
    return max(found, key=lambda figures: figures["rate"]) if found else None


def _nginx(medians):
    for own, php, nodes, limit in (
            ("nginx kept, 64", ("PHP mysqli, nginx, 64", "PHP PDO, nginx, 64"), 10, 4),
            ("nginx kept", PHP, 1000, 2.0),
            ("covering index, nginx kept", ("covering index, PHP mysqli", "covering index, PHP PDO"), 1000, 3.5)):
        ours, theirs = medians.get((own, nodes)), _faster(medians, php, nodes)
        if ours and theirs:
            yield Verdict(f"{own}, {nodes:,} nodes: rate / the faster PHP's", ours["rate"] / theirs["rate"], ">=", limit)


def _not_modified(medians):
    for nodes in (10, 100, 1000, 10000):
        full, empty = medians.get(("200, finished tasks", nodes)), medians.get(("304, finished tasks", nodes))
        if full and empty:
            yield Verdict(f"{nodes:,} nodes: CPU of a 304 / of a 200", empty["responder_us"] / full["responder_us"],
                          "<=", 1.0)


def _half(medians):
    own = medians.get(("64 kept, half of that", 10))
    if own:
        yield Verdict("64 kept connections at half load: p99 / p50", own["p99_us"] / own["p50_us"], "<=", 3)


def _refusals(refusals):
    if refusals:
        yield Verdict("a wrong secret's median time / an unknown application's",
                      refusals["wrong secret"] / refusals["unknown application"], "<=", 1.1)


def _page(page):
    for what, ms in page.items():
        yield Verdict(f"the web page with 20,000 nodes, {what}: longest frame, ms", ms, "<=", 50)


def _json(json):
    for nodes, steps in json.items():
        yield Verdict(f"JSON of {nodes:,} nodes: ns of CPU per node, times included", steps["write_ns"], "<=", 120)


def _memory(memory):
    if memory:
        yield Verdict("PSS with 8 workers after start, MB", memory["idle"] / MB, "<=", 7)
        yield Verdict("PSS while 8 workers answer 10,000 nodes at once, MB", memory["peak"] / MB, "<=", 40)
        yield Verdict("PSS one second later, MB", memory["after"] / MB, "<", 12)


def _waiting(figures):
    if not figures:
        return
    quiet, polling = (sum(figures[name][role] for role in ("database", "responder")) for name in ("quiet", "polling"))
    yield Verdict("10,000 clients wait, nothing changes: database and responder, % of one core", quiet * 100, "<", 10)
    yield Verdict("the same clients polling every 2 s: CPU / of waiting", polling / quiet, ">=", 10)
    yield Verdict("memory for each waiting client, KiB", figures["bytes"] / 1024, "<=", 4)
    yield Verdict("100 tasks a second change: p99 from commit to answer, ms", figures["changes"]["p99_us"] / 1e3,
                  "<=", 500)
    yield Verdict("changes that did not reach a waiting client", figures["changes"]["missed"], "<=", 0)
