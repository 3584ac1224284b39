"""Run every example DAG against the sandbox, in an Airflow of their own, and check from outside what each did.

``make demo-all``; or, where Airflow and this package are installed, ``python example_dags/demo/all.py``.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from example_dags.demo import home  # noqa: E402
from example_dags.demo.progress import Progress, shown  # noqa: E402
from example_dags.demo.scene import Scene, World  # noqa: E402
from example_dags.demo.scenes.alteryx import alteryx_user_group  # noqa: E402
from example_dags.demo.scenes.custom_target import custom_target  # noqa: E402
from example_dags.demo.scenes.docebo import docebo_group  # noqa: E402
from example_dags.demo.scenes.docebo_sync import docebo_sync  # noqa: E402
from example_dags.demo.scenes.four_vendors import four_vendors  # noqa: E402
from example_dags.demo.scenes.walkme import walkme_segment  # noqa: E402
from example_dags.demo.scenes.walkme_sync import walkme_sync, walkme_sync_many  # noqa: E402
from example_dags.demo.scenes.zendesk import zendesk_user_segment  # noqa: E402

if TYPE_CHECKING:
    from airflow_segments_provider.testing.sandbox.calls import CallRecord
    from example_dags.demo.verdict import Ran
    from example_dags.demo.watch import Step

# A DAG without a scene fails.
SCENES: dict[str, Callable[[World], Scene]] = {
    "alteryx_user_group": alteryx_user_group,
    "custom_target": custom_target,
    "docebo_group": docebo_group,
    "docebo_sync": docebo_sync,
    "four_vendors": four_vendors,
    "walkme_segment": walkme_segment,
    "walkme_sync": walkme_sync,
    "walkme_sync_many": walkme_sync_many,
    "zendesk_user_segment": zendesk_user_segment,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the DAGs, and return the exit status."""
    options = _parser().parse_args(arguments)
    directory: Path = options.directory.resolve()
    home.use(directory / "airflow", options.log_level)
    home.forget_ledger()
    log_path = directory / "demo-all.log"
    log_path.unlink(missing_ok=True)
    with log_path.open("ab") as log, home.output_to(log) as terminal:
        say = Progress(terminal)
        say("demo", f"Airflow's own log goes to {shown(log_path)}")
        say("airflow", f"setting up its database in {shown(directory / 'airflow')}, some 10 s")
        try:
            home.migrate()
            runs = [run(name, directory, say) for name in options.dags or example_dags()]
        except subprocess.CalledProcessError:
            print(f"\nFAILED: airflow db migrate; {shown(log_path)} says why.", file=terminal)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted.", file=terminal)
            return 130
        return _report(runs, say, terminal, log_path)


def example_dags() -> list[str]:
    """Return the names of all example DAGs."""
    return sorted(path.stem for path in home.DAGS.glob("*.py"))


def run(name: str, directory: Path, say: Progress) -> Ran:
    """Run one example DAG, in a sandbox of its own."""
    from airflow_segments_provider.testing.sandbox import SandboxServer
    from example_dags.demo.verdict import Ran

    if name not in SCENES:
        return Ran(name)
    own = directory / name
    own.mkdir(parents=True, exist_ok=True)
    with SandboxServer() as server:
        return _run(name, SCENES[name](World(server, own)), server.client.calls, say)


def _run(name: str, scene: Scene, calls: Callable[[], list[CallRecord]], say: Progress) -> Ran:
    from airflow.providers.common.compat.sdk import get_listener_manager

    from example_dags.demo.verdict import Ran
    from example_dags.demo.watch import Watch, name_of

    def look(step: Step) -> None:
        step.held = scene.members()

    def told(step: Step) -> str:
        held = ", ".join(f"{len(members):,} people in {name!r}" for name, members in step.held.items())
        return f"; {held}" if held else ""

    watch = Watch(calls, say, look=look, told=told, then=scene.then)
    get_listener_manager().clear()  # type: ignore[no-untyped-call]
    get_listener_manager().add_listener(watch)  # type: ignore[no-untyped-call]
    say(name, "starts")
    ran = Ran(name, scene, steps=watch.steps)
    began = time.monotonic()
    try:
        dag = importlib.import_module(f"example_dags.{name}").dag
        ran.tasks = sorted(dag.task_ids)
        dag_run = dag.test(run_conf=scene.conf)
        ran.tasks, ran.state = sorted(map(name_of, dag_run.get_task_instances())), str(dag_run.state)
    except Exception:  # A DAG that fails must not hide the results of the others.
        logging.getLogger(__name__).exception("%s could not be run", name)
    ran.seconds = time.monotonic() - began
    ran.calls, ran.members, ran.also = calls(), scene.members(), list(scene.also())
    return ran


def _report(runs: list[Ran], say: Progress, terminal: TextIO, log_path: Path) -> int:
    from example_dags.demo.verdict import facts, table

    print("", *table(runs), "", "The first row holds Airflow's own start.", sep="\n", file=terminal)
    wrong = [(ran, fact) for ran in runs for fact in ran.wrong]
    for ran, fact in wrong:
        print(f"DIFFERS: {ran.dag_id}: {fact}", file=terminal)
    if wrong:
        print(f"FAILED after {say.seconds:.0f} s; {shown(log_path)} may say why.", file=terminal)
        return 1
    checked = sum(len(list(facts(ran))) for ran in runs)
    print(f"{checked} facts checked from outside, all as they had to be, in {say.seconds:.0f} s.", file=terminal)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Run every example DAG against the sandbox; no account needed.")
    parser.add_argument("dags", nargs="*", metavar="DAG", help="only these (default: all in example_dags)")
    parser.add_argument(
        "--directory", type=Path, default=ROOT / "build" / "demo-all", help="for all files (default: build/demo-all)"
    )
    parser.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING"), help="Airflow's (INFO)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
