# SPDX-License-Identifier: MIT
"""Contract 5: what the program says of its configuration before it runs."""

import json
import os
import re
import subprocess

import pytest
import support
from lab import responder as lab_responder
from lab import scratch

CONFIGURATION, USAGE = 78, 2


@pytest.fixture
def settings(database):
    return lab_responder.settings_for(database)


def check(program, settings, **options):
    return program.run("--check-config", "--config", program.config(settings), **options)


def test_a_good_file(program, settings):
    done = check(program, settings)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("key, value", [
    ("server.workers", "0"), ("server.workers", "-1"), ("server.workers", "four"), ("server.workers", "4x"),
    ("server.workers", "99999999999999999999"), ("server.workers", ""), ("server.max_request_bytes", "1"),
    ("server.client_timeout", "soon"), ("server.client_timeout", "10 parsecs"), ("server.client_timeout", "-1s"),
    ("server.listen", "/run/socket"), ("server.listen", "unix:relative"), ("server.listen", "tcp:127.0.0.1"),
    ("server.listen", "tcp:127.0.0.1:0"), ("server.listen", "tcp:127.0.0.1:65536"),
    ("server.listen", "unix:/x,mode=999"), ("server.listen", "unix:/x,mode=0660,y"),
    ("server.listen", "unix:/" + "x" * 120), ("server.listen", "udp:1.2.3.4:5"),
    ("database.port", "0"), ("database.port", "65536"), ("database.query_timeout", "0"), ("database.tls_verify", "yes"),
    ("database.socket", "relative/path"), ("auth.direct", "maybe"), ("auth.query_credentials", "1"),
    ("response.timezone", "Asia/Nowhere"), ("response.timezone", "../../etc/passwd"), ("response.timezone", ""),
    ("response.language", "klingon"), ("response.max_nodes", "0"), ("status.allow", "localhost"),
    ("status.allow", "10.0.0.0/33"), ("status.allow", "300.1.1.1"), ("status.metrics", "ON!"),
    ("log.level", "loud"), ("log.target", "printer"), ("log.target", "file:relative"), ("log.format", "xml"),
], ids=lambda text: text[:40] or "empty")
def test_a_bad_value_is_named_with_file_line_and_key(program, settings, key, value):
    section, name = key.split(".")
    others = {other: text for other, text in settings.items() if other != key}
    path = program.config(others | {key: value})
    done = program.run("--check-config", "--config", path)
    assert done.returncode == CONFIGURATION
    message = done.stderr.decode()
    line = next(number for number, text in numbered_lines(path) if text.startswith(f"{name} ="))
    assert f"{path}:{line}" in message
    assert section in message and name in message
    assert "expected" in message


def numbered_lines(path):
    return enumerate(path.read_text().splitlines(), start=1)


@pytest.mark.parametrize("text, line", [
    ("[server]\nworkers = 2\nworkrs = 3\n", 3),
    ("[servers]\nworkers = 2\n", 2),
    ("[server]\nworkers = 2\nworkers = 2\n", 3),
    ("[server]\nworkers\n", 2),
    ("[server\nworkers = 2\n", 1),
    ("workers = 2\n", 1),
    ("[server]\nWorkers = 2\n", 2),
    ("[server]\nworkers = 2\n  3\n", 3),
], ids=["unknown-key", "unknown-section", "given-twice", "no-value", "open-bracket", "no-section", "case", "indented"])
def test_a_bad_line_is_named(program, lab, text, line):
    path = lab.write("bad", ".conf", text)
    done = program.run("--check-config", "--config", path)
    assert done.returncode == CONFIGURATION
    assert f"{path}:{line}" in done.stderr.decode()


def test_all_mistakes_are_named_at_once(program, settings):
    done = check(program, settings | {"server.workers": "x", "log.level": "y", "auth.z": "1"})
    assert done.returncode == CONFIGURATION
    for word in ("workers", "level", "z"):
        assert word in done.stderr.decode()


def test_a_mistake_keeps_the_program_from_starting(program, settings):
    done = program.run("--config", program.config(settings | {"server.workers": "x"}))
    assert done.returncode == CONFIGURATION
    assert b"workers" in done.stderr


