"""Run a task in a child that dies right before or after one of its requests, and run it again."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

from airflow_segments_provider.http.transport import Transport
from tests.faults.scene import Operation, Scene, as_list

KILLED, DONE, FAILED = 9, 0, 1


def killed(run: Callable[[], object], at: int, when: str) -> bool:
    """Run in a child that dies before request ``at`` is sent or after its response; return whether it died."""
    child = os.fork()
    if not child:
        _run_and_die(run, at, when)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (KILLED, DONE), code
    return code == KILLED


def _run_and_die(run: Callable[[], object], at: int, when: str) -> NoReturn:
    send, sent = Transport.send, 0

    def deadly(self: Transport, *args: Any, **request: Any) -> Any:
        nonlocal sent
        sent += 1
        if (sent, when) == (at, "before"):
            os._exit(KILLED)
        answer = send(self, *args, **request)
        if (sent, when) == (at, "after"):
            os._exit(KILLED)
        return answer

    try:
        Transport.send = deadly  # type: ignore[method-assign]
        run()
        os._exit(DONE)
    finally:
        os._exit(FAILED)


def run_again_after_each_kill(scene: Scene, operation: Operation, new_hook: Callable[..., Any]) -> None:
    """Kill an operation before each of its requests and after the last one, and run it again each time."""

    def run() -> None:
        operation.run(new_hook(**operation.extra), key, scene.people("12345"))

    requests = len(operation.healthy)
    # Right after a request is right before the next one.
    for at, when in [*((at, "before") for at in range(1, requests + 1)), (requests, "after")]:
        key = scene.start_over(operation)
        assert killed(run, at, when), (at, when)
        begun = scene.trace()
        assert begun == operation.healthy[: at if when == "after" else at - 1]
        run()
        assert scene.members(operation) == as_list(operation.wanted), (at, when, begun, scene.trace())
    key = scene.start_over(operation)
    assert not killed(run, requests + 1, "before")
    assert scene.trace() == operation.healthy
