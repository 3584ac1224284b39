"""A table of DuckDB that takes IDs in the order in which a file has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def filled_in_order(database: DuckDBPyConnection, table: str) -> Iterator[None]:
    """Make a table with one column, ``id VARCHAR``, for INSERTs that keep the order; drop it if one fails."""
    import duckdb

    # Of the database, through a connection of its own: it works even after an error in a transaction.
    settings = database.cursor()
    ((before,),) = settings.execute("SELECT current_setting('preserve_insertion_order')").fetchall()
    database.execute(f"CREATE TABLE {table} (id VARCHAR)")
    try:
        settings.execute("SET preserve_insertion_order = true")
        yield
    except BaseException:
        with suppress(duckdb.TransactionException):  # the end of the transaction drops it
            database.execute(f"DROP TABLE {table}")
        raise
    finally:
        settings.execute(f"SET preserve_insertion_order = {bool(before)}")
        settings.close()


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
