"""Segments as Airflow assets: their addresses, and an event after each change.

An address is ``walkme://host/system/segment``, with the host of the API and the GUIDs of the system and of the
segment; or ``docebo://host/segment``, ``alteryx://host/segment`` or ``zendesk://host/segment`` with the vendor's ID.

A DAG that follows segments runs once for all events since its last run. From Airflow 3.4 on, it runs once for each
event, unless ``[scheduler] batch_asset_events`` is set.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from airflow.providers.common.compat.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

__all__ = ["alteryx_asset", "docebo_asset", "segment_asset", "walkme_asset", "zendesk_asset"]

# Through an alias, Airflow 2 would fail every task whose alias it has not stored before: mapped ones, `dag.test()`.
_ALIASES_WORK = hasattr(Asset, "ref")


def walkme_asset(host: str, system: str, segment: str, *, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a WalkMe segment, for ``DAG(schedule=...)``: the DAG runs after each change by an operator.

    :param host: of the API, e.g. ``eu-api.walkme.com``, or the connection's whole base URL.
    :param system: the system's GUID.
    :param segment: the segment's GUID, not its name, which may not be unique.
    :param extra: further data of the asset in Airflow's UI.
    :raises ValueError: the parts do not form an address of a segment.

    Airflow 3 takes assets of one address and two names for two assets, and the name of ``Asset("walkme://…")`` is that
    text as it is written. So use this function. A DAG that gives the asset another name, ``Asset(name=…, uri=…)``, runs
    if the asset is also an inlet of the task that changes the segment.
    """
    return segment_asset("walkme", host, system, segment, extra=extra)


def docebo_asset(host: str, group_id: str, *, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a Docebo group; see :func:`walkme_asset`.

    :param host: of the platform, e.g. ``acme.docebosaas.com``, or the connection's base URL.
    :param group_id: its UUID.
    """
    return segment_asset("docebo", host, "", group_id, extra=extra)


def alteryx_asset(host: str, user_group_id: str, *, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of an Alteryx Server user group; see :func:`walkme_asset`.

    :param host: of the API, or the connection's base URL.
    :param user_group_id: in any case.
    """
    return segment_asset("alteryx", host, "", user_group_id.lower(), extra=extra)


def zendesk_asset(host: str, user_segment_id: int | str, *, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a Zendesk user segment; see :func:`walkme_asset`.

    :param host: of the account, e.g. ``acme.zendesk.com``, or the connection's base URL.
    :param user_segment_id: Zendesk's number.
    """
    return segment_asset("zendesk", host, "", str(user_segment_id), extra=extra)


def segment_asset(vendor: str, host: str, system: str, segment: str, *, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of a segment of any vendor; see :func:`walkme_asset`.

    :param vendor: the scheme of the address.
    :param system: may be empty where the vendor has none.
    """
    netloc = urlsplit(host).netloc if "//" in host else host
    path = "/".join(("", *(quote(part, safe="") for part in (system, segment) if part)))
    address = sanitize_uri(SplitResult(vendor, netloc, path, "", ""))
    return Asset(uri=urlunsplit(address), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Return the normal form of a segment's address; Airflow calls this, and compares addresses as texts.

    :raises ValueError: it is not an address of a segment. Airflow 2 only logs a warning.
    """
    form = f"{uri.scheme}://host/system/segment" if uri.scheme == "walkme" else f"{uri.scheme}://host/segment"
    if "@" in uri.netloc or uri.query or uri.fragment:
        raise ValueError(f"URI format {form} must contain no user, password, query or fragment.")
    root, *parts = uri.path.rstrip("/").split("/")
    if not uri.hostname or root or len(parts) not in ((2,) if uri.scheme == "walkme" else (1, 2)) or not all(parts):
        needed = "a host, a system and a segment" if uri.scheme == "walkme" else "a host and a segment"
        raise ValueError(f"URI format {form} must contain {needed}, and nothing else.")
    guids = [_guid(part) for part in parts]
    if uri.scheme == "walkme" and None in guids:
        raise ValueError(f"URI format {form} must contain the GUIDs of system and segment, not their names.")
    path = "/".join(("", *(guid or part for guid, part in zip(guids, parts, strict=True))))
    return uri._replace(netloc=uri.netloc.lower().removesuffix(":443"), path=path)


def declare(operator: BaseOperator) -> None:
    """Add the outlet of an operator that changes segments: an alias named ``dag_id.task_id``.

    The run resolves the alias to an asset. A DAG may be scheduled on the alias itself. Tasks on Airflow 2 have no
    alias, and mapped tasks have one only when they run.
    """
    if not _ALIASES_WORK or not operator.has_dag():  # type: ignore[no-untyped-call]
        return
    if (alias := _alias(operator)) not in operator.outlets:
        # A new list, because several tasks may share the old one.
        operator.outlets = [*operator.outlets, alias]


def record_change(
    operator: BaseOperator,
    context: Context,
    asset: Asset,
    *,
    outcome: str,
    name: str,
    connection: str,
    counts: Mapping[str, int],
    digest: str | None,
    changed_at: str,
) -> None:
    """Have Airflow record an event of this asset, if the task succeeds in the end.

    Airflow 2 records events only of assets that a DAG names. If the author made the asset an outlet of the task,
    Airflow records an event after every run, and this only adds the change to it. The name of the asset is its address,
    unless an outlet or an inlet of the task has the address and another name.

    :param operator: the operator that is executing, not a copy of it.
    :param name: of the segment, and the ID of the Airflow ``connection``: an address has no name.
    :param counts: numbers only, because Airflow shows events to all users.
    :param digest: of the plan that was applied, if any.
    :param changed_at: as in the task's result.
    """
    extra: dict[str, Any] = {"outcome": outcome, "name": name, "connection": connection}
    extra |= {"counts": dict(counts), "digest": digest, "changed_at": changed_at}
    events: Any = context.get("outlet_events")
    if events is None:  # outside of a task of Airflow, such as in a unit test
        return
    outlet = next((one for one in operator.outlets if isinstance(one, Asset) and one.uri == asset.uri), None)
    if outlet is None and _ALIASES_WORK:
        declare(operator)
        # Not a reference by address: Airflow 3 logs an error where no DAG names the asset.
        named = next((one for one in operator.inlets if isinstance(one, Asset) and one.uri == asset.uri), asset)
        events[_alias(operator)].add(named, extra=extra)
        return
    if outlet is None:
        operator.outlets = [*operator.outlets, asset]
    events[outlet or asset].extra = extra


def _alias(operator: BaseOperator) -> AssetAlias:
    # Quoted, because some databases accept only ASCII here.
    return AssetAlias(quote(f"{operator.dag_id}.{operator.task_id}"))


def _guid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
