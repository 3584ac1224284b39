"""`make bench`: run the benchmarks, print one line for each figure, and write the same as JSON.

A figure that misses its goal is not a failure: on a busy machine it may be noise. The JSON can be used for a check.
"""

from __future__ import annotations

import argparse
import os
import time

from tests.benchmarks import imports, memory, plan, push, removal, staging, sync, vendors
from tests.benchmarks.report import Figure, progress, write_json
from tests.benchmarks.server import ROOT

BENCHMARKS = {
    "imports": imports.figures,
    "push": push.figures,
    "memory": memory.figures,
    "removal": removal.figures,
    "plan": plan.figures,
    "staging": staging.figures,
    "sync": sync.figures,
    "vendors": vendors.figures,
}
RESULT = ROOT / "build" / "bench.json"


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="make bench", description="Time and memory, beside other providers.")
    parser.add_argument("only", nargs="*", metavar="|".join(BENCHMARKS), help="by default all, in 10 minutes or so")
    chosen = parser.parse_args().only or list(BENCHMARKS)
    if unknown := set(chosen) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    began = time.monotonic()
    found: list[Figure] = [figure for name in chosen for figure in BENCHMARKS[name]()]
    write_json(found, RESULT)
    progress(
        f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, 1 or so of it these runs"
    )
    progress(f"took {time.monotonic() - began:.0f} s; {RESULT.relative_to(ROOT)} says how each was measured")
    for figure in found:
        print(figure.line)


if __name__ == "__main__":
    main()
