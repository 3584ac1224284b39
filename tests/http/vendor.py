"""A small vendor on a real socket that returns the responses of a test and records the requests."""

from __future__ import annotations

import json
import ssl
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from airflow_segments_provider.http import ClientCredentials, HttpClient

TOKEN_PATH = "/token"


@dataclass(frozen=True)
class Received:
    """A request as it was received."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """A response; a body that is neither text nor bytes is sent as JSON. An empty header is left out.

    :param drips: The body is sent byte by byte; the event is set when the client has disconnected.
    """

    status: int = 200
    body: Any = field(default_factory=lambda: {"ok": True})
    headers: dict[str, str] = field(default_factory=dict)
    drips: threading.Event | None = None

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Vendor:
    """Server that returns the next of ``answers``, then ``{"ok": true}``; each token is a new one.

    :param tls: Serve https.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.answers: deque[Answer | Callable[[Received], Answer]] = deque()
        self.tokens: deque[Answer | Callable[[Received], Answer]] = deque()
        self.secret = f"very-secret-{uuid.uuid4().hex}"
        self._issued = 0
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body in one packet: otherwise each response waits 40 ms for an acknowledgement.
            wbufsize = 1 << 16

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = vendor.answer(Received(self.command, self.path, dict(self.headers.items()), body))
                self.send_response_only(answer.status)
                given = {"Content-Type": "application/json", "Content-Length": str(len(answer.content))}
                for name, value in (given | answer.headers).items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                if answer.drips:
                    self.drip(answer.content, answer.drips)
                self.wfile.write(answer.content)

            def drip(self, content: bytes, gone: threading.Event) -> None:
                with suppress(OSError):
                    for byte in content:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(0.01)
                gone.set()
                self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *args: Any) -> None:
                """Do not log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Received) -> Answer:
        self.requests.append(request)
        if request.target.endswith(TOKEN_PATH):
            self._issued += 1
            token = {"access_token": f"token-{self._issued}", "token_type": "Bearer", "expires_in": 3600}
            answer = self.tokens.popleft() if self.tokens else Answer(body=token)
        else:
            answer = self.answers.popleft() if self.answers else Answer()
        return answer(request) if callable(answer) else answer

    def client(self, base_url: str = "", **options: Any) -> HttpClient:
        """Return a client of this vendor; all clients of one test share their token."""
        base_url = base_url or self.url
        credentials = options.pop("credentials", None) or ClientCredentials(
            f"{base_url}{TOKEN_PATH}", "the-client", self.secret
        )
        return HttpClient("Acme", base_url, credentials, **options)

    @property
    def calls(self) -> list[Received]:
        """Return the requests other than those for tokens."""
        return [request for request in self.requests if not request.target.endswith(TOKEN_PATH)]

    @property
    def tokens_fetched(self) -> int:
        return len(self.requests) - len(self.calls)
