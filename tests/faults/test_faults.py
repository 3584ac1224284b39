"""The outcome of every operation under every fault: success or the right error, its requests, the true members."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_segments_provider.errors import VendorError
from airflow_segments_provider.http import transport
from airflow_segments_provider.http.transport import Transport
from tests.faults.scene import Operation, Scene, as_list
from tests.faults.table import REFUSED, TABLE, Fault, Outcome
from tests.faults.vendors import SCENES


def rows() -> Iterator[Any]:
    for scene in SCENES:
        for fault in TABLE:
            yield from shared(scene, fault)
        for fault in scene.rows:
            for name, cell in fault.cells.items():
                yield row(scene, fault, name, cell)


def shared(scene: type[Scene], fault: Fault) -> Iterator[Any]:
    """Yield a row of the common table for one vendor."""
    brief = fault.brief and scene is not SCENES[0]
    had = {"token", "read"} if brief else set()
    for name, operation in scene.operations.items():
        cell = fault.cells.get(f"{operation.role} {operation.answer}", fault.cells.get(operation.role))
        cell = scene.cells.get((fault.name, name), cell)
        if cell is not None and not (brief and operation.role in had):
            had.add(operation.role)
            yield row(scene, fault, name, cell)


def row(scene: type[Scene], fault: Fault, name: str, cell: str) -> Any:
    marks = [pytest.mark.slow] if fault.slow else []
    return pytest.param(scene, fault, name, cell, id=f"{scene.vendor}-{name}-{fault.name}", marks=marks)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def strike(fault: Fault, operation: Operation, scene: Scene, patch: pytest.MonkeyPatch, port: int) -> None:
    """Set the fault for the operation's endpoint."""
    if fault.name == "oversized":
        patch.setattr(transport, "MAX_BODY", 10_000)
    if fault.strike is not None:
        fault.strike(scene)
    if fault.kind == REFUSED:
        refuse(scene.struck(operation), fault.parameters.get("times", 1), patch, port)
    elif fault.kind:
        scene.sandbox.fault(operation.endpoint, fault.kind, **fault.parameters)
    for other, kind, parameters in fault.others:
        of_list = scene.operations["list"]
        skip = operation.healthy[: scene.struck(operation)].count(of_list.healthy[scene.struck(of_list)])
        scene.sandbox.fault(of_list.endpoint if other == "list" else other, kind, **{"skip": skip, **parameters})


def refuse(at: int, times: int | None, patch: pytest.MonkeyPatch, port: int) -> None:
    """Let the host refuse the connection of the request at this place: once, or from then on."""
    send, sent = Transport.send, [0]

    def misled(self: Transport, call: Any, url: str, **request: Any) -> Any:
        place, sent[0] = sent[0], sent[0] + 1
        if place == at or (place > at and times is None):
            url = f"http://127.0.0.1:{port}{call.path}"
        return send(self, call, url, **request)

    patch.setattr(Transport, "send", misled)


@pytest.mark.parametrize(("scene", "fault", "name", "cell"), list(rows()), indirect=["scene"])
def test_each_operation_under_each_fault_ends_with_the_expected_outcome(
    scene, fault, name, cell, new_hook, masked, monkeypatch, closed_port, caplog
):
    """The error is the right one after the right requests; the members are right; a second run repairs what failed."""
    caplog.set_level("DEBUG")
    operation = scene.operations[name]
    expected = Outcome.read(cell, operation, type(scene))
    key = scene.put_before(operation)
    hook = new_hook(timeout=fault.timeout, **operation.extra)
    settings = scene.sandbox.settings() if fault.strike else {}
    result = None
    with monkeypatch.context() as patch:
        strike(fault, operation, scene, patch, closed_port)
        try:
            result, error = operation.run(hook, key, scene.people("12345")), None
        except VendorError as raised:
            error = raised
    assert (type(error), scene.trace()) == (expected.error, expected.calls), error
    wanted = [""] if "emptied" in expected.words else as_list(operation.wanted)
    if error is None:
        assert scene.members(operation) == wanted
        assert operation.right(result)
    else:
        assert scene.members(operation) == as_list(operation.first if "effect" in expected.words else operation.before)
        check_fields(error, fault, operation, scene, maybe_done="maybe" in expected.words)
        scene.sandbox.clear_faults()
        if settings:
            scene.sandbox.settings(**settings)
        operation.run(new_hook(**operation.extra), key, scene.people("12345"))  # as Airflow's next try does
        assert scene.members(operation) == wanted
    if fault.kind == "late":
        scene.sandbox.advance(7200)
        late = as_list(operation.first) if "twins" in expected.words else []
        assert sorted(scene.members(operation)) == sorted(wanted + late)
    assert hook.client._used_tokens <= set(masked)
    told = "".join(traceback.format_exception(error))
    assert scene.users_in(told + logged(caplog, but="urllib3")) == []
    assert scene.credentials_in(told + logged(caplog), hook.client._used_tokens) == []


def logged(caplog: pytest.LogCaptureFixture, but: str = " ") -> str:
    """Return what was logged, without the tests' own requests to the sandbox and the loggers whose name begins so."""
    lines = [caplog.handler.format(record) for record in caplog.records if not record.name.startswith(but)]
    return "\n".join(line for line in lines if "/_sandbox/" not in line)


def check_fields(error: VendorError, fault: Fault, operation: Operation, scene: Scene, *, maybe_done: bool) -> None:
    """Check that the message has vendor, connection, method and path and no user, and check the fields."""
    assert (error.retry_after, error.maybe_done) == (fault.retry_after, maybe_done)
    assert error.vendor == scene.vendor
    assert error.vendor in str(error)
    assert "'faults'" in str(error)
    assert f"{error.method} {error.path}" in str(error)
    struck = [call for call in scene.sandbox.calls() if call.endpoint == operation.endpoint]
    said = (error.method, error.path, error.status, error.request_id)
    if fault.status is None:
        assert not struck or said in [(call.method, scene.without_users(call.path), None, None) for call in struck]
    else:
        assert said in [(call.method, scene.without_users(call.path), call.status, call.request_id) for call in struck]
        assert str(error.status)[0] == str(fault.status)[0]
