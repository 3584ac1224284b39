"""Recorded responses of Zendesk, and responses of unusual accounts, over a socket."""

from __future__ import annotations

import logging
import time

import pytest

from airflow_segments_provider.errors import PermissionDenied, UnexpectedReply
from tests import connections
from tests.cli.contract.relay import Relay
from tests.connections import zendesk_hook
from tests.hooks.test_zendesk import FARAH, HANA, NAME

JOB = "V3-b0b9a66a0cf48b92650ab84aad4e1a17"
RUBY = '{:allowed_parameters=>{:controller=>"user_segments", :unpermitted_keys=>[%s], :invalid_values=>[%s]}}'
JSON = '{"unpermitted_keys": [%s], "invalid_values": [%s]}'


connect = connections.zendesk


@pytest.fixture
def through(zendesk_sandbox, monkeypatch):
    """Return a relay to the sandbox, and a function that makes a hook on it."""
    with Relay(zendesk_sandbox.url).running() as relay:

        def connect(**extra):
            hook = zendesk_hook(zendesk_sandbox, monkeypatch, **extra)
            monkeypatch.setenv(
                "AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT",
                zendesk_sandbox.connection_json(**extra).replace(zendesk_sandbox.url, relay.url),
            )
            return hook

        yield relay, connect


ROWS = {
    "of tickets": ([{"index": n, "id": 4018 + n, "account_id": 18525119} for n in range(2)], {}),
    "of deletions": ({"success": True}, {}),
    "of users": ([{"id": 1, "action": "update", "success": True}, {"id": 2, "status": "Created"}], {}),
    "failed": ([{"index": 0, "id": 4018, "account_id": 7}, {"index": 1, "id": 5, "error": "OrganizationUpdateFailed",
                "details": "x"}], {"OrganizationUpdateFailed": 1}),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_the_results_of_every_kind_of_job_are_counted(through, kind):
    relay, connect = through
    results, failed = ROWS[kind]
    job = {"id": JOB, "job_type": "Bulk", "url": "x", "total": 2, "progress": 2, "status": "completed", "message": "m",
           "results": results}  # fmt: skip
    relay.serve("/zendesk/api/v2/job_statuses/show_many", {"job_statuses": [job]})
    shown = connect().get_job_status(JOB)
    assert (shown.success, shown.failed, shown.succeeded) == (not failed, failed, 2 - len(failed))


@pytest.mark.parametrize("at", ["begin", "look"])
def test_the_message_and_reasons_of_a_job_contain_neither_secret_nor_user(through, zendesk_sandbox, at):
    relay, connect = through
    secret = zendesk_sandbox.client_secret
    said = f"Failed at user {FARAH} or {HANA}: {secret.upper()}"
    rows = [{"id": FARAH, "error": f"User{HANA}"}, {"id": HANA, "error": "UserUpdateFailed"}]
    job = {"id": JOB, "total": 2, "status": "completed", "message": said, "results": rows}
    relay.serve("/zendesk/api/v2/job_statuses/show_many", {"job_statuses": [job]})
    relay.serve("/zendesk/api/v2/users/update_many", {"job_status": job})
    hook = connect()
    shown = hook.get_job_status(JOB) if at == "look" else hook.update_users([FARAH, HANA], {"tags": ["x"]}).jobs[0]
    assert shown.failed == {"failed": 1, "UserUpdateFailed": 1}
    assert shown.message
    assert not any(hidden in shown.model_dump_json().lower() for hidden in (str(FARAH), str(HANA), secret.lower()))


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("lifetime", [1800, None])
def test_a_token_without_a_lifetime_in_its_response_is_renewed_when_it_has_expired(
    connect, zendesk_sandbox, told, lifetime
):
    zendesk_sandbox.settings(default_expires_in=lifetime, expires_in_reply=told)
    hook = connect()
    assert hook.get_user_segments().segments
    zendesk_sandbox.advance(1801)
    zendesk_sandbox.expire_tokens()
    assert hook.get_user_segments().segments


def test_a_token_without_a_lifetime_is_renewed_within_half_an_hour(connect, zendesk_sandbox):
    zendesk_sandbox.settings(expires_in_reply=False)
    before = time.monotonic()
    assert connect().client.token().renew_at < before + 1800


@pytest.mark.parametrize("may_list", [None, True])
def test_an_agent_can_list_the_segments_of_a_user(connect, zendesk_sandbox, may_list):
    zendesk_sandbox.settings(
        client_user="bruno.lindqvist@example.com", **({} if may_list is None else {"agents_may_list": may_list})
    )
    hook = connect()
    listed = hook.get_user_segments(user_id=FARAH)
    assert listed.shared_only
    assert [one.built_in for one in listed.segments] == [True]
    if may_list:
        assert len(hook.get_user_segments().segments) == 2
        return
    with pytest.raises(PermissionDenied, match="An agent can only list the segments of one user"):
        hook.get_user_segments()


@pytest.mark.parametrize("name", ["Signed-in users", "Agents and managers"])
@pytest.mark.parametrize("filtered", [True, False])
def test_only_segments_that_say_so_are_built_in_whatever_their_name(through, zendesk_sandbox, name, filtered):
    relay, connect = through
    hook = connect()
    if not filtered:  # An account that ignores the filter.
        ask = relay.ask
        relay.ask = lambda method, path, *rest: ask(method, path.replace("built_in=false", ""), *rest)
    assert hook.find_user_segment(name) is None
    made = hook.create_user_segment(name, [FARAH])
    assert made.outcome == "created"
    assert hook.find_user_segment(name).user_segment_id == made.user_segment_id
    hook.add_users([HANA], name=name)
    assert zendesk_sandbox.segments()[0].added_user_ids == [FARAH, HANA]
    assert hook.delete_user_segment(name=name).outcome == "deleted"
    assert len(zendesk_sandbox.segments(built_in=True)) == 2


@pytest.mark.parametrize("form", [RUBY, JSON])
@pytest.mark.parametrize("dropped", [True, False])
def test_a_warning_of_dropped_fields_is_read_in_both_forms(connect, zendesk_sandbox, caplog, form, dropped):
    made = zendesk_sandbox.create_segment(NAME)
    named = ('"user_segment.or_tags", "user_segment.x\\"y"', '"z"') if dropped else ("", "")
    zendesk_sandbox.fault(
        "zendesk.update_segment", "status", status=200, times=2, headers={"x-zendesk-api-warn": form % named},
        body={"user_segment": {"id": made, "name": NAME, "user_type": "staff"}},
    )  # fmt: skip
    with caplog.at_level(logging.WARNING):
        connect(warnings_are_errors=False).update_user_segment(user_segment_id=made, or_tags=["x"])
    warnings = [record.getMessage() for record in caplog.records if "out only in part" in record.getMessage()]
    if not dropped:
        connect().update_user_segment(user_segment_id=made, or_tags=["x"])
        assert warnings == []
        return
    (warning,) = warnings
    assert "unpermitted_keys user_segment.or_tags, user_segment.x" in warning
    assert "invalid_values z" in warning
    with pytest.raises(UnexpectedReply, match=r"unpermitted_keys user_segment\.or_tags"):
        connect().update_user_segment(user_segment_id=made, or_tags=["x"])
