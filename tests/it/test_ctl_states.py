# SPDX-License-Identifier: MIT
"""bkflow-statesctl states: a task's tree in a terminal, and the responder's own data as JSON."""

import json
import re
import time

import ctl
import pytest
import support
from lab import client

START = "2026-01-02 03:04:05"
SHOWN_START = "2026-01-02 11:04:05 +0800"


@pytest.fixture(scope="module")
def site(database, lab):
    return ctl.Site(database, lab)


@pytest.fixture(scope="module")
def world(site):
    return site.world()


def draw(site, task_id, **options):
    """The lines of the tree alone, without trailing blanks."""
    text = ctl.output(site.run("states", task_id, **options))
    head, tree, count = text.split("\n\n")
    assert head.startswith(f"Task {task_id}, ")
    lines = tree.split("\n")
    assert re.match(rf"{len(lines)} nodes?\b", count)
    return lines


def fields(line):
    """id, state, duration, start and remarks of a line without its branches."""
    match = re.fullmatch(r"[^n]*(n\w{32}) +([A-Z_]+) +(-?[0-9hms]+|-)  (not started|\S+ \S+ \S+)(.*)", line)
    assert match, line
    return match.groups()


def nested(task_id):
    """Names in drawn order with their levels, as the tree below is made."""
    return [support.node_id(task_id, name) for name in ("", "a", "b", "b1", "b1x", "b2", "c")]


@pytest.fixture(scope="module")
def nested_task(world):
    return world.task([
        support.node(), support.node("a"), support.node("b"), support.node("b1", "b"), support.node("b2", "b"),
        support.node("c"), support.node("b1x", "b1")])


class TestTree:
    """Branches, order, columns."""

    @pytest.mark.parametrize("locale, child, last, passing", [
        ("C.UTF-8", "├─ ", "└─ ", "│  "), ("C", "|- ", "`- ", "|  ")])
    def test_branches(self, site, nested_task, locale, child, last, passing):
        lines = draw(site, nested_task, env={"LC_ALL": locale})
        assert [fields(line)[0] for line in lines] == nested(nested_task)
        assert [line[:line.index("n")] for line in lines] == [
            "", child, child, passing + child, passing + passing + last, passing + last, last]

    def test_columns_stand_below_each_other(self, site, nested_task):
        lines = draw(site, nested_task)
        assert len({line.index("FINISHED") for line in lines}) == 1
        assert len({line.index("2026") for line in lines}) == 1

    def test_columns_are_as_wide_as_they_must(self, site, world):
        task_id = world.task([
            support.node(started="2000-01-02 03:04:05", archived="2026-01-02 03:04:05"),
            support.node("a", started="2026-01-02 03:04:05", archived="2026-01-02 03:04:05"),
            support.node("b", state="NODE_SUSPENDED", started=None, archived=None)])
        ends = [re.sub(r"^[^n]*n\w{32} +", "", line) for line in draw(site, task_id)]
        assert ends == ["FINISHED        227928h00m00s  2000-01-02 11:04:05 +0800",
                        "FINISHED                   0s  2026-01-02 11:04:05 +0800",
                        "NODE_SUSPENDED              -  not started"]

    def test_a_node_alone(self, site, world):
        task_id = world.task([support.node()])
        assert draw(site, task_id) == [f"{support.node_id(task_id, '')}  FINISHED  1s  {SHOWN_START}"]

    def test_states_are_rolled_up(self, site, world):
        task_id = world.task([
            support.node(state="RUNNING", archived=None), support.node("a", state="RUNNING", archived=None),
            support.node("a1", "a", state="FAILED"), support.node("b", state="RUNNING", archived=None),
            support.node("b1", "b", state="SUSPENDED")])
        assert [fields(line)[1] for line in draw(site, task_id)] == [
            "FAILED", "FAILED", "FAILED", "NODE_SUSPENDED", "SUSPENDED"]

    @pytest.mark.parametrize("end, shown", [
        ("03:04:05", "0s"), ("03:04:05.5", "0s"), ("03:04:06.5", "2s"), ("03:05:04", "59s"), ("03:05:05", "1m00s"),
        ("04:04:04", "59m59s"), ("04:06:08", "1h02m03s"), ("03:04:00", "-5s")])
    def test_durations(self, site, world, end, shown):
        task_id = world.task([support.node(started=START, archived=f"2026-01-02 {end}")])
        assert fields(draw(site, task_id)[0])[2:4] == (shown, SHOWN_START)

    def test_many_hours(self, site, world):
        task_id = world.task([support.node(started="2026-01-02 03:04:05", archived="2026-03-02 03:04:05")])
        assert fields(draw(site, task_id)[0])[2] == f"{59 * 24}h00m00s"

    def test_running_until_now(self, site, world):
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 90))
        task_id = world.task([support.node(state="RUNNING", started=started, archived=None)])
        assert fields(draw(site, task_id)[0])[2] in ("1m30s", "1m31s", "1m32s")

    def test_not_started_node(self, site, world):
        task_id = world.task([support.node(state="READY", started=None, archived=None)])
        assert fields(draw(site, task_id)[0])[1:4] == ("READY", "-", "not started")

    @pytest.mark.parametrize("columns, remark", [
        ({}, ""), ({"retry": 2}, "  retried 2x"), ({"loop": 3}, "  loop 3"), ({"skip": True}, "  skipped"),
        ({"error_ignored": True}, "  error ignored"),
        ({"retry": 1, "loop": 2, "skip": True, "error_ignored": True}, "  retried 1x  loop 2  skipped  error ignored")],
        ids=lambda value: value.strip() or "none" if isinstance(value, str) else "")
    def test_remarks(self, site, world, columns, remark):
        assert fields(draw(site, world.task([support.node(**columns)]))[0])[4] == remark

    def test_the_configured_zone(self, site, nested_task):
        lines = draw(site, nested_task, settings={"response.timezone": "America/New_York"})
        assert all(fields(line)[3] == "2026-01-01 22:04:05 -0500" for line in lines)

    def test_rows_that_the_root_does_not_lead_to(self, site, world):
        task_id = world.task([support.node(), support.node("a"), support.node("x", "nowhere"), support.node("y", "x")])
        text = ctl.output(site.run("states", task_id))
        assert support.node_id(task_id, "a") in text and support.node_id(task_id, "x") not in text
        assert "2 nodes; 2 more rows" in text

    def test_deep(self, site, world):
        """Lines do not grow with the depth, and neither does the time."""
        deep = 3000
        names = ["", *(f"d{level}" for level in range(1, deep))]
        task_id = world.task([support.node(name, parent) for name, parent in zip(names, ["", *names], strict=False)])
        started = time.monotonic()
        lines = draw(site, task_id)
        assert time.monotonic() - started < 10
        assert len(lines) == deep and max(map(len, lines)) < 220
        assert f"[{deep - 1 - 24} deeper] {support.node_id(task_id, names[-1])}" in lines[-1]
        assert "deeper" not in lines[24] and "[1 deeper]" in lines[25]

    def test_a_row_cannot_command_the_terminal(self, site, world):
        task_id = world.task([support.node(), support.node("a", state="\x1b[31mRED\x1b[0m", node_id="n\x1b]0;x\x07")])
        text = ctl.output(site.run("states", task_id))
        assert "n?]0;x?" in text and "?[31mRED?[0m" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


