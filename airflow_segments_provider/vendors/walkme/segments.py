"""Create, update and delete a WalkMe segment; creating twice results in one."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.vendors.base.creation import Creation
from airflow_segments_provider.vendors.walkme.api import moment_of
from airflow_segments_provider.vendors.walkme.guids import default_external_id, same_id
from airflow_segments_provider.vendors.walkme.parameters import SegmentKey, override_problems
from airflow_segments_provider.vendors.walkme.responses import (
    Segment,
    SegmentChange,
    check_listed,
    named,
    parse_created_guid,
    select,
)

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.walkme.api import WalkMeApi
    from airflow_segments_provider.vendors.walkme.parameters import CreateSegment, DeleteSegment, UpdateSegment

logger = logging.getLogger(__name__)


class SegmentCreation(Creation[Segment, str, SegmentChange]):
    """The creation of a segment with its first users; the others follow.

    The external ID is sent always, so that WalkMe itself refuses a second segment (409) where its list lags.
    """

    noun = "segment"
    unique = True
    api: WalkMeApi

    def __init__(self, api: WalkMeApi, write: Write[CreateSegment]) -> None:
        super().__init__(api, write.parameters.name, write.parameters.if_exists)
        self._write = write
        self._parameters = write.parameters
        self._external_id = self._parameters.external_id or default_external_id(api.system, self._parameters.name)
        self._created_at: datetime | None = None

    @property
    def key(self) -> str:
        """Return the external ID, for messages."""
        return f"external ID {self._external_id!r}"

    def look(self) -> Segment | None:
        """Return the segment with the external ID, else the one of that name.

        :raises Conflict: a segment has one of the two, but not the other.
        """
        segments, name, chosen = self.api.segments(), self._parameters.name, self._parameters.external_id
        for segment in segments:
            if same_id(segment.external_id, self._external_id):
                if segment.name is not None and segment.name.strip() != name:
                    raise self._conflict(
                        f"External ID {self._external_id!r} belongs to segment {segment.name!r}, and WalkMe documents "
                        "no way to rename it. Use that name, or another external ID."
                    )
                return segment
        namesakes = named(segments, name)
        if self._parameters.allow_duplicate_name:
            return None
        if not namesakes:
            check_listed(segments, "name")
            return None
        if len(namesakes) > 1:
            raise self._conflict(
                f"{len(namesakes)} segments have that name and the Editor cannot tell them apart. Delete all but one, "
                "or set the external ID of the one that is meant."
            )
        if chosen and namesakes[0].external_id is not None:
            raise self._conflict(
                f"A segment of that name exists with external ID {namesakes[0].external_id!r}, and the Editor could "
                "not tell two apart. Leave out `external_id` to use that one, or set `allow_duplicate_name=True`."
            )
        return namesakes[0]

    def post(self) -> Response:
        """Create the segment with the first batch of users."""
        first = next(self._write.users.batches(), None)
        head = encode({"id": self._external_id, "name": self._parameters.name})[:-1]
        body = head + b',"userIds":' + (first.json if first else b"[]") + b"}"
        return self.api.write("create", body=body, user_ids=first.ids if first else tuple)

    def ref_of(self, found: Segment) -> str:
        """Return the GUID of a segment."""
        return found.segment_guid

    def ref_in(self, created: Response) -> str | None:
        """Return the GUID in a response."""
        self._created_at = moment_of(created)
        return parse_created_guid(created.json, created.headers, external_id=self._external_id, system=self.api.system)

    def created(self, ref: str) -> SegmentChange:
        """Send the users that the create did not send; all of them if its response was lost."""
        skip = 1 if self._created_at else 0
        if self._created_at is None or self._write.users.requests > skip:
            self._created_at = self.api.send_users(ref, "add", self._write.users, skip=skip)
        return self._result(ref, "created", self._created_at, self._external_id)

    def reused(self, existing: Segment) -> SegmentChange:
        """Add the users to the segment that exists."""
        moment = self.api.send_users(existing.segment_guid, "add", self._write.users)
        return self._result(existing.segment_guid, "reused", moment, existing.external_id)

    def updated(self, existing: Segment) -> SegmentChange:
        """Make the users the only members of the segment that exists."""
        users, allow_empty = self._write.users, self._parameters.allow_empty
        if problems := override_problems(users.users, users.per_request, allow_empty=allow_empty):
            raise InvalidInput(f"WalkMe segment {self._parameters.name!r} exists, and its update", problems)
        moment = self.api.send_users(existing.segment_guid, "override", users)
        return self._result(existing.segment_guid, "updated", moment, existing.external_id)

    def _conflict(self, why: str) -> Conflict:
        return Conflict(
            f"WalkMe segment {self._parameters.name!r} in system {self.api.system} was not created and nothing was "
            f"changed. {why}",
            vendor=self.api.vendor,
        )

    def _result(self, guid: str, outcome: Any, moment: datetime, external_id: str | None) -> SegmentChange:
        users, name = self._write.users.users, self._parameters.name
        return _result(self.api, guid, external_id, name, outcome, moment, users_sent=users, **self._write.left_out)


def create(api: WalkMeApi, write: Write[CreateSegment]) -> SegmentChange:
    """Create a segment, or use the one with its external ID or name."""
    return SegmentCreation(api, write).run()


def update(api: WalkMeApi, write: Write[UpdateSegment]) -> SegmentChange:
    """Find the segment, unless its GUID is known, and send the users."""
    wanted = write.parameters
    guid = wanted.segment_guid
    if guid is None:
        found = select(api.segments(), wanted)
        if found is None:
            raise NotFound(
                f"WalkMe lists no {wanted} in system {api.system}; nothing was changed. Create it first, or use "
                "another.",
                vendor=api.vendor,
            )
        guid, wanted = found.segment_guid, wanted.model_copy(update=found.model_dump())
    moment = api.send_users(guid, wanted.action, write.users)
    users = {"users_sent": write.users.users, **write.left_out}
    return _result(api, guid, wanted.external_id, wanted.name, "updated", moment, **users)


def delete(api: WalkMeApi, write: Write[DeleteSegment]) -> SegmentChange:
    """Delete a segment; where WalkMe does not have the endpoint, empty the segment."""
    return SegmentDeletion(api, write).run()


def _result(
    api: WalkMeApi,
    guid: str | None,
    external_id: str | None,
    name: str | None,
    outcome: Any,
    moment: datetime,
    **users: Any,
) -> SegmentChange:
    """Return the result of a task."""
    return SegmentChange(
        system_guid=api.system,
        segment_guid=guid,
        external_id=external_id,
        name=name,
        outcome=outcome,
        requests=api.requests,
        changed_at=moment,
        **users,
    )


# Amazon's gateway answers an unknown path or method with a 403 about the token's header.
_UNKNOWN_TO_GATEWAY = re.compile(
    r"missing authentication token|authorization header requires|key=value pair", re.IGNORECASE
)
# Reasons of a 400 from a server that has the operation.
_REASON = re.compile(
    r"in use|used (by|in)|depend|permission|not (allowed|permitted) to|protected|locked|read.?only",
    re.IGNORECASE,
)

Outcome = Literal["deleted", "emptied", "missing"]


class SegmentDeletion:
    """The deletion of a segment. WalkMe documents no endpoint, so a missing one leads to emptying the segment."""

    def __init__(self, api: WalkMeApi, write: Write[DeleteSegment]) -> None:
        self._api = api
        self._parameters = write.parameters
        self._no_users = write.users

    def run(self) -> SegmentChange:
        """Delete the segment."""
        parameters, guid = self._parameters, self._parameters.segment_guid
        outcome: Outcome
        if guid is None:
            found = select(self._api.segments(), parameters)
            guid = found.segment_guid if found else None
        if guid is None:
            gone = NotFound(f"WalkMe lists no {parameters} in system {self._api.system}.", vendor="WalkMe")
            outcome, moment = self._missing(gone), datetime.now(UTC)
        else:
            outcome, moment = self._delete(guid)
        return _result(self._api, guid, parameters.external_id, parameters.name, outcome, moment)

    def _delete(self, guid: str) -> tuple[Outcome, datetime]:
        try:
            return "deleted", moment_of(self._api.write("delete", guid))
        except NotFound as error:
            # The 404 may mean that the path does not exist: then the segment is still listed.
            if not self._is_listed(guid):
                return self._missing(error), datetime.now(UTC)
            failure: VendorError = error
        except (RejectedRequest, PermissionDenied, VendorUnavailable) as error:
            if not _is_unknown_operation(error):
                raise
            failure = error
        return self._empty(guid, failure)

    def _empty(self, guid: str, failure: VendorError) -> tuple[Outcome, datetime]:
        """Remove all members in place of a deletion.

        :param failure: the response to the deletion.
        """
        if self._parameters.if_unsupported == "fail":
            raise failure.add_hint(
                f"WalkMe's API seems to have no delete endpoint. Segment {guid} was not emptied either, because of "
                '`if_unsupported="fail"`.'
            )
        instead = f"WalkMe's API has no delete endpoint (status {failure.status})"
        logger.warning("%s; segment %s is emptied instead.", instead, guid)
        try:
            return "emptied", self._api.send_users(guid, "override", self._no_users)
        except NotFound as error:
            if not self._is_listed(guid):
                return self._missing(error), datetime.now(UTC)
            raise
        except VendorError as error:
            raise error.add_hint(f"{instead}, so the segment was to be emptied.") from None

    def _is_listed(self, guid: str) -> bool:
        return select(self._api.segments(), SegmentKey(segment_guid=guid)) is not None

    def _missing(self, error: NotFound) -> Outcome:
        # If the response to the first try was lost, the repeat is 404 because the first try deleted the segment.
        if error.maybe_done:
            return "deleted"
        if self._parameters.if_missing == "skip":
            return "missing"
        raise error.add_hint('To accept a missing segment, use if_missing="skip".') from None


def _is_unknown_operation(error: VendorError) -> bool:
    """Return whether the operation does not exist, rather than is not permitted."""
    if error.status == 403:
        return _UNKNOWN_TO_GATEWAY.search(error.message) is not None
    if error.status == 400:
        return _REASON.search(error.message) is None
    return error.status in (405, 501)
