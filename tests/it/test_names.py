# SPDX-License-Identifier: MIT
"""[database] host as a name: nothing waits for a resolver that does not answer, and a name's address may change.

The responder runs in a mount namespace with a resolv.conf and a hosts file of its own. The resolver there takes
questions and never answers; the C library would wait for it two and a half minutes, longer than any test waits."""

import contextlib
import os
import socket
import subprocess

import pressure
import pytest
import support
from lab import client, fcgi, relay, sandbox, scratch
from lab import responder as lab_responder

TASK = 777_888
PREFERRED, SECOND, HOLE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
CHILDREN = {PREFERRED: 1, SECOND: 2}
UNKNOWN = "database.unknown.test"
WORKERS = 2

ENTER = 'mount --bind "$0/resolv.conf" /etc/resolv.conf && mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf &&' \
        ' mount --bind "$0/hosts" /etc/hosts && exec "$@"'


class Names:
    """Files for a mount namespace, and the socket that questions about names go to."""

    def __init__(self, folder):
        self._folder = folder
        self._resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        address = f"127.53.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
        self._resolver.bind((address, 53))
        self._write("resolv.conf", f"nameserver {address}\noptions timeout:30 attempts:5\n")
        self._write("nsswitch.conf", "hosts: files dns\n")
        self.set()
        self.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, folder]

    def set(self, **addresses):
        """What the hosts file says from now on. It stays the same file, as the mount does."""
        lines = [f"{address} {name}.test\n" for name, several in addresses.items() for address in several]
        self._write("hosts", "".join(["127.0.0.1 localhost\n", *lines]))

    def was_asked(self):
        """Whether a question has come; takes one."""
        try:
            return bool(self._resolver.recv(512, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False

    def close(self):
        self._resolver.close()

    def _write(self, name, text):
        (self._folder / name).write_text(text, encoding="ascii")


@pytest.fixture(scope="module")
def names(lab):
    obstacle = sandbox.obstacle() or (None if os.geteuid() == 0 else "port 53 is root's")
    if obstacle:
        pytest.skip(f"there can be no resolver of our own: {obstacle}")
    folder = lab.path("names")
    folder.mkdir()
    with contextlib.closing(Names(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def hosts(lab):
    """Two servers on one port; a task has as many children as tell which server was asked."""
    port = scratch.free_port()
    return {address: start_host(lab, address, port) for address in CHILDREN}


def start_host(lab, address, port, *options):
    return support.start_server_with(lab, f"named-{address}", TASK, CHILDREN[address], port=port, address=address,
                                     options=options)


def settings(hosts, names, **others):
    server = hosts[PREFERRED]
    reach = server.config() | {"host": ", ".join(names), "port": server.port}
    del reach["socket"]
    return ({f"database.{key}": value for key, value in reach.items()}
            | {"auth.failure_limit": 0, "server.workers": WORKERS} | others)


def children(response):
    return len(support.success(response).value("children"))


def comes_from(address):
    return lambda answer: answer.children == CHILDREN[address]


def stop_in_order(responder):
    """All threads have ended: none was left waiting."""
    assert responder.stop() == 0, responder.log
    assert "drain_timeout is over" not in responder.log


def test_a_name_without_an_answer_gives_way_to_the_next_host(program, hosts, names):
    responder = program.listen(settings(hosts, [UNKNOWN, SECOND]), wrapper=names.wrapper)
    for _ in range(2 * WORKERS):
        assert children(responder.ask(support.states(TASK))) == CHILDREN[SECOND]
    assert names.was_asked()
    stop_in_order(responder)


def test_a_name_without_an_answer_is_unavailable(program, hosts, names):
    """Also to whoever asks whether we are ready; and the process can be stopped."""
    responder = program.listen(settings(hosts, [UNKNOWN], **{"database.connect_timeout": "300ms"}),
                               wrapper=names.wrapper)
    support.assert_error(responder.ask(support.states(TASK)), 503, 50301)
    assert responder.ask(client.variables("/readyz")).status == 503
    responder.wait_for_log(UNKNOWN)
    stop_in_order(responder)


def test_stops_while_a_request_waits_for_a_name(program, hosts, names):
    responder = program.listen(settings(hosts, [UNKNOWN], **{"database.connect_timeout": "1s"}),
                               wrapper=names.wrapper)
    while names.was_asked():
        pass
    answer = support.in_background(responder, support.states(TASK))
    scratch.wait_until(names.was_asked)
    stop_in_order(responder)
    support.assert_error(answer(), 503, 50301)


def test_other_hosts_are_probed_meanwhile(program, hosts, names):
    """The host with the address comes back although the prober still waits for the name of another."""
    responder = program.listen(settings(hosts, [UNKNOWN, PREFERRED, SECOND]), wrapper=names.wrapper)
    with pressure.Pressure(responder, TASK) as load:
        load.wait_for(comes_from(PREFERRED))
        hosts[PREFERRED].stop()
        load.wait_for(comes_from(SECOND))
        hosts[PREFERRED].start()
        load.wait_for(comes_from(PREFERRED))
        load.wait_for_calm()
    stop_in_order(responder)


def test_reload_while_a_name_has_no_answer(program, hosts, names):
    """The name is taken out of the configuration, and nothing is left of it."""
    responder = program.listen(settings(hosts, [UNKNOWN], **{"database.connect_timeout": "300ms"}),
                               wrapper=names.wrapper)
    support.assert_error(responder.ask(support.states(TASK)), 503, 50301)
    responder.reload(responder.settings | {"database.host": PREFERRED})
    responder.wait_for_log("reloaded")
    assert children(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]
    stop_in_order(responder)


def test_a_changed_address_counts_from_the_next_connection(program, hosts, names):
    names.set(primary=[PREFERRED])
    responder = program.listen(settings(hosts, ["primary.test"], **{"server.workers": 1}), wrapper=names.wrapper)
    assert children(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]
    names.set(primary=[SECOND])
    assert children(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]  # the connection stands
    hosts[PREFERRED].kill_connections()
    assert children(responder.ask(support.states(TASK))) == CHILDREN[SECOND]
    stop_in_order(responder)


def test_each_address_of_a_name_is_tried(program, hosts, names):
    """connect_timeout is for each: one that drops packets leaves time for the next."""
    port = hosts[SECOND].port
    names.set(several=[HOLE, SECOND])
    responder = program.listen(settings(hosts, ["several.test"], **{"database.connect_timeout": "1s"}),
                               wrapper=names.wrapper)
    with relay.black_hole(HOLE, port):
        assert children(responder.ask(support.states(TASK))) == CHILDREN[SECOND]
    stop_in_order(responder)


@pytest.fixture(scope="module")
def certificates(lab):
    """An authority, and a certificate that it gave to primary.test."""
    folder = lab.path("names-tls")
    folder.mkdir()

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=primary.test",
            "-keyout", "server.key", "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "server.pem")
    return folder


def test_a_certificate_is_compared_with_the_name(program, lab, names, certificates):
    """And not with the address that was found for it."""
    server = start_host(lab, PREFERRED, scratch.free_port(), f"--ssl-cert={certificates / 'server.pem'}",
                        f"--ssl-key={certificates / 'server.key'}")
    names.set(primary=[PREFERRED], other=[PREFERRED])
    tls = {"database.tls_ca": certificates / "ca.pem", "database.port": server.port}
    responder = program.listen(settings({PREFERRED: server}, ["primary.test"], **tls), wrapper=names.wrapper)
    assert children(responder.ask(support.states(TASK))) == CHILDREN[PREFERRED]
    responder.reload(responder.settings | {"database.host": "other.test"})
    responder.wait_for_log("reloaded")
    support.assert_error(responder.ask(support.states(TASK)), 503, 50301)
    assert "errno=2026" in responder.log  # CR_SSL_CONNECTION_ERROR; what the library says about it varies
    stop_in_order(responder)
    server.stop()


def test_plain_cgi_does_not_wait_for_a_name(program, hosts, names):
    config = program.config(settings(hosts, [UNKNOWN, SECOND], **{"database.connect_timeout": "1s"}))
    environment = lab_responder.environment(support.states(TASK) | {"BKFLOW_STATES_CONFIG": str(config)})
    done = subprocess.run([*names.wrapper, program.path], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=scratch.PATIENCE_SECONDS, check=False)
    assert children(fcgi.Response(done.stdout, done.stderr, done.returncode)) == CHILDREN[SECOND]
    assert done.returncode == 0


def test_the_tool_does_not_wait_for_a_name(program, hosts, names):
    config = program.config(settings(hosts, [UNKNOWN], **{"database.connect_timeout": "300ms"}))
    done = subprocess.run([*names.wrapper, f"{program.path}ctl", "--config", config, "check"], stdin=subprocess.DEVNULL,
                          env=lab_responder.environment(), capture_output=True, text=True,
                          timeout=scratch.PATIENCE_SECONDS, check=False)
    assert done.returncode not in (0, -6, -11), done.stderr
    assert UNKNOWN in done.stdout + done.stderr
