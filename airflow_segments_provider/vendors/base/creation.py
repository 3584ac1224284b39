"""The creation of a segment or group exactly once, also if a response is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from airflow_segments_provider.errors import Conflict, InvalidInput, UnexpectedReply, VendorError, VendorUnavailable
from airflow_segments_provider.http import HttpClient, Response
from airflow_segments_provider.http.retry import RETRIED_STATUSES
from airflow_segments_provider.sources.limits import breach_of_removals

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.base.api import VendorApi
    from airflow_segments_provider.vendors.base.parameters import ReplaceParameters


logger = logging.getLogger(__name__)

Found = TypeVar("Found")
Ref = TypeVar("Ref")
Change = TypeVar("Change")


@dataclass(frozen=True)
class Created(Generic[Found]):
    """The result of a create: its response, or the segment or group that was found instead.

    :param ours: it was found after a lost response, so that request most likely created it.
    """

    response: Response | None = None
    found: Found | None = None
    ours: bool = False


def check_removals(subject: str, limits: ReplaceParameters, *, users: int, members: int, removed: int) -> None:
    """Refuse to remove too many members: the list of users may be short or empty by mistake.

    :param subject: the segment or group, at the beginning of a message.
    :param users: the number of members after the change.
    :param members: the number of members now.
    :param removed: how many of them would be removed.
    :raises InvalidInput: the limits do not allow it; nothing was changed.
    """
    if not members:
        return
    if not users:
        if not limits.allow_empty:
            raise InvalidInput(
                f"The update of {subject}, which exists and has members,",
                ["`user_ids` has no user, so all of them would be removed. If that is meant, use `allow_empty=True`."],
            )
    elif breach := breach_of_removals(removed, members, limits.max_removed_fraction):
        raise InvalidInput(
            f"The update of {subject}, which exists,",
            [f"{breach}. Correct the source, or raise the limit if that is meant."],
        )


def create_once(
    client: HttpClient,
    post: Callable[[], Response],
    look: Callable[[], Found | None],
    *,
    what: str,
    key: str,
    unsent: str,
    unique: bool = True,
) -> Created[Found]:
    """Create it; if the outcome of a request is unknown, look before the next one.

    :param post: sends the create once; see ``idempotent`` of :meth:`HttpClient.request`.
    :param look: looks for the segment or group. A ``Conflict`` that it raises is final.
    :param what: the segment or group, for messages, e.g. ``"segment 'Trial users'"``.
    :param key: the field that must be unique, for the message of a 409 where the list has no such entry.
    :param unsent: the hint of an error after which it certainly does not exist.
    :param unique: the vendor, or a list without lag, prevents a second one. Otherwise a create whose response was lost
        is not sent again: Airflow's own retry comes later, and looks first.
    :raises VendorError: the error of ``post``, with a hint about its effect.
    """
    undecided = f"Whether {what} was created is not known. Run the task again: it looks first."
    in_doubt, began = False, time.monotonic()
    for attempt in range(1, client.retry.max_attempts + 1):
        try:
            return Created(response=post())
        except VendorError as error:
            if isinstance(error, Conflict):
                found = _look_after(error, lambda: poll_until_found(client, look), undecided)
            elif error.maybe_done:
                in_doubt = True
                found = _look_after(error, look, undecided)
            else:
                raise error.add_hint(undecided if in_doubt else unsent) from None
            if found is not None:
                return Created(found=found, ours=in_doubt)
            asked = error.retry_after or 0.0
            wait = max(client.retry.delay(attempt), asked)
            if in_doubt and not unique:
                raise error.add_hint(undecided) from None
            late = asked > client.retry.retry_after_cap or time.monotonic() - began + wait > client.retry.max_total
            if attempt == client.retry.max_attempts or late or not _is_transient(error):
                raise _final_error(error, what, key) from None
            client.sleep(wait)
    raise AssertionError("unreachable: the last attempt returns or raises")


def poll_until_found(client: HttpClient, look: Callable[[], Found | None]) -> Found | None:
    """Look several times, as the vendor's list may lag."""
    for attempt in range(1, client.retry.max_attempts + 1):
        found = look()
        if found is not None:
            return found
        if attempt < client.retry.max_attempts:
            client.sleep(client.retry.delay(attempt))
    return None


def _look_after(error: VendorError, look: Callable[[], Found | None], undecided: str) -> Found | None:
    try:
        return look()
    except Conflict:
        raise
    except VendorError as failure:
        raise error.add_hint(f"{undecided} The list could not be read: {failure}") from None


