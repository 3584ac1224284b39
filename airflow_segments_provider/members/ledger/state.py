"""What a ledger vouches for, as tables of a workspace: the last commit, and what has changed since.

Table ``known``: ``id``; ``vouched``, whether our doing it is that they are a member; ``doubt``, when a request about
them was last sent whose fate is not known; ``rejected`` and ``reason``, when and why the vendor last refused them.
Times are milliseconds since 1970.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.members.ledger.manifest import (
    RESTORE,
    Acknowledgement,
    Batch,
    Commit,
    DataFile,
    digest_of,
)
from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.workspace import Workspace

COLUMNS = "id VARCHAR, vouched BOOLEAN, doubt BIGINT, rejected BIGINT, reason VARCHAR"
INSERTED_AT_ONCE = 25_000

_NAMES = "id, vouched, doubt, rejected, reason"
_ALIVE = "(vouched OR doubt IS NOT NULL OR rejected IS NOT NULL)"


def load(workspace: Workspace, store: Store | None, commit: Commit | None) -> None:
    """Make the table ``base`` of a commit, and ``known``: that, and once there is any, what the table ``changed`` has.

    The table ``begun`` takes what was intended since, so that it can be finished without being asked for again.

    :param store: not needed without a commit.
    """
    workspace.run(f"CREATE OR REPLACE TABLE changed ({COLUMNS})")
    workspace.run("CREATE OR REPLACE TABLE begun (id VARCHAR, adds BOOLEAN)")
    sources = []
    if store is not None and commit is not None:
        for number, part in enumerate(commit.files):
            path = _fetched(workspace, store, part)
            workspace.run(f"CREATE VIEW part{number} AS SELECT {_NAMES} FROM read_parquet('{path}')")
            sources.append(f"part{number}")
    if not sources:
        workspace.run(f"CREATE OR REPLACE TABLE base ({COLUMNS})")
    else:
        workspace.run("DROP TABLE IF EXISTS base")
    if len(sources) == 1:
        workspace.run(f"CREATE VIEW base AS SELECT * FROM part0 WHERE {_ALIVE}")
    elif sources:
        _merge(workspace, sources)
    workspace.run("CREATE OR REPLACE VIEW known AS SELECT * FROM base")


def _merge(workspace: Workspace, sources: list[str]) -> None:
    """The newest row of each id; deltas are small beside the snapshot."""
    deltas = " UNION ALL ".join(
        f"SELECT {number} AS age, * FROM {source}" for number, source in enumerate(sources) if number
    )
    workspace.run(
        f"CREATE TABLE overlay AS SELECT {_NAMES} FROM ({deltas}) "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY age DESC) = 1"
    )
    workspace.run(
        f"CREATE VIEW base AS SELECT * FROM {sources[0]} ANTI JOIN overlay USING (id) WHERE {_ALIVE} "
        f"UNION ALL SELECT * FROM overlay WHERE {_ALIVE}"
    )


def fold(
    workspace: Workspace,
    batches: Iterable[Batch],
    acknowledged: Mapping[str, Acknowledgement],
    *,
    in_doubt: int,
    settle_after: int,
) -> None:
    """Change ``known`` by what was intended, the table ``touched``, and what of it was acknowledged.

    An id whose batch was acknowledged is settled, unless a request about it may still be under way; any other is in
    doubt.

    :param in_doubt: when an unacknowledged batch may have been sent last.
    :param settle_after: how long after it was sent a request may be carried out.
    """
    batches = list(batches)
    answers = [acknowledged.get(batch.name) for batch in batches]
    workspace.run(
        "CREATE OR REPLACE TABLE fates AS SELECT unnest(?::INTEGER[]) AS batch, unnest(?::BOOLEAN[]) AS adds, "
        "unnest(?::BIGINT[]) AS acknowledged, unnest(?::BIGINT[]) AS doubt",
        [
            list(range(len(batches))),
            [batch.kind != "remove" for batch in batches],
            [answer and answer.acknowledged_at for answer in answers],
            [answer.in_doubt if answer else in_doubt for answer in answers],
        ],
    )
    refused = [
        (number, person, reason)
        for number, answer in enumerate(answers)
        if answer
        for person, reason in answer.rejected.items()
    ]
    workspace.run(
        "CREATE OR REPLACE TABLE refused AS SELECT unnest(?::INTEGER[]) AS batch, unnest(?::VARCHAR[]) AS id, "
        "unnest(?::VARCHAR[]) AS reason",
        [list(column) for column in zip(*refused, strict=True)] or [[], [], []],
    )
    replace(
        workspace,
        """
        SELECT
            touched.id AS id,
            acknowledged IS NOT NULL AND CASE
                WHEN refused.id IS NULL THEN adds
                -- Whom the vendor took once, and does not let go, is still in.
                ELSE NOT adds AND known.vouched IS TRUE
            END AS vouched,
            CASE
                WHEN known.doubt IS NULL OR acknowledged >= known.doubt + ? THEN fates.doubt
                WHEN fates.doubt IS NULL THEN known.doubt
                ELSE greatest(known.doubt, fates.doubt)
            END AS doubt,
            CASE
                WHEN acknowledged IS NULL THEN known.rejected
                WHEN refused.id IS NOT NULL THEN acknowledged
            END AS rejected,
            CASE
                WHEN acknowledged IS NULL THEN known.reason
                ELSE refused.reason
            END AS reason
        FROM touched
        JOIN fates USING (batch)
        LEFT JOIN refused ON refused.batch = touched.batch AND refused.id = touched.id
        LEFT JOIN known ON known.id = touched.id
        """,
        [settle_after],
    )
    workspace.run("DROP TABLE touched")


def touch(workspace: Workspace, store: Store, batches: Sequence[Batch]) -> None:
    """Make the table ``touched`` of the ids of all batches, with their batch's number; they count as begun."""
    workspace.run("CREATE TABLE touched (id VARCHAR, batch INTEGER)")
    ids, numbers = list[str](), list[int]()
    for number, batch in enumerate(batches):
        found = read_batch(store, batch)
        ids += found
        numbers += [number] * len(found)
        if len(ids) >= INSERTED_AT_ONCE or number == len(batches) - 1:
            workspace.run("INSERT INTO touched SELECT unnest(?::VARCHAR[]), unnest(?::INTEGER[])", [ids, numbers])
            ids, numbers = [], []
    added = [number for number, batch in enumerate(batches) if batch.kind != "remove"]
    workspace.run("INSERT INTO begun SELECT id, list_contains(?::INTEGER[], batch) FROM touched", [added])


