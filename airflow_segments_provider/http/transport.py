"""One request over the wire: a pooled session, time-outs, TLS, proxies, redirects, and what can break on the way."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from airflow_segments_provider import __version__
from airflow_segments_provider.errors import ConfigurationError, UnexpectedReply, VendorUnavailable
from airflow_segments_provider.http.reply import Call, request_id

USER_AGENT = f"airflow-provider-segments/{__version__}"
MAX_BODY = 64 * 1024 * 1024
MAX_REDIRECTS = 3


@dataclass(frozen=True)
class TransportSettings:
    """How a connection's requests travel.

    :param connect_timeout: seconds to reach the host.
    :param read_timeout: seconds between two bytes of an answer; an answer may take ten times that in all.
    :param verify: True, False, or the path of a CA bundle.
    :param proxies: by scheme, as requests takes them; empty means those of the environment.
    :param pool_size: open connections kept.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    pool_size: int = 4


@dataclass(frozen=True)
class Answer:
    """What came back, unread."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Authorization(AuthBase):
    """Sets the header itself, or none: without an auth object, requests would put a netrc entry in its place."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests for each request."""
        if self._value:
            request.headers["Authorization"] = self._value
        return request


def check_base_url(url: str) -> str:
    """``url`` without a slash at its end.

    :raises ConfigurationError: it is not http(s), holds credentials, a query or a fragment, or is plain http to
        another machine.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") and parts.port != 0 else None
    except ValueError:  # half of an IPv6 address, a port that is no number
        parts, host = urlsplit(""), None
    if not host:
        raise ConfigurationError("the host must be an http(s) address, such as https://api.example.com")
    # Looked for as characters: an empty query or user would pass, and a "?" at the end would swallow every path.
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ConfigurationError("the host must not hold credentials, a query or a fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(f"the host {host} must be called by https, plain http is for loopback only")
    return url.rstrip("/")


def check_bundle(path: str) -> None:
    """Whether ``verify`` leads to certificates: requests would take it for a broken connection, each time anew.

    :raises ConfigurationError: it does not.
    """
    is_directory = Path(path).is_dir()
    try:
        ssl.create_default_context(cafile=None if is_directory else path, capath=path if is_directory else None)
    except OSError:
        raise ConfigurationError("`verify` must be the path of CA certificates that can be read here") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Session(requests.Session):
    """Leaves redirects alone: requests would read the body of each, however long, and trip over a broken Location."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


