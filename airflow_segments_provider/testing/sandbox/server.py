"""Runs a sandbox: in a thread for tests, or in the foreground for a user."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from airflow_segments_provider.testing.sandbox.client import SandboxClient
from airflow_segments_provider.testing.sandbox.extra import require_extra

require_extra()

import uvicorn  # noqa: E402
from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: E402

from airflow_segments_provider.testing.sandbox.access import Access, is_loopback  # noqa: E402
from airflow_segments_provider.testing.sandbox.app import CONTROL, World, build_app  # noqa: E402
from airflow_segments_provider.testing.sandbox.wire import TRANSPORT  # noqa: E402

# A pooled connection that the server drops while it is idle would look like a fault that no test set.
_KEEP_ALIVE_SECONDS = 3600
_START_SECONDS = 30.0


class SandboxServer:
    """A sandbox on a port of its own.

    As a context manager it is ready when entered::

        with SandboxServer(walkme={"editor_lag": 30}) as server:
            server.client.fault("walkme.update", "lost")

    :param port: 0 for a free one
    :param control_password: of the control API, by HTTP Basic with the user ``sandbox``; required on every address that
        other machines can reach
    :param database: a SQLite file, or ":memory:"; a new server on the same file continues with its state
    :param settings: by vendor, settings that differ from the defaults
    :raises OSError: the port is in use, or the host is not one of this machine
    :raises ValueError: a setting is unknown or wrong, or the password is missing
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        database: str = ":memory:",
        control_password: str | None = None,
        **settings: Mapping[str, object],
    ) -> None:
        self._socket = _listen(host, port)
        try:
            address, bound_port, *_ = self._socket.getsockname()
            self.is_public = not is_loopback(address)
            if not control_password:
                _check_private(host, address)
            self.world = World(database, settings)
        except BaseException:
            self._socket.close()
            raise
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{bound_port}"
        self.client = SandboxClient(self.url, control_password)
        self._ready = threading.Event()
        app = Access(build_app(self.world), host, address, CONTROL, control_password or None)
        self._uvicorn = _ReadyServer(_config(app), self._ready.set)
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Serve in a daemon thread; return when calls are answered."""
        self._thread = threading.Thread(target=self._run, name="segments-sandbox", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS) or not self._uvicorn.started:
            raise RuntimeError("the sandbox did not start")
        return self

    def stop(self) -> None:
        """Stop serving and close the database; calls that still hang are aborted after about a second."""
        self._uvicorn.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self.client.close()
        self._socket.close()
        self.world.close()

    def serve(self, on_ready: Callable[[], None]) -> None:
        """Serve in this thread until a signal ends it.

        :param on_ready: called when calls are answered
        """
        self._uvicorn.on_ready = on_ready
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self._ready.set()


class _BreakableProtocol(H11Protocol):
    """Puts each connection's transport into the state of its requests: ASGI itself offers no access to it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _ReadyServer(uvicorn.Server):
    """A uvicorn server that reports when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_ready()


def _config(app: Access) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_BreakableProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        # The logging of the program around it is left as it is.
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )


def _check_private(host: str, address: str) -> None:
    if not is_loopback(address):
        raise ValueError(f"other machines can reach {host}: the sandbox needs a control password there")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only where the protocol is named; without it each answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
