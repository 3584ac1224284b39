"""How an answer goes over the wire: whole, late, in part, or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

TRANSPORT = "sandbox_transport"
# What was sent before a reset must have reached the client: a reset may throw away what is on its way.
_SETTLE_SECONDS = 0.05


class Wire:
    """One connection, while one call is answered on it.

    ``seconds`` is the fault's time, if it has one; ``lost`` tells afterwards that the client had gone.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, response: Response, seconds: float | None) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.response = response
        self.seconds = seconds
        self.lost = False

    async def send(self) -> None:
        """Send the whole answer."""
        await self.response(self._scope, self._receive, self._send)

    async def send_half(self) -> None:
        """Send the headers of the whole answer, and half of its body."""
        body = bytes(self.response.body)
        start = {
            "type": "http.response.start",
            "status": self.response.status_code,
            "headers": self.response.raw_headers,
        }
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(_SETTLE_SECONDS)

    async def client_gone(self, seconds: float) -> bool:
        """Wait, and tell whether the client gave up meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                await self._disconnected()
        except TimeoutError:
            return False
        return True

    async def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        transport = self._transport()
        # Lingering for zero seconds makes the kernel send RST where it would send FIN.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await self._disconnected()

    async def close(self) -> None:
        """Close the connection as if all had been said."""
        self._transport().close()
        await self._disconnected()

    def _transport(self) -> asyncio.Transport:
        transport = self._scope["state"][TRANSPORT]
        assert isinstance(transport, asyncio.Transport)
        return transport

    async def _disconnected(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


Play: TypeAlias = Callable[[Wire], Awaitable[None]]


async def answer(wire: Wire) -> None:
    """Answer at once."""
    await wire.send()


async def answer_late(wire: Wire) -> None:
    """Answer after a time, unless the client gives up before."""
    if await wire.client_gone(1.0 if wire.seconds is None else wire.seconds):
        wire.lost = True
    else:
        await wire.send()


async def reset(wire: Wire) -> None:
    """Reset the connection before any answer."""
    await wire.reset()


async def reset_mid_body(wire: Wire) -> None:
    """Reset the connection in the middle of the answer."""
    await wire.send_half()
    await wire.reset()


async def close(wire: Wire) -> None:
    """Close the connection without an answer."""
    await wire.close()


async def hang(wire: Wire) -> None:
    """Keep silent until the client gives up, or the time is over."""
    if not await wire.client_gone(30.0 if wire.seconds is None else wire.seconds):
        await wire.close()


class PlayedResponse(Response):
    """A response that goes over the wire as a fault wants it.

    :param after: told at the end whether the client had gone by itself
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
