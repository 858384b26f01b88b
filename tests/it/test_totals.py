# SPDX-License-Identifier: MIT
"""What a check prints, and tests/run totals: when results are good enough. They come as a printed check or as
automake's files in a folder."""

import os
import subprocess

import pytest
from lab import documents

SUMS = "# TOTAL: 9\n# PASS:  8\n# SKIP:  1\n# XFAIL: 0\n# FAIL:  0\n# XPASS: 0\n# ERROR: 0\n"
RETRIED = "PASS: tests/it/check-program 7 - test_x.py::test_x (second try)\n"


def totals(*places):
    command = [documents.ROOT / "tests" / "run", "totals", *places]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return ran.returncode, ran.stdout.splitlines()


@pytest.mark.parametrize("printed,status", (
    (SUMS, 0),
    (SUMS + RETRIED, 0),
    (SUMS + RETRIED + RETRIED, 1),
    (SUMS + "# FAIL: 1\n", 1),
    (SUMS + "# ERROR: 1\n", 1),
    ("", 1),
), ids=("passed", "one-second-try", "two-second-tries", "one-failed", "one-error", "nothing-ran"))
def test_what_a_check_printed_passes_or_fails(tmp_path, printed, status):
    (tmp_path / "check.log").write_text(printed, encoding="utf-8")
    assert totals(tmp_path / "check.log")[0] == status


def test_second_tries_are_named_and_counted_over_all_places(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "it.trs").write_text(":test-result: PASS 1 - test_y.py::test_y\n", encoding="utf-8")
    (tmp_path / "tests" / "it.log").write_text("ok 1 - test_y.py::test_y (second try)\n1..1\n", encoding="utf-8")
    (tmp_path / "distcheck.log").write_text(SUMS + RETRIED, encoding="utf-8")
    assert totals(tmp_path) == (0, ["ok 1 - test_y.py::test_y (second try)", "1 passed, 0 failed, 0 skipped"])
    status, lines = totals(tmp_path, tmp_path / "distcheck.log")
    assert status == 1
    assert lines[-2:] == ["2 tests needed a second try, no more than one may", "9 passed, 0 failed, 1 skipped"]


def test_a_failure_is_told_with_what_was_compared(tmp_path):
    case = tmp_path / "test_x.py"
    case.write_text("import pytest\n@pytest.mark.parametrize('text', ['a/b#c'])\ndef test_x(text): assert 'x' in text\n",
                    encoding="ascii")
    environment = os.environ | {"CI": "", "PYTHONPATH": str(documents.ROOT / "tests")}
    ran = subprocess.run([documents.ROOT / "tests" / "it" / "run", "-p", "conftest", case], env=environment,
                         stdout=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 1
    assert "not ok 1 - test_x.py::test_x[a/b\\#c]\n" in ran.stdout
    assert "assert 'x' in 'a/b#c'\n" in ran.stdout
