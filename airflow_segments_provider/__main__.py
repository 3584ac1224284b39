"""Commands of ``python -m airflow_segments_provider``."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from airflow_segments_provider.cli.ledger.arguments import DECLINED, FAILED, add_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status.

    :param arguments: by default those of the command line.
    """
    options = _parser().parse_args(arguments)
    # As Airflow's own commands do: otherwise Airflow 3 looks for connections in the environment only.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m airflow_segments_provider", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check-contract",
        help="compare the requests of this package with a vendor's own API document",
        description="Download the vendor's own API document and print its differences from the requests of this "
        "package. Only reads. For Alteryx Server and Docebo; WalkMe and Zendesk publish none.",
        epilog="Exit status: 0 no differences, 1 differences, 2 the comparison failed.",
    )
    check.add_argument("--conn-id", required=True, help="Airflow connection of the vendor's type")
    check.add_argument(
        "--document",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a Swagger or OpenAPI document, downloaded before, in place of the vendor's; may be repeated",
    )
    check.set_defaults(run=_check_contract)
    add_parser(commands, _ledger)
    return parser


def _check_contract(options: argparse.Namespace) -> int:
    def work() -> tuple[int, Iterable[str]]:
        from airflow_segments_provider.cli.contract.check import check

        return check(options.conn_id, options.document)

    return _reported(work)


def _ledger(options: argparse.Namespace) -> int:
    options.stdout = sys.stdout

    def work() -> tuple[int, Iterable[str]]:
        from airflow_segments_provider.cli.ledger.commands import run

        return run(options)

    return _reported(work)


def _reported(work: Callable[[], tuple[int, Iterable[str]]]) -> int:
    """Run a command, print its lines or its error, and return the exit status."""
    try:
        # Airflow logs to the standard output, which is for the report.
        with redirect_stdout(sys.stderr):
            from airflow.providers.common.compat.sdk import AirflowNotFoundException

            from airflow_segments_provider.errors import LedgerBusy, SegmentsError

            try:
                status, lines = work()
            except (SegmentsError, AirflowNotFoundException) as error:
                print(_shown(str(error)))
                return DECLINED if isinstance(error, LedgerBusy) else FAILED
        if text := "\n".join(lines):
            print(_shown(text))
    except Exception:  # noqa: BLE001  # Python's own status, 1, would mean differences
        traceback.print_exc()
        return FAILED
    return status


def _shown(text: str) -> str:
    """Replace control characters of a terminal: names of files and of users may have any character."""
    return "".join(character if character.isprintable() or character in "\n\t" else "?" for character in text)


if __name__ == "__main__":
    sys.exit(main())
