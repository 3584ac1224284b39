"""The connections of requests: responses are limited in time and size, and urllib3 logs nothing of them."""

from __future__ import annotations

import io
import logging
import ssl
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket

    from requests import Response

CHUNK = 64 * 1024
# The time limit of a response, as a multiple of the read time-out.
PATIENCE = 10

# The only codec that is requested: each of urllib3's optional ones would need a size limit of its own.
ACCEPTED = "gzip"
_INFLATED = ("gzip", "x-gzip", "deflate")

_LOGGERS = ("connection", "connectionpool", "poolmanager", "response", "util.retry")
_calling: ContextVar[bool] = ContextVar("calling", default=False)


class UnknownEncoding(Exception):
    """A response in an encoding that was not requested."""


class TooSlow(TimeoutError):
    """A response that did not end in time."""


class HandshakeFailed(ssl.SSLError):
    """TLS could not be established, so the request was not sent. A later error of TLS does not show that."""


class _UntilDeadline(io.RawIOBase):
    """A socket's bytes, until a deadline.

    A socket's own time-out begins anew with each byte, so a slow response would never end.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._timeout = sock.gettimeout() or 0.0
        self._deadline = time.monotonic() + PATIENCE * self._timeout

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has arrived."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TooSlow
        self._sock.settimeout(min(left, self._timeout))
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            if time.monotonic() < self._deadline:
                raise
            raise TooSlow from None
        finally:
            self._sock.settimeout(self._timeout)

    def close(self) -> None:
        """Close the socket's file."""
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_UntilDeadline(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response
    # With the level that a program may set on the base class, http.client prints the Authorization header.
    debuglevel = 0


class _TlsConnection(HTTPSConnection):
    response_class = _Response
    debuglevel = 0

    def connect(self) -> None:
        """Connect; the request is sent afterwards."""
        try:
            super().connect()
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError as error:
            raise HandshakeFailed(*error.args) from None


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Adapter(HTTPAdapter):
    """Opens the connections of this module, also to and through a proxy; a SOCKS proxy has its own."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools of a proxy's connections."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


def decoded(response: Response) -> Iterator[bytes]:
    """Yield a response's body in pieces of bounded size, whatever it decompresses to.

    :raises UnknownEncoding: it has a compression that was not requested, or several.
    :raises zlib.error: the compressed data is damaged or cut short.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    # read1 returns what has arrived; read waits for a full chunk.
    received = iter(lambda: response.raw.read1(CHUNK, decode_content=False), b"")
    if encoding in ("", "identity"):
        yield from received
    elif encoding in _INFLATED:
        yield from _inflated(received)
    elif any(received):  # a response without a body may name any encoding
        raise UnknownEncoding


def _inflated(received: Iterator[bytes]) -> Iterator[bytes]:
    decoder = None
    for data in received:
        while data:
            # 32: gzip and zlib, distinguished by their headers; a gzip may have several members.
            decoder = zlib.decompressobj(32 + zlib.MAX_WBITS) if decoder is None or decoder.eof else decoder
            if piece := decoder.decompress(data, CHUNK):
                yield piece
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            if not data and not decoder.eof and piece:
                # The decoder may hold output beyond the limit of a piece although it took in all of the data.
                while piece := decoder.decompress(b"", CHUNK):
                    yield piece
    if decoder is not None and not decoder.eof:
        raise zlib.error


class _Quiet(logging.Filter):
    """Drops what urllib3 logs of our calls: their URLs hold users' e-mail addresses and IDs."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        """Return whether the record is not about a call of this package."""
        return not _calling.get()


_quiet = _Quiet()


@contextmanager
def unlogged() -> Iterator[None]:
    """Prevent urllib3 from logging the requests of this thread."""
    for name in _LOGGERS:
        logging.getLogger(f"urllib3.{name}").addFilter(_quiet)
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)
