# SPDX-License-Identifier: MIT
"""Something else that listens where a database server should."""

import contextlib
import socket
import threading


class Impostor:
    """Takes connections, one after the other; a subclass says what it does with each."""

    def __init__(self, address=("127.0.0.1", 0)):
        self._listening = socket.create_server(address)
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def serve(self, client):
        raise NotImplementedError

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                with contextlib.suppress(ConnectionError), self._listening.accept()[0] as client:
                    self.serve(client)
