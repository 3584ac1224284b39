"""The sync engine on the target: what all the rest is for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2
from pathlib import Path

from airflow_segments_provider.errors import VendorError
from airflow_segments_provider.testing.conformance.engine import sync
from airflow_segments_provider.testing.conformance.fake import VendorFake
from airflow_segments_provider.testing.conformance.must import must, must_be

SMALL = 8


class SyncTests:
    """Tests of whole runs."""

    def test_a_segment_follows_its_source(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Others who are in it stay, and the same source again sends nothing."""
        people = vendor.people(12)
        vendor.put(people[10:])
        for wanted in (people[:8], people[3:10]):
            sync(vendor.open(SMALL), wanted, tmp_path)
            must_be(vendor.members(), {*wanted, *people[10:]}, "The members after a sync, with two by hand,")
        before = len(vendor.writes())
        done = sync(vendor.open(SMALL), people[3:10], tmp_path)
        must(done.outcome == "unchanged", f"A sync of the same people again was {done.outcome!r}.")
        must(len(vendor.writes()) == before, "A sync of the same people again sent something.")

    def test_a_bad_row_is_found_among_others(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Refused with its whole request, or alone: the others are added."""
        people = vendor.people(2 * SMALL)
        bad = [people[2], people[SMALL + 5]]
        vendor.refuse(bad)
        done = sync(vendor.open(SMALL), people, tmp_path)
        must_be(vendor.members(), set(people) - set(bad), "The members after a sync with two whom the vendor refuses")
        rejected = done.counts["rejected"]
        must(rejected == len(bad), f"{rejected} people were reported as refused, not {len(bad)}.")
        limit = vendor.open(SMALL).limits.adds
        most = ceil(len(people) / limit) + 2 * ceil(log2(limit) if limit > 1 else 0) * len(bad)
        sent = len(vendor.writes())
        must(sent <= most, f"It took {sent} requests to find {len(bad)} of {len(people)}; {most} are enough.")

    def test_a_run_that_fails_is_finished_by_the_next(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Every answer lost, then none."""
        people = vendor.people(6)
        vendor.put(people[5:])
        sync(vendor.open(SMALL), people[:3], tmp_path)
        vendor.fail("lost", times=None)
        must(_fails(vendor, people[2:5], tmp_path), "A sync succeeded though no answer ever came.")
        vendor.mend()
        sync(vendor.open(SMALL), people[2:5], tmp_path)
        must_be(vendor.members(), people[2:], "The members after a sync that had failed before")

    def test_a_replacement_leaves_the_users_of_the_source(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Members whom no sync added are gone, whether the vendor replaces or lists; two requests and more."""
        if not (vendor.replaces or vendor.pages):
            return
        people = vendor.people(3 * SMALL)
        sync(vendor.open(SMALL), people[:4], tmp_path)
        vendor.put(people[2 * SMALL :])
        wanted = people[2 : 2 * SMALL + 2]
        sync(vendor.open(SMALL), wanted, tmp_path, replace=True)
        must_be(vendor.members(), wanted, "The members after a sync that replaces them")


def _fails(vendor: VendorFake, wanted: Sequence[str], folder: Path) -> bool:
    try:
        sync(vendor.open(SMALL), wanted, folder)
    except VendorError:
        return True
    return False
