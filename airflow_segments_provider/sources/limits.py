"""The limits of invalid, unmatched and removed users: the rules, and the defaults of their parameters."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

# Below these numbers of users or members, a share means little.
FEW_USERS = 100
SMALL_BASELINE = 100
SMALL_REMOVALS = 10
SMALL_FRACTION = 0.5

Share = Annotated[float, Field(ge=0, le=1)]

MAX_INVALID_FRACTION = 0.2
MAX_UNMATCHED_FRACTION = 0.2
MAX_REMOVED_FRACTION = 0.2


def exceeds(number: int, fraction: float, of: int) -> bool:
    """Return whether a number is more than a fraction, as it is written: 29 of 100 are not more than 0.29."""
    return number > Decimal(str(fraction)) * of


def breach_of_invalid(invalid: int, users: int, limit: float) -> str:
    """Return the limit that invalid user IDs exceed, or an empty text.

    :param users: all, the invalid ones included; if all are invalid, that is always too many.
    :param limit: the largest share of 100 or more users (``max_invalid_fraction``).
    """
    return _breach(invalid, users, limit, "max_invalid_fraction", "none is valid")


def breach_of_unmatched(unmatched: int, users: int, limit: float) -> str:
    """Return the limit that unmatched users exceed; see :func:`breach_of_invalid`."""
    return _breach(unmatched, users, limit, "max_unmatched_fraction", "none was found")


def breach_of_removals(removed: int, members: int, limit: float) -> str:
    """Return the limit that removals exceed, with its numbers, or an empty text.

    :param members: before the write.
    :param limit: the largest share of 100 or more members (``max_removed_fraction``).
    """
    share = removed / members if members else 0.0
    if members >= SMALL_BASELINE:
        if not exceeds(removed, limit, members):
            return ""
        return (
            f"{removed:,} of {members:,} members ({share:.1%}) would be removed, the limit is {limit:.1%} "
            "(`max_removed_fraction`)"
        )
    fraction = max(SMALL_FRACTION, limit)
    if removed <= SMALL_REMOVALS or not exceeds(removed, fraction, members):
        return ""
    return (
        f"{removed:,} of {members:,} members ({share:.1%}) would be removed; of fewer than {SMALL_BASELINE} members, "
        f"more than {SMALL_REMOVALS} and more than {fraction:.0%} is too many (`max_removed_fraction`)"
    )


def _breach(left_out: int, users: int, limit: float, parameter: str, none: str) -> str:
    if left_out and left_out >= users:
        return none
    if users >= FEW_USERS and exceeds(left_out, limit, users):
        return f"the limit is {limit:.1%} (`{parameter}`)"
    return ""
