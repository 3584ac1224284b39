"""Docebo's target against the sandbox, over a socket."""

from __future__ import annotations

import pytest

from airflow_segments_provider.targets.docebo import DoceboGroup
from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write
from tests import connections

NAME = "Users on trial"
PAGE = 5

connect = connections.docebo


class DoceboFake(VendorFake):
    pages = PAGE

    def __init__(self, sandbox, connect):
        self.sandbox = sandbox
        self.connect = connect
        self.group_id = sandbox.create_group(NAME)
        self.seeded = []
        sandbox.settings(max_page_size=PAGE, page_size=PAGE, rate_limit=None)

    def open(self, limit):
        self.connect(users_per_request=limit, page_size=PAGE, rate_limit=None)
        return DoceboGroup(NAME).open()

    def users(self, count):
        if count > len(self.seeded):
            self.seeded += map(str, self.sandbox.seed_users(count - len(self.seeded)))
        return self.seeded[:count]

    def odd_users(self):
        return ()

    def members(self):
        return list(map(str, self.sandbox.members(self.group_id)))

    def put(self, users):
        self.sandbox.add_members(self.group_id, map(int, users))

    def writes(self):
        kinds = {"docebo.add_members": "add", "docebo.remove_members": "remove"}
        return [Write(kinds[call.endpoint], call.user_ids) for call in self.sandbox.calls() if call.endpoint in kinds]

    def calls(self):
        return sum(calls for name, calls in self.sandbox.counts().items() if name != "docebo.get_token")

    def fail(self, how, times=1):
        kind = {"busy": ("status", {"status": 429}), "lost": ("lost", {})}[how]
        for endpoint in ("docebo.add_members", "docebo.remove_members"):
            self.sandbox.fault(endpoint, kind[0], times=times, **kind[1])

    def recover(self):
        self.sandbox.clear_faults()

    def refuse(self, users):
        self.sandbox.settings(unknown_ids="refuse")
        for user in users:
            self.sandbox.delete_user(int(user))

    def names(self):
        return {NAME, "docebo_default"}


class TestDocebo(TargetConformance):
    @pytest.fixture
    def vendor(self, docebo_sandbox, connect):
        return DoceboFake(docebo_sandbox, connect)
