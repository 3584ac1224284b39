"""Each limit of the guard at, below and above its boundary, and at the smallest sizes."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from airflow_segments_provider.sync import guard
from airflow_segments_provider.sync.plan import KINDS, Plan
from airflow_segments_provider.sync.report import summary
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.target import SegmentKey

KEY = SegmentKey("memory", "https://vendor.example", "", "1")
COUNTS = dict.fromkeys((*KINDS, "wanted", "baseline", "after"), 0)


def plan_of(mode="mirror", new=None, first=False, replacement="", unknown=False, duration=None, **counts):
    counts = {**COUNTS, "wanted": 1, **counts}
    found = {
        "add": counts["add"] + counts["again"],
        "remove": counts["remove"] + counts["remove_again"] + counts["gone"],
    }
    return Plan(
        KEY,
        mode,
        1,
        0,
        counts,
        {**found, **(new or {})},
        requests=1,
        duration=duration,
        first=first,
        replacement=replacement,
        replacing=bool(replacement),
        unknown=unknown,
    )


def breaches(settings=None, mode="mirror", interrupted=None, latest=None, **plan):
    return " ".join(guard.breaches(plan_of(mode, **plan), Settings(**(settings or {})), interrupted, latest))


@pytest.mark.parametrize(
    ("baseline", "removed", "refused"),
    [
        (100, 20, False),
        (100, 21, True),
        (1_000, 200, False),
        (1_000, 201, True),
        (10_000_000, 2_000_000, False),
        (10_000_000, 2_000_001, True),
        # Below 100 members: more than 10 and more than half.
        (99, 49, False),
        (99, 50, True),
        (20, 10, False),
        (20, 11, True),
        (10, 10, False),
        (11, 11, True),
        (22, 11, False),
        (0, 0, False),
    ],
)
def test_more_removals_than_the_default_fraction_are_refused(baseline, removed, refused):
    assert ("max_removed_fraction" in breaches(baseline=baseline, remove=removed)) == refused


def test_more_removals_than_a_fraction_that_was_set_are_refused():
    assert "max_removed_fraction" not in breaches({"max_removed_fraction": 0.5}, baseline=100, remove=50)
    assert "51.0%" in breaches({"max_removed_fraction": 0.5}, baseline=100, remove=51)
    assert breaches({"max_removed_fraction": 1}, baseline=100, remove=100) == ""
    assert breaches({"max_removed_fraction": 1}, baseline=50, remove=50) == ""
    assert "1 of 100" in breaches({"max_removed_fraction": 0}, baseline=100, remove=1)


@pytest.mark.parametrize(("removed", "refused"), [(5, False), (6, True)])
def test_more_removals_than_max_removals_are_refused(removed, refused):
    assert ("max_removals" in breaches({"max_removals": 5}, baseline=1_000, remove=removed)) == refused


@pytest.mark.parametrize(
    ("baseline", "added", "refused"),
    [(1_000, 1_000, False), (1_000, 1_001, True), (999, 100_000, False), (5_000, 5_000, False), (5_000, 5_001, True)],
)
def test_more_additions_than_the_default_fraction_are_refused(baseline, added, refused):
    assert ("max_added_fraction" in breaches(baseline=baseline, add=added)) == refused
    assert ("max_added_fraction" in breaches(baseline=baseline, add=added - 1, again=1)) == refused
    assert breaches({"max_added_fraction": None}, baseline=baseline, add=added) == ""


@pytest.mark.parametrize(("wanted", "refused"), [(9, False), (10, False), (11, True)])
@pytest.mark.parametrize("mode", ["mirror", "add"])
def test_more_wanted_users_than_max_members_are_refused(wanted, refused, mode):
    assert ("max_members" in breaches({"max_members": 10}, mode, wanted=wanted)) == refused


def test_an_empty_source_is_refused_unless_allow_empty():
    assert "allow_empty" in breaches(wanted=0, baseline=1, remove=1)
    assert breaches({"allow_empty": True}, wanted=0, baseline=1, remove=1) == ""
    # An empty source leaves an empty segment unchanged, but cannot make the first sync or a replacement.
    assert breaches(wanted=0, baseline=0) == ""
    assert "allow_empty" in breaches(wanted=0, baseline=0, first=True)
    assert "allow_empty" in breaches(wanted=0, baseline=0, replacement="run")
    for mode in ("add", "remove"):
        assert breaches(mode=mode, wanted=0, baseline=100) == ""


def test_every_limit_that_a_plan_exceeds_is_named():
    found = breaches({"max_removals": 1, "max_members": 0}, wanted=0, baseline=200, remove=200)
    for limit in ("allow_empty", "max_removed_fraction", "max_removals"):
        assert limit in found
    assert "200 of 200 members (100.0%)" in found


def test_a_plan_at_exactly_the_fraction_passes_and_one_removal_more_is_refused():
    for removed in range(1, 101):
        for limit in range(1, 101):
            found = breaches({"max_removed_fraction": limit / 100}, baseline=100, remove=removed)
            assert bool(found) == (removed > limit), (removed, limit)


def test_members_who_leave_by_a_replacement_count_as_removals():
    assert breaches(baseline=100, gone=20, replacement="run") == ""
    assert "21 of 100" in breaches(baseline=100, gone=21, replacement="run")
    assert "unknown how many" in breaches(baseline=0, replacement="run", unknown=True)


def test_the_plan_shows_the_share_of_the_members_who_leave():
    counts = {"duplicates": 0, "invalid": 0, "baseline": 100}
    assert "\n  +0 -21 =79 members, 21.0% of 100 leave (mirror)\n" in summary(plan_of(**counts, remove=21, after=79))
    assert "\n  +5 -21 =84 members, 21.0% of 100 leave (mirror)\n" in summary(plan_of(**counts, gone=21, after=84))
    # The users of a source of removals need not be members.
    assert "\n  -1,000 (remove)\n" in summary(plan_of("remove", **counts, remove=1_000))


def test_only_changes_that_an_accepted_plan_did_not_have_count_for_the_guard():
    assert breaches(baseline=100, remove=100, new={"remove": 0}) == ""
    assert breaches(baseline=1_000, add=10_000, new={"add": 0}) == ""
    # Only new changes count.
    assert breaches(baseline=100, remove=100, new={"remove": 20}) == ""
    assert "21 of 100" in breaches(baseline=100, remove=100, new={"remove": 21})


@pytest.mark.parametrize("mode", ["add", "remove"])
def test_plans_of_modes_add_and_remove_have_no_default_limit_of_removals(mode):
    assert breaches(mode=mode, baseline=1_000, remove=1_000, add=10_000) == ""


def test_max_removals_limits_the_users_of_a_plan_of_mode_remove():
    assert breaches({"max_removals": 5}, mode="remove", remove=5) == ""
    assert "6 users" in breaches({"max_removals": 5}, mode="remove", remove=6)
    assert breaches({"max_removals": 5}, mode="remove", remove=6, new={"remove": 0}) == ""


@pytest.mark.parametrize(
    ("mode", "wanted", "finishes"), [("mirror", 0, True), ("mirror", 1, False), ("remove", 0, False)]
)
def test_an_empty_source_finishes_an_interrupted_plan_only_if_that_plan_empties_the_segment(mode, wanted, finishes):
    interrupted = SimpleNamespace(mode=mode, counts={"wanted": wanted})
    given = {"wanted": 0, "baseline": 50, "remove": 50}
    for accepted in ({"interrupted": interrupted, "latest": interrupted}, {"latest": interrupted}):
        assert ("allow_empty" in breaches(**given, new={"remove": 0}, **accepted)) != finishes
        assert "allow_empty" in breaches(**given, new={"remove": 1}, **accepted)
    # A replacement removes users whom nothing counts.
    assert "allow_empty" in breaches(wanted=0, baseline=0, replacement="run", latest=interrupted)


def test_max_duration_and_max_members_do_not_stop_the_rest_of_an_accepted_plan():
    longest = {"max_duration": timedelta(minutes=1), "max_members": 1}
    interrupted = SimpleNamespace(mode="mirror", counts={"wanted": 2})
    plan = {"wanted": 2, "baseline": 2, "add": 1, "duration": timedelta(minutes=2)}
    assert breaches(longest, new={"add": 0}, interrupted=interrupted, **plan) == ""
    for found in (breaches(longest, interrupted=interrupted, **plan), breaches(longest, new={"add": 0}, **plan)):
        assert "max_duration" in found
        assert "max_members" in found
