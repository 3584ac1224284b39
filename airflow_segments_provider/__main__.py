"""Commands of ``python -m airflow_segments_provider``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from airflow_segments_provider.cli.commands import command_parser, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status.

    :param arguments: by default those of the command line.
    """
    return run_command(_parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    return command_parser("python -m airflow_segments_provider")


if __name__ == "__main__":
    sys.exit(main())
