"""Who is in which group, and why, in SQLite."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo.people import SEARCHED, USER_COLUMNS, user_of
from airflow_segments_provider.testing.sandbox.docebo.records import Relation, UserRecord
from airflow_segments_provider.testing.sandbox.docebo.sql import Page, contains, select

_SCHEMA = """
CREATE TABLE IF NOT EXISTS docebo_members (
    audience INTEGER NOT NULL, idst INTEGER NOT NULL, relation TEXT NOT NULL, PRIMARY KEY (audience, idst)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS docebo_members_idst ON docebo_members (idst);
"""
_JOINED = "docebo_members JOIN docebo_users USING (idst)"


class MemberStore:
    """Members are a set: adding twice, removing a stranger or adding nobody's number changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    def add(self, audience: int, ids: Iterable[int]) -> None:
        """Put users into a group; one that rules had brought counts as put there from now on."""
        self._database.run_many(
            "INSERT INTO docebo_members SELECT ?, idst, 'manual' FROM docebo_users WHERE idst = ?"
            " ON CONFLICT DO UPDATE SET relation = 'manual'",
            ((audience, idst) for idst in ids),
        )

    def remove(self, audience: int, ids: Iterable[int]) -> None:
        """Remove users, whatever brought them."""
        self._database.run_many(
            "DELETE FROM docebo_members WHERE audience = ? AND idst = ?", ((audience, idst) for idst in ids)
        )

    def empty(self, audience: int, relation: Relation | None = None) -> None:
        """Remove all, or all that were brought in one way."""
        self._database.run(
            "DELETE FROM docebo_members WHERE audience = ? AND relation = coalesce(?, relation)", (audience, relation)
        )

    def refill(self, audience: int, condition: str) -> None:
        """Put those for whom an SQL condition holds in the place of all that rules had brought."""
        self.empty(audience, "automatic")
        self._database.run(
            "INSERT OR IGNORE INTO docebo_members " + select("?, idst, 'automatic'", "docebo_users", condition),
            (audience,),
        )

    def page(self, audience: int, page: Page) -> tuple[list[tuple[UserRecord, Relation]], int]:
        """Return a page of the members that a search finds, and the number of all that it finds."""
        condition, found = contains(page.search, SEARCHED)
        parameters = [audience, *found]
        where = f"audience = ? AND {condition}"
        ((total,),) = self._database.rows(select("count(*)", _JOINED, where), parameters)
        rows: list[tuple[Any, ...]] = self._database.rows(
            select(f"{USER_COLUMNS}, relation", _JOINED, where + page.order), parameters
        )
        return [(user_of(row), row[8]) for row in rows], int(str(total))

    def all(self, audience: int) -> list[UserRecord]:
        """Return all members in the order of their numbers."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            select(USER_COLUMNS, _JOINED, "audience = ? ORDER BY idst"), (audience,)
        )
        return [user_of(row) for row in rows]

    def found(self, audience: int, texts: Iterable[str]) -> list[int]:
        """Return the members that a search for any of the texts finds."""
        ids: set[int] = set()
        for text in texts:
            condition, parameters = contains(text, SEARCHED)
            rows = self._database.rows(
                select("idst", _JOINED, f"audience = ? AND {condition}"), [audience, *parameters]
            )
            ids.update(int(str(row[0])) for row in rows)
        return sorted(ids)

    def ids(self, audience: int, after: int, limit: int, relation: Relation | None = None) -> list[int]:
        """Return the members with the next higher numbers."""
        rows = self._database.rows(
            "SELECT idst FROM docebo_members WHERE audience = ? AND idst > ? AND relation = coalesce(?, relation)"
            " ORDER BY idst LIMIT ?",
            (audience, after, relation, limit),
        )
        return [int(str(row[0])) for row in rows]

    def count(self, audience: int) -> int:
        """Return the number of members."""
        ((count,),) = self._database.rows("SELECT count(*) FROM docebo_members WHERE audience = ?", (audience,))
        return int(str(count))

    def clear(self) -> None:
        """Forget everything."""
        self._database.run("DELETE FROM docebo_members")
