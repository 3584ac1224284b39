"""The Parquet files of a ledger: fetched, and checked before a query reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from airflow_segments_provider.errors import LedgerDamaged, LedgerUnavailable
from airflow_segments_provider.sources.id_storage import literal
from airflow_segments_provider.sync.ledger.manifest import RESTORE, DataFile
from airflow_segments_provider.sync.ledger.store import Store
from airflow_segments_provider.sync.workspace import Workspace


def fetched(
    workspace: Workspace, store: Store, part: DataFile, name: str, columns: Mapping[str, str], checked: str
) -> str:
    """Fetch a file, and return the SQL of its rows.

    :param name: of the local copy, without an ending.
    :param columns: the types by name.
    :param checked: the SELECT of the number of rows and of the invalid ones.
    :raises LedgerDamaged: it is missing or not the one that was written.
    """
    path = workspace.folder / f"{name}.parquet"
    rows = f"read_parquet({literal(str(path))}, hive_partitioning = false)"
    sound = store.fetch(part.name, path) and file_digest(path) == part.sha256
    if not sound or not _is_sound(workspace, rows, part, columns, checked):
        raise LedgerDamaged(f"The ledger's file {part.name} is missing or damaged. Nothing was sent. {RESTORE}")
    return f"(SELECT {', '.join(columns)} FROM {rows})"


def _is_sound(workspace: Workspace, rows: str, part: DataFile, columns: Mapping[str, str], checked: str) -> bool:
    """Return whether a file has the columns, the number of rows and the values that this package writes."""
    import duckdb

    try:
        described = [(name, kind) for name, kind, *_ in workspace.rows(f"DESCRIBE FROM {rows}")]
        return described == list(columns.items()) and workspace.one(f"{checked} FROM {rows}") == (part.rows, 0)
    except (duckdb.Error, LedgerUnavailable):
        return False


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
