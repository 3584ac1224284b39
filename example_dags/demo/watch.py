"""Follows a run from within: Airflow tells each task's start and end, the sandbox what is true at that moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import hookimpl

from airflow_segments_provider.sandbox.calls import CallRecord
from airflow_segments_provider.sandbox.client import SandboxClient

Say = Callable[[str, str], None]


@dataclass
class Step:
    """One task, as seen from outside.

    :ivar members: of the one segment of ``make demo``.
    :ivar held: in a scene, who is a member of what.
    """

    began: float
    state: str = "running"
    seconds: float = 0.0
    deferred_for: float = 0.0
    result: Any = None
    calls: list[CallRecord] = field(default_factory=list)
    members: set[str] | None = None
    held: dict[str, set[Any]] = field(default_factory=dict)
    editor: list[str] = field(default_factory=list)

    @property
    def requests(self) -> list[CallRecord]:
        """The calls but for the token, which is fetched once for all tasks."""
        return [call for call in self.calls if not call.endpoint.endswith("token")]

    @property
    def ids_received(self) -> int:
        """People's ids in those calls."""
        return sum(call.user_ids or 0 for call in self.calls)


class Watch:
    """An Airflow listener; what it raises, Airflow only logs, so a step that was not seen to its end is a failed check.

    :param calls: all calls that the sandbox has received so far.
    :param look: notes what is true now.
    :param told: what to say of a step beside its time.
    :param then: by task, what happens in the world once it has succeeded.
    """

    def __init__(
        self,
        calls: Callable[[], list[CallRecord]],
        say: Say,
        *,
        look: Callable[[Step], None],
        told: Callable[[Step], str],
        then: dict[str, Callable[[], None]],
    ) -> None:
        self.steps: dict[str, Step] = {}
        self._calls = calls
        self._say = say
        self._look = look
        self._told = told
        self._then = then
        self._calls_seen = 0
        self._running: Any = None
        self._deferred_at: float | None = None

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        """A task starts, or goes on after its deferral."""
        task_id = task_instance.task_id
        self._running = task_instance
        if self._deferred_at is not None:
            self.steps[task_id].deferred_for = time.monotonic() - self._deferred_at
            self._deferred_at = None
            self._say(task_id, "its moment has come: back to a worker")
        else:
            self.steps[task_id] = Step(time.monotonic())
            self._say(task_id, "started")

    @hookimpl
    def before_stopping(self) -> None:
        """A task leaves its worker: at its end, or because it is deferred."""
        if self._running is not None:
            self._deferred_at = time.monotonic()
            task = self._running.task
            until = f" until {task.visible_at().astimezone():%H:%M:%S}" if hasattr(task, "visible_at") else ""
            self._say(self._running.task_id, f"waiting in the triggerer{until}: it holds no worker slot")
            self._running = None

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """A task has done its work."""
        task_id = task_instance.task_id
        step = self._end(task_id, "success")
        step.result = task_instance.xcom_pull(task_ids=task_id)
        calls = self._calls()
        step.calls, self._calls_seen = calls[self._calls_seen :], len(calls)
        self._look(step)
        self._say(task_id, f"done in {step.seconds:.1f} s{self._told(step)}")
        if task_id in self._then:
            self._then[task_id]()

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: object) -> None:
        """A task has failed, for good or until its retry."""
        step = self._end(task_instance.task_id, "failed")
        self._say(task_instance.task_id, f"failed after {step.seconds:.1f} s: {error}")

    @hookimpl
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """A task was skipped."""
        self._end(task_instance.task_id, "skipped")
        self._say(task_instance.task_id, "skipped")

    def _end(self, task_id: str, state: str) -> Step:
        step = self.steps[task_id]
        step.state, step.seconds = state, time.monotonic() - step.began
        self._running = None
        return step


def look(sandbox: SandboxClient, segment: str, step: Step) -> None:
    """Note what is true of a WalkMe segment now, and what the Editor shows."""
    step.editor = sandbox.editor()
    if any(found.name == segment for found in sandbox.segments()):
        step.members = sandbox.members(segment)


def told(step: Step) -> str:
    """What there is to say of a step that called WalkMe."""
    held = "" if step.members is None else f"; the segment holds {len(step.members):,} people"
    return f"{held}; the Editor shows {', '.join(step.editor) or 'no segment'}" if step.requests else ""


class Relay(logging.Handler):
    """Shows what the package itself logs while a task runs."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line."""
        self._show(record.getMessage())
