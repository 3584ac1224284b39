"""The control of a running sandbox, with WalkMe's state."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

from airflow_segments_provider.testing.sandbox.control_client import ControlClient, Setting, remote
from airflow_segments_provider.testing.sandbox.walkme.constants import PREFIX
from airflow_segments_provider.testing.sandbox.walkme.state import WalkMe


class SandboxClient(ControlClient):
    """Configures a sandbox, makes calls fail, and returns and changes the state of its WalkMe.

    A ``segment`` is named by its GUID in either form, else by its external ID, else by its name. Endpoints are
    "walkme.token", "walkme.create", "walkme.update", "walkme.list", "walkme.delete" and "walkme.other".

    WalkMe has no list of users: any ID can be a member. A segment with two members::

        guid = walkme_sandbox.create_segment("Trial users", user_ids=["ada", "grace"])
        walkme_sandbox.add_members(guid, ["alan"])

    :param url: the sandbox's own address, without a vendor's path
    :param password: the control password, if the sandbox has one
    """

    vendor = "walkme"
    client_id = Setting("client_id")
    client_secret = Setting("client_secret")

    @property
    def walkme_url(self) -> str:
        """WalkMe's base URL, as a connection's host."""
        return self.url + PREFIX

    @property
    def system_guid(self) -> str:
        """The first known system, hyphenated."""
        return str(self.settings()["systems"][0])

    def connection_uri(self, **extra: object) -> str:
        """Return the connection as a URI, where every extra field is text."""
        fields = self.connection(**extra)
        login, password, host = (quote(fields[key], safe="") for key in ("login", "password", "host"))
        return f"walkme://{login}:{password}@{host}/?{urlencode(fields['extra'])}"

    def members(self, segment: str) -> set[str]:
        """Return the true members."""
        return set(self.iter_members(segment))

    def iter_members(self, segment: str) -> Iterator[str]:
        """Return the true members one by one, in the order of their code points."""
        return self._pages("members", "", str, segment=segment)

    segments = remote(WalkMe.segments)
    member_count = remote(WalkMe.member_count)
    editor = remote(WalkMe.editor)
    create_segment = remote(WalkMe.create_segment)
    delete_segment = remote(WalkMe.delete_segment)
    add_members = remote(WalkMe.add_members)
    remove_members = remote(WalkMe.remove_members)
