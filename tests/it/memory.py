# SPDX-License-Identifier: MIT
"""What stands in a responder's memory, and how much of it there is, as /proc tells."""

import re
import resource

import pytest

# Far above anything that the program has. More may be reserved, but not written.
LARGEST_MAPPING = 1 << 30
PAGE = resource.getpagesize()


def skip_if_sanitized(program):
    """A sanitizer keeps what was freed, and copies on the stack: only the program as it is shipped can be judged."""
    with open(program.path, "rb") as file:
        if re.search(rb"__[almt]san_init", file.read()):
            pytest.skip("built with a sanitizer")


def find(responder, texts):
    """Where in the process's writable memory one of the texts stands, with what is around it."""
    pattern = re.compile(b"|".join(re.escape(text.encode()) for text in texts))
    found = []
    with open(f"/proc/{responder.service.pid}/maps", encoding="ascii") as maps:
        mappings = [re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)", line).groups() for line in maps]
    with open(f"/proc/{responder.service.pid}/mem", "rb", buffering=0) as file:
        for start, end, access, name in mappings:
            start, end = int(start, 16), int(end, 16)
            if access.startswith("rw") and end - start < LARGEST_MAPPING:
                content = _read(file, start, end)
                for hit in pattern.finditer(content):
                    around = content[max(0, hit.start() - 40):hit.end() + 40]
                    found.append(f"{name or 'anonymous'}+{hit.start():#x}: {around!r}")
    return found


def _read(file, start, end):
    """Zeros stand for pages that nobody can read, as newer C libraries have them at the ends of stacks."""
    try:
        return _read_all(file, start, end)
    except OSError:
        if end - start == PAGE:
            return bytes(PAGE)
        middle = start + (end - start) // PAGE // 2 * PAGE
        return _read(file, start, middle) + _read(file, middle, end)


def _read_all(file, start, end):
    file.seek(start)
    content = b""
    while len(content) < end - start:
        content += file.read(end - start - len(content))  # which may be less, before a page that nobody can read
    return content


def resident_kilobytes(responder):
    with open(f"/proc/{responder.service.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def anonymous_kilobytes(responder):
    """What the process has written to, and no file is behind."""
    with open(f"/proc/{responder.service.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))
