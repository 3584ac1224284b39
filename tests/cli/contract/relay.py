"""A relay between the client and the sandbox that records requests and responds to some paths itself."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import requests

PASSED_ON = ("authorization", "content-type", "accept")


@dataclass(frozen=True)
class Request:
    """A request that was received."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Relay:
    """A server with a sandbox behind it.

    :param behind: the sandbox's address.
    :param certificate: serves https with it.
    """

    def __init__(self, behind: str, certificate: Path | None = None) -> None:
        self.seen: list[Request] = []
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body in one packet: otherwise each response waits 40 ms for an acknowledgement.
            wbufsize = 1 << 16

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                relay.seen.append(Request(self.command, parts.path, dict(parse_qsl(parts.query)), body))
                known = relay.answers.get(parts.path)
                status, kind, content = known or relay.ask(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *arguments: object) -> None:
                pass

        self._behind = behind
        self._session = requests.Session()
        self._session.trust_env = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._server.server_port}"

    def serve(self, path: str, content: Any, status: int = 200, kind: str = "application/json") -> None:
        """From now on, respond to a path with this content: text as it is, anything else as JSON."""
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.answers[path] = (status, kind, body)

    def ask(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, str, bytes]:
        """Forward a request to the sandbox; the path is not changed."""
        passed = {name: value for name, value in headers.items() if name.lower() in PASSED_ON}
        reply = self._session.request(method, self._behind + path, headers=passed, data=body, allow_redirects=False)
        return reply.status_code, reply.headers.get("Content-Type", ""), reply.content

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._session.close()