class Transport:
    """A ``requests`` session that never retries, never leaves its host, and turns each mishap into a typed error."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        if isinstance(settings.verify, str):
            check_bundle(settings.verify)
        self._session = _Session()
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=settings.pool_size, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json"})

    def close(self) -> None:
        """Close the pooled connections; the next request opens new ones."""
        self._session.close()

    def send(
        self,
        call: Call,
        url: str,
        *,
        authorization: str | None,
        body: bytes | None = None,
        content_type: str | None = None,
        query: Mapping[str, str] | None = None,
        into: IO[bytes] | None = None,
    ) -> Answer:
        """Send once, and follow redirects that stay on the same origin and keep the method.

        :param into: takes the body of a 2xx answer, from its start; nothing of it is held.
        :raises VendorUnavailable: no answer, or only part of one.
        :raises UnexpectedReply: a redirect that leads elsewhere, or an answer without end.
        :raises ConfigurationError: the host's certificate is not trusted.
        """
        headers = {"Content-Type": content_type} if content_type else {}
        if into is not None:
            headers["Accept"] = "*/*"
        for _ in range(MAX_REDIRECTS + 1):
            try:
                with self._session.request(
                    call.method,
                    url,
                    params=query,
                    data=body,
                    headers=headers,
                    auth=Authorization(authorization),
                    timeout=(self._settings.connect_timeout, self._settings.read_timeout),
                    verify=self._settings.verify,
                    proxies=dict(self._settings.proxies),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    answer = Answer(response.status_code, response.headers, self._read(call, response, into))
            except (requests.RequestException, HTTPError, OSError) as error:
                raise self._translate(call, error) from None
            if not 300 <= answer.status < 400:
                return answer
            url, query = self._redirect(call, url, answer), None
        raise UnexpectedReply(f"{call.vendor} answered {call} with redirects that do not end.", **call.facts)

    def _read(self, call: Call, response: requests.Response, into: IO[bytes] | None) -> bytes:
        if into is not None and 200 <= response.status_code < 300:
            return self._save(response, into)
        deadline = time.monotonic() + 10 * self._settings.read_timeout
        chunks, size = [], 0
        # read1 returns what has arrived; iter_content waits for a full chunk, so a slow drip outlives the deadline.
        while chunk := response.raw.read1(64 * 1024, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BODY:
                raise UnexpectedReply(
                    f"{call.vendor} answered {call} with more than {MAX_BODY >> 20} MiB.",
                    status=response.status_code,
                    request_id=request_id(response.headers),
                    maybe_done=True,
                    **call.facts,
                )
            if time.monotonic() > deadline:
                raise VendorUnavailable(f"{call.vendor} answered {call} too slowly.", maybe_done=True, **call.facts)
        return b"".join(chunks)

    def _save(self, response: requests.Response, into: IO[bytes]) -> bytes:
        into.seek(0)
        into.truncate()
        while chunk := response.raw.read1(64 * 1024, decode_content=True):
            into.write(chunk)
        return b""

    def _redirect(self, call: Call, url: str, answer: Answer) -> str:
        try:
            target = urljoin(url, answer.headers.get("Location", ""))
            origin = _origin(target)
        except ValueError:
            target, origin = url, _origin(url)
        facts = {"status": answer.status, "request_id": request_id(answer.headers), **call.facts}
        # 303: what was asked for has been done, and its result is elsewhere.
        facts["maybe_done"] = answer.status == 303
        if origin != _origin(url):
            raise UnexpectedReply(
                f"{call.vendor} answered {call} with a redirect to another host ({origin[1]}); "
                "it was not followed and nothing was sent there. Set the connection's host to where the API lives now.",
                **facts,
            )
        if target == url or not (call.method == "GET" or answer.status in (307, 308)):
            raise UnexpectedReply(
                f"{call.vendor} answered {call} with a redirect ({answer.status}) that cannot be followed.",
                **facts,
            )
        return target

    def _translate(self, call: Call, error: Exception) -> VendorUnavailable | ConfigurationError:
        cause = getattr(error.args[0], "reason", None) if error.args else None
        host = "the proxy" if isinstance(error, requests.exceptions.ProxyError) else "the host"
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ConfigurationError(
                f"{call.vendor}'s certificate is not trusted, so nothing was sent. If the host uses a private "
                "certificate authority, set the connection's `verify` to the path of its CA bundle."
            )
        if "CA certificate bundle" in str(error):
            return ConfigurationError(
                f"{call.vendor} cannot be called: the CA bundle of REQUESTS_CA_BUNDLE is not there."
            )
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, ValueError)):
            return ConfigurationError(f"{call.vendor} cannot be called: the host or a proxy is not a valid address.")
        if isinstance(error, requests.exceptions.ConnectTimeout):
            what, maybe_done = f"{host} did not accept a connection in {self._settings.connect_timeout:g} s", False
        elif isinstance(cause, (NewConnectionError, NameResolutionError)):
            found = "has no known address" if isinstance(cause, NameResolutionError) else "refused the connection"
            what, maybe_done = f"{host} {found}", False
        elif isinstance(error, requests.exceptions.ProxyError):
            what, maybe_done = "the proxy did not let it through", False
        elif isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
            what, maybe_done = f"no answer in {self._settings.read_timeout:g} s", True
        else:
            what, maybe_done = "the connection broke before the answer was complete", True
        unknown = " Whether it was carried out is not known." if maybe_done and call.method != "GET" else ""
        return VendorUnavailable(
            f"{call.vendor} could not be reached by {call}: {what}.{unknown}", maybe_done=maybe_done, **call.facts
        )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
