"""Create a Zendesk user segment; creating twice results in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_segments_provider.http.client import encode
from airflow_segments_provider.vendors.base.creation import Creation
from airflow_segments_provider.vendors.zendesk.added_users import (
    LOCK,
    Ids,
    check,
    check_replacement,
    ids_of,
    known_users,
    write_users,
)
from airflow_segments_provider.vendors.zendesk.parameters import LISTS, UserSegmentKey
from airflow_segments_provider.vendors.zendesk.responses import UserSegment, UserSegmentChange, parse_segment
from airflow_segments_provider.vendors.zendesk.segments import done, put

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.parameters import CreateUserSegment


class UserSegmentCreation(Creation[UserSegment, UserSegment, UserSegmentChange]):
    """The creation of a user segment with all its users.

    Zendesk does not accept an ID, and accepts the same name twice, so only the look prevents a second segment. A create
    that the look does not find may still be running, so it is not sent again.
    """

    noun = "user segment"
    api: ZendeskApi

    def __init__(self, api: ZendeskApi, write: Write[CreateUserSegment]) -> None:
        super().__init__(api, write.parameters.name, write.parameters.if_exists)
        self._write = write
        self._parameters = write.parameters
        self._ids = ids_of(write.users)

    def run(self) -> UserSegmentChange:
        """Create the segment, or use the one that exists.

        :raises Conflict: the name is in use in a way that ``if_exists`` does not allow.
        """
        with self.api.client.exclusive(LOCK):
            return super().run()

    def look(self) -> UserSegment | None:
        """Return the segment of that name."""
        return self.api.find(UserSegmentKey(name=self._parameters.name))

    def post(self) -> Response:
        """Send the creation once."""
        response = self.api.call(
            "help_center",
            "POST",
            "user_segments",
            body=encode({"user_segment": {key: value for key, value in self._body.items() if value}}),
            idempotent=False,
            user_ids=lambda: map(str, self._ids),
            # Handled by ref_in: a warning must not count as an unknown outcome of the create.
            handle_warnings=False,
        )
        # Without a segment in the response, the outcome is unknown, as after a lost response.
        self._parsed(response)
        return response

    def ref_of(self, found: UserSegment) -> UserSegment:
        """Return the segment itself."""
        return found

    def ref_in(self, created: Response) -> UserSegment:
        """Handle the warnings of a response, and return its segment."""
        self.api.handle_warning(created)
        return self._parsed(created)

    def id_of(self, ref: UserSegment) -> object:
        """Return the ID of a segment."""
        return ref.user_segment_id

    def created(self, ref: UserSegment) -> UserSegmentChange:
        """Check that the new segment has its users."""
        if self._ids:
            check(self.api, ref, frozenset(), self._ids)
        return self._done(ref, "created", users_added=len(self._ids))

    def reused(self, existing: UserSegment) -> UserSegmentChange:
        """Add the users to the segment that exists."""
        if not self._ids:
            return done(self.api, existing, "reused", **self._write.left_out)
        change = write_users(self.api, existing, self._plan, self._write)
        return change.model_copy(update={"outcome": "reused"})

    def updated(self, existing: UserSegment) -> UserSegmentChange:
        """Replace the whole segment by the parameters."""
        check_replacement(self.api, existing, self._parameters, self._ids)
        answer = put(self.api, existing, self._body)
        before = existing.added_user_ids or frozenset()
        check(self.api, answer, before, self._ids)
        added, removed = len(self._ids - before), len(before - self._ids)
        return self._done(answer, "updated", users_added=added, users_removed=removed)

    def _plan(self, read: UserSegment) -> tuple[Ids, Ids]:
        before = known_users(self.api, read)
        return before, before | self._ids

    @property
    def _body(self) -> dict[str, Any]:
        """The whole segment: a rule that is not set restricts no user."""
        return {
            "name": self._parameters.name,
            "user_type": self._parameters.user_type,
            **{key: [] for key in LISTS},
            **self._parameters.rules,
            "added_user_ids": sorted(self._ids),
        }

    def _parsed(self, response: Response) -> UserSegment:
        return self.api.read_key(response, "user_segment", parse_segment)

    def _done(self, segment: UserSegment, outcome: Any, **users: int) -> UserSegmentChange:
        sent = self._write.users.users
        return done(self.api, segment, outcome, users_sent=sent, **users, **self._write.left_out)


def create(api: ZendeskApi, write: Write[CreateUserSegment]) -> UserSegmentChange:
    """Create a segment, or use the one of that name."""
    return UserSegmentCreation(api, write).run()
