"""``check-contract`` from end to end: the vendor and its documents, the comparison, the lines and the exit status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.cli.contract.compare import Comparison, compare
from airflow_segments_provider.cli.contract.document import Document, Unreadable, shown
from airflow_segments_provider.cli.contract.operations import ALTERYX, DOCEBO, Operation
from airflow_segments_provider.errors import NotFound, SegmentsError
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.http import HttpClient, Response
from airflow_segments_provider.provider_info import get_provider_info

AGREE, DIFFER, UNKNOWN = 0, 1, 2


@dataclass(frozen=True)
class _Vendor:
    operations: Sequence[Operation]
    hook: Callable[[str], Any]
    fetch: Callable[[Any], Found]


def check(conn_id: str, files: Sequence[Path]) -> tuple[int, Iterator[str]]:
    """Compare, and return the exit status and the lines to print.

    :param files: downloaded documents, in place of those of the vendor.
    :raises SegmentsError: the connection cannot be used, or the vendor cannot be called.
    """
    conn_type = BaseHook.get_connection(conn_id).conn_type
    names = {form["connection-type"]: form["hook-name"] for form in get_provider_info()["connection-types"]}
    names["zendesk"] = names["zendesk_help_center"]  # the official provider's type works, too
    if conn_type not in names:
        return UNKNOWN, iter([f"Connection {conn_id!r} is of type {conn_type!r}, which is not one of this package."])
    if conn_type not in _VENDORS:
        return UNKNOWN, iter([f"{names[conn_type]} publishes no description of its API to compare with."])
    vendor = _VENDORS[conn_type]
    hook = vendor.hook(conn_id)
    found = from_files(files) if files else vendor.fetch(hook)
    base = urlsplit(hook.client.base_url).path
    comparison = compare(vendor.operations, found.documents, base, complete=not found.problems)
    subject = f"{names[conn_type]}, connection {conn_id!r}"
    return _status(found, comparison), lines(subject, len(vendor.operations), found, comparison)


def _status(found: Found, comparison: Comparison) -> int:
    if comparison.differences:
        return DIFFER
    return UNKNOWN if comparison.unclear or not found.documents else AGREE


@dataclass
class Found:
    """The documents, and the reasons why others could not be read."""

    documents: list[Document] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, load: Callable[[], Document]) -> None:
        """Add a document, or the reason why it cannot be read."""
        try:
            self.documents.append(load())
        except (Unreadable, SegmentsError) as error:
            self.problems.append(str(error))


def from_files(paths: Sequence[Path]) -> Found:
    """Read downloaded documents."""
    found = Found()
    for path in paths:
        found.add(partial(_from_file, path))
    return found


def _from_file(path: Path) -> Document:
    try:
        return Document(json.loads(path.read_bytes()), str(path))
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise Unreadable(f"{path} is not JSON.") from None


def from_alteryx(hook: AlteryxServerHook) -> Found:
    """Download the document of an Alteryx Server."""
    found = Found()
    found.add(partial(_alteryx_document, hook))
    return found


def _alteryx_document(hook: AlteryxServerHook) -> Document:
    # The server's own page requests it with two slashes; whether one works too is not documented.
    twice = hook.client_at(f"{hook.client.base_url}//swagger")
    try:
        response = twice.request("GET", ("docs", "3"), may_be_text=True)
    except NotFound:
        response = hook.client.request("GET", ("swagger", "docs", "3"), may_be_text=True)
    finally:
        twice.close()
    return _read(response, response.call.path)


def from_docebo(hook: DoceboHook) -> Found:
    """Download the documents of Docebo's services, one each."""
    found = Found()
    listed = hook.client.request("GET", ("manage", "v1", "site", "microservices")).json
    services = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(services, list) or not services:
        found.problems.append("Docebo's list of services is empty.")
        return found
    for service in services:
        url = service.get("url") if isinstance(service, dict) else None
        if isinstance(url, str) and url:
            found.add(partial(_docebo_document, hook.client, url))
        else:
            found.problems.append("A service in Docebo's list has no address of a document.")
    return found


def _docebo_document(client: HttpClient, url: str) -> Document:
    """Download a document whose address the vendor listed.

    :raises Unreadable: it is on another host, which must not receive the token.
    """
    base = urlsplit(client.base_url)
    try:
        target = urlsplit(urljoin(f"{client.base_url}/", url))
        foreign = _origin(target) != _origin(base) or target.username is not None
    except ValueError:
        raise Unreadable(f"{shown(url)} is not a URL.") from None
    if foreign:
        raise Unreadable(
            f"{shown(url)} is not on the connection's own host, so it was not called. Download it yourself, and pass "
            "the file with --document."
        )
    path = target.path.removeprefix(f"{base.path}/")
    parts = [unquote(part) for part in path.split("/") if part]
    response = client.request("GET", parts, query=dict(parse_qsl(target.query)) or None, may_be_text=True)
    return _read(response, target.path)


def _origin(parts: Any) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _read(response: Response, source: str) -> Document:
    """Return the document in a response, whatever its media type."""
    content = response.json
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            raise Unreadable(f"{response.call} returned something that is not JSON.") from None
    return Document(content, source)


def lines(subject: str, ours: int, found: Found, comparison: Comparison) -> Iterator[str]:
    """Yield what was compared, each difference, and the verdict.

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
        return f"{named} between the vendor's description and the requests of this package."
    if comparison.unclear:
        return "No difference was found, but some operations could not be compared."
    return "The requests of this package are as the vendor describes them."


_VENDORS = {
    "alteryx_server": _Vendor(ALTERYX, AlteryxServerHook, from_alteryx),
    "docebo": _Vendor(DOCEBO, DoceboHook, from_docebo),
}
