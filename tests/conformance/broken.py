"""Targets and vendors with one fault each, and a test of the suite that must find it."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace

from airflow_segments_provider.errors import LedgerOvertaken, RejectedRequest, VendorUnavailable
from airflow_segments_provider.sync.target import Applied, SegmentKey
from tests.conformance.honest import HonestLookUp, HonestTarget, HonestVendor, PartialVendor

COUNT = itertools.count()


class HoldsTwice(HonestVendor):
    def carry_out(self, kind, ids):
        self.held = [*self.held, *ids] if kind == "add" else [person for person in self.held if person not in ids]


class RefusesStrangers(HonestVendor):
    def request(self, kind, ids):
        return 400 if kind == "remove" and not set(ids) <= set(self.held) else super().request(kind, ids)


class KeepsTheLast(HonestVendor):
    """Take an empty list of members for a mistake."""

    def carry_out(self, kind, ids):
        before = self.held
        super().carry_out(kind, ids)
        self.held = self.held or before


class LosesTheLastPage(HonestTarget):
    def members(self):
        pages = list(super().members())
        yield from pages[:-1] if len(pages) > 1 else pages


class StopsAtAFullPage(HonestTarget):
    def members(self):
        yield self.vendor.page(0)


class RepeatsAPage(HonestTarget):
    def members(self):
        for page in super().members():
            yield page
            if len(page) == self.vendor.pages:
                yield page


class RemembersItsList(HonestTarget):
    def members(self):
        self.kept = self.__dict__.get("kept") or list(super().members())
        yield from self.kept


class KnowsNoLimit(HonestTarget):
    def __init__(self, vendor, limit):
        super().__init__(vendor, 1_000)


class SendsOneByOne(HonestTarget):
    def send(self, kind, ids, tries=2):
        return [super(SendsOneByOne, self).send(kind, [person], tries) for person in ids][-1]


class SendsMoreThanItMust(HonestTarget):
    def __init__(self, vendor, limit):
        super().__init__(vendor, limit)
        self.limits = replace(self.limits, adds=max(1, limit // 2))

    def add(self, ids):
        self.send("add", ids)
        return self.send("add", ids)


class ReadsBeforeItWrites(HonestTarget):
    """Read before a write without stating it in the limits."""

    def send(self, kind, ids, tries=2):
        self.vendor.page(0)
        return super().send(kind, ids, tries)


class MiscountsItsList(HonestTarget):
    def __init__(self, vendor, limit):
        super().__init__(vendor, limit)
        self.limits = replace(self.limits, listing=lambda members: 1)


class SortsWhatItNormalises(HonestTarget):
    def normalise(self, ids):
        return sorted(ids)


class DropsRepeats(HonestTarget):
    def normalise(self, ids):
        return list(dict.fromkeys(ids))


class KnowsWhatItReads(HonestTarget):
    """Return IDs in upper case, although the vendor distinguishes case."""

    def normalise(self, ids):
        return [person.upper() for person in ids]


class SpoilsOddIds(HonestTarget):
    def send(self, kind, ids, tries=2):
        return super().send(kind, [person.encode("ascii", "replace").decode() for person in ids], tries)


class HasItsNameInTheKey(HonestTarget):
    def key(self):
        return SegmentKey("honest", "https://vendor.example", "", "People on trial")


class HasItsConnectionInTheKey(HonestTarget):
    def key(self):
        return SegmentKey("honest", "https://vendor.example", "honest_default", "17")


class HasAnotherKeyEachTime(HonestTarget):
    def key(self):
        return replace(super().key(), segment=str(next(COUNT)))


class WritesToFindItself(HonestTarget):
    def key(self):
        self.send("add", ["probe"])
        return super().key()


class CallsForItsLimits(HonestTarget):
    def normalise(self, ids):
        self.vendor.called += 1
        return ids


class HidesLostAnswers(HonestTarget):
    def send(self, kind, ids, tries=2):
        return replace(super().send(kind, ids, tries), in_doubt=False)


class TakesLostForDone(HonestTarget):
    def send(self, kind, ids, tries=2):
        try:
            return super().send(kind, ids, tries)
        except VendorUnavailable:
            return Applied(in_doubt=True)


class TakesLostForNotDone(HonestTarget):
    def send(self, kind, ids, tries=2):
        try:
            return super().send(kind, ids, tries)
        except VendorUnavailable as error:
            error.maybe_done = False
            raise


class TakesBusyForRefused(HonestTarget):
    def send(self, kind, ids, tries=1):
        if (status := self.vendor.request(kind, list(ids))) == 200:
            return Applied()
        raise RejectedRequest("refused", status=status, maybe_done=status is None)


class TakesRefusedForDone(HonestTarget):
    def send(self, kind, ids, tries=2):
        try:
            return super().send(kind, ids, tries)
        except RejectedRequest:
            return Applied()


class SkipsRefusedBatches(HonestTarget):
    """Skip the whole batch of a rejected ID."""

    def send(self, kind, ids, tries=2):
        try:
            return super().send(kind, ids, tries)
        except RejectedRequest:
            return Applied(rejected=dict.fromkeys(ids, "refused"))


class RepeatsAReplacement(HonestTarget):
    def replace(self, ids):
        return self.send("replace", ids)


class AddsForAReplacement(HonestTarget):
    def replace(self, ids):
        return self.send("add", ids)


class LeavesMembersForAnEmptyReplacement(HonestTarget):
    """Take an empty list of members for nothing to do."""

    def replace(self, ids):
        return super().replace(ids) if ids else Applied()


class ReplacesToAdd(HonestTarget):
    def add(self, ids):
        return self.send("replace", ids)


class HasNoReplacement(HonestTarget):
    def replace(self, ids):
        raise NotImplementedError


class DoesNotCheck(HonestTarget):
    @property
    def before_try(self):
        return lambda: None

    @before_try.setter
    def before_try(self, check):
        pass


class ChecksOnlyBeforeTheFirstTry(HonestTarget):
    def send(self, kind, ids, tries=2):
        self.before_try()
        check, self.before_try = self.before_try, lambda: None
        try:
            return super().send(kind, ids, tries)
        finally:
            self.before_try = check


class ChecksOnlyWhatItAdds(HonestTarget):
    def send(self, kind, ids, tries=2):
        if kind != "add":
            self.before_try = lambda: None
        return super().send(kind, ids, tries)


class ChecksAfterTheTry(HonestTarget):
    def send(self, kind, ids, tries=2):
        check, self.before_try = self.before_try, lambda: None
        try:
            return super().send(kind, ids, tries)
        finally:
            check()


class SendsWhatTheCheckPrevents(HonestTarget):
    def send(self, kind, ids, tries=2):
        check = self.before_try

        def suppressed():
            with suppress(LedgerOvertaken):
                check()

        self.before_try = suppressed
        return super().send(kind, ids, tries)


class HidesTheErrorOfTheCheck(HonestTarget):
    def send(self, kind, ids, tries=2):
        try:
            return super().send(kind, ids, tries)
        except LedgerOvertaken:
            return Applied()


class ListsNoMemberByHand(HonestTarget):
    """List only members that this target added."""

    def members(self):
        added = {person for ids in self.vendor.__dict__.get("added", ()) for person in ids}
        for page in super().members():
            yield [person for person in page if person in added]

    def add(self, ids):
        self.vendor.__dict__.setdefault("added", []).append(ids)
        return super().add(ids)


class TellsCasesApart(HonestLookUp):
    def same(self, value, email):
        return value == email


class HasAKeyForEachSpelling(HonestTarget):
    @staticmethod
    def identity_keys(values):
        return values


class ChoosesTheFirst(HonestLookUp):
    def choose(self, users):
        return users[0]


class LeavesOutSeveral(HonestLookUp):
    def __call__(self, values):
        return {value: user for value, user in super().__call__(values).items() if user is not None}


class FindsParts(HonestLookUp):
    """Match parts of an identity, as a vendor's search does."""

    def same(self, value, email):
        return value.lower() in email


