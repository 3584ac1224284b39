"""All errors of this package; catch :class:`SegmentsError` for all of them.

::

    SegmentsError (an AirflowException)
    ├── ConfigurationError *      the connection is incomplete, wrong or read-only; nothing was sent
    ├── InvalidInput *            the task's input or parameters are wrong; nothing was sent
    ├── SourceUnavailable         the user IDs cannot be read now; nothing was sent
    ├── Stopped                   Airflow ended the task; the current request was finished
    ├── PlanRefused *             the guard refused a plan; nothing was sent
    ├── LedgerError *             the ledger is damaged, or belongs to another task
    │   ├── LedgerDamaged *       a file of it is missing or damaged
    │   ├── LedgerLost *          it is older than an earlier run left it: lost, emptied or restored
    │   └── RunSuperseded *       a run with newer data has committed
    ├── LedgerBusy                another run holds it, or a request has to settle; free at ``until``
    ├── LedgerUnavailable         its files cannot be read or written now
    ├── LedgerOvertaken           this run lost it to another run
    ├── SyncIncomplete *          more users were left out than allowed; the others are in sync
    └── VendorError               a request to the vendor failed
        ├── AuthenticationError * 401, or the credentials were refused
        ├── PermissionDenied *    403
        ├── NotFound *            404, or a deleted segment
        ├── Conflict *            409, or a name or external ID in use
        ├── RejectedRequest *     any other 4xx
        ├── RateLimited           429; wait for ``retry_after`` seconds
        ├── VendorUnavailable     5xx, time-outs, network
        └── UnexpectedReply       a response that is not usable

Those marked * cannot be solved by a retry, so they also are ``AirflowFailException``: the task fails at once.
Messages contain neither secrets nor user IDs.
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
    """The task's input or parameters are wrong. Nothing was sent.

    :param subject: the refused object, as the start of the sentence, e.g. ``"WalkMe segment 'Trial users'"``.
    :param problems: every problem found, each a short sentence without user IDs.
    :param where: the sentence that names the connection, at the end of the message.
    """

    def __init__(self, subject: str, problems: Sequence[str] = (), where: str = "") -> None:
        self.subject = subject
        self.problems = tuple(problems)
        self.where = where
        super().__init__(subject, self.problems, where)

    def __str__(self) -> str:
        if not self.problems:
            return self.subject
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        listed = " ".join(f"({number}) {problem}" for number, problem in enumerate(self.problems, start=1))
        return f"{self.subject} was refused and nothing was changed, {count}: {listed} {self.where}".rstrip()


class SourceUnavailable(SegmentsError):
    """The source of user IDs cannot be read now. Nothing was sent; a retry may help."""


class Stopped(SegmentsError):
    """Airflow ended the task. The current request was finished, and no further one was sent."""


class PlanRefused(SegmentsError, AirflowFailException):
    """The guard refused a plan before anything was sent; the message has the numbers and the limits.

    Check the source. If the plan is right, ``approve`` its digest, which applies exactly this plan once; or set the
    parameter of the limit.

    :param digest: of the plan, which is kept; empty where there is no ledger to keep it in.
    :param breaches: a sentence for each exceeded limit.
    :param details: lines for the log: the plan, its limits, and the next steps.
    """

    def __init__(self, message: str, *, digest: str = "", breaches: Sequence[str] = (), details: str = "") -> None:
        super().__init__(message)
        self.digest = digest
        self.breaches = tuple(breaches)
        self.details = details


class LedgerError(SegmentsError, AirflowFailException):
    """The ledger of a segment cannot be used: damaged, from a newer version, or of another segment or task."""


class LedgerDamaged(LedgerError):
    """A file of the ledger is missing, or damaged."""


class LedgerLost(LedgerError):
    """The ledger is older than an earlier run left it: it was lost, emptied, or restored from a copy."""


class RunSuperseded(LedgerError):
    """A run with newer data has committed. Nothing was sent, and no action is needed."""


class LedgerUnavailable(SegmentsError):
    """The ledger's files cannot be read or written now: the store does not respond or denies access."""


class LedgerOvertaken(SegmentsError):
    """This run lost the ledger: another run took it over, or the worker was suspended for too long."""


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
    """A request to the vendor failed.

    :param message: a sentence without secrets and user IDs.
    :param status: HTTP status, or None without a response.
    :param path: path of the request, without query.
    :param said: the vendor's own message, without secrets and user IDs.
    :param request_id: the vendor's ID of the request, for its support.
    :param maybe_done: whether the vendor may have carried out the request nevertheless.
    :param retry_after: seconds to wait, if the vendor named a time.
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
        """Append what was and was not sent, or what to do next, to the message."""
        self.hints.append(sentence)
        return self

    def __str__(self) -> str:
        return " ".join([self.message, *self.hints])


class AuthenticationError(VendorError, AirflowFailException):
    """The vendor rejects the credentials, or a token that was just fetched (401)."""


class PermissionDenied(VendorError, AirflowFailException):
    """The credentials are valid but lack a permission (403)."""


class NotFound(VendorError, AirflowFailException):
    """The object does not exist (404), or is no longer in the vendor's list."""


class Conflict(VendorError, AirflowFailException):
    """The name or id is already in use (409)."""


class RejectedRequest(VendorError, AirflowFailException):
    """The vendor rejected the request (any other 4xx)."""


class RateLimited(VendorError):
    """The vendor asks to wait (429) for longer, or more often, than a task should hold its slot."""


class VendorUnavailable(VendorError):
    """The vendor failed (5xx), timed out, or could not be reached."""


class UnexpectedReply(VendorError):
    """The vendor's response is not usable: HTML, empty, truncated, of another shape, or from another host."""
