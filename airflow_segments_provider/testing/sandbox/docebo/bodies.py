"""The bodies and queries that Docebo accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from airflow_segments_provider.testing.sandbox.docebo.constants import MAX_NAME_CHARACTERS
from airflow_segments_provider.testing.sandbox.docebo.rules import Ruleset, settings_of
from airflow_segments_provider.testing.sandbox.docebo.state import GroupType


def _encodable(text: str) -> str:
    # JSON may spell half of a surrogate pair, which is not a character: a ValueError.
    text.encode()
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


_Text = Annotated[str, AfterValidator(_encodable)]
_Length = Field(min_length=1, max_length=MAX_NAME_CHARACTERS)
_Name = Annotated[str, _Length, AfterValidator(_encodable), AfterValidator(_not_blank)]
_Ids = list[Annotated[int, Field(gt=0, le=2**63 - 1)]]


class Body(BaseModel):
    """A body; the context of its validation is the settings."""

    model_config = ConfigDict(strict=True, extra="forbid")

    def given(self) -> dict[str, Any]:
        """Return the fields that the body has, without null."""
        found = self.model_dump(include=self.model_fields_set)
        return {name: value for name, value in found.items() if value is not None}


class GroupUpdate(Body):
    """The fields of a group that an update may have."""

    name: _Name = ""
    description: _Text | None = None
    ruleset: Ruleset | None = None
    exclude_deactivated_users: bool = False


class NewGroup(GroupUpdate):
    """The fields of a new group."""

    name: _Name
    type: GroupType = "manual"

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Self:
        if settings_of(info).type_required and "type" not in self.model_fields_set:
            raise ValueError("type is missing")
        if (self.type == "automatic") != (self.ruleset is not None):
            raise ValueError("automatic groups must have a ruleset, and no others")
        return self


class _Users(Body):
    user_ids: _Ids = []

    @field_validator("user_ids")
    @classmethod
    def _not_too_many(cls, ids: list[int], info: ValidationInfo) -> list[int]:
        most = settings_of(info).max_user_ids
        if most is not None and len(ids) > most:
            raise ValueError(f"user_ids holds more than {most} ids")
        return ids


class Addition(_Users):
    """The users to add, by themselves and by their branches and groups."""

    branch_ids: _Ids = []
    group_ids: _Ids = []

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("one of user_ids, branch_ids, group_ids must be given")
        return self


class Removal(_Users):
    """The users to remove; all of them are narrowed by the searches."""

    user_all: bool = False
    user_filters: Any = None

    @model_validator(mode="after")
    def _complete(self, info: ValidationInfo) -> Self:
        given = self.model_fields_set
        if "user_ids" not in given and (settings_of(info).user_ids_required or not given):
            raise ValueError("user_ids is missing")
        return self

    @field_validator("user_filters")
    @classmethod
    def _searches(cls, value: Any, info: ValidationInfo) -> list[str]:
        form, searches = settings_of(info).user_filters_as, None
        if not value:
            return []
        if isinstance(value, dict) and form != "array" and value.keys() == {"search"}:
            searches = [value["search"]]
        elif isinstance(value, list) and form != "object":
            searches = value
        if searches is None or not all(isinstance(text, str) and _encodable(text).strip() for text in searches):
            raise ValueError("user_filters must be a search text or several, none empty")
        return searches


@dataclass(frozen=True)
class Page:
    """The part of a list that a query asks for; ``sort`` is a column of the list."""

    number: int
    size: int
    search: str
    sort: str
    descending: bool = False

    def order(self, column: str | None = None) -> str:
        """Return ORDER BY and LIMIT in SQL; equal rows keep one order over all pages."""
        way = "DESC" if self.descending else "ASC"
        first = column or self.sort
        return f" ORDER BY {first} {way}, idst {way} LIMIT {self.size} OFFSET {(self.number - 1) * self.size}"

    def matching(self, *columns: str) -> tuple[str, list[str]]:
        """Return the condition that one of the columns contains the searched text, and its parameters."""
        return containing(self.search, *columns)


def containing(text: str, *columns: str) -> tuple[str, list[str]]:
    """Return the condition that one of the columns contains a text in any case, and its parameters."""
    if not text:
        return "1", []
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    condition = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns)
    return f"({condition})", [f"%{escaped}%"] * len(columns)
