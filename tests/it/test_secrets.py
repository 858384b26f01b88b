# SPDX-License-Identifier: MIT
"""No secret, password or token comes out anywhere: answers, logs, metrics, printed configuration, /proc, memory."""

import json
import secrets
import signal
import socket
import time

import gateway
import memory
import pytest
import support
from lab import client, fcgi, jwt, mariadb
from lab import responder as lab_responder
from lab.scratch import becomes_true, wait_until

# A part of a secret is a secret too. Made up anew for each run, so that no file can hold them by chance.
FRAGMENT = 12


def make_secret():
    return secrets.token_hex(20)


def fragments(secret):
    return [secret[at:at + FRAGMENT] for at in range(len(secret) - FRAGMENT + 1)]


def leaks(texts, secret):
    """The names of the texts that hold a part of the secret."""
    return [name for name, text in texts.items()
            if any(fragment.encode() in text for fragment in fragments(secret))]


def assert_kept(texts, *all_secrets):
    for secret in all_secrets:
        assert not leaks(texts, secret)


class Application:
    """An application with a random secret, and every way that we know to get it wrong."""

    def __init__(self, database, world, key):
        self.code, self.secret, self.wrong = f"app-{secrets.token_hex(4)}", make_secret(), make_secret()
        database.sql(mariadb.insert("bkflow_states_app", [support.app_row(self.code, self.secret)]))
        self.task_id = world.task([support.node()], template_id=world.template(self.code))
        self.tokens = [key.token(gateway.claims(self.code)), key.token(gateway.claims("other_app")),
                       key.token(gateway.claims(self.code, exp=1)), jwt.hmac_token(gateway.claims(), b"x")]

    def header(self, text=None, **changes):
        """A request with the header that holds these credentials, or any text."""
        text = self.json(**changes) if text is None else text
        return support.states(self.task_id, credentials={"X-Bkapi-Authorization": text})

    def query(self, change=lambda query: query, **others):
        query = change(support.query_credentials(self.code, self.secret))
        return support.states(self.task_id, credentials={}, query=query, **others)

    def json(self, **changes):
        members = {"bk_app_code": self.code, "bk_app_secret": self.secret, "bk_username": support.USER}
        return json.dumps(members | changes)

    def misplaced(self):
        """The secret where a name belongs."""
        return [self.header(bk_username=self.secret), self.header(bk_app_code=self.secret)]

    def requests(self):
        """Good, wrong, malformed, doubled, too large."""
        good = self.json()
        yield from (self.header(), self.header(bk_app_secret=self.wrong), self.header(bk_username="nobody"),
                    self.header(bk_app_secret=[self.secret]), self.header(bk_app_code=""), self.header(bk_app_code="x"))
        for text in (good[:-1], good[:-20], good[1:], good + "x", good * 2, good.replace(":", "="), f'"{self.secret}"',
                     self.secret, f'["{self.secret}"]', f'{{"{self.secret}":1}}', good[:-1] + f',"x":"{self.wrong}"',
                     good[:-1] + f',"bk_app_secret":"{self.wrong}"}}', good.encode() + b"\xff", good.encode() + b"\0",
                     good + " " * 70_000):
            yield self.header(text)
        for change in (lambda query: query, lambda query: query.replace(self.secret, self.wrong),
                       lambda query: query + "&x=%", lambda query: query + "&bk_app_secret=" + self.wrong,
                       lambda query: query.replace("bk_app_secret=", "bk_app_secret=%"),
                       lambda query: "x=" + self.secret,
                       lambda query: query + "&x=" + "y" * 70_000):
            yield self.query(change)
        yield self.query(method="POST")
        yield client.variables("/nowhere", query=f"bk_app_secret={self.secret}", headers={"Cookie": self.secret})
        yield support.states("x", credentials={"X-Bkapi-Authorization": good})
        yield [*self.header().items(), (client.header_variable("X-Bkapi-Authorization"), good)]
        yield {**self.header(), "REQUEST_METHOD": "\n" + self.secret}
        for token in self.tokens:
            for text in (token, token[:-1], token.replace(".", ""), f"Bearer {token}"):
                yield gateway.asking(self.task_id, text)
            yield [*gateway.asking(self.task_id, token).items(), (client.header_variable("X-Bkapi-JWT"), token)]

    def everything(self):
        """What must come out nowhere."""
        return [self.secret, self.wrong, support.digest(self.secret).hex(),
                *(part for token in self.tokens for part in token.split(".")[1:])]


