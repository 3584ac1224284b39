"""Members are a set: whatever is sent twice, or to whom it does not matter, changes nothing."""

from __future__ import annotations

from airflow_segments_provider.testing.conformance.fake import VendorFake
from airflow_segments_provider.testing.conformance.must import must, must_be


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
