"""The staging of a source: all wanted users, read once, checked, and without duplicates."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from airflow_segments_provider.sources.ids import PLAIN, WHOLE, IdCheck, as_is
from airflow_segments_provider.sources.values import CHUNK, chunks, read_values
from airflow_segments_provider.sync.workspace import Workspace


@dataclass(frozen=True)
class Staged:
    """The result: ``rows = wanted + duplicates + sum(invalid.values())``.

    :param changed: how many IDs were stripped or normalised.
    :param rejects: a file with a line of JSON, ``{"row": 7, "reason": "blank"}``, for each invalid row; no IDs.
    :param unmatched: users who were not found, by reason, with a file of them; ``looked_up``: how many were looked up,
        in ``look_ups`` requests; ``kept``: the table of IDs of users who may have been missed, and are not removed.
    :param table: of the workspace, with the IDs.
    """

    rows: int
    wanted: int
    duplicates: int
    changed: int = 0
    invalid: dict[str, int] = field(default_factory=dict)
    rejects: Path | None = None
    unmatched: dict[str, int] = field(default_factory=dict)
    unmatched_list: Path | None = None
    looked_up: int = 0
    look_ups: int = 0
    kept: str = ""
    table: str = "wanted"


def stage(
    workspace: Workspace,
    source: object,
    *,
    max_length: int,
    normalise: Callable[[Sequence[str]], Sequence[str]] = as_is,
    whole_numbers: bool = False,
    check: Callable[[], None] = lambda: None,
) -> Staged:
    """Read a source into the table ``wanted``, a chunk at a time.

    :param source: anything that :func:`~airflow_segments_provider.sources.values.read_values` reads.
    :param normalise: the vendor's rule for IDs that are the same user.
    :param whole_numbers: the vendor's IDs are whole numbers.
    :param check: called every 1,000 rows; raises where the run has to stop.
    :raises InvalidInput: the source cannot be read exactly.
    """
    workspace.run("CREATE TABLE staged (id VARCHAR)")
    path = workspace.folder / "rejects.jsonl"
    with path.open("w", encoding="ascii") as rejects:
        ids = IdCheck(
            max_length,
            whole_numbers=whole_numbers,
            normalise=normalise,
            on_invalid=partial(_report, workspace, rejects),
        )
        staged = _load(workspace, source, ids, check)
        if not staged:
            staged = "SELECT id FROM staged"
            for chunk in chunks(read_values(source), check=check):
                if taken := ids.take(chunk):
                    workspace.insert("staged", taken)
        with workspace.writing():
            rejects.close()
    (wanted,) = workspace.one(f"CREATE TABLE wanted AS SELECT DISTINCT id FROM ({staged})")
    workspace.run("DROP TABLE IF EXISTS loaded")
    workspace.run("DROP TABLE staged")
    invalid = dict(sorted(ids.invalid.items()))
    wrong = sum(invalid.values())
    return Staged(ids.rows, wanted, ids.rows - wrong - wanted, ids.changed, invalid, path if wrong else None)


def _report(workspace: Workspace, rejects: IO[str], row: int, reason: str) -> None:
    with workspace.writing():
        rejects.write(json.dumps({"row": row, "reason": reason}) + "\n")


def _load(workspace: Workspace, source: Any, ids: IdCheck, check: Callable[[], None]) -> str | None:
    """Let DuckDB read a source, and check only those IDs in Python that are not plain.

    :return: a query of the IDs that are valid; None where the source is to be read in Python.
    """
    if ids.normalise is not as_is or not hasattr(source, "load"):
        return None
    check()
    if not source.load(workspace.database, "loaded"):
        return None
    is_unclear = _unclear(ids)
    (rows,) = workspace.one("SELECT count(*) FROM loaded")
    (unclear,) = workspace.one(f"CREATE TABLE unclear AS SELECT rowid AS row, id FROM loaded WHERE {is_unclear}")
    if unclear:
        _check_unclear(workspace, ids, check)
    workspace.run("DROP TABLE unclear")
    ids.rows = rows
    # The filter takes time, so it is left out where it is not needed.
    return (
        f"SELECT id FROM loaded WHERE NOT ({is_unclear}) UNION ALL FROM staged" if unclear else "SELECT id FROM loaded"
    )


def _unclear(ids: IdCheck) -> str:
    """Return the condition in SQL, never NULL, of IDs that are left to Python."""
    other = f"NOT regexp_full_match(id, '{WHOLE if ids.whole_numbers else PLAIN}')"
    if not ids.whole_numbers:
        # As text, a blob is longer if it has any byte but a space or a plain character. The expression takes twice as
        # long, so it is evaluated for the other IDs alone, where it accepts quotes and backslashes.
        other = f"(strlen(encode(id)::VARCHAR) <> strlen(id) OR contains(id, ' ')) AND {other}"
    return f"id IS NULL OR id = '' OR length(id) > {ids.max_length} OR ({other})"


def _check_unclear(workspace: Workspace, ids: IdCheck, check: Callable[[], None]) -> None:
    last = -1
    query = f"SELECT row, id FROM unclear WHERE row > ? ORDER BY row LIMIT {CHUNK}"
    while part := workspace.rows(query, [last]):
        check()
        taken = list[str]()
        for last, value in part:
            ids.rows = last  # counted from 0
            taken += ids.take([value])
        workspace.insert("staged", taken)
