"""Access to the sandbox: no web page of another site, and on a public address no control without a password.

A page that a developer has open can send requests to the developer's own machine, and could read the replies under a
DNS name that it controls.
"""

from __future__ import annotations

import base64
import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

USER = "sandbox"


class Access:
    """The application behind three checks: of the requested host, of the origin, and of the password.

    :param host: what the server was started with; on a loopback address, the names of this machine are allowed as well.
    :param address: the IP address to which that host was bound.
    :param control: the path of the control API.
    :param password: of the control API, by HTTP Basic with the user ``sandbox``; None for no password.
    """

    def __init__(self, app: ASGIApp, host: str, address: str, control: str, password: str | None) -> None:
        self._app, self._control = app, control
        self._hosts = {host.lower(), address, "localhost", "127.0.0.1", "::1"} if is_loopback(address) else None
        wanted = base64.b64encode(f"{USER}:{password}".encode()).decode()
        self._authorization = None if password is None else f"Basic {wanted}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it to the application."""
        refused = self._refused(scope["path"], Headers(scope=scope)) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, path: str, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if self._hosts is not None and _hostname(f"//{host}") not in self._hosts:
            return PlainTextResponse("The sandbox is on this machine, and another host was asked for.", 421)
        if not path.startswith(f"{self._control}/"):
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return PlainTextResponse("Pages of another site may not control the sandbox.", 403)
        sent = headers.get("authorization", "").encode()
        if self._authorization is not None and not hmac.compare_digest(sent, self._authorization):
            question = {"www-authenticate": 'Basic realm="Segments sandbox"'}
            return PlainTextResponse("The control password is missing or wrong.", 401, question)
        return None


def is_loopback(address: str) -> bool:
    """Return whether only this machine can reach an IP address."""
    return ip_address(address).is_loopback


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
