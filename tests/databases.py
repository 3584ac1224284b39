"""One open database for many workspaces: opening one takes longer than most runs in the tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    import pytest

NUMBERS = itertools.count()


def small_database() -> duckdb.DuckDBPyConnection:
    """Open a database for few users, without DuckDB's optimizer, whose planning takes longer than it saves."""
    database = duckdb.connect(config={"threads": 1, "preserve_insertion_order": False})
    database.execute("PRAGMA disable_optimizer")
    return database


def share(database: duckdb.DuckDBPyConnection, patch: pytest.MonkeyPatch) -> None:
    """Give each workspace an empty catalog of this database in place of a database of its own."""
    connect = duckdb.connect

    def connect_or_share(*arguments: Any, **named: Any) -> Any:
        # Only workspaces have such a setting.
        if "temp_directory" not in named.get("config", {}):
            return connect(*arguments, **named)
        return _empty_catalog(database)

    patch.setattr(duckdb, "connect", connect_or_share)


@contextmanager
def _empty_catalog(database: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    name = f"workspace_{next(NUMBERS)}"
    cursor = database.cursor()
    cursor.execute(f"ATTACH ':memory:' AS {name}")
    cursor.execute(f"USE {name}")
    try:
        yield cursor
    finally:
        cursor.close()
        database.execute(f"DETACH {name}")
