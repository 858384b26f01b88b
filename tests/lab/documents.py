# SPDX-License-Identifier: MIT
"""The commands in our documents, as a reader finds them."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)")


@dataclasses.dataclass(frozen=True)
class Block:
    """What stands between two fences; `name` is unique: document, heading, and a number from the second on."""

    name: str
    language: str
    text: str


def all_documents():
    """Every document for people, relative to the source folder."""
    paths = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def blocks(document):
    """In their order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    seen, found = {}, []
    for match in FENCE.finditer(text):
        headings = HEADING.findall(_without_fences(text[:match.start()]))
        place = f"{document}: {headings[-1] if headings else ''}", match["language"]
        count = seen[place] = seen.get(place, 0) + 1
        found.append(Block(place[0] + (f" {count}" if count > 1 else ""), match["language"], match["text"]))
    return found


def inline_code(document):
    """What is set in code within sentences and tables."""
    return CODE.findall(_without_fences((ROOT / document).read_text(encoding="utf-8")))


def links(document):
    """Pairs of path and anchor, each empty if it is not given, of what is linked within this project."""
    return LINK.findall(_without_fences((ROOT / document).read_text(encoding="utf-8")))


def anchors(path):
    """The headings of a document, as GitHub names them in links."""
    headings = HEADING.findall(_without_fences(path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _without_fences(text):
    return FENCE.sub("", text)
