"""The segments of vendors that list members, in the sandbox, and the changes by hand in the model of :mod:`.listing`.

The engine's requests use a socket. Changes by hand are made directly in the sandbox's state in this process, which is
many times faster; no request is under way meanwhile.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from airflow_segments_provider.sync.target import Target
from airflow_segments_provider.targets.alteryx import AlteryxUserGroup
from airflow_segments_provider.targets.docebo import DoceboGroup
from airflow_segments_provider.targets.zendesk import NOBODYS_TAG, ZendeskUserSegment
from airflow_segments_provider.testing.sandbox.faults import FaultRule
from airflow_segments_provider.testing.sandbox.server import SandboxServer
from tests.masking import forget_secrets, forget_tokens

SEGMENT = "Users on trial"
Identity = Literal["id", "email"]


class Side(ABC):
    """One vendor's segment, and its users.

    :cvar faulty: The endpoints whose requests may fail; ``changing``: those of them that change members.
    :cvar unknown: An ID that no user has.
    :cvar reports: The response to an addition names unknown users; ``ignores``: unknown users are ignored.
    :cvar unlisted: The list of members has no IDs where the source has none.
    :cvar whole: A request writes the whole list, so a change by hand between its read and its write is lost.
    """

    vendor: ClassVar[str]
    variable: ClassVar[str]
    login: ClassVar[str] = "client_id"
    faulty: ClassVar[Sequence[str]]
    changing: ClassVar[Sequence[str]]
    unknown: ClassVar[str]
    whole: ClassVar[bool] = False
    unlisted: ClassVar[bool] = False
    reports: ClassVar[bool] = False
    ignores: ClassVar[bool] = False

    def __init__(self, server: SandboxServer, emails: Sequence[str], **fields: Any) -> None:
        self.sandbox = server.world
        self.sandbox.reset()
        # The model alone advances the time, so that a slow machine changes no schedule; `release` undoes this.
        self.time = time.time()
        self.sandbox.clock.now = lambda: self.time  # type: ignore[method-assign]
        forget_tokens()
        forget_secrets()
        self.state: Any = self.sandbox.vendors[self.vendor]
        self.state.configure(**{self.login: f"model-{uuid.uuid4().hex[:8]}"})
        connection = self.state.connection(server.url)
        connection["extra"] |= {"rate_limit": None, "max_concurrency": 1, **fields}
        os.environ[self.variable] = json.dumps(connection)
        self.ids = [self.create_user(email) for email in emails]
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Create the segment."""

    @abstractmethod
    def create_user(self, email: str) -> str: ...

    @abstractmethod
    def change_email(self, user: str, email: str) -> None: ...

    @abstractmethod
    def members(self) -> set[str]: ...

    @abstractmethod
    def put(self, user: str) -> None: ...

    @abstractmethod
    def drop(self, user: str) -> None: ...

    @abstractmethod
    def target(self, identity: Identity) -> Target: ...

    def configure(self, rng: Any) -> None:  # noqa: B027  # a vendor may have nothing to choose
        """Choose the vendor's behaviour at random."""

    def calm(self) -> None:
        """Let no request fail from now on."""
        self.sandbox.clear_faults()

    def advance(self, seconds: float) -> None:
        self.time += seconds
        self.sandbox.settle()
        self.state.settle()

    def fault(self, **rule: Any) -> None:
        self.sandbox.gateway.faults.add(FaultRule(**rule))

    @property
    def under_way(self) -> bool:
        """Return whether an earlier request may still be carried out."""
        return bool(self.sandbox.gateway.late._waiting)


