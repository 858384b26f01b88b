# SPDX-License-Identifier: MIT
"""A database server that is not ours to trust: what it gets, and what it cannot do."""

import contextlib
import socket

import impostor
import pytest
import support
from lab import responder as lab_responder

AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUfkR8feH/bP+p84ftb+YuaFagaRYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyNzAxMDk1NFoYDzIxMjYxMTAz
MDEwOTU0WjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASgvdgvyGG/z/TH6duqusmxxAHJbfqUyeLlg7wUUEJU3HX5UaKiFbPL
n3EUUZrDmhhCbOEIXEzfU7vYfo9khKv+o1MwUTAdBgNVHQ4EFgQUgX55H3G5xdyj
d0JpswgsQ+btOXswHwYDVR0jBBgwFoAUgX55H3G5xdyjd0JpswgsQ+btOXswDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBiFLiRY0b3GV8BnQZhWJIE
OJaqH+Mdwl6ZhLTsKYpB+wIgX3U/JMlY2bTRUZADpwqMMS0tR8CNDBQWio8E2bHE
PKM=
-----END CERTIFICATE-----
"""

DOWN = 50301
PASSWORD = "the-database-password"

# Protocol 10: a version, a thread, 8 + 12 bytes of salt, capabilities, and the plugin to log in with.
PROTOCOL_41, SECURE, PLUGIN_AUTH, WITH_DB = 1 << 9, 1 << 15, 1 << 19, 1 << 3
GREETING = (b"\x0a8.0.36\0\x01\0\0\0saltsalt\0" + (PROTOCOL_41 | SECURE | WITH_DB).to_bytes(2, "little")
            + b"\x2d\x02\0" + (PLUGIN_AUTH >> 16).to_bytes(2, "little") + b"\x15" + bytes(10)
            + b"saltsaltsalt\0mysql_native_password\0")

OK = b"\0\0\0\x02\0\0\0"


class Rogue(impostor.Impostor):
    """Asks whoever connects to log in with a plugin, says yes to everything, and keeps what it is sent."""

    def __init__(self, plugin, answer=OK):
        super().__init__()
        self._plugin = plugin
        self._answer = answer
        self.packets = []

    def serve(self, client):
        client.settimeout(5)
        send(client, 0, GREETING)
        number = self._receive(client)
        send(client, number + 1, b"\xfe" + self._plugin.encode() + b"\0saltsaltsaltsaltsalt\0")
        with contextlib.suppress(TimeoutError):
            while (number := self._receive(client)) is not None:
                send(client, number + 1, self._answer)

    def _receive(self, client):
        """One packet: returns its number."""
        head = client.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return None
        size = int.from_bytes(head[:3], "little")
        self.packets.append(client.recv(size, socket.MSG_WAITALL) if size else b"")
        return head[3]


def send(client, number, payload):
    client.sendall(len(payload).to_bytes(3, "little") + bytes([number]) + payload)


def settings(port, **others):
    return {"database.host": "127.0.0.1", "database.port": port, "database.user": "reader", "database.name": "bkflow",
            "database.password": PASSWORD, "database.option_file": "", "server.workers": 1, "auth.failure_limit": 0} | others


@pytest.mark.parametrize("plugin", ["mysql_clear_password", "dialog", "mysql_old_password"])
def test_the_password_is_not_sent_to_who_asks_for_it(program, plugin):
    with Rogue(plugin) as rogue:
        responder = program.listen(settings(rogue.port))
        support.assert_error(responder.ask(support.states(1)), 503, DOWN)
        responder.wait_for_log("the database host fails")
        assert responder.stop() == 0
    assert any(b"reader" in packet for packet in rogue.packets)
    assert not any(PASSWORD.encode() in packet for packet in rogue.packets)
    assert PASSWORD not in responder.log


@pytest.mark.parametrize("plugin", ["caching_sha2_password", "sha256_password"])
def test_the_password_is_not_encrypted_with_a_key_of_the_servers_choice(program, plugin):
    """Whoever stands between would send one of its own. A client that wants it asks by a packet of one byte."""
    if (program.library, plugin) == ("MySQL", "sha256_password"):
        pytest.skip("Oracle's library always asks: docs/security.md says so")
    with Rogue(plugin, answer=b"\x01\x04") as rogue:  # more is needed than a hash
        responder = program.listen(settings(rogue.port))
        support.assert_error(responder.ask(support.states(1)), 503, DOWN)
        responder.wait_for_log("public key")
        assert responder.stop() == 0
    assert rogue.packets and not any(packet in (b"\x01", b"\x02") for packet in rogue.packets)


@pytest.mark.parametrize("verify", ["on", "off"])
def test_tls_that_is_not_offered_is_demanded(program, database, lab, verify):
    """With tls_ca given; also where the certificate need not be valid for the host's name."""
    authority = lab.write("authority", ".pem", AUTHORITY)
    responder = program.listen(lab_responder.settings_for(
        database, **{"server.workers": 1, "database.tls_ca": authority, "database.tls_verify": verify}))
    support.assert_error(responder.ask(support.states(1)), 503, DOWN)
    responder.wait_for_log("is required")
    assert responder.stop() == 0
