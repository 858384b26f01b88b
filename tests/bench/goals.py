# SPDX-License-Identifier: MIT
"""What the figures of one run ought to be."""

import dataclasses

MB = 1e6
PHP = ("PHP mysqli, nginx", "PHP PDO, nginx")


@dataclasses.dataclass
class Verdict:
    """One goal: the value, and the limit it is held to.

    BEST is what nobody could better: the statements alone, and a responder that does nothing, together.
    """

    text: str
    value: float
    relation: str
    limit: float
    best: float | None = None

    @property
    def passes(self):
        return {"<=": self.value <= self.limit, "<": self.value < self.limit, ">=": self.value >= self.limit}[
            self.relation]

    def as_dict(self):
        return dataclasses.asdict(self) | {"passes": self.passes}


def judge(medians, memory, json):
    """The goals whose figures were measured; --only leaves some out."""
    for goal in (_floor, _nginx, _tail, _per_node, _not_modified, _half):
        yield from goal(medians)
    yield from _json(json)
    yield from _memory(memory)


def _floor(medians):
    null = medians.get(("null, direct", 10))
    for nodes, rate, cpu in ((10, 0.85, 1.35), (1000, 0.80, 1.6)):
        own, floor = medians.get(("direct", nodes)), medians.get(("floor", nodes))
        if own and floor:
            best_rate, best_cpu = _best(floor, null) if null and nodes == 10 else (None, None)
            yield Verdict(f"direct, {nodes:,} nodes: rate / floor's", own["rate"] / floor["rate"], ">=", rate,
                          best_rate)
            yield Verdict(f"direct, {nodes:,} nodes: responder CPU / floor's client CPU",
                          own["responder_us"] / floor["responder_us"], "<=", cpu, best_cpu)


def _best(floor, null):
    """The rate is what the CPU of all who take part allows: the floor has no FastCGI and no load generator."""
    floor_us = floor["responder_us"] + floor["database_us"]
    null_us = null["responder_us"] + null["cpu_us"]
    return floor_us / (floor_us + null_us), (floor["responder_us"] + null["responder_us"]) / floor["responder_us"]


def _nginx(medians):
    for nodes, part in ((10, 1 / 4), (1000, 1 / 6)):
        own, peers = medians.get(("nginx kept", nodes)), [medians.get((name, nodes)) for name in PHP]
        if own and all(peers):
            php = max(peers, key=lambda figures: figures["rate"])
            yield Verdict(f"nginx kept, {nodes:,} nodes: rate / the faster PHP's", own["rate"] / php["rate"],
                          ">=", 2.5)
            yield Verdict(f"nginx kept, {nodes:,} nodes: responder CPU / the faster PHP's",
                          own["responder_us"] / php["responder_us"], "<=", round(part, 3))


def _tail(medians):
    own = medians.get(("direct", 10))
    if own:
        yield Verdict("direct, 10 nodes, 16 connections: p99 / p50", own["p99_us"] / own["p50_us"], "<=", 2.5)


def _per_node(medians):
    """CPU that a node adds: what a request costs anyway is taken off, by the request of 10 nodes."""
    least = medians.get(("direct", 10))
    own = {nodes: medians.get(("direct", nodes)) for nodes in (100, 1000, 10000, 100000)}
    if least and all(own.values()):
        costs = [(figures["responder_us"] - least["responder_us"]) / (nodes - 10) for nodes, figures in own.items()]
        text = ", ".join(f"{cost * 1000:.0f}" for cost in costs)
        yield Verdict(f"CPU per node at 100 to 100,000 nodes ({text} ns): largest / smallest",
                      max(costs) / min(costs), "<=", 1.5)


def _not_modified(medians):
    for nodes in (10, 100, 1000, 10000):
        whole, empty = medians.get(("200, finished tasks", nodes)), medians.get(("304, finished tasks", nodes))
        if whole and empty:
            yield Verdict(f"{nodes:,} nodes: CPU of a 304 / of a 200", empty["responder_us"] / whole["responder_us"],
                          "<=", 1.0)


def _half(medians):
    own = medians.get(("64 kept, half of that", 10))
    if own:
        yield Verdict("64 kept connections at half load: p99 / p50", own["p99_us"] / own["p50_us"], "<=", 3)


def _json(json):
    for nodes, steps in json.items():
        yield Verdict(f"JSON of {nodes:,} nodes: ns of CPU per node, times included", steps["write_ns"], "<=", 120)


def _memory(memory):
    if memory:
        yield Verdict("PSS with 8 workers after start, MB", memory["idle"] / MB, "<=", 6)
        yield Verdict("PSS while 8 workers answer 10,000 nodes at once, MB", memory["peak"] / MB, "<=", 40)
        yield Verdict("PSS one second later, MB", memory["after"] / MB, "<", 12)
