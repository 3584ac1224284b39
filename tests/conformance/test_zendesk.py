"""Zendesk's targets against the sandbox, over a socket: the users added to a segment, and those with a tag."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_segments_provider.targets.zendesk import ZendeskUserSegment
from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write
from tests import connections

NAME = "Users on trial"
NOBODYS, TAG = "nobodys_tag", "on_trial"

connect = connections.zendesk


class ZendeskFake(VendorFake):
    pages = 5
    tags = (NOBODYS,)
    endpoints = ("zendesk.update_segment",)

    def __init__(self, sandbox, connect):
        self.sandbox = sandbox
        self.connect = connect
        self.segment_id = sandbox.create_segment(NAME, tags=self.tags)
        self.seeded = []
        sandbox.settings(rate_limit="none", user_updates_per_minute=None, user_updates_per_second=None)

    def segment(self):
        return ZendeskUserSegment(NAME)

    def open(self, limit):
        self.connect(rate_limit=None)
        target = self.segment().open()
        target.limits = replace(target.limits, adds=limit, removes=limit)
        return target

    def users(self, count):
        if count > len(self.seeded):
            self.seeded += map(str, self.sandbox.seed_users(count - len(self.seeded)))
        return self.seeded[:count]

    def odd_users(self):
        return ()

    def members(self):
        return list(map(str, self.sandbox.segments()[0].added_user_ids))

    def put(self, users):
        added = {*self.members(), *users}
        self.sandbox.change_segment(self.segment_id, added_user_ids=sorted(map(int, added)))

    def writes(self):
        return [Write("list", call.user_ids) for call in self.sandbox.calls("zendesk.update_segment")]

    def calls(self):
        return sum(calls for name, calls in self.sandbox.counts().items() if name != "zendesk.create_token")

    def fail(self, how, times=1):
        kind = {"busy": ("status", {"status": 429}), "lost": ("lost", {})}[how]
        for endpoint in self.endpoints:
            self.sandbox.fault(endpoint, kind[0], times=times, **kind[1])

    def recover(self):
        self.sandbox.clear_faults()

    def refuse(self, users):
        self.sandbox.settings(strict_ids=True)
        for user in users:
            self.sandbox.delete_user(user)

    def names(self):
        return {NAME, "zendesk_help_center_default"}


class TestZendesk(TargetConformance):
    @pytest.fixture
    def vendor(self, zendesk_sandbox, connect):
        return ZendeskFake(zendesk_sandbox, connect)


class TagFake(ZendeskFake):
    """A tag is not listed."""

    pages = 0
    tags = (TAG,)
    endpoints = ("zendesk.add_user_tags", "zendesk.remove_user_tags")

    def segment(self):
        return ZendeskUserSegment(NAME, via="tag", tag=TAG)

    def members(self):
        return [str(user.id) for user in self.sandbox.users() if TAG in user.tags]

    def put(self, users):
        for user in users:
            self.sandbox.change_user(user, tags=[TAG])

    def writes(self):
        kinds = dict(zip(self.endpoints, ("add", "remove"), strict=True))
        return [Write(kinds[call.endpoint], 1) for call in self.sandbox.calls() if call.endpoint in kinds]


class TestZendeskTag(TargetConformance):
    @pytest.fixture
    def vendor(self, zendesk_sandbox, connect):
        return TagFake(zendesk_sandbox, connect)
