"""Show on the terminal what runs, and since when."""

from __future__ import annotations

import re
import textwrap
import time
from pathlib import Path
from typing import TextIO

LONG_ID = re.compile("([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(sha256:[0-9a-f]{6})[0-9a-f]{58}")
WIDTH, MARGIN = 116, 21


class Progress:
    """Print lines with the seconds since the start."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._began = time.monotonic()

    def __call__(self, who: str, what: str) -> None:
        """Print what runs now."""
        first, *more = textwrap.wrap(_shortened(what), WIDTH - MARGIN - 10)
        print(f"{self.seconds:6.1f} s  {who:<{MARGIN}}{first}", file=self._terminal)
        for line in more:
            print(f"{'':10}{'':{MARGIN}}{line}", file=self._terminal)

    def title(self, text: str) -> None:
        """Print the title of a new part."""
        print("", *textwrap.wrap(text, WIDTH), sep="\n", file=self._terminal)

    def quote(self, message: str) -> None:
        """Print what a task has logged, with long IDs shortened."""
        for line in message.splitlines():
            for part in textwrap.wrap(_shortened(line), WIDTH - 12, drop_whitespace=False) or [""]:
                print(f"{'':10}> {part}".rstrip(), file=self._terminal)

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began


def shown(path: Path) -> Path:
    """Return a path relative to the current directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _shortened(text: str) -> str:
    return LONG_ID.sub(lambda found: f"{found[1] or found[3]}…", text)
