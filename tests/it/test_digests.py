# SPDX-License-Identifier: MIT
"""The digests by which the watcher sees that a task's rows have changed: computed by the server, asked for by
find_digests.c."""

import collections
import os
import subprocess

import observed
import pytest
import support
from conftest import BUILDDIR
from lab import mariadb
from lab import responder as lab_responder
from test_statements import MANY, assert_indexed

PROGRAM = os.path.join(BUILDDIR, "tests", "it", "find_digests")
SIZES = (1, 2, 4, 5, 16, 17, 64, 65, 255, 256)


class Digests:
    """One store with its connection."""

    def __init__(self, lab, settings):
        config = lab.write("digests", ".conf", lab_responder.config_text(settings))
        config.chmod(0o600)
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            [PROGRAM, str(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=lab_responder.environment())

    def of(self, *roots):
        self._process.stdin.write(" ".join(root.encode().hex() for root in roots) + "\n")
        self._process.stdin.flush()
        digests = self._process.stdout.readline().split()
        assert len(digests) == len(roots)
        return digests

    def close(self):
        self._process.communicate()
        return self._process.returncode


@pytest.fixture
def digests(lab, database):
    asked = Digests(lab, lab_responder.settings_for(database))
    yield asked
    assert asked.close() == 0


@pytest.fixture
def task(world):
    """A task of a root and two nodes; its last node has no times."""
    return world.task([support.node(), support.node("one", state="RUNNING", archived=None, loop=7),
                       support.node("two", state="READY", started=None, archived=None)])


def changed(task_id, name, assignment):
    return f"UPDATE eri_state SET {assignment} WHERE node_id = '{support.node_id(task_id, name)}'"


SHOWN = {
    "state": "name = 'FAILED'",
    "state, another case": "name = 'Running'",
    "state, trailing space": "name = 'RUNNING '",
    "id": "node_id = 'another'",
    "parent": "parent_id = 'another'",
    "parent, empty": "parent_id = ''",
    "version": "version = 'another'",
    "loop": "`loop` = 8",
    "loop, back to 0": "`loop` = 0",
    "retry": "retry = 1",
    "skip": "skip = 1",
    "error ignored": "error_ignored = 1",
    "skip in the place of loop": "`loop` = 0, skip = 7",
    "started, a microsecond": "started_time = '2026-01-02 03:04:05.000001'",
    "not started": "started_time = NULL",
    "archived": "archived_time = '2026-01-02 03:04:05'",
    "archived in the place of started": "archived_time = started_time, started_time = NULL",
    "order of nodes": "id = id + 1000000",
}


@pytest.mark.parametrize("what", SHOWN)
def test_what_an_answer_shows_changes_the_digest(database, digests, task, what):
    before = digests.of(support.root_id(task))
    database.engine_sql(changed(task, "one", SHOWN[what]))
    assert digests.of(support.root_id(task)) != before


def test_what_no_answer_shows_does_not(database, digests, task):
    before = digests.of(support.root_id(task))
    database.engine_sql(changed(task, "one", "inner_loop = 9, created_time = '2026-02-02 02:02:02'"))
    assert digests.of(support.root_id(task)) == before


def test_the_digest_comes_back_with_the_rows(database, digests, task):
    before = digests.of(support.root_id(task))
    database.engine_sql(changed(task, "one", "name = 'FAILED', retry = 3"))
    database.engine_sql(changed(task, "one", "name = 'RUNNING', retry = 0"))
    assert digests.of(support.root_id(task)) == before


def test_rows_come_and_go(database, digests, world):
    task = world.task(is_started=True)
    root = support.root_id(task)
    seen = [digests.of(root)]
    assert seen == [["-"]]
    world.nodes(task, [support.node(state="RUNNING", archived=None)])
    seen.append(digests.of(root))
    world.nodes(task, [support.node("one")])
    seen.append(digests.of(root))
    assert len({digest for [digest] in seen}) == 3
    database.engine_sql(f"DELETE FROM eri_state WHERE node_id = '{support.node_id(task, 'one')}'")
    assert digests.of(root) == seen[1]
    database.engine_sql(f"DELETE FROM eri_state WHERE root_id = '{root}'")
    assert digests.of(root) == seen[0]


@pytest.mark.parametrize("assignment", ["name = 'FAILED'", "archived_time = '2026-01-02 09:09:09'", "retry = 1"])
def test_equal_changes_of_two_rows_do_not_cancel_out(database, digests, world, assignment):
    """A linear digest such as CRC32, combined by XOR, stays the same."""
    task = world.task([support.node(), *(support.node(f"n{i}", state="RUNNING", archived=None) for i in range(2))])
    before = digests.of(support.root_id(task))
    database.engine_sql(f"UPDATE eri_state SET {assignment} WHERE root_id = '{support.root_id(task)}' "
                        f"AND node_id <> '{support.root_id(task)}'")
    assert digests.of(support.root_id(task)) != before


def test_columns_cannot_trade_bytes(database, digests, task):
    database.engine_sql(changed(task, "one", "parent_id = 'a,b', name = 'c'"))
    before = digests.of(support.root_id(task))
    database.engine_sql(changed(task, "one", "parent_id = 'a', name = 'b,c'"))
    assert digests.of(support.root_id(task)) != before


def test_any_number_of_roots_at_once(digests, world):
    tasks = [world.task([support.node(), support.node("a")]) for _ in range(40)]
    known = {root: digests.of(root)[0] for root in map(support.root_id, tasks)}
    assert len(set(known.values())) == len(tasks)
    roots = [*known, *(support.root_id(9_900_000 + i) for i in range(max(SIZES) - len(known)))]
    for count in SIZES:
        for some in (roots[:count], roots[-count:]):
            assert digests.of(*some) == [known.get(root, "-") for root in some], count


class TestRootsThatACollationTakesForOthers:
    """Such rows are another root's, but the server may name a group of rows after either of them."""

    @pytest.fixture(params=("N", "ń"))
    def other(self, request, task):
        return request.param + support.root_id(task)[1:]

    def insert(self, world, task, other, number):
        return world.nodes(task, [support.node(f"other {number}", root_id=other, id=number)])

    @pytest.mark.parametrize("first", (0, 1_000_000_000))
    def test_a_change_is_seen_whichever_row_comes_first(self, database, digests, world, task, other, first):
        self.insert(world, task, other, first + task)
        root = support.root_id(task)
        before = digests.of(root)
        assert before != ["-"]
        database.engine_sql(changed(task, "one", "retry = 5"))
        assert digests.of(root) != before

    def test_a_row_that_takes_another_root_is_seen(self, database, digests, task, other):
        before = digests.of(support.root_id(task))
        database.engine_sql(changed(task, "one", f"root_id = '{other}'"))
        assert digests.of(support.root_id(task)) != before

    def test_both_are_watched(self, database, digests, world, task, other):
        self.insert(world, task, other, 1_000_000_000 + task)
        roots = support.root_id(task), other
        for which, name in enumerate(("one", f"other {1_000_000_000 + task}")):
            before = digests.of(*roots)
            database.engine_sql(changed(task, name, "retry = retry + 1"))
            assert digests.of(*roots)[which] != before[which]


CONVERSIONS = {
    "utf8mb3": "CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci",
    "latin1": "CONVERT TO CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    "utf8mb4_bin": "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "utf8mb4_unicode_ci": "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "each column its own": "MODIFY node_id varchar(33) CHARACTER SET latin1 NOT NULL, "
                           "MODIFY parent_id varchar(33) CHARACTER SET gbk NOT NULL, "
                           "MODIFY name varchar(64) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin NOT NULL, "
                           "MODIFY version varchar(33) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL, "
                           "MODIFY root_id varchar(33) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL",
}


class Rows:
    """What a support.World inserts, to be inserted at once."""

    def __init__(self):
        self.of = collections.defaultdict(list)

    def insert(self, table, rows):
        self.of[table] += rows


@pytest.fixture(scope="module")
def own_server(lab):
    server = mariadb.MariaDB(lab, "digests").start()
    support.fill(server)
    rows = Rows()
    world = support.World(rows)
    tasks = [world.task([support.node(), *(support.node(f"n{i}") for i in range(30))]) for _ in range(MANY)]
    for table, its_rows in rows.of.items():
        server.insert(table, its_rows)
    add_others(server)
    server.sql("ANALYZE TABLE eri_state")
    yield server, tasks
    server.stop()


def add_others(server):
    """Six more tasks for each: of few rows, a server reads all instead of a quarter by an index."""
    columns = [row[0] for row in server.sql("SHOW COLUMNS FROM eri_state") if row[0] != "id"]
    values = [f"CONCAT(other.letter, SUBSTR(s.{column}, 2))" if column in ("node_id", "root_id") else f"s.`{column}`"
              for column in columns]
    others = " UNION ALL ".join(f"SELECT '{letter}' AS letter" for letter in "uvwxyz")
    server.sql(f"INSERT INTO eri_state ({', '.join(f'`{column}`' for column in columns)}) "
               f"SELECT {', '.join(values)} FROM eri_state s CROSS JOIN ({others}) other")


@pytest.fixture(scope="module", params=("as BKFlow has it", *CONVERSIONS))
def converted(request, own_server):
    server, tasks = own_server
    if request.param in CONVERSIONS:
        server.sql(f"ALTER TABLE eri_state {CONVERSIONS[request.param]}; ANALYZE TABLE eri_state")
    yield server, tasks
    server.sql("ALTER TABLE eri_state CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci; "
               "ANALYZE TABLE eri_state")


@pytest.fixture
def plans(lab, converted):
    """A function from a call to the plans with which the server ran its statements."""
    server, _tasks = converted
    watch = observed.Plans(server, lab)
    watch.start()

    def plans_of(call):
        before = watch.now()
        call()
        return [step for step in watch.since(before) if step.table == "s"]

    yield plans_of
    watch.stop()


class TestCharacterSetsAndCollations:
    def test_the_digest_is_of_bytes(self, lab, own_server, converted):
        server, tasks = converted
        asked = Digests(lab, lab_responder.settings_for(server))
        roots = [support.root_id(task) for task in tasks[:20]]
        server.sql(changed(tasks[0], "n3", "retry = 0, name = 'FINISHED'"))
        before = asked.of(*roots)
        server.sql(changed(tasks[0], "n3", "retry = 1"))
        after = asked.of(*roots)
        assert after[0] != before[0] and after[1:] == before[1:]
        server.sql(changed(tasks[0], "n3", "retry = 0, name = 'é'"))
        assert asked.of(roots[0]) not in ([before[0]], [after[0]])
        assert asked.close() == 0
        assert own_server

    @pytest.mark.parametrize("count", (1, 2, 16, 100, 256))
    def test_rows_are_found_by_the_index_and_not_sorted(self, lab, plans, converted, count):
        server, tasks = converted
        asked = Digests(lab, lab_responder.settings_for(server))
        roots = [support.root_id(task) for task in tasks[:count]]
        [step] = plans(lambda: asked.of(*roots))
        assert_indexed([step])
        assert step.key == "eri_state_root_id"
        assert asked.close() == 0


SESSIONS = {
    "time zone": "time_zone = '+05:30'",
    "modes": "sql_mode = 'ANSI,PAD_CHAR_TO_FULL_LENGTH,ONLY_FULL_GROUP_BY,PIPES_AS_CONCAT'",
    "short texts": "group_concat_max_len = 4",
    "character sets": "character_set_server = 'latin1', collation_connection = 'latin1_bin'",
    "formats": "lc_time_names = 'de_DE'",
    "rows": "sql_select_limit = 1",
}


@pytest.mark.parametrize("setting", SESSIONS)
def test_the_servers_settings_do_not_matter(lab, own_server, setting):
    server, tasks = own_server
    roots = [support.root_id(task) for task in tasks[:20]]
    plain = Digests(lab, lab_responder.settings_for(server))
    server.sql(f"SET GLOBAL {SESSIONS[setting].replace(', ', ', GLOBAL ')}", None)
    other = Digests(lab, lab_responder.settings_for(server))
    assert other.of(*roots) == plain.of(*roots)
    for name in (part.split(" = ")[0] for part in SESSIONS[setting].split(", ")):
        server.sql(f"SET GLOBAL {name} = DEFAULT", None)
    assert other.close() == plain.close() == 0


OTHER_TYPES = (
    "MODIFY `loop` SMALLINT NULL, MODIFY retry BIGINT UNSIGNED NOT NULL, MODIFY version TEXT",
    "MODIFY node_id CHAR(33) NOT NULL, MODIFY id BIGINT UNSIGNED AUTO_INCREMENT",
    "MODIFY skip INT NOT NULL, MODIFY started_time TIMESTAMP(6) NULL, MODIFY name varchar(64) NULL",
)


def test_columns_of_other_types_have_digests_too(lab):
    server = mariadb.MariaDB(lab, "types").start()
    support.fill(server)
    task = support.World(server).task([support.node(), support.node("one", loop=3)])
    asked = Digests(lab, lab_responder.settings_for(server))
    for change in OTHER_TYPES:
        server.sql(f"ALTER TABLE eri_state {change}")
        before = asked.of(support.root_id(task))
        server.sql(changed(task, "one", "retry = retry + 1"))
        assert asked.of(support.root_id(task)) != before, change
    for nothing in ("`loop` = NULL", "name = NULL", "version = NULL", "version = ''"):
        before = asked.of(support.root_id(task))
        server.sql(changed(task, "one", nothing))
        assert asked.of(support.root_id(task)) != before, nothing
    assert asked.close() == 0
    server.stop()


def test_a_lost_connection_is_replaced(database, digests, task):
    before = digests.of(support.root_id(task))
    assert database.kill_connections(mariadb.ENGINE_USER) >= 1
    assert digests.of(support.root_id(task)) == before
