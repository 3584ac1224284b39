"""Sources of people's ids that are read while they are sent, instead of being passed through XCom."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from typing import Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.errors import InvalidInput

__all__ = ["SqlMembers"]

logger = logging.getLogger(__name__)

FETCHED_AT_ONCE = 10_000

# The drivers that fetch all of a result at once unless they are asked for a cursor on the server.
_ON_SERVER = ("MySQLdb", "psycopg", "psycopg2", "pymysql")

# One statement that only reads. For others no cursor can be declared, or it would not do the same: of several
# statements psycopg2 would take the first one's rows, where it otherwise takes the last one's. To match too few costs
# memory only.
_ONE_READ = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*"
    r"(?:select\b|values\b|table\b|with\b(?!.*\b(?:insert|update|delete|merge)\b))"
    r"[^;]*;?\s*",
    re.IGNORECASE | re.DOTALL,
)


class SqlMembers:
    """The ids that a query returns in its only column, for any connection with a DB-API hook.

    All fields are templates, also within ``parameters``; ``sql`` may name a ``.sql`` file. Rows are fetched 10,000 at a
    time, from a cursor on the server for psycopg, psycopg2, MySQLdb and pymysql; whether another driver itself holds
    the whole result is the driver's affair. The log says which cursor it was.

    :param sql: a query with one column. NULLs and blanks are for whoever takes the ids to refuse or skip.
    :param conn_id: the database's connection.
    :param parameters: bound by the driver: a list, a tuple or a dict, as the driver's placeholders want it.
    """

    template_fields: Sequence[str] = ("sql", "conn_id", "parameters")

    def __init__(self, sql: str, conn_id: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> None:
        self.sql = sql
        self.conn_id = conn_id
        self.parameters = parameters

    def __str__(self) -> str:
        """Names only: equal in every process, and no literal of the query shows."""
        return f"SqlMembers(conn_id={self.conn_id!r})"

    __repr__ = __str__

    def read_ids(self) -> Iterator[object]:
        """Run the query and yield its ids; errors of the driver come as they are, unless they may quote data.

        :raises InvalidInput: the connection has no database hook, the query has not one column, or the database cannot
            compute it for the data there is.
        """
        hook = BaseHook.get_hook(self.conn_id)
        if not hasattr(hook, "get_records"):
            raise InvalidInput(str(self), [f"connection {self.conn_id!r} is not one of a database."])
        if not isinstance(self.parameters, (list, tuple, Mapping, type(None))):
            kind = type(self.parameters).__name__
            raise InvalidInput(str(self), [f"`parameters` must be a list, a tuple or a dict, not of type {kind}."])
        try:
            with closing(hook.get_conn()) as connection:
                yield from self._read(connection)
        except Exception as error:
            if not _may_quote_data(error):
                raise
            problem = (
                f"the database cannot compute the query: {_named(error)}. Its message is left out, as it may quote "
                "people's ids; run the query in the database to see it."
            )
            raise InvalidInput(str(self), [problem]) from None

    def _read(self, connection: Any) -> Iterator[object]:
        on_server = _driver(connection) in _ON_SERVER and _ONE_READ.fullmatch(self.sql) is not None
        where = "from a cursor on the server" if on_server else "as its driver hands them over"
        logger.info("The ids come from %s by %s, %s.", self.conn_id, _driver(connection), where)
        with _closed(_cursor(connection, on_server=on_server)) as cursor:
            cursor.execute(self.sql, *([self.parameters] if self.parameters else []))
            # A cursor on the server knows its columns from the first rows on; one that has no rows must not be asked.
            rows = cursor.fetchmany(FETCHED_AT_ONCE) if on_server or cursor.description else ()
            if len(cursor.description or ()) != 1:
                columns = len(cursor.description or ())
                raise InvalidInput(str(self), [f"the query has {columns} columns; it must have one, the user's id."])
            while rows:
                yield from (row[0] for row in rows)
                rows = cursor.fetchmany(FETCHED_AT_ONCE)


@contextmanager
def _closed(cursor: Any) -> Iterator[Any]:
    """A cursor that is closed in the end, whatever its driver says to that: the connection goes next.

    mysql.connector refuses to leave rows unread, and would hide the error for which they were left.
    """
    try:
        yield cursor
    finally:
        with suppress(Exception):
            cursor.close()


def _driver(connection: Any) -> str:
    return type(connection).__module__.partition(".")[0]


def _cursor(connection: Any, *, on_server: bool) -> Any:
    """A cursor whose rows are tuples, whatever kind the Airflow connection asks for."""
    driver = _driver(connection)
    if driver not in _ON_SERVER:
        return connection.cursor()
    if driver in ("MySQLdb", "pymysql"):
        cursors = import_module(f"{driver}.cursors")
        return connection.cursor(cursors.SSCursor if on_server else cursors.Cursor)
    if on_server and connection.autocommit:
        connection.autocommit = False  # a cursor on the server lives in a transaction
    name = f"segments_{uuid.uuid4().hex}" if on_server else None
    if driver == "psycopg2":
        return connection.cursor(name, cursor_factory=import_module("psycopg2.extensions").cursor)
    return connection.cursor(name or "", row_factory=import_module("psycopg.rows").tuple_row)


def _may_quote_data(error: Exception) -> bool:
    """Whether this is what PEP 249 wants drivers to raise for the data there is, e.g. a cast that failed."""
    return any(kind.__name__ in ("DataError", "IntegrityError") for kind in type(error).__mro__)


def _named(error: Exception) -> str:
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return f"{type(error).__name__} ({code})" if code else type(error).__name__
