"""Progress of long operations of each kind; in these tests every step is long enough to be reported."""

from __future__ import annotations

import logging
import re

import pytest

from airflow_segments_provider import progress
from tests import connections

docebo, alteryx = connections.docebo, connections.alteryx


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)


def test_look_ups_and_removals_log_their_progress(alteryx, alteryx_sandbox, caplog):
    caplog.set_level(logging.INFO)
    hook, ids = alteryx(), alteryx_sandbox.seed_users(12)
    group = hook.create_user_group("Analysts", ids)
    emails = [user.email for user in alteryx_sandbox.users() if user.id in set(ids)]
    hook.remove_users(emails, user_group=group, identify_by="email")
    assert re.search(r"7 of 12 requests done, [\d,.]+ a (second|minute), about 0:\d\d:\d\d left\.", caplog.text)
    assert re.search(r"12 of 12 users looked up, ", caplog.text)
    assert re.search(r"5 of 12 users changed, .* left\.", caplog.text)
    assert not any(user in caplog.text for user in [*ids, *emails])


def test_a_list_of_several_pages_logs_its_progress(docebo, docebo_sandbox, caplog):
    caplog.set_level(logging.INFO)
    hook, users = docebo(page_size=5), docebo_sandbox.seed_users(12)
    group = hook.create_group("Partners", [str(user) for user in users])
    list(hook.get_members(group_id=group.group_id))
    assert re.search(r"2 pages read, [\d,.]+ a (second|minute)\.", caplog.text)
