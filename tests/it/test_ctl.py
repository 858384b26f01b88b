# SPDX-License-Identifier: MIT
"""Contract 4.2: the applications that bkflow-statesctl looks after can log in, or can't."""

import contextlib
import json
import os
import re
import subprocess
import time
import types
from concurrent import futures

import ctl
import memory
import pytest
import support
from lab import client, mariadb, scratch

CODE = "deploy_tool"
SECRET = "an existing secret, long enough"


@pytest.fixture
def site(database, lab):
    return ctl.Site(database, lab)


@pytest.fixture
def bare_site(database, lab):
    return ctl.Site(database, lab, bare=True)


class Gate:
    """The responder of a site, with a user and a task that CODE may see: who gets in?"""

    def __init__(self, program, site, code=CODE):
        self.code = code
        site.sql(mariadb.insert("account_user", [{"id": 1, "username": support.USER, "is_active": True}]))
        world = site.world()
        self.task_id = world.task([support.node()], template_id=world.template(bk_app_code=code))
        self.responder = program.listen(site.settings())

    def admits(self, secret):
        credentials = client.credentials(self.code, secret, support.USER)
        response = self.responder.ask(support.states(self.task_id, credentials=credentials))
        if response.status == 200:
            return True
        support.assert_error(response, 401, 40102)
        return False

    def stop(self):
        assert self.responder.stop() == 0


@pytest.fixture
def gate(program, site):
    made = Gate(program, site)
    yield made
    made.stop()


class TestInitDb:
    """The table and the grants."""

    def test_from_an_empty_database_to_the_first_answer(self, program, bare_site):
        """What it tells the operator to run is all that is missing."""
        made = bare_site.administer_json("init-db")
        assert made["created"] is True and made["database"] == bare_site.name
        bare_site.server.sql("\n".join(made["grants"].values()), None)
        secret = bare_site.add(CODE)
        gate = Gate(program, bare_site)
        assert gate.admits(secret)
        gate.stop()
        assert bare_site.json("check")["result"] is True

    def test_again_changes_nothing(self, bare_site):
        assert "is made" in ctl.output(bare_site.administer("init-db"))
        secret = bare_site.add(CODE)
        assert "was there already" in ctl.output(bare_site.administer("init-db"))
        assert bare_site.administer_json("init-db")["created"] is False
        assert bare_site.administer("app", "add", CODE).returncode == ctl.FAILED, secret

    def test_the_table_is_that_of_the_schema_file(self, site, bare_site):
        bare_site.administer_json("init-db")
        made, loaded = (place.sql("SHOW CREATE TABLE bkflow_states_app") for place in (bare_site, site))
        assert made == loaded

    def test_text_and_json_tell_the_same_grants(self, bare_site):
        text = ctl.output(bare_site.administer("init-db"))
        told = [line.strip() for line in text.splitlines() if line.startswith("    ")]
        assert told == list(bare_site.administer_json("init-db")["grants"].values())
        assert [re.search(r"`\.`(\w+)`", line)[1] for line in told] != []

    def test_grants_are_told_by_database(self, site):
        told = ctl.output(site.administer("init-db", settings={"engine_database.name": "other"}))
        interface, engine = told.split("on the server of [database]:")[1].split("on the server of [engine_database]:")
        assert "template_template" in interface and "eri_state" not in interface
        assert "`other`.`eri_state`" in engine and "`other`.`task_taskinstance`" in engine

    def test_by_the_reading_account(self, bare_site):
        bare_site.sql(f"GRANT SELECT ON eri_state TO '{bare_site.reader}'@'%'")
        assert "--user" in ctl.complaint(bare_site.run("init-db"))


