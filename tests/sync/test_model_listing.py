"""The real engine and the targets that list members, over their sandboxes, under random schedules.

``tests/sync/model/listing.py`` has the claims, and says what no schedule covers and how to repeat one.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.sync.model.broken_listing import BROKEN
from tests.sync.model.engine import small_engine
from tests.sync.model.listing import run_schedule
from tests.sync.model.sandboxes import SIDES, Identity, release
from tests.sync.model.world import Diverged

# For each vendor and identity.
SCHEDULES, SLOW_SCHEDULES = 10, 100
MOST_TO_CATCH = 40
IDENTITIES: tuple[Identity, ...] = ("id", "email")

# What must happen in the schedules, so that the claims about it are tested.
DIMENSIONS = """
sources changed | added by hand between runs | added by hand during runs | removed by hand between runs
removed by hand during runs | addresses that changed their owner between runs
addresses that changed their owner during runs | incomplete lists | runs that died | runs that only planned
runs with removals="all" | runs with replace | faults: lost | faults: reset | faults: status 429 | faults: status 503
faults: status 500 | faults: truncate | ended: LedgerBusy | ended: VendorUnavailable
changes of unknown outcome | users looked up | users counted: strangers | users counted: missing
users counted: unmatched | users counted: unconfirmed | runs that succeeded | claims A checked | claims B checked
"""
OF_VENDOR = {
    "docebo": "changes in the background | waits for a background job | changes carried out late | claims U checked "
    "| faults: late",
    "alteryx": "users rejected of an accepted request | users counted: rejected | faults: late | claims U checked",
    "zendesk": "changed by hand between read and write",
}

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture
def own(segments_sandbox, database, monkeypatch):
    """Yield a sandbox and a database for consecutive schedules, and make the engine small."""
    for side in SIDES:
        # Schedules set the variable; the end of the test restores it.
        monkeypatch.setenv(side.variable, "")
    with small_engine():
        yield segments_sandbox, database
    release(segments_sandbox)


def run_all(side, seeds, own):
    """Run the schedules of these seeds; return how often each event happened."""
    seen = Counter[str]()
    for identity in IDENTITIES:
        for seed in seeds:
            try:
                segment = run_schedule(side, identity, seed, *own)
            except Diverged as error:
                pytest.fail(f"{side.vendor} {identity} {seed}: {error}")
            seen += segment.seen
            seen["runs"] += segment.runs
            seen["schedules"] += 1
    return seen


def text(seen):
    numbers = ", ".join(f"{name}: {seen[name]:,}" for name in sorted(seen.keys() - {"schedules", "runs"}))
    return f"{seen['schedules']:,} schedules, {seen['runs']:,} runs, 0 divergences ({numbers})"


def names(lines):
    return [name.strip() for line in lines.strip().splitlines() for name in line.split("|")]


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.vendor)
def test_random_schedules_of_listing_targets_do_not_diverge_and_cover_each_dimension(side, own, tell):
    seen = run_all(side, range(SCHEDULES), own)
    tell(text(seen))
    assert [name for name in names(DIMENSIONS) + names(OF_VENDOR[side.vendor]) if not seen[name]] == []


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.vendor)
def test_many_random_schedules_of_listing_targets_do_not_diverge(side, own, tell):
    tell(text(run_all(side, range(SCHEDULES, SCHEDULES + SLOW_SCHEDULES), own)))


# The schedules that find each fault, for speed only; if the engine's steps have changed, the test prints the new ones.
CAUGHT_BY = {
    "forgets members whom a list does not show": 4,
    "takes background jobs for done": 3,
    "believes that a job has added whoever is listed": 10,
    "takes old addresses for their earlier users": 4,
    "looks no stranger up": 4,
    "writes the list that the plan was made from": 9,
    "removes before it adds": 1,
    "compares addresses with case": 5,
    "removes strangers, too": 1,
}


@pytest.mark.parametrize("name", BROKEN)
def test_random_schedules_of_listing_targets_find_the_fault_of_each_broken_engine(own, name, tell):
    likely = CAUGHT_BY.get(name, 0)
    found, seed = first_divergence(name, own, likely)
    if seed != likely:
        tell(f"caught by schedule {seed}, not by {likely} of CAUGHT_BY")
    assert found, f"an engine that {name} passed {MOST_TO_CATCH} schedules"
    # The engine is wrong in the intended way, and does not fail with a foreign error.
    assert not found.startswith("X:"), found


@pytest.mark.parametrize("name", BROKEN)
def test_the_schedule_that_finds_a_broken_engine_passes_with_the_real_one(own, name):
    broken = BROKEN[name]
    (side,) = [side for side in SIDES if side.vendor == broken.vendor]
    run_schedule(side, broken.identity, CAUGHT_BY.get(name, 0), *own, **broken.chosen)


def first_divergence(name, own, likely):
    """Return the first divergence and its schedule.

    :param likely: The schedule to begin with.
    """
    broken = BROKEN[name]
    (side,) = [side for side in SIDES if side.vendor == broken.vendor]
    with pytest.MonkeyPatch.context() as patch:
        broken.patch(patch)
        for seed in (likely, *range(MOST_TO_CATCH)):
            try:
                run_schedule(side, broken.identity, seed, *own, **broken.chosen)
            except Diverged as error:
                return str(error), seed
    return "", None
