"""Sources of people's ids that are read while they are sent, instead of being passed through XCom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.errors import InvalidInput

__all__ = ["SqlMembers"]

FETCHED_AT_ONCE = 10_000


class SqlMembers:
    """The ids that a query returns in its only column, for any connection with a DB-API hook.

    Both fields are templates, and ``sql`` may name a ``.sql`` file. Rows are fetched 10,000 at a time; whether the
    driver itself holds more is the driver's affair.

    :param sql: a query with one column. NULLs and blanks are for whoever takes the ids to refuse or skip.
    :param conn_id: the database's connection.
    :param parameters: bound by the driver.
    """

    template_fields: Sequence[str] = ("sql", "conn_id")

    def __init__(self, sql: str, conn_id: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> None:
        self.sql = sql
        self.conn_id = conn_id
        self.parameters = parameters

    def __str__(self) -> str:
        """Names only: equal in every process, and no literal of the query shows."""
        return f"SqlMembers(conn_id={self.conn_id!r})"

    __repr__ = __str__

    def __iter__(self) -> Iterator[object]:
        """Run the query and yield its ids.

        :raises InvalidInput: the connection has no database hook, or the query has not one column.
        """
        hook = BaseHook.get_hook(self.conn_id)
        if not hasattr(hook, "get_records"):
            raise InvalidInput(str(self), [f"connection {self.conn_id!r} is not one of a database."])
        with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(self.sql, *([self.parameters] if self.parameters else []))
            if cursor.description is None or len(cursor.description) != 1:
                columns = len(cursor.description or ())
                raise InvalidInput(str(self), [f"the query has {columns} columns; it must have one, the user's id."])
            while rows := cursor.fetchmany(FETCHED_AT_ONCE):
                yield from (row[0] for row in rows)
