# SPDX-License-Identifier: MIT
"""JSON compared with the order of members, duplicate members and types, at any sensible depth."""

import json


class Object(list):
    """A JSON object as the list of its (name, value) pairs."""

    def value(self, name):
        values = [value for key, value in self if key == name]
        assert len(values) == 1, f"{name} stands {len(values)} times"
        return values[0]

    def replace(self, name, value):
        self[:] = [(key, value if key == name else old) for key, old in self]

    def names(self):
        return [name for name, _value in self]


def parse(text):
    return json.loads(text, object_pairs_hook=Object)


def assert_same(expected, got):
    difference = first_difference(expected, got)
    if difference is not None:
        raise AssertionError(difference)


def first_difference(expected, got):
    """Where the two differ first, in words; None if nowhere."""
    todo = [("", expected, got)]
    while todo:
        path, wanted, found = todo.pop()
        if isinstance(wanted, Object) and isinstance(found, Object):
            if wanted.names() != found.names():
                return f"{path or '/'}: expected members {wanted.names()}, got {found.names()}"
            todo.extend((f"{path}/{name}", value, other)
                        for (name, value), (_name, other) in zip(reversed(wanted), reversed(found)))
        elif type(wanted) is not type(found) or wanted != found:
            return f"{path or '/'}: expected {wanted!r}, got {found!r}"
    return None
