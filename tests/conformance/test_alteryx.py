"""Alteryx Server's target against the sandbox, over a socket."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_segments_provider.targets.alteryx import AlteryxUserGroup
from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write
from airflow_segments_provider.testing.conformance.fake import WriteKind
from tests import connections

NAME = "Users on trial"
KINDS: dict[str, WriteKind] = {"alteryx.add_users": "add", "alteryx.remove_user": "remove"}

connect = connections.alteryx


class AlteryxFake(VendorFake):
    pages = 5

    def __init__(self, sandbox, connect):
        self.sandbox = sandbox
        self.connect = connect
        self.group_id = sandbox.create_group(NAME)
        self.seeded = []

    def open(self, limit):
        return self.open_by("id", limit)

    def open_by(self, identity, limit):
        self.connect(users_per_request=limit)
        target = AlteryxUserGroup(NAME, identity=identity).open()
        target.limits = replace(target.limits, removes=limit)
        return target

    def users(self, count):
        if count > len(self.seeded):
            self.seeded += self.sandbox.seed_users(count - len(self.seeded))
        return self.seeded[:count]

    def odd_users(self):
        return ()

    def members(self):
        return self.sandbox.members(self.group_id)

    def put(self, users):
        self.sandbox.add_members(self.group_id, users)

    def writes(self):
        return [Write(KINDS[call.endpoint], call.user_ids) for call in self.sandbox.calls() if call.endpoint in KINDS]

    def calls(self):
        return sum(calls for name, calls in self.sandbox.counts().items() if name != "alteryx.token")

    def fail(self, how, times=1):
        kind = {"busy": ("status", {"status": 429}), "lost": ("lost", {})}[how]
        for endpoint in KINDS:
            self.sandbox.fault(endpoint, kind[0], times=times, **kind[1])

    def recover(self):
        self.sandbox.clear_faults()

    def refuse(self, users):
        for user in users:
            self.sandbox.delete_user(user)

    def identities(self):
        return ("email",)

    def identity_of(self, identity, user):
        return next(found.email for found in self.sandbox.users() if found.id == user)

    def share(self, identity, user):
        self.sandbox.create_user(self.identity_of(identity, user))
        return True

    def names(self):
        return {NAME, "alteryx_server_default"}


class TestAlteryx(TargetConformance):
    @pytest.fixture
    def vendor(self, alteryx_sandbox, connect):
        return AlteryxFake(alteryx_sandbox, connect)


class WholeRequestFake(AlteryxFake):
    def refuse(self, users):
        self.sandbox.settings(unknown_user="refuse")
        super().refuse(users)


class TestAlteryxThatRejectsWholeRequests(TargetConformance):
    @pytest.fixture
    def vendor(self, alteryx_sandbox, connect):
        return WholeRequestFake(alteryx_sandbox, connect)
