"""The control of a running sandbox, over HTTP: in this process or in another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

import requests

from airflow_segments_provider.sandbox.calls import CallRecord
from airflow_segments_provider.sandbox.walkme.connection import walkme_connection
from airflow_segments_provider.sandbox.walkme.constants import PREFIX
from airflow_segments_provider.sandbox.walkme.records import SegmentRecord

_TIMEOUT_SECONDS = 60
_CHUNK = 100_000


class SandboxError(Exception):
    """The sandbox refused a control call: an unknown segment, setting, or kind of fault."""


class SandboxClient:
    """Sets a sandbox up, lets it fail, and tells what is true in it.

    Wherever a ``segment`` is asked for: its GUID in either form, else its external id, else its name. Endpoints are
    "walkme.token", "walkme.create", "walkme.update", "walkme.list", "walkme.delete" and "walkme.other".

    :param url: the sandbox's own address, without a vendor's path
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        # A proxy of the environment must not stand between a test and its own machine.
        self._session.trust_env = False

    # What to connect to

    @property
    def walkme_url(self) -> str:
        """WalkMe's base URL, as a connection's host."""
        return self.url + PREFIX

    @property
    def system_guid(self) -> str:
        """The first known system, hyphenated."""
        return str(self.settings()["systems"][0])

    @property
    def client_id(self) -> str:
        """The API key's id."""
        return str(self.settings()["client_id"])

    @property
    def client_secret(self) -> str:
        """The API key's secret."""
        return str(self.settings()["client_secret"])

    def connection(self, **extra: object) -> dict[str, Any]:
        """Return the fields of an Airflow connection to WalkMe.

        :param extra: more fields of the connection's ``extra``
        """
        fields: dict[str, Any] = walkme_connection(self.url, self.client_id, self.client_secret, self.system_guid)
        fields["extra"].update(extra)
        return fields

    def connection_json(self, **extra: object) -> str:
        """Return a value for ``AIRFLOW_CONN_WALKME_DEFAULT``."""
        return json.dumps(self.connection(**extra))

    def connection_uri(self, **extra: object) -> str:
        """Return the same connection as a URI, where every extra field is text."""
        fields = self.connection(**extra)
        login, password, host = (quote(fields[key], safe="") for key in ("login", "password", "host"))
        return f"walkme://{login}:{password}@{host}/?{urlencode(fields['extra'])}"

    # How it behaves

    def settings(self, vendor: str = "walkme", **changes: object) -> dict[str, Any]:
        """Change some settings, and return all; fields and meanings as in :class:`.walkme.settings.WalkMeSettings`."""
        path = f"/{vendor}/settings"
        found: dict[str, Any] = self._call("PATCH", path, _plain(changes)) if changes else self._call("GET", path)
        return found

    def reset(self, vendor: str = "walkme", **changes: object) -> None:
        """Forget segments, tokens, calls, faults and the moved clock; settings return to those of the start.

        :param changes: settings that shall differ from those of the start
        """
        self._call("POST", "/reset", {vendor: _plain(changes)})

    def now(self) -> float:
        """Return the sandbox's time, in seconds since the epoch."""
        return float(self._call("GET", "/clock")["now"])

    def advance(self, seconds: float) -> float:
        """Let time pass at once, and return the new time."""
        return float(self._call("POST", "/clock/advance", {"seconds": seconds})["now"])

    def fault(
        self,
        endpoint: str,
        kind: str,
        *,
        times: int | None = 1,
        skip: int = 0,
        action: str | None = None,
        **parameters: object,
    ) -> None:
        """Let calls go wrong; the oldest matching rule is applied, and only that one.

        :param endpoint: a name such as "walkme.update", or "*"
        :param kind: see the table of kinds and their parameters in :mod:`airflow_segments_provider.sandbox.faults`
        :param times: how many calls; None for all to come
        :param skip: how many matching calls pass before
        :param action: only calls with this action ("add", "remove", "override")
        :param parameters: those of the kind: effect, status, seconds, body, content_type, headers, location
        """
        rule = {"endpoint": endpoint, "kind": kind, "times": times, "skip": skip, "action": action, **parameters}
        self._call("POST", "/faults", rule)

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules that may still apply."""
        found: list[dict[str, Any]] = self._call("GET", "/faults")
        return found

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._call("DELETE", "/faults")

    # What happened

    def calls(self, endpoint: str | None = None) -> list[CallRecord]:
        """Return the vendor calls in the order of their arrival; control calls are not among them."""
        query = {} if endpoint is None else {"endpoint": endpoint}
        return [CallRecord(**call) for call in self._call("GET", "/calls", **query)]

    def counts(self) -> dict[str, int]:
        """Return the number of vendor calls by endpoint; one never called is absent."""
        found: dict[str, int] = self._call("GET", "/calls/counts")
        return found

    # WalkMe's truth

    def segments(self, deleted: bool = False) -> list[SegmentRecord]:
        """Return the segments of all systems in the order of their creation.

        :param deleted: deleted ones too
        """
        found = [SegmentRecord(**segment) for segment in self._call("GET", "/walkme/segments")]
        return [segment for segment in found if deleted or segment.deleted_at is None]

    def members(self, segment: str) -> set[str]:
        """Return the true members."""
        return set(self.iter_members(segment))

    def iter_members(self, segment: str) -> Iterator[str]:
        """Return the true members one by one, in the order of their code points."""
        after: dict[str, str] = {}
        while page := self._call("GET", "/walkme/members", segment=segment, **after)["members"]:
            yield from page
            after = {"after": page[-1]}

    def member_count(self, segment: str) -> int:
        """Return the number of true members."""
        return int(self._call("GET", "/walkme/members", segment=segment, limit="1")["count"])

    def editor(self, system: str | None = None) -> list[str]:
        """Return the names that the Editor's condition builder offers at the sandbox's time.

        :param system: a system GUID; None for the first known
        """
        found: list[str] = self._call("GET", "/walkme/editor", **({} if system is None else {"system": system}))
        return found

    # What others do to it

    def create_segment(
        self, name: str, external_id: str | None = None, user_ids: Iterable[str] = (), system: str | None = None
    ) -> str:
        """Create a segment by hand, and return its GUID as 32 digits."""
        new = {"name": name, "external_id": external_id, "system": system}
        guid = str(self._call("POST", "/walkme/segments", new)["guid"])
        self.add_members(guid, user_ids)
        return guid

    def delete_segment(self, segment: str) -> None:
        """Delete a segment by hand."""
        self._call("DELETE", "/walkme/segments", segment=segment)

    def add_members(self, segment: str, user_ids: Iterable[str]) -> None:
        """Add members by hand; as many as you like."""
        self._change_members(segment, "add", user_ids)

    def remove_members(self, segment: str, user_ids: Iterable[str]) -> None:
        """Remove members by hand; as many as you like."""
        self._change_members(segment, "remove", user_ids)

    def expire_tokens(self) -> None:
        """Make every token issued so far invalid."""
        self._call("DELETE", "/walkme/tokens")

    def close(self) -> None:
        """Close the connections to the sandbox."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _change_members(self, segment: str, action: str, user_ids: Iterable[str]) -> None:
        ids = list(user_ids)
        for start in range(0, len(ids), _CHUNK):
            change = {"segment": segment, "action": action, "user_ids": ids[start : start + _CHUNK]}
            self._call("POST", "/walkme/members", change)

    def _call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        reply = self._session.request(
            method, f"{self.url}/_sandbox{path}", json=body, params=query, timeout=_TIMEOUT_SECONDS
        )
        if not reply.ok:
            raise SandboxError(f"{method} {path}: {reply.status_code} {reply.text}")
        return reply.json() if reply.content else None


def _plain(changes: dict[str, object]) -> dict[str, object]:
    return {name: sorted(value) if isinstance(value, set | frozenset) else value for name, value in changes.items()}
