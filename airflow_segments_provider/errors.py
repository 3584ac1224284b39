"""All errors of this package; catch :class:`SegmentsError` for all of them.

::

    SegmentsError (an AirflowException)
    ├── ConfigurationError *      the connection is incomplete, wrong or read-only
    ├── InvalidInput *            the task's input or parameters are wrong
    ├── SourceUnavailable         the user IDs cannot be read now
    ├── Stopped                   Airflow ended the task; the current request was finished
    ├── PlanRefused *             the guard refused a plan
    ├── LedgerError *             the ledger is damaged, or belongs to another task
    │   ├── LedgerDamaged *       a file of it is missing or damaged
    │   ├── LedgerLost *          it is older than an earlier run left it
    │   └── RunSuperseded *       a run with newer data has committed
    ├── LedgerBusy                another run holds it, or a request has to settle
    ├── LedgerUnavailable         its files cannot be read or written now
    ├── LedgerOvertaken           this run lost it to another run
    ├── SyncIncomplete *          more users were left out than allowed; the others are in sync
    └── VendorError               a request to the vendor failed
        ├── AuthenticationError * 401, or the credentials were refused
        ├── PermissionDenied *    403
        ├── NotFound *            404, or a deleted segment
        ├── Conflict *            409, or a name or external ID in use
        ├── RejectedRequest *     any other 4xx
        ├── RateLimited           429; the vendor asks to wait
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
    """Anything that this provider raises on purpose. The message says what was sent, and what to do."""


class ConfigurationError(SegmentsError, AirflowFailException):
    """The Airflow connection is incomplete, wrong or read-only. Nothing was sent.

    Remedy: correct the field that the message names, and check the connection with the form's *Test* button.
    """


class InvalidInput(SegmentsError, AirflowFailException):
    """The task's input or parameters are wrong. Nothing was sent.

    Remedy: correct each problem that the message lists: in the DAG, in the query or in the file.

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
    """The source of user IDs cannot be read now. Nothing was sent.

    Remedy: none at first, as Airflow's retries read it again. If they fail, too, look at the database or the storage.
    """


class Stopped(SegmentsError):
    """Airflow ended the task. The current request was finished, and no further one was sent.

    Remedy: run the task again. It sends the rest.
    """


class PlanRefused(SegmentsError, AirflowFailException):
    """The guard refused a plan before anything was sent; the message has the numbers and the limits.

    Remedy: look at the source first, and correct it. If the plan is right, ``approve`` its digest, which applies
    exactly this plan once. If a limit is wrong for the segment, set its parameter.

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
    """The ledger of a segment cannot be used: damaged, from a newer version, or of another segment or task.

    Remedy: if the segment is another task's, remove one of the two tasks, or set ``takeover=True`` on the one that
    continues. If a newer version of this package wrote the ledger, install that version.
    """


class LedgerDamaged(LedgerError):
    """A file of the ledger is missing, or damaged. Nothing was sent.

    Remedy: restore the segment's folder from a backup, whole. Without one, run the task once with ``replace=True``.
    """


class LedgerLost(LedgerError):
    """The ledger is older than an earlier run left it: it was lost, emptied, or restored from a copy.

    Nothing was sent. Remedy: restore the newest copy of the segment's folder. Without one, run the task once with
    ``replace=True``.
    """


class RunSuperseded(LedgerError):
    """A run with newer data has committed. Nothing was sent.

    Remedy: none, the segment is up to date. To send the older data all the same, set ``on_older="apply"``.
    """


class LedgerUnavailable(SegmentsError):
    """The ledger's files cannot be read or written now: the store does not respond or denies access.

    Remedy: Airflow's retries solve a short outage. Otherwise make ``[segments] ledger_path`` readable and writable for
    the workers, and free space on a full disk. The next run continues.
    """


class LedgerOvertaken(SegmentsError):
    """This run lost the ledger: another run took it over, or the worker was suspended for too long.

    Remedy: none if the other run has newer data. Otherwise run the task again.
    """


class LedgerBusy(SegmentsError):
    """Another run holds the ledger, or a request whose outcome is unknown has to settle first.

    Remedy: none, a run after ``until`` continues. Set ``deferrable=True`` to wait for it without a worker slot, and
    ``max_active_runs=1`` so that the runs of a DAG do not overlap.

    :param until: when the ledger is free at the latest, in milliseconds since 1970.
    """

    def __init__(self, message: str, *, until: int = 0) -> None:
        super().__init__(message)
        self.until = until


class SyncIncomplete(SegmentsError, AirflowFailException):
    """More users were invalid or refused than allowed. The others are in sync, and that is committed.

    Remedy: correct these users in the source, or raise the limit that the message names.
    """


class VendorError(SegmentsError):
    """A request to the vendor failed. The message says what was sent before.

    Remedy: that of the subclass. A retry repeats no change that the vendor has acknowledged.

    :param message: a sentence without secrets and user IDs.
    :param status: HTTP status, or None without a response.
    :param path: path of the request, without query.
    :param said: the vendor's own message, without secrets and user IDs.
    :param request_id: the vendor's ID of the request, for its support.
    :param maybe_done: whether the vendor may have carried out the request nevertheless.
    :param in_doubt: the response to an earlier try was lost: the vendor may still carry that try out, after this one.
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
        in_doubt: bool = False,
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
        self.in_doubt = in_doubt
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
    """The vendor rejects the credentials, or a token that was just fetched (401).

    Remedy: renew the client ID and secret of the connection, and check it with the form's *Test* button.
    """


class PermissionDenied(VendorError, AirflowFailException):
    """The credentials are valid but lack a permission (403).

    Remedy: give the permission that the vendor's page names to the API key, or to the user of the token.
    """


class NotFound(VendorError, AirflowFailException):
    """The object does not exist (404), or is no longer in the vendor's list.

    Remedy: correct its ID or name in the task, or let a sync create it with ``create=True``.
    """


class Conflict(VendorError, AirflowFailException):
    """The name or ID is already in use (409), or several objects have it.

    Remedy: use another name, or name the object by its ID. Rename or delete duplicates at the vendor.
    """


class RejectedRequest(VendorError, AirflowFailException):
    """The vendor rejected the request (any other 4xx).

    Remedy: correct the parameter that the vendor's own message names; it is in the error, in ``said``.
    """


class RateLimited(VendorError):
    """The vendor asks to wait (429) for longer, or more often, than a task should hold its slot.

    Remedy: run the task again after ``retry_after`` seconds. Set ``rate_limit`` of the connection, and let fewer tasks
    run at the same time.
    """


class VendorUnavailable(VendorError):
    """The vendor failed (5xx), timed out, or could not be reached.

    Remedy: Airflow's retries. If they fail, too, check the host, the proxy and the vendor's status page.
    """


class UnexpectedReply(VendorError):
    """The vendor's response is not usable: HTML, empty, truncated, of another shape, or from another host.

    Remedy: check the host of the connection, and whether a gateway or a proxy answers in the vendor's place. Otherwise
    report the message: the vendor may have changed its API.
    """
