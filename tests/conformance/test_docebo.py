"""Docebo's target against the sandbox, over a socket."""

from __future__ import annotations

import pytest

from airflow_segments_provider.targets.docebo import DoceboGroup
from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write
from airflow_segments_provider.testing.conformance.fake import WriteKind
from tests import connections

NAME = "Users on trial"
PAGE = 5
KINDS: dict[str, WriteKind] = {"docebo.add_members": "add", "docebo.remove_members": "remove"}

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
        return self.open_by("id", limit)

    def open_by(self, identity, limit):
        self.connect(users_per_request=limit, page_size=PAGE, rate_limit=None)
        return DoceboGroup(NAME, identity=identity).open()

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
        return [Write(KINDS[call.endpoint], call.user_ids) for call in self.sandbox.calls() if call.endpoint in KINDS]

    def calls(self):
        return sum(calls for name, calls in self.sandbox.counts().items() if name != "docebo.get_token")

    def fail(self, how, times=1):
        kind = {"busy": ("status", {"status": 429}), "lost": ("lost", {})}[how]
        for endpoint in KINDS:
            self.sandbox.fault(endpoint, kind[0], times=times, **kind[1])

    def recover(self):
        self.sandbox.clear_faults()
        self.sandbox.settings(hidden_members=(), lingering_members=())

    def refuse(self, users):
        self.sandbox.settings(unknown_ids="refuse")
        for user in users:
            self.sandbox.delete_user(int(user))

    def identities(self):
        return ("email", "username")

    def identity_of(self, identity, user):
        (found,) = [found for found in self.sandbox.users() if str(found.idst) == user]
        return found.email if identity == "email" else found.userid

    def share(self, identity, user):
        if identity == "username":
            return False
        self.sandbox.add_user(f"twin {len(self.sandbox.users())}", email=self.identity_of(identity, user))
        return True

    def ignore(self, users):
        for user in users:
            self.sandbox.delete_user(int(user))
        return True

    def hide(self, users):
        self.sandbox.settings(hidden_members=list(map(int, users)))
        return True

    def linger(self, users):
        self.sandbox.settings(lingering_members=list(map(int, users)))
        return True

    def names(self):
        return {NAME, "docebo_default"}


class TestDocebo(TargetConformance):
    @pytest.fixture
    def vendor(self, docebo_sandbox, connect):
        return DoceboFake(docebo_sandbox, connect)
