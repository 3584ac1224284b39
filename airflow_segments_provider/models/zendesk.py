"""What Zendesk's Help Center API takes and answers for user segments.

Published at https://developer.zendesk.com/api-reference/help_center/help-center-api/user_segments/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    computed_field,
    model_validator,
)

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.vendors.base.connection import ConnectionFields, Credential
from airflow_segments_provider.vendors.base.parameters import ExactMembers, FoundUsers, Given, with_result

VENDOR = "Zendesk"
MAX_NAME_LENGTH = 255
LISTS = ("tags", "or_tags", "organization_ids", "group_ids")

UserType = Literal["signed_in_users", "staff"]
Auth = Literal["oauth", "bearer", "api_token"]
IdentifyBy = Literal["id", "email", "external_id"]
IfExists = Literal["reuse", "update", "fail"]
IfMissing = Literal["skip", "fail"]

NO_PASSWORDS = (
    "Zendesk ended log-in by e-mail and password in January 2026. Use an OAuth client: its identifier as `login`, its "
    "secret as `password`, `auth` oauth (Admin Center > Apps and integrations > OAuth clients; a confidential one)"
)

_WHOLE = re.compile(r"[1-9][0-9]{0,18}")


def whole(value: Any) -> Any:
    """An id as Zendesk has them: a whole number, or its text as a template renders it.

    :raises ValueError: it is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    raise ValueError("is not a whole number")


Id = Annotated[int, BeforeValidator(whole)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


def _known_way(value: Any) -> Any:
    if value in ("password", "basic"):
        raise ValueError(NO_PASSWORDS)
    return value


def _one_text(value: Any) -> Any:
    """Zendesk takes a list of scopes at first, and then answers every call with 403."""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


class ZendeskConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``zendesk_help_center``.

    :param auth: ``oauth`` (login = client id, password = client secret), ``bearer`` (``token``, or the password, is an
        access token that is not renewed), or ``api_token`` (``email``, or the login, and ``token``, or the password).
    :param scope: of the OAuth token; ``hc:read hc:write`` is enough for user segments and what they are applied to.
    :param expires_in: seconds that the OAuth token should live; it is renewed in time.
    :param warnings_are_errors: take it for an error where Zendesk says that it dropped a field of a request.
    """

    auth: Annotated[Auth, BeforeValidator(_known_way)] = "oauth"
    token: Credential | None = Field(None, repr=False)
    email: Credential | None = Field(None, repr=False)
    scope: Annotated[Credential, BeforeValidator(_one_text)] = "read write"
    expires_in: int = Field(7200, gt=300, lt=172_800)
    token_url: Credential | None = None
    warnings_are_errors: bool = False


class UserSegmentRules(Given):
    """Who belongs to a segment by rule; an empty list restricts nobody, None leaves what is there."""

    tags: list[Tag] | None = None
    or_tags: list[Tag] | None = None
    organization_ids: list[Id] | None = None
    group_ids: list[Id] | None = None

    @property
    def rules(self) -> dict[str, list[Any]]:
        """Those that are given, each without repetitions."""
        given = {key: getattr(self, key) for key in LISTS}
        return {key: list(dict.fromkeys(value)) for key, value in given.items() if value is not None}


class People(FoundUsers):
    """How the people of a change are given."""

    identify_by: IdentifyBy = "id"


class CreateUserSegment(UserSegmentRules, People, ExactMembers):
    """What a create is given, without the people."""

    name: Name
    user_type: UserType = "signed_in_users"
    if_exists: IfExists = "reuse"


class UserSegmentKey(Given):
    """What names one user segment: its id, else its name.

    :param user_segment: the result of a task that made or changed it; gives what is not given beside it.
    """

    user_segment_id: Id | None = None
    name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_result(values, "user_segment", ("user_segment_id", "name"))

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not (self.user_segment_id or self.name):
            raise ValueError("one of `user_segment`, `user_segment_id` and `name` must be given")
        return self

    def __str__(self) -> str:
        return f"user segment {self.user_segment_id}" if self.user_segment_id else f"user segment {self.name!r}"


class UpdateUserSegment(UserSegmentKey, UserSegmentRules):
    """What an update is given."""

    new_name: Name | None = None
    user_type: UserType | None = None

    @model_validator(mode="after")
    def _something_new(self) -> Self:
        if not self.changes:
            raise ValueError(
                "one of `new_name`, `user_type`, `tags`, `or_tags`, `organization_ids` and `group_ids` must be given"
            )
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """What the API is sent."""
        texts = {"name": self.new_name, "user_type": self.user_type}
        return {key: value for key, value in texts.items() if value} | self.rules


class ChangeUsers(UserSegmentKey, People):
    """What a change of the added users is given, without the people."""


class SetUsers(ChangeUsers, ExactMembers):
    """What a replacement of the added users is given, without the people."""


class DeleteUserSegment(UserSegmentKey):
    """What a deletion is given."""

    if_missing: IfMissing = "skip"


class ListUserSegments(Given):
    """Which segments are listed."""

    built_in: bool | None = None
    applicable: bool = False
    user_id: Id | None = Field(None, repr=False)

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.applicable and self.user_id:
            raise ValueError("`applicable` and `user_id` cannot be given together: each is a list of its own")
        return self


class UserSegment(BaseModel):
    """A user segment as Zendesk shows it.

    :param added_user_ids: the people who are in it whatever the tags say; None where the answer lacks them. Never
        shown: only ``added_users``, their number, is.
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
    added_user_ids: frozenset[int] | None = Field(None, repr=False, exclude=True)
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def added_users(self) -> int | None:
        """How many people were added by their ids."""
        return None if self.added_user_ids is None else len(self.added_user_ids)


class UserSegments(BaseModel):
    """A list of user segments.

    :param shared_only: an agent asked about somebody else and sees only the segments that the agent is in, too.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    segments: list[UserSegment]
    shared_only: bool = False


class UserSegmentChange(BaseModel):
    """What a create, update, delete or change of the added users did: the small result of its task.

    :param users_sent: people given whom Zendesk knows, repeats included.
    :param users_added: those of them who were not among the added users before.
    :param users_rejected: ids that were left out before any call, by reason (``on_invalid="skip"``).
    :param users_unmatched: people whom Zendesk does not know, by reason (``on_unmatched="skip"``).
    :param unmatched_file: beside the ledger, that lists them.
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
    """A user segment in an answer; absent and null lists are empty ones.

    :raises UnexpectedReply: it has no id, or a field of another type. The message quotes nothing of it.
    """
    if not isinstance(entry, Mapping):
        raise UnexpectedReply("Zendesk's answer holds something else than a user segment.")
    given = {key: value for key, value in entry.items() if key in UserSegment.model_fields and value is not None}
    try:
        return UserSegment.model_validate({**given, "user_segment_id": whole(entry.get("id"))})
    except ValidationError as error:
        fields = ", ".join(sorted({f"`{detail['loc'][0]}`" for detail in error.errors() if detail["loc"]}))
        wrong = f"whose {fields} cannot be read"
    except ValueError:
        wrong = "without an id"
    # Out of the handlers: raised in one, it would keep the answer's text in its context.
    raise UnexpectedReply(f"Zendesk's answer holds a user segment {wrong}.")


def custom_named(segments: list[UserSegment], name: str) -> list[UserSegment]:
    """The segments of that name that are not built in; spaces around it do not count."""
    return [one for one in segments if not one.built_in and one.name is not None and one.name.strip() == name]


def select(segments: list[UserSegment], key: UserSegmentKey) -> UserSegment | None:
    """The segment that ``key`` names, or None; a name is looked for among those that are not built in.

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
