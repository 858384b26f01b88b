# SPDX-License-Identifier: MIT
"""What bkflow-statesctl says when something goes wrong: its own words, safe for a terminal, or JSON."""

import json
import os
import re
import signal
import subprocess
from concurrent import futures

import ctl
import pytest
import support
from lab import mariadb, scratch

CODE = "deploy_tool"
SECRET = "an existing secret, long enough"

# What a terminal acts on or does not show: C0, C1, and the invisible and bidirectional ones.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


@pytest.fixture
def site(database, lab):
    return ctl.Site(database, lab)


def apps(site):
    return site.json("app", "list")["apps"]


def errors(done, expect=ctl.FAILED):
    """The JSON objects on standard error; nothing may stand on standard output then."""
    assert done.returncode == expect, (done.stdout, done.stderr)
    assert done.stdout == b""
    told = [json.loads(line) for line in done.stderr.decode().splitlines()]
    assert told and all(list(error) == ["error", "to_do"] and error["error"] for error in told), done.stderr
    return told


def with_descriptors(site, arguments, closed=(), **options):
    """Run the tool as an administrator with standard descriptors that are not open, as a shell's >&- leaves them."""
    def close():
        for number in closed:
            os.close(number)
    argv = [ctl.PATH, "-c", str(site.config()), "-u", "root", *arguments]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(argv, env=ctl.environment(), preexec_fn=close, timeout=60, check=False, **streams)


class TestARowThatChanged:
    """Somebody else was faster: nothing is done, and the message says so in the tool's own words."""

    @pytest.mark.parametrize("command", [["rotate"], ["disable"], ["remove", "--yes"]], ids=lambda c: c[0])
    def test_nothing_is_done(self, site, command):
        site.add(CODE)
        update = "BEGIN; UPDATE bkflow_states_app SET secret_digest = REPEAT('x', 32)"
        with futures.ThreadPoolExecutor() as pool:
            with site.server.holding(update, site.name, at_end="COMMIT;"):
                changing = pool.submit(site.administer, "app", *command, CODE)
                site.server.wait_until_held_up()
        complaint = ctl.complaint(changing.result())
        assert "somebody else changed" in complaint and "nothing was done" in complaint
        assert "app list" in complaint and "Internal error" not in complaint
        assert site.sql("SELECT is_enabled, rotated_at FROM bkflow_states_app") == [["1", "NULL"]]

    def test_a_code_that_somebody_else_added_meanwhile(self, site):
        insert = "BEGIN;" + mariadb.insert("bkflow_states_app", [support.app_row(CODE, SECRET)])
        with futures.ThreadPoolExecutor() as pool:
            with site.server.holding(insert, site.name, at_end="COMMIT;"):
                adding = pool.submit(site.administer, "app", "add", CODE)
                site.server.wait_until_held_up()
        assert "holds that code already" in ctl.complaint(adding.result())


class TestARefusedLogin:
    """A server that refuses is not one that cannot be reached."""

    @pytest.mark.parametrize("settings, code", [
        ({"database.password": "wrong"}, 1045), ({"database.user": "nobody_known"}, 1045),
        ({"database.name": "mysql"}, 1044), ({"database.name": "no_such_database"}, 1044),
    ], ids=["password", "user", "not-granted", "no-database"])
    def test_by_an_open_server(self, site, settings, code):
        finding = ctl.parsed(site.run("--json", "check", settings=settings), ctl.FAILED)["checks"]["connection.database"]
        assert "refused the login" in finding["what"] and str(code) in finding["what"]
        assert "denied" in finding["what"] and "does not answer" not in finding["what"]
        assert "above" not in finding["to_do"] and "[database]" in finding["to_do"]
        complaint = ctl.complaint(site.run("app", "list", settings=settings))
        assert "refused the login" in complaint and "denied" in complaint and "cannot be reached" not in complaint

    def test_a_server_that_is_not_there(self, site):
        settings = {"database.socket": "/nonexistent/socket"}
        finding = ctl.parsed(site.run("--json", "check", settings=settings), ctl.FAILED)["checks"]["connection.database"]
        assert "cannot be reached" in finding["what"] and "2002" in finding["what"]

    def test_every_host_is_named_with_its_answer(self, site):
        settings = {"database.host": "127.0.0.1, 127.0.0.2", "database.port": "1"}
        what = ctl.parsed(site.run("--json", "check", settings=settings), ctl.FAILED)["checks"]["connection.database"]["what"]
        assert re.search(r"127\.0\.0\.1.*\(2002\).*127\.0\.0\.2.*\(2002\)|127\.0\.0\.1.*\(2003\).*127\.0\.0\.2.*\(2003\)", what)


