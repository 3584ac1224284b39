"""The objects of Zendesk's replies."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_segments_provider.sandbox.zendesk.ask import Ask
from airflow_segments_provider.sandbox.zendesk.constants import COMMUNITY, HELP_CENTER, PREFIX, SUPPORT
from airflow_segments_provider.sandbox.zendesk.records import (
    ContentRecord,
    GroupRecord,
    OrganizationRecord,
    SegmentRecord,
    UserRecord,
)
from airflow_segments_provider.sandbox.zendesk.settings import ZendeskSettings

LOCALE = "en-us"


def time_text(seconds: float) -> str:
    """Return a moment as Zendesk writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def segment_object(segment: SegmentRecord, settings: ZendeskSettings) -> dict[str, object]:
    """Return a user segment."""
    shown: dict[str, object] = {
        "id": segment.id,
        "user_type": segment.user_type,
        "group_ids": segment.group_ids,
        "organization_ids": segment.organization_ids,
        "tags": segment.tags,
        "or_tags": segment.or_tags,
        "added_user_ids": segment.added_user_ids,
        "name": segment.name,
        "built_in": segment.built_in,
        **_times(segment),
    }
    return {key: value for key, value in shown.items() if key not in settings.absent_fields}


def user_object(user: UserRecord, ask: Ask) -> dict[str, object]:
    """Return a user."""
    return {
        "id": user.id,
        "url": f"{ask.origin}{SUPPORT}/users/{user.id}.json",
        "name": user.name,
        "email": user.email,
        "external_id": user.external_id,
        "role": user.role,
        "active": True,
        "organization_id": user.organization_ids[0] if user.organization_ids else None,
        "default_group_id": user.group_ids[0] if user.group_ids else None,
        "tags": user.tags,
        **_times(user),
    }


def anonymous_object(settings: ZendeskSettings) -> dict[str, object]:
    """Return the user who is nobody."""
    return {"id": settings.anonymous_user_id, "name": "Anonymous user", "email": None, "role": "end-user", "tags": []}


def organization_object(organization: OrganizationRecord, ask: Ask) -> dict[str, object]:
    """Return an organization."""
    return {
        "id": organization.id,
        "url": f"{ask.origin}{SUPPORT}/organizations/{organization.id}.json",
        "name": organization.name,
        "tags": organization.tags,
        **_times(organization),
    }


def group_object(group: GroupRecord, ask: Ask) -> dict[str, object]:
    """Return a group of agents."""
    url = f"{ask.origin}{SUPPORT}/groups/{group.id}.json"
    return {"id": group.id, "url": url, "name": group.name, "deleted": False, **_times(group)}


def article_object(article: ContentRecord, ask: Ask, settings: ZendeskSettings) -> dict[str, object]:
    """Return an article."""
    shown: dict[str, object] = {
        "id": article.id,
        "url": f"{ask.origin}{HELP_CENTER}/{LOCALE}/articles/{article.id}.json",
        "html_url": f"{ask.origin}{PREFIX}/hc/{LOCALE}/articles/{article.id}",
        "title": article.name,
        "body": "",
        "draft": False,
        "locale": LOCALE,
        "source_locale": LOCALE,
        "section_id": article.section_id,
        "user_segment_id": article.user_segment_id,
        **_times(article),
    }
    if settings.several_segments:
        shown["user_segment_ids"] = article.user_segment_ids
    return shown


def topic_object(topic: ContentRecord, ask: Ask) -> dict[str, object]:
    """Return a topic of the community."""
    return {
        "id": topic.id,
        "url": f"{ask.origin}{COMMUNITY}/topics/{topic.id}.json",
        "html_url": f"{ask.origin}{PREFIX}/hc/{LOCALE}/community/topics/{topic.id}",
        "name": topic.name,
        "description": None,
        "position": 0,
        "follower_count": 0,
        "community_id": 1,
        **_times(topic),
        "manageable_by": "managers",
        "user_segment_id": topic.user_segment_id,
    }


def section_object(section: ContentRecord, ask: Ask) -> dict[str, object]:
    """Return a section; its segment is not part of it."""
    return {
        "id": section.id,
        "url": f"{ask.origin}{HELP_CENTER}/{LOCALE}/sections/{section.id}.json",
        "html_url": f"{ask.origin}{PREFIX}/hc/{LOCALE}/sections/{section.id}",
        "name": section.name,
        "description": "",
        "category_id": 1,
        "parent_section_id": None,
        "sorting": "manual",
        "position": 0,
        **_times(section),
        "locale": LOCALE,
        "source_locale": LOCALE,
        "outdated": False,
        "theme_template": "section_page",
    }


def _times(
    record: UserRecord | OrganizationRecord | GroupRecord | SegmentRecord | ContentRecord,
) -> dict[str, object]:
    return {"created_at": time_text(record.created_at), "updated_at": time_text(record.updated_at)}
