"""Applying a Zendesk user segment to an article or a topic."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.zendesk_endpoints import Half
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.models.zendesk import UserSegment, parse_segment, select
from airflow_segments_provider.models.zendesk_content import AppliedSegment, Article, Restricted, Topic, parse_content

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.zendesk_endpoints import ZendeskEndpoints
    from airflow_segments_provider.models.zendesk_content import ApplyUserSegment


def apply(endpoints: ZendeskEndpoints, wanted: ApplyUserSegment) -> AppliedSegment:
    """Restrict an article or a topic to a segment, or open it to all; no write where it is so already."""
    segment = None if wanted.clear else _applicable(endpoints, wanted)
    target = [] if segment is None else [segment.user_segment_id]
    half: Half = "help_center" if wanted.article_id else "community"
    kind = "article" if wanted.article_id else "topic"
    path = (f"{kind}s", str(wanted.article_id or wanted.topic_id))
    model: type[Restricted] = Article if wanted.article_id else Topic
    parse = partial(parse_content, model)

    before = endpoints.read(endpoints.call(half, "GET", *path), kind, parse)
    changed = before.applied != target
    if changed:
        body = encode({kind: {"user_segment_id": target[0] if target else None}})
        reply = endpoints.call(half, "PUT", *path, body=body)
        now = endpoints.read(reply, kind, parse).applied
        if now != target:
            raise endpoints.unexpected(reply, f"the {kind} shows user segments {now} where {target} was sent.")
    return AppliedSegment(
        article_id=wanted.article_id,
        topic_id=wanted.topic_id,
        user_segment_id=target[0] if target else None,
        changed=changed,
    )


def _applicable(endpoints: ZendeskEndpoints, wanted: ApplyUserSegment) -> UserSegment:
    """The segment that is meant, if the plan lets it be applied.

    :raises InvalidInput: it does not. Only reads were sent.
    """
    usable = list(endpoints.listed("help_center", "user_segments", "applicable", parse=parse_segment))
    found = select(usable, wanted.key)
    if found is not None:
        return found
    segment = endpoints.found(wanted.key)
    raise InvalidInput(
        f"The application of user segment {segment.name!r} ({segment.user_segment_id})",
        [f"the plan does not let it be applied (`user_type` {segment.user_type}); see `applicable` segments."],
    )
