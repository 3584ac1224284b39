"""Apply Zendesk user segments to articles and topics, and list what they are applied to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.operators.zendesk_operator import ZendeskUserSegmentOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = [
    "ZendeskApplyUserSegmentOperator",
    "ZendeskListUserSegmentSectionsOperator",
    "ZendeskListUserSegmentTopicsOperator",
]


class ZendeskApplyUserSegmentOperator(ZendeskUserSegmentOperator):
    """Let only the people of a user segment see an article or a topic, or let everybody see it again.

    Returns ``article_id, topic_id, user_segment_id, changed``. The segment takes the place of every other one there.
    Refused where the plan does not let the segment be applied.

    :param article_id: one of this and ``topic_id``.
    :param clear: without a segment: everybody sees it, visitors who are not signed in included.
    """

    template_fields: Sequence[str] = (
        *ZendeskUserSegmentOperator.template_fields,
        "article_id",
        "topic_id",
        "clear",
    )

    def __init__(
        self,
        *,
        article_id: int | str | None = None,
        topic_id: int | str | None = None,
        clear: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.article_id = article_id
        self.topic_id = topic_id
        self.clear = clear

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply the segment."""
        self.push_link(context, self.hook.help_center_url)
        applied = self.hook.apply_user_segment(
            article_id=self.article_id,
            topic_id=self.topic_id,
            clear=self.clear,  # type: ignore[arg-type]
            **self.key,
        )
        self.log.info(
            "%s %s: %s%s.",
            "Topic" if applied.article_id is None else "Article",
            applied.article_id or applied.topic_id,
            "everybody may see it"
            if applied.user_segment_id is None
            else f"only user segment {applied.user_segment_id} may see it",
            "" if applied.changed else ", as before",
        )
        return applied.model_dump(mode="json")


class ZendeskListUserSegmentSectionsOperator(ZendeskUserSegmentOperator):
    """List the sections that a user segment is applied to: ``[{id, name, html_url}, …]``."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the sections."""
        self.push_link(context, self.hook.help_center_url)
        found = [
            section.model_dump(mode="json", include={"id", "name", "html_url"})
            for section in self.hook.get_sections(**self.key)
        ]
        self.log.info("The user segment is applied to %d sections.", len(found))
        return found


class ZendeskListUserSegmentTopicsOperator(ZendeskUserSegmentOperator):
    """List the topics that a user segment is applied to: ``[{id, name, html_url}, …]``."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the topics."""
        self.push_link(context, self.hook.help_center_url)
        found = [
            topic.model_dump(mode="json", include={"id", "name", "html_url"})
            for topic in self.hook.get_topics(**self.key)
        ]
        self.log.info("The user segment is applied to %d topics.", len(found))
        return found
