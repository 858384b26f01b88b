# SPDX-License-Identifier: MIT
"""bkflow-statesctl check: green where the responder works, red with the right advice where it does not."""

import re
import subprocess

import ctl
import pytest
import support
from lab import client, dbms, mariadb

VERDICTS = {"ok", "warning", "wrong"}

# Whatever an advice tells to run.
ADVISED_SQL = re.compile(r"(?:ALTER TABLE|CREATE(?: UNIQUE)? INDEX|GRANT) .*;$")


@pytest.fixture
def site(database, lab):
    return ctl.Site(database, lab)


def check(site, expect, *arguments, **options):
    """The findings by topic, with text and JSON telling the same."""
    done = site.run("--json", "check", *arguments, **options)
    report = ctl.parsed(done, expect)
    checks = report["checks"]
    assert list(report) == ["checks", "result", "wrong", "warnings"]
    assert all(list(finding) == ["verdict", "what", "to_do"] for finding in checks.values())
    assert {finding["verdict"] for finding in checks.values()} <= VERDICTS
    assert report["wrong"] == len(topics(checks, "wrong")) and report["warnings"] == len(topics(checks, "warning"))
    assert report["result"] is (expect == ctl.OK) is (report["wrong"] == 0)
    assert_text_agrees(site.run("check", *arguments, **options), expect, checks)
    return checks


def assert_text_agrees(done, expect, checks):
    text = ctl.output(done, expect)
    told = re.findall(r"^(ok|warning|wrong) +(\S+) ", text, re.MULTILINE)
    assert told == [(finding["verdict"], topic) for topic, finding in checks.items()]
    for finding in checks.values():
        assert f"-> {finding['to_do']}\n" in text or finding["to_do"] == ""


def topics(checks, verdict):
    return [topic for topic, finding in checks.items() if finding["verdict"] == verdict]


def asked(program, site, settings=None, query="", by_space=False):
    """Does the responder answer for a task of this site?"""
    world = site.world()
    space_id = world.space("app")
    task_id = world.task([support.node()], template_id=world.template(bk_app_code="app"), space_id=space_id)
    credentials = client.credentials("app", site.add("app"), support.USER)
    site.sql(f"INSERT INTO account_user (username, is_active) VALUES ('{support.USER}', 1)")
    variables = support.states(task_id, credentials=credentials, query=query)
    if by_space:
        variables = support.space_states(space_id, task_id, credentials=credentials)
    return lambda: program.cgi(site.settings() | (settings or {}), variables).status


class TestGood:
    """A site as it should be."""

    @pytest.mark.parametrize("as_administrator", [False, True])
    def test_all_is_right(self, site, as_administrator):
        account = ["--user", ctl.ADMIN, "--password-file", site.admin_password_file] if as_administrator else []
        checks = check(site, ctl.OK, *account)
        assert topics(checks, "ok") == list(checks)
        expected = [f"{kind}.{table}" for table in ctl.TABLES for kind in ("table", "columns", "indexes", "grants")]
        expected += ["configuration", "timezone", "max_nodes", "connection.database", "clock.database",
                     "time_limit.database", "account.database", "password.database", "keys", "databases"]
        expected += ["administrator.database"] if as_administrator else []
        assert sorted(checks) == sorted(expected)
        assert all(finding["to_do"] == "" for finding in checks.values())

    def test_it_says_whether_an_index_covers_what_is_read(self, site):
        assert "none covers" in check(site, ctl.OK)["indexes.eri_state"]["what"]
        site.sql("CREATE INDEX almost ON eri_state (root_id, id, node_id, parent_id, name, version, `loop`, retry, skip, "
                 "error_ignored, started_time)")
        assert "none covers" in check(site, ctl.OK)["indexes.eri_state"]["what"]
        site.load("replica_index.sql")
        assert "one of them covers" in check(site, ctl.OK)["indexes.eri_state"]["what"]

    def test_it_tells_who_and_where(self, site):
        checks = check(site, ctl.OK)
        where = checks["connection.database"]["what"]
        assert f"{site.reader}@%" in where and site.name in where and str(site.server.socket) in where
        assert dbms.NAME in where
        assert "5000 ms" in checks["time_limit.database"]["what"]
        assert "Asia/Shanghai" in checks["timezone"]["what"]

    def test_two_databases(self, pair):
        checks = check(pair.interface, ctl.OK, settings=pair.settings())
        assert topics(checks, "ok") == list(checks)
        assert "clock.engine_database" in checks and "table.eri_state" in checks
        assert "[engine_database] the tasks" in checks["databases"]["what"]

    @pytest.mark.parametrize("key, tables", [("auth.user_table_check", ["account_user"])])
    def test_tables_that_are_not_used_need_not_be_there(self, program, site, key, tables):
        answers = asked(program, site, {key: "off"})
        for table in tables:
            site.sql(f"DROP TABLE {table}")
        checks = check(site, ctl.OK, settings={key: "off"})
        assert topics(checks, "ok") == list(checks)
        assert answers() == 200
        check(site, ctl.FAILED)


