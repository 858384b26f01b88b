# SPDX-License-Identifier: MIT
"""tests/demo.py: what it prints, and that it notices a wrong answer. .ci/run runs it as people do."""

import dataclasses
import pathlib
import subprocess
import sys

import demo as demo_script
import pytest
from lab import documents

COLUMNS, LINES = 100, 24


@pytest.fixture(scope="module")
def printed(program):
    """The output of `tests/run demo --once`, without that of make."""
    argv = [sys.executable, "-B", demo_script.__file__, "--builddir", pathlib.Path(program.path).parent, "--once"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_fits_one_screen(printed):
    lines = printed.splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS


def test_shows_every_sample_once(printed):
    for sample in demo_script.SAMPLES:
        assert printed.splitlines().count(sample.row) == 1


def test_the_readme_shows_the_same():
    shown = [block.text for block in documents.blocks("README.md") if "$B/" in block.text]
    assert shown == [demo_script.table("http://127.0.0.1:8080/bkflow", "0123456789abcdef" * 2) + "\n"]


@pytest.mark.parametrize("sample", demo_script.SAMPLES, ids=lambda sample: sample.path)
def test_sample_is_answered_as_expected(demo, sample):
    _status, version, _answer = demo_script.ask(demo.api, demo_script.SHOWN)
    assert list(demo_script.check(demo.api, sample, version)) == []


def test_the_commands_work_where_a_proxy_is_configured(demo, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert demo_script.ask(demo.api, demo_script.SHOWN)[0] == 200


@pytest.mark.parametrize("sample, change", [(demo_script.SHOWN, {"expected": ["RUNNING"]}), (demo_script.SAMPLES[-1], {"status": 403}),
                                            (demo_script.SHOWN, {"seconds": 1})], ids=["states", "status", "seconds"])
def test_a_wrong_answer_is_noticed(demo, monkeypatch, capsys, sample, change):
    wrong = dataclasses.replace(sample, **change)
    monkeypatch.setattr(demo_script, "SAMPLES", (*demo_script.SAMPLES, wrong))
    monkeypatch.setattr(demo_script, "start_everything", lambda *_: demo.api)
    monkeypatch.setattr(demo_script.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["demo.py", "--builddir", ".", "--once", "--verbose"])
    assert demo_script.main() == 1
    printed = capsys.readouterr()
    [line] = printed.err.splitlines()
    assert line.startswith(f"WRONG: {wrong.command}: expected ")
    assert '"children": {' in printed.out  # because of --verbose
