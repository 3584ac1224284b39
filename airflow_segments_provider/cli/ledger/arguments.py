"""The command line of ``ledger``; imports nothing heavy, so that help comes at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_segments_provider.cli.ledger.ledgers import KeptLedger


DONE = 0
DECLINED = 1
FAILED = 2
# Long enough for another command at this machine.
WAIT = 60
LONGEST_NAME = 200

STATUS = "Exit status: 0 done, 1 declined and nothing was changed, 2 it could not be done."
ERASE_STATUS = (
    "Exit status: 0 no file contains them any more; 1 declined, because a segment may hold some of them or a sync is "
    "at work; 2 it could not be done, or a file still contains some or cannot be read."
)
LIST_STATUS = "Exit status: 0 all were read, 1 some cannot be, 2 nothing could."
BY = "who decides it, for the record; by default the user of the operating system"
SEGMENT = "the segment's folder as `ledger list` prints it, or a part of it that no other has"


def add_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add ``ledger`` and its commands.

    :param commands: what ``ArgumentParser.add_subparsers`` returned.
    :param run: runs ``options.run_ledger``, and prints.
    """
    ledger = commands.add_parser(
        "ledger",
        help="look at the ledgers of the syncs, approve a refused plan or withdraw that, erase users",
        description="A ledger is what SyncMembersOperator stores of one segment: the members that it added.",
        epilog=STATUS,
    )
    ledger.set_defaults(run=run)
    parsers = ledger.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _parser(
        parsers,
        "list",
        list_ledgers,
        "one line a segment: its users in numbers, and what is under way",
        LIST_STATUS,
    )
    show = _parser(parsers, "show", show_ledger, "what is pending, generations, refused plans and reports")
    show.add_argument("segment", metavar="SEGMENT", help=SEGMENT)
    export = _parser(parsers, "export", export_members, "the users that the ledger has, as CSV: these are people's IDs")
    export.add_argument("segment", metavar="SEGMENT", help=SEGMENT)
    export.add_argument(
        "--output",
        metavar="FILE",
        help="where to write the IDs, readable by you only; - for the standard output also where it is a terminal, "
        "which may keep what it shows",
    )
    approve = _parser(parsers, "approve", approve_plan, "let the next run apply a refused plan, once")
    approve.add_argument("segment", metavar="SEGMENT", help=SEGMENT)
    approve.add_argument("digest", metavar="DIGEST", help="of the plan, or its first 8 digits or more")
    approve.add_argument("--by", metavar="NAME", type=_name, help=BY)
    approvals = _parser(parsers, "approvals", list_approvals, "approvals of plans: who, when, and what became of them")
    approvals.add_argument("segment", metavar="SEGMENT", nargs="?", help=f"only this one instead of all: {SEGMENT}")
    withdraw = _parser(parsers, "withdraw", withdraw_approval, "let no run apply a plan, unless one has begun with it")
    withdraw.add_argument("segment", metavar="SEGMENT", help=SEGMENT)
    withdraw.add_argument("digest", metavar="DIGEST", help="of the plan, or its first 8 digits or more")
    withdraw.add_argument("--by", metavar="NAME", type=_name, help=BY)
    forget = _parser(parsers, "forget", forget_ledger, "delete a ledger; the segment keeps its members")
    forget.add_argument("segment", metavar="SEGMENT", help=SEGMENT)
    forget.add_argument("--yes", action="store_true", help="do it: the next run is a first sync")
    _add_erase_person(parsers)


