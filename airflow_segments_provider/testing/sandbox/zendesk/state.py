"""One Zendesk account: its users, segments, content and jobs, and what an administrator can see and change."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from airflow_segments_provider.testing.sandbox.control import ControlRefused, control, only, revised
from airflow_segments_provider.testing.sandbox.database import Table
from airflow_segments_provider.testing.sandbox.documents import load
from airflow_segments_provider.testing.sandbox.vendor import RateWindow, Vendor
from airflow_segments_provider.testing.sandbox.zendesk.constants import PREFIX
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings

Role = Literal["end-user", "agent", "admin"]
UserType = Literal["signed_in_users", "staff"]
STAFF: UserType = "staff"
_PAGE = 50_000
_FIXED = {"id", "created_at", "updated_at", "built_in"}
# Where the IDs of each kind begin.
_FIRST = {
    "user": 360_000_000_001,
    "organization": 370_000_001,
    "group": 380_000_001,
    "segment": 7_100_001,
    "section": 7_200_001,
    "article": 7_300_001,
    "topic": 7_400_001,
}


@dataclass(frozen=True)
class Record:
    """Anything to which Zendesk gives a number; times are seconds by the sandbox's clock."""

    id: int
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class UserRecord(Record):
    """A user; ``guide_admin`` is a Help Center manager, in Zendesk's words."""

    name: str
    email: str
    external_id: str | None = None
    role: Role = "end-user"
    guide_admin: bool = False
    organization_ids: list[int] = field(default_factory=list)
    group_ids: list[int] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    suspended: bool = False

    @property
    def is_staff(self) -> bool:
        """Whether this is an agent or an administrator."""
        return self.role != "end-user"


@dataclass(frozen=True)
class OrganizationRecord(Record):
    """An organization, whose tags count as those of its users."""

    name: str
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GroupRecord(Record):
    """A group of agents."""

    name: str


@dataclass(frozen=True)
class SegmentRecord(Record):
    """A user segment: the rules by which users are members, never a list of all its members."""

    name: str | None
    user_type: UserType = "signed_in_users"
    built_in: bool = False
    tags: list[str] = field(default_factory=list)
    or_tags: list[str] = field(default_factory=list)
    organization_ids: list[int] = field(default_factory=list)
    group_ids: list[int] = field(default_factory=list)
    added_user_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class ContentRecord(Record):
    """An article, a topic or a section; without a segment it is visible to all, anonymous visitors included."""

    name: str
    section_id: int | None = None
    user_segment_ids: list[int] = field(default_factory=list)

    @property
    def user_segment_id(self) -> int | None:
        """The first segment; that it represents several is an assumption."""
        return self.user_segment_ids[0] if self.user_segment_ids else None


@dataclass(frozen=True)
class JobRecord:
    """A background job: the requested change of each row, and the results of the rows done so far."""

    id: str
    created_at: float
    starts_at: float
    seconds_per_row: float
    rows: list[dict[str, Any]]
    fails: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False

    @property
    def ends_at(self) -> float:
        """When the last row is done."""
        return self.starts_at + self.seconds_per_row * len(self.rows)

    def due_rows(self, now: float) -> int:
        """Return how many rows are done at a time; none before the job starts."""
        if now < self.starts_at:
            return 0
        if now >= self.ends_at:
            return len(self.rows)
        return min(len(self.rows), int((now - self.starts_at) / self.seconds_per_row))


R = TypeVar("R", bound=Record)


