"""Follow a run: Airflow reports each task's start and end, and the sandbox has the members at that moment."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import hookimpl

from airflow_segments_provider.testing.sandbox.calls import CallRecord

Say = Callable[[str, str], None]

PACKAGE = "airflow_segments_provider"


@dataclass
class Step:
    """One task, as seen from outside.

    :ivar result: what it returned; of a task that failed, None.
    :ivar error: why it failed.
    :ivar held: the members once it has ended.
    :ivar editor: the segments that WalkMe's Editor shows then.
    """

    began: float
    state: str = "running"
    seconds: float = 0.0
    deferred_for: float = 0.0
    result: Any = None
    error: str = ""
    calls: list[CallRecord] = field(default_factory=list)
    held: dict[str, set[Any]] = field(default_factory=dict)
    editor: list[str] = field(default_factory=list)

    @property
    def requests(self) -> list[CallRecord]:
        """Return the requests without those for a token, which is fetched once for all tasks."""
        return [call for call in self.calls if not call.endpoint.endswith("token")]


class Watch:
    """An Airflow listener. Airflow only logs what it raises, so a step without an end is a failed check.

    :param calls: returns all requests that the sandbox has received so far.
    :param look: returns the members at present.
    :param told: what to show of a step beside its time.
    :param then: by task, what to do once it has succeeded.
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
        self._calls_seen = len(calls())
        self._running: Any = None
        self._deferred_at: float | None = None

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        """Note that a task starts, or continues after its deferral."""
        name = name_of(task_instance)
        self._running = task_instance
        if self._deferred_at is not None:
            self.steps[name].deferred_for = time.monotonic() - self._deferred_at
            self._deferred_at = None
            self._say(name, "its moment has come: back to a worker")
        else:
            self.steps[name] = Step(time.monotonic())
            self._say(name, "started")

    @hookimpl
    def before_stopping(self) -> None:
        """Note that a task leaves its worker, at its end or because it is deferred."""
        if self._running is not None:
            self._deferred_at = time.monotonic()
            task = self._running.task
            until = f" until {task.visible_at().astimezone():%H:%M:%S}" if hasattr(task, "visible_at") else ""
            self._say(name_of(self._running), f"waiting in the triggerer{until}: it holds no worker slot")
            self._running = None

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """Note that a task has succeeded."""
        name, task_id, index = name_of(task_instance), task_instance.task_id, task_instance.map_index
        step = self._end(name, "success")
        step.result = task_instance.xcom_pull(task_ids=task_id, **({} if index < 0 else {"map_indexes": index}))
        self._say(name, f"done in {step.seconds:.1f} s{self._told(step)}")
        if task_id in self._then:
            self._then[task_id]()

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: object) -> None:
        """Note that a task has failed, finally or until its retry."""
        step = self._end(name_of(task_instance), "failed")
        step.error = str(error)
        self._say(name_of(task_instance), f"failed after {step.seconds:.1f} s: {error}")

    @hookimpl
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """Note that a task was skipped."""
        self._end(name_of(task_instance), "skipped")
        self._say(name_of(task_instance), "skipped")

    def _end(self, name: str, state: str) -> Step:
        step = self.steps[name]
        step.state, step.seconds = state, time.monotonic() - step.began
        self._running = None
        calls = self._calls()
        step.calls, self._calls_seen = calls[self._calls_seen :], len(calls)
        self._look(step)
        return step


def name_of(task_instance: Any) -> str:
    """Return the name of a task, with the map index if it is mapped."""
    index: int = task_instance.map_index
    return str(task_instance.task_id) if index < 0 else f"{task_instance.task_id}[{index}]"


class Relay(logging.Handler):
    """Show what the package logs while a task runs."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show

    def attach(self) -> None:
        """Listen to the package's modules, which use Python's logging, and to its tasks, which use Airflow's."""
        import structlog  # Airflow 3's

        logging.getLogger(PACKAGE).addHandler(self)
        # Inserted into the list before the last processor, which writes: existing loggers refer to this very list.
        structlog.get_config()["processors"].insert(-1, self._pass)

    def emit(self, record: logging.LogRecord) -> None:
        """Show one line."""
        self._show(record.getMessage())

    def _pass(self, logger: Any, method: str, event: Any) -> Any:  # noqa: ARG002  # as structlog calls it
        if method != "debug" and f".{PACKAGE}." in str(event.get("logger")):
            self._show(str(event["event"]))
        return event
