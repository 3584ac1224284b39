"""The control of a running sandbox, with Alteryx Server's truth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from airflow_segments_provider.testing.sandbox.alteryx.connection import alteryx_connection
from airflow_segments_provider.testing.sandbox.alteryx.constants import PREFIX, Kind
from airflow_segments_provider.testing.sandbox.alteryx.records import GroupRecord, ShareRecord, UserRecord
from airflow_segments_provider.testing.sandbox.control_client import ControlClient


class AlteryxSandboxClient(ControlClient):
    """Sets a sandbox up, lets it fail, and tells what is true of Alteryx Server in it.

    Wherever a ``group`` is asked for: its id, else its name. Endpoints are "alteryx.token", "alteryx.list_groups",
    "alteryx.get_group", "alteryx.create_group", "alteryx.update_group", "alteryx.delete_group", "alteryx.add_users",
    "alteryx.remove_user", "alteryx.add_ad_group", "alteryx.remove_ad_group", "alteryx.list_users", "alteryx.get_user",
    "alteryx.share", "alteryx.update_share", "alteryx.unshare", "alteryx.describe" and "alteryx.other". The action of a
    call about shares is "collection", "credential" or "connection".

    :param url: the sandbox's own address, without a vendor's path
    """

    vendor = "alteryx"

    # What to connect to

    @property
    def base_url(self) -> str:
        """The web API's address, sub-path included, as a connection's host."""
        return self.url + PREFIX

    @property
    def api_key(self) -> str:
        """The API access key."""
        return str(self.settings()["api_key"])

    @property
    def api_secret(self) -> str:
        """The API access secret."""
        return str(self.settings()["api_secret"])

    def connection(self, **extra: object) -> dict[str, Any]:
        """Return the fields of an Airflow connection to Alteryx Server.

        :param extra: more fields of the connection's ``extra``
        """
        fields: dict[str, Any] = alteryx_connection(self.url, self.api_key, self.api_secret)
        fields["extra"].update(extra)
        return fields

    def connection_json(self, **extra: object) -> str:
        """Return a value for ``AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT``."""
        return json.dumps(self.connection(**extra))

    # Alteryx Server's truth

    def users(self) -> list[UserRecord]:
        """Return all users in the order of their creation; the first is the caller, a handful is always there."""
        return [UserRecord(**user) for user in self._call("GET", "/alteryx/users")]

    def user_id(self, email: str) -> str:
        """Return the id of the first user with exactly this address."""
        return next(user.id for user in self.users() if user.email == email)

    def groups(self) -> list[GroupRecord]:
        """Return the groups in the order of their creation."""
        return [GroupRecord(**group) for group in self._call("GET", "/alteryx/groups")]

    def members(self, group: str) -> set[str]:
        """Return the ids of the users in a group."""
        return set(self._call("GET", "/alteryx/members", group=group)["users"])

    def ad_groups(self, group: str) -> set[str]:
        """Return the SIDs of the Active Directory groups in a group."""
        return set(self._call("GET", "/alteryx/members", group=group)["ad_groups"])

    def shares(self, group: str | None = None) -> list[ShareRecord]:
        """Return what groups may use, in the order in which it was shared.

        :param group: None for those of all groups
        """
        query = {} if group is None else {"group": group}
        return [ShareRecord(**share) for share in self._call("GET", "/alteryx/shares", **query)]

    # What others do to it

    def seed_users(self, count: int) -> list[str]:
        """Add users named user000007@example.com and so on, and return their ids."""
        found: list[str] = self._call("POST", "/alteryx/users/seed", {"count": count})
        return found

    def create_user(self, email: str, **fields: object) -> str:
        """Add a user by hand, and return the id.

        :param fields: first_name, last_name, role, is_active
        """
        return str(self._call("POST", "/alteryx/users", {"email": email, **fields})["id"])

    def deactivate_user(self, user_id: str) -> None:
        """Make a user inactive by hand, who leaves every group by that."""
        self._call("POST", f"/alteryx/users/{user_id}/deactivate")

    def delete_user(self, user_id: str) -> None:
        """Delete a user by hand, in every group too."""
        self._call("DELETE", f"/alteryx/users/{user_id}")

    def create_group(self, name: str, role: str = "Evaluated", user_ids: Iterable[str] = ()) -> str:
        """Create a group by hand, and return its id."""
        group_id = str(self._call("POST", "/alteryx/groups", {"name": name, "role": role})["id"])
        self.add_members(group_id, user_ids)
        return group_id

    def delete_group(self, group: str) -> None:
        """Delete a group by hand, whatever is in it."""
        self._call("DELETE", "/alteryx/groups", group=group)

    def add_members(self, group: str, user_ids: Iterable[str]) -> None:
        """Add users to a group by hand."""
        self._change_members(group, "add", user_ids)

    def remove_members(self, group: str, user_ids: Iterable[str]) -> None:
        """Remove users from a group by hand."""
        self._change_members(group, "remove", user_ids)

    def create_collection(self, name: str) -> str:
        """Create a collection by hand, and return its id."""
        return self._create_object("collection", name)

    def create_credential(self, name: str) -> str:
        """Create a credential by hand, and return its id."""
        return self._create_object("credential", name)

    def create_data_connection(self, name: str) -> str:
        """Create a server data connection by hand, and return its id."""
        return self._create_object("connection", name)

    def share(self, object_id: str, group: str) -> None:
        """Let a group use a collection, credential or data connection, by hand."""
        self._call("POST", "/alteryx/shares", {"object_id": object_id, "group": group})

    def unshare(self, object_id: str, group: str) -> None:
        """Take a collection, credential or data connection from a group, by hand."""
        self._call("DELETE", "/alteryx/shares", object_id=object_id, group=group)

    def expire_tokens(self) -> None:
        """Make every token issued so far invalid."""
        self._call("DELETE", "/alteryx/tokens")

    def _create_object(self, kind: Kind, name: str) -> str:
        return str(self._call("POST", "/alteryx/objects", {"kind": kind, "name": name})["id"])

    def _change_members(self, group: str, action: str, user_ids: Iterable[str]) -> None:
        self._call("POST", "/alteryx/members", {"group": group, "action": action, "user_ids": list(user_ids)})
