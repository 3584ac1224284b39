"""The interface between the sync engine and one segment of a vendor."""

from __future__ import annotations

import ipaddress
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from airflow_segments_provider.sources.ids import as_is
from airflow_segments_provider.sources.look_up import LookUp

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
    :param name: and the ID of the Airflow ``connection``: for messages only.
    """

    vendor: str
    base_url: str
    system: str
    segment: str
    name: str = field(default="", compare=False)
    connection: str = field(default="", compare=False)

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
        new = "" if self.segment else "a new "
        return f"{new}{segment_title(self.vendor, self.segment, self.name, self.connection)}"


def segment_title(vendor: str, segment: str, name: str, connection: str) -> str:
    """Return how messages name a segment: by its name where it is known, else by its ID; and the connection."""
    shown = repr(name) if name else segment
    return f"{vendor} segment {shown}".rstrip() + (f" (connection {connection!r})" if connection else "")


@dataclass(frozen=True)
class Limits:
    """The limits of a request.

    :param adds: IDs in a batch that adds; ``removes``: in one that removes. A batch is acknowledged as a whole.
    :param max_length: characters in an ID, or in a value that identifies a user.
    :param request_timeout: how long after its check the last try of a batch may be sent, token renewal, the retry after
        a 401 and rate limiting included.
    :param per_minute: requests a minute, where a rate is known.
    :param one_by_one: the kinds of changes that take a request for each user; a batch then has several requests.
    :param together: each request writes the whole list of members, so one adds and removes, see :meth:`Target.change`,
        and a late one would undo later changes.
    :param reads: requests that come before each change, such as a look at the current members.
    :param listing: the requests of one list of ``n`` members; see :meth:`Target.members`.
    """

    adds: int
    removes: int
    max_length: int
    request_timeout: timedelta = timedelta(minutes=5)
    per_minute: float | None = None
    one_by_one: frozenset[Literal["add", "remove"]] = frozenset()
    together: bool = False
    reads: int = 0
    listing: Callable[[int], int] = field(default=lambda members: 1)

    def requests(self, kind: Literal["add", "remove"], users: int) -> int:
        """Return how many requests a change of so many users takes."""
        if kind in self.one_by_one:
            return users
        return -(-users // (self.adds if kind == "add" else self.removes)) * (1 + self.reads)


@dataclass(frozen=True)
class Applied:
    """The outcome of a request that the vendor acknowledged.

    :param rejected: the IDs that it did not accept, each with the vendor's reason.
    :param in_doubt: an earlier try was sent and its response lost, or the vendor continues in the background: the
        change may be carried out later.
    :param background: the vendor continues in the background.
    """

    rejected: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_doubt: bool = False
    background: bool = False


Normalise = Callable[[Sequence[str]], Sequence[str]]


class Target(ABC):
    """One segment at one vendor.

    IDs are the vendor's own, already normalised. A call returns when the vendor has acknowledged it.

    ``add`` and ``remove`` raise :class:`~airflow_segments_provider.errors.RejectedRequest` where the vendor rejects the
    batch as a whole and changed nothing: the engine then halves it down to the bad IDs. Any other
    :class:`~airflow_segments_provider.errors.VendorError` ends the run; its ``maybe_done`` is True where the batch
    may still be carried out. ``in_doubt`` of a rejection is True where an earlier try may still be carried out.

    Reading an attribute sends no request.

    :ivar limits: the limits of a request.
    :ivar before_try: set by the engine; call it right before each try of a request that changes members. It raises
        where the request must not be sent any more: let the error pass.
    :ivar normalise: returns trimmed IDs as the vendor compares them: same order, same number.
    :ivar identity_keys: the same for identities.
    :ivar lists: :meth:`members` is supported.
    :ivar whole_numbers: the vendor's IDs are whole numbers.
    :ivar identity: what identifies the users of a source: ``id``, or what :meth:`look_up` accepts.
    :ivar shows: what :meth:`members` yields: the vendor's IDs, or identities.
    :ivar replaces: :meth:`replace` is supported, where members are not listed.
    :ivar ours: only this package can have added members, by the vendor's data or after :meth:`make`.
    :ivar made_as: the name that identifies a segment of :meth:`make` in its system; empty where none is created.
    """

    limits: Limits
    before_try: Callable[[], None]
    normalise: Normalise = staticmethod(as_is)
    identity_keys: Normalise = staticmethod(as_is)
    lists: bool = False
    whole_numbers: bool = False
    identity: str = "id"
    shows: Literal["id", "identity"] = "id"
    replaces: bool = False
    ours: bool = False
    made_as: str = ""

    @property
    def names(self) -> Mapping[str, Any]:
        """What the result of a task has besides counts, such as the segment's ID; used after :meth:`key`."""
        return {}

    @property
    def url(self) -> str:
        """The page of the segment or its vendor, for a link; empty for none."""
        return ""

    @property
    def where(self) -> str:
        """A sentence that names the connection, for the end of messages; empty for none."""
        return ""

    def check_writable(self) -> None:  # noqa: B027  # a target need not have it
        """Raise an error where the connection must not be used to write; no call."""

    def stop(self) -> None:  # noqa: B027  # nor this
        """Prevent further requests; called in a signal handler."""

    @abstractmethod
    def key(self) -> SegmentKey:
        """Look the segment up; the key has no ID where :meth:`make` is to create it.

        :raises NotFound: it does not exist, and is not to be created.
        """

    def make(self) -> None:
        """Create the segment that :meth:`key` did not find, without members; from then on ``key`` returns its ID."""
        raise NotImplementedError

    @abstractmethod
    def add(self, ids: Sequence[str]) -> Applied:
        """Add users; one who is a member already is not an error."""

    @abstractmethod
    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users; one who is not a member is not an error."""

    def change(self, add: Sequence[str], remove: Sequence[str]) -> Applied:
        """Add and remove users in one request, where ``limits.together`` is set."""
        raise NotImplementedError

    def replace(self, ids: Sequence[str]) -> Applied:
        """Make these the only members, in one request that is never sent twice: a late one would undo later changes.

        Only called where the target does not list members.
        """
        raise NotImplementedError

    def members(self) -> Iterator[Sequence[str]]:
        """Yield the members by page, see ``shows``; some may be missing if the segment changes meanwhile.

        An identity is empty where a member has none.
        """
        raise NotImplementedError

    def look_up(self, users: int) -> AbstractContextManager[LookUp]:
        """Return a function that finds the vendor's IDs of users by their identity.

        :param users: how many will be looked up in all.
        """
        raise NotImplementedError


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
