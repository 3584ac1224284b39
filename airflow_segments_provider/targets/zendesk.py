"""A Zendesk user segment whose members follow a source: as the users added to it, or by a tag on users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import InvalidInput, NotFound
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.sources.ids import all_without_case
from airflow_segments_provider.sync.target import Applied, Limits, SegmentKey
from airflow_segments_provider.targets.base import Segment, SegmentTarget, applied

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.responses import UserSegment

__all__ = ["ZendeskUserSegment"]

# The rule of a segment that is created for added users: without a rule, every signed-in user is in a segment.
NOBODYS_TAG = "only_added_users"
# The users in one batch; Zendesk publishes no limit of a list.
MOST_ADDED, MOST_TAGGED = 100_000, 100


class ZendeskUserSegment(Segment):
    """A user segment, identified by ID, else by name. All fields but ``create`` are templates.

    A segment needs a rule, such as a tag: without one, every signed-in user is in it. ``create`` makes one with the
    rule of ``tag``.

    :param name: of the user segment.
    :param user_segment_id: Zendesk's number of it.
    :param via: ``added_user_ids``: the list of users who are in the segment whatever its rules say, written as a whole
        after it was read. ``tag``: a tag of users, with one request for each change; Zendesk does not list the users
        with a tag exactly.
    :param tag: of ``via="tag"``: the segment's rules need it. Else that of a new segment, which no user must have.
    :param create: create a segment without members where Zendesk has none of that name.
    :param user_type: of a segment that is created: ``signed_in_users`` or ``staff``.
    :param identity: what the source has: ``id``, Zendesk's, ``email`` or ``external_id``.
    :param zendesk_conn_id: the connection.
    """

    template_fields: Sequence[str] = (
        "name",
        "user_segment_id",
        "via",
        "tag",
        "user_type",
        "identity",
        "zendesk_conn_id",
    )
    vendor = "zendesk"
    parts = ("user_segment_id", "name")
    identities = ("id", "email", "external_id")
    normalise = staticmethod(all_without_case)

    def __init__(
        self,
        name: str | None = None,
        *,
        user_segment_id: str | int | None = None,
        via: str = "added_user_ids",
        tag: str | None = None,
        create: bool = False,
        user_type: str = "signed_in_users",
        identity: str = "id",
        zendesk_conn_id: str = ZendeskHelpCenterHook.default_conn_name,
    ) -> None:
        self.name = name
        self.user_segment_id = user_segment_id
        self.via = via
        self.tag = tag
        self.create = create
        self.user_type = user_type
        self.identity = identity
        self.zendesk_conn_id = zendesk_conn_id

    def open(self) -> ZendeskTarget:
        """Return the target that the sync engine uses.

        :raises InvalidInput: ``via`` is unknown, or lacks its ``tag``.
        """
        spec = self.trimmed()
        if spec.via == "tag" and spec.tag:
            return ZendeskTagTarget(spec)
        if spec.via == "added_user_ids":
            return ZendeskTarget(spec)
        needs = '`via="tag"` needs a `tag`.' if spec.via == "tag" else "`via` must be `added_user_ids` or `tag`."
        raise InvalidInput(f"The target {self}", [needs])


class ZendeskTarget(SegmentTarget):
    """The target of the users who are added to a segment."""

    spec: ZendeskUserSegment
    hook: ZendeskHelpCenterHook
    noun = "user segment"
    lists = True
    identity_keys = staticmethod(all_without_case)
    whole_numbers = True

    def __init__(self, spec: ZendeskUserSegment) -> None:
        self.spec = spec
        self.hook = ZendeskHelpCenterHook(str(spec.zendesk_conn_id))

    @cached_property
    def limits(self) -> Limits:  # type: ignore[override]
        """The limits of one request: a read of the list, and a write of it."""
        fields = self.hook.fields
        return Limits(
            MOST_ADDED,
            MOST_ADDED,
            self._max_length,
            # The tries of the read come first.
            request_timeout=self.longest_try() + timedelta(seconds=fields.retry.max_total),
            per_minute=fields.rate_limit,
            together=True,
            reads=1,
        )

    @property
    def _max_length(self) -> int:
        from airflow_segments_provider.vendors.zendesk.parameters import MAX_ID_LENGTH, MAX_VALUE_LENGTH

        return MAX_ID_LENGTH if self.identity == "id" else MAX_VALUE_LENGTH

    def find(self) -> str | None:
        """Return the segment's ID.

        :raises InvalidInput: it is built in, or has no rule.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey
        from airflow_segments_provider.vendors.zendesk.segments import refuse_built_in

        named = {"user_segment_id": self.spec.user_segment_id, "name": self.spec.name}
        key = accepted("The target of a sync", UserSegmentKey, named)
        found = self._api.segment(key.user_segment_id) if key.user_segment_id else self._api.find(key)
        if found is None:
            return None
        refuse_built_in(found, "sync")
        if problem := self.problem(found):
            raise InvalidInput(
                f"The sync of user segment {found.name!r} ({found.user_segment_id})", [problem], self._api.where
            )
        self.title = found.name
        return str(found.user_segment_id)

    def problem(self, segment: UserSegment) -> str:
        """Return why the members of a segment cannot follow a source, or an empty text."""
        if segment.tags or segment.or_tags or segment.organization_ids or segment.group_ids:
            return ""
        return (
            "it has no rule, so every signed-in user is in it, whoever is added. Give it a tag that no user has, such "
            f"as {NOBODYS_TAG!r}."
        )

    def create(self, name: str) -> tuple[str, bool]:
        """Create a segment with a tag as its rule."""
        made = self.hook.create_user_segment(
            name, user_type=self.spec.user_type or "signed_in_users", tags=[self.spec.tag or NOBODYS_TAG]
        )
        return str(made.user_segment_id), made.outcome == "created"

    @property
    def names(self) -> dict[str, Any]:
        """The names of the segment's IDs in the other operators and the sensor; there are no jobs to wait for."""
        segment = int(self.segment_id) if self.segment_id else None
        return {"user_segment_id": segment, "job_ids": []}

    @cached_property
    def _api(self) -> ZendeskApi:
        return self.hook.api()

    def add(self, ids: Sequence[str]) -> Applied:
        """Add users."""
        return self.change(ids, ())

    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users."""
        return self.change((), ids)

    def change(self, add: Sequence[str], remove: Sequence[str]) -> Applied:
        """Read the list, and write it with these additions and removals."""
        from airflow_segments_provider.vendors.zendesk.added_users import LOCK, known_users, write_list

        added, removed = frozenset(map(int, add)), frozenset(map(int, remove))

        def plan(read: UserSegment) -> tuple[frozenset[int], frozenset[int]]:
            before = known_users(self._api, read)
            return before, (before | added) - removed

        with self._api.client.exclusive(LOCK):
            done = write_list(self._api, self._api.segment(int(self.segment_id)), plan)
        return Applied(in_doubt=done.in_doubt)

    def members(self) -> Iterator[Sequence[str]]:
        """Yield the added users: one request for all."""
        from airflow_segments_provider.vendors.zendesk.added_users import known_users

        yield [str(user) for user in sorted(known_users(self._api, self._api.segment(int(self.segment_id))))]


class ZendeskTagTarget(ZendeskTarget):
    """The target of the users who have a tag."""

    lists = False
    system = "tag"

    @cached_property
    def limits(self) -> Limits:  # type: ignore[override]
        """The limits of one batch, with a request for each user."""
        rate = self.hook.fields.rate_limit
        most = max(1, min(MOST_TAGGED, int(5 * rate / 60))) if rate else MOST_TAGGED
        return Limits(
            most,
            most,
            self._max_length,
            request_timeout=self.longest_try(requests=most),
            per_minute=rate,
            one_by_one=frozenset({"add", "remove"}),
        )

    def problem(self, segment: UserSegment) -> str:
        """Return why a tag does not decide who is in a segment."""
        tag = str(self.spec.tag)
        if tag in segment.tags or tag in segment.or_tags:
            return ""
        return f"its rules do not use the tag {tag!r}, so the tag does not decide who is in it. Add it to the rules."

    def key(self) -> SegmentKey:
        """Return the key of the tag: the members of all segments that use it are the same."""
        return replace(super().key(), segment=str(self.spec.tag) if self.segment_id else "")

    def add(self, ids: Sequence[str]) -> Applied:
        """Tag users, one request each; one whom Zendesk does not have is rejected."""
        return self._tag("add", ids)

    def remove(self, ids: Sequence[str]) -> Applied:
        """Untag users, one request each; one whom Zendesk does not have any more has no tag."""
        from airflow_segments_provider.vendors.zendesk.users import with_tag

        done = self._tag("remove", ids)
        if not done.rejected:
            return done
        # A 404 may also mean a wrong address.
        left = with_tag(self._api, list(done.rejected), str(self.spec.tag))
        return replace(done, rejected={user: reason for user, reason in done.rejected.items() if user in left})

    def _tag(self, action: str, ids: Sequence[str]) -> Applied:
        from airflow_segments_provider.vendors.zendesk.users import tag_user

        rejected: dict[str, str] = {}

        def change(user: str) -> bool:
            try:
                return tag_user(self._api, action, user, str(self.spec.tag))
            except NotFound as error:
                rejected[user] = f"status {error.status}"
                return error.maybe_done

        return Applied(rejected, in_doubt=applied(self._api.change_each(change, ids, len(ids))).in_doubt)
