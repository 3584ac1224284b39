"""The change that makes the members of a group exactly the users of a write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.id_storage import IdSet
from airflow_segments_provider.vendors.base.creation import check_removals
from airflow_segments_provider.vendors.base.parameters import ReplaceParameters

Result = TypeVar("Result")


@dataclass(frozen=True)
class Difference:
    """The users and the members, on disk, each by its key.

    :param staged: the users, whose rules apply to what is sent.
    """

    staged: StagedUserIds
    users: IdSet
    members: IdSet
    leaving: int

    def check(self, subject: str, limits: ReplaceParameters) -> None:
        """Check that not too many members would be removed.

        :raises InvalidInput: the limits do not allow it; nothing was changed.
        """
        check_removals(subject, limits, users=len(self.users), members=len(self.members), removed=self.leaving)

    def add(self, send: Callable[[StagedUserIds], Result]) -> tuple[int, Result]:
        """Send the users who are not members; return how many they are, and the result."""
        return self._send(self.users, self.members, send)

    def remove(self, send: Callable[[StagedUserIds], Result]) -> tuple[int, Result]:
        """Send the members who are not among the users, as :meth:`add`."""
        return self._send(self.members, self.users, send)

    def _send(self, ids: IdSet, but: IdSet, send: Callable[[StagedUserIds], Result]) -> tuple[int, Result]:
        with StagedUserIds(max_length=self.staged.max_length, per_request=self.staged.per_request) as staged:
            staged.fill(min(ids.users(key)) for key in ids.minus(but))
            return staged.users, send(staged)


@contextmanager
def difference(staged: StagedUserIds, members: Iterable[str], key: Callable[[str], str] = str) -> Iterator[Difference]:
    """Compare the users of a write with the members of a group.

    :param key: returns the key of an ID: IDs of one key are one user.
    """
    with IdSet() as users, IdSet() as present:
        users.update_users((key(user), user) for batch in staged.batches() for user in batch.ids())
        present.update_users((key(user), user) for user in members)
        yield Difference(staged, users, present, sum(1 for _ in present.minus(users)))
