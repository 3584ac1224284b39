"""What `make bench` says in the end: a line a figure, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One figure; smaller is better.

    :param goal: the largest value that is good enough.
    :param how: what was measured beside what, and how often.
    """

    name: str
    value: float
    goal: float
    how: str

    @property
    def shown(self) -> float:
        """The value as it is shown, and as it is judged: a line that contradicts itself helps nobody."""
        return round(self.value, 3)

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.shown <= self.goal

    @property
    def line(self) -> str:
        """``name ratio goal met|short``."""
        return f"{self.name} {self.shown:.3f} {self.goal:g} {'met' if self.met else 'short'}"

    @property
    def entry(self) -> dict[str, object]:
        """The figure in the JSON file."""
        return asdict(self) | {"value": self.shown, "met": self.met}


def write_json(figures: Iterable[Figure], path: Path) -> None:
    """Write ``[{name, value, goal, met, how}, …]``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([figure.entry for figure in figures], indent=2, ensure_ascii=False) + "\n")


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Median, and in brackets the smallest and the largest."""
    return f"{median(values):.{digits}f}{unit} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def progress(text: str) -> None:
    """Say what is being done, at once."""
    print(f"[bench] {text}", flush=True)
