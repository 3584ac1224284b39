"""Create, update and delete a WalkMe segment; creating twice results in one."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.vendors.base.creation import create_once, look_patiently
from airflow_segments_provider.vendors.walkme.api import moment_of
from airflow_segments_provider.vendors.walkme.guids import default_external_id, same_id
from airflow_segments_provider.vendors.walkme.parameters import SegmentKey, limits
from airflow_segments_provider.vendors.walkme.responses import (
    Segment,
    SegmentChange,
    check_listed,
    named,
    parse_created_guid,
    select,
)

if TYPE_CHECKING:
    from typing import Literal

    from airflow_segments_provider.http import Reply
    from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch
    from airflow_segments_provider.vendors.walkme.api import SegmentEndpoints
    from airflow_segments_provider.vendors.walkme.parameters import CreateSegment, DeleteSegment, UpdateSegment


logger = logging.getLogger(__name__)


class SegmentCreation:
    """One create: look, create if it is not there, look again after any answer that leaves doubt, send the rest.

    The external id is sent always, so that WalkMe itself refuses a second segment (409) where its list lags.
    """

    def __init__(self, endpoints: SegmentEndpoints, wanted: CreateSegment, staged: StagedUserIds) -> None:
        self._endpoints = endpoints
        self._wanted = wanted
        self._staged = staged
        self._external_id = wanted.external_id or default_external_id(endpoints.system, wanted.name)

    def run(self) -> SegmentChange:
        """Carry it out.

        :raises Conflict: the name or external id is taken in a way that ``if_exists`` does not allow.
        """
        existing = self._look()
        return self._use(existing) if existing else self._create()

    def _match(self, segments: list[Segment]) -> Segment | None:
        """The segment that is meant among those that exist."""
        name, chosen = self._wanted.name, self._wanted.external_id
        for segment in segments:
            if same_id(segment.external_id, self._external_id):
                if segment.name is not None and segment.name.strip() != name:
                    raise self._conflict(
                        f"External id {self._external_id!r} belongs to segment {segment.name!r}, and WalkMe publishes "
                        "no way to rename it. Give that name, or another external id."
                    )
                return segment
        namesakes = named(segments, name)
        if self._wanted.allow_duplicate_name:
            return None
        if not namesakes:
            check_listed(segments, "name")
            return None
        if len(namesakes) > 1:
            raise self._conflict(
                f"{len(namesakes)} segments have that name and the Editor cannot tell them apart. Delete all but one, "
                "or give the external id of the one that is meant."
            )
        if chosen and namesakes[0].external_id is not None:
            raise self._conflict(
                f"A segment of that name exists with external id {namesakes[0].external_id!r}, and the Editor could "
                "not tell two apart. Leave out `external_id` to use that one, or set `allow_duplicate_name=True`."
            )
        return namesakes[0]

    def _use(self, existing: Segment) -> SegmentChange:
        """What ``if_exists`` says of a segment that is there."""
        if self._wanted.if_exists == "fail":
            raise self._conflict(
                f"It exists ({existing.segment_guid}). If an earlier try of this task made it, "
                'if_exists="reuse" goes on from there.'
            )
        action: Literal["add", "override"] = "add"
        if self._wanted.if_exists == "update":
            action = "override"
            staged, allow_empty = self._staged, self._wanted.allow_empty
            if problems := limits(action, staged.users, staged.per_request, allow_empty=allow_empty):
                raise InvalidInput(f"WalkMe segment {self._wanted.name!r} exists, and its update", problems)
        logger.info("WalkMe segment %r exists (%s).", self._wanted.name, existing.segment_guid)
        moment = self._endpoints.send_users(existing.segment_guid, action, self._staged)
        outcome: Literal["reused", "updated"] = "reused" if action == "add" else "updated"
        return self._result(existing.segment_guid, outcome, moment, external_id=existing.external_id)

    def _create(self) -> SegmentChange:
        first, users = next(self._staged.batches(), None), self._staged.users
        made = create_once(
            self._endpoints.client,
            lambda: self._post(first),
            self._look,
            what=f"segment {self._wanted.name!r}",
            key=f"external id {self._external_id!r}",
            unsent=f"Segment {self._wanted.name!r} was not created, and none of {users:,} user ids was sent.",
        )
        if made.reply is not None:
            guid = parse_created_guid(
                made.reply.json, made.reply.headers, external_id=self._external_id, system=self._endpoints.system
            )
            return self._complete(guid or self._new_guid(made.reply), moment=moment_of(made.reply))
        if made.found is None:
            raise AssertionError("a creation has an answer, or something was found")
        # Created by the request whose answer was lost, or by somebody else at the same moment.
        return self._complete(made.found.segment_guid, moment=None) if made.ours else self._use(made.found)

    def _post(self, first: UserIdBatch | None) -> Reply:
        """Create with the first batch of people."""
        head = encode({"id": self._external_id, "name": self._wanted.name})[:-1]
        body = head + b',"userIds":' + (first.json if first else b"[]") + b"}"
        return self._endpoints.write("create", body=body, people=first.ids if first else tuple)

    def _new_guid(self, created: Reply) -> str:
        """The GUID of the segment just created, from the list."""
        said = (
            f"WalkMe answered {created.call} with status {created.status}, so segment {self._wanted.name!r} may exist "
            "now, but the answer does not have its GUID (expected: `guid`)"
        )
        try:
            found = look_patiently(self._endpoints.client, self._look)
        except VendorError as error:
            error.maybe_done = True
            raise error.advise(f"{said}, and the list could not be used. Look for the segment in WalkMe.") from None
        if found is None:
            raise UnexpectedReply(
                f"{said}, and the list does not have the segment yet. Run the task again in some minutes: it will find "
                f"it and go on from there. The Airflow connection is {self._endpoints.conn_id!r}.",
                maybe_done=True,
                **created.facts,
            )
        return found.segment_guid

    def _complete(self, guid: str, *, moment: datetime | None) -> SegmentChange:
        """Send what the create did not carry; all of it, where the create's answer was lost."""
        logger.info("WalkMe segment %r created (%s).", self._wanted.name, guid)
        skip = 1 if moment else 0
        if moment is None or self._staged.requests > skip:
            moment = self._endpoints.send_users(guid, "add", self._staged, skip=skip)
        return self._result(guid, "created", moment, external_id=self._external_id)

    def _look(self) -> Segment | None:
        return self._match(self._endpoints.segments())

    def _conflict(self, why: str) -> Conflict:
        return Conflict(
            f"WalkMe segment {self._wanted.name!r} in system {self._endpoints.system} was not created and nothing was "
            f"changed. {why}",
            vendor="WalkMe",
        )

    def _result(
        self, guid: str, outcome: Literal["created", "reused", "updated"], moment: datetime, *, external_id: str | None
    ) -> SegmentChange:
        return SegmentChange(
            system_guid=self._endpoints.system,
            segment_guid=guid,
            external_id=external_id,
            name=self._wanted.name,
            outcome=outcome,
            users_sent=self._staged.users,
            users_rejected=dict(self._staged.invalid),
            requests=self._endpoints.requests,
            changed_at=moment,
        )


