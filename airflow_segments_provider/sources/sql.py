"""User IDs from a query, over any Airflow connection that has a DB-API hook."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from operator import itemgetter
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook

from airflow_segments_provider.errors import ConfigurationError, InvalidInput, SegmentsError, SourceUnavailable
from airflow_segments_provider.sources.statement import can_be_declared, only_changes

__all__ = ["SqlMembers"]

logger = logging.getLogger(__name__)

FETCHED_AT_ONCE = 10_000

# Drivers whose default cursor loads the whole result.
_POSTGRES = ("psycopg", "psycopg2")
_MYSQL = ("MySQLdb", "pymysql")

# Classes of SQLSTATE: connections, transactions that were rolled back, resources, the operator's intervention, queries
# that MySQL interrupted, time-outs of ODBC.
_TRANSIENT_STATES = ("08", "40", "53", "57", "70", "HYT")
# Drivers report these as OperationalError, like an unknown column: a closed connection, no connection slot, a shutdown,
# the network, locks, deadlocks, time-outs. Codes from 2000 on are the client's: the connection was lost.
_TRANSIENT_MYSQL = {0, 1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1317, 3024}
_MYSQL_CLIENT = range(2000, 3000)

# Classes of PEP 249 for errors of a query or of its data, and Python's errors for wrong arguments.
_FAULTS = {"DataError", "IntegrityError", "NotSupportedError", "ProgrammingError"}
_WRONG_ARGUMENTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


class SqlMembers:
    """User IDs from the only column of a query, over any connection that has a DB-API hook.

    All fields are templates, also within ``parameters``; ``sql`` may name a ``.sql`` file. Rows are fetched 10,000 at a
    time: with a server-side cursor for psycopg, psycopg2, MySQLdb and pymysql, with the default cursor for other
    drivers, some of which load the whole result. Nothing is committed.

    :param sql: a query that returns one column. A NULL is a blank ID.
    :param conn_id: the Airflow connection of the database.
    :param parameters: values that the driver binds: a list, a tuple or a dict, as its placeholders require. With
        ``render_template_as_native_obj=True``, a template of one expression keeps the type of its value.
    """

    template_fields: Sequence[str] = ("sql", "conn_id", "parameters")
    template_files: ClassVar[Mapping[str, str]] = {"sql": ".sql"}
    value_fields: Sequence[str] = ("parameters",)
    shown_fields: Sequence[str] = ("sql", "parameters")
    shown: Mapping[str, Any] = {}

    def __init__(self, sql: str, conn_id: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> None:
        self.sql = sql
        self.conn_id = conn_id
        self.parameters = parameters

    def __str__(self) -> str:
        """Return what Airflow stores and shows: of a parsed DAG the connection, of a task also the rendered query.

        Of parameters, it has the names, or the number where they have none; of the query, what cannot be a user ID: see
        :mod:`airflow_segments_provider.operators.shown_text`.
        """
        parameters, sql = self.shown.get("parameters"), self.shown.get("sql")
        names = f", parameters={parameters}" if parameters else ""
        text = f"SqlMembers(conn_id={self.conn_id!r}{names})"
        return f"{text}\n{sql}" if sql else text

    __repr__ = __str__

    def serialize(self) -> str:
        """Return what newer Airflow versions store of an object in a template field."""
        return str(self)

    @property
    def _label(self) -> str:
        """The source in messages, without the query."""
        return f"SqlMembers(conn_id={self.conn_id!r})"

    def read_ids(self) -> Iterator[object]:
        """Run the query and yield the values of its column.

        :raises InvalidInput: the database rejects the query, or it does not return exactly one column.
        :raises ConfigurationError: the connection does not exist, or is not a database's.
        :raises SourceUnavailable: the database cannot be reached, or did not finish the query; a retry may help.
        """
        self._check()
        with _closed(self._call(self._connect, connecting=True)) as connection:
            driver = _driver(connection)
            declared = driver in _POSTGRES and can_be_declared(self.sql)
            kind = "a server-side cursor" if declared or driver in _MYSQL else "the driver's default cursor"
            logger.info("Reading user IDs from connection %r with %s, using %s.", self.conn_id, driver, kind)
            with _closed(self._call(_cursor, connection, driver, declared)) as cursor:
                self._call(cursor.execute, self.sql, *([self.parameters] if self.parameters else []))
                yield from self._values(cursor, declared=declared)

    def _check(self) -> None:
        texts: dict[str, object] = {"sql": self.sql, "conn_id": self.conn_id}
        problems = [
            f"`{name}` must be text, not of type {type(value).__name__}."
            for name, value in texts.items()
            if not isinstance(value, str)
        ]
        if not isinstance(self.parameters, (list, tuple, Mapping, type(None))):
            kind = type(self.parameters).__name__
            problems.append(f"`parameters` must be a list, a tuple or a dict, not of type {kind}.")
        if not problems and only_changes(self.sql):
            problems.append(
                "`sql` changes rows or tables and returns none; it must be a query that returns one column."
            )
        if problems:
            raise InvalidInput(self._label, problems)

    def _connect(self) -> Any:
        hook = BaseHook.get_hook(self.conn_id)
        if not hasattr(hook, "get_records"):
            raise ConfigurationError(
                f"The connection {self.conn_id!r} is not a database's: its type has no DB-API hook. Nothing was sent. "
                "Correct the `conn_id`."
            )
        return hook.get_conn()

    def _call(self, call: Callable[..., Any], *arguments: Any, connecting: bool = False) -> Any:
        """Call Airflow's hook or the driver, and turn their errors into the package's own."""
        try:
            return call(*arguments)
        except SegmentsError:
            raise
        except Exception as error:  # noqa: BLE001  # drivers and hooks raise anything
            failure = (
                connecting_failed(error, self.conn_id) if connecting else query_failed(error, self._label, self.conn_id)
            )
        # Outside of `except`, so that the driver's error is not the context of this one.
        raise failure

    def _values(self, cursor: Any, *, declared: bool) -> Iterator[object]:
        rows = self._call(_first_rows, cursor, declared)
        description = self._call(getattr, cursor, "description", None)
        widths = set() if description is None else {len(description)}
        while True:
            kinds = self._check_rows(rows)
            widths.update(map(len, rows))
            if widths != {1}:
                problem = f"the query returns {max(widths, default=0):,} columns; it must return one, the user ID."
                raise InvalidInput(self._label, [problem])
            if not rows:
                return
            yield from self._call(list, map(itemgetter(0) if kinds == {tuple} else _only_value, rows))
            rows = self._call(_fetch, cursor)

    def _check_rows(self, rows: Sequence[Any]) -> set[type]:
        kinds = set(map(type, rows))
        for kind in kinds:
            if issubclass(kind, (str, bytes)) or not (hasattr(kind, "__len__") and hasattr(kind, "__getitem__")):
                problem = f"the driver returns rows of type {kind.__name__}, which have no columns."
                raise InvalidInput(self._label, [problem])
        return kinds


def _only_value(row: Any) -> object:
    if isinstance(row, (tuple, list)) or not isinstance(row, Mapping):  # in this order: the last test is slow
        return row[0]
    return next(iter(row.values()))


def _fetch(cursor: Any) -> Sequence[Any]:
    rows = cursor.fetchmany(FETCHED_AT_ONCE)
    # Some drivers end with None; others return an array or an iterator.
    return [] if rows is None else list(rows)


def _first_rows(cursor: Any, declared: bool) -> Any:
    """Fetch the first rows, if the statement has a result with one column.

    psycopg2 has the description of a declared cursor only after that. For another cursor without a description, most
    drivers raise an error of the caller.
    """
    if cursor.description is not None and len(cursor.description) != 1:
        return ()
    try:
        return _fetch(cursor)
    except Exception as error:
        if not declared and cursor.description is None and is_of_class(error, "ProgrammingError", "InterfaceError"):
            return ()
        raise


@contextmanager
def _closed(resource: Any) -> Iterator[Any]:
    """Close a cursor or a connection at the end, and ignore errors of closing.

    mysql.connector does not close a cursor with unread rows; its error would hide the one that left them unread.
    """
    try:
        yield resource
    finally:
        with suppress(Exception):
            resource.close()


def _driver(connection: Any) -> str:
    """Return the driver's package; the connection may be of a class derived from the driver's."""
    packages = [kind.__module__.partition(".")[0] for kind in type(connection).__mro__]
    return next((package for package in packages if package in _POSTGRES + _MYSQL), packages[0])


def _cursor(connection: Any, driver: str, declared: bool) -> Any:
    if driver in _MYSQL:
        return connection.cursor(import_module(f"{driver}.cursors").SSCursor)
    if not declared:
        return connection.cursor()
    if connection.autocommit:
        connection.autocommit = False  # PostgreSQL closes a cursor at the end of its transaction
    return connection.cursor(f"segments_{uuid.uuid4().hex}")


def connecting_failed(error: Exception, conn_id: str) -> SegmentsError:
    """Return the package's error for a connection that cannot be opened."""
    if isinstance(error, AirflowNotFoundException):
        return ConfigurationError(
            f"The connection {conn_id!r} does not exist or cannot be parsed. Nothing was sent. Create or correct it, "
            "or correct the `conn_id`."
        )
    what = (
        f"The connection {conn_id!r} cannot be opened: {described(error)}. Nothing was sent. The driver's message is "
        "left out, because it may contain credentials."
    )
    # Airflow raises its own for a connection that cannot be parsed, and for a type without a provider.
    if isinstance(error, AirflowException) or not is_transient(error):
        return ConfigurationError(f"{what} Check the connection and its type's provider package.")
    return SourceUnavailable(f"{what} Run the task again; if it fails again, check the connection and the database.")


