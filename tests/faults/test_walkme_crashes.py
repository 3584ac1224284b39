"""A task that is killed right before or right after any of its requests, and then runs again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.http.transport import Transport
from tests.faults.scene import NAME, members, trace

KILLED, DONE, FAILED = 9, 0, 1
PEOPLE = [f"person-{number:02}" for number in range(23)]
OTHERS = {f"other-{number:02}" for number in range(7)}
CROWD = [f"person-{number:05}" for number in range(60_000)]

Run = Callable[[WalkMeHook], Any]


def killed(run: Callable[[], object], at: int, when: str) -> bool:
    """Run it in a child that dies before its request number ``at`` leaves, or after it is answered; tell if it did."""
    child = os.fork()
    if not child:
        _run_and_die(run, at, when)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def _run_and_die(run: Callable[[], object], at: int, when: str) -> NoReturn:
    send, sent = Transport.send, 0

    def deadly(self: Transport, *args: Any, **request: Any) -> Any:
        nonlocal sent
        sent += 1
        if (sent, when) == (at, "before"):
            os._exit(KILLED)
        answer = send(self, *args, **request)
        if (sent, when) == (at, "after"):
            os._exit(KILLED)
        return answer

    try:
        Transport.send = deadly  # type: ignore[method-assign]
        run()
        os._exit(DONE)
    finally:
        os._exit(FAILED)


def survive(sandbox: Any, new_hook: Any, run: Run, requests: str, expected: set[str] | None, reset: Any) -> None:
    """Kill ``run`` at each of its requests, at both moments; each time, running again must end as expected.

    :param requests: those of a run that is not killed.
    :param reset: sets the state before each run.
    """
    for at in range(1, len(requests) + 1):
        for when in ("before", "after"):
            sandbox.reset(client_id=sandbox.client_id)
            reset()
            assert killed(partial(run, new_hook()), at, when), (at, when)
            begun = trace(sandbox)
            assert begun == requests[: at if when == "after" else at - 1]
            run(new_hook())
            assert members(sandbox) == ([] if expected is None else [expected]), (at, when, begun, trace(sandbox))
    sandbox.reset(client_id=sandbox.client_id)
    reset()
    assert not killed(partial(run, new_hook()), len(requests) + 1, "before")
    assert trace(sandbox) == requests


def create(people: Iterable[str], **options: Any) -> Run:
    return lambda hook: hook.create_segment(NAME, people, **options)


def update(action: Any, people: Iterable[str]) -> Run:
    return lambda hook: hook.update_segment(action, people, name=NAME)


@pytest.fixture
def in_fives(new_hook):
    """Hooks of five people a request: 23 people are five requests."""
    return lambda: new_hook(users_per_request=5)


def test_a_killed_create_goes_on_where_it_was(walkme_sandbox, in_fives):
    survive(walkme_sandbox, in_fives, create(PEOPLE), "TLCAAAA", set(PEOPLE), reset=lambda: None)


def test_a_killed_create_without_people_makes_one_segment(walkme_sandbox, in_fives):
    survive(walkme_sandbox, in_fives, create([]), "TLC", set(), reset=lambda: None)


@pytest.mark.parametrize("guid_in", ["location", "external_id_only", "none"])
def test_a_killed_create_whose_guid_must_be_found_goes_on(walkme_sandbox, in_fives, guid_in):
    requests = "TLCAAAA" if guid_in == "location" else "TLCLAAAA"

    def reset() -> None:
        walkme_sandbox.settings(create_reply=guid_in)

    survive(walkme_sandbox, in_fives, create(PEOPLE), requests, set(PEOPLE), reset)


def test_a_killed_reuse_adds_the_rest_and_removes_nobody(walkme_sandbox, in_fives):
    def reset() -> None:
        walkme_sandbox.create_segment(NAME, "ours", OTHERS)

    survive(walkme_sandbox, in_fives, create(PEOPLE), "TLAAAAA", OTHERS | set(PEOPLE), reset)


@pytest.mark.parametrize("exists", [False, True])
def test_a_killed_create_or_update_ends_with_exactly_these_people(walkme_sandbox, new_hook, exists):
    def reset() -> None:
        if exists:
            walkme_sandbox.create_segment(NAME, None, OTHERS)

    requests = "TLO" if exists else "TLC"
    survive(walkme_sandbox, new_hook, create(PEOPLE, if_exists="update"), requests, set(PEOPLE), reset)


@pytest.mark.parametrize(
    ("action", "before", "after", "requests"),
    [
        ("add", OTHERS, OTHERS | set(PEOPLE), "TLAAAAA"),
        ("remove", OTHERS | set(PEOPLE), OTHERS, "TLRRRRR"),
    ],
)
def test_a_killed_update_is_completed(walkme_sandbox, in_fives, action, before, after, requests):
    def reset() -> None:
        walkme_sandbox.create_segment(NAME, "ours", before)

    survive(walkme_sandbox, in_fives, update(action, PEOPLE), requests, after, reset)


def test_a_killed_override_is_completed(walkme_sandbox, new_hook):
    def reset() -> None:
        walkme_sandbox.create_segment(NAME, "ours", OTHERS)

    survive(walkme_sandbox, new_hook, update("override", PEOPLE), "TLO", set(PEOPLE), reset)


def test_an_override_is_never_more_than_one_request(walkme_sandbox, in_fives):
    """Each request of an override replaces all members: with several, only the last one's people would be left."""
    walkme_sandbox.create_segment(NAME, "ours", OTHERS)
    for run in (update("override", PEOPLE), create(PEOPLE, if_exists="update")):
        with pytest.raises(InvalidInput, match="override"):
            run(in_fives())
    assert members(walkme_sandbox) == [OTHERS]


def test_a_killed_delete_is_completed(walkme_sandbox, in_fives):
    def reset() -> None:
        walkme_sandbox.create_segment(NAME, "ours", OTHERS)

    survive(walkme_sandbox, in_fives, lambda hook: hook.delete_segment(name=NAME), "TLD", None, reset)


def test_a_killed_delete_that_empties_is_completed(walkme_sandbox, in_fives):
    def reset() -> None:
        walkme_sandbox.settings(delete_supported="route_404")
        walkme_sandbox.create_segment(NAME, "ours", OTHERS)

    survive(walkme_sandbox, in_fives, lambda hook: hook.delete_segment(name=NAME), "TLDLO", set(), reset)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [3, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_sixty_thousand_people_survive_a_kill(walkme_sandbox, new_hook, at, when):
    """The real limit of 25,000 a request: TLCAA."""
    hook = new_hook()
    assert killed(lambda: create(CROWD)(hook), at, when)
    assert trace(walkme_sandbox) == "TLCAA"[: at if when == "after" else at - 1]
    result = create(CROWD)(new_hook())
    assert result.users_sent == 60_000
    assert members(walkme_sandbox) == [set(CROWD)]
