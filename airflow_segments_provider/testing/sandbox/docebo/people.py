"""Users and branches, in SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo.records import BranchRecord, UserRecord
from airflow_segments_provider.testing.sandbox.docebo.sql import Page, contains, numbers, select

_SCHEMA = """
CREATE TABLE IF NOT EXISTS docebo_users (
    idst INTEGER PRIMARY KEY, userid TEXT NOT NULL UNIQUE COLLATE NOCASE, firstname TEXT NOT NULL,
    lastname TEXT NOT NULL, email TEXT NOT NULL COLLATE NOCASE, branch INTEGER NOT NULL, active INTEGER NOT NULL,
    level TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS docebo_users_email ON docebo_users (email);
CREATE INDEX IF NOT EXISTS docebo_users_branch ON docebo_users (branch);
CREATE TABLE IF NOT EXISTS docebo_branches (idst INTEGER PRIMARY KEY, name TEXT NOT NULL, parent INTEGER);
"""
USER_COLUMNS = "idst, userid, firstname, lastname, email, branch, active, level"
SEARCHED = ("firstname", "lastname", "userid", "email")


class PeopleStore:
    """Usernames and addresses are compared without case, and no two users have one username."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    def add_branch(self, branch: BranchRecord) -> None:
        """Add a branch."""
        self._database.run("INSERT INTO docebo_branches VALUES (?, ?, ?)", (branch.idst, branch.name, branch.parent))

    def branches(self) -> list[BranchRecord]:
        """Return all branches in the order of their creation."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            "SELECT idst, name, parent FROM docebo_branches ORDER BY idst"
        )
        return [BranchRecord(*row) for row in rows]

    def with_descendants(self, branches: Iterable[int]) -> set[int]:
        """Return branches and all that are below them."""
        everything, found = self.branches(), set(branches)
        # A branch is always younger than its parent.
        for branch in everything:
            if branch.parent in found:
                found.add(branch.idst)
        return found

    def add_users(self, users: Iterable[UserRecord]) -> None:
        """Add users."""
        rows = (
            (user.idst, user.userid, user.firstname, user.lastname, user.email, user.branch, user.active, user.level)
            for user in users
        )
        self._database.run_many("INSERT INTO docebo_users VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def change_user(self, idst: int, *, active: bool, branch: int) -> None:
        """Change what automatic groups may depend on."""
        self._database.run("UPDATE docebo_users SET active = ?, branch = ? WHERE idst = ?", (active, branch, idst))

    def remove_user(self, idst: int) -> None:
        """Remove a user, also from every group."""
        self._database.run("DELETE FROM docebo_users WHERE idst = ?", (idst,))
        self._database.run("DELETE FROM docebo_members WHERE idst = ?", (idst,))

    def user(self, idst: int) -> UserRecord | None:
        """Return a user by number."""
        found = self._users("idst = ?", (idst,))
        return found[0] if found else None

    def by_username(self, userid: str) -> UserRecord | None:
        """Return a user by username."""
        found = self._users("userid = ?", (userid,))
        return found[0] if found else None

    def after(self, idst: int, limit: int) -> list[UserRecord]:
        """Return the users with the next higher numbers."""
        return self._users(f"idst > ? ORDER BY idst LIMIT {int(limit)}", (idst,))

    def page(self, page: Page, branch: int | None, whole: bool) -> tuple[list[UserRecord], int]:
        """Return a page of the users that a search finds, and the number of all that it finds.

        :param whole: only users whose username or address is the searched text
        """
        condition, parameters = contains(page.search, SEARCHED)
        if whole and page.search:
            condition, parameters = "(userid = ? OR email = ?)", [page.search, page.search]
        if branch is not None:
            condition += f" AND branch = {int(branch)}"
        ((total,),) = self._database.rows(select("count(*)", "docebo_users", condition), parameters)
        return self._users(condition + page.order, parameters), int(str(total))

    def unknown_users(self, ids: Iterable[int]) -> int:
        """Return how many of the numbers are no user's."""
        return sum(1 for idst in ids if not self._database.rows("SELECT 1 FROM docebo_users WHERE idst = ?", (idst,)))

    def in_branches(self, branches: Iterable[int]) -> list[int]:
        """Return the users of branches."""
        rows = self._database.rows(select("idst", "docebo_users", f"branch IN {numbers(branches)}"))
        return [int(str(row[0])) for row in rows]

    def clear(self) -> None:
        """Forget everybody."""
        self._database.run("DELETE FROM docebo_users")
        self._database.run("DELETE FROM docebo_branches")

    def _users(self, condition: str, parameters: Sequence[object]) -> list[UserRecord]:
        rows: list[tuple[Any, ...]] = self._database.rows(select(USER_COLUMNS, "docebo_users", condition), parameters)
        return [user_of(row) for row in rows]


def user_of(row: Sequence[Any]) -> UserRecord:
    """Return the user that a row of :data:`USER_COLUMNS` is."""
    values: tuple[Any, ...] = (*row[:6], bool(row[6]), row[7])
    return UserRecord(*values)
