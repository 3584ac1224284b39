"""The files of a ledger: each is written whole or not at all, and a create succeeds for one writer only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """Files below one folder. Nothing is cached: a read or listing shows what another process wrote a moment ago.

    Each method raises :class:`~airflow_segments_provider.errors.LedgerError` where the file system or the driver fails.

    :param name: parts separated by ``/``.
    """

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless it is there; exactly one of any number of writers succeeds. Durable at return.

        :return: False where it was there.
        """

    def read(self, name: str) -> bytes | None:
        """Return the content, or None where there is no such file."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of the files in a folder, without the folder; empty where it does not exist."""

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder, as :meth:`names`; an empty text stands for the whole store."""

    def put(self, name: str, content: Path) -> None:
        """Copy a local file to a name that no other process writes, over what is there. Durable at return."""

    def fetch(self, name: str, into: Path) -> bool:
        """Copy a file to a local one; False where there is none."""

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""

    def delete_folder(self, folder: str) -> None:
        """Delete a folder and all that is in it, if it is there."""

    def delete_unfinished(self, before: int) -> None:
        """Delete the temporary files of killed writers. A writer that is alive writes its file again.

        :param before: milliseconds since 1970; what is younger may still be finished.
        """


def named(store: Store, folder: str, form: str) -> list[str]:
    """Return the names of the files in a folder that have the form of a ledger's own; others are ignored."""
    return [name for name in store.names(folder) if re.fullmatch(form, name)]
