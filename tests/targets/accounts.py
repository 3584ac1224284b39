"""The account of each vendor in its sandbox: its users by their identity, and the members of one group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar

import pytest

from airflow_segments_provider.targets.alteryx import AlteryxUserGroup
from airflow_segments_provider.targets.base import Segment
from airflow_segments_provider.targets.docebo import DoceboGroup
from airflow_segments_provider.targets.zendesk import ZendeskUserSegment

NAME = "Trial users"
TAG = "follows_source"
# The number of groups in a new sandbox.
SEEDED = {"docebo": 2, "alteryx": 0}


class Account(ABC):
    """One vendor with one kind of identity.

    :ivar sandbox: The client of the vendor's sandbox.
    :ivar identity: The kind of identity in the source.
    :cvar lists: The vendor lists members.
    :cvar writes: The endpoints that change members.
    :cvar look_ups: The endpoints that look up users.
    """

    kind: ClassVar[str]
    vendor: ClassVar[str]
    lists: ClassVar[bool] = True
    writes: ClassVar[frozenset[str]]
    look_ups: ClassVar[frozenset[str]]

    def __init__(self, sandbox: Any, identity: str) -> None:
        self.sandbox, self.identity = sandbox, identity
        self._numbers = count(1)

    def value(self, name: str) -> str:
        """Return an identity of the account's kind."""
        return f"{name}@example.com" if self.identity == "email" else name

    def user(self, name: str = "", **fields: Any) -> User:
        """Create a user with the identity of this name, or with a new one; only an address has a domain."""
        value = self.value(name or f"user.{next(self._numbers)}")
        return User(self.create(value, **fields), value)

    def users(self, number: int) -> list[User]:
        """Create several users."""
        return [self.user() for _ in range(number)]

    def shared(self, user: User, value: str) -> str:
        """Return the text that identifies a user in a source: the ID, or the value of another identity."""
        return user.id if self.identity == "id" else value

    @abstractmethod
    def create(self, value: str, **fields: Any) -> str:
        """Create a user with that identity, and return the ID."""

    @abstractmethod
    def rename(self, user: str, value: str) -> None:
        """Give a user another identity."""

    @abstractmethod
    def deactivate(self, user: str) -> None:
        """Deactivate a user."""

    @abstractmethod
    def delete(self, user: str) -> None:
        """Delete a user."""

    @abstractmethod
    def members(self) -> set[str]:
        """Return the IDs of the true members."""

    @abstractmethod
    def put(self, users: Iterable[str]) -> None:
        """Add members by hand."""

    @abstractmethod
    def drop(self, users: Iterable[str]) -> None:
        """Remove members by hand."""

    @abstractmethod
    def make(self) -> str:
        """Create the group by hand, and return its ID."""

    @abstractmethod
    def groups(self) -> list[str]:
        """Return the names of the groups that were created."""

    @abstractmethod
    def target(self, **options: Any) -> Segment:
        """Return the target of a sync of the group."""

    @abstractmethod
    def personal(self) -> set[str]:
        """Return the IDs, addresses and names of all users, which must not be in a log."""


@dataclass(frozen=True)
class User:
    """A user: the vendor's ID, and the identity in a source."""

    id: str
    value: str


class Docebo(Account):
    """Docebo, by e-mail address, username or ID."""

    kind = vendor = "docebo"
    writes = frozenset({"docebo.add_members", "docebo.remove_members"})
    look_ups = frozenset({"docebo.list_users"})

    def create(self, value: str, **fields: Any) -> str:
        names = (
            {"userid": f"name {next(self._numbers)}", "email": value}
            if self.identity == "email"
            else {"userid": value, "email": f"other.{next(self._numbers)}@example.com"}
        )
        return str(self.sandbox.add_user(**names, **fields))

    def rename(self, user: str, value: str) -> None:
        self.sandbox.change_user(int(user), **{"email" if self.identity == "email" else "userid": value})

    def deactivate(self, user: str) -> None:
        self.sandbox.change_user(int(user), active=False)

    def delete(self, user: str) -> None:
        self.sandbox.delete_user(int(user))

    def members(self) -> set[str]:
        return set(map(str, self.sandbox.members(NAME)))

    def put(self, users: Iterable[str]) -> None:
        self.sandbox.add_members(NAME, list(map(int, users)))

    def drop(self, users: Iterable[str]) -> None:
        self.sandbox.remove_members(NAME, list(map(int, users)))

    def make(self) -> str:
        return str(self.sandbox.create_group(NAME))

    def groups(self) -> list[str]:
        return [group.name for group in self.sandbox.groups()][SEEDED[self.vendor] :]

    def target(self, **options: Any) -> Segment:
        return DoceboGroup(NAME, **{"create": True, "identity": self.identity, **options})

    def personal(self) -> set[str]:
        return {text for user in self.sandbox.users() for text in (str(user.idst), user.email, user.userid)}


