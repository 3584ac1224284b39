"""How a reply is sent: whole, late, in part, or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

TRANSPORT = "sandbox_transport"
# What was sent before a reset must have reached the client: a reset may discard what is in transit.
_SETTLE_SECONDS = 0.05


class Wire:
    """One connection, while one call is answered on it.

    ``seconds`` is the fault's time, if it has one; ``lost`` is whether the client disconnected before the reply.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, response: Response, seconds: float | None) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.response = response
        self.seconds = seconds
        self.lost = False

    async def send(self) -> None:
        """Send the whole reply."""
        await self.response(self._scope, self._receive, self._send)

    async def send_late(self) -> None:
        """Send the whole reply after a time, unless the client disconnects before."""
        if await self._client_gone(1.0 if self.seconds is None else self.seconds):
            self.lost = True
        else:
            await self.send()

    async def send_half(self) -> None:
        """Send the headers of the whole reply and half of its body, then reset the connection."""
        body = bytes(self.response.body)
        start = {
            "type": "http.response.start",
            "status": self.response.status_code,
            "headers": self.response.raw_headers,
        }
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(_SETTLE_SECONDS)
        await self.reset()

    async def hang(self) -> None:
        """Send nothing until the client disconnects, or the time is over."""
        if not await self._client_gone(30.0 if self.seconds is None else self.seconds):
            await self.close()

    async def reset(self) -> None:
        """Abort the connection with a TCP reset."""
        transport = self._transport()
        # Lingering for zero seconds makes the kernel send RST where it would send FIN.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await self._disconnected()

    async def close(self) -> None:
        """Close the connection normally."""
        self._transport().close()
        await self._disconnected()

    def _transport(self) -> asyncio.Transport:
        transport = self._scope["state"][TRANSPORT]
        assert isinstance(transport, asyncio.Transport)
        return transport

    async def _client_gone(self, seconds: float) -> bool:
        """Wait, and return whether the client disconnected meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._disconnected()
        except TimeoutError:
            return False
        return True

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


Play: TypeAlias = Callable[[Wire], Awaitable[None]]


class PlayedResponse(Response):
    """A response that is sent as a fault demands.

    :param after: called at the end with whether the client disconnected by itself
    """

    def __init__(self, response: Response, play: Play, seconds: float | None, after: Callable[[bool], None]) -> None:
        super().__init__()
        self._response, self._play, self._seconds, self._after = response, play, seconds, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as any ASGI application does."""
        wire = Wire(scope, receive, send, self._response, self._seconds)
        try:
            await self._play(wire)
        finally:
            self._after(wire.lost)
