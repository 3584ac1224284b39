"""The users that the how-to pages and the examples read, and the vendors that have them."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_segments_provider.testing.sandbox import DoceboSandboxClient, SandboxClient
from example_dags.demo.all import SCENES
from example_dags.demo.scene import Scene, World
from tests.docs.test_how_to import BEFORE, EXPECTED, FROM_FILE, TRIAL, USERS

__all__ = ["BEFORE", "EXPECTED", "TRIAL", "Sandbox", "Warehouse", "connections_in"]


@dataclass
class Sandbox:
    """Client of the sandbox that the newcomer has started, which is not restarted as that of `World` is."""

    url: str

    def __post_init__(self) -> None:
        self.client = SandboxClient(self.url)
        self.docebo = DoceboSandboxClient(self.url)

    def members(self) -> dict[str, set[str]]:
        """Return the members of each WalkMe segment."""
        return {one.name: self.client.members(one.guid) for one in self.client.segments()}

    @contextmanager
    def scene(self, name: str, folder: Path) -> Iterator[tuple[Scene, dict[str, Any]]]:
        """Create what an example needs, and return its scene with the connections to it."""
        self.client.reset()
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            before = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
            for variable in before:
                patch.delenv(variable)
            scene = SCENES[name](World(self, folder))  # type: ignore[arg-type]
            connections = {
                variable.removeprefix("AIRFLOW_CONN_").lower(): json.loads(value)
                for variable, value in os.environ.items()
                if variable.startswith("AIRFLOW_CONN_")
            }
            for conn_id in connections:
                patch.delenv(f"AIRFLOW_CONN_{conn_id.upper()}")
        yield scene, connections


class Warehouse:
    """The database of the how-to pages.

    :param folder: The directory that stands for ``/data`` of the pages.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.database = folder / "warehouse.db"
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("CREATE TABLE users (user_id, email, plan, segment)")
            connection.execute("CREATE TABLE logins (user_id, day)")
            connection.executemany("INSERT INTO logins VALUES (?, ?)", [("ada", "2026-01-01"), ("alan", "2999-01-01")])
        self.have(USERS)
        (folder / "partners").mkdir()
        (folder / "partners" / "all.csv").write_text("user_id\n" + "\n".join(FROM_FILE))

    def have(self, users: list[tuple[str, str, str, str]]) -> None:
        """Replace the users by these."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("DELETE FROM users")
            connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", users)

    def have_trial(self, count: int) -> set[str]:
        """Put this many users on trial, and return them."""
        users = [f"user-{number}" for number in range(count)]
        self.have([(user, f"{user}@example.com", "trial", "Trial users") for user in users])
        return set(users)


def connections_in(log: str) -> dict[str, Any]:
    """Return the connections that the sandbox prints."""
    found = re.findall(r"^export AIRFLOW_CONN_(\w+)='(.+)'$", log, re.MULTILINE)
    return {name.lower(): json.loads(value) for name, value in found}
