"""Turns errors of database drivers into the package's own, without their messages, which may quote data."""

from __future__ import annotations

import re
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException

from airflow_segments_provider.errors import ConfigurationError, InvalidInput, SegmentsError, SourceUnavailable

# Classes of SQLSTATE: connections, transactions that were rolled back, resources, the operator's intervention, queries
# that MySQL interrupted, time-outs of ODBC.
_TRANSIENT_STATES = ("08", "40", "53", "57", "70", "HYT")
# Drivers report these as OperationalError, like an unknown column: a closed connection, no connection slot, a shutdown,
# the network, locks, deadlocks, time-outs. From 2000 on they are the client's: the connection was lost.
_TRANSIENT_MYSQL = {0, 1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1317, 3024}
_MYSQL_CLIENT = range(2000, 3000)

# Classes of PEP 249 for the faults of a query or of the data there is, and what Python raises for arguments.
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
    """Return the package's error for a query that the database rejects, or does not finish."""
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
    """Return the code of a database that has no SQLSTATE, or whose driver does not give it."""
    first: Any = error.args[0] if error.args else None
    if _package(error) in ("MySQLdb", "pymysql") and isinstance(first, int):
        return f"MySQL {first:d}"
    code = getattr(error, "sqlite_errorname", None) or getattr(first, "full_code", None)  # SQLite's, Oracle's
    return code if isinstance(code, str) and re.fullmatch("SQLITE_[A-Z_]+|[A-Z]{2,4}-[0-9]+", code) else ""


def _package(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]
