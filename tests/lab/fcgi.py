# SPDX-License-Identifier: MIT
"""A FastCGI 1.0 client that can also misbehave: records are built from any bytes."""

import collections
import dataclasses
import json
import struct

from . import scratch as lab

VERSION = 1
BEGIN_REQUEST, ABORT_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)
GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE = 9, 10, 11
RESPONDER, AUTHORIZER = 1, 2
KEEP_CONN = 1
REQUEST_COMPLETE, CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE = range(4)

MAX_CONTENT = 65535
HEADER = struct.Struct(">BBHHBx")

Record = collections.namedtuple("Record", "type request_id content")


def record(type_, content=b"", request_id=1, padding=0, version=VERSION):
    header = HEADER.pack(version, type_, request_id, len(content), padding)
    return header + content + b"\0" * padding


def begin(keep=False, request_id=1, role=RESPONDER):
    return record(BEGIN_REQUEST, struct.pack(">HB5x", role, KEEP_CONN if keep else 0), request_id)


def stream(type_, content, request_id=1):
    """Content in as many records as it takes, closed by the empty one."""
    pieces = [content[at:at + MAX_CONTENT] for at in range(0, len(content), MAX_CONTENT)]
    return b"".join(record(type_, piece, request_id) for piece in [*pieces, b""])


def pairs(variables):
    """Name-value pairs; takes a dict, or a list of pairs where names may repeat."""
    items = variables.items() if isinstance(variables, dict) else variables
    return b"".join(_length(name) + _length(value) + name + value
                    for name, value in ((_bytes(n), _bytes(v)) for n, v in items))


def request(variables, stdin=b"", keep=False, request_id=1):
    """One whole, well-formed request."""
    return (begin(keep, request_id) + stream(PARAMS, pairs(variables), request_id)
            + stream(STDIN, stdin, request_id))


def parse_pairs(content):
    """The inverse of pairs(), as a list."""
    found = []
    while content:
        name_length, content = _take_length(content)
        value_length, content = _take_length(content)
        found.append((content[:name_length], content[name_length:name_length + value_length]))
        content = content[name_length + value_length:]
    return found


def _bytes(value):
    return value if isinstance(value, bytes) else str(value).encode()


def _length(value):
    return bytes([len(value)]) if len(value) < 128 else struct.pack(">I", len(value) | 0x80000000)


def _take_length(content):
    if content[0] < 128:
        return content[0], content[1:]
    return struct.unpack(">I", content[:4])[0] & 0x7FFFFFFF, content[4:]


class Hangup(Exception):
    """The other side closed the connection where a record was due."""


class Connection:
    """One connection to a responder, to write anything to and to read whole records from."""

    def __init__(self, address, timeout=lab.PATIENCE_SECONDS):
        self.socket = lab.connect(address, timeout)
        self._unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def ask(self, variables, stdin=b"", keep=True, request_id=1):
        """Send one request and return its whole answer."""
        self.send(request(variables, stdin, keep, request_id))
        return self.response(request_id)

    def record(self):
        header = HEADER.unpack(self._read(HEADER.size))
        _version, type_, request_id, length, padding = header
        return Record(type_, request_id, self._read(length + padding)[:length])

    def response(self, request_id=1):
        """Collect records up to END_REQUEST; a record of another request fails the test."""
        streams = {STDOUT: [], STDERR: []}
        while True:
            got = self.record()
            assert got.request_id == request_id, f"unexpected {got}"
            if got.type == END_REQUEST:
                return Response(b"".join(streams[STDOUT]), b"".join(streams[STDERR]), *_end(got.content))
            streams[got.type].append(got.content)

    @property
    def has_unread(self):
        """Whether a part of a record has been received."""
        return self._unread != b""

    def is_closed_by_peer(self):
        """Wait for the other side to close without having sent anything more."""
        try:
            return self._unread + self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _read(self, count):
        while len(self._unread) < count:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise Hangup(f"{len(self._unread)} bytes instead of {count}")
            self._unread += piece
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken


def _end(content):
    app_status, protocol_status = struct.unpack(">IB3x", content)
    return app_status, protocol_status


@dataclasses.dataclass
class Response:
    """An answer in CGI form: `raw` is head, empty line and body."""

    raw: bytes
    stderr: bytes = b""
    app_status: int = 0
    protocol_status: int = REQUEST_COMPLETE

    def __post_init__(self):
        head, _separator, self.body = self.raw.partition(b"\r\n\r\n")
        self.headers = [tuple(line.split(": ", 1)) for line in head.decode("ascii").split("\r\n") if line]

    def header(self, name):
        """The value of a header that stands exactly once, None if it is absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None

    @property
    def status(self):
        return int((self.header("Status") or "200").split()[0])

    @property
    def json(self):
        return json.loads(self.body)
