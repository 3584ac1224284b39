"""Who the segment is, and who people are: told alike by every process, and without a change."""

from __future__ import annotations

from airflow_segments_provider.testing.conformance.fake import VendorFake
from airflow_segments_provider.testing.conformance.must import must


class IdentityTests:
    """Tests of ``key`` and ``normalise``."""

    def test_the_key_is_the_same_for_each_target(self, vendor: VendorFake) -> None:
        """A ledger that is not found again is a first sync each day."""
        first, second = vendor.open(10).key(), vendor.open(3).key()
        must(first == second, f"Two targets of one segment have two keys: {first.folder} and {second.folder}.")
        must(first.vendor and first.segment, f"The key {first.folder} lacks the vendor, or the segment's id.")

    def test_the_key_does_not_change_with_a_name(self, vendor: VendorFake) -> None:
        """A connection and a segment may be renamed, and stay what they are."""
        key = vendor.open(10).key()
        parts = {key.vendor, key.system, key.segment, *key.base_url.split("/")}
        wrong = sorted(parts & set(vendor.names()))
        must(not wrong, f"The key {key.folder} has what may change: {', '.join(wrong)}.")

    def test_asking_for_the_key_changes_nobody(self, vendor: VendorFake) -> None:
        """A plan that is only looked at asks for the key, too."""
        people = vendor.people(2)
        vendor.put(people)
        vendor.open(10).key()
        must(not vendor.writes(), "key() sent a request that changes members.")
        must(sorted(vendor.members()) == sorted(people), "key() changed who is a member.")

    def test_normalising_keeps_order_and_number(self, vendor: VendorFake) -> None:
        """The engine counts repeats itself."""
        target, people = vendor.open(10), list(vendor.people(5))
        given = [*reversed(people), *people[:2], *vendor.odd_people()]
        found = list(target.normalise(given))
        must(len(found) == len(given), f"normalise() made {len(found)} ids of {len(given)}.")
        alone = [target.normalise([person])[0] for person in given]
        must(found == alone, "normalise() gives another order, or something else for an id among others than alone.")
        must(list(target.normalise(found)) == found, "normalise() of what is normalised already is something else.")
        must(found[:5] == given[:5], "normalise() changes the ids that the fake says are normalised.")

    def test_what_needs_no_call_makes_none(self, vendor: VendorFake) -> None:
        """They are asked for before anything is checked."""
        before, target = vendor.calls(), vendor.open(10)
        must(target.limits.adds > 0, "`limits.adds` is not positive.")
        must(target.lists == bool(vendor.pages), "`lists` and the fake's `pages` disagree.")
        target.normalise(vendor.people(3))
        must(vendor.calls() == before, "`limits`, `lists` or normalise() made a request.")
