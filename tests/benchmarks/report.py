"""The output of `make bench`: a line for each figure, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One figure; smaller is better.

    :param goal: the largest value that meets the goal.
    :param how: what was measured beside what, and how often.
    """

    name: str
    value: float
    goal: float
    how: str

    @property
    def shown(self) -> float:
        """Return the value as it is shown and judged, so that a line does not contradict itself."""
        return round(self.value, 3)

    @property
    def met(self) -> bool:
        """Return whether the goal is met."""
        return self.shown <= self.goal

    @property
    def line(self) -> str:
        """Return ``name ratio goal met|short``."""
        return f"{self.name} {self.shown:.3f} {self.goal:g} {'met' if self.met else 'short'}"

    @property
    def entry(self) -> dict[str, object]:
        """Return the figure's entry in the JSON file."""
        return asdict(self) | {"value": self.shown, "met": self.met}


def write_json(figures: Iterable[Figure], path: Path) -> None:
    """Write ``[{name, value, goal, met, how}, …]``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([figure.entry for figure in figures], indent=2, ensure_ascii=False) + "\n")


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Return the median, and in brackets the smallest and the largest value."""
    return f"{median(values):.{digits}f}{unit} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def progress(text: str) -> None:
    """Print what runs, at once."""
    print(f"[bench] {text}", flush=True)
