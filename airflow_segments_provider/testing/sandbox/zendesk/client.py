"""The control of a running sandbox, with Zendesk's state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_segments_provider.testing.sandbox.control_client import ControlClient, Setting, remote
from airflow_segments_provider.testing.sandbox.zendesk.constants import PREFIX
from airflow_segments_provider.testing.sandbox.zendesk.state import UserRecord, Zendesk


class ZendeskSandboxClient(ControlClient):
    """Configures a sandbox, makes calls fail, and returns and changes the state of its Zendesk.

    A ``segment``, ``article``, ``topic`` or ``section`` is named by its ID, else by its name; a ``user`` by the ID,
    the e-mail address or the external ID. Endpoints are "zendesk." and a verb with its noun, such as
    "zendesk.create_token", "zendesk.list_segments", "zendesk.update_segment", "zendesk.add_user_tags",
    "zendesk.update_users", "zendesk.show_jobs" and "zendesk.other".

    A few users, segments, articles and topics exist at the start. Further users, and a segment of them::

        ids = zendesk_sandbox.seed_users(100)  # person-<number>@example.com, external ID ext-<number>
        ada = zendesk_sandbox.create_user("Ada", "ada@example.com")
        zendesk_sandbox.create_segment("Trial users", tags=["only_added"], added_user_ids=[ada, *ids])

    :param url: the sandbox's own address, without a vendor's path
    """

    vendor = "zendesk"
    client_id = Setting("client_id")
    client_secret = Setting("client_secret")
    api_token = Setting("api_token")

    @property
    def zendesk_url(self) -> str:
        """Zendesk's base URL, as a connection's host."""
        return self.url + PREFIX

    def users(self) -> list[UserRecord]:
        """Return all users in the order of their IDs."""
        return list(self.iter_users())

    def iter_users(self) -> Iterator[UserRecord]:
        """Return all users one by one."""
        return (UserRecord(**user) for user in self._pages("users", 0, lambda user: user["id"]))

    def seed_users(self, count: int, tags: Iterable[str] = (), organization_ids: Iterable[int] = ()) -> range:
        """Add many invented users at once, and return their IDs.

        Number 42 is "Person 42" with the address ``person-42@example.com`` and the external ID ``ext-42``.
        """
        new = {"count": count, "tags": tags, "organization_ids": organization_ids}
        first, last = self.operate("zendesk/seed_users", **new)
        return range(first, last + 1)

    user = remote(Zendesk.user)
    organizations = remote(Zendesk.organizations)
    groups = remote(Zendesk.groups)
    segments = remote(Zendesk.segments)
    members = remote(Zendesk.members)
    member_emails = remote(Zendesk.member_emails)
    articles = remote(Zendesk.articles)
    topics = remote(Zendesk.topics)
    sections = remote(Zendesk.sections)
    jobs = remote(Zendesk.jobs)
    create_user = remote(Zendesk.create_user)
    change_user = remote(Zendesk.change_user)
    delete_user = remote(Zendesk.delete_user)
    create_organization = remote(Zendesk.create_organization)
    create_segment = remote(Zendesk.create_segment)
    change_segment = remote(Zendesk.change_segment)
    delete_segment = remote(Zendesk.delete_segment)
    create_article = remote(Zendesk.create_article)
    create_topic = remote(Zendesk.create_topic)
    restrict_article = remote(Zendesk.restrict_article)
    restrict_topic = remote(Zendesk.restrict_topic)
    restrict_section = remote(Zendesk.restrict_section)
