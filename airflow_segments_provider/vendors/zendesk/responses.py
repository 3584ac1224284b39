"""Zendesk's responses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, computed_field

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.http.response import Call
from airflow_segments_provider.vendors.zendesk.connection import VENDOR
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey, whole


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is a boolean")
    return value


# In any spelling of the number; what is no ID would remove a user when the list is written back.
_ListedId = Annotated[int, BeforeValidator(_no_boolean), Field(gt=0)]


class UserSegment(BaseModel):
    """A user segment as Zendesk shows it.

    :param added_user_ids: the users who are in it regardless of tags; None if the response lacks them. Never shown;
        only their number, ``added_users``, is.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_segment_id: int
    name: str | None = None
    user_type: str | None = None
    built_in: bool = False
    tags: list[str] = Field(default_factory=list)
    or_tags: list[str] = Field(default_factory=list)
    organization_ids: list[int] = Field(default_factory=list)
    group_ids: list[int] = Field(default_factory=list)
    added_user_ids: frozenset[_ListedId] | None = Field(None, repr=False, exclude=True)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def added_users(self) -> int | None:
        """The number of users who were added by their IDs."""
        return None if self.added_user_ids is None else len(self.added_user_ids)


class UserSegments(BaseModel):
    """A list of user segments.

    :param shared_only: an agent requested the list of another user, and sees only segments that the agent is in, too.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    segments: list[UserSegment]
    shared_only: bool = False


class UserSegmentChange(BaseModel):
    """The result of a create, update, delete or change of the added users.

    :param users_sent: users that Zendesk has, repeats included.
    :param users_added: those of them who were not among the added users.
    :param users_rejected: ids that were left out before any call, by reason (``on_invalid="skip"``).
    :param users_unmatched: users that Zendesk does not have, by reason (``on_unmatched="skip"``).
    :param unmatched_file: a file beside the ledger that lists them.
    :param requests: calls to the API, repeats and look-ups included.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_segment_id: int | None
    name: str | None = None
    user_type: str | None = None
    outcome: Literal["created", "reused", "updated", "deleted", "missing"]
    users_sent: int = 0
    users_added: int = 0
    users_removed: int = 0
    users_rejected: dict[str, int] = Field(default_factory=dict)
    users_unmatched: dict[str, int] = Field(default_factory=dict)
    unmatched_file: str | None = None
    requests: int = 0
    changed_at: datetime


def parse_segment(entry: Any) -> UserSegment:
    """Return a user segment in a response; absent and null lists become empty.

    :raises UnexpectedReply: it has no id, or a field of another type. The message quotes no value.
    """
    if not isinstance(entry, Mapping):
        raise UnexpectedReply("Zendesk's response does not hold a user segment.")
    given = {key: value for key, value in entry.items() if key in UserSegment.model_fields and value is not None}
    try:
        return UserSegment.model_validate({**given, "user_segment_id": whole(entry.get("id"))})
    except ValidationError as error:
        fields = ", ".join(sorted({f"`{detail['loc'][0]}`" for detail in error.errors() if detail["loc"]}))
        wrong = f"whose {fields} cannot be read"
    except ValueError:
        wrong = "without an id"
    # Raised outside of the handlers, or the response's text would be in its context.
    raise UnexpectedReply(f"Zendesk's response holds a user segment {wrong}.")


def custom_named(segments: list[UserSegment], name: str) -> list[UserSegment]:
    """Return the segments of that name that are not built in; spaces around it do not count."""
    return [one for one in segments if not one.built_in and one.name is not None and one.name.strip() == name]


def select(segments: list[UserSegment], key: UserSegmentKey) -> UserSegment | None:
    """Return the segment that ``key`` names, or None; a name is compared only with those that are not built in.

    :raises Conflict: several segments have that name.
    """
    if key.user_segment_id:
        return next((one for one in segments if one.user_segment_id == key.user_segment_id), None)
    found = custom_named(segments, str(key.name))
    if len(found) > 1:
        ids = ", ".join(str(one.user_segment_id) for one in found)
        raise Conflict(
            f"Zendesk has {len(found)} of the {key} ({ids}); nothing was changed. Name the one that is meant by its "
            "`user_segment_id`, or delete the others.",
            vendor=VENDOR,
        )
    return found[0] if found else None


NOT_REPORTED = "not reported"

_KIND = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+")
_FAILED = ("failed", "error")


class User(BaseModel):
    """A user of Zendesk; nothing of it may be logged or stored in an XCom."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_id: int = Field(repr=False)
    name: str | None = Field(None, repr=False)
    email: str | None = Field(None, repr=False)
    external_id: str | None = Field(None, repr=False)
    role: str | None = None
    tags: list[str] = Field(default_factory=list, repr=False)


class UserMatches(BaseModel):
    """The result of a look-up of users; nothing of it may be logged or stored in an XCom.

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

    :param succeeded: rows that were changed, once it is finished; None if it is not known.
    :param failed: rows that failed, by Zendesk's reason. A completed job may have some: see ``success``.
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
        """Whether the job has ended."""
        return self.status not in ("queued", "working")

    @property
    def success(self) -> bool:
        """Whether the job is completed, and no row failed."""
        return self.status == "completed" and not self.failed


