"""How many requests there are, and how large: the plan tells it beforehand, and vendors refuse larger ones."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from airflow_segments_provider.testing.conformance.engine import sync
from airflow_segments_provider.testing.conformance.fake import VendorFake
from airflow_segments_provider.testing.conformance.must import must, must_be

SMALL = 4


class RequestTests:
    """Tests of ``limits`` against what is sent."""

    def test_the_limits_are_those_that_were_asked_for(self, vendor: VendorFake) -> None:
        """A target that knows no limit sends what the vendor refuses."""
        limits = vendor.open(SMALL).limits
        must(0 < limits.adds <= SMALL, f"`limits.adds` is {limits.adds} where {SMALL} ids a request were asked for.")
        must(0 < limits.removes <= SMALL, f"`limits.removes` is {limits.removes} where {SMALL} were asked for.")

    def test_a_full_batch_is_one_request(self, vendor: VendorFake) -> None:
        """Acknowledged as a whole, it must be carried out as a whole."""
        people = vendor.people(SMALL)
        target = vendor.open(SMALL)
        target.add(people[: target.limits.adds])
        target.remove(people[: target.limits.removes])
        found = [(write.kind, write.people) for write in vendor.writes()]
        wanted = [("add", target.limits.adds), ("remove", target.limits.removes)]
        must(found == wanted, f"A full batch of each kind was sent as {found}, not as {wanted}.")

    def test_a_sync_sends_no_more_requests_than_it_must(self, vendor: VendorFake, tmp_path: Path) -> None:
        """People by the limit, rounded up; none of them larger."""
        people = vendor.people(3 * SMALL)
        limits = vendor.open(SMALL).limits
        for wanted in (people[: 2 * SMALL + 1], people[: 2 * SMALL], people[2 * SMALL :], ()):
            before, held = len(vendor.writes()), set(vendor.members())
            sync(vendor.open(SMALL), wanted, tmp_path)
            must_be(vendor.members(), wanted, "The members after a sync")
            sent = vendor.writes()[before:]
            _check([write.people for write in sent if write.kind == "add"], set(wanted) - held, limits.adds, "add")
            _check(
                [write.people for write in sent if write.kind == "remove"], held - set(wanted), limits.removes, "remove"
            )


def _check(sent: list[int], people: set[str], limit: int, kind: Literal["add", "remove"]) -> None:
    must(max(sent, default=0) <= limit, f"A request to {kind} had {max(sent, default=0)} ids, the limit is {limit}.")
    least = -(-len(people) // limit)
    must(len(sent) == least, f"{len(people)} people were sent in {len(sent)} requests to {kind}, not in {least}.")
