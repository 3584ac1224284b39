"""The interface between the sync engine and one segment of a vendor."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from urllib.parse import quote, urlsplit

NO_SYSTEM = "-"
DEFAULT_PORTS = {"http": 80, "https": 443}
_END = re.compile(r"[\s/]+\Z")
_SPACE = re.compile(r"\s")
# Letters that the older and the newer standard of international host names encode differently.
_ENCODED_IN_TWO_WAYS = frozenset("\u00df\u03c2\u200c\u200d")


@dataclass(frozen=True)
class SegmentKey:
    """The identity of a segment, without names and connection IDs, which may change.

    All ways to write the same segment make equal keys, and only equal keys have the same folder.

    :param vendor: e.g. ``walkme``.
    :param base_url: of the API; ``https`` where it has no scheme.
    :param system: the part of the account that has the segment, or an empty text.
    :param segment: the vendor's own ID; empty for one that does not exist yet.
    """

    vendor: str
    base_url: str
    system: str
    segment: str

    def __post_init__(self) -> None:
        system = self.system.strip()
        object.__setattr__(self, "vendor", self.vendor.strip().lower())
        object.__setattr__(self, "base_url", _canonical_url(self.base_url))
        object.__setattr__(self, "system", "" if system == NO_SYSTEM else system)
        object.__setattr__(self, "segment", self.segment.strip())

    @property
    def folder(self) -> str:
        """The folder of its ledger, below the ledger path."""
        parts = (self.vendor, self.base_url.removeprefix("https://"), self.system or NO_SYSTEM, self.segment)
        return "/".join(map(_folder_name, parts))

    def __str__(self) -> str:
        return f"{self.vendor} segment {self.segment}" if self.segment else f"a new {self.vendor} segment"


@dataclass(frozen=True)
class Limits:
    """The limits of a request.

    :param adds: IDs in a request that adds; ``removes``: in one that removes.
    :param max_length: characters in an ID.
    :param request_timeout: how long after its check the last try of a batch may be sent, token renewal, the retry after
        a 401 and rate limiting included.
    :param per_minute: requests a minute, where a rate is known.
    """

    adds: int
    removes: int
    max_length: int
    request_timeout: timedelta = timedelta(minutes=5)
    per_minute: float | None = None


@dataclass(frozen=True)
class Applied:
    """The outcome of a request that the vendor acknowledged.

    :param rejected: the IDs that it did not accept, each with the vendor's reason.
    :param in_doubt: an earlier try was sent and its response lost: it may be carried out later.
    """

    rejected: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_doubt: bool = False


class Target(Protocol):
    """One segment at one vendor.

    IDs are the vendor's own, already normalised. A call returns when the vendor has acknowledged it.

    ``add`` and ``remove`` raise :class:`~airflow_segments_provider.errors.RejectedRequest` where the vendor rejects the
    batch as a whole and changed nothing: the engine then halves it down to the bad IDs. Any other
    :class:`~airflow_segments_provider.errors.VendorError` ends the run; its ``maybe_done`` is True where the batch
    may still be carried out.

    :ivar before_try: set by the engine; call it right before each try of a request that changes members. It raises
        where the request must not be sent any more: let the error pass.
    """

    before_try: Callable[[], None]

    @property
    def limits(self) -> Limits:
        """The limits of a request; no call."""

    @property
    def lists(self) -> bool:
        """Whether :meth:`members` is supported; no call."""

    @property
    def ours(self) -> bool:
        """Whether only this package can have added members, by the vendor's data or after :meth:`make`."""

    @property
    def made_as(self) -> str:
        """The name that identifies a segment of :meth:`make` in its system; empty where none is created. No call."""

    def key(self) -> SegmentKey:
        """Look the segment up; the key has no ID where :meth:`make` is to create it.

        :raises NotFound: it does not exist, and is not to be created.
        """

    def make(self) -> None:
        """Create the segment that :meth:`key` did not find, without members; from then on ``key`` returns its ID."""

    def normalise(self, ids: Sequence[str]) -> Sequence[str]:
        """Return trimmed IDs as the vendor compares them: same order, same number."""

    def add(self, ids: Sequence[str]) -> Applied:
        """Add users; one who is a member already is not an error."""

    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users; one who is not a member is not an error."""

    def replace(self, ids: Sequence[str]) -> Applied:
        """Make these the only members, in one request that is never sent twice: a late one would undo later changes.

        Only called where the target does not list members.
        """

    def members(self) -> Iterator[Sequence[str]]:
        """Yield the normalised members by page; some may be missing if the segment changes meanwhile."""


def _folder_name(part: str) -> str:
    """Return one folder's name, also for what would lead to another folder."""
    return quote(part, safe="") if part.strip(".") or not part else part.replace(".", "%2E")


def _canonical_url(url: str) -> str:
    """Return the one way to write a base URL; the case of its path counts."""
    text = _END.sub("", url.strip())
    if not text:
        return ""
    text = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = _canonical_host(parts.hostname or ""), parts.port
    except ValueError:  # half of an IPv6 address, a port that is not a number
        return text
    if not host or _SPACE.search(host) or parts.query or parts.fragment:
        return text
    user = parts.netloc.rpartition("@")[0]
    netloc = f"{user}@{host}" if user else host
    if port is not None and port != DEFAULT_PORTS.get(parts.scheme):
        netloc = f"{netloc}:{port}"
    return parts._replace(netloc=netloc, path=_END.sub("", parts.path)).geturl()


def _canonical_host(host: str) -> str:
    if ":" in host:
        return f"[{ipaddress.ip_address(host)}]"
    if not host.isascii() and _ENCODED_IN_TWO_WAYS.isdisjoint(host):
        with suppress(UnicodeError):
            host = host.encode("idna").decode()
    return host.rstrip(".")
