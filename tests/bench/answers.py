# SPDX-License-Identifier: MIT
"""Before anything is measured: all answer the same, or the comparison means nothing."""

import json

import data

CLOCK_SECONDS = 5  # elapsed_time of running nodes moves on between two answers


class Differ(Exception):
    """Two answers to one question that are not the same."""


def check(ask, ask_reference):
    """The first two tasks of each size: one finished, one running."""
    for nodes in data.SIZES:
        for task_id in data.task_ids(nodes)[:2]:
            ours, theirs = json.loads(ask(task_id)), json.loads(ask_reference(task_id))
            if ours["result"] is not True or _count(theirs["data"]) != nodes:
                raise Differ(f"task {task_id} of {nodes} nodes: {str(ours)[:300]} / {str(theirs)[:300]}")
            _compare(ours["data"], theirs["data"], f"task {task_id}")


def _count(root):
    total, todo = 0, [root]
    while todo:
        total += 1
        todo.extend(todo.pop()["children"].values())
    return total


def _compare(ours, theirs, where):
    todo = [(ours, theirs, where)]
    while todo:
        one, other, where = todo.pop()
        if list(one) != list(other):
            raise Differ(f"{where}: members {list(one)} and {list(other)}")
        for name in one:
            at = f"{where}.{name}"
            if isinstance(one[name], dict) and isinstance(other[name], dict):
                todo.append((one[name], other[name], at))
            elif not _is_same(name, one[name], other[name]):
                raise Differ(f"{at}: {one[name]!r} and {other[name]!r}")


def _is_same(name, one, other):
    if name == "elapsed_time":
        return abs(one - other) <= CLOCK_SECONDS
    return one == other and type(one) is type(other)
