# SPDX-License-Identifier: MIT
"""MySQL's usual way to log in, caching_sha2_password: the first login of an account needs TLS or the server's public
key; as long as the server remembers it, the next ones need neither."""

import subprocess

import pytest
import support
from lab import dbms, mariadb, scratch
from lab import responder as lab_responder

pytestmark = pytest.mark.only_with("MySQL", "MariaDB's accounts log in otherwise")

DOWN = 50301


@pytest.fixture(scope="module")
def certificate(lab):
    """Its own authority."""
    path = lab.path("login", ".pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{path}.key", "-out", path],
                   check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def server(lab, certificate):
    database = mariadb.MariaDB(lab, "logins", port=scratch.free_port(), options=(
        f"--ssl-cert={certificate}", f"--ssl-key={certificate}.key")).start()
    support.fill(database)
    return database


@pytest.fixture(scope="module")
def task_id(server):
    return support.World(server).task([support.node()])


@pytest.fixture
def ask(program, server, task_id):
    """One request to a new responder, with its log."""
    def asked(**others):
        reach = lab_responder.settings_for(server, **{"server.workers": 1, "database.host": server.address,
                                                      "database.port": server.port, "database.option_file": ""} | others)
        del reach["database.socket"]
        responder = program.listen(reach)
        response = responder.ask(support.states(task_id))
        assert responder.stop() == 0
        return response, responder.log
    return asked


def forget(server):
    """The server remembers no login."""
    server.sql("FLUSH PRIVILEGES", None)


def test_without_tls_and_key_the_first_login_fails_and_says_what_it_needs(server, ask):
    forget(server)
    response, log = ask()
    support.assert_error(response, 503, DOWN)
    assert "the login needs TLS, a unix socket, or the server's public key" in log
    assert mariadb.RESPONDER_PASSWORD not in log


def test_the_key_suffices_and_the_next_login_needs_nothing(server, ask):
    forget(server)
    response, _log = ask(**dbms.key_settings())
    support.success(response)
    response, _log = ask()
    support.success(response)


def test_the_wrong_key_does_not_do(program, server, ask, lab):
    if program.library == "MariaDB":
        pytest.skip("MariaDB's library, in some versions, asks the server for another one then")
    forget(server)
    private, public = lab.path("wrong", ".key"), lab.path("wrong", ".pem")
    subprocess.run(["openssl", "genrsa", "-out", private, "2048"], check=True, capture_output=True)
    subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    response, _log = ask(**{"database.option_file": lab.write(
        "wrong", ".cnf", f"[bkflow-states]\nserver-public-key = {public}\n")})
    support.assert_error(response, 503, DOWN)


@pytest.mark.parametrize("verify", ["on", "off"])
def test_tls_suffices(server, ask, certificate, verify):
    forget(server)
    response, _log = ask(**{"database.tls_ca": certificate, "database.tls_verify": verify})
    support.success(response)


def test_an_account_that_must_use_tls(server, ask, certificate):
    server.sql(f"ALTER USER '{mariadb.RESPONDER_USER}'@'%' REQUIRE SSL", None)
    try:
        response, log = ask(**dbms.key_settings())
        support.assert_error(response, 503, DOWN)
        assert "Access denied" in log
        response, _log = ask(**{"database.tls_ca": certificate})
        support.success(response)
    finally:
        server.sql(f"ALTER USER '{mariadb.RESPONDER_USER}'@'%' REQUIRE NONE", None)
