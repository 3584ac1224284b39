"""A target from what an operator takes, and the vendor's rule by which its user IDs are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.ids import as_is
from airflow_segments_provider.targets.walkme import WalkMeSegment, WalkMeTarget

TARGETS = {"walkme": WalkMeSegment}

_KNOWN = ", ".join(sorted(TARGETS))


def target_of(given: Any) -> WalkMeSegment:
    """Return the target that is meant.

    :param given: a target; a dict of one's arguments and its ``vendor``; or ``vendor:///name``,
        ``vendor://system/name``, with other arguments as a query, e.g. ``walkme:///Trial%20users?create=true``.
    :raises InvalidInput: it is none of these.
    """
    if isinstance(given, WalkMeSegment):
        return given
    if isinstance(given, str):
        given = _from_address(given)
    if not isinstance(given, Mapping) or given.get("vendor") not in TARGETS:
        raise InvalidInput("The target of a sync", [f"it must be a target, or a dict with a `vendor` of {_KNOWN}."])
    arguments = {key: value for key, value in given.items() if key != "vendor" and value not in (None, "")}
    arguments["create"] = str(arguments.get("create", False)).lower() in ("true", "1", "yes")
    try:
        return TARGETS[given["vendor"]](**arguments)
    except TypeError:
        wrong = ", ".join(f"`{key}`" for key in arguments)
        raise InvalidInput("The target of a sync", [f"one of {wrong} is not known to {given['vendor']}."]) from None


def _from_address(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "vendor": parts.scheme,
        "system_guid": unquote(parts.netloc),
        "name": unquote(parts.path.lstrip("/")),
        **query,
    }


Normalise = Callable[[Sequence[str]], Sequence[str]]

NORMALISE: dict[str, Normalise] = {WalkMeSegment.vendor: WalkMeTarget.normalise}


def normaliser(vendor: str) -> Normalise:
    """Return what makes equal the IDs that a vendor takes for one user's; without a rule they are compared exactly.

    :param vendor: as in :attr:`~airflow_segments_provider.sync.target.SegmentKey.vendor`.
    """
    return NORMALISE.get(vendor, as_is)
