# SPDX-License-Identifier: MIT
"""A proxy before a real database server that fails as a test asks, where a real server cannot be made to.

It understands commands, not their answers: a packet of the client with sequence number 0 is a command."""

import contextlib
import socket
import threading

from . import scratch

QUERY, PING, PREPARE, EXECUTE, CLOSE = 0x03, 0x0E, 0x16, 0x17, 0x19
STATEMENTS = (PREPARE, EXECUTE)

# What a rule may answer, besides None: the command goes on to the server.
HANG_UP, HANG = "hang up", "hang"


def error(code, message="made up by the test", state="HY000"):
    """The packet with which a server refuses a command."""
    payload = b"\xff" + code.to_bytes(2, "little") + b"#" + state.encode() + message.encode()
    return len(payload).to_bytes(3, "little") + b"\x01" + payload


class Proxy:
    """Listens on `address` and leads to `server`, by its socket.

    `rule` is asked about each command, with its number and its text; it may be changed at any time. A command
    that hangs goes on as soon as the rule lets it pass."""

    def __init__(self, server, port, address):
        self._server = server
        self._changed = threading.Condition()
        self._rule = lambda command, text: None
        self._ends = False
        self.commands = []  # (number, text) of each, in the order of arrival
        self.connections = 0
        self._listening = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def follow(self, rule):
        with self._changed:
            self._rule = rule
            self._changed.notify_all()

    def fail_statements(self, answer, commands=STATEMENTS):
        """Each command of these kinds gets `answer`; handshake, DO 0 and session statements go through."""
        self.follow(lambda command, text: answer if command in commands else None)

    def heal(self):
        self.follow(lambda command, text: None)

    def count(self, *commands):
        return sum(command in commands for command, _text in list(self.commands))

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _peer = self._listening.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.socket(socket.AF_UNIX) as server:
            with contextlib.suppress(OSError):
                server.connect(str(self._server.socket))
                threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
                while self._pass_packet(client, server):
                    pass
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _pass_packet(self, client, server):
        """False: this connection ends."""
        head = receive(client, 4)
        payload = receive(client, int.from_bytes(head[:3], "little")) if head else b""
        if not head:
            return False
        answer = self._judge(payload) if head[3] == 0 and payload else None
        if answer == HANG_UP or self._ends:
            return False
        if answer is None:
            server.sendall(head + payload)
        else:
            client.sendall(answer)
        return True

    def _judge(self, payload):
        command, text = payload[0], payload[1:].decode(errors="replace")
        self.commands.append((command, text))
        with self._changed:
            while (answer := self._rule(command, text)) == HANG and not self._ends:
                self._changed.wait(scratch.PATIENCE_SECONDS)
        return answer


def receive(connection, size):
    """All of it, or nothing if the peer has ended before."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def pass_on(source, destination):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            destination.sendall(data)
    for end in (source, destination):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
