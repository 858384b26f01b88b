# SPDX-License-Identifier: MIT
"""What the program must answer for given rows, written as plainly as possible.

tests/it/test_oracle.py holds this against BKFlow's own answers; resting on that, it gives the
expected answer where BKFlow has none, for instance at depths at which BKFlow fails. No recursion,
for the same reason.
"""

import collections
import datetime
import fractions
import json
import zoneinfo

UTC = datetime.timezone.utc


def data_text(root_id, rows, now, zone_name):
    """The `data` member as compact JSON; rows are dicts in eri_state.id order, times naive UTC."""
    zone = zoneinfo.ZoneInfo(zone_name)
    by_id = {row["node_id"]: row for row in rows}
    children = _children(root_id, rows)
    order = _reachable(root_id, children)
    states = _rolled_up(order, children, by_id)
    pieces = {}
    for node_id in order:
        before, after = _members(by_id[node_id], states[node_id], root_id, now, zone)
        pieces[node_id] = (before, after)
    return _nested_text(root_id, children, pieces)


def elapsed(row, now):
    """Whole seconds, half to even."""
    started = row["started_time"]
    if started is None:
        return 0
    duration = (row["archived_time"] or now) - started
    return round(fractions.Fraction(duration // datetime.timedelta(microseconds=1), 1_000_000))


def moments_for(row, seconds):
    """The first and the last `now` at which a running row's elapsed time reads `seconds`."""
    middle = row["started_time"] + datetime.timedelta(seconds=seconds)
    half = datetime.timedelta(microseconds=500_000 - seconds % 2)  # the exact half belongs to the even
    return middle - half, middle + half


def is_running(row):
    return row["started_time"] is not None and row["archived_time"] is None


def _children(root_id, rows):
    children = collections.defaultdict(list)
    for row in rows:
        if row["node_id"] != root_id:
            children[row["parent_id"]].append(row["node_id"])
    return children


def _reachable(root_id, children):
    """Parents before their children; what the root does not lead to is left out."""
    order = [root_id]
    for node_id in order:
        order.extend(children[node_id])
    return order


def _rolled_up(order, children, by_id):
    states = {}
    for node_id in reversed(order):
        state = by_id[node_id]["name"]
        below = {states[child] for child in children[node_id]}
        if state == "RUNNING" and "FAILED" in below:
            state = "FAILED"
        elif state == "RUNNING" and "SUSPENDED" in below:
            state = "NODE_SUSPENDED"
        states[node_id] = state
    return states


def _members(row, state, root_id, now, zone):
    """A node's members before and after its children."""
    is_root = row["node_id"] == root_id
    before = {
        "id": row["node_id"],
        "state": state,
        "root_id:": root_id,
        "root_id": root_id,
        "parent_id": root_id if is_root else row["parent_id"],
        "version": row["version"],
        "loop": row["loop"],
        "retry": row["retry"],
        "skip": row["skip"],
        "error_ignorable": row["error_ignored"],
        "error_ignored": row["error_ignored"],
    }
    after = {
        "elapsed_time": elapsed(row, now),
        "start_time": _time(row["started_time"], zone),
        "finish_time": _time(row["archived_time"], zone),
    }
    return before, after


def _time(moment, zone):
    return "" if moment is None else f"{moment.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M:%S %z}"


def _nested_text(root_id, children, pieces):
    out = []
    todo = [("node", root_id)]
    while todo:
        kind, value = todo.pop()
        if kind == "text":
            out.append(value)
            continue
        before, after = pieces[value]
        out.append(_open_text(before) + ',"children":{')
        todo.append(("text", "}," + _open_text(after)[1:] + "}"))
        todo.extend(_member_steps(children[value]))
    return "".join(out)


def _member_steps(node_ids):
    """The steps that write `"id":{node}` for each child, last first, as a stack wants them."""
    steps = []
    for position, node_id in enumerate(node_ids):
        comma = "," if position else ""
        steps += [("text", f"{comma}{json.dumps(node_id, ensure_ascii=False)}:"), ("node", node_id)]
    return reversed(steps)


def _open_text(members):
    """An object's text without its closing brace."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))[:-1]