class TestColour:
    """In a terminal that has it, unless told otherwise."""

    @pytest.fixture(scope="class")
    def task_id(self, world):
        return world.task([support.node(state="RUNNING", archived=None), support.node("a"),
                           support.node("b", state="SUSPENDED"), support.node("c", state="REVOKED"),
                           support.node("d", state="FAILED"), support.node("e", state="READY")])

    def screen(self, site, task_id, env):
        terminal = ctl.Terminal(["--config", site.config(), "states", str(task_id)], env=env)
        assert terminal.finish() == ctl.OK
        return terminal.screen

    def test_each_state_has_its_colour(self, site, task_id):
        screen = self.screen(site, task_id, {})
        painted = re.findall(r"\x1b\[(\d+)m([A-Z_]+)\x1b\[0m", screen)
        assert painted == [("31", "FAILED"), ("32", "FINISHED"), ("33", "SUSPENDED"), ("35", "REVOKED"),
                           ("31", "FAILED"), ("2", "READY")]

    @pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}], ids=str)
    def test_none(self, site, task_id, env):
        assert "\x1b" not in self.screen(site, task_id, env)

    def test_empty_no_color_is_none_of_it(self, site, task_id):
        assert "\x1b[31m" in self.screen(site, task_id, {"NO_COLOR": ""})

    def test_none_in_a_pipe(self, site, task_id):
        assert b"\x1b" not in site.run("states", task_id, env={"TERM": "xterm"}).stdout


