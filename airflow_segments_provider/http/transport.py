"""One request: a pooled session, time-outs, TLS, proxies, redirects, and network errors."""

from __future__ import annotations

import ipaddress
import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urljoin, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError
from urllib3.util import parse_url

from airflow_segments_provider import __version__
from airflow_segments_provider.errors import ConfigurationError, UnexpectedReply, VendorUnavailable
from airflow_segments_provider.http.response import Call, request_id
from airflow_segments_provider.http.wire import (
    ACCEPTED,
    Adapter,
    HandshakeFailed,
    TooSlow,
    UnknownEncoding,
    decoded,
    unlogged,
)

logger = logging.getLogger(__name__)

USER_AGENT = f"airflow-provider-segments/{__version__}"
MAX_BODY = 64 * 1024 * 1024
# The limits of an error's body, which only a message quotes, and of a body that is written to a file.
MAX_ERROR = 1024 * 1024
MAX_FILE = 1024 * 1024 * 1024
MAX_REDIRECTS = 3

# The methods that a read-only client sends, and that follow redirects. Every endpoint that only reads is called by GET.
READS = frozenset({"GET", "HEAD"})

_PORTS = {"http": 80, "https": 443}
# The characters that all URL parsers treat alike: no space, no control character, no backslash.
_PLAIN = re.compile(r"[!-\[\]-~]+")
# The texts of OpenSSL's errors, old and new, where a response to a handshake is not TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer failure")
_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


@dataclass(frozen=True)
class TransportSettings:
    """How a connection's requests travel.

    :param connect_timeout: seconds to reach the host.
    :param read_timeout: seconds between two bytes of a response; a response may take ten times that in all.
    :param verify: True, False, or the path of a CA bundle.
    :param proxies: by scheme, as requests takes them; empty means those of the environment.
    :param pool_size: open connections kept.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    pool_size: int = 4

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords of proxies, percent-encoded and decoded."""
        found: list[str] = []
        for proxy in self.proxies.values():
            with suppress(ValueError):  # not an address; the request will fail on it
                password = urlsplit(proxy).password or ""
                found += [password, unquote(password)]
        return tuple(filter(None, found))


@dataclass(frozen=True)
class Answer:
    """A response before parsing."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Authorization(AuthBase):
    """The Authorization header, or none; without an auth object, requests would send a netrc entry."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Set the header of a request; requests calls this for each."""
        if self._value:
            request.headers["Authorization"] = self._value
        return request


def check_base_url(url: str) -> str:
    """Check a base URL, and return it without a slash at its end.

    :raises ConfigurationError: it is not http(s), holds credentials, a query or a fragment, or is plain http to
        another machine.
    """
    # Searched as characters: a parser drops an empty query or user, and a final "?" would make each path a query.
    if any(mark in url for mark in "@?#"):
        raise ConfigurationError("the host must not hold credentials, a query or a fragment")
    try:
        scheme, host, _ = origin_of(url)
    except ValueError:
        raise ConfigurationError(
            "the host must be an http(s) address in ASCII without spaces, such as https://api.example.com"
        ) from None
    if scheme == "http" and not _is_loopback(host):
        raise ConfigurationError(f"the host {host} must be called by https, plain http is for loopback only")
    return url.rstrip("/")


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL, as urllib3 reads them to open the connection.

    :raises ValueError: it is not an http(s) URL, or two parsers could read it differently. The text does not quote it.
    """
    parsed = None
    if _PLAIN.fullmatch(url):
        with suppress(ValueError, HTTPError):
            parts, other = parse_url(url), urlsplit(url)
            # requests chooses the connection by one parser and writes the request line by the other.
            if (parts.host or "").strip("[]") == other.hostname and parts.port == other.port and parts.auth is None:
                parsed = parts
    if parsed is None or not parsed.host or parsed.scheme not in _PORTS or parsed.port == 0:
        raise ValueError("not an http(s) address")
    return parsed.scheme, parsed.host.strip("[]"), parsed.port or _PORTS[parsed.scheme]


def check_bundle(path: str) -> None:
    """Check that ``verify`` leads to certificates; requests would report a broken connection, and it would be retried.

    :raises ConfigurationError: no certificates can be read there.
    """
    try:
        is_directory = Path(path).is_dir()
        ssl.create_default_context(cafile=None if is_directory else path, capath=path if is_directory else None)
    except (OSError, ValueError):  # also a name that no file can have
        raise ConfigurationError("`verify` must be the path of CA certificates that can be read here") from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Session(requests.Session):
    """A session that ignores redirects: requests would read the whole body of each, and fail on a broken Location."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: :class:`Transport` follows redirects."""


