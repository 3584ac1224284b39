"""The one error tree: catch :class:`SegmentsError` for all of it.

::

    SegmentsError (an AirflowException)
    ├── ConfigurationError *      the connection is incomplete, wrong or read-only; nothing was sent
    ├── InvalidInput *            what the task was given is wrong; nothing was sent
    ├── SourceUnavailable         the user IDs cannot be read now; nothing was sent
    ├── Stopped                   Airflow ended the task; the request under way was finished
    ├── PlanRefused *             the guard refused a plan; nothing was sent
    ├── LedgerError *             the ledger is damaged, or belongs to another task
    │   ├── LedgerDamaged *       a file of it is missing, or is not what was written
    │   ├── LedgerLost *          it is not the one that an earlier run left: lost, emptied or restored
    │   └── RunSuperseded *       a run with newer data has committed
    ├── LedgerBusy                another run holds it, or a request has to settle; ``until`` says when it is free
    ├── LedgerUnavailable         its files cannot be read or written now
    ├── LedgerOvertaken           this run held it, and no longer does
    ├── SyncIncomplete *          more users were left out than allowed; the others are in sync
    └── VendorError               the vendor was called
        ├── AuthenticationError * 401, or the credentials were refused
        ├── PermissionDenied *    403
        ├── NotFound *            404, or a segment that is gone
        ├── Conflict *            409, or a name or external id that is taken
        ├── RejectedRequest *     any other 4xx
        ├── RateLimited           429; ``retry_after`` says for how long
        ├── VendorUnavailable     5xx, time-outs, network
        └── UnexpectedReply       an answer that cannot be understood

A retry cannot help those marked *, so they also are ``AirflowFailException``: the task fails at once.
Messages contain no secret and no user ID.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "Conflict",
    "InvalidInput",
    "LedgerBusy",
    "LedgerDamaged",
    "LedgerError",
    "LedgerLost",
    "LedgerOvertaken",
    "LedgerUnavailable",
    "NotFound",
    "PermissionDenied",
    "PlanRefused",
    "RateLimited",
    "RejectedRequest",
    "RunSuperseded",
    "SegmentsError",
    "SourceUnavailable",
    "Stopped",
    "SyncIncomplete",
    "UnexpectedReply",
    "VendorError",
    "VendorUnavailable",
]


class SegmentsError(AirflowException):
    """Anything that this provider raises on purpose."""


class ConfigurationError(SegmentsError, AirflowFailException):
    """The Airflow connection is incomplete, wrong or read-only. Nothing was sent."""


class InvalidInput(SegmentsError, AirflowFailException):
    """What the task was given is wrong. Nothing was sent.

    :param subject: what was refused, as the start of the sentence, e.g. ``"WalkMe segment 'Trial users'"``.
    :param problems: every problem found, each a short sentence without user IDs.
    """

    def __init__(self, subject: str, problems: Sequence[str] = ()) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        super().__init__(subject, self.problems)

    def __str__(self) -> str:
        if not self.problems:
            return self.subject
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        listed = " ".join(f"({number}) {problem}" for number, problem in enumerate(self.problems, start=1))
        return f"{self.subject} was refused and nothing was changed, {count}: {listed}"


class SourceUnavailable(SegmentsError):
    """The source of user IDs cannot be read now. Nothing was sent; a retry may help."""


class Stopped(SegmentsError):
    """Airflow ended the task. The request under way was finished, none was begun after it."""


class PlanRefused(SegmentsError, AirflowFailException):
    """The guard refused a plan before anything was sent; the message has the numbers, the limits, and both ways out.

    :param digest: of the plan, which is kept: ``approve`` applies it.
    :param breaches: each limit that it passes, a sentence each.
    """

    def __init__(self, message: str, *, digest: str = "", breaches: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.digest = digest
        self.breaches = tuple(breaches)


class LedgerError(SegmentsError, AirflowFailException):
    """The ledger of a segment cannot be used: damaged, from a newer version, or of another segment or task."""


class LedgerDamaged(LedgerError):
    """A file of the ledger is missing, or is not what was written."""


class LedgerLost(LedgerError):
    """The ledger is not the one that an earlier run left: it was lost, emptied, or restored from an older copy."""


class RunSuperseded(LedgerError):
    """A run with newer data has committed. Nothing was sent, and nothing has to be done."""


class LedgerUnavailable(SegmentsError):
    """The ledger's files cannot be read or written now: the store does not answer, or does not permit it."""


class LedgerOvertaken(SegmentsError):
    """This run held the ledger and no longer does: another run took over, or the worker was suspended for too long."""


class LedgerBusy(SegmentsError):
    """Another run holds the ledger, or a request whose outcome is unknown has to settle first.

    :param until: when the ledger is free at the latest, in milliseconds since 1970.
    """

    def __init__(self, message: str, *, until: int = 0) -> None:
        super().__init__(message)
        self.until = until


class SyncIncomplete(SegmentsError, AirflowFailException):
    """More users were invalid or refused than allowed. The others are in sync, and that is committed."""


class VendorError(SegmentsError):
    """The vendor was called, and it did not go well.

    :param message: a sentence for the on-call engineer, without secrets and user IDs.
    :param status: HTTP status, or None where there was no answer.
    :param path: the path called, without query.
    :param said: the vendor's own words, already free of secrets and user IDs.
    :param request_id: the vendor's own id of the call, to quote to its support.
    :param maybe_done: True where the vendor may have carried the request out all the same.
    :param retry_after: seconds that the vendor asked to wait, where it did.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        vendor: str = "",
        method: str = "",
        path: str = "",
        said: str = "",
        request_id: str | None = None,
        maybe_done: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.vendor = vendor
        self.method = method
        self.path = path
        self.said = said
        self.request_id = request_id
        self.maybe_done = maybe_done
        self.retry_after = retry_after
        self.attempts = 0
        self.hints: list[str] = []

    def add_hint(self, sentence: str) -> Self:
        """Add what was and was not sent, or what to do next, to the end of the message."""
        self.hints.append(sentence)
        return self

    def __str__(self) -> str:
        return " ".join([self.message, *self.hints])


class AuthenticationError(VendorError, AirflowFailException):
    """The vendor does not accept the credentials, or a token that was fetched a moment before (401)."""


class PermissionDenied(VendorError, AirflowFailException):
    """The credentials are right, what they may do is not (403)."""


class NotFound(VendorError, AirflowFailException):
    """The vendor knows no such thing (404), or it is no longer in the vendor's list."""


class Conflict(VendorError, AirflowFailException):
    """The name or id is already in use (409)."""


class RejectedRequest(VendorError, AirflowFailException):
    """The vendor understood the request and will not carry it out (any other 4xx)."""


class RateLimited(VendorError):
    """The vendor asks to wait (429) for longer, or more often, than a task should hold its slot."""


class VendorUnavailable(VendorError):
    """The vendor failed (5xx), timed out, or could not be reached."""


class UnexpectedReply(VendorError):
    """The vendor's answer cannot be understood: HTML, empty, cut short, of another shape, or from another host."""