@pytest.fixture(scope="module")
def key(lab):
    return jwt.Key(lab)


@pytest.fixture
def application(database, world, key):
    return Application(database, world, key)


@pytest.fixture
def settings(database, key):
    return lab_responder.settings_for(database, **{
        "auth.gateway": "on", "auth.gateway_key_main": key.public_path, "log.level": "debug", "log.access": "on"})


class TestAnswersAndLogs:
    """The most talkative log there is, and requests that fail in every way around a secret."""

    @pytest.mark.parametrize("form", ["text", "json"])
    @pytest.mark.parametrize("others", [{}, {"auth.gateway": "off"}, {"auth.direct": "off"},
                                        {"auth.query_credentials": "off"}, {"auth.failure_limit": 1},
                                        {"response.language": "zh-cn"}], ids=json.dumps)
    def test_of_every_request(self, program, lab, settings, application, form, others):
        path = lab.path("events", ".log")
        responder = program.listen(settings | {"log.format": form, "log.target": f"file:{path}"} | others)
        answers = [responder.ask(request) for request in [*application.requests(), *application.misplaced()]]
        metrics = responder.ask(client.variables("/metrics"))
        texts = {"command line": proc(responder, "cmdline"), "environment": proc(responder, "environ")}
        assert responder.stop() == 0
        assert len(path.read_text().splitlines()) > len(answers), "the log is not talkative at all"
        assert_kept(texts | {
            "answers": b"\n".join(answer.raw for answer in answers), "metrics": metrics.raw,
            "records for the web server's log": b"".join(answer.stderr for answer in answers),
            "log": path.read_bytes(), "standard error": responder.log.encode(),
        }, *application.everything(), settings["database.password"])

    def test_of_plain_cgi(self, program, settings, application):
        for request in application.requests():
            if isinstance(request, dict) and not any(holds_nul(value) for value in request.values()):
                response = program.cgi(settings, request)
                assert_kept({"answer": response.raw, "standard error": response.stderr}, *application.everything(),
                            settings["database.password"])

    def test_of_the_database(self, program, database, lab, settings, application):
        """Its log of all statements gets digests at most."""
        path = lab.path("statements", ".log")
        database.sql(f"SET GLOBAL general_log_file = '{path}'; SET GLOBAL general_log = ON", None)
        try:
            responder = program.listen(settings)
            for request in application.requests():
                responder.ask(request)
            assert responder.stop() == 0
        finally:
            database.sql("SET GLOBAL general_log = OFF", None)
        statements = path.read_bytes()
        assert application.code.encode() in statements
        assert_kept({"statements": statements}, application.secret, application.wrong,
                    *(token.split(".")[2] for token in application.tokens))


def holds_nul(value):
    return ("\0" if isinstance(value, str) else b"\0") in value


def proc(responder, name):
    with open(f"/proc/{responder.service.pid}/{name}", "rb") as file:
        return file.read()


class TestDatabasePassword:
    """The program's own secret."""

    def test_wrong_password(self, program, settings, application):
        wrong = make_secret()
        responder = program.listen(settings | {"database.password": wrong})
        answers = [responder.ask(application.header()), responder.ask(client.variables("/readyz")),
                   responder.ask(client.variables("/metrics"))]
        assert [answer.status for answer in answers] == [503, 503, 200]
        texts = {"command line": proc(responder, "cmdline"), "environment": proc(responder, "environ")}
        assert responder.stop() == 0
        assert_kept(texts | {"log": responder.log.encode(), "answers": b"".join(answer.raw for answer in answers)},
                    wrong, application.secret)

    MISTAKES = {
        "name": "passwrd = {}", "case": "Password = {}", "no-equals": "password {}",
        "section": "[databse]\npassword = {}",
        "indented": " password = {}", "twice": "password = x\npassword = {}",
        "file-too": "password = {}\npassword_file = /x",
        "too-long": "password = {0}{1}", "bracket": "[password = {}", "of-another-section": "[server]\npassword = {}",
        "colon": "passwort: {}",
        "as-file": "password_file = {}", "no-equals-but-inside": "password {}=x",
    }

    @pytest.mark.parametrize("mistake", MISTAKES)
    def test_mistakes_on_its_line(self, program, lab, settings, application, mistake):
        """At start, with --check-config, and on reload; the mistake is told, the password is not."""
        secret = make_secret()
        bad = with_password_line(settings, self.MISTAKES[mistake].format(secret, "x" * 5000))
        path = lab.write("mistake", ".conf", bad)
        for arguments in (["--check-config"], ["--print-config"], []):
            done = program.run(*arguments, "--config", path)
            assert done.returncode == 78
            assert_kept({"output": done.stdout + done.stderr}, secret)
        responder = program.listen(settings)
        responder.config_path.write_text(bad)
        responder.service.send_signal(signal.SIGHUP)
        responder.wait_for_log("reload refused")
        support.success(responder.ask(application.header()))
        assert responder.stop() == 0
        assert_kept({"log": responder.log.encode()}, secret, settings["database.password"])

    @pytest.mark.parametrize("where", ["database", "engine_database"])
    @pytest.mark.parametrize("how", ["file", "environment", "password_file", "credential"])
    def test_printed_configuration(self, program, lab, settings, where, how):
        secret = make_secret()
        folder = lab.path("credentials")
        folder.mkdir()
        settings = {name: value for name, value in settings.items() if name != f"{where}.password"}
        env = None
        if how == "file":
            settings[f"{where}.password"] = secret
        elif how == "environment":
            env = {f"BKFLOW_STATES_{where.upper()}_PASSWORD": secret}
        elif how == "password_file":
            settings[f"{where}.password_file"] = lab.write("password", ".txt", secret)
        else:
            (folder / f"{where}_password").write_text(secret)
            env = {"CREDENTIALS_DIRECTORY": str(folder)}
        for option in ("--print-config", "--check-config"):
            done = program.run(option, "--config", program.config(settings), env=env)
            assert done.returncode == 0, done.stderr
            assert_kept({"output": done.stdout + done.stderr}, secret)


