"""Work of calls whose connection closed, to be carried out when the clock has passed its moment."""

from __future__ import annotations

from collections.abc import Callable


class LateWork:
    """Waits in memory only; looked at before each request, so nothing runs between requests."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, Callable[[], object]]] = []

    def add(self, due: float, work: Callable[[], object]) -> None:
        """Have work done at a moment, by the sandbox's clock."""
        self._waiting.append((due, work))

    def carry_out_due(self, now: float) -> None:
        """Do, in the order of their moments, all works whose moment has come."""
        due = [item for item in self._waiting if item[0] <= now]
        self._waiting = [item for item in self._waiting if item[0] > now]
        for _, work in sorted(due, key=lambda item: item[0]):
            work()

    def clear(self) -> None:
        """Forget what is waiting."""
        self._waiting.clear()
