# SPDX-License-Identifier: MIT
"""The configuration that docs/scale.md shows, so that the tests run what an operator reads."""

import pathlib
import re

PATH = pathlib.Path(__file__).resolve().parents[2] / "docs" / "scale.md"


def blocks(language, count):
    """The fenced blocks of a language, in their order."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PATH.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == count, f"{PATH.name} has {len(found)} blocks of {language}"
    return found


def placed(text, places):
    """A block with our addresses in the place of its own, all of which it must have."""
    for there, here in places.items():
        assert there in text, f"{there} is not mentioned:\n{text}"
        text = text.replace(there, here)
    return text
