"""The command line of ``ledger``; imports nothing heavy, so that help is shown at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

DONE = 0
DECLINED = 1
FAILED = 2
# Long enough for another command at this machine.
WAIT = 60
LONGEST_NAME = 200

STATUS = "Exit status: 0 done, 1 declined and nothing was changed, 2 failed."
ERASE_STATUS = (
    "Exit status: 0 no file contains them any more; 1 declined, because a segment may have some of them or a sync is "
    "running; 2 failed, or a file still contains some or cannot be read."
)
LIST_STATUS = "Exit status: 0 all were read, 1 some cannot be read, 2 failed."
BY = "the user who decides it, for the record; by default the user of the operating system"
SEGMENT = "the segment's folder as `ledger list` prints it, a part that no other folder has, or the segment's name"


def add_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add ``ledger`` and its commands.

    :param commands: the result of ``ArgumentParser.add_subparsers``.
    :param run: runs ``options.command``, and prints.
    """
    ledger = commands.add_parser(
        "ledger",
        help="show the ledgers of syncs, approve a refused plan or withdraw that, erase users",
        description="A ledger is what SyncMembersOperator stores of one segment: the members that it added.",
        epilog=STATUS,
    )
    ledger.set_defaults(run=run)
    parsers = ledger.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _parser(parsers, "list", "one line a segment: the numbers of its users, and a run under way", LIST_STATUS)
    _of_segment(parsers, "show", "what is pending, generations, refused plans and reports")
    export = _of_segment(parsers, "export", "the users of the ledger as CSV, with their IDs")
    export.add_argument(
        "--output",
        metavar="FILE",
        help="a file for the IDs, which only you may read; - for the standard output, also where it is a terminal, "
        "which may keep its contents",
    )
    approvals = _parser(parsers, "approvals", "approvals of plans: by which user, when, and their state")
    approvals.add_argument(
        "segment", metavar="SEGMENT", nargs="?", type=_text, help=f"only this one instead of all: {SEGMENT}"
    )
    for name, summary in (
        ("approve", "let the next run apply a refused plan, once"),
        ("withdraw", "let no run apply a plan, unless one has begun with it"),
    ):
        decision = _of_segment(parsers, name, summary)
        decision.add_argument("digest", metavar="DIGEST", help="of the plan, or its first 8 digits or more")
        decision.add_argument("--by", metavar="NAME", type=_name, help=BY)
    forget = _of_segment(parsers, "forget", "delete a ledger; the segment keeps its members")
    forget.add_argument("--yes", action="store_true", help="do it: the next run is a first sync")
    _add_erase(parsers)


def _add_erase(parsers: Any) -> None:
    erase = _parser(parsers, "erase-person", "delete users from every file of the ledgers", ERASE_STATUS)
    erase.description = (
        "Deletes IDs, and with them all that a ledger stores of earlier runs. Declines where one of them is owned or "
        "uncertain: remove them from the source and sync first, so that they leave the segment too."
    )
    erase.add_argument(
        "ids",
        nargs="*",
        metavar="ID",
        help="as `ledger export` writes it; a shell keeps it in its history, unlike --from-file",
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
        help="how long to wait for syncs that run on this machine or on a ledger with one of the IDs; "
        "default %(default)s",
    )
    erase.add_argument("--segment", metavar="SEGMENT", type=_text, help="only this one instead of all: " + SEGMENT)
    erase.add_argument(
        "--anyway", action="store_true", help="also where the segment may have them: no sync will remove them from it"
    )


def _seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError("invalid number of seconds")
    return seconds


def _name(text: str) -> str:
    """Read a name."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"invalid name: use 1 to {LONGEST_NAME} printable characters")
    return text.strip()


def _text(text: str) -> str:
    """Read a text that is not empty: a variable of the shell that is not set must not mean every ledger."""
    if not text.strip(" /"):
        raise argparse.ArgumentTypeError("is empty")
    return text


def _parser(parsers: Any, name: str, summary: str, epilog: str = STATUS) -> Any:
    description = f"{summary[0].upper()}{summary[1:]}."
    parser = parsers.add_parser(name, help=summary, description=description, epilog=epilog)
    parser.add_argument("--ledger-path", metavar="PATH", type=_text, help="in place of [segments] ledger_path")
    parser.set_defaults(command=name)
    return parser


def _of_segment(parsers: Any, name: str, summary: str) -> Any:
    parser = _parser(parsers, name, summary)
    parser.add_argument("segment", metavar="SEGMENT", type=_text, help=SEGMENT)
    return parser
