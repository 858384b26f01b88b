# SPDX-License-Identifier: MIT
"""What stands in for BKFlow in front of a proxy: it answers every request, and remembers what it was sent. As a
program, it prints that instead."""

import contextlib
import dataclasses
import http.server
import json
import sys
import threading

STATUS, MARK = 202, "Bkflow-Engine-Trace-Id"


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: object
    body: bytes


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with a status that bkflow-states never gives."""

    protocol_version = "HTTP/1.1"

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen(Request(self.command, self.path, self.headers, body))
        answer = json.dumps({"answered_by": "BKFlow", "path": self.path}).encode()
        self.send_response(STATUS)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header(MARK, "of-bkflow")
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, *_):
        """Nothing."""


@contextlib.contextmanager
def standing_in(port=0):
    """Gives the server, on a port of 127.0.0.1, and the list of requests that it gets."""
    requests = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.seen = requests.append
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port, requests
        finally:
            server.shutdown()
            thread.join()


def main():
    """Serves a port until it is ended."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        server.seen = lambda request: print(request.method, request.target, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
