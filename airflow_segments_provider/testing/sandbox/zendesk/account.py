"""One Zendesk account: its settings and its state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.tokens import TokenStore
from airflow_segments_provider.testing.sandbox.zendesk.budget import Budget
from airflow_segments_provider.testing.sandbox.zendesk.jobs import JobStore
from airflow_segments_provider.testing.sandbox.zendesk.membership import Tags, members, organization_tags
from airflow_segments_provider.testing.sandbox.zendesk.records import (
    ContentRecord,
    GroupRecord,
    OrganizationRecord,
    SegmentRecord,
    UserRecord,
)
from airflow_segments_provider.testing.sandbox.zendesk.seed import seed
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings
from airflow_segments_provider.testing.sandbox.zendesk.table import Table

_SEEDED = "zendesk_seeded"
_API_TOKEN_USED = "zendesk_api_token_used"


class Account:
    """People, segments and content; the calls a minute are counted in memory only."""

    def __init__(self, database: Database, clock: Clock, settings: ZendeskSettings) -> None:
        self._database, self._clock = database, clock
        self._first_settings = settings
        self.settings = settings
        self.users = Table(database, "user", UserRecord, 360_000_000_001)
        self.organizations = Table(database, "organization", OrganizationRecord, 370_000_001)
        self.groups = Table(database, "group", GroupRecord, 380_000_001)
        self.segments = Table(database, "segment", SegmentRecord, 7_100_001)
        self.sections = Table(database, "section", ContentRecord, 7_200_001)
        self.articles = Table(database, "article", ContentRecord, 7_300_001)
        self.topics = Table(database, "topic", ContentRecord, 7_400_001)
        self.jobs = JobStore(database)
        self.tokens = TokenStore(database, clock, "zendesk")
        self.budgets: defaultdict[str, Budget] = defaultdict(Budget)
        if database.meta(_SEEDED) is None:
            self._begin()

    def now(self) -> float:
        """Return the sandbox's time."""
        return self._clock.now()

    def reset(self) -> None:
        """Return to the state and the settings of the start."""
        self.settings = self._first_settings
        self._begin()

    def api_token_idle(self, at: float) -> float:
        """Return for how many seconds the API token was not used."""
        return at - float(self._database.meta(_API_TOKEN_USED) or at)

    def note_api_token(self, at: float) -> None:
        """Remember that the API token was used."""
        self._database.set_meta(_API_TOKEN_USED, repr(at))

    def settle(self) -> None:
        """Let the background jobs do what is due."""
        with self._database.transaction():
            self.jobs.settle(self.now(), self._do_row)

    def inherited_tags(self) -> Tags:
        """Return what people have from their organizations."""
        return organization_tags(self.organizations.all())

    def members(self, segment: SegmentRecord) -> Iterable[UserRecord]:
        """Return the true members of a segment."""
        return members(self.users.all(), segment, self.inherited_tags())

    def in_use(self, segment: SegmentRecord) -> bool:
        """Tell whether an article, a topic or a section is restricted to a segment."""
        tables = (self.articles, self.topics, self.sections)
        return any(segment.id in record.user_segment_ids for table in tables for record in table.all())

    def change_user(self, user: UserRecord, at: float, **changes: Any) -> UserRecord:
        """Keep a changed user."""
        changed = replace(user, updated_at=at, **changes)
        self.users.put(changed)
        return changed

    def _do_row(self, number: int, row: Mapping[str, Any], at: float) -> dict[str, Any]:
        user = self._user_of(row)
        if user is None or user.id in self.settings.failing_user_ids:
            reason = "the user is not there" if user is None else "the sandbox was told to let it fail"
            return {"index": number, "id": row.get("id"), "error": "UserUpdateFailed", "details": reason}
        self.change_user(user, at, **row["changes"])
        return {"id": user.id, "action": "update", "status": "Updated", "success": True}

    def _user_of(self, row: Mapping[str, Any]) -> UserRecord | None:
        if row.get("id") is not None:
            return self.users.get(row["id"])
        if row.get("external_id") is not None:
            found = self.users.by_external_id(row["external_id"])
            return found[0] if found else None
        return None

    def _begin(self) -> None:
        with self._database.transaction():
            for table in (self.users, self.organizations, self.groups, self.segments):
                table.clear()
            for content in (self.sections, self.articles, self.topics):
                content.clear()
            self.jobs.clear()
            self.tokens.clear()
            self.budgets.clear()
            self.note_api_token(self.now())
            seed(self)
            self._database.set_meta(_SEEDED, "yes")
