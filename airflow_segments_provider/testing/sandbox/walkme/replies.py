"""How WalkMe's answers look, in each form that a setting may choose."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_segments_provider.testing.sandbox.messages import Reply, json_reply
from airflow_segments_provider.testing.sandbox.walkme import guids
from airflow_segments_provider.testing.sandbox.walkme.constants import SEGMENT_PATH
from airflow_segments_provider.testing.sandbox.walkme.records import SegmentRecord
from airflow_segments_provider.testing.sandbox.walkme.settings import WalkMeSettings


def token_reply(token: str, settings: WalkMeSettings) -> Reply:
    """Answer a token call."""
    body: dict[str, object] = {"access_token": token, "token_type": settings.token_type}
    lifetime = int(settings.token_lifetime)
    if settings.expires_in_as != "absent":
        body["expires_in"] = str(lifetime) if settings.expires_in_as == "string" else lifetime
    if settings.scope_in_token:
        body["scope"] = " ".join(settings.scopes)
    return json_reply(200, body, {"cache-control": "no-store"})


def create_reply(segment: SegmentRecord, settings: WalkMeSettings) -> Reply:
    """Answer a creation."""
    guid, status = guids.spelled(segment.guid, settings.guid_form), settings.create_status
    if settings.create_reply == "none":
        return Reply(status)
    if settings.create_reply == "location":
        system, path_guid = guids.hyphenated(segment.system), guids.hyphenated(segment.guid)
        return Reply(status, headers={"location": SEGMENT_PATH.format(system=system, segment=path_guid)})
    bodies: dict[str, dict[str, object]] = {
        "guid": segment_object(segment, settings),
        "segment_guid": {"segmentGuid": guid, "id": segment.external_id, "name": segment.name},
        "id": {"id": guid, "name": segment.name},
        "external_id_only": {"id": segment.external_id, "name": segment.name},
    }
    return json_reply(status, bodies[settings.create_reply])


def update_reply(segment: SegmentRecord, settings: WalkMeSettings) -> Reply:
    """Answer a change of members."""
    if settings.update_reply == "200":
        return json_reply(200, segment_object(segment, settings))
    return Reply({"200_empty": 200, "202": 202, "204": 204}[settings.update_reply])


def list_reply(segments: Sequence[SegmentRecord], settings: WalkMeSettings) -> Reply:
    """Answer a listing; members are never part of it."""
    found = [segment_object(segment, settings) for segment in segments]
    return json_reply(200, found if settings.list_reply == "array" else {settings.list_reply: found})


def segment_object(segment: SegmentRecord, settings: WalkMeSettings) -> dict[str, object]:
    """Return the object that stands for a segment; the external id is null where there is none."""
    return {
        "guid": guids.spelled(segment.guid, settings.guid_form),
        "id": segment.external_id,
        "name": segment.name,
    }
