# SPDX-License-Identifier: MIT
"""What a server's configuration and its init_connect decide about sessions changes no answer, and no change that
bkflow-statesctl makes is lost."""

import json

import ctl
import pytest
import support
from lab import client, dbms, mariadb, scratch
from lab import responder as lab_responder

CODE = "session_app"
CHINESE = "状态"

# One server setting each that would change answers if the session kept it.
HOSTILE = {
    "autocommit_off": ["--autocommit=0"],
    "autocommit_off_by_init_connect": ["--init-connect=SET autocommit=0"],
    "transaction_left_open": ["--init-connect=START TRANSACTION WITH CONSISTENT SNAPSHOT"],
    "serializable": ["--transaction-isolation=SERIALIZABLE", "--autocommit=0"],
    "uncommitted_data": ["--transaction-isolation=READ-UNCOMMITTED"],
    "read_only": ["--transaction-read-only=1"],
    "character_set_of_the_server": ["--character-set-server=latin1", "--collation-server=latin1_swedish_ci",
                                    *(() if dbms.IS_MYSQL else ("--skip-character-set-client-handshake",))],
    "character_set_by_init_connect": ["--init-connect=SET NAMES latin1"],
    "collation": ["--init-connect=SET collation_connection=utf8mb4_bin"],
    "select_limit": ["--init-connect=SET sql_select_limit=1"],
    "big_selects": ["--init-connect=SET sql_big_selects=0, max_join_size=1"],
    "oracle": ["--sql-mode=ORACLE"],
    "padded_texts": ["--sql-mode=PAD_CHAR_TO_FULL_LENGTH,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT"],
    "time_zone": ["--default-time-zone=+09:00"],
    "another_version": ["--version=8.0.36"],
    "an_ancient_version": ["--version=5.5.8"],
    "option_file": [],  # the client library's
}
MARIADB_ONLY = {"oracle": "its mode", "another_version": "its option", "an_ancient_version": "its option"}
OPTION_FILE = """
[bkflow-states]
init-command = SET autocommit = 0, sql_select_limit = 1, sql_mode = 'ANSI'
default-character-set = latin1
report-data-truncation = 0
reconnect = 1
local-infile = 1
"""

# What root, who makes the changes behind the responder's back, must say first on such a server.
OWN_SESSION = f"SET autocommit = 1, {'transaction' if dbms.IS_MYSQL else 'tx'}_read_only = 0"


class Served:
    """A server with options, a responder and a site for bkflow-statesctl, and a task with Chinese in it."""

    def __init__(self, lab, program, name):
        self.server = mariadb.MariaDB(lab, "hostile-sessions").start()
        self.site = ctl.Site(self.server, lab)
        self.secret = self.site.add(CODE)
        self.site.add("another_app")
        self.site.sql(mariadb.insert("account_user", [{"id": 1, "username": support.USER, "is_active": True}]))
        world = self.site.world()
        template = world.template(bk_app_code=CODE)
        self.task_id = world.task(
            [support.node(), support.node("one", state=CHINESE), support.node("two")], template_id=template)
        self.server.stop()
        self.server.options = HOSTILE[name]
        self.server.start()
        options = lab.write("options", ".cnf", OPTION_FILE)
        self.settings = {"database.option_file": options} if name == "option_file" else {}
        self.responder = program.listen(self.site.settings(**{"server.workers": 1} | self.settings))

    def ask(self):
        credentials = client.credentials(CODE, self.secret, support.USER)
        return self.responder.ask(support.states(self.task_id, credentials=credentials))

    def states(self):
        data = support.success(self.ask())
        return [child.value("state") for _, child in data.value("children")]

    def set_state(self, state):
        return (f"{OWN_SESSION}; UPDATE eri_state SET name = {mariadb.literal(state)}"
                f" WHERE node_id = '{support.node_id(self.task_id, 'two')}'")

    def end(self):
        assert self.responder.stop() == 0, self.responder.log
        self.server.stop()


@pytest.fixture(scope="module", params=[
    pytest.param(name, marks=[pytest.mark.only_with("MariaDB", MARIADB_ONLY[name])] if name in MARIADB_ONLY else [])
    for name in HOSTILE])
def served(request, lab, program):
    made = Served(lab, program, request.param)
    yield made
    made.end()


def test_answers_are_fresh_whole_and_right(served):
    assert served.states() == [CHINESE, "FINISHED"]
    served.site.sql(served.set_state("FAILED"))
    assert served.states() == [CHINESE, "FAILED"]
    with served.server.holding(served.set_state("SUSPENDED").replace("; ", "; START TRANSACTION; ", 1), served.site.name):
        assert served.states() == [CHINESE, "FAILED"]  # not committed yet


def test_what_the_tool_changes_is_changed(served):
    assert served.ask().status == 200
    served.site.administer_json("app", "disable", CODE, settings=served.settings)
    support.assert_error(served.ask(), 401, 40102)
    served.site.administer_json("app", "enable", CODE, settings=served.settings)
    assert served.ask().status == 200
    assert len(served.site.json("app", "list", settings=served.settings)["apps"]) == 2


def test_nothing_is_left_open_for_others_to_wait_for(served):
    """BKFlow's own ALTER TABLE."""
    assert served.ask().status == 200
    served.site.sql(f"{OWN_SESSION}, lock_wait_timeout = 5; ALTER TABLE eri_state COMMENT = 'altered'")


def test_the_servers_limit_holds(served):
    assert served.ask().status == 200
    report = json.loads(served.site.run("--json", "check", settings=served.settings).stdout)
    assert report["checks"]["time_limit.database"]["verdict"] == "ok", report


def test_a_session_that_cannot_be_set_is_no_connection(program, lab):
    server = mariadb.MariaDB(lab, "refusing").start()
    support.fill(server)
    task_id = support.World(server).task([support.node()])
    server.sql("SET GLOBAL init_connect = 'KILL CONNECTION_ID()'", None)
    responder = program.listen(lab_responder.settings_for(server, **{"server.workers": 1}))
    support.assert_error(responder.ask(support.states(task_id)), 503, 50301)
    responder.wait_for_log("the database host fails")
    server.sql("SET GLOBAL init_connect = ''", None)
    scratch.wait_until(lambda: responder.ask(support.states(task_id)).status == 200)
    assert responder.stop() == 0
    server.stop()
