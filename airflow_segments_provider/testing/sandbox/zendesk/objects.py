"""The objects of Zendesk's replies."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from airflow_segments_provider.testing.sandbox.zendesk.ask import Ask
from airflow_segments_provider.testing.sandbox.zendesk.constants import COMMUNITY, HELP_CENTER, PREFIX, SUPPORT
from airflow_segments_provider.testing.sandbox.zendesk.records import (
    ContentRecord,
    GroupRecord,
    OrganizationRecord,
    SegmentRecord,
    UserRecord,
)
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings

LOCALE = "en-us"
_ROLE_TYPES = {"end-user": None, "agent": 0, "admin": 4}
_NO_WORD = re.compile(r"\W+")


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
    """Return a user, with the fields of recorded ones."""
    return {
        "id": user.id,
        "url": f"{ask.origin}{SUPPORT}/users/{user.id}.json",
        "name": user.name,
        "email": user.email,
        **_times(user),
        "time_zone": "America/New_York",
        "iana_time_zone": "America/New_York",
        "phone": None,
        "shared_phone_number": None,
        "photo": None,
        "locale_id": 1,
        "locale": "en-US",
        "organization_id": user.organization_ids[0] if user.organization_ids else None,
        "role": user.role,
        "verified": True,
        "external_id": user.external_id,
        "tags": user.tags,
        "alias": None,
        "active": True,
        "shared": False,
        "shared_agent": False,
        "last_login_at": None,
        "two_factor_auth_enabled": None,
        "signature": None,
        "details": None,
        "notes": None,
        "role_type": _ROLE_TYPES[user.role],
        "custom_role_id": None,
        "moderator": user.is_staff,
        "ticket_restriction": None if user.is_staff else "requested",
        "only_private_comments": False,
        "restricted_agent": not user.is_staff,
        "suspended": False,
        "default_group_id": user.group_ids[0] if user.group_ids else None,
        "report_csv": user.is_staff,
        "user_fields": {},
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
    """Return an article, with the fields of recorded ones."""
    place = f"{article.id}-{_NO_WORD.sub('-', article.name).strip('-')}"
    shown: dict[str, object] = {
        "id": article.id,
        "url": f"{ask.origin}{HELP_CENTER}/{LOCALE}/articles/{place}.json",
        "html_url": f"{ask.origin}{PREFIX}/hc/{LOCALE}/articles/{place}",
        "author_id": 1,
        "comments_disabled": False,
        "content_tag_ids": [],
        "label_names": [],
        "draft": False,
        "promoted": False,
        "position": 0,
        "vote_sum": 0,
        "vote_count": 0,
        "section_id": article.section_id,
        **_times(article),
        "edited_at": time_text(article.created_at),
        "name": article.name,
        "title": article.name,
        "body": "",
        "source_locale": LOCALE,
        "locale": LOCALE,
        "outdated": False,
        "outdated_locales": [],
        "permission_group_id": 1,
        "user_segment_id": article.user_segment_id,
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
