"""The table at the end of ``make demo``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from example_dags.demo.day import Day

DOCUMENTED_LAG = 600
COLUMNS = ("wanted", "members before", "to add", "to remove", "outcome", "requests sent", "members after")


def table(days: Sequence[Day], source_rows: int) -> Iterator[str]:
    """Return a row for each run, and further lines.

    :param source_rows: the number of rows in the table at the start.
    """
    names = [f"{number} {day.name}" for number, day in enumerate(days, start=1)]
    first = max(map(len, names))
    yield f"{'':{first}}" + "".join(f"{column:>{_width(column)}}" for column in COLUMNS)
    for name, day in zip(names, days, strict=True):
        cells = (
            *(f"{day.plan.get(count, 0):,}" for count in ("wanted", "baseline", "add", "remove")),
            day.outcome,
            f"{len(day.sent):,}",
            "no segment" if day.members is None else f"{len(day.members):,}",
        )
        yield f"{name:{first}}" + "".join(
            f"{cell:>{_width(column)}}" for column, cell in zip(COLUMNS, cells, strict=True)
        )
    yield ""
    yield from (f"{label:26}{value}" for label, value in _lines(days, source_rows))


def _width(column: str) -> int:
    return max(len(column), len("no segment")) + 2


def _lines(days: Sequence[Day], source_rows: int) -> Iterator[tuple[str, str]]:
    audience = days[0].audience
    yield "people in the source", f"{source_rows:,} rows, those on other plans included"
    unusable = ", ".join(f"{count:,} {reason}" for reason, count in sorted(audience.rejected.items()))
    found = f"{audience.rows:,} rows: {len(audience.people):,} people, {audience.duplicates:,} repeated,"
    yield "the query at first", found
    yield "", f"{audience.rejected.total():,} unusable ({unusable})"
    counts = Counter(call.endpoint.removeprefix("walkme.") for day in days for call in day.calls)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    yield "requests, by the sandbox", f"{counts.total()}: {kinds}"
    for day in days:
        if (lag := day.conf["propagation_seconds"]) and (wait := day.steps.get("wait")):
            yield "the Editor", f"shows {', '.join(wait.editor) or 'no segment'} after a wait of {wait.seconds:.1f} s,"
            yield "", f"{wait.deferred_for:.1f} s of it in the triggerer without a worker slot"
            yield "the Editor's lag", f"shortened from {DOCUMENTED_LAG} s to {lag:g} s by the sandbox's editor_lag"