class Pair:
    """BKFlow's two databases, with an account each; both have all tables, and each uses some.
    test_bkflow_tables.py has the tables that BKFlow makes."""

    def __init__(self, server, lab):
        self.interface, self.engine = ctl.Site(server, lab), ctl.Site(server, lab, bare=True)
        self.engine.sql("DELETE FROM template_template")
        self.interface.sql("DELETE FROM task_taskinstance")
        grant(self.interface, "interface", self.interface)
        grant(self.engine, "engine", self.engine)

    def settings(self, interface=None, engine=None):
        interface, engine = interface or self.interface, engine or self.engine
        return {"database.name": interface.name, "database.user": interface.reader,
                "engine_database.name": engine.name, "engine_database.user": engine.reader}

    def exchanged(self):
        return self.settings(self.engine, self.interface)


def grant(site, kind, place):
    """One file's columns in a site's database to the reader of another, who has no others."""
    place.server.sql(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{place.reader}'@'%'", None)
    site.sql(mariadb.grants(f"grants_{kind}.sql", place.reader, ctl.READER_PASSWORD))


@pytest.fixture
def pair(database, lab):
    return Pair(database, lab)


class TestPair:
    """Databases that are not the ones they are taken for."""

    def administrator(self, site):
        return ["--user", ctl.ADMIN, "--password-file", site.admin_password_file]

    @pytest.mark.parametrize("as_administrator", [False, True])
    def test_exchanged(self, pair, as_administrator):
        account = self.administrator(pair.interface) if as_administrator else []
        checks = check(pair.interface, ctl.FAILED, *account, settings=pair.exchanged())
        assert checks["databases"]["verdict"] == "wrong" and "exchanged" in checks["databases"]["what"]

    def test_exchanged_with_the_grants(self, pair):
        """The accounts see the empty tables only: that they are empty is told, and who can see more."""
        pair.engine.load("bkflow_states.sql")
        grant(pair.engine, "interface", pair.engine)
        grant(pair.interface, "engine", pair.interface)
        checks = check(pair.interface, ctl.OK, settings=pair.exchanged())
        assert topics(checks, "warning") == ["databases"] and "--user" in checks["databases"]["to_do"]
        checks = check(pair.interface, ctl.FAILED, *self.administrator(pair.interface), settings=pair.exchanged())
        assert topics(checks, "wrong") == ["databases"] and "exchanged" in checks["databases"]["what"]

    def test_the_interface_database_alone(self, pair):
        pair.interface.load_grants()
        checks = check(pair.interface, ctl.OK)
        assert topics(checks, "warning") == ["databases"]
        assert "[database] has no tasks" in checks["databases"]["what"]
        assert "[engine_database]" in checks["databases"]["to_do"]

    def test_the_engine_database_alone(self, pair):
        pair.engine.load("bkflow_states.sql")
        pair.engine.load_grants()
        checks = check(pair.engine, ctl.OK)
        assert topics(checks, "warning") == ["databases"]
        assert "[database] has no templates" in checks["databases"]["what"]

    def test_one_database_by_two_ways(self, site, database):
        """As through two names of a server; here an account of its own makes the difference."""
        other = {"engine_database.user": ctl.ADMIN, "engine_database.password": ctl.ADMIN_PASSWORD}
        checks = check(site, ctl.OK, settings=other)
        assert topics(checks, "warning") == ["account.engine_database", "databases.same"]
        assert site.name in checks["databases.same"]["what"]

    def test_the_same_name_on_two_servers_is_another_database(self, lab, site):
        server = mariadb.MariaDB(lab, "same-name").start()
        server.sql(f"CREATE DATABASE {site.name}", None)
        server.load("bkflow_standin.sql", site.name)
        server.sql(mariadb.grants("grants_engine.sql", site.reader, ctl.READER_PASSWORD), site.name)
        checks = check(site, ctl.OK, settings={"engine_database.socket": server.socket})
        server.stop()
        assert topics(checks, "warning") == ["databases"], "it has no tasks"


# what is done to the database, the findings that this leads to, and a word of the first one's advice
FAULTS = {
    "no-table-of-ours": ("DROP TABLE bkflow_states_app", ["table.bkflow_states_app"], "init-db"),
    "no-table-of-theirs": ("DROP TABLE eri_state", ["table.eri_state"], "[database]"),
    "no-index-for-roots": ("DROP INDEX eri_state_root_id ON eri_state", ["indexes.eri_state.root_id"], "CREATE INDEX"),
    "root-second-in-index": ("DROP INDEX eri_state_root_id ON eri_state; CREATE INDEX x ON eri_state (name, root_id)",
                             ["indexes.eri_state.root_id"], "CREATE INDEX"),
    "no-index-for-users": ("DROP INDEX username ON account_user", ["indexes.account_user.username"], "CREATE UNIQUE INDEX"),
    "users-not-unique": ("DROP INDEX username ON account_user; CREATE INDEX username ON account_user (username)",
                         ["indexes.account_user.username"], "CREATE UNIQUE INDEX"),
    "users-unique-with-id": ("DROP INDEX username ON account_user; CREATE UNIQUE INDEX username ON account_user (username, id)",
                             ["indexes.account_user.username"], "CREATE UNIQUE INDEX"),
    "no-primary-key": ("ALTER TABLE template_template MODIFY id bigint NOT NULL, DROP PRIMARY KEY",
                       ["indexes.template_template.id"], "CREATE UNIQUE INDEX"),
    "no-key-of-ours": ("ALTER TABLE bkflow_states_app DROP PRIMARY KEY",
                       ["indexes.bkflow_states_app.bk_app_code"], "CREATE UNIQUE INDEX"),
    "case-does-not-count": ("ALTER TABLE bkflow_states_app MODIFY bk_app_code varchar(128) COLLATE utf8mb4_general_ci NOT NULL",
                            ["columns.bkflow_states_app.bk_app_code"], "utf8mb4_bin"),
    "other-type-number": ("ALTER TABLE task_taskinstance MODIFY is_deleted varchar(5) NOT NULL",
                          ["columns.task_taskinstance.is_deleted"], "BKFlow"),
    "other-type-time": ("ALTER TABLE eri_state MODIFY started_time timestamp NULL", ["columns.eri_state.started_time"], "BKFlow"),
    "too-old": ("ALTER TABLE template_template DROP COLUMN bk_app_code", ["columns.template_template.bk_app_code"],
                "January 2026, by its migration 0010"),
    "other-type-text": ("ALTER TABLE template_template MODIFY bk_app_code text NULL",
                        ["columns.template_template.bk_app_code"], "BKFlow"),
    "short-digest": ("ALTER TABLE bkflow_states_app MODIFY secret_digest binary(20) NOT NULL",
                     ["columns.bkflow_states_app.secret_digest"], "version"),
    "two-columns": ("ALTER TABLE eri_state DROP COLUMN retry, DROP COLUMN version",
                    ["columns.eri_state.version", "columns.eri_state.retry"], "BKFlow"),
}

# what is taken from the responder's account
ALL_OF_STATES = ("REVOKE SELECT (id, node_id, root_id, parent_id, name, version, `loop`, retry, `skip`, error_ignored, "
                 "started_time, archived_time) ON eri_state FROM {account}")
GRANTS = {
    "table": (ALL_OF_STATES, "eri_state"),
    "ours": ("REVOKE SELECT ON bkflow_states_app FROM {account}", "bkflow_states_app"),
    "all-columns": ("REVOKE SELECT (username, is_active) ON account_user FROM {account}", "account_user"),
    "a-column": ("REVOKE SELECT (is_active) ON account_user FROM {account}", "account_user"),
    "a-column-of-many": ("REVOKE SELECT (archived_time) ON eri_state FROM {account}", "eri_state"),
    "writes-only": (ALL_OF_STATES + "; GRANT INSERT ON eri_state TO {account}", "eri_state"),
}


class TestFaults:
    """Each is found, alone, with an advice; and an advice that is SQL puts it right."""

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("as_administrator", [False, True], ids=["reader", "administrator"])
    def test_in_the_structure(self, site, fault, as_administrator):
        sql, expected, word = FAULTS[fault]
        account = ["--user", ctl.ADMIN, "--password-file", site.admin_password_file] if as_administrator else []
        site.sql(sql)
        checks = check(site, ctl.FAILED, *account)
        assert topics(checks, "wrong") == expected
        assert word in checks[expected[0]]["to_do"]
        doubt = "may not read it"
        assert (doubt in checks[expected[0]]["what"]) is (not as_administrator and not site_tells(fault))

    @pytest.mark.parametrize("fault", [name for name in FAULTS if "index" in name or "users" in name or "key" in name
                                       or "case" in name])
    def test_the_advice_helps(self, site, fault):
        site.sql(FAULTS[fault][0])
        follow_advice(site, check(site, ctl.FAILED))
        check(site, ctl.OK)

    @pytest.mark.parametrize("lack", GRANTS)
    def test_in_the_grants(self, program, site, lack):
        sql, table = GRANTS[lack]
        answers = asked(program, site)
        assert answers() == 200
        site.sql(sql.format(account=f"'{site.reader}'@'%'"))
        assert answers() == 503
        account = ["--user", ctl.ADMIN, "--password-file", site.admin_password_file]
        checks = check(site, ctl.FAILED, *account)
        assert topics(checks, "wrong") == [f"grants.{table}"]
        follow_advice(site, checks)
        assert answers() == 200

    @pytest.mark.parametrize("lack", GRANTS)
    def test_in_the_grants_as_the_reader_sees_it(self, site, lack):
        sql, table = GRANTS[lack]
        site.sql(sql.format(account=f"'{site.reader}'@'%'"))
        checks = check(site, ctl.FAILED)
        assert len(topics(checks, "wrong")) == 1 and f".{table}" in topics(checks, "wrong")[0]
        follow_advice(site, checks)
        check(site, ctl.OK)

    def test_nothing_granted_at_all(self, database, lab):
        """The reader cannot even connect; the administrator still sees the tables."""
        site = ctl.Site(database, lab, bare=True)
        assert topics(check(site, ctl.FAILED), "wrong") == ["connection.database"]
        account = ["--user", ctl.ADMIN, "--password-file", site.admin_password_file]
        checks = check(site, ctl.FAILED, *account)
        assert topics(checks, "wrong") == ["connection.database", "table.bkflow_states_app"]

    @pytest.mark.parametrize("table", ctl.TABLES)
    def test_a_column_is_missed_exactly_when_it_is_needed(self, program, site, table):
        """Takes each column away in turn: the responder and the check must agree."""
        answers = asked(program, site)
        assert answers() == 200
        administration_only = {"description", "created_at", "rotated_at"} if table == "bkflow_states_app" else set()
        columns = [row[0] for row in site.sql(f"SHOW COLUMNS FROM {table}")]
        assert len(columns) >= 3
        for column in columns:
            site.sql(f"ALTER TABLE {table} RENAME COLUMN `{column}` TO taken_away")
            works = answers() == 200
            wrong = topics(ctl.parsed(site.run("--json", "check"), ctl.OK if works and column not in administration_only
                                      else ctl.FAILED)["checks"], "wrong")
            assert (f"columns.{table}.{column}" in wrong) is (not works or column in administration_only), column
            site.sql(f"ALTER TABLE {table} RENAME COLUMN taken_away TO `{column}`")
            site.load_grants()  # those on columns went with the name
        assert answers() == 200

    @pytest.mark.parametrize("table", ctl.TABLES)
    def test_a_column_is_granted_exactly_when_it_is_needed(self, program, site, table):
        """The account reads nothing that an answer does not need, and `app list` of our own table."""
        if table in ("task_taskflowrelation", "space_space"):
            by_space = table == "space_space"
            answers = asked(program, site, query="" if by_space else "subtasks=1", by_space=by_space)
            expect, verdict = ctl.OK, "warning"
        else:
            answers, expect, verdict = asked(program, site), ctl.FAILED, "wrong"
        granted = granted_columns(site)[table]
        if table == "bkflow_states_app":
            assert granted == {row[0] for row in site.sql(f"SHOW COLUMNS FROM {table}")}
            return
        for column in sorted(granted):
            account = f"'{site.reader}'@'%'"
            site.sql(f"REVOKE SELECT (`{column}`) ON {table} FROM {account}")
            assert answers() == 503, column
            assert topics(check(site, expect), verdict) != []
            site.sql(f"GRANT SELECT (`{column}`) ON {table} TO {account}")
        assert answers() == 200

    def test_a_grant_on_the_whole_table_is_as_good(self, program, site):
        answers = asked(program, site)
        for table in ctl.TABLES:
            site.sql(f"GRANT SELECT ON {table} TO '{site.reader}'@'%'")
        assert answers() == 200
        checks = check(site, ctl.OK)
        assert topics(checks, "ok") == list(checks)

    def test_the_grants_of_init_db_are_those_of_the_schema_file(self, database, lab, site):
        other = ctl.Site(database, lab, bare=True)
        other.server.sql("\n".join(other.administer_json("init-db")["grants"].values()), None)
        assert granted_columns(other) == granted_columns(site)
        assert set(granted_columns(site)) == set(ctl.TABLES)


def granted_columns(site):
    """The columns of each table that the reader may read, as the server tells it."""
    rows = site.server.sql(
        f"SELECT table_name, column_name FROM information_schema.column_privileges WHERE table_schema = '{site.name}' "
        f"AND privilege_type = 'SELECT' AND grantee = \"'{site.reader}'@'%'\" UNION SELECT c.table_name, c.column_name "
        "FROM information_schema.columns c JOIN information_schema.table_privileges p USING (table_schema, table_name) "
        f"WHERE table_schema = '{site.name}' AND privilege_type = 'SELECT' AND grantee = \"'{site.reader}'@'%'\"", None)
    return {table: {column for name, column in rows if name == table} for table, _column in rows}


def site_tells(fault):
    """Faults that an account sees for certain, because it sees the column or the other rows of the catalogue."""
    return not fault.startswith(("no-table", "two-columns", "too-old"))


def follow_advice(site, checks):
    """Run what the findings tell to run."""
    ran = 0
    for finding in checks.values():
        if finding["verdict"] == "wrong":
            match = ADVISED_SQL.search(finding["to_do"])
            assert match, finding
            site.sql(match[0])
            ran += 1
    assert ran > 0


class TestWarnings:
    """What works, but should not stay so: exit status 0."""

    def warned(self, site, topic, *arguments, **options):
        checks = check(site, ctl.OK, *arguments, **options)
        assert topics(checks, "warning") == [topic]
        assert checks[topic]["to_do"] != ""
        return checks[topic]

    @pytest.mark.parametrize("grant, told", [
        ("INSERT ON eri_state", "INSERT"), ("DELETE ON eri_state", "DELETE"), ("UPDATE (name) ON eri_state", "UPDATE"),
        ("CREATE ON {name}.*", "CREATE"), ("RELOAD ON *.*", "RELOAD"), ("ALL ON {name}.*", "DROP"),
    ])
    def test_an_account_that_may_do_more(self, site, grant, told):
        site.sql(f"GRANT {grant.format(name=site.name)} TO '{site.reader}'@'%'")
        assert told in self.warned(site, "account.database")["what"]

    @pytest.mark.parametrize("seconds, is_told", [(-60, True), (60, True), (-1, False), (1, False)])
    def test_a_clock_that_differs(self, site, seconds, is_told):
        """init_connect stands for a server whose clock is off."""
        with init_connect(site, f"SET timestamp = IF(USER() LIKE '{site.reader}@%', UNIX_TIMESTAMP(SYSDATE(6)) + {seconds}, 0)"):
            if is_told:
                what = self.warned(site, "clock.database")["what"]
                assert ("behind" if seconds < 0 else "ahead of") in what
                assert 59 <= float(re.search(r"by ([0-9.]+) s", what)[1]) <= 62
            else:
                check(site, ctl.OK)

    def test_a_time_limit_that_is_not_ours(self, site):
        """The limit is set after init_connect: only a proxy could change it. Here the configuration says another."""
        checks = check(site, ctl.OK, settings={"database.query_timeout": "1500ms"})
        assert "1500 ms" in checks["time_limit.database"]["what"]

    def test_a_column_that_holds_longer_texts(self, site):
        site.sql("ALTER TABLE eri_state MODIFY version varchar(64) NOT NULL")
        assert "varchar(33)" in self.warned(site, "columns.eri_state.version")["what"]

    @pytest.mark.parametrize("change, topic", [
        ("DROP TABLE task_taskflowrelation", "table.task_taskflowrelation"),
        ("ALTER TABLE task_taskflowrelation DROP COLUMN extra_info", "columns.task_taskflowrelation.extra_info"),
        ("ALTER TABLE task_taskflowrelation MODIFY extra_info int", "columns.task_taskflowrelation.extra_info"),
        ("DROP INDEX task_taskflowrelation_parent_task_id ON task_taskflowrelation",
         "indexes.task_taskflowrelation.parent_task_id"),
        ("REVOKE SELECT (extra_info) ON task_taskflowrelation FROM {account}", "grants.task_taskflowrelation"),
    ], ids=["table", "column", "type", "index", "grant"])
    def test_a_table_that_only_subtasks_need(self, site, change, topic):
        site.sql(change.format(account=f"'{site.reader}'@'%'"))
        account = ["--user", ctl.ADMIN, "--password-file", site.admin_password_file]
        assert "subtasks=1" in self.warned(site, topic, *account)["what"]

    @pytest.mark.parametrize("change, topic", [
        ("DROP TABLE space_space", "table.space_space"),
        ("ALTER TABLE space_space DROP COLUMN app_code", "columns.space_space.app_code"),
        ("REVOKE SELECT (app_code) ON space_space FROM {account}", "grants.space_space"),
    ], ids=["table", "column", "grant"])
    def test_a_table_that_only_calls_of_spaces_need(self, site, change, topic):
        site.sql(change.format(account=f"'{site.reader}'@'%'"))
        account = ["--user", ctl.ADMIN, "--password-file", site.admin_password_file]
        assert "only requests below /space/ need it" in self.warned(site, topic, *account)["what"]

    def test_a_view_in_a_tables_place(self, site):
        site.sql("RENAME TABLE account_user TO users; CREATE VIEW account_user AS SELECT * FROM users")
        site.load_grants()
        self.warned(site, "indexes.account_user")

    def test_more_memory_than_there_is(self, site):
        found = self.warned(site, "max_nodes", settings={"response.max_nodes": 10_000_000, "server.workers": 256})
        assert "max_nodes" in found["to_do"]

    def test_a_password_for_everybody_to_read(self, site):
        path = site.secret_file("open", ctl.READER_PASSWORD)
        settings = {"database.password": "", "database.password_file": path}
        check(site, ctl.OK, settings=settings)
        path.chmod(0o644)
        assert str(path) in self.warned(site, "password.database", settings=settings)["what"]

    def test_what_the_configuration_names_is_not_there(self, site):
        checks = check(site, ctl.FAILED, settings={"database.option_file": "/nonexistent/my.cnf"})
        assert "option_file: /nonexistent/my.cnf cannot be read" in checks["configuration.1"]["what"]
        assert "the responder does not start" in checks["configuration"]["what"]

    def test_no_configuration_file(self, site):
        """Where /etc has none, all can come from the environment."""
        env = {"BKFLOW_STATES_" + key.upper().replace(".", "_"): str(value) for key, value in site.settings().items()}
        report = ctl.parsed(ctl.execute(["--json", "check"], env=env))
        if "no mistakes" in report["checks"]["configuration"]["what"]:
            pytest.skip("a configuration is installed here")
        assert topics(report["checks"], "warning") == ["configuration"]


def public_key():
    private = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                             capture_output=True, check=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubout"], input=private, capture_output=True, check=True).stdout.decode()


class init_connect:
    """SQL that the server runs for each new connection that is not an administrator's."""

    def __init__(self, site, sql):
        self._site, self._sql = site, sql

    def __enter__(self):
        self._set(self._sql)

    def __exit__(self, *_):
        self._set("")

    def _set(self, sql):
        self._site.server.sql('SET GLOBAL init_connect = "%s"' % sql, None)


class TestConfigurationAndConnection:
    """Where it does not get as far as tables."""

    def test_every_mistake_is_told(self, site):
        settings = {"server.workers": "x", "response.timezone": "Asia/Nowhere", "auth.nonsense": "1"}
        checks = check(site, ctl.FAILED, settings=settings)
        assert topics(checks, "wrong") == list(checks) and len(checks) == 4
        told = " ".join(finding["what"] for finding in checks.values())
        assert all(word in told for word in ("workers", "Asia/Nowhere", "nonsense"))

    def test_the_keys_of_gateways(self, site):
        """With the key that stands there, without, and with something else in its place."""
        path = site.lab.path("gateway", ".pem")
        settings = {"auth.gateway": "on", "auth.gateway_key_main": path}
        for text, expect in ((None, ctl.FAILED), ("no key\n", ctl.FAILED), (public_key(), ctl.OK)):
            if text is not None:
                path.write_text(text)
            checks = check(site, expect, settings=settings)
            assert topics(checks, "wrong") == ([] if expect == ctl.OK else ["keys.1", "keys"])
            assert expect == ctl.OK or str(path) in checks["keys.1"]["what"]
        assert "1 gateway signed" in checks["keys"]["what"]

    def test_a_file_that_is_not_there(self):
        done = ctl.execute(["--config", "/nonexistent/file.conf", "check"])
        assert "/nonexistent/file.conf" in ctl.output(done, ctl.FAILED)

    @pytest.mark.parametrize("settings, word", [
        ({"database.socket": "/nonexistent/socket"}, "/nonexistent/socket"),
        ({"database.password": "wrong"}, "Access denied"),
        ({"database.name": "no_such_database"}, "no_such_database"),
        ({"database.host": "127.0.0.1", "database.port": "1"}, "127.0.0.1"),
    ], ids=["no-server", "password", "no-database", "no-port"])
    def test_a_database_that_cannot_be_reached(self, site, settings, word):
        checks = check(site, ctl.FAILED, settings=settings)
        assert topics(checks, "wrong") == ["connection.database"]
        assert "[database]" in checks["connection.database"]["to_do"]
        assert word in checks["connection.database"]["what"]
        assert not any(topic.startswith("table.") for topic in checks)

    def test_only_the_engine_is_away(self, site):
        checks = check(site, ctl.FAILED, settings={"engine_database.socket": "/nonexistent/socket"})
        assert topics(checks, "wrong") == ["connection.engine_database"]
        assert "table.template_template" in checks and "table.eri_state" not in checks

    def test_no_secret_is_shown(self, site):
        done = site.run("check")
        assert ctl.READER_PASSWORD.encode() not in done.stdout + done.stderr
        done = site.run("check", settings={"database.password": "wrong-but-secret", "database.port": "x"})
        assert b"wrong-but-secret" not in done.stdout + done.stderr

    def test_it_changes_nothing(self, site):
        site.add("app")
        dump = [site.sql(f"CHECKSUM TABLE {table}") for table in ctl.TABLES]
        check(site, ctl.OK, "--user", "root")
        assert [site.sql(f"CHECKSUM TABLE {table}") for table in ctl.TABLES] == dump

    def test_colours_at_a_terminal(self, site):
        terminal = ctl.Terminal(["--config", site.config(), "check"])
        assert terminal.finish() == ctl.OK
        assert "\x1b[32mok\x1b[0m" in terminal.screen
        assert b"\x1b" not in site.run("check", env={"TERM": "xterm"}).stdout