class Zendesk(Vendor[ZendeskSettings]):
    """Zendesk with one account; the calls a minute are counted in memory only."""

    name, prefix, conn_type = "zendesk", PREFIX, "zendesk_help_center"
    make_settings = ZendeskSettings

    def create_tables(self) -> None:
        """Create the tables of the state."""
        searched = ("email", "external_id")
        self.user_table = self.table("users", UserRecord, "id", nocase=searched, indexes=searched)
        self.organization_table = self.table("organizations", OrganizationRecord, "id")
        self.group_table = self.table("groups", GroupRecord, "id")
        self.segment_table = self.table("segments", SegmentRecord, "id")
        self.section_table = self.table("sections", ContentRecord, "id")
        self.article_table = self.table("articles", ContentRecord, "id")
        self.topic_table = self.table("topics", ContentRecord, "id")
        self.job_table = self.table("jobs", JobRecord, "id")
        self.tables: dict[str, Table[Any]] = {
            "users": self.user_table,
            "organizations": self.organization_table,
            "groups": self.group_table,
            "user_segments": self.segment_table,
            "sections": self.section_table,
            "articles": self.article_table,
            "topics": self.topic_table,
        }
        self.budgets: defaultdict[str, RateWindow] = defaultdict(RateWindow)

    def seed(self) -> None:
        """Fill an empty account with invented users and content."""
        found, now = load("zendesk", "seed"), self.clock.now()
        self.budgets.clear()
        self.note_api_token(now)
        organizations = [self.create_organization(**one) for one in found["organizations"]]
        groups = self.new_ids("group", len(found["groups"]))
        pairs = zip(groups, found["groups"], strict=True)
        self.group_table.put_all(GroupRecord(number, now, now, name) for number, name in pairs)
        for user, number in zip(found["users"], self.new_ids("user", len(found["users"])), strict=True):
            member_of = [organizations[place] for place in user.pop("organizations")]
            works_in = [groups[place] for place in user.pop("groups")]
            email, external_id = f"{user['name'].lower().replace(' ', '.')}@example.com", f"ext-{number}"
            record = UserRecord(
                id=number, created_at=now, updated_at=now, email=email, external_id=external_id,
                organization_ids=member_of, group_ids=works_in, **user,
            )  # fmt: skip
            self.user_table.put(record)
        for segment in found["segments"]:
            number = self.new_ids("segment")[0]
            self.segment_table.put(SegmentRecord(number, now, now, built_in=True, **segment))
        section = self._create_content("section", found["section"])
        for kind in ("article", "topic"):
            for name in found[f"{kind}s"]:
                self._create_content(kind, name, section_id=section if kind == "article" else None)

    def reset(self, settings: ZendeskSettings) -> None:
        """Return to the state of the start; later user segments get new IDs.

        A sync keeps an Airflow variable for each segment, which it would otherwise find in the next test.
        """
        following = self.new_ids("segment")[0]
        super().reset(settings)
        self.next_numbers("segment", _FIRST["segment"], max(0, following - self.new_ids("segment")[0]))

    def new_ids(self, kind: str, count: int = 1) -> range:
        """Return IDs that were never used before."""
        return self.next_numbers(kind, _FIRST[kind], count)

    # Segments and their members

    def inherited_tags(self) -> Mapping[int, frozenset[str]]:
        """Return the tags of organizations, which count as those of their users, by the organization's ID."""
        return {one.id: frozenset(one.tags) for one in self.organization_table.find() if one.tags}

    def in_use(self, segment: SegmentRecord) -> bool:
        """Return whether an article, a topic or a section is restricted to a segment."""
        kinds = ("articles", "topics", "sections")
        return any(segment.id in record.user_segment_ids for kind in kinds for record in self.tables[kind].find())

    # API tokens and background jobs

    def api_token_idle(self, at: float) -> float:
        """Return for how many seconds the API token was not used."""
        return at - float(self.database.meta("zendesk_api_token_used") or at)

    def note_api_token(self, at: float) -> None:
        """Store that the API token was used."""
        self.database.set_meta("zendesk_api_token_used", repr(at))

    def start_job(self, rows: list[dict[str, Any]]) -> JobRecord:
        """Queue a job."""
        settings, now = self.settings, self.clock.now()
        start = now + settings.job_queue_seconds
        fails = settings.job_outcome == "failed"
        job = JobRecord(f"V3-{uuid.uuid4().hex}", now, start, settings.job_seconds_per_row, rows, fails)
        self.job_table.put(job)
        return job

    def settle(self) -> None:
        """Carry out the rows that are due, of all jobs in the order of their times."""
        now, running = self.clock.now(), self.job_table.find("over = 0")
        due = [
            (job.starts_at + job.seconds_per_row * (number + 1), order, number)
            for order, job in enumerate(running)
            if not job.fails
            for number in range(len(job.results), job.due_rows(now))
        ]
        with self.database.transaction():
            for moment, order, number in sorted(due):
                running[order].results.append(self._do_row(number, running[order].rows[number], moment))
            for job in running:
                if now >= job.ends_at or job.due_rows(now):
                    self.job_table.change(job, over=now >= job.ends_at)

    def _do_row(self, place: int, row: Mapping[str, Any], at: float) -> dict[str, Any]:
        number, external_id = row.get("id"), row.get("external_id")
        by_id = found_in_order(self.user_table, [] if number is None else [number])
        user = by_id[0] if by_id else None
        if number is None and external_id is not None:
            user = self.user_table.one("external_id = ?", external_id)
        if user is None or user.id in self.settings.failing_user_ids:
            reason = "the user is not there" if user is None else "a setting makes it fail"
            return {"index": place, "id": number, "error": "UserUpdateFailed", "details": reason}
        self.user_table.change(user, updated_at=at, **row["changes"])
        return {"id": user.id, "action": "update", "status": "Updated", "success": True}

    # What an administrator can see and change; the API's limits do not apply.

    @control
    def users(self, after: int = 0) -> list[UserRecord]:
        """Return a page of the users in the order of their IDs.

        :param after: the last ID of the page before
        """
        return self.user_table.find("id > ? ORDER BY id LIMIT ?", after, _PAGE)

    @control
    def user(self, user: int | str) -> UserRecord:
        """Return one user."""
        return self._user(user)

    @control
    def organizations(self) -> list[OrganizationRecord]:
        """Return all organizations."""
        return self.organization_table.find()

    @control
    def groups(self) -> list[GroupRecord]:
        """Return all groups."""
        return self.group_table.find()

    @control
    def segments(self, built_in: bool = False) -> list[SegmentRecord]:
        """Return the user segments in the order of their creation.

        :param built_in: the built-in ones as well
        """
        return self.segment_table.find("1" if built_in else "NOT built_in")

    @control
    def members(self, segment: int | str) -> set[int]:
        """Return the IDs of the true members of a segment; Help Center managers are in every segment."""
        return {user.id for user in self._members(segment)}

    @control
    def member_emails(self, segment: int | str) -> set[str]:
        """Return the e-mail addresses of the true members of a segment."""
        return {user.email for user in self._members(segment)}

    @control
    def articles(self) -> list[ContentRecord]:
        """Return all articles, with the segments applied to them."""
        return self.article_table.find()

    @control
    def topics(self) -> list[ContentRecord]:
        """Return all topics, with the segments applied to them."""
        return self.topic_table.find()

    @control
    def sections(self) -> list[ContentRecord]:
        """Return all sections, with the segments applied to them."""
        return self.section_table.find()

    @control
    def jobs(self) -> list[JobRecord]:
        """Return the background jobs in the order of their creation."""
        return self.job_table.find()

    @control
    def seed_users(
        self,
        count: Annotated[int, Field(ge=1, le=1_000_000)],
        tags: Iterable[str] = (),
        organization_ids: Iterable[int] = (),
    ) -> tuple[int, int]:
        """Add many invented users at once, and return the first and the last of their IDs.

        Number 42 is "Person 42" with the address ``person-42@example.com`` and the external ID ``ext-42``.
        """
        ids, now = self.new_ids("user", count), self.clock.now()
        common: tuple[list[int], list[int], list[str]] = ([*organization_ids], [], [*tags])
        self.user_table.put_all(
            UserRecord(n, now, now, f"Person {n}", f"person-{n}@example.com", f"ext-{n}", "end-user", False, *common)
            for n in ids
        )
        return ids[0], ids[-1]

    @control
    def create_user(self, /, name: str, email: str, **fields: Any) -> int:
        """Add a user by hand, and return the ID.

        :param fields: others of :class:`UserRecord`
        """
        if self.user_table.one("email = ?", email):
            raise ControlRefused(409, "a user with this e-mail address exists")
        number, now = self.new_ids("user")[0], self.clock.now()
        self.user_table.put(revised(UserRecord(number, now, now, name, email), fields, _FIXED))
        return number

    @control
    def change_user(self, /, user: int | str, **fields: Any) -> UserRecord:
        """Change a user by hand; tags replace all."""
        return self.user_table.change(revised(self._user(user), fields, _FIXED), updated_at=self.clock.now())

    @control
    def delete_user(self, user: int | str) -> None:
        """Delete a user by hand."""
        self.user_table.remove([[self._user(user).id]])

    @control
    def create_organization(self, name: str, tags: Iterable[str] = ()) -> int:
        """Add an organization by hand, and return its ID."""
        number, now = self.new_ids("organization")[0], self.clock.now()
        self.organization_table.put(OrganizationRecord(number, now, now, name, list(tags)))
        return number

    @control
    def create_segment(self, /, name: str | None, **fields: Any) -> int:
        """Create a user segment by hand, and return its ID.

        :param fields: others of :class:`SegmentRecord`; the type is that of signed-in users by default
        """
        number, now = self.new_ids("segment")[0], self.clock.now()
        self.segment_table.put(revised(SegmentRecord(number, now, now, name), fields, _FIXED))
        return number

    @control
    def change_segment(self, /, segment: int | str, **fields: Any) -> SegmentRecord:
        """Change a user segment by hand."""
        found = revised(_one(self.segment_table, segment), fields, _FIXED)
        return self.segment_table.change(found, updated_at=self.clock.now())

    @control
    def delete_segment(self, segment: int | str) -> None:
        """Delete a user segment by hand, in use or not."""
        self.segment_table.remove([[_one(self.segment_table, segment).id]])

    @control
    def create_article(self, name: str, user_segment_ids: Iterable[int] = ()) -> int:
        """Write an article by hand, and return its ID."""
        return self._create_content("article", name, user_segment_ids)

    @control
    def create_topic(self, name: str, user_segment_ids: Iterable[int] = ()) -> int:
        """Open a topic by hand, and return its ID."""
        return self._create_content("topic", name, user_segment_ids)

    @control
    def restrict_article(self, article: int | str, user_segment_ids: Iterable[int]) -> None:
        """Apply segments to an article by hand; none removes the restriction."""
        self._restrict(self.article_table, article, user_segment_ids)

    @control
    def restrict_topic(self, topic: int | str, user_segment_ids: Iterable[int]) -> None:
        """Apply segments to a topic by hand; none removes the restriction."""
        self._restrict(self.topic_table, topic, user_segment_ids)

    @control
    def restrict_section(self, section: int | str, user_segment_ids: Iterable[int]) -> None:
        """Apply segments to a section by hand; none removes the restriction."""
        self._restrict(self.section_table, section, user_segment_ids)

    def _members(self, text: int | str) -> list[UserRecord]:
        segment, inherited = _one(self.segment_table, text), self.inherited_tags()
        added = frozenset(segment.added_user_ids)
        users = self.user_table.find()
        return [user for user in users if user.id in added or matches_rules(user, segment, inherited)]

    def _user(self, text: int | str) -> UserRecord:
        for column, value in (("id", as_id(text)), ("email", text), ("external_id", text)):
            if found := self.user_table.find(f"{column} = ?", value):
                return only(found, "users", text)
        return only([], "users", text)

    def _create_content(
        self, kind: str, name: str, user_segment_ids: Iterable[int] = (), section_id: int | None = None
    ) -> int:
        number, now = self.new_ids(kind)[0], self.clock.now()
        self.tables[f"{kind}s"].put(ContentRecord(number, now, now, name, section_id, list(user_segment_ids)))
        return number

    def _restrict(self, table: Table[ContentRecord], text: int | str, user_segment_ids: Iterable[int]) -> None:
        table.change(_one(table, text), user_segment_ids=list(user_segment_ids), updated_at=self.clock.now())


