"""Stands for a list of users that was not given, where other parameters may name the users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class NotGiven:
    """No list of users. An empty list is another thing: it may be the result of a query, and adds nobody."""

    template_fields: Sequence[str] = ()

    def read_ids(self) -> Iterator[object]:
        """Return no values."""
        return iter(())

    def __str__(self) -> str:
        """What Airflow stores and shows."""
        return "no user ids"

    __repr__ = serialize = __str__


NOT_GIVEN = NotGiven()
