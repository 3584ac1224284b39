"""Zendesk's users, their tags, and the background jobs that change many of them.

Published at https://developer.zendesk.com/api-reference/ticketing/users/users/ and
https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.http.response import Call
from airflow_segments_provider.models.zendesk import Id, IdentifyBy, People, Tag, whole
from airflow_segments_provider.sources.case import without_case
from airflow_segments_provider.vendors.base.parameters import Given

PER_CALL = 100
MAX_ID_LENGTH = 20
MAX_VALUE_LENGTH = 255
NOT_REPORTED = "not reported"

_KIND = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+")
_FAILED = ("failed", "error")


def user_key(value: str) -> str:
    """Return what e-mail addresses, external ids and tags are compared by: case does not count."""
    return without_case(value)


class UserTags(Given):
    """Whose tags, and which."""

    user_id: Id = Field(repr=False)
    tags: list[Tag] = Field(default_factory=list)


class FindUsers(Given):
    """What users are looked for by."""

    by: IdentifyBy = "email"


class UpdateUser(Given):
    """A change of one user."""

    user_id: Id = Field(repr=False)
    change: dict[str, Any] = Field(min_length=1, repr=False)


class UpdateUsers(People):
    """The same change of many users.

    :param change: in the API's words; ``tags`` replaces all of a user's tags.
    """

    change: dict[str, Any] = Field(min_length=1, repr=False)


class JobIds(Given):
    """The jobs that are asked for."""

    job_ids: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]]


class User(BaseModel):
    """A user of Zendesk: a person, so nothing of it belongs into a log or an XCom."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_id: int = Field(repr=False)
    name: str | None = Field(None, repr=False)
    email: str | None = Field(None, repr=False)
    external_id: str | None = Field(None, repr=False)
    role: str | None = None
    tags: list[str] = Field(default_factory=list, repr=False)


class UserMatches(BaseModel):
    """Users who were looked for: people, so nothing of it belongs into a log or an XCom.

    :param found: the id of each value that belongs to exactly one user.
    :param unmatched: values that belong to no user.
    :param ambiguous: values that belong to several users.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    found: dict[str, int] = Field(repr=False)
    unmatched: list[str] = Field(repr=False)
    ambiguous: list[str] = Field(default_factory=list, repr=False)


class JobStatus(BaseModel):
    """A background job.

    :param succeeded: rows that were changed, once it is finished; None where it does not say.
    :param failed: rows that were not, by Zendesk's reason. A completed job may have some: see ``success``.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    job_id: str
    url: str | None = None
    status: str
    total: int | None = None
    progress: int | None = None
    message: str | None = None
    succeeded: int | None = None
    failed: dict[str, int] = Field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status not in ("queued", "working")

    @property
    def success(self) -> bool:
        """Whether it is completed, and no row of it failed."""
        return self.status == "completed" and not self.failed


class UsersUpdate(BaseModel):
    """The jobs that an update of many users began: the small result of its task.

    :param jobs: as last seen; most are still to run.
    :param unmatched_file: beside the ledger, that lists those of ``users_unmatched``.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    jobs: list[JobStatus]
    users_sent: int = 0
    users_rejected: dict[str, int] = Field(default_factory=dict)
    users_unmatched: dict[str, int] = Field(default_factory=dict)
    unmatched_file: str | None = None
    requests: int = 0

    @property
    def job_ids(self) -> list[str]:
        """The jobs' ids."""
        return [job.job_id for job in self.jobs]


def parse_user(entry: Any) -> User:
    """A user in an answer.

    :raises UnexpectedReply: there is no id, or a field has another type. The message quotes nothing of it.
    """
    with suppress(AttributeError, ValueError):
        texts = {key: entry.get(key) for key in ("name", "email", "external_id", "role")}
        texts = {key: None if value is None else str(value) for key, value in texts.items()}
        return User(user_id=whole(entry.get("id")), tags=parse_tags(entry.get("tags") or []), **texts)
    raise UnexpectedReply("Zendesk's answer holds something else than a user with an id.")


def parse_tags(tags: Any) -> list[str]:
    """A list of tags in an answer.

    :raises UnexpectedReply: it is no list of texts.
    """
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise UnexpectedReply("Zendesk's answer holds no list of tags.")
    return list(tags)


def parse_job(entry: Any, call: Call) -> JobStatus:
    """A job in an answer. Only the kinds of failures are kept: their details may name people.

    :param call: what was answered.
    :raises UnexpectedReply: it has no id or status.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not entry["id"]:
        raise UnexpectedReply("Zendesk's answer holds a job without an id.")
    status, message, url = entry.get("status"), entry.get("message"), entry.get("url")
    if not isinstance(status, str):
        raise UnexpectedReply("Zendesk's answer holds a job without a status.")
    total = _count(entry.get("total"))
    job = JobStatus(
        job_id=entry["id"],
        url=url if isinstance(url, str) else None,
        status=status,
        total=total,
        progress=_count(entry.get("progress")),
        message=call.clean(message, people=_people(entry.get("results"))) if isinstance(message, str) else None,
    )
    if not job.finished:
        return job
    succeeded, failed = _results(entry.get("results"), total, call)
    return job.model_copy(update={"succeeded": succeeded, "failed": failed})


def _results(results: Any, total: int | None, call: Call) -> tuple[int | None, dict[str, int]]:
    """How many rows succeeded, and how many failed by reason.

    Deletions of many answer with one object for all, updates with a row each.
    """
    if isinstance(results, Mapping):
        return (total, {}) if results.get("success") is True else (0, {_reason(results, call): total or 1})
    if not isinstance(results, list):
        return None, {}
    failed = Counter(_reason(row, call) for row in results if not _succeeded(row))
    succeeded = len(results) - failed.total()
    if total is not None and total > len(results):
        failed[NOT_REPORTED] = total - len(results)
    return succeeded, dict(failed)


def _succeeded(row: Any) -> bool:
    """Whether a row says nothing of a failure: rows of some kinds have neither ``success`` nor a status."""
    if not isinstance(row, Mapping) or row.get("error") or row.get("errors"):
        return False
    if "success" in row:
        return row["success"] is True
    return str(row.get("status")).lower() not in _FAILED and any(row.get(key) for key in ("id", "status", "action"))


def _reason(row: Any, call: Call) -> str:
    """The kind of an error, which is one word such as UserUpdateFailed; anything else may name a person."""
    error = row.get("error") if isinstance(row, Mapping) else None
    known = isinstance(error, str) and _KIND.fullmatch(error) and call.clean(error) == error
    return str(error) if known else "failed"


def _people(results: Any) -> list[str]:
    """The users whom a job's rows name."""
    rows = [row for row in results if isinstance(row, Mapping)] if isinstance(results, list) else []
    return [str(row[key]) for row in rows for key in ("id", "external_id", "email") if row.get(key)]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
