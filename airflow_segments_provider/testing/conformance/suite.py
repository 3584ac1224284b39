"""The tests of the suite, except those of failing requests."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2
from pathlib import Path

from airflow_segments_provider.errors import VendorError
from airflow_segments_provider.sync.target import Limits
from airflow_segments_provider.testing.conformance.checks import must, must_be, sync, writes_of
from airflow_segments_provider.testing.conformance.confirmation import ConfirmationTests, LagTests, PartialTests
from airflow_segments_provider.testing.conformance.fake import VendorFake, Write
from airflow_segments_provider.testing.conformance.faults import FaultTests
from airflow_segments_provider.testing.conformance.identities import LookUpTests

# IDs in a request, at most: of the tests of requests, and of those of whole runs.
SMALL_BATCH = 4
BATCH = 8


class IdentityTests:
    """Tests of ``key`` and ``normalise``."""

    def test_the_key_is_the_same_for_each_target(self, vendor: VendorFake) -> None:
        """With another key, every run would be a first sync."""
        first, second = vendor.open(10).key(), vendor.open(3).key()
        must(first == second, f"Two targets of one segment have two keys: {first.folder} and {second.folder}.")
        must(first.vendor and first.segment, f"The key {first.folder} lacks the vendor or the segment's ID.")

    def test_the_key_does_not_change_with_a_name(self, vendor: VendorFake) -> None:
        """A connection and a segment may be renamed."""
        key = vendor.open(10).key()
        parts = {key.vendor, key.system, key.segment, *key.base_url.split("/")}
        wrong = sorted(parts & set(vendor.names()))
        must(not wrong, f"The key {key.folder} contains names, which may change: {', '.join(wrong)}.")

    def test_key_changes_no_member(self, vendor: VendorFake) -> None:
        """A preview calls ``key`` too."""
        users = vendor.users(2)
        vendor.put(users)
        vendor.open(10).key()
        must(not vendor.writes(), "key() sent a request that changes members.")
        must(sorted(vendor.members()) == sorted(users), "key() changed the members.")

    def test_normalising_keeps_order_and_number(self, vendor: VendorFake) -> None:
        """The engine counts duplicates."""
        target, users = vendor.open(10), list(vendor.users(5))
        ids = [*reversed(users), *users[:2], *vendor.odd_users()]
        found = list(target.normalise(ids))
        must(len(found) == len(ids), f"normalise() returned {len(found)} IDs for {len(ids)}.")
        alone = [target.normalise([user])[0] for user in ids]
        must(found == alone, "normalise() changes the order, or treats an ID in a list differently from one alone.")
        must(list(target.normalise(found)) == found, "normalise() changes IDs that are normalised already.")
        must(found[:5] == ids[:5], "normalise() changes IDs of the fake, which are normalised.")

    def test_what_needs_no_call_makes_none(self, vendor: VendorFake) -> None:
        """These are used before any check."""
        before, target = vendor.calls(), vendor.open(10)
        must(target.limits.adds > 0, "`limits.adds` is not positive.")
        must(target.lists == bool(vendor.pages), "`lists` and the fake's `pages` disagree.")
        target.normalise(vendor.users(3))
        must(vendor.calls() == before, "`limits`, `lists` or normalise() made a request.")


class MembershipTests:
    """Tests of ``add``, ``remove`` and ``replace`` while all goes well."""

    def test_adding_twice_is_adding_once(self, vendor: VendorFake) -> None:
        """A batch whose acknowledgement was not recorded is sent again."""
        users = vendor.users(4)
        target = vendor.open(10)
        target.add(users[:3])
        again = target.add(users[1:])
        must(not again.rejected, "A user who is a member already was rejected.")
        must_be(vendor.members(), users, "The members, some of them added twice,")

    def test_removing_a_user_who_is_not_a_member_is_not_an_error(self, vendor: VendorFake) -> None:
        """A removal may be sent again, too."""
        users = vendor.users(4)
        vendor.put(users[:2])
        target = vendor.open(10)
        for _ in range(2):
            removed = target.remove([users[1], users[3]])
            must(not removed.rejected, "The removal of a user who is not a member was rejected.")
            must_be(vendor.members(), users[:1], "The members after a removal")

    def test_a_segment_may_be_empty_before_and_after(self, vendor: VendorFake) -> None:
        """The first and the last member are not special."""
        users = vendor.users(2)
        target = vendor.open(10)
        target.remove(users)
        must_be(vendor.members(), (), "The members of an empty segment")
        target.add(users)
        target.remove(users)
        must_be(vendor.members(), (), "The members after all were removed")
        target.add(users[:1])
        must_be(vendor.members(), users[:1], "The members after an empty segment was filled")

    def test_special_characters_arrive_unchanged(self, vendor: VendorFake) -> None:
        """Spaces, quotes, per cent signs, other scripts."""
        odd = list(vendor.open(10).normalise(vendor.odd_users()))
        target = vendor.open(len(odd) or 1)
        for start in range(0, len(odd), target.limits.adds):
            target.add(odd[start : start + target.limits.adds])
        must_be(vendor.members(), odd, "The members with special characters")
        if target.lists:
            must_be(
                (user for page in target.members() for user in page),
                odd,
                "The members with special characters, as listed,",
            )
        gone = odd[::2]
        for start in range(0, len(gone), target.limits.removes):
            target.remove(gone[start : start + target.limits.removes])
        must_be(vendor.members(), odd[1::2], "The members after some with special characters were removed")

    def test_a_replacement_makes_exactly_these(self, vendor: VendorFake) -> None:
        """Where the vendor has no such request, ``replace`` raises :class:`NotImplementedError` and sends nothing."""
        users = vendor.users(4)
        vendor.put(users[:2])
        target = vendor.open(10)
        for wanted in (users[1:], users[:1], ()):
            try:
                target.replace(wanted)
            except NotImplementedError:
                must(not vendor.replaces, "replace() is not implemented, but the fake has `replaces`.")
                must(not vendor.writes(), "replace() is not implemented, but sent a request.")
                must_be(vendor.members(), users[:2], "The members after a replacement that is not possible")
            else:
                must(vendor.replaces, "replace() returned, but the fake does not have `replaces`.")
                must_be(vendor.members(), wanted, "The members after a replacement")


class ListTests:
    """Tests of ``members``, where the vendor lists them."""

    def test_a_list_is_whole_whatever_its_pages(self, vendor: VendorFake) -> None:
        """No member, one, one less than a page, a page, one more, and several pages."""
        if not vendor.pages:
            return
        put = 0
        everyone = vendor.users(3 * vendor.pages + 1)
        for count in sorted({0, 1, vendor.pages - 1, vendor.pages, vendor.pages + 1, 2 * vendor.pages, len(everyone)}):
            vendor.put(everyone[put:count])
            put = count
            target = vendor.open(10)
            found = [user for page in target.members() for user in page]
            must_be(found, everyone[:count], f"The members that a list of {count} shows, {vendor.pages} a page,")
            must(list(target.normalise(found)) == found, "members() returns IDs that are not normalised.")

    def test_a_list_is_not_cached(self, vendor: VendorFake) -> None:
        """The plan compares with the current members."""
        if not vendor.pages:
            return
        target, users = vendor.open(10), vendor.users(3)
        for count in (1, 3):
            vendor.put(users[count // 2 : count])
            found = [user for page in target.members() for user in page]
            must_be(found, users[:count], "The members that one target lists after a change")


class RequestTests:
    """Tests of ``limits`` against what is sent."""

    def test_the_limits_are_those_that_were_requested(self, vendor: VendorFake) -> None:
        """A request beyond the limit would be rejected."""
        limits = vendor.open(SMALL_BATCH).limits
        must(
            0 < limits.adds <= SMALL_BATCH,
            f"`limits.adds` is {limits.adds} where {SMALL_BATCH} IDs a request were requested.",
        )
        must(
            0 < limits.removes <= SMALL_BATCH,
            f"`limits.removes` is {limits.removes} where {SMALL_BATCH} were requested.",
        )

    def test_a_full_batch_takes_the_requests_of_the_limits(self, vendor: VendorFake) -> None:
        """One, or one for each user with ``limits.one_by_one``; and the ``limits.reads`` before it."""
        users = vendor.users(SMALL_BATCH)
        target = vendor.open(SMALL_BATCH)
        target.key()
        limits = target.limits
        for kind, send, count in (("add", target.add, limits.adds), ("remove", target.remove, limits.removes)):
            written, called = len(vendor.writes()), vendor.calls()
            send(users[:count])
            found = [(write.kind, write.users) for write in vendor.writes()[written:]]
            wanted = [(kind, 1)] * count if kind in limits.one_by_one else [(kind, count)]
            if limits.together:
                wanted = [("list", len(vendor.members()))]
            must(found == wanted, f"A full batch to {kind} was sent as {found}, not as {wanted}.")
            sent, stated = vendor.calls() - called, limits.requests("add" if kind == "add" else "remove", count)
            must(sent == stated, f"A full batch to {kind} took {sent} requests, `limits` states {stated}.")

    def test_a_sync_sends_no_more_requests_than_it_must(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Users divided by the limit, rounded up; no request is larger."""
        users = vendor.users(3 * SMALL_BATCH)
        limits = vendor.open(SMALL_BATCH).limits
        for wanted in (users[: 2 * SMALL_BATCH + 1], users[: 2 * SMALL_BATCH], users[2 * SMALL_BATCH :], ()):
            before, held = len(vendor.writes()), set(vendor.members())
            sync(vendor.open(SMALL_BATCH), wanted, tmp_path)
            must_be(vendor.members(), wanted, "The members after a sync")
            _check(vendor.writes()[before:], limits, add=len(set(wanted) - held), remove=len(held - set(wanted)))

    def test_a_plan_states_the_requests_that_are_sent(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Those of the changes, the reads before them, and the list after them; a list comes before the plan."""
        users = vendor.users(3 * SMALL_BATCH)
        alone = vendor.open(SMALL_BATCH)
        before = vendor.calls()
        alone.key()
        finding = vendor.calls() - before
        for wanted in (users[: 2 * SMALL_BATCH + 1], users[SMALL_BATCH:], users[SMALL_BATCH:]):
            target, held, before = vendor.open(SMALL_BATCH), len(vendor.members()), vendor.calls()
            plan = sync(target, wanted, tmp_path).plan
            listing = target.limits.listing(held) if target.lists else 0
            sent = vendor.calls() - before
            must(
                sent == finding + listing + plan.requests,
                f"A sync sent {sent} requests: key() takes {finding}, the list before the plan {listing} by "
                f"`limits.listing`, and the plan states {plan.requests}.",
            )


def _check(sent: Sequence[Write], limits: Limits, *, add: int, remove: int) -> None:
    adds, removes = writes_of(limits, "add", add), writes_of(limits, "remove", remove)
    if limits.together:
        joined = 0 < add <= limits.adds and 0 < remove <= limits.removes
        least, found = adds + removes - joined, len(sent)
        must(found == least, f"{add} users to add and {remove} to remove took {found} requests, not {least}.")
        return
    for kind, users, limit, least in (("add", add, limits.adds, adds), ("remove", remove, limits.removes, removes)):
        sizes = [write.users for write in sent if write.kind == kind]
        most = 1 if kind in limits.one_by_one else limit
        must(
            max(sizes, default=0) <= most, f"A request to {kind} had {max(sizes, default=0)} IDs, the limit is {most}."
        )
        must(len(sizes) == least, f"{users} users were sent in {len(sizes)} requests to {kind}, not in {least}.")


class SyncTests:
    """Tests of whole runs of the engine."""

    def test_a_segment_follows_its_source(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Other members stay, and an unchanged source sends nothing."""
        users = vendor.users(12)
        vendor.put(users[10:])
        for wanted in (users[:8], users[3:10]):
            sync(vendor.open(BATCH), wanted, tmp_path)
            must_be(vendor.members(), {*wanted, *users[10:]}, "The members after a sync, with two by hand,")
        before = len(vendor.writes())
        done = sync(vendor.open(BATCH), users[3:10], tmp_path)
        must(done.outcome == "unchanged", f"A sync of the same users again was {done.outcome!r}.")
        must(len(vendor.writes()) == before, "A sync of the same users again sent something.")

    def test_a_bad_row_is_found_among_others(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Whether the vendor rejects it alone or its whole request, the others are added."""
        users = vendor.users(2 * BATCH)
        bad = [users[2], users[BATCH + 5]]
        vendor.refuse(bad)
        done = sync(vendor.open(BATCH), users, tmp_path)
        must_be(
            vendor.members(), set(users) - set(bad), "The members after a sync with two users that the vendor rejects"
        )
        rejected = done.counts["rejected"]
        must(rejected == len(bad), f"{rejected} users were reported as rejected, not {len(bad)}.")
        limits = vendor.open(BATCH).limits
        most = writes_of(limits, "add", len(users))
        if "add" not in limits.one_by_one:
            most += 2 * ceil(log2(limits.adds) if limits.adds > 1 else 0) * len(bad)
        sent = len(vendor.writes())
        must(sent <= most, f"It took {sent} requests to find {len(bad)} of {len(users)}; {most} are enough.")

    def test_a_run_that_fails_is_finished_by_the_next(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Every response is lost, then none."""
        users = vendor.users(6)
        vendor.put(users[5:])
        sync(vendor.open(BATCH), users[:3], tmp_path)
        vendor.fail("lost", times=None)
        # Where the target reads before each try, it finds out that a request was carried out.
        failed, reads = _fails(vendor, users[2:5], tmp_path), vendor.open(BATCH).limits.reads
        must(failed or reads, "A sync succeeded, although every response was lost.")
        vendor.recover()
        sync(vendor.open(BATCH), users[2:5], tmp_path, hours=1)
        must_be(vendor.members(), users[2:], "The members after a sync that had failed before")

    def test_a_replacement_leaves_the_users_of_the_source(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Members that no sync added are removed, whether the vendor replaces or lists; with several requests."""
        if not (vendor.replaces or vendor.pages):
            return
        users = vendor.users(3 * BATCH)
        sync(vendor.open(BATCH), users[:4], tmp_path)
        vendor.put(users[2 * BATCH :])
        wanted = users[2 : 2 * BATCH + 2]
        sync(vendor.open(BATCH), wanted, tmp_path, replace=True)
        must_be(vendor.members(), wanted, "The members after a sync that replaces them")


def _fails(vendor: VendorFake, wanted: Sequence[str], folder: Path) -> bool:
    try:
        sync(vendor.open(BATCH), wanted, folder)
    except VendorError:
        return True
    return False


class TargetConformance(
    IdentityTests,
    LookUpTests,
    MembershipTests,
    PartialTests,
    RequestTests,
    FaultTests,
    ListTests,
    ConfirmationTests,
    LagTests,
    SyncTests,
):
    """All tests; subclass it as ``Test…``, with a fixture ``vendor``. See the package's docstring."""
