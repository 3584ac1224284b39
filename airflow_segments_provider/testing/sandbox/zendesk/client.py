"""The control of a running sandbox, with Zendesk's truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from airflow_segments_provider.testing.sandbox.control_client import ControlClient
from airflow_segments_provider.testing.sandbox.zendesk.connection import zendesk_connection
from airflow_segments_provider.testing.sandbox.zendesk.constants import PREFIX
from airflow_segments_provider.testing.sandbox.zendesk.jobs import JobRecord
from airflow_segments_provider.testing.sandbox.zendesk.records import (
    ContentRecord,
    GroupRecord,
    OrganizationRecord,
    SegmentRecord,
    UserRecord,
)


class ZendeskSandboxClient(ControlClient):
    """Sets a sandbox up, lets it fail, and tells what is true of Zendesk in it.

    Wherever a ``segment``, an ``article``, a ``topic`` or a ``section`` is asked for: its id, else its name; for a
    ``user``: the id, the e-mail address or the external id. Endpoints are "zendesk." and a verb with its noun, such as
    "zendesk.create_token", "zendesk.list_segments", "zendesk.update_segment", "zendesk.add_user_tags",
    "zendesk.update_users", "zendesk.get_job" and "zendesk.other".

    :param url: the sandbox's own address, without a vendor's path
    """

    vendor = "zendesk"

    # What to connect to

    @property
    def zendesk_url(self) -> str:
        """Zendesk's base URL, as a connection's host."""
        return self.url + PREFIX

    @property
    def client_id(self) -> str:
        """The OAuth client's id."""
        return str(self.settings()["client_id"])

    @property
    def client_secret(self) -> str:
        """The OAuth client's secret."""
        return str(self.settings()["client_secret"])

    @property
    def api_token(self) -> str:
        """The account's API token, for the Basic login ``email/token``."""
        return str(self.settings()["api_token"])

    def connection(self, **extra: object) -> dict[str, Any]:
        """Return the fields of an Airflow connection to Zendesk.

        :param extra: more fields of the connection's ``extra``
        """
        fields: dict[str, Any] = zendesk_connection(self.url, self.client_id, self.client_secret)
        fields["extra"].update(extra)
        return fields

    def connection_json(self, **extra: object) -> str:
        """Return a value for ``AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT``."""
        return json.dumps(self.connection(**extra))

    # Zendesk's truth

    def users(self) -> list[UserRecord]:
        """Return all people in the order of their ids."""
        return list(self.iter_users())

    def iter_users(self) -> Iterator[UserRecord]:
        """Return all people one by one."""
        after = 0
        while page := self._call("GET", "/zendesk/users", after=str(after)):
            yield from (UserRecord(**user) for user in page)
            after = page[-1]["id"]

    def user(self, user: int | str) -> UserRecord:
        """Return one person."""
        return UserRecord(**self._call("GET", "/zendesk/user", user=str(user)))

    def organizations(self) -> list[OrganizationRecord]:
        """Return all organizations."""
        return [OrganizationRecord(**found) for found in self._call("GET", "/zendesk/organizations")]

    def groups(self) -> list[GroupRecord]:
        """Return all groups."""
        return [GroupRecord(**found) for found in self._call("GET", "/zendesk/groups")]

    def segments(self, built_in: bool = False) -> list[SegmentRecord]:
        """Return the user segments in the order of their creation.

        :param built_in: the built-in ones too
        """
        found = [SegmentRecord(**segment) for segment in self._call("GET", "/zendesk/segments")]
        return [segment for segment in found if built_in or not segment.built_in]

    def members(self, segment: int | str) -> set[int]:
        """Return the ids of the people who are truly in a segment; Help Center managers are in every one."""
        return {member["id"] for member in self._members(segment)}

    def member_emails(self, segment: int | str) -> set[str]:
        """Return the same people's e-mail addresses."""
        return {member["email"] for member in self._members(segment)}

    def articles(self) -> list[ContentRecord]:
        """Return all articles, with the segments applied to them."""
        return self._content("articles")

    def topics(self) -> list[ContentRecord]:
        """Return all topics, with the segments applied to them."""
        return self._content("topics")

    def sections(self) -> list[ContentRecord]:
        """Return all sections, with the segments applied to them."""
        return self._content("sections")

    def jobs(self) -> list[JobRecord]:
        """Return the background jobs in the order of their creation."""
        return [JobRecord(**job) for job in self._call("GET", "/zendesk/jobs")]

    # What others do to it

    def seed_users(self, count: int, tags: Iterable[str] = (), organization_ids: Iterable[int] = ()) -> range:
        """Add many invented people at once, and return their ids.

        Number 42 is "Person 42" with the address ``person-42@example.com`` and the external id ``ext-42``.
        """
        new = {"count": count, "tags": list(tags), "organization_ids": list(organization_ids)}
        made = self._call("POST", "/zendesk/users/seed", new)
        return range(made["first"], made["last"] + 1)

    def create_user(self, name: str, email: str, **fields: object) -> int:
        """Add a person by hand, and return the id.

        :param fields: others of :class:`.zendesk.records.UserRecord`
        """
        return int(self._call("POST", "/zendesk/users", {"name": name, "email": email, **fields})["id"])

    def change_user(self, user: int | str, **fields: object) -> UserRecord:
        """Change a person by hand; tags replace all."""
        return UserRecord(**self._call("PATCH", "/zendesk/user", fields, user=str(user)))

    def delete_user(self, user: int | str) -> None:
        """Delete a person by hand."""
        self._call("DELETE", "/zendesk/user", user=str(user))

    def create_organization(self, name: str, tags: Iterable[str] = ()) -> int:
        """Add an organization by hand, and return its id."""
        return int(self._call("POST", "/zendesk/organizations", {"name": name, "tags": list(tags)})["id"])

    def create_segment(self, name: str | None, **fields: object) -> int:
        """Create a user segment by hand, and return its id.

        :param fields: others of :class:`.zendesk.records.SegmentRecord`; the type is that of signed-in users
        """
        return int(self._call("POST", "/zendesk/segments", {"name": name, **fields})["id"])

    def change_segment(self, segment: int | str, **fields: object) -> SegmentRecord:
        """Change a user segment by hand."""
        return SegmentRecord(**self._call("PATCH", "/zendesk/segments", fields, segment=str(segment)))

    def delete_segment(self, segment: int | str) -> None:
        """Delete a user segment by hand, in use or not."""
        self._call("DELETE", "/zendesk/segments", segment=str(segment))

    def create_article(self, name: str, user_segment_ids: Iterable[int] = ()) -> int:
        """Write an article by hand, and return its id."""
        return self._create_content("articles", name, user_segment_ids)

    def create_topic(self, name: str, user_segment_ids: Iterable[int] = ()) -> int:
        """Open a topic by hand, and return its id."""
        return self._create_content("topics", name, user_segment_ids)

    def restrict_article(self, article: int | str, user_segment_ids: Iterable[int]) -> None:
        """Apply segments to an article by hand; none opens it to all."""
        self._restrict("articles", article, user_segment_ids)

    def restrict_topic(self, topic: int | str, user_segment_ids: Iterable[int]) -> None:
        """Apply segments to a topic by hand; none opens it to all."""
        self._restrict("topics", topic, user_segment_ids)

    def restrict_section(self, section: int | str, user_segment_ids: Iterable[int]) -> None:
        """Apply segments to a section by hand; none opens it to all."""
        self._restrict("sections", section, user_segment_ids)

    def expire_tokens(self) -> None:
        """Make every OAuth token issued so far invalid."""
        self._call("DELETE", "/zendesk/tokens")

    def _members(self, segment: int | str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "/zendesk/members", segment=str(segment))
        return found

    def _content(self, kind: str) -> list[ContentRecord]:
        found = self._call("GET", f"/zendesk/content/{kind}")
        return [ContentRecord(**record) for record in found]

    def _create_content(self, kind: str, name: str, user_segment_ids: Iterable[int]) -> int:
        new = {"name": name, "user_segment_ids": list(user_segment_ids)}
        return int(self._call("POST", f"/zendesk/content/{kind}", new)["id"])

    def _restrict(self, kind: str, item: int | str, user_segment_ids: Iterable[int]) -> None:
        self._call("PUT", f"/zendesk/content/{kind}/segments", list(user_segment_ids), item=str(item))
