"""A first sync of a million users to a slow server, beside the requests alone, and the same again, beside staging; and
the memory of a whole first sync of ten million.
"""

from __future__ import annotations

import tempfile
from statistics import median

from tests.benchmarks.one import measure
from tests.benchmarks.one_push import PER_REQUEST, connection
from tests.benchmarks.report import Figure, progress, spread
from tests.benchmarks.server import LocalServer

IDS = 1_000_000
BATCHES = -(-IDS // PER_REQUEST)
DELAY = 0.05
GOAL = 1.15
UNCHANGED_GOAL = 1.5
ROUNDS = 5
WHOLE = 10_000_000
PEAK_GOAL = 650
# Done before the clock starts: a look-up and the creation.
PREPARED = 2


def figures() -> list[Figure]:
    """Return the time of both runs over that of their requests and of staging alone."""
    progress(f"sync: {ROUNDS} rounds of {IDS:,} people, {DELAY * 1000:.0f} ms a request, and again without a change")
    firsts, agains, bare = list[dict[str, float]](), list[dict[str, float]](), list[float]()
    with LocalServer(DELAY) as local:
        for number in range(ROUNDS):
            for client in ("engine", "bare") if number % 2 else ("bare", "engine"):
                if client == "bare":
                    found = measure("one_push", "bare", local.url, str(IDS), "ready", env=connection(local.url))
                    bare.append(found["seconds"])
                    _check(local.seen().segment_requests, 1 + BATCHES)
                    continue
                found = measure("one_sync", str(IDS), env=connection(local.url))
                firsts.append(found["first"])
                agains.append(found["again"])
                if found["again"]["applied"]:
                    raise RuntimeError(f"the second run sent {found['again']['applied']:,} again")
                # The second run sends the look-up only.
                _check(local.seen().segment_requests, PREPARED + 1 + BATCHES + 1)
    least = [one["stage"] + one["plan"] + push for one, push in zip(firsts, bare, strict=True)]
    first_ratios = [one["whole"] / other for one, other in zip(firsts, least, strict=True)]
    again_ratios = [one["whole"] / one["stage"] for one in agains]
    for name in ("whole", "stage", "plan"):
        progress(f"sync: first run, {name}: {spread([one[name] for one in firsts], ' s')}")
        progress(f"sync: second run, {name}: {spread([one[name] for one in agains], ' s')}")
    progress(f"sync: bare loop: {spread(bare, ' s')}")
    how = (
        f"seconds of a first sync of {IDS:,} people to a WalkMe segment, {PER_REQUEST:,} a request of "
        f"{DELAY * 1000:.0f} ms, ledger on the local disk, over those of a requests.Session with ready-made bodies and "
        f"of the same run's own staging and plan; fresh process each, median of the ratios of {ROUNDS} rounds"
    )
    unchanged = (
        "seconds of a second run with the same people, which sends nothing, over those of its own staging; "
        f"median of the ratios of {ROUNDS} rounds"
    )
    return [
        *_whole(),
        Figure("sync_1m_to_bare", median(first_ratios), GOAL, how),
        Figure("unchanged_to_staging", median(again_ratios), UNCHANGED_GOAL, unchanged),
    ]


def _whole() -> list[Figure]:
    """Return the peak of a first sync of ten million IDs from a generator, and of the run that follows."""
    progress(f"sync: {WHOLE:,} users from a generator, and the same again")
    with LocalServer(0) as local, tempfile.TemporaryDirectory(prefix="segments-bench-") as ledgers:
        runs = [measure("one_sync", str(WHOLE), ledgers, number, env=connection(local.url)) for number in ("1", "2")]
    if [one["applied"] for one in runs] != [WHOLE, 0]:
        raise RuntimeError(f"the runs sent {[one['applied'] for one in runs]} users instead of {[WHOLE, 0]}")
    for name, one in zip(("first", "second"), runs, strict=True):
        progress(f"sync: {WHOLE:,} users, {name} run: {one['whole']:.1f} s, peak {one['peak_mib']:.0f} MiB")
    how = f"of {WHOLE:,} IDs from a generator to a WalkMe segment, ledger on the local disk; fresh process, one run"
    return [
        Figure("sync_10m_peak_mib", runs[0]["peak_mib"], PEAK_GOAL, f"peak resident size of a whole first sync {how}"),
        Figure(
            "unchanged_10m_peak_mib", runs[1]["peak_mib"], PEAK_GOAL, f"peak resident size of the run after it {how}"
        ),
    ]


def _check(requests: int, expected: int) -> None:
    """Check that both the loop and the first run send a look-up and the batches."""
    if requests != expected:
        raise RuntimeError(f"{requests} requests instead of {expected}: this does not compare like with like")