def _add_erase_person(parsers: Any) -> None:
    erase = _parser(parsers, "erase-person", erase_person, "delete users from every file of the ledgers", ERASE_STATUS)
    erase.description = (
        "Deletes IDs, and with them all that a ledger stores of earlier runs. Declines where one of them is owned or "
        "uncertain: take them out of the source and sync first, so that the segment loses them, too."
    )
    erase.add_argument(
        "ids",
        nargs="*",
        metavar="ID",
        help="as `ledger export` shows it; a shell keeps it in its history: see the next",
    )
    erase.add_argument(
        "--from-file",
        metavar="FILE",
        help="a file with an ID a line, in quotes or not, or one that `ledger export` wrote; - for the standard input",
    )
    erase.add_argument(
        "--wait",
        metavar="SECONDS",
        type=_seconds,
        default=WAIT,
        help="how long to wait for syncs that are at work on this machine or on a ledger with one of them; "
        "default %(default)s",
    )
    erase.add_argument("--segment", metavar="SEGMENT", help="only this one instead of all: " + SEGMENT)
    erase.add_argument(
        "--anyway", action="store_true", help="also where the segment may hold them: no sync will remove them there"
    )


def _seconds(text: str) -> float:
    """Read a number of seconds; argparse makes a message of the error."""
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError
    return seconds


def _name(text: str) -> str:
    """Read a name; argparse makes a message of the error."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_NAME:
        raise ValueError
    return text.strip()


def _parser(parsers: Any, name: str, run: Any, told: str, epilog: str = STATUS) -> Any:
    parser = parsers.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.", epilog=epilog)
    parser.add_argument("--ledger-path", metavar="PATH", help="in place of [segments] ledger_path")
    parser.set_defaults(run_ledger=run)
    return parser


def list_ledgers(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger list``."""
    from airflow_segments_provider.cli.ledger.ledgers import find, overview
    from airflow_segments_provider.sync.ledger.location import ledger_path

    path = options.ledger_path or ledger_path()
    ledgers = find(path)
    return overview(ledgers) if ledgers else (DONE, [f"There are no ledgers below {path}."])


def show_ledger(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger show``."""
    from airflow_segments_provider.cli.ledger.ledgers import details

    return DONE, details(_chosen(options))


def export_members(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger export``; writes to ``options.stdout`` where no file is named."""
    from airflow_segments_provider.cli.ledger.id_list import export

    if options.output is None and options.stdout.isatty():
        return DECLINED, ["These are people's IDs: name a file by --output, or - to show them here."]
    if options.output in (None, "-"):
        export(_chosen(options), options.stdout)
        return DONE, []
    return DONE, [export(_chosen(options), Path(options.output))]


def approve_plan(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger approve``."""
    from airflow_segments_provider.cli.ledger.decisions import approve

    return approve(_chosen(options), options.digest, options.by)


def list_approvals(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger approvals``."""
    from airflow_segments_provider.cli.ledger.decisions import approvals_of
    from airflow_segments_provider.cli.ledger.ledgers import find

    return approvals_of([_chosen(options)] if options.segment else find(options.ledger_path))


def withdraw_approval(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger withdraw``."""
    from airflow_segments_provider.cli.ledger.decisions import withdraw

    return withdraw(_chosen(options), options.digest, options.by)


def forget_ledger(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger forget``."""
    from airflow_segments_provider.cli.ledger.decisions import forget
    from airflow_segments_provider.cli.ledger.ledgers import choose

    return forget(choose(options.ledger_path, options.segment, must_exist=False), yes=options.yes)


def erase_person(options: argparse.Namespace) -> tuple[int, list[str]]:
    """``ledger erase-person``."""
    from airflow_segments_provider.cli.ledger.erasure import Scope, erase
    from airflow_segments_provider.cli.ledger.id_list import named_ids
    from airflow_segments_provider.cli.ledger.ledgers import find
    from airflow_segments_provider.sync.ledger.location import ledger_path, store_at

    ids = named_ids(options.ids, options.from_file)
    path = options.ledger_path or ledger_path()
    scope = Scope([_chosen(options)]) if options.segment else Scope(find(path), store_at(path))
    return erase(scope, ids, anyway=options.anyway, wait=options.wait)


def _chosen(options: argparse.Namespace) -> KeptLedger:
    from airflow_segments_provider.cli.ledger.ledgers import choose

    return choose(options.ledger_path, options.segment)
