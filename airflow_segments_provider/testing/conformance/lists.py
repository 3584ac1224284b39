"""The list of members: every page of it."""

from __future__ import annotations

from airflow_segments_provider.testing.conformance.fake import VendorFake
from airflow_segments_provider.testing.conformance.must import must, must_be


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
