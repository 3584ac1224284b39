"""The lines that a comparison prints."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_segments_provider.cli.contract.compare import Comparison
from airflow_segments_provider.cli.contract.fetch import Found


def lines(subject: str, ours: int, found: Found, comparison: Comparison) -> Iterator[str]:
    """What was compared, each difference, and what it comes to.

    :param ours: how many operations this package has at the vendor.
    """
    yield subject
    for document in found.documents:
        yield f"  read      {document.title} ({document.source})"
    for problem in found.problems:
        yield f"  NOT READ  {problem}"
    yield f"  compared  {comparison.compared} of this package's {ours} operations, with {comparison.named} described"
    for note in comparison.notes:
        yield f"  note      {note}"
    for one in comparison.unclear:
        yield f"  UNCLEAR   {one}"
    for difference in comparison.differences:
        yield f"  DIFFERS   {difference}"
    yield _verdict(found, comparison)


def _verdict(found: Found, comparison: Comparison) -> str:
    if not found.documents:
        return "Nothing could be compared."
    if count := len(comparison.differences):
        named = "1 difference" if count == 1 else f"{count} differences"
        return f"{named}: what the vendor describes and what this package sends are not the same there."
    if comparison.unclear:
        return "No difference was found, but not all could be compared."
    return "What this package sends is as the vendor describes it."
