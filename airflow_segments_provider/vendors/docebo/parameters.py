"""The parameters of the Docebo hook's methods.

Docebo's API calls groups audiences. Published at https://help.docebo.com/hc/en-us/articles/360020124359 and, for
each platform, at https://<platform>/api-browser/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from airflow_segments_provider.sources.ids import MAX_DIGITS
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
)
from airflow_segments_provider.vendors.docebo.rules import MAX_RULES, Number, Ruleset

Column = Literal["userid", "firstname", "lastname", "email"]
IdentifyBy = Literal["id", "email", "username"]

#: The columns of an export, in Docebo's order.
COLUMNS: tuple[Column, ...] = ("userid", "firstname", "lastname", "email")

MAX_ID_LENGTH = 255
MAX_NAME_LENGTH = 255

SortDir = Literal["asc", "desc"]


def is_legacy(group_id: str) -> bool:
    """Return whether this is a number of the former groups service; a UUID is longer, and has letters or hyphens."""
    return group_id.isascii() and group_id.isdigit() and len(group_id) <= MAX_DIGITS


def _whole_number(value: Any) -> Any:
    """Parse a number that a template rendered to text."""
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if is_legacy(text) else value


def _not_delimiter(value: str) -> str:
    if value in '"\r\n':
        raise ValueError("cannot be a quotation mark or a line end")
    return value


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH)]
Id = Annotated[str, AS_TEXT, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ID_LENGTH)]
Numbers = Annotated[list[Annotated[Number, BeforeValidator(_whole_number)]], AS_LIST]
Rules = Annotated[Ruleset | None, AS_OBJECT]
SearchText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH)]


def too_many_rules(ruleset: Ruleset | None) -> list[str]:
    """Return the problem of a ruleset, in a list, if Docebo's limit counts all rules of a group."""
    count = sum(len(one.rules) for one in ruleset.sets) if ruleset else 0
    if count <= MAX_RULES:
        return []
    return [f"`ruleset`: it has {count} rules in all, Docebo takes {MAX_RULES} at most (`rules_limit` group)."]


class GroupKey(Key):
    """The parameters that identify one group: an ID, else a name.

    :param group: the result of a task that made or changed it, or a group; sets the parameters that are not set.
    :param group_id: its UUID, or the number that it has in the former groups service (one call more).
    :param name: spaces around it are ignored; one call more, or several.
    """

    result = "group"
    keys = ("group_id", "name")

    group_id: Id | None = None
    name: Name | None = None

    def __str__(self) -> str:
        return f"group {self.group_id}" if self.group_id else f"group {self.name!r}"


class Sources(LookupParameters):
    """The parameters for users from branches and groups.

    :param branch_ids: branches whose users are added.
    :param group_ids: groups whose members are added, by either ID.
    :param identify_by: ``id`` (the user's number), ``email`` or ``username``; the latter are looked up first.
    """

    branch_ids: Numbers = Field(default_factory=list)
    group_ids: Annotated[list[Id], AS_LIST] = Field(default_factory=list)
    identify_by: IdentifyBy = "id"


class CreateGroup(Sources, ReplaceParameters):
    """The parameters of a create.

    :param name: 1 to 255 characters; an existing group is found by it alone.
    :param type: ``manual``, or ``automatic``, which needs a ``ruleset``.
    :param description: of the group.
    :param ruleset: a :class:`~airflow_segments_provider.vendors.docebo.rules.Ruleset`, or the dict of the API. Rules
        that differ from those of the existing group empty and refill it.
    :param exclude_deactivated_users: of an automatic group.
    :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` sets description and ruleset, and
        makes the members of a manual group exactly these users; ``fail`` raises an error.
    """

    name: Name
    type: Literal["manual", "automatic"] = "manual"
    description: str | None = None
    ruleset: Rules = None
    exclude_deactivated_users: bool | None = None
    if_exists: IfExists = "reuse"

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Self:
        if self.type == "automatic" and self.ruleset is None:
            raise ValueError("an automatic group needs a `ruleset`")
        if self.type == "manual" and self.ruleset is not None:
            raise ValueError('a manual group has no `ruleset`; use `type="automatic"`')
        return self

    @model_validator(mode="after")
    def _exact_needs_user_ids(self) -> Self:
        if self.type == "manual" and self.if_exists == "update" and (self.branch_ids or self.group_ids):
            raise ValueError(
                '`if_exists="update"` makes the members exactly `user_ids`, so it cannot be used with `branch_ids` or '
                "`group_ids`"
            )
        return self