def with_password_line(settings, line):
    """The text of a configuration with other lines in the place of the password's."""
    others = {name: value for name, value in settings.items() if name != "database.password"}
    return lab_responder.config_text(others).replace("[database]\n", f"[database]\n{line}\n", 1)


class TestMemory:
    """After a request nothing of its secret is left in the process: neither used nor freed memory."""

    @pytest.fixture(autouse=True)
    def as_shipped(self, program):
        memory.skip_if_sanitized(program)

    WAYS = {
        "header": lambda application: application.header(),
        "query": lambda application: application.query(),
        "unknown-user": lambda application: application.header(bk_username="nobody"),
        "unknown-application": lambda application: application.header(bk_app_code="nobody"),
        "no-user": lambda application: application.header(bk_username=""),
        "escaped": lambda application: application.header(
            application.json(bk_app_secret="HERE").replace(
                "HERE", "".join(f"\\u{ord(letter):04x}" for letter in application.secret))),
        "cut-before-the-end": lambda application: application.header(application.json()[:-1]),
        "something-behind": lambda application: application.header(application.json() + "x"),
        "doubled-member": lambda application: application.header(
            application.json()[:-1] + ',"bk_app_secret":"another"}'),
        "cut-in-the-secret": lambda application: application.header(
            application.json()[:application.json().index(application.secret) + 36]),
        "in-an-array": lambda application: application.header(application.json(bk_app_secret=[application.secret])),
        "in-an-object": lambda application: application.header(application.json(x={"y": {"z": application.secret}})),
        "long": lambda application: application.header(bk_app_secret=application.secret * 50),
        "before-malformed-query": lambda application: application.query(lambda query: query + "&x=%"),
        "beside-a-token": lambda application: application.header() | {"HTTP_X_BKAPI_JWT": "a.b.c"},
        "doubled-header": lambda application: [*application.header().items(),
                                               ("HTTP_X_BKAPI_AUTHORIZATION", application.secret)],
        "post": lambda application: application.query(method="POST"),
        "not-json": lambda application: application.header(application.secret),
        "too-large": lambda application: application.query(lambda query: query + "&x=" + "y" * 70_000),
        "unknown-path": lambda application: client.variables("/nowhere", query=f"bk_app_secret={application.secret}"),
    }

    @pytest.mark.parametrize("way", WAYS)
    def test_after_requests(self, program, settings, application, way):
        self.assert_forgotten(program, settings, application,
                              lambda responder: responder.ask(self.WAYS[way](application)))

    def test_after_many_on_kept_connections(self, program, settings, application):
        def ask(responder):
            with responder.connect() as first, responder.connect() as second:
                for connection in (first, second) * 10:
                    support.success(connection.ask(application.header()))
                    support.success(connection.ask(application.query()))
        self.assert_forgotten(program, settings, application, ask)

    def test_while_a_connection_is_kept(self, program, settings, application):
        """Idle, but open: its buffers are still there."""
        responder = program.listen(settings)
        with responder.connect() as connection:
            support.success(connection.ask(application.header()))
            support.success(connection.ask(application.query()))
            assert_forgotten(responder, application.secret)
        assert responder.stop() == 0

    @pytest.mark.parametrize("size", [1, 100, 4000])
    def test_after_a_request_in_small_pieces(self, program, settings, application, size):
        """Its variables move as they grow."""
        def ask(responder):
            request = fcgi.request(application.header() | {"HTTP_X_PADDING": "x" * 20_000})
            with responder.connect() as connection:
                pieces = [request[at:at + size] for at in range(0, len(request), size)]
                for piece in pieces if size > 1 else [*map(bytes, zip(request[:900])), request[900:]]:
                    connection.send(piece)
                support.success(connection.response())
        self.assert_forgotten(program, settings, application, ask)

    def test_after_a_client_that_hangs_up(self, program, settings, application):
        def ask(responder):
            request = fcgi.request(application.header())
            for length in (len(request) - 8, request.index(application.secret.encode()) + 30):
                with responder.connect() as connection:
                    connection.send(request[:length])
                    time.sleep(0.1)
                    connection.socket.shutdown(socket.SHUT_WR)
                    assert connection.is_closed_by_peer()
        self.assert_forgotten(program, settings, application, ask)

    @pytest.mark.parametrize("way", ["header", "query"])
    @pytest.mark.parametrize("end", ["time", "hang-up"])
    def test_after_requests_that_waited(self, program, settings, application, way, end):
        """Their variables are kept meanwhile, without those that nobody reads."""
        def ask(responder):
            request = self.WAYS[way](application)
            version = responder.ask(request).header("X-States-Version")
            more = f"&wait={'50ms' if end == 'time' else '50s'}&version={version}"
            request |= {"QUERY_STRING": request["QUERY_STRING"] + more, "HTTP_X_UNREAD": application.secret}
            with responder.connect() as connection:
                connection.send(fcgi.request(request))
                if end == "time":
                    support.success(connection.response())
                else:
                    wait_until(lambda: b"waiting_requests 1" in responder.ask(client.variables("/metrics")).body)
            wait_until(lambda: b"waiting_requests 0" in responder.ask(client.variables("/metrics")).body)
        self.assert_forgotten(program, settings, application, ask)

    def test_after_a_secret_in_the_body(self, program, settings, application):
        body = support.query_credentials(application.code, application.secret).encode()
        request = support.states(application.task_id, credentials={}) | {"CONTENT_LENGTH": str(len(body))}
        self.assert_forgotten(program, settings, application, lambda responder: responder.ask(request, body))

    def test_after_gateway_tokens(self, program, settings, application):
        responder = program.listen(settings)
        for token in application.tokens * 3:
            responder.ask(gateway.asking(application.task_id, token))
        for token in application.tokens:
            assert_forgotten(responder, *token.split(".")[1:])
        assert responder.stop() == 0

    def test_a_database_password_after_the_reload_that_replaced_it(self, program, settings):
        """Also in workers that nobody asks, and in the overload responder that was never needed. Oracle's library frees
        its copy as it is, in the memory of the thread that connects: docs/security.md says so."""
        old = make_secret()
        ours = "[heap]" if program.library == "MySQL" else ""
        responder = program.listen(settings | {"database.password": old})
        support.assert_error(responder.ask(support.states(1)), 503, 50301)
        assert memory.find(responder, [old])
        responder.reload(settings)
        responder.wait_for_log(" reloaded")
        assert responder.ask(support.states(1)).status != 503
        wait_until(lambda: not [place for place in memory.find(responder, [old]) if place.startswith(ours)])
        assert responder.stop() == 0

    def test_the_search_finds_what_is_there(self, program, settings):
        """The database's password, which the program needs as long as it runs."""
        password = settings["database.password"]
        responder = program.listen(settings)
        assert memory.find(responder, [password])
        assert responder.stop() == 0

    def assert_forgotten(self, program, settings, application, ask):
        responder = program.listen(settings | {"server.workers": 2})
        for _ in range(5):
            ask(responder)
        assert_forgotten(responder, application.secret)
        assert responder.stop() == 0


def assert_forgotten(responder, *texts):
    """An answer may be read a moment before the worker has cleared up behind it."""
    sought = [fragment for text in texts for fragment in fragments(text)]
    where = []

    def is_forgotten():
        where[:] = memory.find(responder, sought)
        return not where
    assert becomes_true(is_forgotten, timeout=10), "\n".join(where)