class FindsBeginnings(HonestLookUp):
    def same(self, value, email):
        return value.lower().startswith(email)


class NamesTheUnknown(HonestLookUp):
    def __call__(self, values):
        return dict.fromkeys(values) | super().__call__(values)


class StatesTooFewLookUps(HonestLookUp):
    def __call__(self, values):
        self.vendor.called += 1
        return super().__call__(values)


class ListsIdsForIdentities(HonestTarget):
    shows = "identity"


class NamesNoUserAsRejected(HonestTarget):
    of = PartialVendor

    def send(self, kind, ids, tries=2):
        return replace(super().send(kind, ids, tries), rejected={})


class NamesTheWholeBatchAsRejected(HonestTarget):
    of = PartialVendor

    def send(self, kind, ids, tries=2):
        done = super().send(kind, ids, tries)
        return replace(done, rejected=dict.fromkeys(ids, "refused")) if done.rejected else done


class GivesNoReason(HonestTarget):
    of = PartialVendor

    def send(self, kind, ids, tries=2):
        done = super().send(kind, ids, tries)
        return replace(done, rejected=dict.fromkeys(done.rejected, ""))


class ListsWhatItHasSent(HonestTarget):
    def members(self):
        sent = self.vendor.__dict__.get("sent", set())
        yield sorted({person for page in super().members() for person in page} | sent)

    def add(self, ids):
        self.vendor.__dict__.setdefault("sent", set()).update(ids)
        return super().add(ids)

    def remove(self, ids):
        self.vendor.__dict__.setdefault("sent", set()).difference_update(ids)
        return super().remove(ids)


