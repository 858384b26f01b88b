# SPDX-License-Identifier: MIT
"""bkflow-statesctl states --follow: the tree again whenever it changes, until the task has ended."""

import contextlib
import json
import subprocess
import threading

import ctl
import pytest
import support
from lab import mariadb
from lab.scratch import PATIENCE_SECONDS

RUNNING = {"state": "RUNNING", "archived": None}


@pytest.fixture(scope="module")
def site(database, lab):
    return ctl.Site(database, lab)


@pytest.fixture(scope="module")
def world(site):
    return site.world()


@pytest.fixture
def task_id(world):
    return world.task([support.node(**RUNNING), support.node("a", **RUNNING)])


@contextlib.contextmanager
def following(site, task_id, *arguments):
    """The tool with pipes for its output; ended if nothing comes any more."""
    argv = [ctl.PATH, "--config", site.config(), *arguments, "states", str(task_id), "--follow"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ctl.environment()) as process:
        alarm = threading.Timer(PATIENCE_SECONDS, process.kill)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()


def next_states(process):
    """Of the root and the nodes below it, in the next line of JSON."""
    data = json.loads(process.stdout.readline())
    return [data["state"], *(child["state"] for child in data.get("children", {}).values())]


def set_state(site, task_id, name, state):
    site.sql(f"UPDATE eri_state SET name = '{state}', archived_time = UTC_TIMESTAMP(6) "
             f"WHERE node_id = '{support.node_id(task_id, name)}'")


class TestOutput:
    """As lines for scripts and as text: one tree for each change, and no other."""

    def test_each_change_until_the_end(self, site, task_id):
        with following(site, task_id, "--json") as process:
            assert next_states(process) == ["RUNNING", "RUNNING"]
            set_state(site, task_id, "a", "FAILED")
            assert next_states(process) == ["FAILED", "FAILED"]
            set_state(site, task_id, "a", "FINISHED")
            assert next_states(process) == ["RUNNING", "FINISHED"]
            set_state(site, task_id, "", "FINISHED")
            assert next_states(process) == ["FINISHED", "FINISHED"]
            assert (process.wait(PATIENCE_SECONDS), process.stdout.read(), process.stderr.read()) == (ctl.OK, "", "")

    def test_text(self, site, task_id):
        with following(site, task_id) as process:
            first = "".join(iter(process.stdout.readline, "2 nodes\n"))
            set_state(site, task_id, "", "REVOKED")
            rest = process.stdout.read()
            assert process.wait(PATIENCE_SECONDS) == ctl.OK
        assert first.startswith(f"Task {task_id}, ") and first.count("RUNNING") == 2
        assert rest.startswith(f"\nTask {task_id}, ") and rest.count("REVOKED") == 1
        assert "\x1b" not in first + rest

    def test_from_before_the_start(self, site, world):
        task_id = world.task(is_started=False)
        with following(site, task_id, "--json") as process:
            assert next_states(process) == ["CREATED"]
            site.sql(f"UPDATE task_taskinstance SET is_started = 1 WHERE id = {task_id}")
            assert process.stdout.readline() == '{"state":"CREATED"}\n'
            world.nodes(task_id, [support.node()])
            assert next_states(process) == ["FINISHED"]
            assert process.wait(PATIENCE_SECONDS) == ctl.OK

    def test_an_ended_task_is_shown_once(self, site, world):
        task_id = world.task([support.node()])
        assert ctl.output(site.run("states", "--follow", task_id)) == ctl.output(site.run("states", task_id))

    def test_a_reader_that_is_gone_ends_it(self, site, task_id):
        with following(site, task_id, "--json") as process:
            assert next_states(process) == ["RUNNING", "RUNNING"]
            process.stdout.close()
            set_state(site, task_id, "a", "SUSPENDED")
            assert process.wait(PATIENCE_SECONDS) == ctl.FAILED
            assert "standard output cannot be written" in process.stderr.read()

    def test_no_such_task(self, site):
        assert "there is no task 404404" in ctl.complaint(site.run("states", "--follow", "404404"))

    def test_a_task_that_is_removed_ends_it(self, site, task_id):
        with following(site, task_id, "--json") as process:
            assert next_states(process) == ["RUNNING", "RUNNING"]
            site.sql(f"DELETE FROM task_taskinstance WHERE id = {task_id}")
            set_state(site, task_id, "a", "FINISHED")
            assert process.wait(PATIENCE_SECONDS) == ctl.FAILED
            assert f"there is no task {task_id}" in process.stderr.read()


class TestTerminal:
    """Each tree takes the place of the one before."""

    def terminal(self, site, task_id, **options):
        return ctl.Terminal(["--config", site.config(), "states", task_id, "--follow"], **options)

    def test_clocks_run_and_changes_are_drawn(self, site, task_id):
        terminal = self.terminal(site, task_id)
        for _ in range(3):
            terminal.wait_for("\x1b[H\x1b[J")
            terminal.screen = terminal.screen.partition("\x1b[H\x1b[J")[2]
        set_state(site, task_id, "", "FINISHED")
        assert terminal.finish() == ctl.OK
        assert "FINISHED" in terminal.screen.rpartition("\x1b[H")[2]
        assert terminal.screen.count("\x1b[?7h") >= terminal.screen.count("\x1b[?7l")  # long lines wrap again

    def test_only_what_fits_is_drawn(self, site, world):
        task_id = world.task([support.node(), *(support.node(f"n{number}") for number in range(49))])
        terminal = self.terminal(site, task_id, lines=24)
        assert terminal.finish() == ctl.OK
        assert terminal.screen.count("2026-01-02") == 18
        assert "... and 32 more, for which there is no room" in terminal.screen
        assert "50 nodes" in terminal.screen
        assert terminal.screen.count("\n") <= 24

    def test_dumb_terminals_get_one_after_the_other(self, site, world):
        terminal = self.terminal(site, world.task([support.node()]), env={"TERM": "dumb"})
        assert terminal.finish() == ctl.OK
        assert "\x1b" not in terminal.screen


def test_the_database_may_be_gone_for_a_while(lab):
    server = mariadb.MariaDB(lab, "follow").start()
    site = ctl.Site(server, lab)
    task_id = site.world().task([support.node(**RUNNING)])
    with following(site, task_id, "--json") as process:
        assert next_states(process) == ["RUNNING"]
        server.stop()
        assert "database" in process.stderr.readline()
        server.start()
        set_state(site, task_id, "", "FINISHED")
        assert next_states(process) == ["FINISHED"]
        assert process.wait(PATIENCE_SECONDS) == ctl.OK
    server.stop()
