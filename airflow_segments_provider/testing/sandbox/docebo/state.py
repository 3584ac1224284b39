"""One Docebo platform: users, branches, groups, members and jobs, and what an administrator can see and change."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_segments_provider.testing.sandbox.control import ControlRefused, control, only, revised
from airflow_segments_provider.testing.sandbox.database import Table
from airflow_segments_provider.testing.sandbox.docebo import rules
from airflow_segments_provider.testing.sandbox.docebo.constants import PREFIX, SUPERADMIN, USERNAME
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.documents import load
from airflow_segments_provider.testing.sandbox.vendor import Vendor

GroupType = Literal["manual", "automatic"]
Relation = Literal["manual", "automatic"]
JobKind = Literal["add", "remove", "recalculate"]
_PAGE = 50_000
MEMBERS = "SELECT idst FROM docebo_members WHERE audience = ?"
_WAITING = "SELECT 1 FROM docebo_jobs WHERE audience = idst AND kind = 'recalculate' AND status = 'running'"
_PENDING = {"pending": f"EXISTS ({_WAITING})"}
_COUNTED = _PENDING | {"members": "(SELECT count(*) FROM docebo_members m WHERE m.audience = docebo_groups.idst)"}


@dataclass(frozen=True)
class UserRecord:
    """A user; ``userid`` is the username, ``branch`` the number of the user's only branch."""

    idst: int
    userid: str
    firstname: str
    lastname: str
    email: str
    branch: int
    active: bool = True
    level: Literal["superadmin", "user"] = "user"


@dataclass(frozen=True)
class BranchRecord:
    """A branch; the root has no parent."""

    idst: int
    name: str
    parent: int | None


@dataclass(frozen=True)
class Group:
    """A group; ``idst`` is its number in the former groups service, times are by the sandbox's clock.

    ``pending`` is whether a recalculation is not done yet.
    """

    idst: int
    uuid: str
    slug: str
    name: str
    description: str
    type: GroupType
    exclude_deactivated_users: bool
    ruleset: dict[str, Any] | None
    created_at: float
    updated_at: float
    deleted_at: float | None
    created_by: int
    updated_by: int
    pending: bool


@dataclass(frozen=True)
class GroupRecord(Group):
    """A group with the number of its true members; a deleted one stays on record, without members."""

    members: int


@dataclass(frozen=True)
class JobRecord:
    """Background work; ``status`` is running, completed or aborted."""

    hash: str
    kind: JobKind
    group: str
    total: int
    status: str
    created_at: float
    due_at: float
    author: int


@dataclass(frozen=True)
class Job:
    """A job as it is stored: its group's number, and the users that it changes until it is over."""

    hash: str
    kind: JobKind
    audience: int
    total: int
    status: str
    created_at: float
    due_at: float
    author: int
    user_ids: list[int]


@dataclass(frozen=True)
class History:
    """Rules that a group has had."""

    number: int
    audience: int
    at: float
    author: int
    ruleset: dict[str, Any]


@dataclass(frozen=True)
class Member:
    """A user in a group: put there by hand, or matched by rules."""

    audience: int
    idst: int
    relation: Relation