class Transport:
    """A ``requests`` session that does not retry, stays on its host, and turns each failure into a typed error."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        if isinstance(settings.verify, str):
            check_bundle(settings.verify)
        self._session = _Session()
        adapter = Adapter(pool_connections=2, pool_maxsize=settings.pool_size, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.headers.update({"User-Agent": USER_AGENT})

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
        """Send once; a read follows redirects that stay on the same scheme, host and port.

        :param into: a file for the body of a 2xx response, overwritten from its start.
        :raises VendorUnavailable: no response, or only part of one.
        :raises UnexpectedReply: a redirect that is not followed, or a response that is too large.
        :raises ConfigurationError: the host's certificate is not trusted.
        """
        headers = {"Accept": "application/json" if into is None else "*/*", "Accept-Encoding": ACCEPTED}
        headers |= {"Content-Type": content_type} if content_type else {}
        for _ in range(MAX_REDIRECTS + 1):
            with unlogged(), closing(self._open(call, url, authorization, body, headers, query)) as response:
                answer = Answer(response.status_code, response.headers, self._read(call, response, into))
            logger.debug("%s answered %s with status %d.", call.vendor, call, answer.status)
            if not 300 <= answer.status < 400:
                return answer
            url, query = self._redirect(call, url, answer), None
        raise UnexpectedReply(f"{call.vendor} answered {call} with redirects that do not end.", **call.context)

    def _open(
        self,
        call: Call,
        url: str,
        authorization: str | None,
        body: bytes | None,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None,
    ) -> requests.Response:
        """Send, and read the response's headers."""
        try:
            return self._session.request(
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
            )
        except Exception as error:  # noqa: BLE001  # any error may quote the URL or a header
            failure = self._translate(call, url, error)
        # Raised outside of the handler, or the library's error, with its text, would be its context.
        raise failure

    def _read(self, call: Call, response: requests.Response, into: IO[bytes] | None) -> bytes:
        """Read the body: into the file if it is a 2xx, else into memory; of an error, the beginning."""
        succeeded = 200 <= response.status_code < 300
        if into is not None and succeeded:
            into.seek(0)
            into.truncate()
            for piece in self._pieces(call, response, MAX_FILE):
                into.write(piece)
            return b""
        body = bytearray()
        for piece in self._pieces(call, response, MAX_BODY):
            body += piece
            if not succeeded and len(body) > MAX_ERROR:
                break
        return bytes(body)

    def _pieces(self, call: Call, response: requests.Response, limit: int) -> Iterator[bytes]:
        """Yield the body.

        :raises UnexpectedReply: it is larger than ``limit``, or has a compression that was not requested.
        :raises VendorUnavailable: it breaks off, or takes too long.
        """
        pieces, size = decoded(response), 0
        context = {"status": response.status_code, "request_id": request_id(call, response.headers), **call.context}
        while True:
            failure: Exception | None = None
            piece = b""
            try:
                piece = next(pieces, b"")
            except UnknownEncoding:
                failure = UnexpectedReply(
                    f"{call.vendor} answered {call} in a compression that was not requested.",
                    maybe_done=True,
                    **context,
                )
            except Exception as error:  # noqa: BLE001  # as in _open
                failure = self._translate(call, response.url, error)
            if failure is not None:
                raise failure
            if not piece:
                return
            size += len(piece)
            if size > limit:
                raise UnexpectedReply(
                    f"{call.vendor} answered {call} with more than {limit >> 20} MiB.", maybe_done=True, **context
                )
            yield piece

    def _redirect(self, call: Call, url: str, answer: Answer) -> str:
        """Return the target of a redirect, if it may be followed."""
        context = {"status": answer.status, "request_id": request_id(call, answer.headers), **call.context}
        # 303: the request was carried out, and its result is elsewhere.
        context["maybe_done"] = answer.status == 303
        said = f"{call.vendor} answered {call} with a redirect"
        target = answer.headers.get("Location", "")
        origins = None
        if target and _PLAIN.fullmatch(target):
            with suppress(ValueError):
                target = urljoin(url, target)
                origins = origin_of(target), origin_of(url)
        if origins is None or target == url:
            raise UnexpectedReply(f"{said} ({answer.status}) that cannot be followed.", **context)
        if origins[0] != origins[1]:
            raise UnexpectedReply(
                f"{said} to another {_difference(call, *origins)}; it was not followed and nothing was sent there. "
                "Set the connection's host to the API's current address.",
                **context,
            )
        if call.method not in READS:
            raise UnexpectedReply(
                f"{said} ({answer.status}); it was not followed and nothing was sent there, because only "
                "reads follow a redirect. Set the connection to the final address.",
                **context,
            )
        return target

    def _translate(self, call: Call, url: str, error: Exception) -> VendorUnavailable | ConfigurationError:
        vendor = f"{call.vendor} ({_host(url)})"
        if _is_too_slow(error):
            return VendorUnavailable(f"{vendor} answered {call} too slowly.", maybe_done=True, **call.context)
        if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ConfigurationError(
                f"The certificate of {vendor} is not trusted, so nothing was sent. If the host uses a private "
                "certificate authority, set the connection's `verify` to the path of its CA bundle."
            )
        if "CA certificate bundle" in str(error):
            return ConfigurationError(f"{vendor} cannot be called: the CA bundle of REQUESTS_CA_BUNDLE is not there.")
        if isinstance(error, _BAD_ADDRESS):
            return ConfigurationError(f"{vendor} cannot be called: the host or a proxy is not a valid address.")
        what, maybe_done = self._reason(error, url)
        unknown = " Whether it was carried out is not known." if maybe_done and call.method != "GET" else ""
        return VendorUnavailable(
            f"{vendor} could not be reached by {call}: {what}.{unknown}", maybe_done=maybe_done, **call.context
        )

    def _reason(self, error: Exception, url: str) -> tuple[str, bool]:
        """Return why a request has no response, and whether the vendor may have carried it out."""
        cause = getattr(error.args[0], "reason", None) if error.args else None
        host = "the proxy" if isinstance(error, requests.exceptions.ProxyError) else "the host"
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return f"{host} did not accept a connection in {self._settings.connect_timeout:g} s", False
        if isinstance(cause, (NewConnectionError, NameResolutionError)):
            found = "has no known address" if isinstance(cause, NameResolutionError) else "refused the connection"
            return f"{host} {found}", False
        if isinstance(error, requests.exceptions.ProxyError):
            return "the proxy did not let it through", False
        if isinstance(cause, SSLError) and isinstance(cause.args[0], HandshakeFailed):
            if any(text in str(error) for text in _NO_TLS):
                return "the host did not answer with TLS, so it may be one for http, or the port may be wrong", False
            return "the TLS handshake failed", False
        if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
            return f"no response in {self._settings.read_timeout:g} s", True
        broke = "the connection broke before the response was complete"
        plain = isinstance(error, requests.exceptions.ConnectionError) and not url.startswith("https")
        return broke + ("; the host may require https" if plain else ""), True


def _host(url: str) -> str:
    """Return the host of a URL for a message, with its port unless that is the usual one."""
    try:
        scheme, host, port = origin_of(url)
    except ValueError:
        return "the host is not an address"
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def _is_too_slow(error: BaseException | None) -> bool:
    """Return whether the deadline caused the library's error."""
    while error is not None and not isinstance(error, TooSlow):
        error = error.__cause__ or error.__context__
    return error is not None


def _difference(call: Call, there: tuple[str, str, int], here: tuple[str, str, int]) -> str:
    """Return what differs between two origins, for a message."""
    parts = zip(("scheme", "host", "port"), there, here, strict=True)
    return " and ".join(f"{name} ({call.clean(str(new))})" for name, new, old in parts if new != old)
