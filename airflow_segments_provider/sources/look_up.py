"""What a look-up of a vendor's IDs of users returns, and the reasons why a user is not found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

NO_USER = "no such user"
SEVERAL_USERS = "several users"


class LookUp(Protocol):
    """A look-up of the vendor's IDs of users.

    :ivar requests: how many requests it takes in all, those that were sent to begin it included; more where a user
        needs another search.
    """

    requests: int

    def __call__(self, values: list[str]) -> Mapping[str, str | None]:
        """Return the user ID of each value that a user has; None if several users have it."""
