# SPDX-License-Identifier: MIT
"""pytest's results in the Test Anything Protocol, so that automake counts every case by itself."""

import os

import pytest
from _pytest.terminal import TerminalReporter  # public as pytest.TerminalReporter in later versions only


def replace_terminal_reporter(config):
    """pytest's own goes on, unseen: pytest 8 asks it how to show what an assertion compared."""
    config.pluginmanager.unregister(name="terminalreporter")
    unseen = open(os.devnull, "w", encoding="utf-8")  # pylint: disable=consider-using-with # until pytest ends
    config.pluginmanager.register(TerminalReporter(config, unseen), "terminalreporter")
    config.pluginmanager.register(Reporter(), "tap-reporter")


class Reporter:
    """One line for each case, its failure text behind it as comments, the plan at the end."""

    def __init__(self):
        self._count = 0
        self._tried = set()  # cases that failed once

    def pytest_runtest_logreport(self, report):
        """A case has three reports: setup, call, teardown. Its body counts, and any that did not go well."""
        if report.outcome == "rerun":
            self._tried.add(report.nodeid)
            self._comment(f"failed, and is run once more: {_short(report.nodeid)}\n{report.longreprtext}")
        elif report.when == "call" or not report.passed:
            self._case(report)

    def pytest_collectreport(self, report):
        """A test file that cannot even be read counts as one failed case."""
        if report.failed:
            self._line("not ok", report.nodeid, report.longreprtext)

    def pytest_internalerror(self, excrepr):
        self._say(f"Bail out! pytest failed: {excrepr}")

    def pytest_sessionfinish(self, exitstatus):
        """Without a plan at its end the stream counts as broken off, which is right if it was."""
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self._say(f"1..{self._count}")
        else:
            self._say(f"Bail out! pytest ended early: {exitstatus!r}")

    def _case(self, report):
        name = _short(report.nodeid) if report.when != "teardown" else f"{_short(report.nodeid)} (cleaning up)"
        if report.skipped:
            self._line("ok", f"{name} # SKIP {_skip_reason(report)}")
        elif report.passed:
            self._line("ok", name + (" (second try)" if report.nodeid in self._tried else ""))
        else:
            self._line("not ok", name, f"{report.longreprtext}\n{report.capstdout}")

    def _line(self, verdict, name, comment=""):
        self._count += 1
        self._say(f"{verdict} {self._count} - {name}")
        self._comment(comment)

    def _comment(self, text):
        for line in text.splitlines():
            self._say(f"#  {line}")

    @staticmethod
    def _say(text):
        print(text, flush=True)


def _short(nodeid):
    """Without the folder; a # would start a TAP directive."""
    path, separator, case = nodeid.partition("::")
    return (path.rsplit("/", 1)[-1] + separator + case).replace("#", "\\#")


def _skip_reason(report):
    _file, _line, reason = report.longrepr
    return reason.removeprefix("Skipped: ")
