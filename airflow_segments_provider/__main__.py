"""Commands of ``python -m airflow_segments_provider``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from airflow_segments_provider.cli.commands import command_parser, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status.

    :param arguments: by default those of the command line.
    """
    return run_command(command_parser("python -m airflow_segments_provider").parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
