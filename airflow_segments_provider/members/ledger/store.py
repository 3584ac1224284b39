"""Where a ledger's files lie: each written whole or not at all, some by whoever comes first only."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Files below one folder. Nothing is cached: what another process wrote a moment ago is seen.

    :param name: parts separated by ``/``.
    """

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless it is there; exactly one of any number of writers succeeds. Durable at return.

        :return: False where it was there.
        """

    def read(self, name: str) -> bytes | None:
        """The content, or None where there is no such file."""

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, without the folder, sorted; empty where there is no such folder."""

    def put(self, name: str, content: Path) -> None:
        """Copy a local file to a name that nobody else uses. Durable at return."""

    def fetch(self, name: str, into: Path) -> bool:
        """Copy a file to a local one; False where there is none."""

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
