"""One random schedule of runs, crashes and faults, with the claims that must hold after each run that succeeds.

A: when no timed-out request was carried out late, the members, less those whom no ledger ever vouched for, are the
   wanted less the refused; after an ``add`` or without removals, all of those are members; after a ``remove``, nobody.
B: whatever was carried out late, one more run of the same people, after the settling time, makes A true.
C: from then on a run of the same people sends nothing.
D: whatever has happened, a run with which nothing goes wrong succeeds, and B holds for it; C after one more.
E: no request removes anybody who is wanted, adds anybody who is not, or is larger than the limit; when the source
   fails, there is none.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_segments_provider.errors import LedgerError, SegmentsError, VendorError
from airflow_segments_provider.members.sync import Synced
from tests.members.model.memory import Crash
from tests.members.model.world import Diverged, Run, SourceBroke, World, drawn_run, people

__all__ = ["Diverged", "run_schedule"]


def run_schedule(seed: int, databases, *, longest: int = 7) -> int:
    """Run it; return how many runs it had.

    :param longest: runs by chance, before those that check what is left.
    :param databases: two of DuckDB, one for a run that takes over from another.
    """
    world = World(seed, databases)
    rng = world.rng
    run, done = Run(people(rng)), None
    for _ in range(rng.randint(2, longest)):
        run = drawn_run(rng, run, world.weather.undo)
        if rng.random() < world.weather.settle:
            world.settle()
        if rng.random() < 0.15:
            world.by_hand()
        done = _tried(world, run)
        # Where another run overtook it, that one came after all that it had to do.
        if done and not world.overtaken:
            _check_counts(done)
            if not world.vendor.was_late and not world.vendor.late:
                _check_members(world, run, "A")
        if rng.random() < 0.1:
            _finish(world, run, failed=done is None or world.overtaken)
    _finish(world, run, failed=done is None or world.overtaken)
    return world.runs


def _tried(world: World, run: Run) -> Synced | None:
    """A run with which everything can go wrong; None where it failed."""
    before = world.vendor.requests
    world.expect_the_worst()
    try:
        return world.sync(run)
    except SourceBroke:
        if world.vendor.requests != before and not world.overtaken:
            raise Diverged("E: the source failed, and something was sent") from None
    except (Crash, VendorError, LedgerError):
        pass
    finally:
        world.rough = False
    return None


def _finish(world: World, run: Run, *, failed: bool) -> None:
    """Once all has settled, and nothing goes wrong, run it twice more.

    :param failed: the run before left what it began in doubt, as if it had been sent by now.
    """
    vendor, run = world.vendor, replace(run, breaks=False)
    vendor.faulty = False
    try:
        for _ in range(2 if failed else 1):
            world.settle()
            _check_counts(world.sync(run))
            _check_members(world, run, "B")
        if world.lists:
            # What a list missed is sent once more.
            vendor.blind = False
            world.sync(run)
            _check_members(world, run, "B")
        before = vendor.requests
        again = world.sync(run, retry=False)
    except SegmentsError as error:
        raise Diverged(f"D: {type(error).__name__}: {error}") from None
    # Where nobody can be listed, everybody whom a source of removals names is removed each time.
    sent_again = run.mode == "remove" and not world.lists
    if (vendor.requests != before or again.outcome != "unchanged") and not sent_again:
        raise Diverged(f"C: {vendor.requests - before} requests, {again.counts}")
    vendor.faulty = vendor.blind = True


def _check_members(world: World, run: Run, claim: str) -> None:
    """Claim A, after a run that succeeded."""
    vendor, right = world.vendor, run.wanted - world.refused
    if run.mode == "remove":
        # A list that misses somebody by hand hides them from a run that has no other reason to remove them.
        hidden = vendor.foreign if world.lists and vendor.blind else set()
        holds = not run.wanted & vendor.members - hidden
    elif run.exact:
        holds = right <= vendor.members and vendor.members - vendor.foreign == right
    else:
        holds = right <= vendor.members
    if not holds or not world.refused <= vendor.bad:
        raise Diverged(
            f"{claim}, {run.mode}: members {sorted(vendor.members)}, foreign {sorted(vendor.foreign)}, wanted "
            f"{sorted(run.wanted)}, refused {sorted(world.refused)}, vouched {sorted(world.vouched)}"
        )


def _check_counts(done: Synced) -> None:
    counts = done.counts
    planned = sum(counts[kind] for kind in ("add", "again", "remove", "override"))
    if planned != counts["applied"] + counts["rejected"]:
        raise Diverged(f"counts do not add up: {counts}")
