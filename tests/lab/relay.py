# SPDX-License-Identifier: MIT
"""A relay before a database server, which does to connections what firewalls and load balancers do."""

import contextlib
import socket
import threading

from . import scratch


class Relay:
    """Listens on a port of its own and leads to `server`, by its socket."""

    def __init__(self, server, address="127.0.0.1"):
        self._server = server
        self._mutex = threading.Lock()
        self._clients = set()
        self._forgotten = set()
        self._forgets_new = False
        self._opened = []
        self.address = address
        self._listening = socket.create_server((address, scratch.free_port()))
        self.port = self._listening.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for opened in self._opened:
            close(opened)

    def forget(self, new=False):
        """Nothing that comes on the connections of now is passed on any more, and nobody is told. With `new`, the
        same is true of those that are opened until they all end."""
        with self._mutex:
            self._forgets_new = new
            self._forgotten |= self._clients

    def hang_up(self):
        """The connections of now end."""
        with self._mutex:
            self._forgets_new = False
            clients = list(self._clients)
        for client in clients:
            end(client)

    def settings(self):
        """The way here for the responder's [database] section, and for what [engine_database] inherits of it."""
        reach = self._server.config() | {"host": self.address, "port": self.port}
        del reach["socket"]
        return ({f"database.{key}": value for key, value in reach.items()}
                | {f"engine_database.{key}": value for key, value in self._server.engine_config().items()})

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _peer = self._listening.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server = scratch.connect(self._server.socket, scratch.PATIENCE_SECONDS)
                server.settimeout(None)
                with self._mutex:
                    self.accepted += 1
                    self._clients.add(client)
                    if self._forgets_new:
                        self._forgotten.add(client)
                    self._opened += [client, server]
                for source, destination in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, destination, client), daemon=True).start()

    def _pass_on(self, source, destination, client):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if client not in self._forgotten:
                    destination.sendall(data)
        if client not in self._forgotten:
            with self._mutex:
                self._clients.discard(client)
            end(source)
            end(destination)


def end(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def close(connection):
    end(connection)
    connection.close()


@contextlib.contextmanager
def black_hole(address, port):
    """A place that takes packets and never answers: its queue of connections is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(4):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex((address, port))
        probe = stack.enter_context(socket.socket())
        probe.settimeout(0.3)
        try:
            probe.connect((address, port))
        except TimeoutError:
            yield
            return
        raise RuntimeError(f"{address} still takes connections")