def settle(workspace: Workspace, *, acknowledged: int, settle_after: int) -> None:
    """Change ``known`` by those rows of the table ``actions`` that took no call of their own.

    :param acknowledged: when the override that they went by, if any, was.
    """
    replace(
        workspace,
        """
        SELECT
            id,
            CASE action WHEN 'adopt' THEN true WHEN 'forget' THEN known.vouched IS TRUE ELSE false END AS vouched,
            CASE WHEN action <> 'gone' OR known.doubt + ? > ? THEN known.doubt END AS doubt,
            NULL AS rejected,
            NULL AS reason
        FROM actions LEFT JOIN known USING (id)
        WHERE action IN ('adopt', 'forget', 'gone')
        """,
        [settle_after, acknowledged],
    )


def replace(workspace: Workspace, rows: str, parameters: Sequence[Any] = ()) -> None:
    """Put the rows of a query, one an id, in place of those that ``known`` has."""
    (replaced,) = workspace.one("SELECT count(*) > 0 FROM changed")
    if replaced:
        workspace.run(f"CREATE OR REPLACE TABLE newer AS {rows}", parameters)
        workspace.run("DELETE FROM changed USING newer WHERE changed.id = newer.id")
        rows, parameters = "FROM newer", ()
    workspace.run(f"INSERT INTO changed SELECT {_NAMES} FROM ({rows})", parameters)
    workspace.run(
        "CREATE OR REPLACE VIEW known AS SELECT * FROM base ANTI JOIN changed USING (id) "
        f"UNION ALL SELECT * FROM changed WHERE {_ALIVE}"
    )


def write(workspace: Workspace, *, whole: bool) -> tuple[Path, int]:
    """What has changed since the commit, or all that is known, as a Parquet file; and its number of rows."""
    path = workspace.folder / ("snapshot.parquet" if whole else "delta.parquet")
    table = "known" if whole else "changed"
    (rows,) = workspace.one(
        f"COPY (SELECT {_NAMES} FROM {table}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    )
    return path, rows


def read_batch(store: Store, batch: Batch) -> list[str]:
    """The ids of a batch.

    :raises LedgerError: its file is missing or not the one that was written.
    """
    content = store.read(batch.name)
    if content is None or digest_of(content) != batch.sha256:
        raise LedgerError(
            f"The ledger's file {batch.name} is missing or damaged, so what was sent is not known. Nothing was sent "
            f"now. {RESTORE}"
        )
    return content.decode().split("\n")


def _fetched(workspace: Workspace, store: Store, part: DataFile) -> Path:
    path = workspace.folder / part.name.replace("/", "-")
    if not store.fetch(part.name, path) or file_digest(path) != part.sha256:
        raise LedgerError(f"The ledger's file {part.name} is missing or damaged. Nothing was sent. {RESTORE}")
    return path


def file_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
