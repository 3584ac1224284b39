"""A minimal HTTP server, fast enough that the client is measured and not the server.

One thread a connection, blocking sockets, bodies read whole into one buffer and not parsed. It runs in a process of its
own, stops when its standard input closes, and keeps a fingerprint of what it received, so that a benchmark can check
that two clients sent the same. For benchmarks only; :mod:`airflow_segments_provider.testing.sandbox` is for tests.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import asdict, dataclass
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

ROOT = Path(__file__).parents[2]
TOKEN_PATH = "/accounts/connect/token"
TOKEN_PATHS = (TOKEN_PATH, "/oauth2/token")
SEEN_PATH = "/seen"
# Always the same, so that the requests of all clients can be compared byte by byte.
TOKEN = "a-token-of-the-benchmarks"
SEGMENT_GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"

TOKEN_ANSWER = json.dumps({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}).encode()
EXTERNAL_ID = "an-external-id"
SEGMENT_ANSWER = json.dumps({"guid": SEGMENT_GUID, "id": EXTERNAL_ID, "name": "A segment"}).encode()


@dataclass
class Seen:
    """What the server has received since the last report.

    :param segment_requests: those that were answered after the delay.
    :param fingerprint: of all requests' methods, paths, headers and bodies, in their order.
    :param processor: seconds of processor time of the server.
    """

    requests: int = 0
    segment_requests: int = 0
    fingerprint: int = 0
    processor: float = 0.0


class Ledger:
    """Count the requests on all connections.

    :param created: whether a segment was created since the last report; it is listed from then on.
    """

    created = False

    def __init__(self) -> None:
        self._since = time.process_time()
        self._seen = Seen()

    def add(self, head: list[bytes], body: memoryview, *, segment: bool) -> None:
        """Count a request."""
        self._seen.requests += 1
        self._seen.segment_requests += segment
        # Headers are sorted: two clients may send the same ones in another order.
        headers = b"".join(sorted(line.lower() for line in head[1:]))
        self._seen.fingerprint = zlib.crc32(body, zlib.crc32(head[0] + headers, self._seen.fingerprint))

    def tell(self) -> Seen:
        """Return what was counted since the last report."""
        told, self._seen, self.created = self._seen, Seen(), False
        now = time.process_time()
        told.processor, self._since = now - self._since, now
        return told


class Connection(threading.Thread):
    """Serve one client's connection until the client closes it."""

    def __init__(self, connection: socket.socket, delay: float, ledger: Ledger) -> None:
        super().__init__(daemon=True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._delay = delay
        self._ledger = ledger
        self._buffer = memoryview(bytearray(4 << 20))

    def run(self) -> None:
        """Read requests and send the responses, one after the other."""
        with contextlib.suppress(ConnectionError), self._connection, self._connection.makefile("rb") as stream:
            while head := read_head(stream):
                method, path = head[0].split(b" ")[:2]
                body = self._read_body(stream, head)
                self._connection.sendall(self._answer(method.decode(), path.decode(), head, body))

    def _read_body(self, stream: BinaryIO, head: list[bytes]) -> memoryview:
        length = next((int(line[15:]) for line in head if line.lower().startswith(b"content-length:")), 0)
        body = self._buffer[:length]
        if length > len(self._buffer) or stream.readinto(body) < length:  # type: ignore[attr-defined]
            raise ConnectionResetError("a body too long for a benchmark, or cut short")
        return body

    def _answer(self, method: str, path: str, head: list[bytes], body: memoryview) -> bytes:
        received = time.monotonic()
        if path == SEEN_PATH:
            return reply("200 OK", json.dumps(asdict(self._ledger.tell())).encode())
        self._ledger.add(head, body, segment=path not in TOKEN_PATHS)
        if path in TOKEN_PATHS:
            return reply("200 OK", TOKEN_ANSWER)
        # The delay begins with the last byte of the body, so it includes the fingerprint.
        time.sleep(max(0.0, received + self._delay - time.monotonic()))
        if method == "GET":
            return reply("200 OK", b"[%s]" % (SEGMENT_ANSWER if self._ledger.created else b""))
        self._ledger.created = self._ledger.created or method == "POST"
        return reply("201 Created" if method == "POST" else "200 OK", SEGMENT_ANSWER)


def read_head(stream: BinaryIO) -> list[bytes]:
    """Return the request line and the headers, or nothing if the client has closed the connection."""
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
    return lines


def reply(status: str, body: bytes) -> bytes:
    """Send a response with a JSON body."""
    return (
        f"HTTP/1.1 {status}\r\nDate: {formatdate(usegmt=True)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def accept(listener: socket.socket, delay: float) -> None:
    """Serve every client that connects."""
    ledger = Ledger()
    while True:
        Connection(listener.accept()[0], delay, ledger).start()


class LocalServer:
    """The server as a process.

    :param delay: seconds that each segment request takes; token requests take none.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.server", str(self._delay)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate()

    def seen(self) -> Seen:
        """Return what was received since the last report."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", SEEN_PATH)
            return Seen(**json.loads(connection.getresponse().read()))


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        threading.Thread(target=accept, args=(listening, float(sys.argv[1])), daemon=True).start()
        sys.stdin.read()
