"""The check from end to end: which vendor, its documents, the comparison, the lines and the exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.cli.contract.alteryx import ALTERYX
from airflow_segments_provider.cli.contract.compare import Comparison, compare
from airflow_segments_provider.cli.contract.docebo import DOCEBO
from airflow_segments_provider.cli.contract.fetch import Found, from_alteryx, from_docebo, from_files
from airflow_segments_provider.cli.contract.operation import Operation
from airflow_segments_provider.cli.contract.report import lines

AGREE, DIFFER, UNKNOWN = 0, 1, 2

# By type of connection; the official provider's type of Zendesk works with this package, too.
_WITHOUT = {"walkme": "WalkMe", "zendesk_help_center": "Zendesk", "zendesk": "Zendesk"}


@dataclass(frozen=True)
class _Vendor:
    name: str
    operations: Sequence[Operation]
    hook: Callable[[str], Any]
    fetch: Callable[[Any], Found]


def check(conn_id: str, files: Sequence[Path]) -> tuple[int, Iterator[str]]:
    """Compare, and return the exit status and the lines to be printed.

    :param files: documents that were downloaded before, in place of those that the vendor serves.
    :raises SegmentsError: the connection cannot be used, or the vendor not be called.
    """
    conn_type = BaseHook.get_connection(conn_id).conn_type
    if conn_type in _WITHOUT:
        return UNKNOWN, iter([f"{_WITHOUT[conn_type]} publishes no description of its API to compare with."])
    if conn_type not in _VENDORS:
        return UNKNOWN, iter([f"Connection {conn_id!r} is of type {conn_type!r}, which is none of this package's."])
    vendor = _VENDORS[conn_type]
    hook = vendor.hook(conn_id)
    found = from_files(files) if files else vendor.fetch(hook)
    base = urlsplit(hook.client.base_url).path
    comparison = compare(vendor.operations, found.documents, base, complete=not found.problems)
    told = lines(f"{vendor.name}, connection {conn_id!r}", len(vendor.operations), found, comparison)
    return _status(found, comparison), told


def _status(found: Found, comparison: Comparison) -> int:
    if comparison.differences:
        return DIFFER
    return UNKNOWN if comparison.unclear or not found.documents else AGREE


def _alteryx(conn_id: str) -> Any:
    from airflow_segments_provider.hooks.alteryx import AlteryxServerHook

    return AlteryxServerHook(conn_id)


def _docebo(conn_id: str) -> Any:
    from airflow_segments_provider.hooks.docebo import DoceboHook

    return DoceboHook(conn_id)


_VENDORS = {
    "alteryx_server": _Vendor("Alteryx Server", ALTERYX, _alteryx, from_alteryx),
    "docebo": _Vendor("Docebo", DOCEBO, _docebo, from_docebo),
}
