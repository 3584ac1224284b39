"""Limits of reading a response: compressed, endless and slow ones, in memory and into a file."""

from __future__ import annotations

import gzip
import io
import json
import socket
import tempfile
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import IO

import pytest

from airflow_segments_provider.errors import RejectedRequest, UnexpectedReply, VendorError, VendorUnavailable
from airflow_segments_provider.http import FixedAuthorization, HttpClient, RetryPolicy, transport
from airflow_segments_provider.http.transport import TransportSettings
from tests.http.vendor import Answer

ONCE = RetryPolicy(max_attempts=1)
MIB = 1 << 20
TOKEN = FixedAuthorization("Bearer", "the-token", "token")


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve responses of arbitrary bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, suppress(OSError):
                        connection.recv(65536)
                        answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def ask(url: str, into: IO[bytes] | None = None, **settings: float) -> VendorError:
    """Return the error of a read."""
    client = HttpClient("Acme", url, TOKEN, retry=ONCE, transport=TransportSettings(**settings))  # type: ignore[arg-type]
    with pytest.raises(VendorError) as caught:
        client.request("GET", ["x"], into=into)
    return caught.value


def repeated(block: bytes, pause: float = 0) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        while True:
            connection.sendall(block)
            time.sleep(pause)

    return send


def after(head: bytes, rest: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        rest(connection)

    return send


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW = {
    "status line": repeated(b"H", 0.01),
    "interim answers": repeated(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "header": after(OK + b"X-Long: ", repeated(b"a", 0.01)),
    "headers": after(OK, repeated(b"X-A: b\r\n", 0.01)),
    "body": after(OK + b"\r\n", repeated(b" ", 0.01)),
    "chunks": after(OK + b"Transfer-Encoding: chunked\r\n\r\n", repeated(b"1\r\n \r\n", 0.01)),
    "size of a chunk": after(OK + b"Transfer-Encoding: chunked\r\n\r\n", repeated(b"0", 0.01)),
    "trailers": after(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", repeated(b"X-A: b\r\n", 0.01)),
    "compressed": after(OK + b"Content-Encoding: gzip\r\n\r\n", repeated(gzip.compress(b""), 0.01)),
}


@pytest.mark.parametrize("into_file", [False, True])
@pytest.mark.parametrize("part", SLOW)
def test_a_response_that_arrives_too_slowly_in_any_part_is_an_error(part, into_file):
    """Each byte arrives within the read time-out."""
    with raw_server(SLOW[part]) as url:
        error = ask(url, io.BytesIO() if into_file else None, read_timeout=0.1)
    assert isinstance(error, VendorError)
    # http.client itself limits the number and the length of headers; on a busy machine, a byte may be late.
    given_up = "too slowly" in str(error) or "no response in" in str(error)
    assert given_up or part in ("headers", "header", "trailers")


@pytest.mark.parametrize("status", [200, 404, 307])
def test_a_body_without_end_is_an_error(status, monkeypatch):
    monkeypatch.setattr(transport, "MAX_BODY", 2 * MIB)
    head = b"HTTP/1.1 %d X\r\nLocation: /y\r\nContent-Type: text/plain\r\n\r\n" % status
    with raw_server(after(head, repeated(b"a" * 65536))) as url:
        error = ask(url)
    assert ("more than 2 MiB" in str(error)) == (status == 200)


def test_a_download_without_end_is_an_error(monkeypatch):
    monkeypatch.setattr(transport, "MAX_FILE", 4 * MIB)
    file = io.BytesIO()
    with raw_server(after(b"HTTP/1.1 200 OK\r\n\r\n", repeated(b"a" * 65536))) as url:
        error = ask(url, file)
    assert isinstance(error, UnexpectedReply)
    assert "more than 4 MiB" in str(error)
    assert len(file.getbuffer()) <= 4 * MIB


@cache
def bomb(encoding: str, size: int = 256 * MIB) -> bytes:
    """Return this many zero bytes, compressed to about a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, {"gzip": 31, "x-gzip": 31, "deflate": 15}[encoding])
    block = bytes(MIB)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "GZIP"])
@pytest.mark.parametrize("into_file", [False, True])
def test_a_compressed_bomb_is_an_error_and_takes_little_memory(vendor, monkeypatch, encoding, into_file):
    """In memory the growth is at most the limit, into a file at most one chunk."""
    monkeypatch.setattr(transport, "MAX_BODY", 8 * MIB)
    monkeypatch.setattr(transport, "MAX_FILE", 64 * MIB)
    body = bomb(encoding.lower())
    vendor.answers.append(Answer(200, body, {"Content-Encoding": encoding}))
    client = vendor.client(retry=ONCE)
    client.token()
    file = tempfile.TemporaryFile() if into_file else None  # noqa: SIM115
    tracemalloc.start()
    try:
        with pytest.raises(UnexpectedReply, match=f"more than {64 if into_file else 8} MiB"):
            client.request("GET", ["x"], into=file)
        assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    finally:
        tracemalloc.stop()
        if file:
            file.close()


@pytest.mark.parametrize("value", ["{}", "[]", '{"a":[1]}', "1.5", '"{[,"'])
def test_json_of_very_many_values_is_an_error_and_takes_little_memory(vendor, value):
    """Such a response of 64 MiB would take 1.8 GiB of memory, and 20 seconds."""
    body = f"[{','.join([value] * (8 * MIB))[: 24 * MIB]}]".encode()
    vendor.answers.append(Answer(200, gzip.compress(body, 1), {"Content-Encoding": "gzip"}))
    client = vendor.client(retry=ONCE)
    client.token()
    began = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(UnexpectedReply, match="with more values in its JSON than are read into memory"):
            client.request("GET", ["x"])
        assert tracemalloc.get_traced_memory()[1] < 80 * MIB
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 5


def test_json_of_many_users_is_read(vendor):
    users = [
        {"id": 10**13 + number, "email": f"user{number}@example.com", "tags": ["a", "b"]} for number in range(100_000)
    ]
    vendor.answers.append(Answer(200, json.dumps(users).encode()))
    assert vendor.client(retry=ONCE).request("GET", ["x"]).json == users


@pytest.mark.parametrize("status", [400, 503])
def test_a_compressed_bomb_in_an_error_response_is_read_in_part(vendor, status):
    body = bomb("gzip")
    vendor.answers.append(Answer(status, body, {"Content-Encoding": "gzip", "Content-Type": "text/plain"}))
    client = vendor.client(retry=ONCE)
    client.token()
    tracemalloc.start()
    try:
        with pytest.raises(VendorError):
            client.request("GET", ["x"])
        assert tracemalloc.get_traced_memory()[1] < 40 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip,br", "identity, gzip", "nonsense"])
@pytest.mark.parametrize("into_file", [False, True])
def test_a_compression_that_was_not_requested_is_an_error(vendor, encoding, into_file):
    vendor.answers.append(Answer(200, gzip.compress(b"{}"), {"Content-Encoding": encoding}))
    with pytest.raises(UnexpectedReply, match="a compression that was not requested") as caught:
        vendor.client(retry=ONCE).request("GET", ["x"], into=io.BytesIO() if into_file else None)
    assert (caught.value.status, caught.value.maybe_done) == (200, True)


def test_only_gzip_is_requested_as_compression(vendor):
    vendor.client().request("GET", ["x"])
    assert {request.headers["Accept-Encoding"] for request in vendor.requests} == {"gzip"}


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 3 * MIB])
@pytest.mark.parametrize("members", [1, 3])
def test_a_compressed_download_is_read_whole(vendor, size, members):
    part = bytes(range(256)) * (size // 256 + 1)
    body = gzip.compress(part[:size]) * members
    vendor.answers.append(Answer(200, body, {"Content-Encoding": "gzip"}))
    file = io.BytesIO()
    vendor.client().request("GET", ["x"], into=file)
    assert file.getvalue() == part[:size] * members


def test_compressed_data_that_is_cut_short_is_an_error_although_its_length_is_right(vendor):
    body = gzip.compress(bytes(range(256)) * 100)
    vendor.answers.append(Answer(200, body[:-10], {"Content-Encoding": "gzip"}))
    with pytest.raises(VendorUnavailable, match="the connection broke"):
        vendor.client(retry=ONCE).request("GET", ["x"], into=io.BytesIO())


def test_a_response_without_a_body_may_name_any_compression(vendor):
    vendor.answers.extend([Answer(204, "", {"Content-Encoding": "br"}), Answer(204, "", {"Content-Encoding": "gzip"})])
    client = vendor.client()
    assert [client.request("DELETE", ["x"]).json for _ in range(2)] == [None, None]


def test_an_error_while_writing_the_file_is_not_taken_for_an_error_of_the_vendor(vendor):
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        vendor.client(retry=ONCE).request("GET", ["x"], into=Full())


def test_of_a_long_error_response_only_the_beginning_is_read(vendor):
    vendor.answers.append(Answer(418, "a teapot. " * MIB, {"Content-Type": "text/plain"}))
    with pytest.raises(RejectedRequest, match="a teapot"):
        vendor.client(retry=ONCE).request("GET", ["x"])
