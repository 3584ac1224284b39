"""The HTTP protocol of the server, which lets the application break connections off."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from airflow_segments_provider.testing.sandbox.wire import TRANSPORT


class BreakableProtocol(H11Protocol):
    """Puts each connection's transport into the state of its requests, where ASGI itself offers no way to it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}
