"""What the targets of all vendors share: the segment as a DAG names it, and its target with the vendor's hook."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow_segments_provider.errors import InvalidInput, NotFound
from airflow_segments_provider.sources.ids import as_is
from airflow_segments_provider.sync.target import Applied, Normalise, SegmentKey, Target

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow_segments_provider.errors import VendorError
    from airflow_segments_provider.sources.look_up import LookUp
    from airflow_segments_provider.vendors.base.api import Changes


class Segment:
    """A segment or group as a DAG names it. Its fields are templates, and its text is the same in every process.

    :cvar vendor: as in an address or a dict.
    :cvar parts: the arguments that are the host and the path of an address.
    :cvar identities: what ``identity`` may be.
    :cvar normalise: returns equal texts for all spellings of an ID or an identity, any of which erases the user from
        a ledger.
    """

    template_fields: Sequence[str] = ()
    vendor: ClassVar[str]
    parts: ClassVar[tuple[str, str]]
    identities: ClassVar[Sequence[str]] = ("id",)
    normalise: Normalise = staticmethod(as_is)
    name: str | None
    create: bool
    identity: str = "id"

    def __repr__(self) -> str:
        """Return the fields that are set, without users."""
        fields = {name: getattr(self, name) for name in (*self.template_fields, "create")}
        shown = (f"{name}={value!r}" for name, value in fields.items() if value and (name, value) != ("identity", "id"))
        return f"{type(self).__name__}({', '.join(shown)})"

    __str__ = __repr__

    def open(self) -> Target:
        """Return the target that the sync engine uses."""
        raise NotImplementedError

    def trimmed(self) -> Self:
        """Return a copy without the spaces that a template may leave; what renders to nothing counts as absent.

        :raises InvalidInput: ``identity`` is not one of the vendor's.
        """
        trimmed = copy.copy(self)
        for name in self.template_fields:
            value = getattr(self, name)
            if type(value) is int:  # as another task may return it
                value = str(value)
            if isinstance(value, str):
                setattr(trimmed, name, value.strip() or None)
        trimmed.identity = trimmed.identity or "id"
        if trimmed.identity not in self.identities:
            known = ", ".join(f"`{identity}`" for identity in self.identities)
            raise InvalidInput(f"The target {self}", [f"`identity` must be one of {known}."])
        return trimmed


class SegmentTarget(Target):
    """The :class:`~airflow_segments_provider.sync.target.Target` of a segment, with the vendor's hook.

    :ivar spec: the segment as the DAG names it, trimmed.
    :ivar system: the part of the account that has the segment.
    :ivar title: the segment's name, where :meth:`find` has read it.
    :cvar noun: the vendor's noun, in messages.
    """

    spec: Segment
    hook: Any
    noun: ClassVar[str]
    system = ""
    title: str | None = None

    def find(self) -> str | None:
        """Return the vendor's ID of the segment, or None where there is none of that name."""
        raise NotImplementedError

    def create(self, name: str) -> tuple[str, bool]:
        """Create the segment without members, once; return its ID, and whether it is new."""
        raise NotImplementedError

    @cached_property
    def segment_id(self) -> str:
        """The vendor's ID of the segment; empty where it is still to be created."""
        found = self.find()
        if found is None and not (self.spec.create and self.spec.name):
            raise NotFound(
                f"{self.hook.hook_name} has no such {self.noun} ({self.spec}); nothing was changed. Create it first, "
                "or set `create=True` and a name.",
                vendor=self.hook.hook_name,
            )
        return found or ""

    def key(self) -> SegmentKey:
        """Return the key of the segment."""
        url, segment = self.hook.client.base_url, self.segment_id
        name = self.title or self.spec.name or ""
        return SegmentKey(self.spec.vendor, url, self.system, segment, name, self.hook.conn_id)

    def make(self) -> None:
        """Create the segment."""
        self.segment_id, self.ours = self.create(str(self.spec.name))

    @property
    def made_as(self) -> str:  # type: ignore[override]
        """The name by which the segment is created."""
        return str(self.spec.name) if self.spec.create and self.spec.name else ""

    @property
    def identity(self) -> str:  # type: ignore[override]
        """What identifies the users of a source."""
        return self.spec.identity

    @property
    def url(self) -> str:
        """The page that the operator links to: that of the segment, once its ID is known."""
        segment_id = self.__dict__.get("segment_id")
        return str(self.hook.segment_url(segment_id) if segment_id else self.hook.ui_url)

    @property
    def where(self) -> str:
        """The sentence that names the connection."""
        return f"The Airflow connection is {self.hook.conn_id!r}."

    def check_writable(self) -> None:
        """Check that the connection is not read-only.

        :raises ConfigurationError: it is.
        """
        self.hook.client.check_writable(f"The sync of {self.spec}")

    def stop(self) -> None:
        """Prevent further requests."""
        self.hook.stop()

    @property
    def before_try(self) -> Callable[[], None]:
        """The check before each try of a request, look-ups included; it raises to prevent the request."""
        check: Callable[[], None] = self.hook.client.before_try
        return check

    @before_try.setter
    def before_try(self, check: Callable[[], None]) -> None:
        self.hook.client.before_try = check

    def look_up(self, users: int) -> AbstractContextManager[LookUp]:
        """Return a function that finds the vendor's IDs of users by their identity."""
        look: AbstractContextManager[LookUp] = self.hook.user_rules().look_up(self.identity, users)
        return look

    def longest_try(self, *, requests: int = 1) -> timedelta:
        """Return how long after its check the last try of a batch may be sent.

        :param requests: of one batch.
        """
        fields = self.hook.fields
        paced = 60 * requests / fields.rate_limit if fields.rate_limit else 0.0
        return timedelta(seconds=fields.retry.max_total + 10 * fields.timeout + paced)


def applied(changes: Changes) -> Applied:
    """Return the outcome of changes of single users.

    :raises VendorError: some failed; others may be done.
    """
    error: VendorError | None = changes.error
    if error is not None:
        error.in_doubt = error.in_doubt or changes.in_doubt
        error.maybe_done = error.maybe_done or changes.in_doubt or bool(changes.done)
        raise error
    return Applied(in_doubt=changes.in_doubt)
