"""Step 1, stage: all wanted users, read once, checked, and without repeats."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airflow_segments_provider.members.workspace import Workspace
from airflow_segments_provider.sources.ids import IdCheck
from airflow_segments_provider.sources.values import chunks, read_values


@dataclass(frozen=True)
class Staged:
    """What was read: ``rows = wanted + duplicates + sum(invalid.values())``.

    :param changed: how many IDs are not as the source has them, but stripped or normalised.
    :param rejects: a file with a line of JSON, ``{"row": 7, "reason": "blank"}``, for each invalid row; no IDs.
    :param table: of the workspace, with the IDs.
    """

    rows: int
    wanted: int
    duplicates: int
    changed: int = 0
    invalid: dict[str, int] = field(default_factory=dict)
    rejects: Path | None = None
    table: str = "wanted"


def stage(
    workspace: Workspace,
    source: object,
    *,
    max_length: int,
    normalise: Callable[[Sequence[str]], Sequence[str]] = lambda ids: ids,
    check: Callable[[], None] = lambda: None,
) -> Staged:
    """Read a source into the table ``wanted``, a chunk at a time.

    :param source: anything that :func:`~airflow_segments_provider.sources.values.read_values` reads.
    :param normalise: the vendor's rule for IDs that are the same user.
    :param check: called every 1,000 rows; raises where the run has to stop.
    :raises InvalidInput: the source cannot be read exactly.
    """
    workspace.run("CREATE TABLE staged (id VARCHAR)")
    path = workspace.folder / "rejects.jsonl"
    normalised = 0
    with path.open("w", encoding="ascii") as rejects:
        ids = IdCheck(
            max_length,
            on_invalid=lambda row, reason: print(json.dumps({"row": row, "reason": reason}), file=rejects),
        )
        for chunk in chunks(read_values(source), check=check):
            taken = ids.take(chunk)
            if taken:
                kept = normalise(taken)
                normalised += sum(map(str.__ne__, kept, taken)) if kept is not taken else 0
                workspace.insert("staged", kept)
    (wanted,) = workspace.one("CREATE TABLE wanted AS SELECT DISTINCT id FROM staged")
    workspace.run("DROP TABLE staged")
    invalid = dict(sorted(ids.invalid.items()))
    wrong = sum(invalid.values())
    duplicates = ids.rows - wrong - wanted
    return Staged(ids.rows, wanted, duplicates, ids.changed + normalised, invalid, path if wrong else None)
