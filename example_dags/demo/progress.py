"""Says on the terminal what goes on, and since when."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TextIO

LONG_ID, SHORT_ID = re.compile("([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), r"\1…"


class Progress:
    """Prints lines with the seconds since the start."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._began = time.monotonic()

    def __call__(self, who: str, what: str) -> None:
        """Say what goes on now."""
        print(f"{self.seconds:6.1f} s  {who:<17} {what}", file=self._terminal)

    def quote(self, line: str) -> None:
        """Show a line of a task's own log, long ids shortened."""
        print(f"{'':12}| {LONG_ID.sub(SHORT_ID, line)}", file=self._terminal)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began


def shown(path: Path) -> Path:
    """A path as somebody in this directory would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
