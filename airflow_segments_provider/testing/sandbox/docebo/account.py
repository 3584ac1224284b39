"""One Docebo platform: its settings, its state, who may call it, and what happens by itself as time passes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo import errors, rules
from airflow_segments_provider.testing.sandbox.docebo.constants import SUPERADMIN
from airflow_segments_provider.testing.sandbox.docebo.grants import TokenEndpoint
from airflow_segments_provider.testing.sandbox.docebo.groups import GroupStore
from airflow_segments_provider.testing.sandbox.docebo.jobs import DueJob, JobStore
from airflow_segments_provider.testing.sandbox.docebo.members import MemberStore
from airflow_segments_provider.testing.sandbox.docebo.numbers import Numbers
from airflow_segments_provider.testing.sandbox.docebo.people import PeopleStore
from airflow_segments_provider.testing.sandbox.docebo.records import Group, JobKind
from airflow_segments_provider.testing.sandbox.docebo.seed import seed
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.docebo.tokens import TokenStore
from airflow_segments_provider.testing.sandbox.messages import Call, Reply
from airflow_segments_provider.testing.sandbox.rate import WINDOW_SECONDS, RateWindow

_PUBLIC_KEY = "docebo_public_key"


class Account:
    """What all operations share.

    ``changes_in_flight`` counts the changes of members that are still being answered.
    """

    def __init__(self, database: Database, clock: Clock, settings: DoceboSettings) -> None:
        self._database, self._clock = database, clock
        self._first_settings = settings
        self.settings = settings
        self.changes_in_flight = 0
        self.numbers = Numbers(database)
        self.people = PeopleStore(database)
        self.members = MemberStore(database)
        self.jobs = JobStore(database, clock)
        self.groups = GroupStore(database, clock)
        self.tokens = TokenStore(database, clock)
        self._token_endpoint = TokenEndpoint(self.people, self.tokens)
        self._rate = RateWindow()
        if not self.people.branches():
            self._seed()

    def reset(self) -> None:
        """Return to the state and the settings of the start."""
        self.settings = self._first_settings
        with self.transaction():
            for store in (self.numbers, self.people, self.members, self.jobs, self.groups, self.tokens):
                store.clear()
            self.set_public_key("")
            self._seed()
        self._rate.clear()

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing."""
        return self._database.transaction()

    def set_public_key(self, pem: str) -> None:
        """Set the key that assertions are signed for; an empty text for none."""
        self._database.set_meta(_PUBLIC_KEY, pem)

    # Who may call

    def give_token(self, call: Call) -> Reply:
        """Exchange a grant for a token."""
        return self._token_endpoint.give(call, self.settings, self._database.meta(_PUBLIC_KEY) or None)

    def admit(self, call: Call) -> int:
        """Refuse a call without a live token of an administrator, or one too many; return the caller's number.

        A token lives or not by the moment when the call came in, whenever it is carried out.
        """
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        known = self.tokens.author("access", token.strip(), call.received_at) if kind.lower() == "bearer" else None
        author = None if known is None else self.people.user(known)
        if author is None or not author.active:
            message = "the access token is missing, unknown or expired"
            raise errors.refused(401, message, self.settings, {"www-authenticate": "Bearer"})
        self._demand_room()
        if author.level != SUPERADMIN:
            raise errors.refused(403, "only administrators may do this", self.settings)
        self.settle()
        return author.idst

    def group(self, call: Call) -> Group:
        """Return the group that a path names, or refuse the call."""
        found = self.groups.by_uuid(call.parameters["group"])
        if found is None:
            raise errors.refused(404, "no such group", self.settings)
        return found

    def no_operation(self, call: Call) -> Reply:
        """Refuse a method on a path that has others."""
        raise errors.refused(405, errors.NO_OPERATION, self.settings)

    def no_route(self, call: Call) -> Reply:
        """Refuse a path that is none of Docebo's."""
        raise errors.refused(404, errors.NO_PATH, self.settings)

    def no_old_groups(self, call: Call) -> Reply:
        """Refuse what the former groups service did."""
        raise errors.refused(self.settings.old_groups_status, "this service is no more", self.settings)

    # What happens by itself

    def settle(self) -> None:
        """Do what is due by now."""
        for job in self.jobs.due():
            with self.transaction():
                self._carry_out(job)

    def change_members(self, group: Group, kind: JobKind, ids: Sequence[int], author: int) -> bool:
        """Add or remove members now, or in the background if they are many; tell which."""
        threshold = self.settings.background_threshold
        if threshold is None or len(ids) <= threshold:
            self._change(kind, group.idst, ids)
            return False
        self.jobs.add(kind, group.idst, ids, self.settings.background_delay, author)
        self.settle()
        return True

    def recalculate(self, group: Group, author: int, *, at_once: bool = False) -> None:
        """Have a group's rules looked at again; what is waiting for that already begins anew."""
        self.jobs.cancel(group.idst, "recalculate")
        delay = 0.0 if at_once else self.settings.recalculation_delay
        self.jobs.add("recalculate", group.idst, (), delay, author)
        self.settle()

    def recalculate_all(self, *, at_once: bool) -> None:
        """Have all rules looked at, since users have changed: at once for one user, later for many."""
        for group in self.groups.automatic():
            if at_once and not group.pending:
                self._refill(group)
            elif not at_once:
                self.recalculate(group, group.updated_by)

    def _carry_out(self, job: DueJob) -> None:
        if job.kind == "recalculate":
            group = self.groups.by_number(job.audience)
            if group is not None:
                self._refill(group)
            self.jobs.finish(job.number, "completed")
            return
        if self.settings.background_outcome == "completed":
            self._change(job.kind, job.audience, job.user_ids)
        self.jobs.finish(job.number, self.settings.background_outcome)

    def _change(self, kind: JobKind, audience: int, ids: Sequence[int]) -> None:
        if kind == "add":
            self.members.add(audience, ids)
        else:
            self.members.remove(audience, ids)

    def _refill(self, group: Group) -> None:
        if group.ruleset is None:
            return
        everybody = self.settings.other_rules == "everybody"
        condition = rules.condition(group.ruleset, self.people, everybody, group.exclude_deactivated_users)
        self.members.refill(group.idst, condition)

    def _demand_room(self) -> None:
        # The window is a minute long; on a clock that goes slower it is as long as is wished.
        slower = self.settings.rate_window / WINDOW_SECONDS
        wait = self._rate.refuse(self._clock.now() / slower, self.settings.rate_limit)
        if wait is not None:
            headers = {"retry-after": str(max(1, round(wait * slower)))} if self.settings.retry_after else None
            raise errors.refused(429, "too many calls", self.settings, headers)

    def _seed(self) -> None:
        with self.transaction():
            author = seed(self.numbers, self.people, self.groups, self.members)
            for group in self.groups.automatic():
                self.recalculate(group, author, at_once=True)
