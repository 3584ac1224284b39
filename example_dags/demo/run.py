"""Run ``walkme_sync`` on several days against the sandbox, in an Airflow of its own, and check what it did.

``make demo``; or, where Airflow and this package are installed, ``python example_dags/demo/run.py``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from example_dags.demo import home  # noqa: E402
from example_dags.demo.people import People  # noqa: E402
from example_dags.demo.progress import Progress, shown  # noqa: E402

if TYPE_CHECKING:
    from airflow_segments_provider.testing.sandbox.client import SandboxClient
    from example_dags.demo.day import Day
    from example_dags.demo.verdict import Ran
    from example_dags.demo.watch import Step

# A wait below 10 seconds is not deferred, and part of the lag is over before the wait starts.
SHORTEST_LAG = 14


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit status."""
    options = _parser().parse_args(arguments)
    directory: Path = options.directory.resolve()
    home.use(directory / "airflow", options.log_level)
    home.forget_ledger()
    log_path = directory / "demo.log"
    log_path.unlink(missing_ok=True)
    with log_path.open("ab") as log, home.output_to(log) as terminal:
        say = Progress(terminal)
        say("demo", f"Airflow's own log goes to {shown(log_path)}")
        try:
            people = People(directory / "people.db", options.share)
            rows = len(people)
            say("people", f"{rows:,} rows in {shown(people.database)}, made by example_dags/demo/people.py")
            days = _run(people, directory, options.lag, say)
            # Imported here, because Airflow reads its configuration when it is imported.
            from example_dags.demo.all import run

            say.title(f"{len(days) + 1}. A Docebo group follows a CSV file of e-mail addresses")
            by_email = run("docebo_sync", directory, say)
        except subprocess.CalledProcessError:
            print(f"\nFAILED: airflow db migrate; {shown(log_path)} says why.", file=terminal)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted.", file=terminal)
            return 130
        return _report(days, by_email, rows, say, terminal, log_path)


def _run(people: People, directory: Path, lag: float, say: Progress) -> list[Day]:
    home.connect("people_db", {"conn_type": "sqlite", "host": str(people.database)})
    say("airflow", f"setting up its database in {shown(directory / 'airflow')}, some 10 s")
    home.migrate()

    from airflow_segments_provider.testing.sandbox import SandboxServer

    with SandboxServer(walkme={"editor_lag": lag}) as server:
        say("sandbox", f"speaks WalkMe's API on {server.url}; its Editor lags by {lag:g} s, not 600 s")
        home.connect("walkme_default", server.client.connection())
        import airflow

        from example_dags.demo.story import story
        from example_dags.demo.watch import Relay

        say("airflow", f"starts {airflow.__version__} and runs example_dags/walkme_sync.py, another 10 s")
        days: list[Day] = []
        Relay(lambda message: say.quote(message) if days[-1].shows(message) else None).attach()
        for number, day in enumerate(story(people, lag), start=1):
            say.title(f"{number}. {day.title}")
            days.append(day)
            _run_day(day, server.client, say)
        return days


def _run_day(day: Day, sandbox: SandboxClient, say: Progress) -> None:
    from airflow.providers.common.compat.sdk import get_listener_manager

    from example_dags.demo.watch import Watch, name_of
    from example_dags.walkme_sync import dag

    segment = day.conf["segment_name"]

    def look(step: Step) -> None:
        step.editor = sandbox.editor()
        step.held = {one.name: sandbox.members(one.guid) for one in sandbox.segments()}

    def told(step: Step) -> str:
        if not step.requests:
            return ""
        held = f"{len(step.held[segment]):,} people in the segment" if segment in step.held else "there is no segment"
        return f"; {held}; the Editor shows {', '.join(step.editor) or 'none'}"

    before = len(sandbox.calls())
    watch = Watch(sandbox.calls, say, look=look, told=told, then={})
    get_listener_manager().clear()  # type: ignore[no-untyped-call]
    get_listener_manager().add_listener(watch)  # type: ignore[no-untyped-call]
    ran = dag.test(run_conf=day.conf)
    instances = {name_of(ti): ti for ti in ran.get_task_instances()}
    day.state, day.states = str(ran.state), {name: str(ti.state) for name, ti in instances.items()}
    day.steps, day.calls = watch.steps, sandbox.calls()[before:]
    plan = instances["sync"].xcom_pull(task_ids="sync", key="plan") or {}
    day.plan, day.digest = plan.get("counts", {}), plan.get("digest", "")
    day.members = next((sandbox.members(one.guid) for one in sandbox.segments() if one.name == segment), None)


def _report(days: list[Day], by_email: Ran, rows: int, say: Progress, terminal: TextIO, log_path: Path) -> int:
    from example_dags.demo import verdict
    from example_dags.demo.day import facts
    from example_dags.demo.report import table

    checked = [fact for day in days for fact in facts(day)] + list(verdict.facts(by_email))
    wrong = [fact for fact in checked if not fact.holds]
    print("", *table(days, rows), "", *verdict.table([by_email]), "", sep="\n", file=terminal)
    for fact in wrong:
        print(f"DIFFERS: {fact}", file=terminal)
    if wrong:
        print(f"FAILED after {say.seconds:.0f} s; {shown(log_path)} may say why.", file=terminal)
        return 1
    print(
        f"{len(checked)} facts checked from outside (members, plans, requests, Editor), all as they had to be, in "
        f"{say.seconds:.0f} s.",
        file=terminal,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Keep a WalkMe segment and a Docebo group in the sandbox in sync; no account needed."
    )
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