class TakesIgnoredForRejected(HonestTarget):
    def add(self, ids):
        done = super().add(ids)
        ignored = [person for person in ids if person not in self.vendor.held]
        return replace(done, rejected={**done.rejected, **dict.fromkeys(ignored, "not listed")})


class RemovesOnlyListedUsers(HonestTarget):
    """Remove only listed members, to save requests."""

    def remove(self, ids):
        listed = {person for page in self.members() for person in page}
        return super().remove([person for person in ids if person in listed])


class AddsOnlyUnlistedUsers(HonestTarget):
    def add(self, ids):
        listed = {person for page in self.members() for person in page}
        return super().add([person for person in ids if person not in listed])


class WritesItsListWithAdditions(HonestTarget):
    """Write the list with additions; members that it lacks are lost."""

    def add(self, ids):
        listed = {person for page in self.members() for person in page}
        return self.send("replace", sorted({*listed, *ids}))


# Each with one of the tests that must fail; others may fail, too.
BROKEN = [
    (TellsCasesApart, "a_look_up_finds_a_user_by_every_spelling"),
    (HasAKeyForEachSpelling, "a_look_up_finds_a_user_by_every_spelling"),
    (ListsIdsForIdentities, "a_segment_follows_identities"),
    (ChoosesTheFirst, "a_look_up_does_not_choose_between_users"),
    (LeavesOutSeveral, "a_look_up_does_not_choose_between_users"),
    (FindsParts, "a_look_up_leaves_out_unknown_users"),
    (FindsBeginnings, "a_look_up_leaves_out_unknown_users"),
    (NamesTheUnknown, "a_look_up_leaves_out_unknown_users"),
    (StatesTooFewLookUps, "a_look_up_states_its_requests"),
    (NamesNoUserAsRejected, "rejected_users_of_a_request_are_named"),
    (NamesTheWholeBatchAsRejected, "rejected_users_of_a_request_are_named"),
    (GivesNoReason, "rejected_users_of_a_request_are_named"),
    (ListsWhatItHasSent, "users_who_are_ignored_are_reported_and_sent_again"),
    (TakesIgnoredForRejected, "users_who_are_ignored_are_reported_and_sent_again"),
    (RemovesOnlyListedUsers, "members_that_the_list_lacks_are_not_forgotten"),
    (WritesItsListWithAdditions, "a_list_that_lacks_members_removes_none"),
    (AddsOnlyUnlistedUsers, "removed_users_whom_the_list_still_shows_are_removed_again"),
    (HoldsTwice, "adding_twice_is_adding_once"),
    (RefusesStrangers, "removing_a_user_who_is_not_a_member_is_not_an_error"),
    (LosesTheLastPage, "a_list_is_whole_whatever_its_pages"),
    (StopsAtAFullPage, "a_list_is_whole_whatever_its_pages"),
    (RepeatsAPage, "a_list_is_whole_whatever_its_pages"),
    (RemembersItsList, "a_list_is_not_cached"),
    (KnowsNoLimit, "the_limits_are_those_that_were_requested"),
    (SendsOneByOne, "a_full_batch_takes_the_requests_of_the_limits"),
    (ReadsBeforeItWrites, "a_full_batch_takes_the_requests_of_the_limits"),
    (ReadsBeforeItWrites, "a_plan_states_the_requests_that_are_sent"),
    (MiscountsItsList, "a_plan_states_the_requests_that_are_sent"),
    (SendsMoreThanItMust, "a_sync_sends_no_more_requests_than_it_must"),
    (SortsWhatItNormalises, "normalising_keeps_order_and_number"),
    (DropsRepeats, "normalising_keeps_order_and_number"),
    (KnowsWhatItReads, "normalising_keeps_order_and_number"),
    (SpoilsOddIds, "special_characters_arrive_unchanged"),
    (HasItsNameInTheKey, "the_key_does_not_change_with_a_name"),
    (HasItsConnectionInTheKey, "the_key_does_not_change_with_a_name"),
    (HasAnotherKeyEachTime, "the_key_is_the_same_for_each_target"),
    (WritesToFindItself, "key_changes_no_member"),
    (CallsForItsLimits, "what_needs_no_call_makes_none"),
    (HidesLostAnswers, "a_lost_response_is_reported"),
    (TakesLostForDone, "responses_that_are_all_lost_are_an_error"),
    (TakesLostForNotDone, "responses_that_are_all_lost_are_an_error"),
    (TakesBusyForRefused, "a_busy_vendor_loses_no_user"),
    (TakesRefusedForDone, "a_bad_row_is_found_among_others"),
    (SkipsRefusedBatches, "a_bad_row_is_found_among_others"),
    (TakesLostForDone, "a_run_that_fails_is_finished_by_the_next"),
    (ReplacesToAdd, "a_segment_follows_its_source"),
    (RepeatsAReplacement, "a_replacement_is_never_sent_twice"),
    (AddsForAReplacement, "a_replacement_makes_exactly_these"),
    (LeavesMembersForAnEmptyReplacement, "a_replacement_makes_exactly_these"),
    (HasNoReplacement, "a_replacement_makes_exactly_these"),
    (ListsNoMemberByHand, "a_replacement_leaves_the_users_of_the_source"),
    (DoesNotCheck, "a_check_comes_before_each_try"),
    (ChecksOnlyBeforeTheFirstTry, "a_check_comes_before_each_try"),
    (ChecksOnlyWhatItAdds, "a_check_comes_before_each_try"),
    (ChecksAfterTheTry, "a_check_comes_before_each_try"),
    (DoesNotCheck, "a_try_that_the_check_prevents_is_not_sent"),
    (ChecksOnlyBeforeTheFirstTry, "a_try_that_the_check_prevents_is_not_sent"),
    (SendsWhatTheCheckPrevents, "a_try_that_the_check_prevents_is_not_sent"),
    (HidesTheErrorOfTheCheck, "a_try_that_the_check_prevents_is_not_sent"),
    (KnowsWhatItReads, "a_segment_follows_its_source"),
    (KeepsTheLast, "a_segment_may_be_empty_before_and_after"),
]