def test_a_file_that_is_not_there(program):
    done = program.run("--check-config", "--config", "/nonexistent/file.conf")
    assert done.returncode == CONFIGURATION
    assert b"/nonexistent/file.conf" in done.stderr


@pytest.fixture(params=["FIFO", "device"])
def endless(request, lab):
    """Reading it would never end, or not even begin."""
    if request.param == "device":
        return "/dev/zero"
    path = lab.path("nobody-writes", ".fifo")
    os.mkfifo(path)
    return path


class TestFilesThatAreNoFiles:
    """They are refused by name, and nothing waits for them."""

    def test_as_the_configuration(self, program, endless):
        done = program.run("--check-config", "--config", endless)
        assert done.returncode == CONFIGURATION
        assert f"{endless}: cannot be read: it is not a regular file" in done.stderr.decode()

    @pytest.mark.parametrize("key", ["database.tls_ca", "database.option_file", "database.password_file",
                                     "engine_database.password_file", "auth.gateway_key_g"])
    def test_as_what_a_key_names(self, program, settings, endless, key):
        others = {name: text for name, text in settings.items() if name != "database.password"}
        done = check(program, others | {"auth.gateway": "on", key: endless})
        assert done.returncode == CONFIGURATION
        assert f"{endless}" in done.stderr.decode()
        assert "it is not a regular file" in done.stderr.decode()

    def test_no_reload_waits_for_one(self, program, settings, endless, finished_task):
        responder = program.listen(settings)
        responder.reload(responder.settings | {"database.tls_ca": endless})
        responder.wait_for_log("reload refused, the old configuration stays")
        support.success(responder.ask(support.states(finished_task)))
        assert responder.stop() == 0

    def test_no_configuration_at_all_is_the_null_device(self, program, settings):
        environment = {f"BKFLOW_STATES_{key.replace('.', '_').upper()}": str(text) for key, text in settings.items()}
        done = program.run("--check-config", "--config", "/dev/null", env=environment)
        assert done.returncode == 0, done.stderr


def test_an_unreadable_password_is_not_shown_in_an_error(program, settings):
    done = check(program, settings | {"database.password": "hunter2-secret", "database.port": "x"})
    assert b"hunter2-secret" not in done.stderr + done.stdout


HOSTS_17 = ", ".join(f"db{number}" for number in range(17))


@pytest.mark.parametrize("key, value, message", [
    ("database.host", "db1,", "there is a comma with nothing before or after it"),
    ("database.host", ",", "there is a comma with nothing before or after it"),
    ("database.host", "db1:x", "a port from 1 to 65535"),
    ("database.host", "[db1]:3306", "a host name or an address"),
    ("database.host", "localhost:3306", "it is the local socket"),
    ("database.host", "db1, db1", "each host once"),
    ("database.host", HOSTS_17, '"db16" is one too many: there may be 16 hosts'),
    ("server.trusted_proxies", ",\n  ".join(f"10.0.0.{number}" for number in range(33)),
     '"10.0.0.32" is one too many: there may be 32 networks'),
    ("server.listen", "tcp:abc]:80", "expected unix:/path"),
    ("database.socket", "/" + "x" * 107, "longer than 107 characters"),
    ("database.user", "", "[database] user is empty"),
    ("database.name", "", "[database] name is empty"),
    ("engine_database.user", "", "[engine_database] user is empty"),
    ("engine_database.name", "", "[engine_database] name is empty"),
    ("engine_database.option_file", "/nonexistent/my.cnf", "[engine_database] option_file: /nonexistent/my.cnf cannot"),
    ("database.tls_ca", "/nonexistent/ca.pem", "/nonexistent/ca.pem cannot be used: No such file"),
    ("database.tls_ca", "/etc", "/etc cannot be used: Is a directory"),
    ("database.tls_ca", "/etc/passwd", "it holds no PEM certificate"),
    ("engine_database.tls_ca", "/nonexistent/ca.pem", "[engine_database] tls_ca: /nonexistent/ca.pem cannot be used"),
    ("database.option_file", "/nonexistent/my.cnf", "/nonexistent/my.cnf cannot be read: No such file"),
    ("database.option_file", "/etc", "/etc cannot be read: Is a directory"),
    ("server.listen", "unix:/nonexistent/x.sock", "nothing can be made in /nonexistent: No such file"),
    ("server.listen", "unix:/etc/passwd", "a file that is not a socket is in the way"),
    ("server.listen", "unix:/etc/passwd/x.sock", "nothing can be made in /etc/passwd: Not a directory"),
    ("server.listen", "tcp:192.0.2.1:9000", "cannot listen on 192.0.2.1, port 9000"),
    ("server.listen", "tcp:nobody.invalid:9000", "[server] listen: nobody.invalid: "),
    ("log.target", "file:/nonexistent/x.log", "nothing can be made in /nonexistent: No such file"),
    ("log.target", "file:/etc", "/etc cannot be written: Is a directory"),
], ids=lambda text: text[:24] or "empty")
def test_what_would_fail_every_request_is_a_mistake(program, settings, key, value, message):
    # An option file may name the user.
    done = check(program, settings | {"database.option_file": "", key: value})
    assert done.returncode == CONFIGURATION
    assert message in done.stderr.decode()
    if "[engine" not in message:
        assert b"engine_database" not in done.stderr, "what it inherits is reported once"