@pytest.fixture(scope="module")
def tls_site(lab):
    """A site on a server that takes TLS connections only, by TCP, with its own certificate and another one."""
    folder = lab.path("ctl-tls")
    folder.mkdir()
    for name in ("its", "other"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName = IP:127.0.0.1",
                        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"], check=True, capture_output=True)
    server = mariadb.MariaDB(lab, "tls", port=scratch.free_port(), options=(
        f"--ssl-cert={folder / 'its.pem'}", f"--ssl-key={folder / 'its.key'}", "--require-secure-transport=1")).start()
    made = ctl.Site(server, lab)
    made.folder = folder
    yield made
    server.stop()


class TestTls:
    """A certificate that is not trusted, and a server that insists on TLS."""

    def connection(self, site, expect, **settings):
        tcp = {"database.socket": "", "database.host": "127.0.0.1", "database.port": site.server.port}
        done = site.run("--json", "check", settings=tcp | settings)
        return ctl.parsed(done, expect)["checks"]["connection.database"]

    def test_the_servers_own_certificate(self, tls_site):
        assert self.connection(tls_site, ctl.OK, **{"database.tls_ca": tls_site.folder / "its.pem"})["verdict"] == "ok"

    def test_a_certificate_that_is_not_trusted(self, tls_site):
        finding = self.connection(tls_site, ctl.FAILED, **{"database.tls_ca": tls_site.folder / "other.pem"})
        assert "no TLS connection" in finding["what"] and "certificate" in finding["what"]
        assert "tls_ca" in finding["to_do"]

    def test_no_tls_where_it_is_required(self, tls_site):
        finding = self.connection(tls_site, ctl.FAILED)
        assert "refused the login" in finding["what"] and "tls_ca" in finding["to_do"]


def make_read_only(server, sites, name):
    """In one of the ways that there are."""
    if name == "innodb_read_only":
        server.stop()
        server.options = ("--innodb-read-only=1",)
        server.start()
    elif name == "schema":
        server.sql("".join(f"ALTER SCHEMA {site.name} READ ONLY = 1;" for site in sites), None)
    else:
        server.sql(f"SET GLOBAL {name} = 1", None)


MYSQL_ONLY = ("super_read_only", "schema")


@pytest.fixture(scope="module", params=[
    pytest.param(name, marks=[pytest.mark.only_with("MySQL", "MariaDB has no such setting")] if name in MYSQL_ONLY else [])
    for name in ("read_only", "innodb_read_only", *MYSQL_ONLY)])
def read_only_sites(lab, request):
    """One with an application, and one without the table of applications."""
    server = mariadb.MariaDB(lab, "read-only").start()
    sites = ctl.Site(server, lab), ctl.Site(server, lab, bare=True)
    sites[0].add(CODE)
    make_read_only(server, sites, request.param)
    yield sites
    server.stop()


class TestAServerThatOnlyReads:
    """A replica, or one that its administrator has stopped from writing."""

    def assert_is_refused(self, site, *command):
        before = site.sql("SHOW TABLES; CHECKSUM TABLE bkflow_states_app")
        complaint = ctl.complaint(site.administer(*command))
        assert "refused the statement" in complaint and re.search("read[- ]only", complaint)
        assert "its primary" in complaint or "innodb_read_only" in complaint
        assert site.sql("SHOW TABLES; CHECKSUM TABLE bkflow_states_app") == before

    @pytest.mark.parametrize("command", [["add", "another"], ["rotate", CODE], ["disable", CODE], ["remove", "--yes", CODE]], ids=" ".join)
    def test_refuses_to_change_an_application(self, read_only_sites, command):
        self.assert_is_refused(read_only_sites[0], "app", *command)

    def test_refuses_to_make_the_table(self, read_only_sites):
        self.assert_is_refused(read_only_sites[1], "init-db")

    def test_shows_its_applications(self, read_only_sites):
        assert apps(read_only_sites[0])[CODE]["is_enabled"] is True


class TestJsonErrors:
    """With --json, every error is a JSON object on a line of standard error, whatever the command."""

    @pytest.mark.parametrize("arguments, expect, word", [
        (["app", "rotate", "nobody"], ctl.FAILED, "nobody"), (["app", "add", CODE], ctl.FAILED, "denied"),
        (["app", "add", " a"], ctl.USAGE, "blank"), (["nonsense"], ctl.USAGE, "nonsense"), (["--nonsense"], ctl.USAGE, "nonsense"),
        (["app", "rotate", CODE, "--grace", "soon"], ctl.USAGE, "--grace"), (["states", "0"], ctl.USAGE, "decimal"),
        (["states", "99999"], ctl.FAILED, "99999"), (["app", "add", CODE, "--secret-stdin"], ctl.FAILED, "standard input"),
        (["--config"], ctl.USAGE, "--config"), (["app", "list", "surplus"], ctl.USAGE, "surplus"),
        (["app", "remove", CODE], ctl.USAGE, "--yes"), (["-u", "x", "--password-file", "/nonexistent/f", "app", "list"], ctl.FAILED, "/nonexistent/f"),
    ], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
    @pytest.mark.parametrize("place", ["before", "after"])
    def test_each(self, site, arguments, expect, word, place):
        line = ["--json", *arguments] if place == "before" else [*arguments, "--json"]
        if arguments == ["--config"]:
            line = ["--json", "--config"]
        assert word in errors(site.run(*line), expect)[0]["error"]

    def test_each_mistake_in_the_configuration(self, site):
        told = errors(site.run("--json", "app", "list", settings={"database.port": "x", "log.level": "y"}), ctl.CONFIGURATION)
        assert ["port" in told[0]["error"], "level" in told[1]["error"]] == [True, True]

    def test_a_database_that_is_away(self, site):
        told = errors(site.run("--json", "app", "list", settings={"database.socket": "/nonexistent/socket"}))
        assert len(told) == 1 and "/nonexistent/socket" in told[0]["error"] and "[database]" in told[0]["to_do"]

    def test_output_that_cannot_be_written(self, site):
        with open("/dev/full", "wb") as full:
            done = with_descriptors(site, ["--json", "app", "list"], stdout=full)
        assert done.returncode == ctl.FAILED
        assert "No space left" in json.loads(done.stderr)["error"]


class TestMisuse:
    """The message names what is wrong."""

    @pytest.mark.parametrize("arguments, words", [
        (["nonsense"], ["no command nonsense"]), (["app", "nonsense"], ["no command app nonsense"]),
        (["app", "list", "surplus"], ["surplus"]), (["check", "--yes"], ["check", "--yes"]),
        (["app", "add", "a", "--grace", "1h"], ["app add", "--grace"]), (["--nonsense", "check"], ["--nonsense"]),
        (["-x", "check"], ["-x"]), (["check", "--config"], ["--config"]), (["check", "--json=1"], ["--json"]), ([], ["command"]), (["app"], ["app"]),
    ], ids=lambda value: " ".join(value) or "nothing")
    def test_of_the_tool(self, site, arguments, words):
        complaint = ctl.complaint(site.run(*arguments), ctl.USAGE)
        assert all(word in complaint for word in [*words, "--help"])

    @pytest.mark.parametrize("arguments, word", [(["foo"], "foo"), (["--check-config", "foo"], "foo"), (["--foo"], "--foo")], ids=str)
    def test_of_the_responder(self, program, arguments, word):
        done = program.run(*arguments)
        assert done.returncode == ctl.USAGE and done.stdout == b""
        assert word in done.stderr.decode() and "--help" in done.stderr.decode()


class TestDescriptors:
    """A standard descriptor that is not open must not become the connection to the database."""

    @pytest.mark.parametrize("command, code", [("add", "new"), ("rotate", CODE)])
    def test_no_secret_is_made_where_it_cannot_be_shown(self, site, command, code):
        site.add(CODE)
        before = site.sql("SELECT HEX(secret_digest) FROM bkflow_states_app")
        done = with_descriptors(site, ["app", command, code], closed=[1])
        assert done.returncode == ctl.FAILED
        assert "standard output" in done.stderr.decode() and "nothing was done" in done.stderr.decode()
        assert site.sql("SELECT HEX(secret_digest) FROM bkflow_states_app") == before

    @pytest.mark.parametrize("arguments", [["app", "list"], ["check"], ["--help"], ["--version"], ["states", "1"], ["init-db"],
                                           ["app", "disable", CODE]], ids=" ".join)
    def test_output_that_nobody_gets_is_a_failure(self, site, arguments):
        site.add(CODE)
        done = with_descriptors(site, arguments, closed=[1])
        assert done.returncode == ctl.FAILED and done.stderr != b""

    def test_a_secret_is_not_read_from_the_database(self, site):
        done = with_descriptors(site, ["app", "add", CODE, "--secret-stdin"], closed=[0])
        assert "standard input" in ctl.complaint(done)
        assert apps(site) == {}

    def test_no_complaint_is_sent_to_the_database(self, site):
        """The server would take it for a packet and end the connection; the command's own effect stays."""
        aborted = site.server.status("Aborted_clients")
        done = with_descriptors(site, ["app", "rotate", "nobody"], closed=[2])
        assert done.returncode == ctl.FAILED
        assert with_descriptors(site, ["app", "add", CODE, "--secret-stdin"], closed=[1, 2], stdin=subprocess.PIPE,
                                input=None).returncode == ctl.FAILED
        assert site.server.status("Aborted_clients") == aborted

    @pytest.mark.parametrize("arguments, words", [
        (["app", "add", "new"], ["application new was added", "app rotate --grace 0 new"]),
        (["app", "rotate", CODE], ["new secret", "app rotate --grace 0 " + CODE]),
        (["app", "disable", CODE], [CODE + " was disabled"]),
        (["app", "enable", CODE], [CODE + " was enabled already"]),
        (["app", "remove", "--yes", CODE], [CODE + " was removed"]), (["init-db"], ["bkflow_states_app"]),
    ], ids=lambda value: " ".join(value))
    @pytest.mark.parametrize("output", ["full", "pipe"])
    def test_what_was_done_is_told_where_the_output_is_lost(self, site, arguments, words, output):
        site.add(CODE)
        reader, writer = os.pipe()
        os.close(reader)
        with open("/dev/full", "wb") as full, os.fdopen(writer, "wb") as pipe:
            done = with_descriptors(site, arguments, stdout=full if output == "full" else pipe)
        assert done.returncode == ctl.FAILED
        assert all(word in done.stderr.decode() for word in words), done.stderr
        assert ("No space left" if output == "full" else "Broken pipe") in done.stderr.decode()

    def test_a_broken_pipe_ends_nothing_halfway(self, site):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            done = with_descriptors(site, ["app", "add", CODE, "--secret-stdin"], stdout=pipe, stdin=None, closed=[])
        assert done.returncode != -signal.SIGPIPE


INVISIBLE = {"rlo": "a\u202eb", "zwsp": "a\u200bb", "bom": "\ufeffab", "nbsp-end": "ab\u00a0", "ideographic-end": "ab\u3000",
             "nbsp-first": "\u00a0ab", "lrm": "ab\u200e", "isolate": "a\u2066b", "soft-hyphen": "a\u00adb", "separator": "a\u2028b"}


class TestTexts:
    """What cannot be seen is neither taken nor shown raw."""

    @pytest.mark.parametrize("name", INVISIBLE)
    def test_a_code_is_refused(self, site, name):
        done = site.administer("app", "add", "--", INVISIBLE[name])
        assert ctl.complaint(done, ctl.USAGE)
        assert not UNSAFE.search(done.stderr.decode())
        assert apps(site) == {}

    def test_so_is_a_description_but_not_a_row_that_is_there(self, site):
        assert ctl.complaint(site.administer("app", "add", CODE, "--description", "a\u202eb"), ctl.USAGE)
        code = INVISIBLE["zwsp"]
        site.sql(mariadb.insert("bkflow_states_app", [support.app_row(code, SECRET)]))
        assert site.administer_json("app", "disable", code)["changed"] is True
        assert site.administer_json("app", "remove", "--yes", code)["action"] == "removed"

    def test_a_row_shows_what_cannot_be_seen(self, site):
        for i, code in enumerate(INVISIBLE.values()):
            site.sql(mariadb.insert("bkflow_states_app", [support.app_row(f"{i}{code}{i}", SECRET, description=code)]))
        text = ctl.output(site.run("app", "list"))
        assert not UNSAFE.search(text)
        assert "<U+202E>" in text and "<U+200B>" in text and "<U+FEFF>" in text
        assert len(apps(site)) == len(INVISIBLE)

    def test_a_server_cannot_command_the_terminal(self, site):
        site.sql("CREATE TRIGGER refuse BEFORE INSERT ON bkflow_states_app FOR EACH ROW SIGNAL SQLSTATE '45000' "
                 "SET MESSAGE_TEXT = _utf8mb4 x'" + "evil\x1b[2J\n\u009b31m\u202eword".encode().hex() + "'")
        complaint = ctl.complaint(site.administer("app", "add", CODE))
        assert "evil" in complaint and "word" in complaint
        assert not UNSAFE.search(complaint)
        [error] = errors(site.administer("--json", "app", "add", CODE))
        assert "evil" in error["error"]

    def test_an_argument_cannot_command_the_terminal(self, site):
        for arguments in (["app", "rotate", "a\u202eb"], ["no\x1b[2J"], ["app", "list", "\u202e"], ["-c", "/no/\x1b[2J", "check"]):
            done = site.administer(*arguments)
            assert done.returncode != ctl.OK
            assert not UNSAFE.search(done.stderr.decode() + done.stdout.decode())


class TestStates:
    """A task that cannot be shown is explained to an operator, not to a client."""

    def test_no_such_task(self, site):
        complaint = ctl.complaint(site.run("states", "99999"))
        assert "99999" in complaint and "[engine_database]" in complaint
