# SPDX-License-Identifier: MIT
"""The task-state cases with BKFlow's own answers, and where ours is meant to differ from them."""

import dataclasses
import datetime
import functools
import json
import pathlib
import tarfile

from lab import orderedjson, reference

ARCHIVE = pathlib.Path(__file__).resolve().parents[1] / "data" / "oracle" / "cases.tar.xz"
TIMES = ("created_time", "started_time", "archived_time")


@dataclasses.dataclass
class Case:
    """One task, its rows, and BKFlow's answer as JSON text (None where BKFlow failed)."""

    name: str
    task: dict
    rows: list
    now: datetime.datetime
    zone: str
    upstream: str

    def __str__(self):
        return self.name

    @functools.cached_property
    def by_id(self):
        return {row["node_id"]: row for row in self.rows}

    @property
    def root_id(self):
        return self.task["instance_id"]

    def reference_text(self, now):
        return reference.data_text(self.root_id, self.rows, now, self.zone)


def load():
    files = {}
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            if member.isfile():
                files[member.name] = archive.extractfile(member).read().decode()
    names = sorted(name.split("/")[1] for name in files if name.endswith("/case.json"))
    return [_case(name, files) for name in names]


def _case(name, files):
    raw = json.loads(files[f"cases/{name}/case.json"])
    rows = [row | {key: _moment(row[key]) for key in TIMES} for row in raw["rows"]]
    return Case(name, raw["task"], rows, _moment(raw["now"]), raw["timezone"],
                files.get(f"cases/{name}/expected.json"))


def _moment(text):
    return None if text is None else datetime.datetime.fromisoformat(text)


def expected(case, now=None):
    """BKFlow's answer with the differences that are meant, and none but them."""
    data = orderedjson.parse(case.upstream)
    for node in _nodes(data):
        _add_root_id(node)
    _own_error_flags_for_root(data, case)
    if now is not None:
        for node in _nodes(data):
            _elapsed_until(node, case, now)
    return data


def _add_root_id(node):
    """BKFlow sends `root_id:` only, its API document promises `root_id`: ours has both, side by side."""
    position = node.names().index("root_id:") + 1
    node.insert(position, ("root_id", node.value("root_id:")))


def _own_error_flags_for_root(root, case):
    """BKFlow gives the root the error flags of whichever row came last; ours gives it its own."""
    if "error_ignored" in root.names():
        own = case.by_id[case.root_id]["error_ignored"]
        root.replace("error_ignorable", own)
        root.replace("error_ignored", own)


def _elapsed_until(node, case, now):
    """BKFlow's answers were made at a frozen `now`. Only what is still running depends on it."""
    row = case.by_id[node.value("id")]
    if reference.is_running(row):
        node.replace("elapsed_time", reference.elapsed(row, now))


def moment_of(answer, case, earliest, latest):
    """One `now` between the two at which every running node's elapsed_time of the answer is right.

    There is no tolerance in this: each node narrows the moments that remain, and none may remain
    empty. Rows without a running node leave all of them.
    """
    for node in _nodes(answer):
        row = case.by_id[node.value("id")]
        if reference.is_running(row):
            first, last = reference.moments_for(row, node.value("elapsed_time"))
            earliest, latest = max(earliest, first), min(latest, last)
            assert earliest <= latest, f"elapsed_time of {node.value('id')} fits no moment of this request"
    return earliest


def _nodes(data):
    """Every node of a tree; none for the short answers of tasks without one."""
    todo = [data] if "id" in data.names() else []
    while todo:
        node = todo.pop()
        yield node
        todo.extend(child for _id, child in node.value("children"))