class TestAddAndRotate:
    """Secrets, as the responder takes them."""

    def test_a_made_up_secret(self, site, gate):
        done = site.administer("app", "add", CODE)
        secret = ctl.shown_secret(done)
        assert re.fullmatch(r"[A-Za-z0-9_-]{40,}", secret)
        assert "not shown again" in done.stdout.decode()
        assert gate.admits(secret)
        assert not gate.admits(secret[:-1]) and not gate.admits(secret + "0")

    def test_two_secrets_are_never_the_same(self, site):
        assert len({site.add(code) for code in ("a", "b", "c")}) == 3
        assert len(site.sql("SELECT DISTINCT HEX(salt) FROM bkflow_states_app")) == 3

    def test_an_existing_secret(self, site, gate):
        done = site.administer("app", "add", CODE, "--secret-stdin", stdin=SECRET.encode() + b"\nnot this line\n")
        assert SECRET not in ctl.output(done) + done.stderr.decode()
        assert gate.admits(SECRET)

    @pytest.mark.parametrize("ending", ["", "\n", "\r\n"], ids=["none", "lf", "crlf"])
    def test_the_end_of_the_line_does_not_belong_to_it(self, site, gate, ending):
        answer = site.administer_json("app", "add", CODE, "--secret-stdin", stdin=(SECRET + ending).encode())
        assert "secret" not in answer
        assert gate.admits(SECRET)

    @pytest.mark.parametrize("stdin, word", [
        (b"", "empty"), (b"\n", "shorter"), (b"fifteen-bytes-x\n", "shorter"), (b"x" * 513 + b"\n", "longer"),
        (b"x" * 5000, "long"), (b"with a \x07 in the middle\n", "control"), (b"with a \xc2\x85 in the middle\n", "control"),
        (b"this is no \xff UTF-8 text\n", "UTF-8"), (b" a blank in front of it\n", "blank"), (b"a blank behind it all \n", "blank"),
    ], ids=["nothing", "empty", "short", "long", "endless", "control", "c1", "not-utf8", "blank-first", "blank-last"])
    def test_a_secret_that_is_refused(self, site, stdin, word):
        complaint = ctl.complaint(site.administer("app", "add", CODE, "--secret-stdin", stdin=stdin))
        assert word in complaint
        assert site.json("app", "list") == {"apps": {}}

    @pytest.mark.parametrize("secret", ["sixteen-bytes-xx", "x" * 512, "密码密码密码密码", "\"quo'tes\\ & %20 = +"],
                             ids=["shortest", "longest", "chinese", "odd"])
    def test_a_secret_that_is_taken(self, site, gate, secret):
        site.administer_json("app", "add", CODE, "--secret-stdin", stdin=secret.encode() + b"\n")
        assert gate.admits(secret)

    def test_typed_at_a_terminal_it_is_not_shown(self, site, gate):
        terminal = ctl.Terminal(["--config", site.config(), "--user", "root", "app", "add", CODE, "--secret-stdin"])
        terminal.wait_for("Secret")
        terminal.type(SECRET + "\n")
        assert terminal.finish() == ctl.OK
        assert SECRET not in terminal.screen
        assert gate.admits(SECRET)

    def test_ctrl_c_while_typing_leaves_the_terminal_as_it_was(self, site):
        script = f"stty -a > before; '{ctl.PATH}' -c '{site.config()}' -u root app add x --secret-stdin; stty -a > after"
        folder = site.lab.path("tty")
        folder.mkdir()
        typing = subprocess.Popen(["script", "-qec", script, "/dev/null"], cwd=folder, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, env=ctl.environment({"TERM": "xterm"}))
        assert b"Secret" in typing.stdout.read(6) + typing.stdout.read1()
        typing.communicate(b"half a secret\x03\n", timeout=30)
        assert (folder / "after").read_text() == (folder / "before").read_text() != ""
        assert site.json("app", "list") == {"apps": {}}

    def test_rotation_with_grace(self, site, gate):
        old = site.add(CODE)
        done = site.administer("app", "rotate", CODE, "--grace", "1h")
        new = ctl.shown_secret(done)
        assert gate.admits(old) and gate.admits(new)
        assert "holds as well until" in done.stdout.decode()
        site.sql("UPDATE bkflow_states_app SET previous_expires_at = UTC_TIMESTAMP(6)")
        assert not gate.admits(old)
        assert gate.admits(new)

    def test_rotation_without_grace(self, site, gate):
        old = site.add(CODE)
        answer = site.administer_json("app", "rotate", CODE, "--grace", "0")
        assert answer["old_secret_until"] is None and answer["dropped_older"] is False
        assert not gate.admits(old) and gate.admits(answer["secret"])
        assert site.sql("SELECT previous_digest, previous_expires_at FROM bkflow_states_app") == [["NULL", "NULL"]]

    def test_a_second_rotation_within_grace_drops_the_oldest(self, site, gate):
        first = site.add(CODE)
        second = site.administer_json("app", "rotate", CODE)
        done = site.administer("app", "rotate", CODE)
        third = ctl.shown_secret(done)
        assert "is dropped" in done.stdout.decode()
        assert [gate.admits(secret) for secret in (first, second["secret"], third)] == [False, True, True]
        assert second["dropped_older"] is False
        assert site.administer_json("app", "rotate", CODE)["dropped_older"] is True

    def test_a_rotation_after_grace_drops_nothing(self, site):
        site.add(CODE)
        site.administer_json("app", "rotate", CODE)
        site.sql("UPDATE bkflow_states_app SET previous_expires_at = UTC_TIMESTAMP(6)")
        assert site.administer_json("app", "rotate", CODE)["dropped_older"] is False

    def test_rotation_to_an_existing_secret(self, site, gate):
        old = site.add(CODE)
        answer = site.administer_json("app", "rotate", CODE, "--secret-stdin", stdin=SECRET.encode())
        assert "secret" not in answer
        assert gate.admits(old) and gate.admits(SECRET)
        again = site.administer("app", "rotate", CODE, "--secret-stdin", stdin=SECRET.encode())
        assert "already" in ctl.complaint(again)
        assert gate.admits(old)

    @pytest.mark.parametrize("grace, seconds", [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604800),
                                                (None, 86400)], ids=str)
    def test_how_long_grace_is(self, site, grace, seconds):
        site.add(CODE)
        site.administer_json("app", "rotate", CODE, *(["--grace", grace] if grace else []))
        left = site.sql("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), previous_expires_at) FROM bkflow_states_app")
        assert seconds - 60 < int(left[0][0]) <= seconds

    def test_of_two_at_once_only_one_rotates(self, site):
        """A decision on a row that has changed meanwhile is not carried out."""
        site.add(CODE)
        update = "BEGIN; UPDATE bkflow_states_app SET secret_digest = REPEAT('x', 32)"
        with futures.ThreadPoolExecutor() as beside:
            with site.server.holding(update, site.name, at_end="COMMIT;"):
                rotation = beside.submit(site.administer, "app", "rotate", CODE)
                site.server.wait_until_held_up()
        assert "somebody else" in ctl.complaint(rotation.result())
        assert site.sql("SELECT rotated_at FROM bkflow_states_app") == [["NULL"]]


