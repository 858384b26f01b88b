# SPDX-License-Identifier: MIT
"""Stand-ins for what is around us in a BKFlow installation: BKFlow itself, and BlueKing's API gateway before it.

BKFlow's answers every request, and remembers what it was sent. The gateway's does with one call what the real one
does: it replaces the client's credentials by a token that it signs, and goes where BKAPP_APIGW_API_HOST leads.
"""

import contextlib
import dataclasses
import functools
import http.client
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse
import uuid

from . import jwt, scratch

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


# ---- the gateway ----

GATEWAY = "bk-flow-engine"


class Gateway(http.server.BaseHTTPRequestHandler):
    """`key` signs its tokens; `api_host` is the value of BKAPP_APIGW_API_HOST, which is taken apart as in BKFlow's
    module_settings.py and put together as in its api-resources.yml."""

    protocol_version = "HTTP/1.1"

    def __init__(self, key, api_host, *others):
        self.key = key
        address = urllib.parse.urlparse(api_host)
        self.backend, self.sub_path = address.netloc, address.path.lstrip("/")
        super().__init__(*others)

    def do_GET(self):
        """The path is /api/{gateway}/{stage}{resource}."""
        called = re.fullmatch(f"/api/{GATEWAY}/[a-z]+(/.*)", self.path)
        if not called:
            self.send_error(404)
            return
        said = json.loads(self.headers["X-Bkapi-Authorization"])
        token = self.key.token(claims(said["bk_app_code"], said["bk_username"]), kid=GATEWAY, iat=int(time.time()))
        request_id = uuid.uuid4().hex
        connection = http.client.HTTPConnection(self.backend)
        connection.request("GET", f"/{self.sub_path}apigw{called[1]}", headers={
            "X-Bkapi-Jwt": token, "X-Request-Id": request_id, "X-Bkapi-Request-Id": request_id})
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def claims(app_code, username):
    now = int(time.time())
    return {"iss": "APIGW", "nbf": now - 300, "exp": now + 1500,
            "app": {"version": 1, "app_code": app_code, "bk_app_code": app_code, "verified": True},
            "user": {"version": 1, "username": username, "bk_username": username, "verified": True}}


def main():
    """Serves both, each on port 80 of its address, until it is ended; writes the gateway's public key into a file."""
    bkflow_address, gateway_address, api_host, public_key = sys.argv[1:]
    with scratch.Scratch() as folder:
        key = jwt.Key(folder)
        pathlib.Path(public_key).write_bytes(key.public_pem)
        bkflow = http.server.ThreadingHTTPServer((bkflow_address, 80), Handler)
        bkflow.seen = lambda request: None
        threading.Thread(target=bkflow.serve_forever, daemon=True).start()
        serve_gateway = functools.partial(Gateway, key, api_host)
        http.server.ThreadingHTTPServer((gateway_address, 80), serve_gateway).serve_forever()


if __name__ == "__main__":
    main()
