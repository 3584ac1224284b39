"""Alteryx Server's responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey, id_key

_ID = re.compile(r"[0-9a-fA-F]{24}")
# The response to a removal is the group, empty, or one of these words.
_DONE = {"", "ok", "true", "success", "done"}


class UserGroup(BaseModel):
    """A user group as Alteryx Server shows it.

    :param members: user IDs in the server's spelling; None in a list of groups, which lacks them. Never shown.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_group_id: str
    name: str
    role: str
    members: frozenset[str] | None = Field(None, repr=False, exclude=True)

    @property
    def member_keys(self) -> set[str]:
        """The keys by which the members' IDs are compared."""
        return set(map(id_key, self.members or ()))


class User(BaseModel):
    """A user of Alteryx Server; nothing of it may be logged or stored in an XCom."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_id: str = Field(repr=False)
    email: str | None = Field(None, repr=False)
    first_name: str | None = Field(None, repr=False)
    last_name: str | None = Field(None, repr=False)
    role: str | None = None
    is_active: bool | None = None


class UserGroupChange(BaseModel):
    """The result of a create, update, delete or change of members.

    :param users_added: users that the server reported as added; earlier members are not among them.
    :param users_refused: users that the server refused to add, by its reason.
    :param users_rejected: ids that were left out before any call, by reason (``on_invalid="skip"``).
    :param users_unmatched: e-mail addresses that were left out, by reason (``on_unmatched="skip"``).
    :param unmatched_file: a file beside the ledger that lists them.
    :param requests: calls to the API, repeats and look-ups included.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_group_id: str | None
    name: str | None = None
    role: str | None = None
    outcome: Literal["created", "reused", "updated", "deleted", "missing"]
    users_sent: int = 0
    users_added: int = 0
    users_removed: int = 0
    users_refused: dict[str, int] = Field(default_factory=dict)
    users_rejected: dict[str, int] = Field(default_factory=dict)
    users_unmatched: dict[str, int] = Field(default_factory=dict)
    unmatched_file: str | None = None
    requests: int = 0
    changed_at: datetime


def parse_group(entry: Any) -> UserGroup:
    """Return a user group in a response.

    :raises UnexpectedReply: it has no ID or name, or its members cannot be read.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not isinstance(entry.get("name"), str):
        raise UnexpectedReply("Alteryx Server's response holds a user group without id or name.")
    return UserGroup(
        user_group_id=entry["id"],
        name=entry["name"],
        role=str(entry.get("role", "")),
        members=_members(entry.get("members")),
    )


def _members(listed: Any) -> frozenset[str] | None:
    """Return the user IDs; Active Directory groups among the members are skipped."""
    if listed is None:
        return None
    user_ids = [entry for entry in listed if not _is_directory_group(entry)] if isinstance(listed, list) else [None]
    ids = [entry.get("userId") if isinstance(entry, Mapping) else None for entry in user_ids]
    known = [str(one) for one in ids if (isinstance(one, str) and one.strip()) or type(one) is int]
    if len(known) < len(ids):
        raise UnexpectedReply("Alteryx Server's response holds a user group whose members cannot be read.")
    return frozenset(known)


def _is_directory_group(entry: Any) -> bool:
    return isinstance(entry, Mapping) and not entry.get("userId") and bool(entry.get("activeDirectoryObject"))


def parse_groups(answer: Any) -> list[UserGroup]:
    """Return the user groups of a list response.

    :raises UnexpectedReply: it is not an array; if it counted as empty, a group would be created twice.
    """
    if not isinstance(answer, list):
        raise UnexpectedReply("Alteryx Server's list of user groups is not an array.")
    return [parse_group(entry) for entry in answer]


def parse_created_id(answer: Any) -> str | None:
    """Return the ID of a created group: a JSON string, or the same without quotes; None where it must be looked up.

    An ID has 24 hexadecimal digits; any other text may be an incomplete ID.
    """
    return answer if isinstance(answer, str) and _ID.fullmatch(answer) else None


def parse_added(answer: Any) -> tuple[int, dict[str, str]]:
    """Return how many users were added, and the server's reason for each user that was not.

    :raises UnexpectedReply: the response lacks the number.
    """
    count = answer.get("successfullyAddedUserCount") if isinstance(answer, Mapping) else None
    reasons = answer.get("failedUserReasons") if isinstance(answer, Mapping) else None
    reasons = {} if reasons is None else reasons
    if type(count) is not int or count < 0 or not isinstance(reasons, Mapping):
        raise UnexpectedReply("Alteryx Server's response does not say how many users it added.")
    return count, {str(user): str(reason) for user, reason in reasons.items()}


def check_removal(answer: Any, user_id: str) -> None:
    """Check the response to the removal of a user.

    :raises UnexpectedReply: it is not a success, or shows the user still in the group.
    """
    if answer in (None, True) or (isinstance(answer, str) and answer.strip(" .!\"'").lower() in _DONE):
        return
    if not isinstance(answer, Mapping):
        raise UnexpectedReply("Alteryx Server's response to a removal is neither empty, nor OK, nor the user group.")
    if id_key(user_id) in parse_group(answer).member_keys:
        raise UnexpectedReply("Alteryx Server's response shows the user still in the group.")


def parse_users(answer: Any) -> list[User]:
    """Return the users of a list response, of either view.

    :raises UnexpectedReply: it is not an array of users with IDs, or their names are not texts.
    """
    if not isinstance(answer, list) or not all(_is_user(entry) for entry in answer):
        raise UnexpectedReply("Alteryx Server's list of users is not an array of users with ids.")
    return [
        User(
            user_id=entry["id"],
            email=entry.get("email"),
            first_name=entry.get("firstName"),
            last_name=entry.get("lastName"),
            role=str(entry.get("role") or "") or None,
            is_active=entry.get("isActive") if isinstance(entry.get("isActive"), bool) else None,
        )
        for entry in answer
    ]


def _is_user(entry: Any) -> bool:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not entry["id"]:
        return False
    return all(isinstance(entry.get(name), str | None) for name in ("email", "firstName", "lastName"))


def select(groups: list[UserGroup], key: UserGroupKey) -> UserGroup | None:
    """Return the group that ``key`` names, or None.

    :raises Conflict: several groups have that name.
    """
    if key.user_group_id:
        wanted = id_key(key.user_group_id)
        return next((group for group in groups if id_key(group.user_group_id) == wanted), None)
    found = [group for group in groups if group.name.strip() == key.name]
    if len(found) > 1:
        ids = ", ".join(group.user_group_id for group in found)
        raise Conflict(
            f"Alteryx Server has {len(found)} of the {key} ({ids}); nothing was changed. Name the one that is meant by "
            "its `user_group_id`.",
            vendor="Alteryx Server",
        )
    return found[0] if found else None
