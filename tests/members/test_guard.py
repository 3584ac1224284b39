"""Each limit of the guard at, below and above it, and at its smallest size."""

from __future__ import annotations

import pytest

from airflow_segments_provider.members.guard import Guard
from airflow_segments_provider.members.plan import Plan
from airflow_segments_provider.members.plan_text import markdown
from airflow_segments_provider.members.target import SegmentKey

KEY = SegmentKey("memory", "https://vendor.example", "", "1")
COUNTS = dict.fromkeys(("wanted", "baseline", "add", "again", "remove", "override", "skipped"), 0)


def plan_of(mode="mirror", **counts):
    return Plan(KEY, mode, 1, {**COUNTS, "wanted": 1, **counts}, requests=1, duration=None, digest="sha256:0")


def breaches(guard=None, mode="mirror", accepted=False, **counts):
    plan = plan_of(mode, **counts)
    guard = guard or Guard()
    return " ".join(guard.breaches(plan, accepted_removals=accepted, accepted_adds=accepted))


@pytest.mark.parametrize(
    ("baseline", "removed", "refused"),
    [
        (100, 20, False),
        (100, 21, True),
        (1_000, 200, False),
        (1_000, 201, True),
        (10_000_000, 2_000_000, False),
        (10_000_000, 2_000_001, True),
        # Below 100: more than 10 and more than half.
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
def test_removals(baseline, removed, refused):
    assert ("max_removed_fraction" in breaches(baseline=baseline, remove=removed)) == refused


def test_removals_at_a_limit_of_ones_own():
    assert "max_removed_fraction" not in breaches(Guard(max_removed_fraction=0.5), baseline=100, remove=50)
    assert "51.0%" in breaches(Guard(max_removed_fraction=0.5), baseline=100, remove=51)
    assert breaches(Guard(max_removed_fraction=1), baseline=100, remove=100) == ""
    assert breaches(Guard(max_removed_fraction=1), baseline=50, remove=50) == ""
    assert "1 of 100" in breaches(Guard(max_removed_fraction=0), baseline=100, remove=1)


@pytest.mark.parametrize(("removed", "refused"), [(5, False), (6, True)])
def test_an_absolute_number_of_removals(removed, refused):
    assert ("max_removals" in breaches(Guard(max_removals=5), baseline=1_000, remove=removed)) == refused


@pytest.mark.parametrize(
    ("baseline", "added", "refused"),
    [(1_000, 1_000, False), (1_000, 1_001, True), (999, 100_000, False), (5_000, 5_000, False), (5_000, 5_001, True)],
)
def test_growth(baseline, added, refused):
    assert ("max_added_fraction" in breaches(baseline=baseline, add=added)) == refused
    assert ("max_added_fraction" in breaches(baseline=baseline, add=added - 1, again=1)) == refused
    assert breaches(Guard(max_added_fraction=None), baseline=baseline, add=added) == ""


@pytest.mark.parametrize(("wanted", "refused"), [(9, False), (10, False), (11, True)])
@pytest.mark.parametrize("mode", ["mirror", "add"])
def test_members(wanted, refused, mode):
    assert ("max_members" in breaches(Guard(max_members=10), mode, wanted=wanted)) == refused


def test_nobody_wanted():
    assert "allow_empty" in breaches(wanted=0, baseline=1, remove=1)
    assert breaches(Guard(allow_empty=True), wanted=0, baseline=1, remove=1) == ""
    assert breaches(wanted=0, baseline=0) == ""
    for mode in ("add", "remove"):
        assert breaches(mode=mode, wanted=0, baseline=100) == ""


def test_every_breach_is_told():
    found = breaches(Guard(max_removals=1, max_members=0), wanted=0, baseline=200, remove=200)
    for limit in ("allow_empty", "max_removed_fraction", "max_removals"):
        assert limit in found
    assert "200 of 200 members (100.0%)" in found


def test_an_override_counts_whom_it_removes_at_least():
    assert "20 of 100" not in breaches(baseline=100, override=80, wanted=80)
    assert "21 of 100" in breaches(baseline=100, override=79, wanted=79)


def test_the_plan_shows_the_share_that_the_guard_goes_by():
    counts = {"duplicates": 0, "invalid": 0, "adopt": 0, "waiting": 0, "baseline": 100}
    assert "21.0% of the members would be removed" in markdown(plan_of(**counts, remove=21))
    assert "21.0% of the members would be removed" in markdown(plan_of(**counts, override=79))
    # Of people who need not be members it has none.
    assert "%" not in markdown(plan_of("remove", **counts, remove=1_000))


def test_what_was_accepted_before_is_finished():
    assert breaches(baseline=100, remove=100, accepted=True) == ""
    assert breaches(baseline=1_000, add=10_000, accepted=True) == ""


@pytest.mark.parametrize("mode", ["add", "remove"])
def test_only_a_mirror_is_guarded_against_removals(mode):
    assert breaches(mode=mode, baseline=1_000, remove=1_000, add=10_000) == ""


def test_but_a_number_that_was_given_holds_for_whom_a_source_of_removals_names():
    assert breaches(Guard(max_removals=5), mode="remove", remove=5) == ""
    assert "6 people" in breaches(Guard(max_removals=5), mode="remove", remove=6)
    assert breaches(Guard(max_removals=5), mode="remove", remove=6, accepted=True) == ""
