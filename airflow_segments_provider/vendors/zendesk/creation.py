"""Creating a Zendesk user segment so that creating twice makes one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import Conflict
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.vendors.base.creation import create_once
from airflow_segments_provider.vendors.zendesk.added_users import (
    LOCK,
    People,
    check,
    check_replacement,
    known_people,
    write,
)
from airflow_segments_provider.vendors.zendesk.connection import VENDOR
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey
from airflow_segments_provider.vendors.zendesk.responses import UserSegment, parse_segment
from airflow_segments_provider.vendors.zendesk.segments import done, put

if TYPE_CHECKING:
    from airflow_segments_provider.http import Reply
    from airflow_segments_provider.vendors.zendesk.api import ZendeskEndpoints
    from airflow_segments_provider.vendors.zendesk.parameters import CreateUserSegment
    from airflow_segments_provider.vendors.zendesk.responses import UserSegmentChange
    from airflow_segments_provider.vendors.zendesk.users import StagedPeople


logger = logging.getLogger(__name__)


class UserSegmentCreation:
    """One create: look for the name, create with all people if it is not there, look again after doubt.

    Zendesk has no id of the caller's choice and takes the same name twice, so looking is all that avoids a second one:
    a create that the look does not find is not sent again, as it may still be under way.
    """

    def __init__(self, endpoints: ZendeskEndpoints, wanted: CreateUserSegment, people: StagedPeople) -> None:
        self._endpoints = endpoints
        self._wanted = wanted
        self._people = people
        self._ids = people.ids()

    def run(self) -> UserSegmentChange:
        """Carry it out.

        :raises Conflict: the name is taken in a way that ``if_exists`` does not allow.
        """
        with self._endpoints.client.exclusive(LOCK):
            existing = self._look()
            if existing is not None:
                return self._use(existing)
            name = self._wanted.name
            made = create_once(
                self._endpoints.client,
                self._post,
                self._look,
                what=f"user segment {name!r}",
                key=f"the name {name!r}",
                unsent=f"User segment {name!r} was not created.",
                unique=False,
            )
            if made.reply is not None:
                self._endpoints.heed_warning(made.reply)
                return self._created(self._parsed(made.reply))
            if made.found is None:
                raise AssertionError("a creation has an answer, or something was found")
            return self._created(made.found) if made.ours else self._use(made.found)

    def _look(self) -> UserSegment | None:
        return self._endpoints.find(UserSegmentKey(name=self._wanted.name))

    @property
    def _body(self) -> dict[str, Any]:
        """The whole segment: what is not given restricts nobody."""
        return {
            "name": self._wanted.name,
            "user_type": self._wanted.user_type,
            **self._wanted.rules,
            "added_user_ids": sorted(self._ids),
        }

    def _post(self) -> Reply:
        fields = {key: value for key, value in self._body.items() if value}
        reply = self._endpoints.call(
            "help_center",
            "POST",
            "user_segments",
            body=encode({"user_segment": fields}),
            idempotent=False,
            people=self._people_sent,
            # Once it is made: a warning is no doubt that a look could end.
            heed=False,
        )
        # An answer that names no segment leaves it in doubt, as a lost one does.
        self._parsed(reply)
        return reply

    def _people_sent(self) -> list[str]:
        return [str(user_id) for user_id in self._ids]

    def _parsed(self, reply: Reply) -> UserSegment:
        return self._endpoints.read(reply, "user_segment", parse_segment)

    def _created(self, segment: UserSegment) -> UserSegmentChange:
        logger.info("User segment %r (%d) created.", self._wanted.name, segment.user_segment_id)
        if self._ids:
            check(self._endpoints, segment, frozenset(), self._ids)
        return done(
            self._endpoints,
            segment,
            "created",
            users_sent=self._people.staged.users,
            users_added=len(self._ids),
            **self._people.left_out,
        )

    def _use(self, existing: UserSegment) -> UserSegmentChange:
        """What ``if_exists`` says of a segment that is there."""
        if self._wanted.if_exists == "fail":
            raise Conflict(
                f"User segment {self._wanted.name!r} exists ({existing.user_segment_id}) and nothing was changed. If "
                'an earlier try of this task made it, if_exists="reuse" goes on from there.',
                vendor=VENDOR,
            )
        logger.info("User segment %r exists (%d).", self._wanted.name, existing.user_segment_id)
        if self._wanted.if_exists == "reuse":
            return self._added(existing)
        return self._made_exact(existing)

    def _added(self, existing: UserSegment) -> UserSegmentChange:
        if not self._ids:
            return done(self._endpoints, existing, "reused", **self._people.left_out)
        change = write(self._endpoints, existing, self._plan, self._people)
        return change.model_copy(update={"outcome": "reused"})

    def _plan(self, read: UserSegment) -> tuple[People, People]:
        before = known_people(self._endpoints, read)
        return before, before | self._ids

    def _made_exact(self, existing: UserSegment) -> UserSegmentChange:
        check_replacement(self._endpoints, existing, self._wanted, self._people)
        answer = put(self._endpoints, existing, self._body)
        before = existing.added_user_ids or frozenset()
        check(self._endpoints, answer, before, self._ids)
        return done(
            self._endpoints,
            answer,
            "updated",
            users_sent=self._people.staged.users,
            users_added=len(self._ids - before),
            users_removed=len(before - self._ids),
            **self._people.left_out,
        )
