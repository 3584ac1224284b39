"""A correct vendor in memory, and its target; the broken ones are derived from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

from airflow_segments_provider.errors import RateLimited, RejectedRequest, VendorUnavailable
from airflow_segments_provider.sources.look_up import LookUp
from airflow_segments_provider.sync.target import Applied, Limits, SegmentKey, Target
from airflow_segments_provider.testing.conformance import VendorFake, Write

PAGE = 5
TRIES = 2


class HonestTarget(Target):
    """Repeat a request once, and report each lost response."""

    of: type[HonestVendor]
    replaces = True

    def __init__(self, vendor: HonestVendor, limit: int, identity: str = "id") -> None:
        self.identity = identity
        self.vendor = vendor
        self.found = False
        self.lists = bool(vendor.pages)
        self.before_try: Callable[[], None] = lambda: None
        self.limits = Limits(
            limit,
            limit,
            max_length=100,
            request_timeout=timedelta(seconds=10),
            # The last page is followed by one without members.
            listing=lambda members: -(-members // PAGE) + 1,
        )

    def key(self) -> SegmentKey:
        self.vendor.called += not self.found
        self.found = True
        return SegmentKey("honest", "https://vendor.example", "", "17")

    def add(self, ids: Sequence[str]) -> Applied:
        return self.send("add", ids)

    def remove(self, ids: Sequence[str]) -> Applied:
        return self.send("remove", ids)

    def replace(self, ids: Sequence[str]) -> Applied:
        return self.send("replace", ids, tries=1)

    def members(self) -> Iterator[Sequence[str]]:
        start = 0
        while page := self.vendor.page(start):
            yield page
            start += len(page)

    @staticmethod
    def identity_keys(values: Sequence[str]) -> Sequence[str]:
        return [value.lower() for value in values]

    def look_up(self, users: int) -> AbstractContextManager[LookUp]:
        return nullcontext(self.look(users))

    def look(self, users: int) -> HonestLookUp:
        return self.vendor.look_up(self.vendor, users)

    def send(self, kind: str, ids: Sequence[str], tries: int = TRIES) -> Applied:
        lost = False
        for _ in range(tries):
            self.before_try()
            status = self.vendor.request(kind, list(ids))
            if status == 200:
                return Applied(self.vendor.rejected, in_doubt=lost)
            if status == 400:
                raise RejectedRequest("refused", status=400, maybe_done=lost)
            lost = lost or status is None
        raise (VendorUnavailable if lost else RateLimited)("not answered", maybe_done=lost)


class HonestLookUp:
    """Look up ten users in a request."""

    size = 10

    def __init__(self, vendor: HonestVendor, users: int) -> None:
        self.vendor = vendor
        self.requests = -(-users // self.size)

    def __call__(self, values: list[str]) -> dict[str, str | None]:
        self.vendor.called += self.requests
        found: dict[str, str | None] = {}
        for value in values:
            users = [user for user, email in self.vendor.emails.items() if self.same(value, email)]
            if users:
                found[value] = self.choose(users)
        return found

    def same(self, value: str, email: str) -> bool:
        return value.lower() == email

    def choose(self, users: Sequence[str]) -> str | None:
        return users[0] if len(users) == 1 else None


class HonestVendor(VendorFake):
    """A vendor of users with e-mail addresses.

    :cvar partial: whether a rejected user leaves the others of a request accepted.
    """

    pages = PAGE
    replaces = True
    partial = False
    target: type[HonestTarget] = HonestTarget
    look_up: type[HonestLookUp] = HonestLookUp

    def __init__(self) -> None:
        self.held: list[str] = []
        self.bad: set[str] = set()
        self.received: list[Write] = []
        self.called = 0
        self.failing: tuple[str, int | None] = ("", 0)
        self.emails: dict[str, str] = {}
        self.rejected: dict[str, str] = {}
        self.ignored: set[str] = set()
        self.hidden: set[str] = set()
        self.lingering: set[str] = set()

    def open(self, limit):
        return self.target(self, limit)

    def open_by(self, identity, limit):
        return self.target(self, limit, identity)

    def users(self, count):
        ids = [f"p{number:03}" for number in range(count)]
        self.emails = {user: f"{user}@example.org" for user in ids} | self.emails
        return ids

    def identities(self):
        return ("email",)

    def identity_of(self, identity, user):
        return self.emails[user]

    def share(self, identity, user):
        self.emails[f"twin of {user}"] = self.emails[user]
        return True

    def ignore(self, users):
        self.ignored = set(users)
        return True

    def hide(self, users):
        self.hidden = set(users)
        return True

    def linger(self, users):
        self.lingering = set(users)
        return True

    def members(self):
        return self.held

    def put(self, users):
        self.held = sorted({*self.held, *users})

    def writes(self):
        return self.received

    def calls(self):
        return self.called

    def fail(self, how, times=1):
        self.failing = (how, times)

    def recover(self):
        self.failing = ("", 0)
        self.ignored, self.hidden, self.lingering = set(), set(), set()

    def refuse(self, users):
        self.bad = set(users)

    def names(self):
        return {"honest_default", "People on trial"}

    def page(self, start):
        self.called += 1
        shown = [user for user in self.held if user not in self.hidden]
        shown += sorted(self.lingering - set(self.held))
        return shown[start : start + self.pages]

    def request(self, kind, ids):
        """Return the status of the response, or None if there is none."""
        self.called += 1
        self.received.append(Write(kind, len(ids)))
        how, times = self.failing
        if times != 0:
            self.failing = (how, times and times - 1)
            if how == "busy":
                return 429
        self.rejected = dict.fromkeys(self.bad & set(ids), "no such user") if kind != "remove" else {}
        if self.rejected and not self.partial:
            return 400
        self.carry_out(kind, [user for user in ids if user not in self.rejected and user not in self.ignored])
        return None if times != 0 else 200

    def carry_out(self, kind, ids):
        kept = set() if kind == "replace" else set(self.held)
        self.held = sorted(kept - set(ids) if kind == "remove" else kept | set(ids))


class PartialVendor(HonestVendor):
    partial = True


HonestTarget.of = HonestVendor
