"""What becomes of every operation under every fault: success or the right error, its calls, the true members."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_segments_provider import errors
from airflow_segments_provider.errors import VendorError
from airflow_segments_provider.http import transport
from airflow_segments_provider.http.transport import Transport
from tests.faults.scene import NAME, OPERATIONS, PEOPLE, Operation, as_list, members, secrets_of, trace
from tests.faults.table import REFUSED, TABLE, Fault, Outcome

ROWS = [
    pytest.param(fault, name, cell, id=f"{fault.name}-{name}", marks=[pytest.mark.slow] if fault.slow else [])
    for fault in TABLE
    for name, cell in fault.cells.items()
]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of our own on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def strike(fault: Fault, operation: Operation, sandbox: Any, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Put the fault in force for the operation's endpoint."""
    if fault.name == "oversized":
        monkeypatch.setattr(transport, "MAX_BODY", 10_000)
    if fault.settings:
        sandbox.settings(**fault.settings)
    elif fault.kind == REFUSED:
        refuse(operation, fault.parameters.get("times", 1), monkeypatch, port)
    else:
        sandbox.fault(operation.endpoint, fault.kind, **fault.parameters)
    for other, kind, parameters in fault.others:
        sandbox.fault(other, kind, **parameters)


def refuse(operation: Operation, times: int | None, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Send the operation's calls to a port where nobody listens."""
    method = {"walkme.list": "GET", "walkme.update": "PUT", "walkme.delete": "DELETE"}.get(operation.endpoint, "POST")
    send, left = Transport.send, [times]

    def misled(self: Transport, call: Any, url: str, **request: Any) -> Any:
        is_token = call.path.endswith("/token")
        if call.method == method and is_token == (operation.endpoint == "walkme.token") and left[0] != 0:
            left[0] = left[0] and left[0] - 1
            url = f"http://127.0.0.1:{port}{call.path}"
        return send(self, call, url, **request)

    monkeypatch.setattr(Transport, "send", misled)


@pytest.mark.parametrize(("fault", "name", "cell"), ROWS)
def test_fault(fault, name, cell, walkme_sandbox, new_hook, masked, monkeypatch, closed_port, caplog):
    """Success or the right error, by the right calls; the true members; and a second run mends what failed."""
    caplog.set_level("DEBUG")
    sandbox, operation, expected = walkme_sandbox, OPERATIONS[name], Outcome.read(cell)
    guid = "00000000-0000-4000-8000-000000000000"
    if operation.before is not None:
        sandbox.create_segment("Another", "another", ["bystander"])
        guid = sandbox.create_segment(NAME, "ours", operation.before)
    hook = new_hook(users_per_request=operation.users_per_request, timeout=fault.timeout)
    with monkeypatch.context() as patch:
        strike(fault, operation, sandbox, patch, closed_port)
        error = error_of(lambda: operation.run(hook, guid))
    assert type(error) is expected.error
    assert trace(sandbox) == expected.calls
    wanted = [set()] if expected.emptied else as_list(operation.wanted)
    if error is None:
        assert members(sandbox) == wanted
    else:
        assert members(sandbox) == as_list(operation.first if expected.effect else operation.before)
        check_fields(error, fault, operation, sandbox, maybe_done=expected.maybe_done)
        mend(operation, sandbox, new_hook, guid)
    sandbox.advance(7200)  # what is done late is done now
    assert members(sandbox) == wanted
    assert hook.client._used_tokens <= set(masked)
    shown = caplog.text + "".join(traceback.format_exception(error))
    assert [secret for secret in secrets_of(sandbox, hook) if secret in shown] == []


def error_of(run: Callable[[], object]) -> VendorError | None:
    try:
        run()
    except VendorError as error:
        return error
    return None


def check_fields(error: VendorError, fault: Fault, operation: Operation, sandbox: Any, *, maybe_done: bool) -> None:
    """The message names vendor, method and path and nobody; the fields are what the vendor said."""
    at_fault = [call for call in sandbox.calls() if call.endpoint == operation.endpoint]
    assert (error.status, error.retry_after, error.maybe_done) == (fault.status, fault.retry_after, maybe_done)
    assert error.vendor == "WalkMe"
    if at_fault:
        assert (error.method, error.path) == (at_fault[-1].method, at_fault[-1].path)
    assert error.request_id == (at_fault[-1].request_id if error.status is not None else None)
    assert error.vendor in str(error)
    assert f"{error.method} {error.path}" in str(error)
    assert error.path


def mend(operation: Operation, sandbox: Any, new_hook: Any, guid: str) -> None:
    """Run the same again without faults, as Airflow's next try does; a delete may find its work done."""
    sandbox.clear_faults()
    sandbox.settings(refused_user_ids=[], echo_ids_in_errors=False)
    operation.run(new_hook(users_per_request=operation.users_per_request), guid)


def test_a_segment_that_was_never_there_is_not_reported_as_deleted(walkme_sandbox, new_hook):
    """A 404 after a 429 is no sign of an earlier try that did its work; after a lost answer it may be."""
    gone = walkme_sandbox.create_segment(NAME)
    walkme_sandbox.delete_segment(gone)
    walkme_sandbox.fault("walkme.delete", "status", status=429)
    assert new_hook().delete_segment(segment_guid=gone).outcome == "missing"
    walkme_sandbox.fault("walkme.delete", "status", status=429)
    with pytest.raises(errors.NotFound, match="if_missing"):
        new_hook().delete_segment(segment_guid=gone, if_missing="fail")

    walkme_sandbox.fault("walkme.delete", "lost")
    guid = walkme_sandbox.create_segment(NAME)
    assert new_hook().delete_segment(segment_guid=guid, if_missing="fail").outcome == "deleted"


def test_a_token_that_ends_during_a_run_is_renewed(walkme_sandbox, new_hook):
    hook = new_hook(users_per_request=2)
    guid = walkme_sandbox.create_segment(NAME)
    hook.add_users(PEOPLE, segment_guid=guid)
    walkme_sandbox.expire_tokens()
    hook.add_users(PEOPLE, segment_guid=guid)
    assert trace(walkme_sandbox) == "TAAA" + "ATAAA"


def test_a_message_counts_what_was_sent_before_it(walkme_sandbox, new_hook):
    """Who is on call learns how far it came, in numbers."""
    guid = walkme_sandbox.create_segment(NAME)
    walkme_sandbox.fault("walkme.update", "status", status=403, skip=1)
    with pytest.raises(errors.PermissionDenied, match=r"1 of 3 requests \(2 of 5 user ids\)"):
        new_hook(users_per_request=2).add_users(PEOPLE, segment_guid=guid)


def test_a_list_that_lags_behind_a_lost_create_makes_no_second_segment(walkme_sandbox, new_hook):
    """The external id makes WalkMe refuse the repeat; when the list has caught up, the next try finds the segment."""
    walkme_sandbox.settings(list_lag=60)
    walkme_sandbox.fault("walkme.create", "lost")
    with pytest.raises(errors.UnexpectedReply, match="is in use") as caught:
        new_hook(users_per_request=2).create_segment(NAME, PEOPLE)
    assert trace(walkme_sandbox) == "TLCLCLLL"
    assert caught.value.status == 409
    walkme_sandbox.advance(61)
    new_hook(users_per_request=2).create_segment(NAME, PEOPLE)
    assert members(walkme_sandbox) == [set(PEOPLE)]
