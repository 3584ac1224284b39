"""Records of one kind, in SQLite, by a numeric id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.zendesk.records import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS zendesk_records (
    kind TEXT NOT NULL, id INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS zendesk_emails
    ON zendesk_records (lower(json_extract(record, '$.email'))) WHERE kind = 'user';
CREATE INDEX IF NOT EXISTS zendesk_external_ids
    ON zendesk_records (lower(json_extract(record, '$.external_id'))) WHERE kind = 'user';
"""
_CHUNK = 500


R = TypeVar("R", bound=Record)


class Table(Generic[R]):
    """One kind of record; everything comes in the order of the ids.

    :param kind: tells the records apart in the one SQL table
    :param make: the record's dataclass
    :param first_id: where ids begin; they are never given twice
    """

    def __init__(self, database: Database, kind: str, make: type[R], first_id: int) -> None:
        self._database, self._kind, self._make, self._first_id = database, kind, make, first_id
        database.create(_SCHEMA)

    def new_ids(self, count: int = 1) -> range:
        """Return ids that were never given before."""
        key = f"zendesk_next_{self._kind}"
        start = int(self._database.meta(key) or self._first_id)
        self._database.set_meta(key, str(start + count))
        return range(start, start + count)

    def put(self, *records: R) -> None:
        """Add records, or put them in the place of those with their ids."""
        self.put_many(records)

    def put_many(self, records: Iterable[R]) -> None:
        """Add as many records as you like."""
        rows = ((self._kind, record.id, json.dumps(vars(record))) for record in records)
        with self._database.transaction():
            self._database.run_many("INSERT OR REPLACE INTO zendesk_records VALUES (?, ?, ?)", rows)

    def get(self, number: int) -> R | None:
        """Return one record."""
        found = self.many([number])
        return found[0] if found else None

    def many(self, numbers: Sequence[int]) -> list[R]:
        """Return the records with these ids, as far as there are any, in the order asked for."""
        found: dict[int, R] = {}
        # What is no 64-bit number is no id, and SQLite would not take it.
        wanted = [number for number in dict.fromkeys(numbers) if 0 < number < 2**63]
        for start in range(0, len(wanted), _CHUNK):
            some = wanted[start : start + _CHUNK]
            marks = ", ".join("?" * len(some))
            found |= {record.id: record for record in self._select(f"AND id IN ({marks})", some)}
        return [found[number] for number in dict.fromkeys(numbers) if number in found]

    def ids(self) -> list[int]:
        """Return all ids."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            "SELECT id FROM zendesk_records WHERE kind = ? ORDER BY id", (self._kind,)
        )
        return [row[0] for row in rows]

    def all(self) -> Iterator[R]:
        """Return all records one by one."""
        yield from self._select("ORDER BY id", ())

    def by_email(self, email: str) -> list[R]:
        """Return the users with an address, in whatever case; of other letters than those of ASCII, case counts."""
        return self._select("AND kind = 'user' AND lower(json_extract(record, '$.email')) = lower(?)", (email,))

    def by_external_id(self, external_id: str) -> list[R]:
        """Return the users with an external id; case as for addresses."""
        condition = "AND kind = 'user' AND lower(json_extract(record, '$.external_id')) = lower(?)"
        return self._select(condition, (external_id,))

    def delete(self, number: int) -> None:
        """Remove a record."""
        self._database.run("DELETE FROM zendesk_records WHERE kind = ? AND id = ?", (self._kind, number))

    def clear(self) -> None:
        """Remove all records, and begin with the ids anew."""
        self._database.run("DELETE FROM zendesk_records WHERE kind = ?", (self._kind,))
        self._database.set_meta(f"zendesk_next_{self._kind}", str(self._first_id))

    def _select(self, condition: str, parameters: Sequence[object]) -> list[R]:
        rows: list[tuple[Any, ...]] = self._database.rows(
            f"SELECT record FROM zendesk_records WHERE kind = ? {condition}",  # noqa: S608
            (self._kind, *parameters),
        )
        return [self._make(**json.loads(row[0])) for row in rows]
