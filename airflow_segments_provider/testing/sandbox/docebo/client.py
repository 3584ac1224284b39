"""The control of a running sandbox, with Docebo's state."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_segments_provider.testing.sandbox.control_client import ControlClient, Setting, remote
from airflow_segments_provider.testing.sandbox.docebo.constants import PREFIX
from airflow_segments_provider.testing.sandbox.docebo.state import Docebo, Relation, UserRecord


class DoceboSandboxClient(ControlClient):
    """Configures a sandbox, makes calls fail, and returns and changes the state of its Docebo.

    A ``group`` is named by its uuid, else by its name; users by their numbers. Endpoints are "docebo.get_token",
    "docebo.list_groups", "docebo.get_group", "docebo.create_group", "docebo.update_group", "docebo.delete_group",
    "docebo.list_members", "docebo.add_members", "docebo.remove_members", "docebo.export_members",
    "docebo.list_conditions", "docebo.get_old_id", "docebo.get_new_id", "docebo.list_users", "docebo.list_jobs",
    "docebo.get_job", "docebo.list_services", "docebo.describe" and "docebo.other". The action of an addition is its
    form: "assign_users", "put_users" or "post_users".

    A few users and two groups exist at the start. Further users, and a group of them::

        ids = docebo_sandbox.seed_users(100)  # learner<number>@example.com
        ada = docebo_sandbox.add_user("ada", email="ada@example.com")
        docebo_sandbox.create_group("Partners", user_ids=[ada, *ids])

    :param url: the sandbox's own address, without a vendor's path
    """

    vendor = "docebo"
    client_id = Setting("client_id")
    client_secret = Setting("client_secret")
    username = Setting("username")
    password = Setting("password")

    @property
    def docebo_url(self) -> str:
        """Docebo's base URL, as a connection's host."""
        return self.url + PREFIX

    def users(self) -> list[UserRecord]:
        """Return all users in the order of their numbers."""
        return [UserRecord(**user) for user in self._pages("users", 0, lambda user: user["idst"])]

    def members(self, group: str, relation: Relation | None = None) -> set[int]:
        """Return the numbers of the true members.

        :param relation: only those put there ("manual"), or matched by rules ("automatic")
        """
        return set(self.iter_members(group, relation))

    def iter_members(self, group: str, relation: Relation | None = None) -> Iterator[int]:
        """Return the numbers of the true members one by one, in their order."""
        return self._pages("members", 0, int, group=group, relation=relation)

    branches = remote(Docebo.branches)
    groups = remote(Docebo.groups)
    member_count = remote(Docebo.member_count)
    jobs = remote(Docebo.jobs)
    seed_users = remote(Docebo.seed_users)
    add_user = remote(Docebo.add_user)
    change_user = remote(Docebo.change_user)
    delete_user = remote(Docebo.delete_user)
    create_group = remote(Docebo.create_group)
    delete_group = remote(Docebo.delete_group)
    add_members = remote(Docebo.add_members)
    remove_members = remote(Docebo.remove_members)
    set_public_key = remote(Docebo.set_public_key)
