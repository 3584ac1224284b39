"""The control of a running sandbox, with Alteryx Server's state."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.alteryx.constants import PREFIX
from airflow_segments_provider.testing.sandbox.alteryx.state import Alteryx
from airflow_segments_provider.testing.sandbox.control_client import ControlClient, Setting, remote


class AlteryxSandboxClient(ControlClient):
    """Configures a sandbox, makes calls fail, and returns and changes the state of its Alteryx Server.

    A ``group`` is named by its ID, else by its name. Endpoints are "alteryx.token", "alteryx.list_groups",
    "alteryx.get_group", "alteryx.create_group", "alteryx.update_group", "alteryx.delete_group", "alteryx.add_users",
    "alteryx.remove_user", "alteryx.add_ad_group", "alteryx.remove_ad_group", "alteryx.list_users", "alteryx.get_user",
    "alteryx.share", "alteryx.update_share", "alteryx.unshare", "alteryx.describe" and "alteryx.other". The action of a
    call about shares is "collection", "credential" or "connection".

    A few users exist at the start, and no groups. Further users, and a group of them::

        ids = alteryx_sandbox.seed_users(100)  # user<number>@example.com
        ada = alteryx_sandbox.create_user("ada@example.com")
        group = alteryx_sandbox.create_group("Analysts")
        alteryx_sandbox.add_members(group, [ada, *ids])

    :param url: the sandbox's own address, without a vendor's path
    """

    vendor = "alteryx"
    api_key = Setting("api_key")
    api_secret = Setting("api_secret")

    @property
    def base_url(self) -> str:
        """The web API's address, sub-path included, as a connection's host."""
        return self.url + PREFIX

    def user_id(self, email: str) -> str:
        """Return the ID of the first user with exactly this address."""
        return next(user.id for user in self.users() if user.email == email)

    def create_collection(self, name: str) -> str:
        """Create a collection by hand, and return its ID."""
        return self.create_object("collection", name)

    def create_credential(self, name: str) -> str:
        """Create a credential by hand, and return its ID."""
        return self.create_object("credential", name)

    def create_data_connection(self, name: str) -> str:
        """Create a server data connection by hand, and return its ID."""
        return self.create_object("connection", name)

    users = remote(Alteryx.users)
    groups = remote(Alteryx.groups)
    members = remote(Alteryx.members)
    ad_groups = remote(Alteryx.ad_groups)
    shares = remote(Alteryx.shares)
    seed_users = remote(Alteryx.seed_users)
    create_user = remote(Alteryx.create_user)
    change_user = remote(Alteryx.change_user)
    deactivate_user = remote(Alteryx.deactivate_user)
    delete_user = remote(Alteryx.delete_user)
    create_group = remote(Alteryx.create_group)
    delete_group = remote(Alteryx.delete_group)
    add_members = remote(Alteryx.add_members)
    remove_members = remote(Alteryx.remove_members)
    create_object = remote(Alteryx.create_object)
    share = remote(Alteryx.share)
    unshare = remote(Alteryx.unshare)
