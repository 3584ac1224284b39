"""Creating a WalkMe segment so that creating twice makes one, whatever gets lost on the way."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import Conflict, InvalidInput, UnexpectedReply, VendorError
from airflow_segments_provider.hooks.walkme_endpoints import moment_of
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.models.walkme import (
    Segment,
    SegmentChange,
    check_listed,
    default_external_id,
    limits,
    named,
    same_id,
)
from airflow_segments_provider.models.walkme_responses import parse_created_guid
from airflow_segments_provider.vendors.base.creation import create_once, look_patiently

if TYPE_CHECKING:
    from typing import Literal

    from airflow_segments_provider.hooks.walkme_endpoints import SegmentEndpoints
    from airflow_segments_provider.http import Reply
    from airflow_segments_provider.models.walkme import CreateSegment
    from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch

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
