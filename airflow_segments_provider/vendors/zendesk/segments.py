"""Update and delete a Zendesk user segment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_segments_provider.errors import (
    AuthenticationError,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    RejectedRequest,
    VendorError,
)
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.vendors.zendesk.content import where_used
from airflow_segments_provider.vendors.zendesk.responses import (
    UserSegment,
    UserSegmentChange,
    custom_named,
    parse_segment,
    select,
)

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.parameters import DeleteUserSegment, UpdateUserSegment


Outcome = Literal["created", "reused", "updated", "deleted"]


def refuse_built_in(segment: UserSegment, what: str) -> None:
    """Refuse to change a built-in segment, as Zendesk does.

    :raises InvalidInput: the segment is built in. It was read, nothing else was sent.
    """
    if segment.built_in:
        raise InvalidInput(
            f"The {what} of user segment {segment.user_segment_id}",
            ["it is built in, and Zendesk does not let users change those. Create one of your own."],
        )


def update_rules(api: ZendeskApi, wanted: UpdateUserSegment) -> UserSegmentChange:
    """Change the name, the type or the rules of a segment."""
    segment = found_to_update(api, wanted)
    refuse_built_in(segment, "update")
    return done(api, put(api, segment, wanted.changes), "updated")


def found_to_update(api: ZendeskApi, wanted: UpdateUserSegment) -> UserSegment:
    """Return the segment to update, also if an earlier try of the task has renamed it."""
    return _to_rename(api, wanted, wanted.new_name) if wanted.new_name else api.found(wanted)


def _to_rename(api: ZendeskApi, wanted: UpdateUserSegment, new_name: str) -> UserSegment:
    """Return the segment to rename, if no other segment has the new name."""
    segments = list(api.segments())
    found, others = select(segments, wanted), custom_named(segments, new_name)
    if found is None and not wanted.user_segment_id and len(others) == 1:
        # An earlier try of the same task has renamed it.
        return others[0]
    if found is None:
        raise api.missing(wanted)
    taken = [one for one in others if one.user_segment_id != found.user_segment_id]
    if taken:
        raise Conflict(
            f"Zendesk has a user segment {new_name!r} already ({taken[0].user_segment_id}), so {wanted} was not "
            "renamed: two segments of one name cannot be found by it. Nothing was changed.",
            vendor=api.vendor,
        )
    return found


def put(api: ZendeskApi, segment: UserSegment, changes: dict[str, Any], *, once: bool = False) -> UserSegment:
    """Change fields of a segment, and return the changed segment."""
    path = ("user_segments", str(segment.user_segment_id))
    body = encode({"user_segment": changes})
    user_ids = changes.get("added_user_ids", ())
    response = api.call("help_center", "PUT", *path, body=body, once=once, user_ids=lambda: map(str, user_ids))
    return api.read_key(response, "user_segment", parse_segment)


def delete(api: ZendeskApi, write: Write[DeleteUserSegment]) -> UserSegmentChange:
    """Delete a segment; if it is missing after a lost response, that request deleted it."""
    wanted = write.parameters
    try:
        segment = api.found(wanted)
    except NotFound as error:
        # Without a status, the list was read and has no such name.
        if error.status is not None and not (wanted.user_segment_id and _is_gone(api, wanted.user_segment_id)):
            raise
        return _missing(api, wanted, error)
    refuse_built_in(segment, "deletion")
    path = ("user_segments", str(segment.user_segment_id))
    try:
        api.call("help_center", "DELETE", *path, may_be_empty=True)
    except NotFound as error:
        if not _is_gone(api, segment.user_segment_id):
            raise error.add_hint("Zendesk still lists the segment, so it was not deleted.") from None
        return done(api, segment, "deleted") if error.maybe_done else _missing(api, wanted, error)
    except (AuthenticationError, RateLimited):
        raise
    except (Conflict, PermissionDenied, RejectedRequest) as error:
        raise _in_use(api, segment, error) from None
    return done(api, segment, "deleted")


def _is_gone(api: ZendeskApi, user_segment_id: int) -> bool:
    """Return whether the list lacks a segment; a 404 may also mean a wrong address, which has no list either."""
    return all(one.user_segment_id != user_segment_id for one in api.segments())


def _missing(api: ZendeskApi, wanted: DeleteUserSegment, error: NotFound) -> UserSegmentChange:
    if wanted.if_missing == "fail":
        raise error.add_hint('To accept a missing segment, use if_missing="skip".')
    return UserSegmentChange(
        user_segment_id=wanted.user_segment_id,
        name=wanted.name,
        outcome="missing",
        requests=api.requests,
        changed_at=datetime.now(UTC),
    )


def _in_use(api: ZendeskApi, segment: UserSegment, error: VendorError) -> VendorError:
    """Return the error of a refused deletion; the refusal for a segment in use is not published, so it may be any."""
    used = where_used(api, segment)
    if isinstance(error, PermissionDenied) and not used.startswith("It is used"):
        return error
    uses = used or "Nothing was found that uses it; permission groups were not looked at."
    return Conflict(
        f"User segment {segment.name!r} ({segment.user_segment_id}) was not deleted. {uses} Remove it there first "
        f"(apply another, or clear it). {error}",
        status=error.status,
        vendor=api.vendor,
        method=error.method,
        path=error.path,
        request_id=error.request_id,
    )


def done(api: ZendeskApi, segment: UserSegment, outcome: Outcome, **more: Any) -> UserSegmentChange:
    """Return the result of a change of a segment."""
    return UserSegmentChange(
        user_segment_id=segment.user_segment_id,
        name=segment.name,
        user_type=segment.user_type,
        outcome=outcome,
        requests=api.requests,
        changed_at=datetime.now(UTC),
        **more,
    )
