"""Alteryx Server's target against the sandbox, over a socket."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_segments_provider.targets.alteryx import AlteryxUserGroup
from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write
from tests import connections

NAME = "Users on trial"

connect = connections.alteryx


class AlteryxFake(VendorFake):
    pages = 5

    def __init__(self, sandbox, connect):
        self.sandbox = sandbox
        self.connect = connect
        self.group_id = sandbox.create_group(NAME)
        self.seeded = []

    def open(self, limit):
        self.connect(users_per_request=limit)
        target = AlteryxUserGroup(NAME).open()
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
        kinds = {"alteryx.add_users": "add", "alteryx.remove_user": "remove"}
        return [Write(kinds[call.endpoint], call.user_ids) for call in self.sandbox.calls() if call.endpoint in kinds]

    def calls(self):
        return sum(calls for name, calls in self.sandbox.counts().items() if name != "alteryx.token")

    def fail(self, how, times=1):
        kind = {"busy": ("status", {"status": 429}), "lost": ("lost", {})}[how]
        for endpoint in ("alteryx.add_users", "alteryx.remove_user"):
            self.sandbox.fault(endpoint, kind[0], times=times, **kind[1])

    def recover(self):
        self.sandbox.clear_faults()

    def refuse(self, users):
        for user in users:
            self.sandbox.delete_user(user)

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