@pytest.mark.parametrize("host, is_told", [("", True), ("localhost", True), ("127.0.0.1", False), ("localhost, db1", False)])
def test_a_port_that_nothing_uses_is_told(program, settings, host, is_told):
    done = check(program, settings | {"database.host": host, "database.port": 3307})
    assert done.returncode == 0, done.stderr
    assert ("Note: the database's port is not used" in done.stdout.decode()) == is_told
    done = check(program, settings | {"database.host": host, "database.port": 3306})
    assert b"Note" not in done.stdout


def test_a_certificate_that_is_cut_off(program, lab, settings):
    path = lab.write("authority", ".pem", "-----BEGIN CERTIFICATE-----\nMIIB\n")
    done = check(program, settings | {"database.tls_ca": path})
    assert done.returncode == CONFIGURATION
    assert "a certificate in it is cut off" in done.stderr.decode()


@pytest.mark.parametrize("line, mistake", [
    ("server-public-key = /nonexistent/key.pem", "/nonexistent/key.pem cannot be used: No such file"),
    ("server_public_key='/nonexistent/key.pem' # ours", "/nonexistent/key.pem cannot be used: No such file"),
    ("server-public-key = /dev/zero", "/dev/zero cannot be used: "),
    ("server-public-key = {empty}", "cannot be used: it does not begin with -----BEGIN PUBLIC KEY-----"),
    ('server-public-key = "{key}"', None),
])
def test_the_servers_key_in_the_option_file(program, lab, settings, line, mistake):
    """MariaDB's library would ask the server for a key instead of one that it cannot read."""
    empty = lab.write("empty", ".pem", "")
    key = lab.write("key", ".pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    path = lab.write("options", ".cnf", "[client]\nskip-ssl\n" + line.format(empty=empty, key=key) + "\n")
    done = check(program, settings | {"database.option_file": path})
    assert done.returncode == (0 if mistake is None else 78), done.stderr
    assert mistake is None or "option_file: server-public-key" in done.stderr.decode() and mistake in done.stderr.decode()


def test_what_the_option_file_may_give_can_be_left_out(program, lab, settings):
    path = lab.write("my", ".cnf", "[client]\nuser = somebody\ndatabase = bkflow\n")
    done = check(program, settings | {"database.option_file": path, "database.user": "", "database.name": ""})
    assert done.returncode == 0, done.stderr


def test_checking_makes_no_file(program, lab, settings):
    log, path = lab.path("checked", ".log"), lab.path("checked", ".sock")
    done = check(program, settings | {"log.target": f"file:{log}", "server.listen": f"unix:{path}"})
    assert done.returncode == 0, done.stderr
    assert not log.exists()
    assert not path.exists()


@pytest.mark.parametrize("make", [
    lambda lab, program: f"unix:{lab.path('served', '.sock')}",
    lambda lab, program: f"tcp:127.0.0.1:{scratch.free_port()}",
], ids=["unix", "tcp"])
def test_a_running_program_does_not_disturb_the_check(program, lab, settings, finished_task, make):
    """Nor the check the program."""
    settings = settings | {"server.listen": make(lab, program)}
    responder = program.listen(settings)
    done = check(program, settings)
    assert done.returncode == 0, done.stderr
    support.success(responder.ask(support.states(finished_task)))
    assert responder.stop() == 0


def test_without_a_time_zone_database_the_missing_package_is_named(program, lab, settings):
    folder = lab.path("zoneinfo")
    folder.mkdir()
    done = check(program, settings, env={"TZDIR": str(folder)})
    assert done.returncode == CONFIGURATION
    assert f"there is no time zone database in {folder}: install the package tzdata" in done.stderr.decode()


def test_a_damaged_file_is_no_configuration(program, lab):
    """As a crash may leave it: the right length, and nothing but NUL bytes."""
    path = lab.path("damaged", ".conf")
    path.write_bytes(bytes(4096))
    done = program.run("--check-config", "--config", path)
    assert done.returncode == CONFIGURATION
    assert f"{path}:1: a control character" in done.stderr.decode()


def test_a_list_goes_on_in_further_lines(program, settings):
    hosts = [f"db{number}.somewhere-far-away.example.org:{3306 + number}" for number in range(16)]
    done = check(program, settings | {"database.host": ",\n  ".join(hosts)})
    assert done.returncode == 0, done.stderr


def test_localhost_is_the_local_socket(program, settings, finished_task):
    """As for all MySQL clients; the key socket says where it is, and port means nothing."""
    responder = program.listen(settings | {"database.host": "localhost", "database.port": 1})
    support.success(responder.ask(support.states(finished_task)))
    assert responder.stop() == 0


class TestEnvironment:
    """BKFLOW_STATES_<SECTION>_<KEY> overrides a key."""

    def effective(self, program, settings, env=None):
        done = program.run("--print-config", "--config", program.config(settings), env=env)
        assert done.returncode == 0, done.stderr
        return parsed(done.stdout.decode())

    def test_overrides_the_file(self, program, settings):
        settings = settings | {"server.workers": "2"}
        assert self.effective(program, settings)["server.workers"] == "2"
        assert self.effective(program, settings, {"BKFLOW_STATES_SERVER_WORKERS": "9"})["server.workers"] == "9"

    def test_bad_value_is_named(self, program, settings):
        done = check(program, settings, env={"BKFLOW_STATES_SERVER_WORKERS": "x"})
        assert done.returncode == CONFIGURATION
        assert b"BKFLOW_STATES_SERVER_WORKERS" in done.stderr

    def test_unknown_variable_is_named(self, program, settings):
        done = check(program, settings, env={"BKFLOW_STATES_SERVER_WORKRS": "1"})
        assert done.returncode == CONFIGURATION
        assert b"BKFLOW_STATES_SERVER_WORKRS" in done.stderr

    def test_a_kubernetes_service_of_our_name_is_ignored(self, program, settings, finished_task):
        links = {"BKFLOW_STATES_SERVICE_HOST": "10.96.0.1", "BKFLOW_STATES_PORT": "tcp://10.96.0.1:9000",
                 "BKFLOW_STATES_PORT_9000_TCP_ADDR": "10.96.0.1", "BKFLOW_STATES_SERVICE_PORT_FASTCGI": "9000",
                 "BKFLOW_STATES_DATABASE_PORT": "tcp://10.96.0.2:3306"}
        responder = program.listen(settings, env=links)
        support.success(responder.ask(support.states(finished_task)))
        assert responder.stop() == 0

    def test_can_do_without_a_file(self, program, database, finished_task):
        settings = lab_responder.settings_for(database)
        env = {"BKFLOW_STATES_" + key.upper().replace(".", "_"): str(value) for key, value in settings.items()}
        responder = program.listen({}, env=env)
        support.success(responder.ask(support.states(finished_task)))
        responder.stop()

    def test_names_the_file(self, program, settings):
        path = program.config(settings | {"server.workers": "3"})
        done = program.run("--print-config", env={"BKFLOW_STATES_CONFIG": str(path)})
        assert parsed(done.stdout.decode())["server.workers"] == "3"

    def test_option_wins_over_variable_for_the_file(self, program, settings):
        path = program.config(settings | {"server.workers": "3"})
        done = program.run("--print-config", "--config", path, env={"BKFLOW_STATES_CONFIG": "/nonexistent"})
        assert parsed(done.stdout.decode())["server.workers"] == "3"


def parsed(text):
    """An INI text as a flat dict."""
    found, section = {}, None
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, value = re.fullmatch(r"(\w+) *=\s*(.*)", line).groups()
            found[f"{section}.{name}"] = value
    return found


class TestPrintConfig:
    """The effective configuration, to be read and to be loaded again."""

    def test_masks_secrets(self, program, settings):
        env = {"BKFLOW_STATES_ENGINE_DATABASE_PASSWORD": "another-secret"}
        done = program.run("--print-config", "--config", program.config(settings), env=env)
        assert done.returncode == 0
        for secret in (settings["database.password"], "another-secret"):
            assert secret.encode() not in done.stdout + done.stderr

    def test_masks_what_a_password_file_holds(self, program, lab, settings):
        path = lab.write("secret", ".txt", settings.pop("database.password") + "\n")
        done = program.run("--print-config", "--config", program.config(settings | {"database.password_file": path}))
        assert done.returncode == 0
        assert b"lab-password" not in done.stdout + done.stderr
        assert str(path).encode() in done.stdout

    def test_what_the_engine_database_inherits_is_printed_there(self, program):
        settings = {"database.host": "db1, db2", "database.port": 3307, "database.user": "a", "database.name": "i",
                    "database.query_timeout": "7s", "engine_database.name": "e", "engine_database.user": "b"}
        printed = program.run("--print-config", "--config", program.config(settings)).stdout.decode()
        interface, engine = (printed.split(f"\n[{name}]\n", 1)[1].split("\n\n", 1)[0] for name in (
            "database", "engine_database"))
        assert "host = db1, db2\nport = 3307\n" in engine and "query_timeout = 7s\n" in engine
        assert engine == interface.replace("user = a", "user = b").replace("name = i", "name = e")

    def test_is_a_configuration_itself(self, program, lab, settings):
        first = program.run("--print-config", "--config", program.config(settings)).stdout
        path = lab.write("printed", ".conf", first.decode())
        again = program.run("--print-config", "--config", path)
        assert again.returncode == 0, again.stderr
        assert again.stdout == first

    def test_shows_defaults(self, program, settings):
        done = program.run("--print-config", "--config", program.config(settings))
        effective = parsed(done.stdout.decode())
        assert effective["response.timezone"] == "Asia/Shanghai"
        assert effective["database.query_timeout"] == "5s"
        assert effective["auth.query_credentials"] == "on"


class TestPasswords:
    """Where the database password may come from."""

    def served_with(self, program, settings, finished_task, env=None):
        responder = program.listen(settings, env=env)
        response = responder.ask(support.states(finished_task))
        assert responder.stop() == 0
        return response

    @pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\nsecond line\n"])
    def test_password_file(self, program, lab, settings, finished_task, ending):
        path = lab.write("password", ".txt", settings.pop("database.password") + ending)
        support.success(self.served_with(program, settings | {"database.password_file": path}, finished_task))

    @pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbfsecret\n", b"s\0e\0c\0r\0e\0t\0"],
                             ids=["empty", "empty-line", "byte-order-mark", "UTF-16"])
    def test_password_file_without_a_password(self, program, lab, settings, content):
        del settings["database.password"]
        path = lab.path("no-password", ".txt")
        path.write_bytes(content)
        done = check(program, settings | {"database.password_file": path})
        assert done.returncode == CONFIGURATION
        assert f"{path} cannot be used: it" in done.stderr.decode()

    def test_password_file_that_is_not_there(self, program, settings):
        del settings["database.password"]
        done = check(program, settings | {"database.password_file": "/nonexistent/password"})
        assert done.returncode == CONFIGURATION
        assert b"/nonexistent/password" in done.stderr

    def test_password_and_password_file(self, program, lab, settings):
        path = lab.write("password", ".txt", "x")
        done = check(program, settings | {"database.password_file": path})
        assert done.returncode == CONFIGURATION
        assert b"password_file" in done.stderr

    def test_systemd_credential(self, program, lab, settings, finished_task):
        folder = lab.path("credentials")
        folder.mkdir()
        (folder / "database_password").write_text(settings.pop("database.password"))
        support.success(self.served_with(program, settings, finished_task, {"CREDENTIALS_DIRECTORY": str(folder)}))

    def test_mysql_option_file(self, program, lab, database, finished_task):
        access = database.config()
        path = lab.write("my", ".cnf", f"[client]\nsocket = {access['socket']}\nuser = {access['user']}\n"
                                       f"password = {access['password']}\n")
        settings = {"database.option_file": path, "database.name": access["name"],
                    **{f"engine_database.{key}": value for key, value in database.engine_config().items()}}
        support.success(self.served_with(program, settings, finished_task))

    def test_wrong_password_is_not_logged(self, program, settings, finished_task):
        responder = program.listen(settings | {"database.password": "wrong-but-secret", "log.level": "debug"})
        support.assert_error(responder.ask(support.states(finished_task)), 503, 50301)
        responder.stop()
        assert "wrong-but-secret" not in responder.log


