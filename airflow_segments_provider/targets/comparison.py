"""How each vendor compares user IDs: the rule that a sync applies, for whoever has a ledger and no connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_segments_provider.sources.ids import as_is
from airflow_segments_provider.targets.walkme import WalkMeSegment, WalkMeTarget

Normalise = Callable[[Sequence[str]], Sequence[str]]

NORMALISE: dict[str, Normalise] = {WalkMeSegment.vendor: WalkMeTarget.normalise}


def normaliser(vendor: str) -> Normalise:
    """Return what makes equal the IDs that a vendor takes for one user's; without a rule they are compared exactly.

    :param vendor: as in :attr:`~airflow_segments_provider.members.target.SegmentKey.vendor`.
    """
    return NORMALISE.get(vendor, as_is)