class UpdateGroup(GroupKey):
    """The parameters of an update. A parameter that is not set changes nothing.

    :param new_name: 1 to 255 characters; no other group may have it.
    :param description: of the group.
    :param ruleset: as for a create; it replaces the former one.
    :param exclude_deactivated_users: of an automatic group.
    """

    new_name: Name | None = None
    description: str | None = None
    ruleset: Rules = None
    exclude_deactivated_users: bool | None = None

    @model_validator(mode="after")
    def _something_new(self) -> Self:
        values = (self.new_name, self.description, self.ruleset, self.exclude_deactivated_users)
        if all(value is None for value in values):
            raise ValueError(
                "one of `new_name`, `description`, `ruleset` and `exclude_deactivated_users` must be given"
            )
        return self


class DeleteGroup(GroupKey):
    """The parameters of a deletion.

    :param if_missing: ``skip`` accepts a missing group, ``fail`` raises an error.
    """

    if_missing: IfMissing = "skip"


class AddUsers(GroupKey, Sources):
    """The parameters of an addition."""


class RemoveUsers(GroupKey, LookupParameters):
    """The parameters of a removal.

    :param user_all: remove all members, or with ``user_filters`` all that match.
    :param user_filters: ``{"search": "..."}`` or a list of search texts: Docebo's documentation contradicts itself, so
        it is sent unchanged.
    :param identify_by: ``id`` (the user's number), ``email`` or ``username``.
    """

    user_all: bool = False
    user_filters: Annotated[dict[str, Any] | list[str] | None, Field(repr=False), AS_OBJECT] = None
    identify_by: IdentifyBy = "id"

    @model_validator(mode="after")
    def _filters_that_filter(self) -> Self:
        if self.user_filters is not None and not (self.searches and all(text.strip() for text in self.searches)):
            raise ValueError("`user_filters` holds a search without a text, which would find all members")
        return self

    @property
    def searches(self) -> list[str]:
        """The texts of the filters; they may identify users."""
        values = self.user_filters.values() if isinstance(self.user_filters, Mapping) else self.user_filters or ()
        return [value if isinstance(value, str) else "" for value in values]


class ListGroups(Parameters):
    """The parameters of a list of groups.

    :param search_text: is searched for in key, name and description.
    :param sort_attr: ``name``, ``description`` or ``slug``.
    :param sort_dir: ``asc`` or ``desc``.
    """

    search_text: SearchText | None = None
    sort_attr: Literal["name", "description", "slug"] | None = None
    sort_dir: SortDir | None = None


class ListMembers(GroupKey):
    """The parameters of a list of members.

    :param search_text: as Docebo searches.
    :param sort_attr: ``idst``, ``userid``, ``firstname``, ``lastname`` or ``email``.
    :param sort_dir: ``asc`` or ``desc``.
    """

    search_text: SearchText | None = Field(None, repr=False)
    sort_attr: Literal["idst", "userid", "firstname", "lastname", "email"] | None = None
    sort_dir: SortDir | None = None


class ExportUsers(GroupKey):
    """The parameters of an export.

    :param columns: of ``userid`` (the username), ``firstname``, ``lastname`` and ``email``; written in this order.
    :param include_header: begin with the names of the columns.
    :param delimiter: one character.
    """

    columns: Annotated[tuple[Column, ...], AS_LIST, Field(min_length=1)] = ("userid", "email")
    include_header: bool = True
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1), AfterValidator(_not_delimiter)] = ","


class ConvertGroupIds(Parameters):
    """The parameters of a conversion of IDs.

    :param ids: UUIDs, and numbers of the former groups service.
    """

    ids: Annotated[list[Id], AS_LIST]


class FindUsers(Parameters):
    """The parameters of a look-up of users.

    :param by: ``email``, ``username`` or ``id``.
    """

    by: IdentifyBy = "email"
