# SPDX-License-Identifier: MIT
"""In databases with BKFlow's whole tables, whatever their collations: the files of the product load, and requests are
answered."""

import dataclasses
import itertools

import ctl
import observed
import pytest
import support
from lab import client, documents, mariadb
from lab import responder as lab_responder

TABLES = documents.ROOT / "tests" / "data" / "bkflow-tables"
PASSWORD = "reads-whole-tables"
TASK, TEMPLATE = 7, 3
_numbers = itertools.count(1)

# The collation of the databases, and of the tables that have another.
COLLATIONS = {
    "utf8mb4": ("utf8mb4_general_ci", {}),
    "utf8mb3": ("utf8mb3_general_ci", {}),
    "mixed": ("utf8mb4_unicode_ci", {
        "template_template": "utf8mb3_general_ci", "account_user": "utf8mb3_bin", "task_taskinstance": "utf8mb4_bin",
        "eri_state": "latin1_swedish_ci"}),
    "mixed the other way": ("utf8mb3_bin", {
        "template_template": "utf8mb4_unicode_520_ci", "account_user": "utf8mb4_general_ci",
        "task_taskinstance": "latin1_bin", "eri_state": "utf8mb4_unicode_ci"}),
}

TEMPLATES = f"""
SET sql_mode = '';
INSERT INTO template_template (id, is_deleted, bk_app_code, notify_config, extra_info)
  VALUES ({TEMPLATE}, 0, '{support.APP}', '{{}}', '{{}}');
INSERT INTO account_user (id, username, is_active) VALUES (1, '{support.USER}', 1);
""" + mariadb.insert("bkflow_states_app", [support.app_row(support.APP, support.SECRET)])
TASKS = f"""
SET sql_mode = '';
INSERT INTO task_taskinstance (id, space_id, instance_id, template_id, is_started, extra_info)
  VALUES ({TASK}, 1, '{support.root_id(TASK)}', {TEMPLATE}, 1, '{{}}');
""" + mariadb.insert("eri_state", [{"id": number} | support.state_row(TASK, **node)
                                   for number, node in enumerate([support.node(), support.node("step")], 1)])


@dataclasses.dataclass
class Installation:
    """BKFlow's two databases, or one that is both, with an account for each."""

    server: mariadb.MariaDB
    lab: object
    interface: str
    engine: str

    def settings(self):
        settings = {
            "database.socket": self.server.socket, "database.name": self.interface, "database.user": self.user(self.interface), "database.password": PASSWORD}
        if self.engine != self.interface:
            settings |= {"engine_database.name": self.engine, "engine_database.user": self.user(self.engine)}
        return settings

    @staticmethod
    def user(database):
        return f"{database}_reader"

    def make(self, database, collation, files):
        self.server.sql(f"CREATE DATABASE IF NOT EXISTS {database} COLLATE {collation}", None)
        for path in files:
            self.server.sql(path.read_text(encoding="utf-8").replace("CREATE TABLE `", "CREATE TABLE IF NOT EXISTS `"),
                            database)

    def convert(self, collations):
        for table, collation in collations.items():
            database = self.engine if table in mariadb.ENGINE_TABLES else self.interface
            self.server.sql(f"ALTER TABLE {table} CONVERT TO CHARACTER SET {collation.split('_')[0]} COLLATE {collation}",
                            database)

    def grant(self):
        self.server.sql(mariadb.grants("grants_interface.sql", self.user(self.interface), PASSWORD), self.interface)
        self.server.sql(mariadb.grants("grants_engine.sql", self.user(self.engine), PASSWORD), self.engine)

    def tool(self, *arguments, **others):
        settings = self.settings() | {key.replace("__", "."): value for key, value in others.items()}
        config = self.lab.write("whole-tables", ".conf", lab_responder.config_text(settings))
        config.chmod(0o600)
        return ctl.execute(["--config", config, *arguments])

    def check(self, *arguments, **others):
        """What `check` finds, by topic, where it finds something wrong."""
        return ctl.parsed(self.tool("--json", *arguments, "check", **others), ctl.FAILED)["checks"]


@pytest.fixture(params=["two databases", "one database"])
def number(request):
    return request.param


@pytest.fixture(params=COLLATIONS)
def installation(request, database, lab, number):
    return installed(database, lab, number, *COLLATIONS[request.param])


