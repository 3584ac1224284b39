"""``python -m airflow_segments_provider``: what is done at a terminal rather than by a task."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

FAILED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status.

    :param arguments: those of the command line, when None.
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
        help="compare what this package sends with what a vendor says of its own API",
        description="Downloads the vendor's own description of its API and prints where it disagrees with what this "
        "package sends. Only reads. For Alteryx Server and Docebo; WalkMe and Zendesk publish none.",
        epilog="Exit status: 0 they agree, 1 there are differences, 2 it could not be compared.",
    )
    check.add_argument("--conn-id", required=True, help="Airflow connection; its type says which vendor")
    check.add_argument(
        "--document",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a Swagger or OpenAPI document, downloaded before, in place of the vendor's; may be repeated",
    )
    check.set_defaults(run=_check_contract)
    return parser


def _check_contract(options: argparse.Namespace) -> int:
    try:
        # Airflow logs to where its output goes; that is for the report.
        with redirect_stdout(sys.stderr):
            from airflow.providers.common.compat.sdk import AirflowNotFoundException

            from airflow_segments_provider.contract.check import check
            from airflow_segments_provider.errors import SegmentsError

            try:
                status, lines = check(options.conn_id, options.document)
            except (SegmentsError, AirflowNotFoundException) as error:
                print(error)
                return FAILED
        print("\n".join(lines))
    except Exception:  # noqa: BLE001  # Python's own status would be 1: differences
        traceback.print_exc()
        return FAILED
    return status


if __name__ == "__main__":
    sys.exit(main())
