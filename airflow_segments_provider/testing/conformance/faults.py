"""What a target says when a request goes wrong: whether it may be carried out all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from airflow_segments_provider.errors import LedgerOvertaken, RejectedRequest, VendorError
from airflow_segments_provider.sync.target import Applied
from airflow_segments_provider.testing.conformance.checks import must, must_be
from airflow_segments_provider.testing.conformance.fake import VendorFake


class FaultTests:
    """Tests of ``add``, ``remove`` and ``replace`` while the vendor is busy, or its answers are lost."""

    def test_a_busy_vendor_loses_nobody(self, vendor: VendorFake) -> None:
        """429, then right: by the target itself, or after an error that says that nothing was done."""
        people = vendor.people(6)
        vendor.put(people[4:])
        target = vendor.open(10)
        vendor.fail("busy")
        _until_done(target.add, people[:4])
        must_be(vendor.members(), people, "The members, added after a 429,")
        vendor.fail("busy")
        _until_done(target.remove, people[2:])
        must_be(vendor.members(), people[:2], "The members, some removed after a 429,")

    def test_a_lost_answer_is_told(self, vendor: VendorFake) -> None:
        """By ``in_doubt`` where a repeat was answered, else by an error: the request may be carried out once more."""
        people = vendor.people(4)
        target = vendor.open(10)
        for send, wanted in ((target.add, people), (target.remove, ())):
            vendor.fail("lost")
            try:
                told = send(people).in_doubt
            except VendorError as error:
                told = error.maybe_done
            must(told, f"The answer to {send.__name__}() was lost, and neither `in_doubt` nor `maybe_done` says it.")
            vendor.mend()
            send(people)
            must_be(vendor.members(), wanted, f"The members after {send.__name__}() was repeated")

    def test_answers_that_are_all_lost_are_an_error(self, vendor: VendorFake) -> None:
        """Nobody may be taken for added, nor a single id for refused."""
        people = vendor.people(4)
        target = vendor.open(10)
        for send in (target.add, target.remove):
            vendor.fail("lost", times=None)
            error = _error(send, people)
            must(error is not None, f"{send.__name__}() returned though no answer ever came.")
            must(error and error.maybe_done, f"{send.__name__}() raised {type(error).__name__} without `maybe_done`.")
            must(not isinstance(error, RejectedRequest), f"{send.__name__}() calls lost answers a refusal.")
            vendor.mend()

    def test_a_replacement_is_never_sent_twice(self, vendor: VendorFake) -> None:
        """A late one would undo everything that came after it."""
        if not vendor.replaces:
            return
        people = vendor.people(3)
        vendor.fail("lost", times=None)
        error = _error(vendor.open(10).replace, people)
        must(error and error.maybe_done, "The answer to replace() was lost, and no error with `maybe_done` says it.")
        sent = len(vendor.writes())
        must(sent == 1, f"replace() was sent {sent} times.")

    def test_a_check_comes_before_each_try(self, vendor: VendorFake) -> None:
        """Another run may have taken the segment over while a try waits for its turn."""
        people = vendor.people(3)
        for how in ("busy", "lost", None):
            for name in _verbs(vendor):
                target, checked = vendor.open(10), list[int]()
                target.before_try = _counting(vendor, checked)
                before = len(vendor.writes())
                if how:
                    vendor.fail(how)
                with suppress(VendorError):
                    getattr(target, name)(people)
                vendor.mend()
                sent = range(before, len(vendor.writes()))
                unchecked = len(set(sent) - set(checked))
                must(
                    not unchecked,
                    f"{unchecked} of {len(sent)} tries of {name}() were sent without a call of `before_try` after the "
                    "try before it.",
                )

    def test_a_try_that_the_check_prevents_is_not_sent(self, vendor: VendorFake) -> None:
        """Neither the first, nor one after an answer that was busy or lost; the error is the check's own."""
        people = vendor.people(3)
        cases: tuple[tuple[Literal["busy", "lost"] | None, int], ...] = ((None, 0), ("busy", 1), ("lost", 1))
        for how, tries in cases:
            for name in _verbs(vendor):
                target, before = vendor.open(10), len(vendor.writes())
                target.before_try = _preventing(vendor, before + tries)
                if how:
                    vendor.fail(how, times=None)
                raised = _raised(getattr(target, name), people)
                vendor.mend()
                sent = len(vendor.writes()) - before
                must(sent <= tries, f"{name}() was sent {sent} times, the last of them after `before_try` had raised.")
                # A target that leaves the second try to the engine ends with the vendor's error.
                prevented = isinstance(raised, LedgerOvertaken) or (tries and isinstance(raised, VendorError))
                must(prevented, f"`before_try` raised, and {name}() did not let that error pass.")


def _until_done(send: Callable[[Sequence[str]], Applied], people: Sequence[str]) -> None:
    """Send; where that is left to the caller, once more."""
    error = _error(send, people)
    if error is not None:
        must(not isinstance(error, RejectedRequest), f"{send.__name__}() calls a 429 a refusal of its ids.")
        must(not error.maybe_done, f"{send.__name__}() says of a 429 that it may have been carried out.")
        send(people)


def _verbs(vendor: VendorFake) -> tuple[str, ...]:
    return ("add", "remove", "replace") if vendor.replaces else ("add", "remove")


def _counting(vendor: VendorFake, checked: list[int]) -> Callable[[], None]:
    """Return a check that appends how many requests came before it."""
    return lambda: checked.append(len(vendor.writes()))


def _preventing(vendor: VendorFake, most: int) -> Callable[[], None]:
    """Return a check that raises once so many requests have come."""

    def check() -> None:
        if len(vendor.writes()) >= most:
            raise LedgerOvertaken("Another run took this segment over.")

    return check


def _raised(send: Callable[[Sequence[str]], Applied], people: Sequence[str]) -> Exception | None:
    try:
        send(people)
    except Exception as error:  # noqa: BLE001  # whatever a target makes of it
        return error
    return None


def _error(send: Callable[[Sequence[str]], Applied], people: Sequence[str]) -> VendorError | None:
    try:
        send(people)
    except VendorError as error:
        return error
    return None
