# SPDX-License-Identifier: MIT
"""[auth] user_table_check: whether bk_username must be one of BKFlow's users, and what is said where it need not."""

import json

import pytest
import support
from lab import client, mariadb
from lab import responder as lab_responder

MISSING, WRONG, NO_USER = 40101, 40102, 40103
WARNING = "user_table_check = off"

OTHER_SPELLINGS = [
    "nobody", support.INACTIVE_USER, "Alice", "ALICE", "alice ", " alice", "alice\t", "alic\u00e9", "\u00e0lice",
    "alice\u0301", "\uff41lice", "alice\u200b", "alice.", "ali", "%", "_lice", "alice\\", "alice'--", "x" * 255,
    "x" * 300,
]


def by_header(username):
    return dict(credentials=client.credentials(support.APP, support.SECRET, username))


def by_query(username):
    return dict(credentials={}, query=support.query_credentials(username=username))


@pytest.fixture(params=[by_header, by_query], ids=["header", "query"])
def ask(request, finished_task):
    """A function from a responder and a user name to the answer."""
    return lambda responder, username: responder.ask(support.states(finished_task, **request.param(username)))


@pytest.fixture(scope="module")
def unchecked(serve):
    return serve({"auth.user_table_check": "off"})


@pytest.mark.parametrize("username", OTHER_SPELLINGS, ids=lambda name: ascii(name)[:20])
def test_unknown_inactive_or_spelt_in_another_way(standard, ask, username):
    support.assert_error(ask(standard, username), 401, NO_USER)


@pytest.mark.parametrize("username", ["J\u00fcrgen", "\u674e\u56db", "name with blanks", "a@b.c", "UPPER"])
def test_a_user_by_that_very_name(standard, database, ask, username):
    """And by no other that the database's collation takes for the same."""
    database.sql("DELETE FROM account_user WHERE id > 100;" + mariadb.insert(
        "account_user", [{"id": 101, "username": username, "is_active": True}]))
    support.success(ask(standard, username))
    for other in {username.lower(), username.upper(), username + " ", username.replace("\u00fc", "u")} - {username}:
        support.assert_error(ask(standard, other), 401, NO_USER)


@pytest.mark.parametrize("is_active, status", [(1, 200), (0, 401), (2, 401), (-1, 401)])
def test_active_means_one(standard, database, ask, is_active, status):
    database.sql(f"INSERT INTO account_user (id, username, is_active) VALUES (102, 'flag', {is_active}) "
                 "ON DUPLICATE KEY UPDATE is_active = VALUES(is_active)")
    assert ask(standard, "flag").status == status


def test_leaving_counts_at_once(standard, database, ask):
    database.sql("REPLACE INTO account_user (id, username, is_active) VALUES (103, 'leaver', 1)")
    support.success(ask(standard, "leaver"))
    database.sql("UPDATE account_user SET is_active = 0 WHERE username = 'leaver'")
    support.assert_error(ask(standard, "leaver"), 401, NO_USER)
    database.sql("DELETE FROM account_user WHERE username = 'leaver'")
    support.assert_error(ask(standard, "leaver"), 401, NO_USER)


class TestSwitchedOff:
    """Users live elsewhere: the application's secret speaks for any name."""

    @pytest.mark.parametrize("username", [support.USER, *OTHER_SPELLINGS], ids=lambda name: ascii(name)[:20])
    def test_any_name_will_do(self, unchecked, ask, username):
        support.success(ask(unchecked, username))

    def test_a_name_is_still_required(self, unchecked, ask, finished_task):
        assert "bk_username" in support.assert_error(ask(unchecked, ""), 401, MISSING)
        two = json.dumps({"bk_app_code": support.APP, "bk_app_secret": support.SECRET})
        response = unchecked.ask(support.states(finished_task, credentials={"X-Bkapi-Authorization": two}))
        assert "bk_username" in support.assert_error(response, 401, MISSING)

    @pytest.mark.parametrize("code, secret", [(support.APP, "wrong"), ("nobody", support.SECRET),
                                              (support.DISABLED_APP, support.DISABLED_SECRET)])
    def test_the_secret_is_still_checked(self, unchecked, finished_task, code, secret):
        credentials = client.credentials(code, secret, support.USER)
        response = unchecked.ask(support.states(finished_task, credentials=credentials))
        support.assert_error(response, 401, WRONG)

    def test_the_binding_is_still_checked(self, unchecked, world, ask):
        task_id = world.task([support.node()], template_id=world.template("other_app"))
        response = unchecked.ask(support.states(task_id, **by_header("anybody")))
        support.assert_error(response, 403, 40303)

    @pytest.mark.parametrize("is_apart", [False, True], ids=["one", "two"])
    def test_works_without_the_table(self, serve, database, world, is_apart):
        """In one database, and where the engine's tables are in another."""
        elsewhere = Elsewhere(database, "no_users_two" if is_apart else "no_users_one", with_tasks=not is_apart)
        template_id = 800_001
        elsewhere.insert("template_template", [{"id": template_id, "is_deleted": False, "bk_app_code": support.APP}])
        task_id = (world if is_apart else support.World(elsewhere)).task([support.node()], template_id=template_id)
        settings = {"database.name": elsewhere.name}
        if not is_apart:
            settings |= {"engine_database.name": elsewhere.name, "engine_database.user": mariadb.RESPONDER_USER}
        responder = serve(settings | {"auth.user_table_check": "off"})
        support.success(responder.ask(support.states(task_id, **by_header("anybody"))))
        support.assert_error(serve(settings).ask(support.states(task_id)), 503, 50303)

    def test_the_warning_stands_in_the_log_from_the_start(self, unchecked, standard):
        assert " warning: " in line_of(unchecked.log, WARNING)
        assert WARNING not in standard.log

    def test_the_warning_comes_again_with_each_reload(self, program, database):
        """Whether it is switched off now or has long been."""
        responder = program.listen(lab_responder.settings_for(database))
        assert WARNING not in responder.log
        for value, is_warned in (("off", True), ("off", True), ("on", False), ("off", True)):
            size = len(responder.log)
            responder.reload(responder.settings | {"auth.user_table_check": value})
            responder.wait_for_log("reloaded", since=size)
            if is_warned:
                responder.wait_for_log(WARNING, since=size)
            else:
                responder.ask(client.variables("/healthz"))
                assert WARNING not in responder.log[size:]
        assert responder.stop() == 0

    def test_reload_switches(self, program, database, finished_task):
        responder = program.listen(lab_responder.settings_for(database))
        for value, status in (("off", 200), ("on", 401)):
            size = len(responder.log)
            responder.reload(responder.settings | {"auth.user_table_check": value})
            responder.wait_for_log("reloaded", since=size)
            assert responder.ask(support.states(finished_task, **by_header("nobody"))).status == status
        assert responder.stop() == 0


def line_of(log, text):
    return next(line for line in log.splitlines() if text in line)


class Elsewhere:
    """Another database of the same server, with everything in it but BKFlow's users."""

    def __init__(self, server, name, with_tasks):
        self._server, self.name = server, name
        tables = ["template_template", "bkflow_states_app"] + ["task_taskinstance", "eri_state"] * with_tasks
        server.sql(f"CREATE DATABASE {name};" + "".join(
            f"CREATE TABLE {name}.{table} LIKE {table}; GRANT SELECT ON {name}.{table} TO bkflow_states@'%';"
            for table in tables) + f"INSERT INTO {name}.bkflow_states_app SELECT * FROM bkflow_states_app;")

    def insert(self, table, rows):
        self._server.sql(mariadb.insert(table, rows), self.name)
