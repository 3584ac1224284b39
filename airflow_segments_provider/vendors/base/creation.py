"""Creating something at a vendor so that creating twice makes one, whatever answer gets lost on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from airflow_segments_provider.errors import Conflict, InvalidInput, UnexpectedReply, VendorError, VendorUnavailable
from airflow_segments_provider.http import HttpClient, Reply
from airflow_segments_provider.http.retry import RETRIED_STATUSES
from airflow_segments_provider.sources.limits import breach_of_removals

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.base.parameters import ExactMembers


Found = TypeVar("Found")


@dataclass(frozen=True)
class Creation(Generic[Found]):
    """What came of a create: the answer to it, or what was found instead.

    :param ours: it was found after a request of ours whose answer was lost, so it most likely is its work.
    """

    reply: Reply | None = None
    found: Found | None = None
    ours: bool = False


def check_removals(subject: str, limits: ExactMembers, *, users: int, members: int, removed: int) -> None:
    """Refuse to remove too many members of what exists because a list turned out short or empty.

    :param subject: the thing, as the start of a sentence.
    :param users: how many there are to be.
    :param members: how many there are.
    :param removed: how many of them are no such users.
    :raises InvalidInput: they are more than the limits allow; nothing was changed.
    """
    if not members:
        return
    if not users:
        if not limits.allow_empty:
            raise InvalidInput(
                f"The update of {subject}, which exists and has members,",
                ["`user_ids` has nobody, so all of them would be removed. If that is meant, use `allow_empty=True`."],
            )
    elif breach := breach_of_removals(removed, members, limits.max_removed_fraction):
        raise InvalidInput(
            f"The update of {subject}, which exists,",
            [f"{breach}. Correct the source, or raise the limit if that is meant."],
        )


def create_once(
    client: HttpClient,
    post: Callable[[], Reply],
    look: Callable[[], Found | None],
    *,
    what: str,
    key: str,
    unsent: str,
    unique: bool = True,
) -> Creation[Found]:
    """Create; after any answer that leaves doubt, look before creating again.

    :param post: sends the create once; see ``idempotent`` of :meth:`HttpClient.request`.
    :param look: looks for what should exist. Any ``Conflict`` of its own is final.
    :param what: the thing, for messages, e.g. ``"segment 'Trial users'"``.
    :param key: by what the vendor tells two of them apart, for the message of a 409 for nothing.
    :param unsent: what to say where it certainly was not created.
    :param unique: the vendor, or its list without any lag, keeps a second one from being made. Else a create whose
        answer was lost is not sent again: Airflow's own retry comes later, and looks first.
    :raises VendorError: as ``post`` raises, with what is known of the effect.
    """
    undecided = f"Whether {what} was created is not known. Run the task again: it looks first."
    in_doubt, began = False, time.monotonic()
    for attempt in range(1, client.retry.max_attempts + 1):
        try:
            return Creation(reply=post())
        except VendorError as error:
            if isinstance(error, Conflict):
                found = _look_after(error, lambda: look_patiently(client, look), undecided)
            elif error.maybe_done:
                in_doubt = True
                found = _look_after(error, look, undecided)
            else:
                raise error.advise(undecided if in_doubt else unsent) from None
            if found is not None:
                return Creation(found=found, ours=in_doubt)
            asked = error.retry_after or 0.0
            wait = max(client.retry.delay(attempt), asked)
            if in_doubt and not unique:
                raise error.advise(undecided) from None
            late = asked > client.retry.retry_after_cap or time.monotonic() - began + wait > client.retry.max_total
            if attempt == client.retry.max_attempts or late or not _passing(error):
                raise _given_up(error, what, key) from None
            client.rest(wait)
    raise AssertionError("unreachable: the last attempt returns or raises")


def look_patiently(client: HttpClient, look: Callable[[], Found | None]) -> Found | None:
    """Look several times: the vendor said that it exists, and its list may lag."""
    for attempt in range(1, client.retry.max_attempts + 1):
        found = look()
        if found is not None:
            return found
        if attempt < client.retry.max_attempts:
            client.rest(client.retry.delay(attempt))
    return None


def _look_after(error: VendorError, look: Callable[[], Found | None], undecided: str) -> Found | None:
    try:
        return look()
    except Conflict:
        raise
    except VendorError as failure:
        raise error.advise(f"{undecided} The list could not be read: {failure}") from None


def _given_up(error: VendorError, what: str, key: str) -> VendorError:
    if isinstance(error, Conflict):
        unlisted = UnexpectedReply(
            f"{error.vendor} answered {error.method} {error.path} with status 409: {key} is in use, but it lists no "
            "such thing. Its list may lag, so run the task again in some minutes; if it stays so, give another.",
            status=409,
            vendor=error.vendor,
            method=error.method,
            path=error.path,
            request_id=error.request_id,
        )
        unlisted.advice += error.advice
        return unlisted
    return error.advise(f"{error.vendor} does not list {what} now. Run the task again: it looks first.")


def _passing(error: VendorError) -> bool:
    """Whether the same request may well succeed a little later."""
    return isinstance(error, VendorUnavailable) and (error.status is None or error.status in RETRIED_STATUSES)
