"""The operations on user groups."""

from __future__ import annotations

import json

from airflow_segments_provider.testing.sandbox.alteryx import bodies, ids, views
from airflow_segments_provider.testing.sandbox.alteryx.installation import Installation
from airflow_segments_provider.testing.sandbox.alteryx.problems import problem
from airflow_segments_provider.testing.sandbox.alteryx.queries import read_flag
from airflow_segments_provider.testing.sandbox.alteryx.records import GroupRecord
from airflow_segments_provider.testing.sandbox.messages import Call, Reply, json_reply


class GroupCalls:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, installation: Installation) -> None:
        self._home = installation

    def list(self, call: Call) -> Reply:
        """List all custom groups."""
        self._home.admit(call)
        return json_reply(200, [views.reduced_group(group) for group in self._home.groups.all()])

    def get(self, call: Call) -> Reply:
        """Show a group with its members."""
        self._home.admit(call)
        return self._view(self._home.group(call))

    def create(self, call: Call) -> Reply:
        """Create a group; the answer is its id alone. The status and the lack of quotes in ``raw`` are assumptions."""
        self._home.admit(call)
        settings = self._home.settings
        contract = bodies.read_group(call, settings)
        self._demand_free_name(contract.name)
        group_id = self._home.groups.create(contract.name, contract.role)
        if settings.create_reply == "raw":
            return Reply(settings.create_status, group_id.encode(), "text/plain; charset=utf-8")
        return json_reply(settings.create_status, group_id)

    def update(self, call: Call) -> Reply:
        """Give a group another name and role; the answer has no body."""
        self._home.admit(call)
        group = self._home.group(call)
        contract = bodies.read_group(call, self._home.settings)
        self._demand_free_name(contract.name, but_for=group)
        self._home.groups.update(group.id, contract.name, contract.role)
        return Reply(200)

    def delete(self, call: Call) -> Reply:
        """Delete a group; one with members only by force. That AD groups count as members is an assumption."""
        self._home.admit(call)
        group = self._home.group(call)
        if not read_flag(call, "forceDelete") and (group.users or group.ad_groups):
            raise problem(400, "The user group is not empty.")
        self._home.delete_group(group.id)
        return Reply(200)

    def add_users(self, call: Call) -> Reply:
        """Add users; those who cannot be added are told in a success.

        An id given twice counts twice as submitted and once as added, and is no failure: an assumption.
        """
        caller_id = self._home.admit(call)
        group, settings = self._home.group(call), self._home.settings
        submitted = bodies.read_user_ids(call, settings)
        wanted = {text: ids.read(text) for text in submitted}
        user_ids = dict.fromkeys(found for found in wanted.values() if found is not None)
        known = self._home.users.known(user_ids)
        there = self._home.groups.members_among(group.id, user_ids)
        failures: dict[str, str] = {}
        for text, user_id in wanted.items():
            if user_id is None or user_id not in known:
                failures[text] = "There is no such user."
            elif user_id in there and settings.existing_member == "reported":
                failures[text] = "The user is a member already."
        if settings.unknown_user == "refuse" and any(user_id not in known for user_id in user_ids):
            raise problem(400, "There is no such user.")
        new = [user_id for user_id in user_ids if user_id in known and user_id not in there]
        self._home.groups.add(group.id, new, caller_id)
        added = len(new) + (len(there) if settings.existing_member == "counted" else 0)
        return json_reply(200, views.added_users(added, len(submitted), failures, settings.no_failures_as))

    def remove_user(self, call: Call) -> Reply:
        """Remove a user, who need not be a member; that the user need not exist either is an assumption."""
        self._home.admit(call)
        group = self._home.group(call)
        self._home.groups.remove(group.id, [self._home.id_in_path(call, "user")])
        return self._view(self._home.known_group(group.id))

    def add_ad_group(self, call: Call) -> Reply:
        """Add an Active Directory group; that adding it again is a success is an assumption."""
        self._admit_to_directory(call)
        group = self._home.group(call)
        self._home.groups.add_ad_group(group.id, bodies.read_sid(call))
        return Reply(200)

    def remove_ad_group(self, call: Call) -> Reply:
        """Remove an Active Directory group, which need not be a member: an assumption."""
        self._admit_to_directory(call)
        self._home.groups.remove_ad_group(self._home.group(call).id, call.parameters["sid"])
        return Reply(200)

    def _admit_to_directory(self, call: Call) -> None:
        self._home.admit(call)
        if not self._home.settings.windows_authentication:
            raise problem(400, "The server does not use Windows authentication.")

    def _demand_free_name(self, name: str, but_for: GroupRecord | None = None) -> None:
        others = [group for group in self._home.groups.named(name) if but_for is None or group.id != but_for.id]
        if others and self._home.settings.duplicate_names == "refuse":
            raise problem(400, f"There is a user group named {json.dumps(name, ensure_ascii=False)}.")

    def _view(self, group: GroupRecord) -> Reply:
        home = self._home
        members, sids = home.groups.members(group.id), home.groups.ad_groups(group.id)
        shares, windows = home.shares.of_group(group.id), home.settings.windows_authentication
        return json_reply(200, views.full_group(group, members, sids, shares, windows))
