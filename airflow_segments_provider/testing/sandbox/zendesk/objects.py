"""The objects of Zendesk's replies; their constant fields are those of recorded accounts, in ``replies.json``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow_segments_provider.testing.sandbox.documents import load
from airflow_segments_provider.testing.sandbox.messages import Call
from airflow_segments_provider.testing.sandbox.zendesk.constants import COMMUNITY, HELP_CENTER, PREFIX, SUPPORT
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings
from airflow_segments_provider.testing.sandbox.zendesk.state import (
    ContentRecord,
    GroupRecord,
    JobRecord,
    OrganizationRecord,
    Record,
    SegmentRecord,
    UserRecord,
)

LOCALE = "en-us"
_ROLE_TYPES = {"end-user": None, "agent": 0, "admin": 4}
_NO_WORD = re.compile(r"\W+")


def segment_object(segment: SegmentRecord, call: Call, settings: ZendeskSettings) -> dict[str, object]:
    """Return a user segment."""
    keys = ("id", "user_type", "group_ids", "organization_ids", "tags", "or_tags", "added_user_ids", "name", "built_in")
    shown = {key: getattr(segment, key) for key in keys} | _times(segment)
    return {key: value for key, value in shown.items() if key not in settings.absent_fields}


def user_object(user: UserRecord, call: Call, settings: ZendeskSettings) -> dict[str, object]:
    """Return a user."""
    return _filled(
        "user",
        user,
        url=f"{call.origin}{SUPPORT}/users/{user.id}.json",
        email=user.email,
        organization_id=user.organization_ids[0] if user.organization_ids else None,
        role=user.role,
        external_id=user.external_id,
        tags=user.tags,
        suspended=user.suspended,
        role_type=_ROLE_TYPES[user.role],
        moderator=user.is_staff,
        ticket_restriction=None if user.is_staff else "requested",
        restricted_agent=not user.is_staff,
        default_group_id=user.group_ids[0] if user.group_ids else None,
        report_csv=user.is_staff,
    )


def anonymous_object(settings: ZendeskSettings) -> dict[str, object]:
    """Return the user that represents an unauthenticated caller."""
    return {"id": settings.anonymous_user_id, "name": "Anonymous user", "email": None, "role": "end-user", "tags": []}


def organization_object(organization: OrganizationRecord, call: Call, settings: ZendeskSettings) -> dict[str, object]:
    """Return an organization."""
    url = f"{call.origin}{SUPPORT}/organizations/{organization.id}.json"
    return {"id": organization.id, "url": url, "name": organization.name, "tags": organization.tags} | _times(
        organization
    )


def group_object(group: GroupRecord, call: Call, settings: ZendeskSettings) -> dict[str, object]:
    """Return a group of agents."""
    url = f"{call.origin}{SUPPORT}/groups/{group.id}.json"
    return {"id": group.id, "url": url, "name": group.name, "deleted": False} | _times(group)


def article_object(article: ContentRecord, call: Call, settings: ZendeskSettings) -> dict[str, object]:
    """Return an article."""
    place = f"{article.id}-{_NO_WORD.sub('-', article.name).strip('-')}"
    several = {"user_segment_ids": article.user_segment_ids} if settings.several_segments else {}
    return _filled(
        "article",
        article,
        url=f"{call.origin}{HELP_CENTER}/{LOCALE}/articles/{place}.json",
        html_url=f"{call.origin}{PREFIX}/hc/{LOCALE}/articles/{place}",
        section_id=article.section_id,
        edited_at=time_text(article.created_at),
        title=article.name,
        user_segment_id=article.user_segment_id,
        **several,
    )


def topic_object(topic: ContentRecord, call: Call, settings: ZendeskSettings) -> dict[str, object]:
    """Return a topic of the community."""
    url = f"{call.origin}{COMMUNITY}/topics/{topic.id}.json"
    html_url = f"{call.origin}{PREFIX}/hc/{LOCALE}/community/topics/{topic.id}"
    return _filled("topic", topic, url=url, html_url=html_url, user_segment_id=topic.user_segment_id)


def section_object(section: ContentRecord, call: Call, settings: ZendeskSettings) -> dict[str, object]:
    """Return a section; its segment is not part of it."""
    url = f"{call.origin}{HELP_CENTER}/{LOCALE}/sections/{section.id}.json"
    return _filled("section", section, url=url, html_url=f"{call.origin}{PREFIX}/hc/{LOCALE}/sections/{section.id}")


def job_object(job: JobRecord, now: float, call: Call) -> dict[str, object]:
    """Return a job at a time; minus infinity is the time of its creation, however soon it starts."""
    shown: dict[str, object] = {
        "id": job.id,
        "job_type": "Bulk Update User",
        "url": f"{call.origin}{SUPPORT}/job_statuses/{job.id}.json",
        "total": len(job.rows),
        "progress": None,
        "status": "queued",
        "message": None,
        "results": None,
    }
    done = job.due_rows(now)
    if now >= job.ends_at:
        ended = datetime.fromtimestamp(job.ends_at, UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
        shown |= {"status": "completed", "progress": len(job.rows), "message": f"Completed at {ended}"}
        shown["results"] = job.results
        if job.fails:
            shown |= {"status": "failed", "message": f"Failed at {ended}", "results": None}
    elif now >= job.starts_at:
        shown |= {"status": "working", "progress": done, "message": f"Updating user #{done}"}
    return shown


SHOWN: dict[str, Callable[[Any, Call, ZendeskSettings], dict[str, object]]] = {
    "users": user_object,
    "organizations": organization_object,
    "groups": group_object,
    "user_segments": segment_object,
    "articles": article_object,
    "topics": topic_object,
    "sections": section_object,
}


def time_text(seconds: float) -> str:
    """Return a time as Zendesk writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _filled(kind: str, record: UserRecord | ContentRecord, **fields: object) -> dict[str, object]:
    constant: dict[str, object] = load("zendesk", "replies")[kind]
    return constant | {"id": record.id, "name": record.name, **_times(record), **fields}


def _times(record: Record) -> dict[str, object]:
    return {"created_at": time_text(record.created_at), "updated_at": time_text(record.updated_at)}
