"""Invented users in a SQLite database, with the defects of a real source, and the expected results of its queries.

The expected results follow from how each row was made: this module shares no rule with the package.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

# The number of users of each plan; those on trial take more than two requests of 25,000.
PLANS = {"trial": 62_000, "paid": 9_000, "extended": 1_400, "free": 15_000}
# The number of defective rows for each thousand users.
AGAIN, AGAIN_WITH_SPACES, BLANK, TOO_LONG, CONTROL, NOT_TEXT = 60, 40, 20, 3, 1, 1

GIVEN_NAMES = ("ada", "bo", "chidi", "dilnoza", "françois", "gülçin", "jörg", "łucja", "zoë", "Ольга", "日本", "🦊")
SPACES = (" {}", "{} ", "  {}  ", "\t{}", "{}\r\n", "\u00a0{}", "{}\u3000")
BLANKS = (None, None, "", "", " ", "   ", "\t", "\u00a0")
CONTROLS = ("{}\x07", "a\tb{}", "line\n{}", "{}\x1b[0m.")


@dataclass(frozen=True)
class Row:
    """A row: its value in the database, and the user ID that it stands for, or why it is invalid."""

    user_id: object
    plan: str
    person: str | None = None
    rejected: str | None = None


@dataclass
class Audience:
    """The expected result of a query for one plan."""

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    people: set[str] = field(default_factory=set)

    @property
    def duplicates(self) -> int:
        """Return the number of rows whose user is in an earlier row."""
        return self.rows - self.rejected.total() - len(self.people)


class People:
    """The database, created anew.

    :param share: the fraction of the default number of users.
    """

    def __init__(self, database: Path, share: float = 1.0, seed: int = 1815) -> None:
        self.database = database
        self._random = random.Random(seed)
        self._rows: list[Row] = []
        first = 1
        for plan, people in PLANS.items():
            self._rows += self._made(plan, range(first, first + round(people * share)))
            first += people
        self._random.shuffle(self._rows)
        self._write()

    def __len__(self) -> int:
        return len(self._rows)

    def audience(self, plan: str) -> Audience:
        """Return the expected result for a plan at present."""
        found = Audience()
        for row in self._rows:
            if row.plan == plan:
                found.rows += 1
                if row.person is None:
                    found.rejected[str(row.rejected)] += 1
                else:
                    found.people.add(row.person)
        return found

    def move(self, share: float, old: str, new: str) -> int:
        """Move some users of one plan to another with all their rows; return how many."""
        there = sorted(self.audience(old).people)
        chosen = set(self._random.sample(there, round(len(there) * share)))
        changed = []
        for number, row in enumerate(self._rows):
            if row.person in chosen and row.plan == old:
                self._rows[number] = Row(row.user_id, new, row.person)
                changed.append((new, number))
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.executemany("UPDATE people SET plan = ? WHERE row = ?", changed)
        return len(chosen)

    def _write(self) -> None:
        self.database.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.database)) as connection, connection:
            # The column user_id has no type, so SQLite keeps the type of each value, as an untyped source does.
            connection.execute("CREATE TABLE people (row INTEGER PRIMARY KEY, user_id, plan TEXT NOT NULL)")
            rows = ((number, row.user_id, row.plan) for number, row in enumerate(self._rows))
            connection.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)

    def _made(self, plan: str, numbers: range) -> Iterator[Row]:
        pick = self._random.choice
        # The value as a clean source would have it, and the ID that it stands for.
        known = [self._identity(number) for number in numbers]
        for value, person in known:
            yield Row(value, plan, person)
        for value, person in self._some(known, AGAIN):
            yield Row(value, plan, person)
        for _, person in self._some(known, AGAIN_WITH_SPACES):
            yield Row(pick(SPACES).format(person), plan, person)
        for _ in self._some(known, BLANK):
            yield Row(pick(BLANKS), plan, rejected="blank")
        for _, person in self._some(known, TOO_LONG):
            yield Row(person.rjust(100, "x") + "y", plan, rejected="too long")
        for _, person in self._some(known, CONTROL):
            yield Row(pick(CONTROLS).format(person), plan, rejected="control characters")
        for _, person in self._some(known, NOT_TEXT):
            value, rejected = pick(((len(person) + 0.5, "fraction"), (person.encode(), "bytes")))
            yield Row(value, plan, rejected=rejected)

    def _identity(self, number: int) -> tuple[object, str]:
        if number % 30 == 0:  # an employee number, stored as an integer
            return 9_000_000 + number, str(9_000_000 + number)
        if number % 1_000 == 1:  # the longest valid ID
            longest = f"{number}@example.org".rjust(100, "n")
            return longest, longest
        domain = self._random.choice(("example.com", "example.org", "mail.example.com"))
        text = f"{self._random.choice(GIVEN_NAMES)}.{number:06}@{domain}"
        return text, text

    def _some(self, known: list[tuple[object, str]], per_thousand: int) -> list[tuple[object, str]]:
        return self._random.choices(known, k=max(1, len(known) * per_thousand // 1_000))