def update(endpoints: SegmentEndpoints, wanted: UpdateSegment, staged: StagedUserIds) -> SegmentChange:
    """Find the segment, unless its GUID is known, and send the people."""
    guid = wanted.segment_guid
    if guid is None:
        found = select(endpoints.segments(), wanted)
        if found is None:
            raise NotFound(
                f"WalkMe lists no {wanted} in system {endpoints.system}; nothing was changed. Create it first, or name "
                "another.",
                vendor="WalkMe",
            )
        guid, wanted = found.segment_guid, wanted.model_copy(update=found.model_dump())
    moment = endpoints.send_users(guid, wanted.action, staged)
    return SegmentChange(
        system_guid=endpoints.system,
        segment_guid=guid,
        external_id=wanted.external_id,
        name=wanted.name,
        outcome="updated",
        users_sent=staged.users,
        users_rejected=dict(staged.invalid),
        requests=endpoints.requests,
        changed_at=moment,
    )


# Amazon's gateway answers an unknown path or method with 403, and blames the header of the token.
_UNKNOWN_TO_GATEWAY = re.compile(
    r"missing authentication token|authorization header requires|key=value pair", re.IGNORECASE
)
# The reasons of a 400 that only a server that knows the operation can give.
_REASON = re.compile(
    r"in use|used (by|in)|depend|permission|not (allowed|permitted) to|protected|locked|read.?only",
    re.IGNORECASE,
)

Outcome = Literal["deleted", "emptied", "missing"]


class SegmentDeletion:
    """One deletion: call the obvious endpoint; where it turns out not to exist, empty the segment."""

    def __init__(self, endpoints: SegmentEndpoints, wanted: DeleteSegment, nobody: StagedUserIds) -> None:
        self._endpoints = endpoints
        self._wanted = wanted
        self._nobody = nobody

    def run(self) -> SegmentChange:
        """Carry it out."""
        guid = self._wanted.segment_guid
        outcome: Outcome
        if guid is None:
            found = select(self._endpoints.segments(), self._wanted)
            guid = found.segment_guid if found else None
        if guid is None:
            gone = NotFound(f"WalkMe lists no {self._wanted} in system {self._endpoints.system}.", vendor="WalkMe")
            outcome, moment = self._missing(gone), datetime.now(UTC)
        else:
            outcome, moment = self._delete(guid)
        return SegmentChange(
            system_guid=self._endpoints.system,
            segment_guid=guid,
            external_id=self._wanted.external_id,
            name=self._wanted.name,
            outcome=outcome,
            requests=self._endpoints.requests,
            changed_at=moment,
        )

    def _delete(self, guid: str) -> tuple[Outcome, datetime]:
        try:
            return "deleted", moment_of(self._endpoints.write("delete", guid))
        except NotFound as error:
            # It may be a gateway's, of a path that it does not know: then the segment is still there.
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
        if self._wanted.if_unsupported == "fail":
            raise failure.advise(
                f"WalkMe seems to offer no deletion by its API. Segment {guid} was not emptied either, because of "
                '`if_unsupported="fail"`.'
            )
        instead = f"WalkMe offers no deletion by its API (status {failure.status})"
        logger.warning("%s; segment %s is emptied instead.", instead, guid)
        try:
            return "emptied", self._endpoints.send_users(guid, "override", self._nobody)
        except NotFound as error:
            if not self._is_listed(guid):
                return self._missing(error), datetime.now(UTC)
            raise
        except VendorError as error:
            raise error.advise(f"{instead}, so the segment was to be emptied.") from None

    def _is_listed(self, guid: str) -> bool:
        return select(self._endpoints.segments(), SegmentKey(segment_guid=guid)) is not None

    def _missing(self, error: NotFound) -> Outcome:
        # The first answer may have been lost: then the repeat is 404 because the first did its work.
        if error.maybe_done:
            return "deleted"
        if self._wanted.if_missing == "skip":
            return "missing"
        raise error.advise('To take a missing segment for deleted, use if_missing="skip".') from None


def _is_unknown_operation(error: VendorError) -> bool:
    """Return whether the error says that there is no such operation, rather than that it is not permitted."""
    if error.status == 403:
        return _UNKNOWN_TO_GATEWAY.search(error.message) is not None
    if error.status == 400:
        return _REASON.search(error.message) is None
    return error.status in (405, 501)
