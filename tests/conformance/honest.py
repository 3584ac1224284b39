"""A vendor in memory that does all that it should, and its target; broken ones are made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from airflow_segments_provider.errors import RateLimited, RejectedRequest, VendorUnavailable
from airflow_segments_provider.sync.target import Applied, Limits, SegmentKey, Target
from airflow_segments_provider.testing.conformance import VendorFake, Write

PAGE = 5
TRIES = 2


class HonestTarget(Target):
    """Repeats a request once, and tells of each lost answer."""

    replaces = True

    def __init__(self, vendor: HonestVendor, limit: int) -> None:
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

    def send(self, kind: str, ids: Sequence[str], tries: int = TRIES) -> Applied:
        lost = False
        for _ in range(tries):
            self.before_try()
            status = self.vendor.request(kind, list(ids))
            if status == 200:
                return Applied(in_doubt=lost)
            if status == 400:
                raise RejectedRequest("refused", status=400, maybe_done=lost)
            lost = lost or status is None
        raise (VendorUnavailable if lost else RateLimited)("not answered", maybe_done=lost)


class HonestVendor(VendorFake):
    pages = PAGE
    replaces = True
    target = HonestTarget

    def __init__(self) -> None:
        self.held: list[str] = []
        self.bad: set[str] = set()
        self.received: list[Write] = []
        self.called = 0
        self.failing: tuple[str, int | None] = ("", 0)

    def open(self, limit):
        return self.target(self, limit)

    def users(self, count):
        return [f"p{number:03}" for number in range(count)]

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

    def refuse(self, users):
        self.bad = set(users)

    def names(self):
        return {"honest_default", "People on trial"}

    def page(self, start):
        self.called += 1
        return self.held[start : start + self.pages]

    def request(self, kind, ids):
        """The status of the answer, or None where there is none."""
        self.called += 1
        self.received.append(Write(kind, len(ids)))
        how, times = self.failing
        if times != 0:
            self.failing = (how, times and times - 1)
            if how == "busy":
                return 429
        if kind != "remove" and self.bad & set(ids):
            return 400
        self.carry_out(kind, ids)
        return None if times != 0 else 200

    def carry_out(self, kind, ids):
        kept = set() if kind == "replace" else set(self.held)
        self.held = sorted(kept - set(ids) if kind == "remove" else kept | set(ids))
