"""Targets from an operator's argument, and the vendors' rules for the comparison of user IDs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.ids import as_is
from airflow_segments_provider.sync.target import Normalise
from airflow_segments_provider.targets.alteryx import AlteryxUserGroup
from airflow_segments_provider.targets.base import Segment
from airflow_segments_provider.targets.docebo import DoceboGroup
from airflow_segments_provider.targets.walkme import WalkMeSegment
from airflow_segments_provider.targets.zendesk import ZendeskUserSegment

TARGETS: dict[str, type[Segment]] = {
    segment.vendor: segment for segment in (AlteryxUserGroup, DoceboGroup, WalkMeSegment, ZendeskUserSegment)
}

_KNOWN = ", ".join(sorted(TARGETS))


def target_of(value: Any) -> Segment:
    """Return the target of an operator's argument.

    :param value: a target; a dict of its arguments and ``vendor``; or ``vendor:///name``,
        ``vendor://system/name``, with other arguments as a query, e.g. ``walkme:///Trial%20users?create=true``. The
        first part names a WalkMe system, or the ID of another vendor's segment: ``docebo://<group_id>``. A name is
        percent-encoded, in a template with ``| urlencode``.
    :raises InvalidInput: it is something else, or has an unknown argument.
    """
    if isinstance(value, Segment):
        return value
    if isinstance(value, str):
        value = _from_address(value)
    if not isinstance(value, Mapping) or str(value.get("vendor")) not in TARGETS:
        raise InvalidInput("The target of a sync", [f"it must be a target, or a dict with a `vendor` of {_KNOWN}."])
    arguments = {key: part for key, part in value.items() if key != "vendor" and part not in (None, "")}
    arguments["create"] = str(arguments.get("create", False)).lower() in ("true", "1", "yes")
    try:
        return TARGETS[value["vendor"]](**arguments)
    except TypeError:
        wrong = ", ".join(f"`{key}`" for key in arguments)
        raise InvalidInput("The target of a sync", [f"{value['vendor']} does not accept one of {wrong}."]) from None


def _from_address(address: str) -> dict[str, Any]:
    """Return the arguments of an address.

    :raises InvalidInput: a part of it would be left out or count for another: ``#1`` in a name is not one of the path.
    """
    if urlsplit(address.partition("/")[0]).scheme not in TARGETS:
        return {}
    with suppress(ValueError):
        parts = urlsplit(address)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, errors="strict")
        host, path = TARGETS[parts.scheme].parts
        first, name = (unquote(part, errors="strict") for part in (parts.netloc, parts.path.removeprefix("/")))
        arguments = [pair for pair in [("vendor", parts.scheme), (host, first), (path, name), *query] if pair[1]]
        # The parser drops a fragment, line breaks, tabs, and the question mark of an empty query.
        is_whole = not (set("#\t\r\n") & set(address.strip()) or address.rstrip().endswith("?"))
        if is_whole and len(dict(arguments)) == len(arguments):
            return dict(arguments)
    problem = (
        "its address is not clear: an argument is there twice or has no value, or a name in it is not percent-encoded. "
        "Write `Team #1?` as `Team%20%231%3F`, in a template with `| urlencode`, or pass a dict."
    )
    raise InvalidInput("The target of a sync", [problem])


def normaliser(vendor: str) -> Normalise:
    """Return the function that normalises a vendor's IDs of users, and their identities; by default nothing changes.

    :param vendor: as in :attr:`~airflow_segments_provider.sync.target.SegmentKey.vendor`.
    """
    return TARGETS[vendor].normalise if vendor in TARGETS else as_is
