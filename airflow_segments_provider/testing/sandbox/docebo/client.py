"""The control of a running sandbox, with Docebo's truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_segments_provider.testing.sandbox.control_client import ControlClient
from airflow_segments_provider.testing.sandbox.docebo.connection import docebo_connection
from airflow_segments_provider.testing.sandbox.docebo.constants import PREFIX
from airflow_segments_provider.testing.sandbox.docebo.records import (
    BranchRecord,
    GroupRecord,
    JobRecord,
    Relation,
    UserRecord,
)

_CHUNK = 100_000


class DoceboSandboxClient(ControlClient):
    """Sets a sandbox up, lets it fail, and tells what is true of Docebo in it.

    Wherever a ``group`` is asked for: its uuid, else its name. Users go by their number. Endpoints are
    "docebo.get_token", "docebo.list_groups", "docebo.get_group", "docebo.create_group", "docebo.update_group",
    "docebo.delete_group", "docebo.list_members", "docebo.add_members", "docebo.remove_members",
    "docebo.export_members", "docebo.list_conditions", "docebo.get_old_id", "docebo.get_new_id", "docebo.list_users",
    "docebo.list_jobs", "docebo.get_job", "docebo.list_services", "docebo.describe" and "docebo.other". The action of an
    addition is its form: "assign_users", "put_users" or "post_users".

    :param url: the sandbox's own address, without a vendor's path
    """

    vendor = "docebo"

    # What to connect to

    @property
    def docebo_url(self) -> str:
        """Docebo's base URL, as a connection's host."""
        return self.url + PREFIX

    @property
    def client_id(self) -> str:
        """The API app's id."""
        return str(self.settings()["client_id"])

    @property
    def client_secret(self) -> str:
        """The API app's secret."""
        return str(self.settings()["client_secret"])

    @property
    def username(self) -> str:
        """The administrator's username, for the password grant and as an assertion's subject."""
        return str(self.settings()["username"])

    @property
    def password(self) -> str:
        """The administrator's password."""
        return str(self.settings()["password"])

    def connection(self, **extra: object) -> dict[str, Any]:
        """Return the fields of an Airflow connection to Docebo.

        :param extra: fields of the connection's ``extra``
        """
        fields: dict[str, Any] = docebo_connection(self.url, self.client_id, self.client_secret)
        fields["extra"].update(extra)
        return fields

    def connection_json(self, **extra: object) -> str:
        """Return a value for ``AIRFLOW_CONN_DOCEBO_DEFAULT``."""
        return json.dumps(self.connection(**extra))

    # Docebo's truth

    def users(self) -> list[UserRecord]:
        """Return all users in the order of their numbers."""
        found: list[UserRecord] = []
        while page := self._call("GET", "/docebo/users", after=str(found[-1].idst if found else 0)):
            found += [UserRecord(**user) for user in page]
        return found

    def branches(self) -> list[BranchRecord]:
        """Return all branches; the root is the first."""
        return [BranchRecord(**branch) for branch in self._call("GET", "/docebo/branches")]

    def groups(self, deleted: bool = False) -> list[GroupRecord]:
        """Return the groups in the order of their creation.

        :param deleted: deleted ones too
        """
        found = [GroupRecord(**group) for group in self._call("GET", "/docebo/groups")]
        return [group for group in found if deleted or group.deleted_at is None]

    def members(self, group: str, relation: Relation | None = None) -> set[int]:
        """Return the numbers of the true members.

        :param relation: only those put there ("manual"), or brought by rules ("automatic")
        """
        return set(self.iter_members(group, relation))

    def iter_members(self, group: str, relation: Relation | None = None) -> Iterator[int]:
        """Return the numbers of the true members one by one, in their order."""
        query = {"group": group} | ({} if relation is None else {"relation": relation})
        after = 0
        while page := self._call("GET", "/docebo/members", after=str(after), **query)["members"]:
            yield from page
            after = page[-1]

    def member_count(self, group: str) -> int:
        """Return the number of true members."""
        return int(self._call("GET", "/docebo/members", group=group, limit="1")["count"])

    def jobs(self) -> list[JobRecord]:
        """Return all jobs of the background in the order of their creation."""
        return [JobRecord(**job) for job in self._call("GET", "/docebo/jobs")]

    # What others do to it

    def seed_users(self, count: int, branch: int | None = None) -> list[int]:
        """Add many invented users at once, and return their numbers; "learner<number>@example.com" is the username.

        Automatic groups have them after the recalculation's delay.

        :param branch: a branch's number; None for the root
        """
        made = self._call("POST", "/docebo/users/seed", {"count": count, "branch": branch})
        return list(range(made["first"], made["first"] + made["count"]))

    def add_user(self, userid: str, **fields: object) -> int:
        """Add a user by hand, and return the number; automatic groups have the user at once.

        :param fields: firstname, lastname, email, branch, active, level ("superadmin" or "user")
        """
        return int(self._call("POST", "/docebo/users", {"userid": userid, **fields})["idst"])

    def change_user(self, idst: int, *, active: bool | None = None, branch: int | None = None) -> None:
        """Activate or deactivate a user, or move the user to another branch."""
        self._call("PATCH", f"/docebo/users/{idst}", {"active": active, "branch": branch})

    def delete_user(self, idst: int) -> None:
        """Delete a user by hand."""
        self._call("DELETE", f"/docebo/users/{idst}")

    def create_group(
        self,
        name: str,
        description: str = "",
        user_ids: Iterable[int] = (),
        ruleset: Mapping[str, object] | None = None,
    ) -> str:
        """Create a group by hand, and return its uuid; one with a ruleset is automatic."""
        uuid = str(
            self._call("POST", "/docebo/groups", {"name": name, "description": description, "ruleset": ruleset})["uuid"]
        )
        self.add_members(uuid, user_ids)
        return uuid

    def delete_group(self, group: str) -> None:
        """Delete a group by hand."""
        self._call("DELETE", "/docebo/groups", group=group)

    def add_members(self, group: str, user_ids: Iterable[int]) -> None:
        """Add members by hand; as many as you like, at once."""
        self._change_members(group, "add", user_ids)

    def remove_members(self, group: str, user_ids: Iterable[int]) -> None:
        """Remove members by hand; as many as you like, at once."""
        self._change_members(group, "remove", user_ids)

    def set_public_key(self, pem: str) -> None:
        """Set the key whose owner signs assertions; PEM, and no certificate."""
        self._call("PUT", "/docebo/public_key", {"pem": pem})

    def expire_tokens(self) -> None:
        """Make every token issued so far invalid."""
        self._call("DELETE", "/docebo/tokens")

    def _change_members(self, group: str, action: str, user_ids: Iterable[int]) -> None:
        ids = list(user_ids)
        for start in range(0, len(ids), _CHUNK):
            change = {"group": group, "action": action, "user_ids": ids[start : start + _CHUNK]}
            self._call("POST", "/docebo/members", change)
