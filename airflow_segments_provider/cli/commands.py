"""All commands, of ``python -m airflow_segments_provider`` and ``airflow segments``; help imports nothing heavy."""

from __future__ import annotations

import argparse
import copy
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

from airflow_segments_provider.cli.ledger.arguments import DECLINED, FAILED, add_parser


def run_command(options: argparse.Namespace) -> int:
    """Run the command of the parsed options, and return the exit status."""
    # As Airflow's own commands do: otherwise Airflow 3 looks for connections in the environment only.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    return int(options.run(options))


def airflow_commands() -> list[Any]:
    """Return the commands for ``airflow segments``; Airflow 3.2 and later call this for every ``airflow`` command."""
    from airflow.cli.cli_config import GroupCommand

    parser = command_parser("airflow segments")
    summary = "Show and approve the plans of syncs, and check the vendors' APIs"
    return [GroupCommand("segments", summary, list(_airflow_commands(parser)))]


class AirflowArgument:
    """An argument of a parser as Airflow's own class ``Arg`` has it.

    :param action: of the parser.
    """

    def __init__(self, action: argparse.Action) -> None:
        self._action = copy.copy(action)
        # Airflow's help takes brackets for markup.
        self._action.help = (action.help or "").replace("[", "\\[")
        self.flags = tuple(action.option_strings) or (action.dest,)

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        """Add the argument to another parser."""
        parser._add_action(self._action)  # noqa: SLF001  # argparse has no public method for this


def _airflow_commands(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """Yield Airflow's form of each command of a parser."""
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    actions = parser._actions  # noqa: SLF001  # as above
    for group in (action for action in actions if isinstance(action, argparse._SubParsersAction)):  # noqa: SLF001
        summaries = {action.dest: action.help or "" for action in group._choices_actions}  # noqa: SLF001
        for name, command in group.choices.items():
            below = list(_airflow_commands(command))
            if below:
                yield GroupCommand(name, summaries[name], below, command.description, command.epilog)
                continue
            arguments: list[Any] = [
                AirflowArgument(action)
                for action in command._actions  # noqa: SLF001
                if not isinstance(action, argparse._HelpAction)  # noqa: SLF001
            ]
            run = _exiting(parser, command)
            yield ActionCommand(name, summaries[name], run, arguments, command.description, command.epilog)


def _exiting(group: argparse.ArgumentParser, command: argparse.ArgumentParser) -> Callable[[Any], NoReturn]:
    """Return the function of a command for Airflow, which ignores what it returns."""
    defaults = {**group._defaults, **command._defaults}  # noqa: SLF001  # what `set_defaults` has set

    def run(options: argparse.Namespace) -> NoReturn:
        vars(options).update(defaults)
        sys.exit(run_command(options))

    return run


def command_parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets ``run``, which takes the options and returns the exit status.

    :param prog: how the program is called, in the texts of help.
    """
    parser = argparse.ArgumentParser(prog=prog, description=f"Commands of ``{prog}``.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check-contract",
        help="compare the requests of this package with a vendor's own API document",
        description="Download the vendor's own API document and print its differences from the requests of this "
        "package. Only reads. For Alteryx Server and Docebo; the others publish none.",
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
