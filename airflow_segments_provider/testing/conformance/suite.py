"""The tests of the suite, apart from those of failing requests."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2
from pathlib import Path
from typing import Literal

from airflow_segments_provider.errors import VendorError
from airflow_segments_provider.testing.conformance.checks import must, must_be, sync
from airflow_segments_provider.testing.conformance.fake import VendorFake
from airflow_segments_provider.testing.conformance.faults import FaultTests

SMALL = 4

SMALL = 8


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


class MembershipTests:
    """Tests of ``add``, ``remove`` and ``replace`` while all goes well."""

    def test_adding_twice_is_adding_once(self, vendor: VendorFake) -> None:
        """A batch whose acknowledgement was not written down is sent again."""
        people = vendor.people(4)
        target = vendor.open(10)
        target.add(people[:3])
        again = target.add(people[1:])
        must(not again.rejected, "Somebody who is a member already was rejected.")
        must_be(vendor.members(), people, "The members, some of them added twice,")

    def test_removing_somebody_who_is_not_there_is_no_error(self, vendor: VendorFake) -> None:
        """The same for removals."""
        people = vendor.people(4)
        vendor.put(people[:2])
        target = vendor.open(10)
        for _ in range(2):
            removed = target.remove([people[1], people[3]])
            must(not removed.rejected, "Somebody who is no member was rejected by a removal.")
            must_be(vendor.members(), people[:1], "The members after a removal")

    def test_a_segment_may_be_empty_before_and_after(self, vendor: VendorFake) -> None:
        """The first and the last member are no special case."""
        people = vendor.people(2)
        target = vendor.open(10)
        target.remove(people)
        must_be(vendor.members(), (), "The members of an empty segment")
        target.add(people)
        target.remove(people)
        must_be(vendor.members(), (), "The members after all were removed")
        target.add(people[:1])
        must_be(vendor.members(), people[:1], "The members after an empty segment was filled")

    def test_odd_ids_arrive_as_they_are(self, vendor: VendorFake) -> None:
        """Spaces, quotes, per cent signs, other scripts."""
        odd = list(vendor.open(10).normalise(vendor.odd_people()))
        target = vendor.open(len(odd) or 1)
        for start in range(0, len(odd), target.limits.adds):
            target.add(odd[start : start + target.limits.adds])
        must_be(vendor.members(), odd, "The members with odd ids")
        if target.lists:
            must_be(
                (person for page in target.members() for person in page), odd, "The members with odd ids, as listed,"
            )
        gone = odd[::2]
        for start in range(0, len(gone), target.limits.removes):
            target.remove(gone[start : start + target.limits.removes])
        must_be(vendor.members(), odd[1::2], "The members after some with odd ids were removed")

    def test_a_replacement_makes_exactly_these(self, vendor: VendorFake) -> None:
        """Where the vendor has no such request, ``replace`` raises :class:`NotImplementedError` and sends nothing."""
        people = vendor.people(4)
        vendor.put(people[:2])
        target = vendor.open(10)
        for wanted in (people[1:], people[:1], ()):
            try:
                target.replace(wanted)
            except NotImplementedError:
                must(not vendor.replaces, "replace() is not implemented, but the fake says that the vendor can do it.")
                must(not vendor.writes(), "replace() sent something before it said that it cannot.")
                must_be(vendor.members(), people[:2], "The members after a replacement that is not possible")
            else:
                must(vendor.replaces, "replace() returned, but the fake says that the vendor cannot do it.")
                must_be(vendor.members(), wanted, "The members after a replacement")


class ListTests:
    """Tests of ``members``, where the vendor lists them."""

    def test_a_list_is_whole_whatever_its_pages(self, vendor: VendorFake) -> None:
        """None, one, a page less one, exactly a page, one more, and several."""
        if not vendor.pages:
            return
        put = 0
        everybody = vendor.people(3 * vendor.pages + 1)
        for count in sorted({0, 1, vendor.pages - 1, vendor.pages, vendor.pages + 1, 2 * vendor.pages, len(everybody)}):
            vendor.put(everybody[put:count])
            put = count
            target = vendor.open(10)
            found = [person for page in target.members() for person in page]
            must_be(found, everybody[:count], f"The members that a list of {count} shows, {vendor.pages} a page,")
            must(list(target.normalise(found)) == found, "members() gives ids that are not normalised.")

    def test_a_list_is_asked_for_anew_each_time(self, vendor: VendorFake) -> None:
        """What was true a moment ago is not what is compared."""
        if not vendor.pages:
            return
        target, people = vendor.open(10), vendor.people(3)
        for count in (1, 3):
            vendor.put(people[count // 2 : count])
            found = [person for page in target.members() for person in page]
            must_be(found, people[:count], "The members that one target lists after a change")


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


class TargetConformance(IdentityTests, MembershipTests, RequestTests, FaultTests, ListTests, SyncTests):
    """Subclass it in a test module as ``Test…``, with a fixture ``vendor``; see the package's docstring."""