def query_failed(error: Exception, subject: str, conn_id: str) -> SegmentsError:
    """Return the package's error for a query that the database rejects or does not finish."""
    left_out = "The driver's message is left out, because it may quote data"
    if is_transient(error):
        return SourceUnavailable(
            f"{subject} cannot be read: the database did not finish the query, {described(error)}. Nothing was sent. "
            f"{left_out}. Run the task again; if it fails again, run the query in {conn_id!r} to see the message."
        )
    problem = f"the database rejects the query: {described(error)}. {left_out}; run the query in {conn_id!r} to see it."
    return InvalidInput(subject, [problem])


def described(error: Exception) -> str:
    """Return the error's class, with the SQLSTATE or the database's own code if it has one."""
    code = _state(error) or _own_code(error)
    return f"{type(error).__name__} ({code})" if code else type(error).__name__


def is_transient(error: Exception) -> bool:
    """Return whether a retry may help; True for an error that is not understood, since nothing was sent."""
    state, own = _state(error), _own_code(error)
    if state and not state.startswith("HY0"):  # HY000 is any error
        return state.startswith(_TRANSIENT_STATES)
    if own.startswith("MySQL"):
        number = int(own.removeprefix("MySQL "))
        return number in _TRANSIENT_MYSQL or number in _MYSQL_CLIENT
    if own == "SQLITE_ERROR":  # a syntax error or a missing table, reported as OperationalError
        return False
    return not is_of_class(error, *_FAULTS) and not isinstance(error, _WRONG_ARGUMENTS)


def is_of_class(error: Exception, *names: str) -> bool:
    """Return whether an error is of a class of PEP 249, which each driver defines anew."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _state(error: Exception) -> str:
    """Return the SQLSTATE; the drivers keep it in different places."""
    first = error.args[0] if error.args else None
    candidates = [getattr(error, "sqlstate", None), getattr(error, "pgcode", None)]
    if isinstance(first, dict):  # of redshift_connector and pg8000: the fields of the server's message
        candidates.append(first.get("C"))
    if _package(error) == "pyodbc" and len(error.args) > 1:
        candidates.append(first)
    return next((text for text in candidates if isinstance(text, str) and re.fullmatch("[0-9A-Z]{5}", text)), "")


def _own_code(error: Exception) -> str:
    """Return the database's own code, where the error has no SQLSTATE."""
    first: Any = error.args[0] if error.args else None
    if _package(error) in ("MySQLdb", "pymysql") and isinstance(first, int):
        return f"MySQL {first:d}"
    code = getattr(error, "sqlite_errorname", None) or getattr(first, "full_code", None)  # SQLite's, Oracle's
    return code if isinstance(code, str) and re.fullmatch("SQLITE_[A-Z_]+|[A-Z]{2,4}-[0-9]+", code) else ""


def _package(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]
