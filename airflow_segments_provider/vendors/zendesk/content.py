"""Lists of Zendesk user segments, and the content that segments restrict."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import InvalidInput, PermissionDenied, VendorError
from airflow_segments_provider.http import UserId
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.vendors.zendesk.api import FIRST_BY_OFFSET, PAGE_SIZE, Half
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey
from airflow_segments_provider.vendors.zendesk.responses import (
    AppliedSegment,
    Article,
    Restricted,
    Section,
    Topic,
    UserSegment,
    UserSegments,
    parse_content,
    parse_segment,
    select,
)

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.parameters import ApplyUserSegment, ListUserSegments


def apply(api: ZendeskApi, write: Write[ApplyUserSegment]) -> AppliedSegment:
    """Restrict an article or a topic to a segment, or open it to all; send no write if it is so already."""
    wanted = write.parameters
    segment = None if wanted.clear else _applicable(api, wanted)
    target = [] if segment is None else [segment.user_segment_id]
    half: Half = "help_center" if wanted.article_id else "community"
    kind = "article" if wanted.article_id else "topic"
    path = (f"{kind}s", str(wanted.article_id or wanted.topic_id))
    model: type[Restricted] = Article if wanted.article_id else Topic
    parse = partial(parse_content, model)

    before = api.read_key(api.call(half, "GET", *path), kind, parse)
    changed = before.applied != target
    if changed:
        body = encode({kind: {"user_segment_id": target[0] if target else None}})
        response = api.call(half, "PUT", *path, body=body)
        now = api.read_key(response, kind, parse).applied
        if now != target:
            raise api.unexpected(response, f"the {kind} shows user segments {now} where {target} was sent.")
    return AppliedSegment(
        article_id=wanted.article_id,
        topic_id=wanted.topic_id,
        user_segment_id=target[0] if target else None,
        changed=changed,
    )


def _applicable(api: ZendeskApi, wanted: ApplyUserSegment) -> UserSegment:
    """Return the segment of the parameters, if the plan lets it be applied.

    :raises InvalidInput: it does not. Only reads were sent.
    """
    usable = list(api.listed("help_center", "user_segments", "applicable", parse=parse_segment))
    found = select(usable, wanted.key)
    if found is not None:
        return found
    segment = api.found(wanted.key)
    raise InvalidInput(
        f"The application of user segment {segment.name!r} ({segment.user_segment_id})",
        [f"the plan does not let it be applied (`user_type` {segment.user_type}); see `applicable` segments."],
    )


# Pages of articles that are searched for one segment: 2,000 articles.
MOST_PAGES = 20
SHOWN = 5


def list_segments(api: ZendeskApi, wanted: ListUserSegments) -> UserSegments:
    """Return the segments of one list."""
    if not wanted.applicable and wanted.user_id is None:
        return UserSegments(segments=list(api.segments(wanted.built_in)))
    user = str(wanted.user_id or "")
    path = ("user_segments", "applicable") if wanted.applicable else ("users", UserId(user), "user_segments")
    query = {} if wanted.built_in is None else {"built_in": str(wanted.built_in).lower()}
    found = [
        one
        for one in api.listed("help_center", *path, parse=parse_segment, query=query, user_ids=lambda: [user])
        if wanted.built_in is None or one.built_in == wanted.built_in
    ]
    shared_only = wanted.user_id is not None and not _sees_all(api, wanted.user_id, found)
    return UserSegments(segments=found, shared_only=shared_only)


def _sees_all(api: ZendeskApi, user_id: int, found: list[UserSegment]) -> bool:
    """Return whether the list of a user's segments is complete: for Help Center managers, and for the user's own.

    No field of a user marks a manager, so a single segment is read, as only a manager may.
    """
    try:
        me = api.caller()
    except PermissionDenied:  # a token for the Help Center only
        me = None
    if me is not None and me.user_id == user_id:
        return True
    if not found:
        return me is not None and me.role == "admin"
    try:
        api.segment(found[0].user_segment_id)
    except PermissionDenied:
        return False
    return True


def sections(api: ZendeskApi, key: UserSegmentKey) -> Iterator[Section]:
    """Return the sections of a segment; only this list has no cursor."""
    user_segment_id = _id_of(api, key)
    parse = partial(parse_content, Section)
    path = ("user_segments", user_segment_id, "sections")
    return api.listed("help_center", *path, parse=parse, first=FIRST_BY_OFFSET)


def topics(api: ZendeskApi, key: UserSegmentKey) -> Iterator[Topic]:
    """Return the topics of a segment."""
    user_segment_id = _id_of(api, key)
    return api.listed("help_center", "user_segments", user_segment_id, "topics", parse=partial(parse_content, Topic))


def _id_of(api: ZendeskApi, key: UserSegmentKey) -> str:
    return str(key.user_segment_id or api.found(key).user_segment_id)


def where_used(api: ZendeskApi, segment: UserSegment) -> str:
    """Return a sentence about where a segment is applied, or an empty text if nothing was found.

    No list has the articles of a segment, so the list of all articles is searched.
    """
    key = UserSegmentKey(user_segment_id=segment.user_segment_id)
    try:
        found = [
            _shown("section", [(one.id, one.name) for one in sections(api, key)]),
            _shown("topic", [(one.id, one.name) for one in topics(api, key)]),
        ]
        articles, complete = _articles(api, segment.user_segment_id)
    except VendorError as error:
        return f"Where it is used could not be read: {error}"
    found.append(_shown("article", [(one.id, one.title) for one in articles]))
    uses = "; ".join(part for part in found if part)
    rest = "" if complete else f" Only the first {MOST_PAGES * PAGE_SIZE:,} articles were looked through."
    return f"It is used by {uses}.{rest}" if uses else rest.strip()


def _articles(api: ZendeskApi, user_segment_id: int) -> tuple[list[Article], bool]:
    """Return the articles of a segment among the first ones, and whether there are no more."""
    articles = api.listed("help_center", "articles", parse=partial(parse_content, Article))
    found = [one for one in islice(articles, MOST_PAGES * PAGE_SIZE) if user_segment_id in one.applied]
    return found, next(articles, None) is None


def _shown(kind: str, named: list[tuple[int, str | None]]) -> str:
    if not named:
        return ""
    shown = ", ".join(f"{number} {name!r}" if name else str(number) for number, name in named[:SHOWN])
    more = f" and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
    return f"{kind if len(named) == 1 else f'{kind}s'} {shown}{more}"
