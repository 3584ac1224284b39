"""WalkMe's target against the sandbox, over a socket."""

from __future__ import annotations

import pytest

from airflow_segments_provider.targets.walkme import WalkMeSegment
from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write

NAME = "People on trial"


class WalkMeFake(VendorFake):
    replaces = True

    def __init__(self, sandbox, connect):
        self.sandbox = sandbox
        self.connect = connect
        sandbox.create_segment(NAME)

    def open(self, limit):
        self.connect(users_per_request=limit)
        return WalkMeSegment(NAME).open()

    def users(self, count):
        return [f"p{number:03}" for number in range(count)]

    def members(self):
        return self.sandbox.members(NAME)

    def put(self, users):
        self.sandbox.add_members(NAME, users)

    def writes(self):
        kinds = {"override": "replace"}
        return [
            Write(kinds.get(call.action, call.action), call.user_ids) for call in self.sandbox.calls("walkme.update")
        ]

    def calls(self):
        return sum(calls for name, calls in self.sandbox.counts().items() if name != "walkme.token")

    def fail(self, how, times=1):
        kind = {"busy": ("status", {"status": 429}), "lost": ("lost", {})}[how]
        self.sandbox.fault("walkme.update", kind[0], times=times, **kind[1])

    def recover(self):
        self.sandbox.clear_faults()

    def refuse(self, users):
        self.sandbox.settings(refused_user_ids=users)

    def names(self):
        return {NAME, "walkme_default"}


class TestWalkMe(TargetConformance):
    @pytest.fixture
    def vendor(self, walkme_sandbox, connect):
        return WalkMeFake(walkme_sandbox, connect)
