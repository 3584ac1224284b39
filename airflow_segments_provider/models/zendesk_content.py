"""What user segments are applied to: articles, topics and sections of a Zendesk Help Center.

Published at https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/ and topics/.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.models.zendesk import Id, Name, UserSegmentKey
from airflow_segments_provider.vendors.base.parameters import Given, with_result


class ApplyUserSegment(Given):
    """What an application of a segment is given."""

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
        """What names the segment."""
        return UserSegmentKey(user_segment_id=self.user_segment_id, name=self.name)


class AppliedSegment(BaseModel):
    """What was applied to what: the small result of its task.

    :param user_segment_id: None where everybody may see it now, anonymous visitors included.
    :param changed: False where it was so already.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    article_id: int | None = None
    topic_id: int | None = None
    user_segment_id: int | None = None
    changed: bool


class Content(BaseModel):
    """An article, topic or section, with whatever Zendesk says of it besides."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="allow")

    id: int
    name: str | None = None
    html_url: str | None = None


class Section(Content):
    """A section of the Help Center."""


class Restricted(Content):
    """What a segment can be applied to.

    :param user_segment_ids: on plans where an article may have several; None on others.
    """

    user_segment_id: int | None = None
    user_segment_ids: list[int] | None = None

    @property
    def applied(self) -> list[int]:
        """The segments whose people may see it; empty where everybody may."""
        one = [] if self.user_segment_id is None else [self.user_segment_id]
        return list(dict.fromkeys([*one, *(self.user_segment_ids or [])]))


class Topic(Restricted):
    """A topic of the community."""


class Article(Restricted):
    """An article."""

    title: str | None = None


Kind = TypeVar("Kind", bound=Content)


def parse_content(model: type[Kind], entry: Any) -> Kind:
    """An article, topic or section in an answer.

    :raises UnexpectedReply: it has no id, or a field of another type.
    """
    what = f"{'an' if model is Article else 'a'} {model.__name__.lower()}"
    if not isinstance(entry, Mapping):
        raise UnexpectedReply(f"Zendesk's answer holds something else than {what}.")
    with suppress(ValidationError):
        return model.model_validate(entry)
    raise UnexpectedReply(f"Zendesk's answer holds {what} that cannot be read.")
