"""Tests of failing requests: a target has to report whether the vendor may have carried them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal

from airflow_segments_provider.errors import LedgerOvertaken, RejectedRequest, VendorError
from airflow_segments_provider.sync.target import Applied, Target
from airflow_segments_provider.testing.conformance.checks import must, must_be
from airflow_segments_provider.testing.conformance.fake import VendorFake


class FaultTests:
    """Tests of ``add``, ``remove`` and ``replace`` while the vendor is busy, or its responses are lost."""

    def test_a_busy_vendor_loses_no_user(self, vendor: VendorFake) -> None:
        """After a 429, the target tries again, or raises an error without ``maybe_done``."""
        users = vendor.users(6)
        vendor.put(users[4:])
        target = vendor.open(10)
        vendor.fail("busy")
        _until_done(target.add, users[:4])
        must_be(vendor.members(), users, "The members, added after a 429,")
        vendor.fail("busy")
        _until_done(target.remove, users[2:])
        must_be(vendor.members(), users[:2], "The members, some removed after a 429,")

    def test_a_lost_response_is_reported(self, vendor: VendorFake) -> None:
        """By ``in_doubt`` where a repeat succeeded, else by an error: the request may be carried out once more."""
        users = vendor.users(4)
        target = vendor.open(10)
        for send, wanted in ((target.add, users), (target.remove, ())):
            vendor.fail("lost")
            try:
                reported = send(users).in_doubt
                must_be(vendor.members(), wanted, f"The members after {send.__name__}() returned without a response")
            except VendorError as error:
                reported = error.maybe_done
            must(reported, f"The response to {send.__name__}() was lost: neither `in_doubt` nor `maybe_done` is set.")
            vendor.recover()
            send(users)
            must_be(vendor.members(), wanted, f"The members after {send.__name__}() was repeated")

    def test_responses_that_are_all_lost_are_an_error(self, vendor: VendorFake) -> None:
        """No user may count as added, and no ID as rejected, unless the target has read that it was carried out."""
        users = vendor.users(4)
        target = vendor.open(10)
        for send, wanted in ((target.add, users), (target.remove, ())):
            vendor.fail("lost", times=None)
            error, done = _answer(send, users)
            if done is not None and target.limits.reads:
                must(done.in_doubt, f"Every response to {send.__name__}() was lost, and `in_doubt` is not set.")
                must_be(vendor.members(), wanted, f"The members after {send.__name__}() returned without a response")
                vendor.recover()
                continue
            must(error is not None, f"{send.__name__}() returned, although every response was lost.")
            must(error and error.maybe_done, f"{send.__name__}() raised {type(error).__name__} without `maybe_done`.")
            must(not isinstance(error, RejectedRequest), f"{send.__name__}() reports lost responses as a rejection.")
            vendor.recover()

    def test_a_replacement_is_never_sent_twice(self, vendor: VendorFake) -> None:
        """A late one would undo all later changes."""
        if not vendor.replaces:
            return
        users = vendor.users(3)
        vendor.fail("lost", times=None)
        error = _error(vendor.open(10).replace, users)
        must(error and error.maybe_done, "The response to replace() was lost: no error with `maybe_done` was raised.")
        sent = len(vendor.writes())
        must(sent == 1, f"replace() was sent {sent} times.")

    def test_a_check_comes_before_each_try(self, vendor: VendorFake) -> None:
        """Another run may have taken the segment over since the last try."""
        for how in ("busy", "lost", None):
            for name in _verbs(vendor):
                target, checked = vendor.open(10), list[int]()
                users = _ready(vendor, target, name)
                target.before_try = _counting(vendor, checked)
                before = len(vendor.writes())
                if how:
                    vendor.fail(how)
                with suppress(VendorError):
                    getattr(target, name)(users)
                vendor.recover()
                sent = range(before, len(vendor.writes()))
                unchecked = len(set(sent) - set(checked))
                must(
                    not unchecked,
                    f"{unchecked} of {len(sent)} tries of {name}() were sent without a call of `before_try` after the "
                    "try before it.",
                )

    def test_a_try_that_the_check_prevents_is_not_sent(self, vendor: VendorFake) -> None:
        """Neither the first nor a repeated one; the error is that of the check."""
        cases: tuple[tuple[Literal["busy", "lost"] | None, int], ...] = ((None, 0), ("busy", 1), ("lost", 1))
        for how, tries in cases:
            for name in _verbs(vendor):
                target = vendor.open(10)
                users = _ready(vendor, target, name)
                before = len(vendor.writes())
                target.before_try = _preventing(vendor, before + tries)
                if how:
                    vendor.fail(how, times=None)
                raised = _raised(getattr(target, name), users)
                vendor.recover()
                sent = len(vendor.writes()) - before
                must(sent <= tries, f"{name}() was sent {sent} times, the last of them after `before_try` had raised.")
                # A target that leaves the second try to the engine ends with the vendor's error.
                prevented = isinstance(raised, LedgerOvertaken) or (tries and isinstance(raised, VendorError))
                must(prevented, f"`before_try` raised, and {name}() did not let that error pass.")


def _until_done(send: Callable[[Sequence[str]], Applied], users: Sequence[str]) -> None:
    """Send, and send again after an error."""
    error = _error(send, users)
    if error is not None:
        must(not isinstance(error, RejectedRequest), f"{send.__name__}() reports a 429 as a rejection of its users.")
        must(not error.maybe_done, f"{send.__name__}() sets `maybe_done` for a 429, which was not carried out.")
        send(users)


def _verbs(vendor: VendorFake) -> tuple[str, ...]:
    return ("add", "remove", "replace") if vendor.replaces else ("add", "remove")


def _ready(vendor: VendorFake, target: Target, name: str) -> Sequence[str]:
    """Return users whom ``name`` changes: it may send nothing for others.

    With a request for each user, only one: the tries for several may be sent at once.
    """
    users = vendor.users(1 if name in target.limits.one_by_one else 3)
    if name == "add":
        vendor.open(10).remove(users)
    else:
        vendor.put(users)
    return users


def _counting(vendor: VendorFake, checked: list[int]) -> Callable[[], None]:
    """Return a check that appends how many requests came before it."""
    return lambda: checked.append(len(vendor.writes()))


def _preventing(vendor: VendorFake, most: int) -> Callable[[], None]:
    """Return a check that raises once so many requests have come."""

    def check() -> None:
        if len(vendor.writes()) >= most:
            raise LedgerOvertaken("Another run took this segment over.")

    return check


def _raised(send: Callable[[Sequence[str]], Applied], users: Sequence[str]) -> Exception | None:
    try:
        send(users)
    except Exception as error:  # noqa: BLE001  # a target may raise any
        return error
    return None


def _answer(
    send: Callable[[Sequence[str]], Applied], users: Sequence[str]
) -> tuple[VendorError | None, Applied | None]:
    try:
        return None, send(users)
    except VendorError as error:
        return error, None


def _error(send: Callable[[Sequence[str]], Applied], users: Sequence[str]) -> VendorError | None:
    return _answer(send, users)[0]
