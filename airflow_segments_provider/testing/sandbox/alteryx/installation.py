"""One Alteryx Server: its settings and its state, and what every operation begins with."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.alteryx import access, ids
from airflow_segments_provider.testing.sandbox.alteryx.groups import GroupStore
from airflow_segments_provider.testing.sandbox.alteryx.problems import invalid, problem
from airflow_segments_provider.testing.sandbox.alteryx.records import GroupRecord
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.alteryx.shares import ShareStore
from airflow_segments_provider.testing.sandbox.alteryx.users import UserStore
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.messages import Call, Refused
from airflow_segments_provider.testing.sandbox.rate import RateWindow
from airflow_segments_provider.testing.sandbox.tokens import TokenStore


class Installation:
    """The stores of one server, and the doors to them."""

    def __init__(self, database: Database, clock: Clock, settings: AlteryxSettings) -> None:
        self._clock = clock
        self._first_settings = settings
        self.settings = settings
        self.users = UserStore(database, clock)
        self.groups = GroupStore(database, clock)
        self.shares = ShareStore(database, clock)
        self.tokens = TokenStore(database, clock, "alteryx")
        self._rate = RateWindow()

    def reset(self) -> None:
        """Return to the state and the settings of the start."""
        self.settings = self._first_settings
        self.users.clear()
        self.groups.clear()
        self.shares.clear()
        self.tokens.clear()
        self._rate.clear()

    def admit(self, call: Call) -> str:
        """Let a Curator's call through, and return the id of the caller; the rate is an assumption, and off."""
        access.demand_curator(call, self.tokens, self.settings)
        wait = self._rate.refuse(self._clock.now(), self.settings.rate_limit)
        if wait is not None:
            raise problem(429, "Too many requests.", {"retry-after": str(wait)})
        return self.caller_id()

    def caller_id(self) -> str:
        """Return the id of the user to whom the key pair belongs."""
        caller = self.users.caller()
        return caller.id if caller else ""

    def id_in_path(self, call: Call, name: str) -> str:
        """Return an id of the path, or refuse it; the status is an assumption."""
        found = ids.read(call.parameters[name])
        if found is None:
            raise invalid({f"{name}Id": ["The id must have 24 hexadecimal digits."]}, self.settings.malformed_id_status)
        return found

    def group(self, call: Call) -> GroupRecord:
        """Return the group that the path names, or refuse the call."""
        return self.known_group(self.id_in_path(call, "group"))

    def known_group(self, group_id: str) -> GroupRecord:
        """Return a group, or refuse the call."""
        group = self.groups.find(group_id)
        if group is None:
            raise self.unknown("user group")
        return group

    def unknown(self, what: str) -> Refused:
        """Return the refusal of an id that nothing has; the status is an assumption."""
        return problem(self.settings.unknown_id_status, f"There is no such {what}.")

    def delete_group(self, group_id: str) -> None:
        """Delete a group, its members and its shares."""
        self.groups.delete(group_id)
        self.shares.drop_group(group_id)

    def delete_user(self, user_id: str) -> None:
        """Delete a user, in every group too."""
        self.groups.leave_all(user_id)
        self.users.delete(user_id)
