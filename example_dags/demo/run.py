"""Runs the example DAG against the sandbox, in an Airflow of its own, and checks from outside what it did.

``make demo``; or, where Airflow and this package are installed, ``python example_dags/demo/run.py``.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from example_dags.demo import home  # noqa: E402
from example_dags.demo.people import People  # noqa: E402
from example_dags.demo.progress import Progress, shown  # noqa: E402

if TYPE_CHECKING:
    from airflow_segments_provider.sandbox.client import SandboxClient
    from example_dags.demo.report import Demo

SEGMENT = "People on trial"
# A shorter wait than 10 seconds is not deferred, and some go by before it starts.
SHORTEST_LAG = 14


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit status."""
    options = _parser().parse_args(arguments)
    directory: Path = options.directory.resolve()
    home.use(directory / "airflow", options.log_level)
    log_path = directory / "demo.log"
    log_path.unlink(missing_ok=True)
    with log_path.open("ab") as log, home.output_to(log) as terminal:
        say = Progress(terminal)
        say("demo", f"Airflow's own log goes to {shown(log_path)}")
        try:
            demo = _run(directory, options, say)
        except subprocess.CalledProcessError:
            print(f"\nFAILED: airflow db migrate; {shown(log_path)} says why.", file=terminal)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted.", file=terminal)
            return 130
        return _report(demo, say, terminal, log_path)


def _run(directory: Path, options: argparse.Namespace, say: Progress) -> Demo:
    people = People(directory / "people.db", options.share)
    say("people", f"{len(people):,} rows in {shown(people.database)}, made by example_dags/demo/people.py")
    home.connect("people_db", {"conn_type": "sqlite", "host": str(people.database)})
    say("airflow", f"setting up its database in {shown(directory / 'airflow')}, some 10 s")
    home.migrate()

    from airflow_segments_provider.sandbox import SandboxServer

    with SandboxServer(walkme={"editor_lag": options.lag}) as server:
        say("sandbox", f"speaks WalkMe's API on {server.url}; its Editor lags by {options.lag:g} s instead of 600 s")
        home.connect("walkme_default", server.client.connection())
        return _run_dag(people, server.client, options.lag, say)


def _run_dag(people: People, sandbox: SandboxClient, lag: float, say: Progress) -> Demo:
    import airflow
    from airflow.providers.common.compat.sdk import get_listener_manager

    from example_dags.demo.report import SENDS, Demo
    from example_dags.demo.watch import Relay, Watch, look, told
    from example_dags.walkme_segment import dag

    demo = Demo(SEGMENT, lag, len(people), {"create": people.audience("trial")})

    def convert() -> None:
        say("people", f"meanwhile, {people.convert():,} of those on trial become paying customers")
        demo.audiences |= {task: people.audience(plan) for task, plan in SENDS.items() if task != "create"}

    watch = Watch(sandbox.calls, say, look=partial(look, sandbox, SEGMENT), told=told, then={"create": convert})
    get_listener_manager().add_listener(watch)  # type: ignore[no-untyped-call]
    logging.getLogger("airflow_segments_provider").addHandler(Relay(say.quote))
    say("airflow", f"starts {airflow.__version__} and runs example_dags/walkme_segment.py, another 10 s")
    conf = {"segment_name": SEGMENT, "propagation_seconds": lag, "delete_at_end": True}
    demo.state = str(dag.test(run_conf=conf).state)
    demo.steps = watch.steps
    demo.calls = sandbox.calls()
    demo.left = [segment.name for segment in sandbox.segments()]
    return demo


def _report(demo: Demo, say: Progress, terminal: TextIO, log_path: Path) -> int:
    from example_dags.demo.report import facts, table

    checked = list(facts(demo))
    wrong = [fact for fact in checked if not fact.holds]
    print(file=terminal)
    if demo.state == "success":
        print("\n".join(table(demo)), end="\n\n", file=terminal)
    for fact in wrong:
        print(f"DIFFERS: {fact}", file=terminal)
    if wrong:
        print(f"FAILED after {say.seconds:.0f} s; {shown(log_path)} may say why.", file=terminal)
        return 1
    print(
        f"{len(checked)} facts checked from outside (members, rejects, requests, Editor), all as they had to be, in "
        f"{say.seconds:.0f} s.",
        file=terminal,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Fill a WalkMe segment in the sandbox, by Airflow; no account needed.")
    parser.add_argument(
        "--directory", type=Path, default=ROOT / "build" / "demo", help="for all files (default: build/demo)"
    )
    parser.add_argument("--lag", type=_lag, default=15, help="seconds until the sandbox's Editor shows a segment (15)")
    parser.add_argument("--share", type=float, default=1.0, help="of the 87,400 people (1.0)")
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"), help="Airflow's (INFO)")
    return parser


def _lag(text: str) -> float:
    if (seconds := float(text)) < SHORTEST_LAG:
        raise argparse.ArgumentTypeError(f"at least {SHORTEST_LAG}, or there is nothing to wait for")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
