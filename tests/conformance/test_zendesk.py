"""Zendesk's targets against the sandbox, over a socket: the users added to a segment, and those with a tag."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from airflow_segments_provider.targets.zendesk import ZendeskUserSegment
from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write
from airflow_segments_provider.testing.conformance.fake import WriteKind
from tests import connections

NAME = "Users on trial"
NOBODYS, TAG = "nobodys_tag", "on_trial"

connect = connections.zendesk


class ZendeskFake(VendorFake):
    pages = 5
    tags = (NOBODYS,)
    kinds: ClassVar[dict[str, WriteKind]] = {"zendesk.update_segment": "list"}

    def __init__(self, sandbox, connect):
        self.sandbox = sandbox
        self.connect = connect
        self.segment_id = sandbox.create_segment(NAME, tags=self.tags)
        self.seeded = []
        sandbox.settings(rate_limit="none", user_updates_per_minute=None, user_updates_per_second=None)

    def segment(self, identity):
        return ZendeskUserSegment(NAME, identity=identity)

    def open(self, limit):
        return self.open_by("id", limit)

    def open_by(self, identity, limit):
        self.connect(rate_limit=None)
        target = self.segment(identity).open()
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
        calls = self.sandbox.calls()
        return [Write(self.kinds[call.endpoint], call.user_ids or 0) for call in calls if call.endpoint in self.kinds]

    def calls(self):
        return sum(calls for name, calls in self.sandbox.counts().items() if name != "zendesk.create_token")

    def fail(self, how, times=1):
        kind = {"busy": ("status", {"status": 429}), "lost": ("lost", {})}[how]
        for endpoint in self.kinds:
            self.sandbox.fault(endpoint, kind[0], times=times, **kind[1])

    def recover(self):
        self.sandbox.clear_faults()

    def refuse(self, users):
        self.sandbox.settings(strict_ids=True)
        for user in users:
            self.sandbox.delete_user(user)

    def identities(self):
        return ("email", "external_id")

    def identity_of(self, identity, user):
        return getattr(self.sandbox.user(user), identity)

    def share(self, identity, user):
        if identity == "email":
            return False
        twin = f"twin-{len(self.sandbox.users())}"
        self.sandbox.create_user(twin, f"{twin}@example.com", external_id=self.identity_of(identity, user))
        return True

    def names(self):
        return {NAME, "zendesk_help_center_default"}


class TestZendesk(TargetConformance):
    @pytest.fixture
    def vendor(self, zendesk_sandbox, connect):
        return ZendeskFake(zendesk_sandbox, connect)


class TagFake(ZendeskFake):
    """Users with a tag are not listed."""

    pages = 0
    tags = (TAG,)
    kinds: ClassVar[dict[str, WriteKind]] = {"zendesk.add_user_tags": "add", "zendesk.remove_user_tags": "remove"}

    def segment(self, identity):
        return ZendeskUserSegment(NAME, via="tag", tag=TAG, identity=identity)

    def members(self):
        return [str(user.id) for user in self.sandbox.users() if TAG in user.tags]

    def put(self, users):
        for user in users:
            self.sandbox.change_user(user, tags=[TAG])

    def writes(self):
        return [replace(write, users=1) for write in super().writes()]


class TestZendeskTag(TargetConformance):
    @pytest.fixture
    def vendor(self, zendesk_sandbox, connect):
        return TagFake(zendesk_sandbox, connect)
