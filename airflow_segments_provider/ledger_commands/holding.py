"""Which files of a ledger name a person: each is opened and read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from airflow_segments_provider.ledger_commands.ledgers import AnyStore
from airflow_segments_provider.members.ledger.store import every_file
from airflow_segments_provider.members.workspace import Workspace


def files_holding(store: AnyStore, ids: Collection[str]) -> list[str]:
    """The files in which one of these ids stands, and those that cannot be read."""
    import duckdb

    wanted, found = frozenset(ids), []
    with Workspace() as workspace:
        workspace.run("CREATE TABLE people AS SELECT unnest(?::VARCHAR[]) AS id", [list(ids)])
        for name in every_file(store):
            try:
                holds = _holds(store, name, wanted, workspace)
            except (ValueError, OSError, duckdb.Error):
                holds = True
            if holds:
                found.append(name)
    return found


def _holds(store: AnyStore, name: str, ids: frozenset[str], workspace: Workspace) -> bool:
    if name.endswith(".parquet"):
        path = workspace.folder / "looked-at.parquet"
        if not store.fetch(name, path):
            return False
        columns = [column for column, kind, *_ in workspace.rows(f"DESCRIBE FROM '{path}'") if kind == "VARCHAR"]
        named = " OR ".join(f"{column} IN (FROM people)" for column in columns)
        (holds,) = workspace.one(f"SELECT count(*) > 0 FROM '{path}' WHERE {named}")  # noqa: S608  # columns of our own
        return bool(holds)
    content = store.read(name)
    if not content:
        return False
    if name.endswith(".txt"):
        return not ids.isdisjoint(content.decode().split("\n"))
    if name.endswith(".json"):
        return not ids.isdisjoint(_texts(json.loads(content)))
    if name.endswith(".jsonl"):
        return not ids.isdisjoint(text for line in content.splitlines() for text in _texts(json.loads(line)))
    return any(person in content.decode() for person in ids)


def _texts(value: Any, parent: str = "") -> Iterator[str]:
    """Every text of a document; of its keys, only those that are people, not names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if parent == "rejected":
                yield key
            yield from _texts(item, key)