def installed(database, lab, number, collation, others):
    name = f"whole_{next(_numbers)}"
    made = Installation(database, lab, name, f"{name}_engine" if number == "two databases" else name)
    made.make(made.interface, collation, [TABLES / "interface.sql", mariadb.SCHEMA / "bkflow_states.sql"])
    made.make(made.engine, collation, [TABLES / "engine.sql"])
    made.convert(others)
    made.server.sql(TEMPLATES, made.interface)
    made.server.sql(TASKS, made.engine)
    return made


def test_the_grants_suffice_for_a_request_and_for_the_check(program, installation):
    installation.grant()
    response = program.cgi(installation.settings(), support.states(TASK))
    assert support.success(response).value("id") == support.root_id(TASK)
    report = ctl.parsed(installation.tool("--json", "check"))
    assert report["warnings"] == 0


OTHERS = mariadb.insert("eri_state", [{"id": 1000 + number} | support.state_row(1000 + number, **support.node())
                                     for number in range(200)])
OTHER_USERS = "SET sql_mode = '';" + mariadb.insert("account_user", [
    {"id": 1000 + number, "username": f"用户{number}", "is_active": True} for number in range(200)])


@pytest.mark.parametrize("username", [support.USER, "用户7"])
def test_rows_are_found_by_their_keys(program, installation, username):
    """The texts of requests are utf8mb4, the columns may be anything: no column is converted for that."""
    installation.grant()
    server = installation.server
    server.sql(OTHERS, installation.engine)
    server.sql(OTHER_USERS, installation.interface)
    server.sql("ANALYZE TABLE eri_state", installation.engine)
    server.sql("ANALYZE TABLE account_user", installation.interface)
    credentials = client.credentials(support.APP, support.SECRET, username)
    with observed.counting(server):
        observed.forget_rows_read(server)
        assert program.cgi(installation.settings(), support.states(TASK, credentials=credentials)).status == 200
        read = observed.rows_read(server)
    assert read[installation.engine, "eri_state"] == 2
    assert read[installation.interface, "account_user"] == 1


def test_so_do_those_that_init_db_prints(program, installation):
    for name in {installation.interface, installation.engine}:
        installation.server.sql(f"CREATE USER '{installation.user(name)}'@'%' IDENTIFIED BY '{PASSWORD}'", None)
    printed = ctl.parsed(installation.tool("--user", "root", "--json", "init-db"))
    assert printed["created"] is False
    installation.server.sql("".join(printed["grants"].values()), None)
    assert program.cgi(installation.settings(), support.states(TASK)).status == 200


ROOT = ("--user", "root")


class TestWrongDatabases:
    """Which one is taken for another shows in what is missing: BKFlow makes only eri_state in both."""

    @pytest.fixture
    def two(self, database, lab):
        made = installed(database, lab, "two databases", *COLLATIONS["utf8mb4"])
        made.grant()
        return made

    def test_exchanged(self, two):
        names = {"database__name": two.engine, "engine_database__name": two.interface}
        assert "exchanged" in two.check(*ROOT, **names)["databases"]["what"]
        accounts = {"database__user": two.user(two.engine), "engine_database__user": two.user(two.interface)}
        assert "exchanged" in two.check(**names, **accounts)["databases"]["what"]

    def test_exchanged_names_alone(self, two):
        """Neither account may use the other's database."""
        checks = two.check(database__name=two.engine, engine_database__name=two.interface)
        assert "in [engine_database] that of its engine" in checks["connection.database"]["to_do"]

    @pytest.mark.parametrize("account", [(), ROOT], ids=["reader", "administrator"])
    def test_the_interface_for_both(self, two, account):
        checks = two.check(*account, engine_database__name=two.interface, engine_database__user=two.user(two.interface))
        assert "no tasks" in checks["databases"]["what"]
        assert checks["table.task_taskinstance"]["verdict"] == "wrong"

    @pytest.mark.parametrize("account", [(), ROOT], ids=["reader", "administrator"])
    def test_the_engine_for_both(self, two, account):
        checks = two.check(*account, database__name=two.engine, database__user=two.user(two.engine))
        assert "no templates" in checks["databases"]["what"]
        assert "[database] must name the database of BKFlow's interface" in checks["databases"]["to_do"]