def _final_error(error: VendorError, what: str, key: str) -> VendorError:
    if isinstance(error, Conflict):
        unlisted = UnexpectedReply(
            f"{error.vendor} answered {error.method} {error.path} with status 409: {key} is in use, but it lists no "
            "such thing. Its list may lag, so run the task again in some minutes; if it stays so, choose another.",
            status=409,
            vendor=error.vendor,
            method=error.method,
            path=error.path,
            request_id=error.request_id,
        )
        unlisted.hints += error.hints
        return unlisted
    return error.add_hint(f"{error.vendor} does not list {what} now. Run the task again: it looks first.")


def _is_transient(error: VendorError) -> bool:
    """Return whether the same request may succeed later."""
    return isinstance(error, VendorUnavailable) and (error.status is None or error.status in RETRIED_STATUSES)


class Creation(Generic[Found, Ref, Change]):
    """The creation of a segment or group: look, create it if it is missing, look again if in doubt, add the users.

    :cvar noun: the vendor's noun, in messages.
    :cvar unique: see :func:`create_once`.
    """

    noun: ClassVar[str]
    unique: ClassVar[bool] = False

    api: VendorApi

    def __init__(self, api: Any, name: str, if_exists: str) -> None:
        self.api = api
        self._name = name
        self._if_exists = if_exists

    def look(self) -> Found | None:
        """Return the one that exists."""
        raise NotImplementedError

    def post(self) -> Response:
        """Send the creation once."""
        raise NotImplementedError

    def ref_of(self, found: Found) -> Ref:
        """Return the reference of the one that exists."""
        raise NotImplementedError

    def ref_in(self, created: Response) -> Ref | None:
        """Return the reference of the new one, or None if the response lacks it."""
        raise NotImplementedError

    def id_of(self, ref: Ref) -> object:
        """Return the ID, for messages."""
        return ref

    def before_creation(self) -> None:
        """Check what only a creation needs."""

    def check_use(self, existing: Found) -> None:
        """Check that the one that exists can be used."""

    def created(self, ref: Ref) -> Change:
        """Complete the new one, and return the result."""
        raise NotImplementedError

    def reused(self, existing: Found) -> Change:
        """Add the users to the one that exists."""
        raise NotImplementedError

    def updated(self, existing: Found) -> Change:
        """Change the one that exists to what the parameters say, members included."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """Return the noun and the name."""
        return f"{self.noun} {self._name!r}"

    @property
    def key(self) -> str:
        """Return the field that must be unique, for messages."""
        return f"the name {self._name!r}"

    def run(self) -> Change:
        """Create it, or use the one that exists.

        :raises Conflict: it exists in a way that ``if_exists`` does not allow.
        """
        existing = self.look()
        if existing is not None:
            return self._use(existing)
        self.before_creation()
        result = create_once(
            self.api.client,
            self.post,
            self.look,
            what=self.subject,
            key=self.key,
            unsent=f"{self._sentence} was not created, and no user was added.",
            unique=self.unique,
        )
        if result.response is not None:
            ref = self.ref_in(result.response)
            ref = self._listed_ref(result.response) if ref is None else ref
        elif result.found is not None and result.ours:
            ref = self.ref_of(result.found)
        elif result.found is not None:
            return self._use(result.found)
        else:
            raise AssertionError("a creation has a response, or something was found")
        logger.info("%s created (%s).", self._sentence, self.id_of(ref))
        return self.created(ref)

    def _use(self, existing: Found) -> Change:
        if self._if_exists == "fail":
            raise self.taken(existing)
        self.check_use(existing)
        logger.info("%s exists (%s).", self._sentence, self.id_of(self.ref_of(existing)))
        return self.reused(existing) if self._if_exists == "reuse" else self.updated(existing)

    def taken(self, existing: Found) -> Conflict:
        """Return the error of a name that is in use."""
        return Conflict(
            f"{self._sentence} exists ({self.id_of(self.ref_of(existing))}) and nothing was changed. If an earlier try "
            f'of this task made it, if_exists="reuse" goes on from there. {self.api.where}',
            vendor=self.api.vendor,
        )

    @property
    def _sentence(self) -> str:
        return f"{self.subject[:1].upper()}{self.subject[1:]}"

    def _listed_ref(self, created: Response) -> Ref:
        """Find the new one in the list."""
        said = f"{self.api.vendor} answered {created.call} with status {created.status}"
        try:
            found = poll_until_found(self.api.client, self.look)
        except VendorError as error:
            error.maybe_done = True
            unclear = f"{said}, so {self.subject} may exist now. Run the task again: it looks first."
            raise error.add_hint(unclear) from None
        if found is None:
            raise UnexpectedReply(
                f"{said}, but neither the response nor the list has the ID of {self.subject}. Run the task again in "
                f"some minutes: it looks first. {self.api.where}",
                maybe_done=True,
                **created.context,
            )
        return self.ref_of(found)
