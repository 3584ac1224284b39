"""Tests of what a vendor acknowledges and does not do, does in part, or shows late."""

from __future__ import annotations

from pathlib import Path

from airflow_segments_provider.errors import RejectedRequest
from airflow_segments_provider.testing.conformance.checks import must, must_be, sync
from airflow_segments_provider.testing.conformance.fake import VendorFake

BATCH = 8


class PartialTests:
    """Tests of requests of which the vendor accepts a part."""

    def test_rejected_users_of_a_request_are_named(self, vendor: VendorFake) -> None:
        """Either exactly these, each with a reason, and the others are added; or the whole request, and no user is."""
        users = vendor.users(6)
        vendor.put(users[4:])
        vendor.refuse(users[:2])
        target = vendor.open(BATCH)
        try:
            done = target.add(users[:4])
        except RejectedRequest as error:
            must(not error.maybe_done, "add() sets `maybe_done` for a request that was rejected.")
            must_be(vendor.members(), users[4:], "The members after a request that was rejected")
            return
        must_be(done.rejected, users[:2], "The users that add() names as rejected")
        must(all(done.rejected.values()), "add() names rejected users without a reason.")
        must_be(vendor.members(), users[2:], "The members after a request of which two users were rejected")
        again = target.add(users[2:4])
        must(not again.rejected, "add() names users as rejected who are members, after others were.")


class ConfirmationTests:
    """Tests of users whose addition the vendor acknowledges and ignores, where it lists members."""

    def test_users_who_are_ignored_are_reported_and_sent_again(self, vendor: VendorFake, tmp_path: Path) -> None:
        """They are ``unconfirmed``, neither applied nor rejected, in this run and in the next."""
        users = vendor.users(6)
        if not (vendor.pages and vendor.ignore(users[:2])):
            return
        for sent in (6, 2):
            before = len(vendor.writes())
            done = sync(vendor.open(BATCH), users, tmp_path)
            must_be(vendor.members(), users[2:], "The members after a sync of which two users were ignored")
            found = {name: done.counts[name] for name in ("applied", "rejected", "unconfirmed")}
            right = {"applied": sent - 2, "rejected": 0, "unconfirmed": 2}
            must(found == right, f"A sync of which the vendor ignored two users counts {found}, not {right}.")
            written = sum(write.users for write in vendor.writes()[before:] if write.kind == "add")
            must(written == sent, f"A sync of which two users are not members yet sent {written} users, not {sent}.")
        sync(vendor.open(BATCH), users[2:], tmp_path)
        must_be(vendor.members(), users[2:], "The members after a sync without those who were ignored")


class LagTests:
    """Tests of a list that does not show some members yet, or still shows removed ones."""

    def test_members_that_the_list_lacks_are_not_forgotten(self, vendor: VendorFake, tmp_path: Path) -> None:
        """They stay while they are wanted, and are removed when they are not, although the list lacks them."""
        users = vendor.users(8)
        if not (vendor.pages and vendor.hide(users[:3])):
            return
        for _ in range(2):
            done = sync(vendor.open(BATCH), users[:6], tmp_path)
            must_be(vendor.members(), users[:6], "The members after a sync that the list does not show completely")
            must(done.counts["unconfirmed"] == 3, f"{done.counts['unconfirmed']} of 3 members are unconfirmed.")
        sync(vendor.open(BATCH), users[2:], tmp_path)
        must_be(vendor.members(), users[2:], "The members after a sync without some that the list does not show")
        vendor.recover()
        sync(vendor.open(BATCH), users[2:], tmp_path)
        must_be(vendor.members(), users[2:], "The members after a sync with a complete list again")

    def test_a_list_that_lacks_members_removes_none(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Neither wanted members nor those by hand; a run that removes all others removes those that are listed."""
        users = vendor.users(9)
        sync(vendor.open(BATCH), users[:5], tmp_path)
        vendor.put(users[6:])
        if not (vendor.pages and vendor.hide([*users[:3], *users[6:8]])):
            return
        sync(vendor.open(BATCH), users[:6], tmp_path)
        must_be(vendor.members(), users, "The members after a sync with an incomplete list")
        for settings in ({"removals": "all"}, {"replace": True}):
            sync(vendor.open(BATCH), users[:6], tmp_path, **settings)
            must_be(vendor.members(), users[:8], "The members after a sync that removes the others that are listed")

    def test_removed_users_whom_the_list_still_shows_are_removed_again(
        self, vendor: VendorFake, tmp_path: Path
    ) -> None:
        """They are ``unconfirmed``, no longer once the list is right, and a member if they are wanted again."""
        users = vendor.users(6)
        sync(vendor.open(BATCH), users, tmp_path)
        if not (vendor.pages and vendor.linger(users[:2])):
            return
        for _ in range(2):
            before = len(vendor.writes())
            done = sync(vendor.open(BATCH), users[2:], tmp_path)
            must_be(vendor.members(), users[2:], "The members after a removal that the list does not show")
            must(done.counts["unconfirmed"] == 2, f"{done.counts['unconfirmed']} of 2 removals are unconfirmed.")
            removed = sum(write.users for write in vendor.writes()[before:] if write.kind == "remove")
            must(removed == 2, f"{removed} users were removed by a sync where 2 are listed and not wanted.")
        sync(vendor.open(BATCH), users[1:], tmp_path)
        must_be(vendor.members(), users[1:], "The members after a removed user is wanted again, and was always listed,")
        vendor.recover()
        sync(vendor.open(BATCH), users[1:], tmp_path)
        must_be(vendor.members(), users[1:], "The members after a sync with the right list again")
