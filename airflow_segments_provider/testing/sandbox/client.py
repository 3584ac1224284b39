"""The control of a running sandbox, with WalkMe's truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

from airflow_segments_provider.testing.sandbox.control_client import ControlClient
from airflow_segments_provider.testing.sandbox.walkme.connection import walkme_connection
from airflow_segments_provider.testing.sandbox.walkme.constants import PREFIX
from airflow_segments_provider.testing.sandbox.walkme.records import SegmentRecord

_CHUNK = 100_000


class SandboxClient(ControlClient):
    """Sets a sandbox up, lets it fail, and tells what is true of WalkMe in it.

    Wherever a ``segment`` is asked for: its GUID in either form, else its external id, else its name. Endpoints are
    "walkme.token", "walkme.create", "walkme.update", "walkme.list", "walkme.delete" and "walkme.other".

    :param url: the sandbox's own address, without a vendor's path
    :param password: the control password, if the sandbox has one
    """

    vendor = "walkme"

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

    def _change_members(self, segment: str, action: str, user_ids: Iterable[str]) -> None:
        ids = list(user_ids)
        for start in range(0, len(ids), _CHUNK):
            change = {"segment": segment, "action": action, "user_ids": ids[start : start + _CHUNK]}
            self._call("POST", "/walkme/members", change)