def matches_rules(user: UserRecord, segment: SegmentRecord, inherited: Mapping[int, frozenset[str]]) -> bool:
    """Return whether a user is in a segment that does not list the user.

    That groups do not restrict signed-in users, and organizations do not restrict staff, is an assumption for segments
    with the kind of ID that does not fit their type.

    :param inherited: the tags of organizations
    """
    if user.guide_admin:
        return True
    if segment.user_type == STAFF:
        if not user.is_staff or not _any_of(segment.group_ids, user.group_ids):
            return False
    elif not user.is_staff and not _any_of(segment.organization_ids, user.organization_ids):
        return False
    tags = set(user.tags).union(*(inherited.get(number, ()) for number in user.organization_ids))
    return tags.issuperset(segment.tags) and _any_of(segment.or_tags, tags)


def as_id(text: int | str) -> int:
    """Return an ID written as text; 0, which nothing has, for any other text."""
    text = str(text)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def found_in_order(table: Table[R], numbers: Sequence[int]) -> list[R]:
    """Return the records with some IDs, as far as they exist, in the order of the IDs."""
    # SQLite accepts 64-bit numbers only, and no other number is an ID.
    wanted = [number for number in dict.fromkeys(numbers) if 0 < number < 2**63]
    found = {record.id: record for record in table.among("id", wanted)}
    return [found[number] for number in wanted if number in found]


def _one(table: Table[R], text: int | str) -> R:
    by_id = table.one("id = ?", as_id(text))
    return by_id or only(table.find("name = ?", text), "records", text)


def _any_of(wanted: Iterable[object], had: Iterable[object]) -> bool:
    listed = set(wanted)
    return not listed or not listed.isdisjoint(had)