class Docebo(Vendor[DoceboSettings]):
    """Docebo with one platform.

    Users, branches and groups share one sequence of numbers: a confusion of kinds finds nothing. Usernames and
    addresses are compared without regard to case. Members are a set.
    """

    name, prefix, conn_type = "docebo", PREFIX, "docebo"
    make_settings = DoceboSettings

    def create_tables(self) -> None:
        """Create the tables of the state."""
        self.member_table = self.table("members", Member, "audience", "idst", indexes=["idst"])
        self.job_table = self.table("jobs", Job, "hash", indexes=["status, due_at", "audience"])
        names = ("userid", "email")
        self.user_table = self.table("users", UserRecord, "idst", nocase=names, indexes=[*names, "branch"])
        self.branch_table = self.table("branches", BranchRecord, "idst")
        self.group_table: Table[Group] = self.table("groups", Group, "idst", computed=_PENDING)
        self.counted_groups = self.table("groups", GroupRecord, "idst", computed=_COUNTED)
        self.history_table = self.table("history", History, "number")

    def seed(self) -> None:
        """Fill an empty platform; the automatic group of Sales is calculated at once."""
        found, branches = load("docebo", "seed"), dict[str, int]()
        for name, parent in found["branches"]:
            branches[name] = self.number()
            self.branch_table.put(BranchRecord(branches[name], name, branches.get(parent)))
        admin = self.number()
        root = branches["Example"]
        self.user_table.put(UserRecord(admin, USERNAME, "Sandbox", "Admin", USERNAME, root, True, SUPERADMIN))
        for first, last, branch in found["users"]:
            address = f"{first}.{last}@example.com".lower()
            self.user_table.put(UserRecord(self.number(), address, first, last, address, branches[branch]))
        support = self.new_group("Support team", "Put together by hand", "manual", False, admin)
        self.put_members(support.idst, self.in_branches([branches["Support"]]))
        sales = self.new_group("Everyone in sales", "The branch and all below it", "automatic", True, admin)
        payload = {"branch_ids": [branches["Sales"]], "branch_ids_descendants": [branches["Sales"]]}
        rule = {"id": None, "type": rules.BRANCH, "payload": payload}
        ruleset = {"operator": "AND", "sets": [{"id": None, "rules_operator": "AND", "rules": [rule]}]}
        self.set_ruleset(sales.idst, rules.numbered(ruleset, None, self.number) or ruleset, admin)
        self.recalculate(sales, admin, at_once=True)

    def number(self) -> int:
        """Return the next number."""
        return self.next_numbers("number", 13_001)[0]

    # Groups

    def new_group(self, name: str, description: str, kind: GroupType, exclude_deactivated: bool, author: int) -> Group:
        """Create a group without rules or members."""
        now, idst = self.clock.now(), self.number()
        slug = f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}-{idst}".lstrip("-")
        group = Group(
            idst, str(uuid.uuid4()), slug, name, description, kind, exclude_deactivated,
            None, now, now, None, author, author, False,
        )  # fmt: skip
        self.group_table.put(group)
        return group

    def group(self, idst: int) -> Group | None:
        """Return a group, not deleted, by its number."""
        return self.group_table.one("idst = ? AND deleted_at IS NULL", idst)

    def set_ruleset(self, idst: int, ruleset: dict[str, Any], author: int) -> None:
        """Replace a group's rules, and add them to the history."""
        if (group := self.group(idst)) is not None:
            self.group_table.change(group, ruleset=ruleset)
        number = self.history_table.count() + 1
        self.history_table.put(History(number, idst, self.clock.now(), author, ruleset))

    def remove_group(self, group: Group) -> None:
        """Delete a group with its members and its jobs."""
        self.cancel_jobs(group.idst)
        self.member_table.delete("audience = ?", group.idst)
        self.group_table.change(group, deleted_at=self.clock.now())

    # Members

    def put_members(self, audience: int, ids: Iterable[int]) -> None:
        """Put users into a group; a member matched by rules counts as put there from then on. Ignore unknown users."""
        sql = (
            "INSERT INTO docebo_members SELECT ?, idst, 'manual' FROM docebo_users WHERE idst = ?"
            " ON CONFLICT (audience, idst) DO UPDATE SET relation = 'manual'"
        )
        self.database.run_many(sql, ((audience, idst) for idst in ids))

    def member_ids(self, audience: int) -> list[int]:
        """Return all members."""
        return self.member_table.column("idst", "audience = ?", audience)

    def in_branches(self, branches: Iterable[int]) -> list[int]:
        """Return the users of branches."""
        return self.user_table.column("idst", f"branch IN {rules.listed(branches)}")

    def with_descendants(self, branches: Iterable[int]) -> set[int]:
        """Return branches and all that are below them."""
        found = set(branches)
        # A branch is always younger than its parent.
        for branch in self.branch_table.find():
            if branch.parent in found:
                found.add(branch.idst)
        return found

    def unknown_users(self, ids: Sequence[int]) -> int:
        """Return how many of the numbers are no user's."""
        return len(ids) - sum(1 for idst in ids if self.user_table.count("idst = ?", idst))

    def change_members(self, group: Group, kind: JobKind, ids: Sequence[int], author: int) -> bool:
        """Add or remove members now, or in the background if they are many; return whether in the background."""
        threshold = self.settings.background_threshold
        if threshold is None or len(ids) <= threshold:
            self._change(kind, group.idst, ids)
            return False
        self._add_job(kind, group.idst, ids, self.settings.background_delay, author)
        self.settle()
        return True

    # Background work

    def settle(self) -> None:
        """Carry out the jobs that are due."""
        due = "status = 'running' AND due_at <= ? ORDER BY due_at, rowid"
        for job in self.job_table.find(due, self.clock.now()):
            with self.database.transaction():
                self._carry_out(job)

    def recalculate(self, group: Group, author: int, *, at_once: bool = False) -> None:
        """Have a group's rules evaluated; what waits for that already starts again."""
        self.cancel_jobs(group.idst, "recalculate")
        delay = 0.0 if at_once else self.settings.recalculation_delay
        self._add_job("recalculate", group.idst, (), delay, author)
        self.settle()

    def recalculate_all(self, *, at_once: bool) -> None:
        """Have all rules evaluated after users have changed: at once for one user, later for many."""
        for group in self.group_table.find("ruleset IS NOT NULL AND deleted_at IS NULL"):
            if at_once and not group.pending:
                self._refill(group)
            elif not at_once:
                self.recalculate(group, group.updated_by)

    def cancel_jobs(self, audience: int, kind: JobKind | None = None) -> None:
        """Abort what waits for a group."""
        waiting = "audience = ? AND status = 'running' AND kind = coalesce(?, kind)"
        for job in self.job_table.find(waiting, audience, kind):
            self.job_table.change(job, status="aborted", user_ids=[])

    def _add_job(self, kind: JobKind, audience: int, ids: Sequence[int], delay: float, author: int) -> None:
        now = self.clock.now()
        job = Job(secrets.token_hex(20), kind, audience, len(ids), "running", now, now + delay, author, [*ids])
        self.job_table.put(job)

    def _carry_out(self, job: Job) -> None:
        outcome = self.settings.background_outcome
        if job.kind == "recalculate":
            group, outcome = self.group(job.audience), "completed"
            if group is not None:
                self._refill(group)
        elif outcome == "completed":
            self._change(job.kind, job.audience, job.user_ids)
        self.job_table.change(job, status=outcome, user_ids=[])

    def _change(self, kind: JobKind, audience: int, ids: Sequence[int]) -> None:
        if kind == "add":
            self.put_members(audience, ids)
        else:
            self.member_table.remove((audience, idst) for idst in ids)

    def _refill(self, group: Group) -> None:
        """Replace all members matched by rules."""
        if group.ruleset is None:
            return
        everybody = self.settings.other_rules == "everybody"
        condition = rules.condition(group.ruleset, self.with_descendants, everybody)
        if group.exclude_deactivated_users:
            condition = f"({condition}) AND active"
        self.member_table.delete("audience = ? AND relation = 'automatic'", group.idst)
        ids = self.user_table.column("idst", condition)
        self.member_table.add(Member(group.idst, idst, "automatic") for idst in ids)

    # What an administrator can see and change; the API's limits do not apply.

    @control
    def users(self, after: int = 0) -> list[UserRecord]:
        """Return a page of the users in the order of their numbers.

        :param after: the last number of the page before
        """
        return self.user_table.find("idst > ? ORDER BY idst LIMIT ?", after, _PAGE)

    @control
    def branches(self) -> list[BranchRecord]:
        """Return all branches; the root is the first."""
        return self.branch_table.find()

    @control
    def groups(self, deleted: bool = False) -> list[GroupRecord]:
        """Return the groups in the order of their creation.

        :param deleted: deleted ones as well
        """
        return self.counted_groups.find("1" if deleted else "deleted_at IS NULL")

    @control
    def members(self, group: str, relation: Relation | None = None, after: int = 0) -> list[int]:
        """Return a page of the numbers of the true members.

        :param relation: only those put there ("manual"), or matched by rules ("automatic")
        :param after: the last number of the page before
        """
        where = "audience = ? AND idst > ? AND relation = coalesce(?, relation) ORDER BY idst LIMIT ?"
        return self.member_table.column("idst", where, self._group(group).idst, after, relation, _PAGE)

    @control
    def member_count(self, group: str) -> int:
        """Return the number of true members."""
        return self.member_table.count("audience = ?", self._group(group).idst)

    @control
    def jobs(self) -> list[JobRecord]:
        """Return all background jobs in the order of their creation."""
        uuids = {group.idst: group.uuid for group in self.group_table.find()}
        return [
            JobRecord(
                job.hash, job.kind, uuids[job.audience], job.total, job.status, job.created_at, job.due_at, job.author
            )
            for job in self.job_table.find()
        ]

    @control
    def seed_users(self, count: Annotated[int, Field(ge=0, le=5_000_000)], branch: int | None = None) -> list[int]:
        """Add many invented users at once, and return their numbers; "learner<number>@example.com" is the username.

        Automatic groups have them after the recalculation's delay.

        :param branch: a branch's number; None for the root
        """
        home, names = self._branch(branch), load("docebo", "seed")["users"]
        ids = self.next_numbers("number", 13_001, count)
        self.user_table.put_all(
            UserRecord(n, address, first, last, address, home)
            for n in ids
            for address, (first, last, _) in [(f"learner{n}@example.com", names[n % len(names)])]
        )
        self.recalculate_all(at_once=False)
        return [*ids]

    @control
    def add_user(self, /, userid: Annotated[str, Field(min_length=1)], **fields: Any) -> int:
        """Add a user by hand, and return the number; automatic groups have the user at once.

        :param fields: firstname, lastname, email, branch, active, level ("superadmin" or "user")
        """
        if self.user_table.one("userid = ?", userid):
            raise ControlRefused(409, "a user with this name exists")
        fields = {name: value for name, value in fields.items() if value is not None}
        fields["branch"] = self._branch(fields.get("branch"))
        idst = self.number()
        self.user_table.put(revised(UserRecord(idst, userid, "", "", userid, fields["branch"]), fields, {"idst"}))
        self.recalculate_all(at_once=True)
        return idst

    @control
    def change_user(self, /, idst: int, **fields: Any) -> None:
        """Change a user by hand; automatic groups follow at once.

        :param fields: those of :meth:`add_user`, and ``userid``
        """
        user, fields = self._user(idst), {name: value for name, value in fields.items() if value is not None}
        if "branch" in fields:
            self._branch(fields["branch"])
        changed = revised(user, fields, {"idst"})
        if self.user_table.one("userid = ? AND idst <> ?", changed.userid, idst):
            raise ControlRefused(409, "a user with this name exists")
        self.user_table.change(changed)
        self.recalculate_all(at_once=True)

    @control
    def delete_user(self, idst: int) -> None:
        """Delete a user by hand."""
        self.user_table.remove([[self._user(idst).idst]])
        self.member_table.delete("idst = ?", idst)

    @control
    def create_group(
        self,
        name: Annotated[str, Field(min_length=1)],
        description: str = "",
        user_ids: Iterable[int] = (),
        ruleset: Mapping[str, Any] | None = None,
    ) -> str:
        """Create a group by hand, and return its uuid; one with a ruleset is automatic, and calculated at once."""
        administrator = self.user_table.one("userid = ? AND level = ?", self.settings.username, SUPERADMIN)
        author = 0 if administrator is None else administrator.idst
        group = self.new_group(name, description, "automatic" if ruleset else "manual", False, author)
        if ruleset is not None:
            read = rules.Ruleset.model_validate(dict(ruleset), context=self.settings).model_dump()
            self.set_ruleset(group.idst, rules.numbered(read, None, self.number) or read, author)
            self.recalculate(group, author, at_once=True)
        self.add_members(group.uuid, user_ids)
        return group.uuid

    @control
    def delete_group(self, group: str) -> None:
        """Delete a group by hand."""
        self.remove_group(self._group(group))

    @control
    def add_members(self, group: str, user_ids: Iterable[int]) -> None:
        """Add any number of members by hand, at once."""
        ids = list(user_ids)
        if unknown := self.unknown_users(ids):
            raise ControlRefused(404, f"{unknown} of the numbers are no user's")
        self.put_members(self._group(group).idst, ids)

    @control
    def remove_members(self, group: str, user_ids: Iterable[int]) -> None:
        """Remove any number of members by hand, at once."""
        self._change("remove", self._group(group).idst, list(user_ids))

    @control
    def set_public_key(self, pem: str) -> None:
        """Set the public key of signed assertions, as PEM without a certificate; an empty text removes it."""
        if pem and not _is_public_key(pem):
            raise ControlRefused(422, "the key must be PEM that begins with BEGIN PUBLIC KEY, not a certificate")
        self.database.set_meta("docebo_public_key", pem)

    def _group(self, text: str) -> Group:
        by_uuid = self.group_table.find("uuid = ? AND deleted_at IS NULL", text.lower())
        return only(by_uuid or self.group_table.find("name = ? AND deleted_at IS NULL", text), "groups", text)

    def _user(self, idst: int) -> UserRecord:
        return only(self.user_table.find("idst = ?", idst), "users", idst)

    def _branch(self, idst: int | None) -> int:
        known = self.branch_table.column("idst")
        if idst is not None and idst not in known:
            raise ControlRefused(404, f"no branch {idst}")
        return int(known[0]) if idst is None else idst


def _is_public_key(pem: str) -> bool:
    # A dependency of Airflow, which the sandbox needs for this only.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not pem.lstrip().startswith("-----BEGIN PUBLIC KEY-----"):
        return False
    try:
        return isinstance(load_pem_public_key(pem.encode()), RSAPublicKey)
    except ValueError:
        return False
