"""The parameters of the Zendesk hook's methods.

Published at https://developer.zendesk.com/api-reference/help_center/help-center-api/user_segments/ and
https://developer.zendesk.com/api-reference/ticketing/users/users/.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from airflow_segments_provider.vendors.base.parameters import (
    AS_LIST,
    AS_OBJECT,
    AS_TEXT,
    IfExists,
    IfMissing,
    Key,
    LookupParameters,
    Parameters,
    ReplaceParameters,
    with_result,
)

MAX_NAME_LENGTH = 255
LISTS = ("tags", "or_tags", "organization_ids", "group_ids")

UserType = Literal["signed_in_users", "staff"]
IdentifyBy = Literal["id", "email", "external_id"]

_WHOLE = re.compile(r"[1-9][0-9]{0,18}")


def whole(value: Any) -> Any:
    """Parse an ID of Zendesk: a whole number, or its text as a template renders it.

    :raises ValueError: it is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    raise ValueError("is not a whole number")


Id = Annotated[int, BeforeValidator(whole)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH)]
Tag = Annotated[str, AS_TEXT, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


class UserSegmentRules(Parameters):
    """The rules of a segment; an empty list restricts no user, None keeps a rule.

    :param tags: a user needs all of them; those of the user's organizations count.
    :param or_tags: a user needs one of them.
    :param organization_ids: a signed-in user needs one of them.
    :param group_ids: a staff member needs one of them.
    """

    tags: Annotated[list[Tag] | None, AS_LIST] = None
    or_tags: Annotated[list[Tag] | None, AS_LIST] = None
    organization_ids: Annotated[list[Id] | None, AS_LIST] = None
    group_ids: Annotated[list[Id] | None, AS_LIST] = None

    @property
    def rules(self) -> dict[str, list[Any]]:
        """The rules that are set, without repeated values."""
        lists = {key: getattr(self, key) for key in LISTS}
        return {key: list(dict.fromkeys(value)) for key, value in lists.items() if value is not None}


class Identified(LookupParameters):
    """The parameters of a write that may look up its users.

    :param identify_by: ``id`` (Zendesk's), ``email`` (one call each) or ``external_id`` (one call for 100).
    """

    identify_by: IdentifyBy = "id"


class CreateUserSegment(UserSegmentRules, Identified, ReplaceParameters):
    """The parameters of a create.

    :param name: 1 to 255 characters; an existing segment is found by it alone.
    :param user_type: ``signed_in_users`` or ``staff``.
    :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` sets the whole segment to these
        parameters, users included; ``fail`` raises an error.
    """

    name: Name
    user_type: UserType = "signed_in_users"
    if_exists: IfExists = "reuse"


class UserSegmentKey(Key):
    """The parameters that identify one user segment: an ID, else a name.

    :param user_segment: the result of a task that made or changed it; sets the parameters that are not set.
    :param user_segment_id: Zendesk's number.
    :param name: exactly, and not that of a built-in segment; a read of the list more.
    """

    result = "user_segment"
    keys = ("user_segment_id", "name")

    user_segment_id: Id | None = None
    name: Name | None = None

    def __str__(self) -> str:
        return f"user segment {self.user_segment_id}" if self.user_segment_id else f"user segment {self.name!r}"


class UpdateUserSegment(UserSegmentKey, UserSegmentRules, Identified, ReplaceParameters):
    """The parameters of an update. A parameter that is not set changes nothing; an empty list removes a rule.

    :param action: ``add`` or ``remove`` the users, or ``set`` the added users to exactly these.
    :param allow_empty: let ``set`` without users remove all added users.
    :param new_name: no other custom segment may have it.
    :param user_type: ``signed_in_users`` or ``staff``.
    """

    action: Literal["add", "remove", "set"] = "add"
    new_name: Name | None = None
    user_type: UserType | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """The changes besides users, as the JSON of the API."""
        texts = {"name": self.new_name, "user_type": self.user_type}
        return {key: value for key, value in texts.items() if value} | self.rules


class DeleteUserSegment(UserSegmentKey):
    """The parameters of a deletion.

    :param if_missing: ``skip`` accepts a missing segment, ``fail`` raises an error.
    """

    if_missing: IfMissing = "skip"


class ListUserSegments(Parameters):
    """The parameters of a list of segments.

    :param built_in: only built-in segments, or only the others; by default both.
    :param applicable: only those that the plan lets be applied.
    :param user_id: only those that this user is in. An agent who asks about another user gets only those that the agent
        is in, too: ``shared_only`` of the result says so.
    """

    built_in: bool | None = None
    applicable: bool = False
    user_id: Id | None = Field(None, repr=False)

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.applicable and self.user_id:
            raise ValueError("`applicable` and `user_id` cannot be given together: each is a list of its own")
        return self


PER_CALL = 100
MAX_ID_LENGTH = 20
MAX_VALUE_LENGTH = 255


class UserTags(Parameters):
    """The parameters of a change of a user's tags.

    :param user_id: Zendesk's number.
    :param tags: without spaces and special characters, which Zendesk alters.
    """

    user_id: Id = Field(repr=False)
    tags: Annotated[list[Tag], AS_LIST] = Field(default_factory=list)


class FindUsers(Parameters):
    """The parameters of a look-up of users.

    :param by: ``email``, ``external_id`` or ``id``.
    """

    by: IdentifyBy = "email"


class UpdateUser(Parameters):
    """The parameters of a change of one user.

    :param user_id: Zendesk's number.
    :param change: in the API's words; ``tags`` replaces all of the user's tags.
    """

    user_id: Id = Field(repr=False)
    change: Annotated[dict[str, Any], AS_OBJECT] = Field(min_length=1, repr=False)


class UpdateUsers(Identified):
    """The parameters of the same change of many users.

    :param change: in the API's words; ``tags`` replaces all of a user's tags.
    """

    change: Annotated[dict[str, Any], AS_OBJECT] = Field(min_length=1, repr=False)


class UpdateEachUser(Parameters):
    """The parameters of changes of single users.

    :param identify_by: always ``row``: each row identifies its user.
    """

    identify_by: Literal["row"] = "row"


class JobIds(Parameters):
    """The parameters of a read of jobs.

    :param job_ids: at most 100 characters each.
    """

    job_ids: Annotated[list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]], AS_LIST]


class ApplyUserSegment(Parameters):
    """The parameters of an application of a segment.

    :param user_segment_id: the segment; or ``name``, or ``user_segment``, the result of a task.
    :param name: exactly, and not that of a built-in segment.
    :param article_id: the article that the segment restricts; or ``topic_id``.
    :param topic_id: the topic that the segment restricts.
    :param clear: open it to all visitors, also to those who are not signed in; then without a segment.
    """

    user_segment_id: Id | None = None
    name: Name | None = None
    article_id: Id | None = None
    topic_id: Id | None = None
    clear: bool = False

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_result(values, "user_segment", ("user_segment_id", "name"))

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if bool(self.article_id) == bool(self.topic_id):
            raise ValueError("one of `article_id` and `topic_id` must be given, and not both")
        if self.clear == bool(self.user_segment_id or self.name):
            raise ValueError(
                "one of `user_segment`, `user_segment_id` and `name` must be given, or `clear=True` without any"
            )
        return self

    @property
    def key(self) -> UserSegmentKey:
        """The key of the segment."""
        return UserSegmentKey(user_segment_id=self.user_segment_id, name=self.name)
