"""The vendor's IDs of users by their identity (e-mail address, user name, external ID), as they were looked up.

Columns: ``kind`` of identity; ``identity``, normalised; ``id``; the ``reason`` why the user was not found, where the
last look-up did not find one. An identity that had an ID keeps it until a second look-up, at least a day later: a list
of users may be incomplete, and must not cause a removal.
``looked_up``, when, in milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_segments_provider.sources.id_storage import literal
from airflow_segments_provider.sources.look_up import NO_USER, SEVERAL_USERS
from airflow_segments_provider.sync.ledger.manifest import DataFile
from airflow_segments_provider.sync.ledger.names import EARLIEST, LATEST
from airflow_segments_provider.sync.ledger.parquet import fetched
from airflow_segments_provider.sync.ledger.store import Store
from airflow_segments_provider.sync.workspace import Workspace

COLUMNS = {"kind": "VARCHAR", "identity": "VARCHAR", "id": "VARCHAR", "looked_up": "BIGINT", "reason": "VARCHAR"}

_CHECKED = f"""
    SELECT count(*), count(*) FILTER (
        kind IS NULL OR identity IS NULL OR (id IS NULL AND reason IS NULL) OR looked_up IS NULL
        OR NOT looked_up BETWEEN {EARLIEST} AND {LATEST}
    )
"""


class Identities:
    """The table ``identities``, made when it is needed.

    :ivar dirty: it has rows that are not stored yet, or lacks some that are.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.dirty = workspace, False
        self._stored: tuple[Store, DataFile] | None = None
        self._made = False

    def load(self, store: Store, part: DataFile | None) -> None:
        """Take what is stored; it is read when it is needed."""
        self._stored = (store, part) if part else None
        self._made = False

    def make(self) -> None:
        """Make the table.

        :raises LedgerDamaged: its file is missing or damaged.
        """
        if self._made:
            return
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        self.workspace.run(f"CREATE OR REPLACE TABLE identities ({columns})")
        if self._stored:
            rows = fetched(self.workspace, *self._stored, "identities", COLUMNS, _CHECKED)
            self.workspace.run(f"INSERT INTO identities {rows}")
        self._made = True

    def put(self, kind: str, identities: Sequence[str], found: Mapping[str, str | None], now: int) -> None:
        """Replace the rows of these identities.

        :param found: the ID of each that a user has; None if several users have it.
        """
        of_these = "kind = ? AND identity IN (SELECT unnest(?::VARCHAR[]))"
        query = f"SELECT identity, id FROM identities WHERE {of_these} AND reason IS NULL"
        earlier = dict(self.workspace.rows(query, [kind, list(identities)]))
        ids = [found.get(identity) or earlier.get(identity) for identity in identities]
        reasons = [
            None if found.get(identity) else SEVERAL_USERS if identity in found else NO_USER for identity in identities
        ]
        self.workspace.run(f"DELETE FROM identities WHERE {of_these}", [kind, list(identities)])
        rows: list[Any] = [kind, list(identities), ids, now, reasons]
        self.workspace.run(
            "INSERT INTO identities SELECT ?, unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), ?, unnest(?::VARCHAR[])", rows
        )
        self.dirty = True

    def expire(self, kind: str, users: str) -> None:
        """Have the identities of these users looked up again by the next run.

        :param users: a query of their IDs.
        """
        self.workspace.run(f"UPDATE identities SET looked_up = 0 WHERE kind = ? AND id IN ({users})", [kind])
        self.dirty = True

    def delete(self, searched: str) -> None:
        """Delete all rows of some users.

        :param searched: a table of their IDs and identities, in its column ``id``.
        """
        if self._stored:
            self.make()
            found = f"(SELECT id FROM {searched})"
            self.workspace.run(f"DELETE FROM identities WHERE identity IN {found} OR id IN {found}")
            self.dirty = True

    def write(self) -> tuple[Path, int]:
        """Write all rows as a Parquet file; return its path and the number of rows."""
        path = self.workspace.folder / "identities.parquet"
        (rows,) = self.workspace.one(
            f"COPY (FROM identities ORDER BY kind, identity) TO {literal(str(path))} "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
        return path, rows