class UsersUpdate(BaseModel):
    """The result of an update of many users: its background jobs.

    :param jobs: with their last known status; most have not run yet.
    :param unmatched_file: a file beside the ledger that lists the users of ``users_unmatched``.
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
    """Return a user in a response.

    :raises UnexpectedReply: it has no ID, or a field has another type. The message quotes no value.
    """
    with suppress(AttributeError, ValueError):
        texts = {key: entry.get(key) for key in ("name", "email", "external_id", "role")}
        texts = {key: None if value is None else str(value) for key, value in texts.items()}
        return User(user_id=whole(entry.get("id")), tags=parse_tags(entry.get("tags") or []), **texts)
    raise UnexpectedReply("Zendesk's response does not hold a user with an ID.")


def parse_tags(tags: Any) -> list[str]:
    """Return a list of tags in a response.

    :raises UnexpectedReply: it is not a list of texts.
    """
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise UnexpectedReply("Zendesk's response does not hold a list of tags.")
    return list(tags)


def parse_job(entry: Any, call: Call) -> JobStatus:
    """Return a job in a response. Only the kinds of failures are kept: their details may name users.

    :param call: the request.
    :raises UnexpectedReply: it has no id or status.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not entry["id"]:
        raise UnexpectedReply("Zendesk's response holds a job without an id.")
    status, message, url = entry.get("status"), entry.get("message"), entry.get("url")
    if not isinstance(status, str):
        raise UnexpectedReply("Zendesk's response holds a job without a status.")
    total = _count(entry.get("total"))
    job = JobStatus(
        job_id=entry["id"],
        url=url if isinstance(url, str) else None,
        status=status,
        total=total,
        progress=_count(entry.get("progress")),
        message=call.clean(message, user_ids=_users_in(entry.get("results"))) if isinstance(message, str) else None,
    )
    if not job.finished:
        return job
    succeeded, failed = _results(entry.get("results"), total, call)
    return job.model_copy(update={"succeeded": succeeded, "failed": failed})


def _results(results: Any, total: int | None, call: Call) -> tuple[int | None, dict[str, int]]:
    """Return how many rows succeeded, and how many failed by reason.

    A deletion of many users has one object for all, an update has a row for each.
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
    """Return whether a row reports no failure; rows of some kinds have neither ``success`` nor a status."""
    if not isinstance(row, Mapping) or row.get("error") or row.get("errors"):
        return False
    if "success" in row:
        return row["success"] is True
    return str(row.get("status")).lower() not in _FAILED and any(row.get(key) for key in ("id", "status", "action"))


def _reason(row: Any, call: Call) -> str:
    """Return the kind of an error, a word such as UserUpdateFailed; any other text may identify a user."""
    error = row.get("error") if isinstance(row, Mapping) else None
    known = isinstance(error, str) and _KIND.fullmatch(error) and call.clean(error) == error
    return str(error) if known else "failed"


def _users_in(results: Any) -> list[str]:
    """Return the users that a job's rows name."""
    rows = [row for row in results if isinstance(row, Mapping)] if isinstance(results, list) else []
    return [str(row[key]) for row in rows for key in ("id", "external_id", "email") if row.get(key)]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class AppliedSegment(BaseModel):
    """The result of an application of a segment to content.

    :param user_segment_id: None if all visitors may see the content, anonymous ones included.
    :param changed: False if the content had this segment already.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    article_id: int | None = None
    topic_id: int | None = None
    user_segment_id: int | None = None
    changed: bool


class Content(BaseModel):
    """An article, topic or section, with all further fields of Zendesk."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="allow")

    id: int
    name: str | None = None
    html_url: str | None = None


class Section(Content):
    """A section of the Help Center."""


class Restricted(Content):
    """Content to which a segment can be applied.

    :param user_segment_ids: if the plan allows several for an article; else None.
    """

    user_segment_id: int | None = None
    user_segment_ids: list[int] | None = None

    @property
    def applied(self) -> list[int]:
        """The segments whose users may see it; empty if all visitors may."""
        one = [] if self.user_segment_id is None else [self.user_segment_id]
        return list(dict.fromkeys([*one, *(self.user_segment_ids or [])]))


class Topic(Restricted):
    """A topic of the community."""


class Article(Restricted):
    """An article."""

    title: str | None = None


Kind = TypeVar("Kind", bound=Content)


def parse_content(model: type[Kind], entry: Any) -> Kind:
    """Return an article, topic or section in a response.

    :raises UnexpectedReply: it has no id, or a field of another type.
    """
    what = f"{'an' if model is Article else 'a'} {model.__name__.lower()}"
    if not isinstance(entry, Mapping):
        raise UnexpectedReply(f"Zendesk's response does not hold {what}.")
    with suppress(ValidationError):
        return model.model_validate(entry)
    raise UnexpectedReply(f"Zendesk's response holds {what} that cannot be read.")