class TestWithoutNodes:
    """Tasks that have nothing to draw, and what to make of it."""

    @pytest.mark.parametrize("columns, words", [
        ({"is_started": False}, ["CREATED", "not been started"]),
        ({"is_started": True}, ["CREATED", "eri_state", "engine"]),
    ], ids=["not-started", "no-rows"])
    def test_hints(self, site, world, columns, words):
        text = ctl.output(site.run("states", world.task(**columns)))
        assert all(word in text for word in words)

    def test_no_root(self, site, world):
        task_id = world.task([support.node("a")])
        complaint = ctl.complaint(site.run("states", task_id))
        assert "no root node" in complaint and "500" in complaint

    def test_no_such_task(self, site):
        complaint = ctl.complaint(site.run("states", "404404"))
        assert "there is no task 404404" in complaint and "[engine_database]" in complaint

    def test_more_nodes_than_allowed(self, site, nested_task):
        settings = {"response.max_nodes": 6}
        assert "max_nodes" in ctl.complaint(site.run("states", nested_task, settings=settings))
        more = {"BKFLOW_STATES_RESPONSE_MAX_NODES": "7"}
        assert len(draw(site, nested_task, settings=settings, env=more)) == 7

    @pytest.mark.parametrize("text", ["0", "-1", "+1", "1x", "", " 1", "9223372036854775808", "１"])
    def test_no_task_id(self, site, text):
        assert "9223372036854775807" in ctl.complaint(site.run("states", "--", text), ctl.USAGE)

    def test_leading_zeros(self, site, nested_task):
        assert ctl.output(site.run("states", f"000{nested_task}")) == ctl.output(site.run("states", nested_task))


class TestBinding:
    """The operator sees every task, and why clients may not."""

    @pytest.mark.parametrize("template, task, words", [
        ({"bk_app_code": "app_ä"}, {}, "bound to app_ä"), ({"bk_app_code": None}, {}, "bound to no application"),
        ({"bk_app_code": ""}, {}, "bound to no application"), ({"is_deleted": True}, {}, "is deleted: no application"),
        ({}, {"template_id": None}, "without a template"), ({}, {"template_id": 0}, "without a template"),
        ({}, {"template_id": 404404}, "does not exist"), ({}, {"is_deleted": True}, "deleted (clients are answered 404), template"),
        ({}, {"is_expired": True}, "expired (clients are answered 404), template"),
    ], ids=["bound", "null", "empty", "deleted", "no-template", "zero", "missing", "task-deleted", "task-expired"])
    def test_the_first_line(self, site, world, template, task, words):
        task_id = world.task([support.node()], **({"template_id": world.template(**template)} | task))
        text = ctl.output(site.run("states", task_id))
        assert words in text.splitlines()[0]
        assert support.node_id(task_id, "") in text


class TestJson:
    """The same object as the responder's data."""

    @pytest.fixture(scope="class")
    def ask(self, program, site):
        secret = site.add(support.APP)
        site.sql(f"INSERT INTO account_user (username, is_active) VALUES ('{support.USER}', 1)")
        good = client.credentials(support.APP, secret, support.USER)
        return lambda task_id: support.success_text(
            program.cgi(site.settings(), support.states(task_id, credentials=good)))

    @pytest.mark.parametrize("make", [
        lambda world: world.task([support.node(), support.node("a"), support.node("b", "a", state="FAILED", retry=2)]),
        lambda world: world.task([support.node(state="RUNNING"), support.node("b", state="FAILED", skip=True)]),
        lambda world: world.task([support.node(), support.node("lost", "nowhere")]),
        lambda world: world.task(is_started=False), lambda world: world.task(),
    ], ids=["tree", "rolled-up", "lost", "not-started", "no-rows"])
    def test_equals_the_responders(self, site, world, ask, make):
        task_id = make(world)
        assert ctl.output(site.run("--json", "states", task_id)) == ask(task_id) + "\n"

    def test_errors_leave_standard_output_empty(self, site):
        ctl.complaint(site.run("--json", "states", "404404"))


class TestAccounts:
    """The configured account is enough; another may be given."""

    def test_administrator(self, site, nested_task):
        assert ctl.output(site.administer("states", nested_task)) == ctl.output(site.run("states", nested_task))

    def test_needs_no_table_of_ours(self, database, lab):
        bare = ctl.Site(database, lab, bare=True)
        task_id = bare.world().task([support.node()])
        assert json.loads(ctl.output(bare.run("--user", "root", "--json", "states", task_id)))["state"] == "FINISHED"

    @pytest.mark.parametrize("account", [[], ["--user", "root"]], ids=["reader", "root"])
    def test_two_databases(self, database, lab, site, account):
        engine = ctl.Site(database, lab)
        task_id = engine.world().task([support.node()], template_id=404404)
        settings = {"engine_database.name": engine.name, "engine_database.user": engine.reader}
        assert len(draw(site, task_id, settings=settings) if not account else
                   [json.loads(ctl.output(site.run(*account, "--json", "states", task_id, settings=settings)))]) == 1

    def test_no_server(self, site):
        assert "/nonexistent/x" in ctl.complaint(site.run("states", "1", settings={"database.socket": "/nonexistent/x"}))