class Alteryx(Account):
    """Alteryx Server, by e-mail address or ID."""

    kind = vendor = "alteryx"
    writes = frozenset({"alteryx.add_users", "alteryx.remove_user"})
    look_ups = frozenset({"alteryx.list_users", "alteryx.get_user"})

    def create(self, value: str, **fields: Any) -> str:
        return str(self.sandbox.create_user(value, **fields))

    def rename(self, user: str, value: str) -> None:
        self.sandbox.change_user(user, email=value)

    def deactivate(self, user: str) -> None:
        self.sandbox.deactivate_user(user)

    def delete(self, user: str) -> None:
        self.sandbox.delete_user(user)

    def members(self) -> set[str]:
        return set(self.sandbox.members(NAME))

    def put(self, users: Iterable[str]) -> None:
        self.sandbox.add_members(NAME, list(users))

    def drop(self, users: Iterable[str]) -> None:
        self.sandbox.remove_members(NAME, list(users))

    def make(self) -> str:
        return str(self.sandbox.create_group(NAME))

    def groups(self) -> list[str]:
        return [group.name for group in self.sandbox.groups()][SEEDED[self.vendor] :]

    def target(self, **options: Any) -> Segment:
        return AlteryxUserGroup(NAME, **{"create": True, "identity": self.identity, **options})

    def personal(self) -> set[str]:
        return {text for user in self.sandbox.users() for text in (user.id, user.email)}


class Zendesk(Account):
    """Zendesk, by e-mail address, external ID or ID, as the users added to a segment."""

    kind = vendor = "zendesk"
    writes = frozenset({"zendesk.update_segment"})
    look_ups = frozenset({"zendesk.list_users", "zendesk.search_users", "zendesk.show_users"})

    def create(self, value: str, **fields: Any) -> str:
        address = value if self.identity == "email" else f"other.{next(self._numbers)}@example.com"
        named = {"external_id": value} if self.identity == "external_id" else {}
        return str(self.sandbox.create_user("New", address, **named, **fields))

    def rename(self, user: str, value: str) -> None:
        self.sandbox.change_user(int(user), **{self.identity: value})

    def deactivate(self, user: str) -> None:
        self.sandbox.change_user(int(user), suspended=True)

    def delete(self, user: str) -> None:
        self.sandbox.delete_user(int(user))

    def members(self) -> set[str]:
        (segment,) = (segment for segment in self.sandbox.segments() if segment.name == NAME)
        return set(map(str, segment.added_user_ids))

    def _write(self, users: Iterable[str]) -> None:
        self.sandbox.change_segment(NAME, added_user_ids=sorted(map(int, users)))

    def put(self, users: Iterable[str]) -> None:
        self._write(self.members().union(users))

    def drop(self, users: Iterable[str]) -> None:
        self._write(self.members().difference(users))

    def make(self) -> str:
        return str(self.sandbox.create_segment(NAME, tags=["only_added_users"]))

    def groups(self) -> list[str]:
        return [segment.name for segment in self.sandbox.segments()]

    def target(self, **options: Any) -> Segment:
        return ZendeskUserSegment(NAME, **{"create": True, "identity": self.identity, **options})

    def personal(self) -> set[str]:
        users = self.sandbox.users()
        return {text for user in users for text in (str(user.id), user.email, user.external_id) if text}


class ZendeskTag(Zendesk):
    """Zendesk, by a tag on users; the users with the tag are not listed."""

    kind = "tag"
    lists = False
    writes = frozenset({"zendesk.add_user_tags", "zendesk.remove_user_tags"})

    def members(self) -> set[str]:
        return {str(user.id) for user in self.sandbox.users() if TAG in user.tags}

    def put(self, users: Iterable[str]) -> None:
        for user in map(int, users):
            self.sandbox.change_user(user, tags=[*self.sandbox.user(user).tags, TAG])

    def drop(self, users: Iterable[str]) -> None:
        for user in map(int, users):
            self.sandbox.change_user(user, tags=[tag for tag in self.sandbox.user(user).tags if tag != TAG])

    def make(self) -> str:
        return str(self.sandbox.create_segment(NAME, tags=[TAG]))

    def target(self, **options: Any) -> Segment:
        return super().target(via="tag", tag=TAG, **options)


ACCOUNTS: dict[str, type[Account]] = {"docebo": Docebo, "alteryx": Alteryx, "zendesk": Zendesk, "tag": ZendeskTag}
SANDBOXES = {"docebo": "docebo", "alteryx": "alteryx", "zendesk": "zendesk", "tag": "zendesk"}

# Each kind of account with each identity by which its users can be looked up, and with the vendor's IDs.
BY_EMAIL = [(kind, "email") for kind in ACCOUNTS]
# The code of other identities differs only in the search for a user, which tests of the hooks cover.
OTHERS = [
    pytest.param(account, marks=pytest.mark.slow) for account in (("docebo", "username"), ("zendesk", "external_id"))
]
IDENTIFIED = [*BY_EMAIL, *OTHERS]
BY_ID = [(kind, "id") for kind in ACCOUNTS]