class TestEnableDisableRemove:
    """An application's fate."""

    def test_disable_and_enable(self, site, gate):
        secret = site.add(CODE)
        for command, admits in (("disable", False), ("enable", True)):
            assert site.administer_json("app", command, CODE)["changed"] is True
            assert gate.admits(secret) is admits
            assert site.administer_json("app", command, CODE)["changed"] is False
            assert "already" in ctl.output(site.administer("app", command, CODE))
            assert gate.admits(secret) is admits

    def test_remove(self, site, gate):
        secret = site.add(CODE)
        assert "is removed" in ctl.output(site.administer("app", "remove", "--yes", CODE))
        assert not gate.admits(secret)
        assert site.json("app", "list") == {"apps": {}}

    @pytest.mark.parametrize("answer, removed", [("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False)], ids=repr)
    def test_remove_asks_at_a_terminal(self, site, answer, removed):
        site.add(CODE)
        terminal = ctl.Terminal(["--config", site.config(), "--user", "root", "app", "remove", CODE])
        terminal.wait_for("[y/N]")
        terminal.type(answer)
        assert terminal.finish() == (ctl.OK if removed else ctl.FAILED)
        assert (CODE in site.json("app", "list")["apps"]) is not removed

    def test_remove_without_a_terminal_needs_a_yes(self, site):
        site.add(CODE)
        assert "--yes" in ctl.complaint(site.administer("app", "remove", CODE), ctl.USAGE)
        assert CODE in site.json("app", "list")["apps"]

    @pytest.mark.parametrize("command", [["rotate"], ["enable"], ["disable"], ["remove", "--yes"]], ids=lambda c: c[0])
    @pytest.mark.parametrize("code", ["Deploy_Tool", "nobody"])
    def test_an_application_that_is_not_there(self, site, command, code):
        site.add(CODE)
        assert "no application" in ctl.complaint(site.administer("app", *command, code))
        assert list(site.json("app", "list")["apps"]) == [CODE]


class TestCodes:
    """What an application may be called."""

    @pytest.mark.parametrize("code", ["a", "x" * 128, "应用", "Ä" * 128, "with blank", "quo'te\"", "-dash", "back\\slash", "%_"],
                             ids=["short", "longest", "chinese", "longest-utf8", "blank", "quotes", "dash", "backslash", "like"])
    def test_good(self, site, program, code):
        gate = Gate(program, site, code)
        secret = site.add(code)
        assert gate.admits(secret)
        gate.stop()
        assert list(site.json("app", "list")["apps"]) == [code]

    @pytest.mark.parametrize("code, word", [
        ("", "empty"), ("x" * 129, "longer"), ("Ä" * 129, "longer"), (" a", "blank"), ("a ", "blank"), ("a\tb", "control"),
        ("a\nb", "control"), ("a\x7f", "control"), ("a\u0085", "control"), (b"\xff\xfe", "UTF-8"),
        (b"\xed\xa0\x80", "UTF-8"),
    ], ids=["empty", "long", "long-utf8", "blank-first", "blank-last", "tab", "lf", "del", "c1", "bytes", "surrogate"])
    def test_bad(self, site, code, word):
        done = subprocess.run([ctl.PATH, "-c", str(site.config()), "-u", "root", "app", "add", code],
                              capture_output=True, env=ctl.environment(), check=False)
        assert word in ctl.complaint(done, ctl.USAGE)

    def test_codes_that_differ_in_case_are_two(self, site):
        site.add("app")
        site.add("APP")
        site.administer_json("app", "disable", "APP")
        apps = site.json("app", "list")["apps"]
        assert {code: app["is_enabled"] for code, app in apps.items()} == {"app": True, "APP": False}

    def test_a_code_that_the_table_takes_for_another(self, site):
        """Trailing blanks do not count for the column, but do for us."""
        site.sql(mariadb.insert("bkflow_states_app", [support.app_row("app ", SECRET)]))
        assert "app list" in ctl.complaint(site.administer("app", "add", "app"))
        assert "no application" in ctl.complaint(site.administer("app", "rotate", "app"))
        assert site.sql("SELECT rotated_at FROM bkflow_states_app") == [["NULL"]]

    def test_a_code_among_others_that_the_table_takes_for_the_same(self, site):
        """A table that somebody made with another collation, and without a key."""
        site.sql("ALTER TABLE bkflow_states_app DROP PRIMARY KEY, MODIFY bk_app_code varchar(128) COLLATE utf8mb4_general_ci")
        for code in ("APP", "app", "App"):
            site.sql(mariadb.insert("bkflow_states_app", [support.app_row(code, SECRET + code)]))
        for code in ("app", "App", "APP"):
            assert site.administer_json("app", "disable", code)["changed"] is True
            assert site.json("app", "list")["apps"][code]["is_enabled"] is False

    def test_twice(self, site, gate):
        secret = site.add(CODE)
        assert "app rotate" in ctl.complaint(site.administer("app", "add", CODE))
        assert gate.admits(secret)


class TestList:
    """What the administrator sees."""

    def test_json(self, site):
        assert site.json("app", "list") == {"apps": {}}
        site.administer_json("app", "add", "b", "--description", "of \"B\", größer")
        site.administer_json("app", "add", "a")
        site.administer_json("app", "rotate", "a", "--grace", "1h")
        site.administer_json("app", "disable", "b")
        apps = site.json("app", "list")["apps"]
        assert list(apps) == ["a", "b"]
        assert list(apps["a"]) == ["is_enabled", "description", "created_at", "rotated_at", "old_secret_until"]
        assert apps["b"]["description"] == "of \"B\", größer" and apps["b"]["is_enabled"] is False
        assert apps["b"]["rotated_at"] is None and apps["b"]["old_secret_until"] is None
        moments = [time.strptime(apps["a"][name], "%Y-%m-%dT%H:%M:%SZ") for name in
                   ("created_at", "rotated_at", "old_secret_until")]
        assert abs(time.time() - (time.mktime(moments[0]) - time.timezone)) < 60
        assert abs(time.mktime(moments[2]) - time.mktime(moments[1]) - 3600) <= 1

    def test_text(self, site):
        assert "no applications yet" in ctl.output(site.run("app", "list"))
        site.administer_json("app", "add", "应用", "--description", "wide")
        site.administer_json("app", "add", "narrow_one")
        site.sql("UPDATE bkflow_states_app SET created_at = '2026-01-02 03:04:05.9'")
        lines = ctl.output(site.run("app", "list")).splitlines()
        assert len(lines) == 3
        assert re.fullmatch(r"narrow_one +yes +2026-01-02 11:04:05 \+0800 +- +- *", lines[1])
        assert re.fullmatch(r"应用 +yes +2026-01-02 11:04:05 \+0800 +- +- +wide", lines[2])
        # A Chinese character is two columns wide.
        assert lines[1].index("yes") == lines[2].index("yes") + 2 == lines[0].index("ENABLED")

    def test_a_row_cannot_command_the_terminal(self, site):
        site.sql(mariadb.insert("bkflow_states_app", [
            support.app_row("evil\x1b[2J", SECRET, description="bell\x07 \u009b31m")]))
        text = ctl.output(site.run("app", "list"))
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert "evil?[2J" in text

    def test_ended_grace_is_not_shown(self, site):
        site.add(CODE)
        site.administer_json("app", "rotate", CODE)
        assert len(re.findall(r"\d{4}-", ctl.output(site.run("app", "list")))) == 3
        site.sql("UPDATE bkflow_states_app SET previous_expires_at = '2026-01-01'")
        assert len(re.findall(r"\d{4}-", ctl.output(site.run("app", "list")))) == 2


class TestAccounts:
    """Who may do it."""

    @pytest.mark.parametrize("command", [["add", "new"], ["rotate", CODE], ["disable", CODE], ["remove", "--yes", CODE]],
                             ids=lambda c: c[0])
    def test_the_configured_account_only_reads(self, site, gate, command):
        secret = site.add(CODE)
        complaint = ctl.complaint(site.run("app", *command))
        assert "denied" in complaint and "--user" in complaint
        assert gate.admits(secret)
        assert list(site.json("app", "list")["apps"]) == [CODE]

    def test_known_by_the_socket(self, site):
        assert site.run("--user", "root", "app", "add", CODE).returncode == ctl.OK

    def test_password_from_the_option_file(self, site):
        path = site.secret_file("my", f"[client]\npassword={ctl.ADMIN_PASSWORD}\n")
        done = site.run("--user", ctl.ADMIN, "app", "add", CODE, settings={"database.option_file": path})
        assert done.returncode == ctl.OK, done.stderr

    def test_wrong_password(self, site):
        path = site.secret_file("wrong", "wrong")
        complaint = ctl.complaint(site.run("--user", ctl.ADMIN, "--password-file", path, "app", "list"))
        assert "Access denied" in complaint and "[database]" in complaint

    @pytest.mark.parametrize("text", ["", "\n", "\ufeffwrong\n", "wr\0ng\n"],
                             ids=["empty", "empty-line", "byte-order-mark", "NUL"])
    def test_password_file_without_a_password(self, site, text):
        path = site.secret_file("wrong", text)
        complaint = ctl.complaint(site.run("--user", ctl.ADMIN, "--password-file", path, "app", "list"))
        assert f"--password-file: {path} cannot be used: it" in complaint

    def test_password_file_that_is_not_there(self, site):
        done = site.run("--user", ctl.ADMIN, "--password-file", "/nonexistent/file", "app", "list")
        assert "/nonexistent/file" in ctl.complaint(done)

    def test_no_table(self, bare_site):
        assert "init-db" in ctl.complaint(bare_site.administer("app", "add", CODE))

    def test_no_server(self, site):
        complaint = ctl.complaint(site.run("app", "list", settings={"database.socket": "/nonexistent/socket"}))
        assert "/nonexistent/socket" in complaint and "[database]" in complaint


class TestSecretsStayHidden:
    """Only the answer shows a secret, once."""

    def test_not_to_the_server_not_in_the_process_list(self, site):
        """While the table is locked, the running program can be looked at from outside."""
        log = site.lab.path("general", ".log")
        site.server.sql(f"SET GLOBAL log_output = 'FILE', GLOBAL general_log_file = '{log}', GLOBAL general_log = 1", None)
        try:
            with site.server.locked(f"{site.name}.bkflow_states_app"):
                running = subprocess.Popen(
                    [ctl.PATH, "-c", str(site.config()), "-u", "root", "app", "add", CODE, "--secret-stdin"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ctl.environment())
                running.stdin.write(SECRET.encode() + b"\n")
                running.stdin.flush()
                site.server.wait_until_held_up()
                assert running.poll() is None
                visible = b"".join(open(f"/proc/{running.pid}/{name}", "rb").read() for name in ("cmdline", "environ"))
            seen = b"".join(running.communicate(timeout=30))
            rotated = ctl.shown_secret(site.administer("app", "rotate", CODE))
            site.json("app", "list")
        finally:
            site.server.sql("SET GLOBAL general_log = 0", None)
        logged = log.read_bytes()
        assert running.returncode == ctl.OK
        assert b"UPDATE bkflow_states_app" in logged and b"INSERT INTO bkflow_states_app" in logged
        for secret in (SECRET, rotated, ctl.ADMIN_PASSWORD):
            assert secret.encode() not in visible + seen + logged
        listed = site.run("app", "list").stdout + site.run("--json", "app", "list").stdout
        assert rotated.encode() not in listed

    def test_not_in_memory_while_the_answer_waits(self, program, site):
        """The pipe that takes the answer is full: all that is left to do is to write it."""
        memory.skip_if_sanitized(program)
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        running = subprocess.Popen([ctl.PATH, "-c", str(site.config()), "-u", ctl.ADMIN, "--password-file",
                                    str(site.admin_password_file), "app", "add", CODE, "--secret-stdin"],
                                   stdin=subprocess.PIPE, stdout=writer, env=ctl.environment())
        running.stdin.write(SECRET.encode() + b"\n")
        running.stdin.close()
        scratch.wait_until(lambda: site.sql("SELECT 1 FROM bkflow_states_app"))
        process = types.SimpleNamespace(service=running)
        scratch.wait_until(lambda: not memory.find(process, [SECRET]))
        # Elsewhere may be the client library's copies, which it frees without wiping them: docs/security.md.
        scratch.wait_until(lambda: not any(hit.startswith("[stack]") for hit in memory.find(process, [ctl.ADMIN_PASSWORD])))
        assert running.poll() is None
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert b"is added" in pipe.read()
        assert running.wait(timeout=30) == ctl.OK

    def test_an_answer_that_cannot_be_written(self, site, gate):
        """Nobody saw the secret: the program must not claim success, and says what to do."""
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ctl.PATH, "-c", str(site.config()), "-u", "root", "app", "add", CODE],
                                  stdout=full, stderr=subprocess.PIPE, env=ctl.environment(), check=False)
        assert done.returncode == ctl.FAILED
        assert b"app rotate --grace 0 " + CODE.encode() in done.stderr
        assert gate.admits(site.administer_json("app", "rotate", "--grace", "0", CODE)["secret"])


class TestCommandLine:
    """Options and arguments."""

    @pytest.mark.parametrize("arguments", [
        [], ["app"], ["nonsense"], ["app", "nonsense"], ["app", "add"], ["app", "add", "a", "b"], ["app", "list", "x"],
        ["check", "x"], ["init-db", "x"], ["states"], ["states", "1", "2"], ["--nonsense", "check"], ["--config"],
        ["app", "list", "--grace", "1h"], ["app", "add", "a", "--grace", "1h"], ["check", "--yes"],
        ["app", "rotate", "a", "--description", "x"], ["states", "1", "--secret-stdin"], ["app", "add", "a", "--secret", "x"],
        ["app", "rotate", "a", "--grace", "soon"], ["app", "rotate", "a", "--grace", "-1"], ["app", "rotate", "a", "--grace", ""],
        ["app", "rotate", "a", "--grace", "1w"], ["app", "rotate", "a", "--grace", "367d"],
        ["app", "rotate", "a", "--grace", "99999999999999999999"], ["--password-file", "/dev/null", "app", "list"],
        ["app", "add", "a", "--description", "x" * 256], ["app", "add", "a", "--description", "line\nbreak"],
    ], ids=" ".join)
    def test_misuse(self, site, arguments):
        done = site.run(*arguments)
        assert ctl.complaint(done, ctl.USAGE).strip()
        assert site.json("app", "list") == {"apps": {}}

    def test_options_may_stand_behind_the_command(self, site):
        done = ctl.execute(["app", "list", "--json", "--config", site.config()])
        assert json.loads(ctl.output(done)) == {"apps": {}}

    @pytest.mark.parametrize("arguments", [["init-db"], ["app", "list"], ["app", "add", "a"], ["states", "1"]], ids=" ".join)
    def test_a_bad_configuration(self, site, arguments):
        done = site.run(*arguments, settings={"database.port": "x", "log.level": "y"})
        complaint = ctl.complaint(done, ctl.CONFIGURATION)
        assert "port" in complaint and "level" in complaint

    def test_the_environment_names_and_overrides_the_configuration(self, site):
        named = {"BKFLOW_STATES_CONFIG": str(site.config())}
        assert json.loads(ctl.output(ctl.execute(["app", "list", "--json"], env=named))) == {"apps": {}}
        moved = named | {"BKFLOW_STATES_DATABASE_NAME": "no_such_database"}
        assert "no_such_database" in ctl.complaint(ctl.execute(["app", "list"], env=moved))

    def test_help_names_every_command_and_option(self):
        text = ctl.output(ctl.execute(["--help"]))
        for word in ("init-db", "app add", "app rotate", "app disable", "app enable", "app list", "app remove", "check",
                     "states", "--config", "--user", "--password-file", "--json", "--secret-stdin", "--description",
                     "--grace", "--yes", "--version", "--help"):
            assert word in text
        # The configuration's path is as long as the build's prefix makes it.
        assert max(len(line) for line in text.splitlines() if "bkflow-states.conf" not in line) <= 100

    def test_version(self, program):
        ours, theirs = ctl.execute(["--version"]).stdout, program.run("--version").stdout
        assert ours.split()[0] == b"bkflow-statesctl" and ours.split()[1:] == theirs.split()[1:]

    @pytest.mark.parametrize("arguments", [["--help"], ["app", "list"], ["check"]], ids=" ".join)
    def test_output_that_cannot_be_written(self, site, arguments):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ctl.PATH, "-c", str(site.config()), *arguments], stdout=full, stderr=subprocess.PIPE,
                                  env=ctl.environment(), check=False)
        assert done.returncode == ctl.FAILED and b"No space left" in done.stderr