class DoceboSide(Side):
    """A group; additions and removals may be background jobs, and unknown IDs are ignored.

    :ivar background: The probability of background jobs.
    """

    vendor, variable = "docebo", "AIRFLOW_CONN_DOCEBO_DEFAULT"
    faulty = ("add_members", "remove_members", "list_members", "export_members", "list_users")
    changing = ("add_members", "remove_members")
    unknown = "987654"
    unlisted = ignores = True
    background = 0.6

    def begin(self) -> None:
        self.state.configure(rate_limit=None)
        self.group = self.state.create_group(SEGMENT)

    def configure(self, rng: Any) -> None:
        if rng.random() < self.background:
            # At most the time after which requests of unknown outcome settle.
            delay = rng.choice([1, 9, 25, 200, 500])
            outcome = rng.choice(["completed", "completed", "aborted"])
            threshold = rng.choice([0, 0, 1])
            self.state.configure(background_threshold=threshold, background_delay=delay, background_outcome=outcome)

    def calm(self) -> None:
        super().calm()
        self.state.configure(background_threshold=500, background_outcome="completed")

    def create_user(self, email: str) -> str:
        return str(self.state.add_user(f"user-{email}", email=email))

    def change_email(self, user: str, email: str) -> None:
        self.state.user_table.change(self.state._user(int(user)), email=email)

    def members(self) -> set[str]:
        self.state.settle()
        return {str(user) for user in self.state.member_ids(self.state._group(self.group).idst)}

    def put(self, user: str) -> None:
        self.state.add_members(self.group, [int(user)])

    def drop(self, user: str) -> None:
        self.state.remove_members(self.group, [int(user)])

    def target(self, identity: Identity) -> Target:
        return DoceboGroup(group_id=self.group, identity=identity).open()

    @property
    def under_way(self) -> bool:
        return super().under_way or any(job.status == "running" for job in self.state.job_table.find())


class AlteryxSide(Side):
    """A user group; some users of an accepted request, also existing members, are reported as failures."""

    vendor, variable, login = "alteryx", "AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", "api_key"
    faulty = ("add_users", "remove_user", "get_group", "list_users")
    changing = ("add_users", "remove_user")
    unknown = "00000000000000000000abcd"
    reports = True

    def begin(self) -> None:
        self.group = self.state.create_group(SEGMENT)

    def configure(self, rng: Any) -> None:
        self.state.configure(existing_member=rng.choice(["reported", "silent", "counted"]))

    def create_user(self, email: str) -> str:
        return str(self.state.create_user(email))

    def change_email(self, user: str, email: str) -> None:
        self.state.user_table.change(self.state._user(user), email=email)

    def members(self) -> set[str]:
        return set(self.state.members(self.group))

    def put(self, user: str) -> None:
        self.state.add_members(self.group, [user])

    def drop(self, user: str) -> None:
        self.state.remove_members(self.group, [user])

    def target(self, identity: Identity) -> Target:
        return AlteryxUserGroup(user_group_id=self.group, identity=identity).open()


class ZendeskSide(Side):
    """The users added to a user segment, written as a whole list."""

    vendor, variable = "zendesk", "AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT"
    faulty = ("update_segment", "get_segment", "search_users")
    changing = ("update_segment",)
    unknown = "987654321"
    whole = True

    def begin(self) -> None:
        self.state.configure(rate_limit="none")
        self.segment = self.state.create_segment(SEGMENT, tags=[NOBODYS_TAG])

    def create_user(self, email: str) -> str:
        return str(self.state.create_user(email, email))

    def change_email(self, user: str, email: str) -> None:
        self.state.change_user(int(user), email=email)

    def members(self) -> set[str]:
        (segment,) = [one for one in self.state.segments() if one.id == self.segment]
        return {str(user) for user in segment.added_user_ids}

    def put(self, user: str) -> None:
        self._write(self.members() | {user})

    def drop(self, user: str) -> None:
        self._write(self.members() - {user})

    def _write(self, members: set[str]) -> None:
        self.state.change_segment(self.segment, added_user_ids=sorted(map(int, members)))

    def target(self, identity: Identity) -> Target:
        return ZendeskUserSegment(user_segment_id=self.segment, identity=identity).open()


def release(server: SandboxServer) -> None:
    """Restore the sandbox's own time, and empty it."""
    vars(server.world.clock).pop("now", None)
    server.world.reset()


SIDES: Sequence[type[Side]] = (DoceboSide, AlteryxSide, ZendeskSide)
