"""Finds the files of a ledger that contain an ID: each is opened and read.

Where the format of a file says in which places its IDs are, only those are compared: an ID that equals a word of a
manifest, such as ``mirror``, is not found there. All other files are searched as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from airflow_segments_provider.ledger_commands.ledgers import AnyStore
from airflow_segments_provider.members.ledger.history import ACKNOWLEDGED, GENERATIONS, NOTES
from airflow_segments_provider.members.ledger.lease import LEASES
from airflow_segments_provider.members.ledger.manifest import Acknowledgement, Manifest, Note, Release
from airflow_segments_provider.members.ledger.store import every_file
from airflow_segments_provider.members.workspace import Workspace

# What is written in a format of the ledger's own, by folder.
FORMATS: dict[str, type[BaseModel]] = {
    GENERATIONS: Manifest,
    ACKNOWLEDGED: Acknowledgement,
    NOTES: Note,
    LEASES: Release,
}


def files_holding(store: AnyStore, ids: Collection[str]) -> list[str]:
    """Return the files that contain one of these IDs, and those that cannot be read."""
    wanted = frozenset(ids)
    with Workspace() as workspace:
        workspace.run("CREATE TABLE searched AS SELECT unnest(?::VARCHAR[]) AS id", [list(ids)])
        return [name for name in every_file(store) if _holds(store, name, wanted, workspace)]


def _holds(store: AnyStore, name: str, ids: frozenset[str], workspace: Workspace) -> bool:
    try:
        if name.endswith(".parquet"):
            path = workspace.folder / "searched.parquet"
            return store.fetch(name, path) and _parquet_holds(path, workspace)
        return _text_holds(name, store.read(name) or b"", ids)
    except ValueError:
        return True


def _parquet_holds(path: Path, workspace: Workspace) -> bool:
    """Search a Parquet file; one that cannot be read may contain anything."""
    import duckdb

    try:
        kinds = {column: kind for column, kind, *_ in workspace.rows(f"DESCRIBE FROM read_parquet('{path}')")}
        columns = ["id"] if "id" in kinds else [f'"{column}"' for column, kind in kinds.items() if kind == "VARCHAR"]
        named = " OR ".join(f"{column} IN (FROM searched)" for column in columns) or "false"
        (holds,) = workspace.one(f"SELECT count(*) > 0 FROM read_parquet('{path}') WHERE {named}")  # noqa: S608  # columns of our own
    except duckdb.Error:
        return True
    return bool(holds)


def _text_holds(name: str, content: bytes, ids: frozenset[str]) -> bool:
    text = content.decode()
    if name.endswith(".txt"):
        # A line of a batch is an ID; one of a plan is an action, a tab and an ID.
        lines = text.split("\n")
        return not ids.isdisjoint(lines) or not ids.isdisjoint(line.partition("\t")[2] for line in lines)
    known = _parsed(name, content)
    if known is not None:
        return not ids.isdisjoint(known)
    if name.endswith((".json", ".jsonl")):
        documents = [text] if name.endswith(".json") else text.splitlines()
        text = "\n".join(part for document in documents if document for part in _texts(json.loads(document)))
    return any(user in text and re.search(rf"(?<!\w){re.escape(user)}(?!\w)", text) for user in ids)


def _parsed(name: str, content: bytes) -> Collection[str] | None:
    """Return the IDs of a file whose format is known; None where it has another one."""
    model = FORMATS.get(name.partition("/")[0])
    try:
        parsed = model.model_validate_json(content) if model and content else None
    except ValidationError:
        return None
    if isinstance(parsed, Acknowledgement):
        return parsed.rejected
    if isinstance(parsed, Note):
        return parsed.ids
    return None if parsed is None else ()


def _texts(value: Any) -> Iterator[str]:
    """Return every text of a document, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