class TestArguments:
    """The command line itself."""

    def test_version(self, program):
        done = program.run("--version")
        assert done.returncode == 0
        assert re.search(rb"bkflow-states \d+\.\d+", done.stdout)

    def test_help(self, program):
        done = program.run("--help")
        assert done.returncode == 0
        for option in (b"--config", b"--check-config", b"--print-config", b"--version", b"--help"):
            assert option in done.stdout

    @pytest.mark.parametrize("arguments", [["--no-such-option"], ["--config"], ["unexpected"], ["--check-config", "x"]],
                             ids=" ".join)
    def test_wrong_usage(self, program, arguments):
        done = program.run(*arguments)
        assert done.returncode == USAGE
        assert done.stderr

    def test_output_that_cannot_be_written(self, program):
        """A full disk is not a success."""
        if not os.path.exists("/dev/full"):
            pytest.skip("no /dev/full here")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program.path, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        assert done.returncode != 0


class TestLog:
    """[log]: where events go and in which form."""

    def test_json(self, program, lab, settings, finished_task):
        path = lab.path("events", ".json")
        responder = program.listen(settings | {"log.target": f"file:{path}", "log.format": "json", "log.access": "on"})
        responder.ask(support.states(finished_task, {"X-Request-Id": "json-log"}))
        responder.ask(support.states(404_404, {"X-Request-Id": "json-log"}))
        responder.stop()
        events = [json.loads(line) for line in path.read_text().splitlines()]
        told = [event for event in events if "json-log" in event.values()]
        assert [len([event for event in told if message in event.values()])
                for message in ("request", "request refused")] == [2, 1]

    def test_access_is_off_by_default(self, program, settings, finished_task):
        responder = program.listen(settings)
        responder.ask(support.states(finished_task, {"X-Request-Id": "unseen"}))
        responder.stop()
        assert "unseen" not in responder.log

    def test_syslog(self, program, settings, finished_task):
        """Where it arrives is the system's affair; the program must not depend on a daemon being there."""
        responder = program.listen(settings | {"log.target": "syslog", "log.access": "on"})
        support.success(responder.ask(support.states(finished_task)))
        assert responder.stop() == 0
        assert responder.log == ""

    def test_level(self, program, settings):
        """Only errors: not even that it started."""
        responder = program.listen(settings | {"log.level": "error"})
        responder.stop()
        assert responder.log == ""

    def test_odd_requests_cannot_forge_lines(self, program, settings):
        responder = program.listen(settings | {"log.access": "on", "log.level": "debug"})
        forged = "forged level=error"
        responder.ask(support.states(404_404, method=f"GET\n{forged}"))
        responder.ask(support.states(f"x\n{forged}"))
        responder.ask(support.states(404_404, address=f"1.2.3.4\n{forged}"))
        responder.stop()
        assert not any(line.startswith(forged) for line in responder.log.splitlines())
