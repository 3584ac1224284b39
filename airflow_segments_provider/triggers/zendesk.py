"""Trigger that polls Zendesk's background jobs until they are done."""

from __future__ import annotations

from asyncio import sleep
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook, as_help_center
from airflow_segments_provider.triggers.base import PASSING, SHORTEST_DEFERRAL, connection_of, in_thread, one_try

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.vendors.zendesk.responses import JobStatus

__all__ = ["ZendeskJobStatusTrigger"]

# At most so many failed jobs are named.
NAMED = 5


def outcome(jobs: Sequence[JobStatus]) -> dict[str, Any]:
    """Return the results of the jobs that are done: numbers and job IDs, nothing about users.

    ``users_updated`` is None where a completed job has no number.
    """
    done = [job for job in jobs if job.finished]
    completed = [job for job in done if job.status == "completed"]
    failed: Counter[str] = Counter()
    for job in completed:
        failed.update(job.failed)
    updated = [job.succeeded for job in completed]
    ended = [job.job_id for job in done if job.status != "completed"]
    return {
        "jobs": len(jobs),
        "users_updated": None if None in updated else sum(number or 0 for number in updated),
        "users_failed": dict(failed),
        "jobs_failed": len(ended),
        "failed_job_ids": ended[:NAMED],
    }


class ZendeskJobStatusTrigger(BaseTrigger):
    """A trigger that polls background jobs until all of them are done, failed ones included.

    Its one event is a small dict: ``status`` is ``finished``, ``timeout`` or ``failed``. ``finished`` has the result of
    :func:`outcome`; ``timeout`` has the numbers of ``jobs`` and of ``unfinished`` ones, None where no poll got a
    response; ``failed`` has the ``error`` and its ``message``. Users of the jobs are never kept.

    :param zendesk_conn_id: the connection.
    :param deadline: when to give up, ISO 8601 with time zone; a restart of the triggerer does not extend it.
    :param poke_interval: seconds between the first polls; then twice as long each time, up to ``max_wait``.
    :param max_failures: consecutive polls that may fail temporarily.
    """

    def __init__(
        self,
        *,
        zendesk_conn_id: str,
        job_ids: list[str],
        deadline: str,
        poke_interval: float = 10.0,
        max_wait: float = 60.0,
        max_failures: int = 10,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.zendesk_conn_id = zendesk_conn_id
        self.job_ids = job_ids
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.max_wait = max_wait
        self.max_failures = max_failures
        self._hook: ZendeskHelpCenterHook | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to continue the wait."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "zendesk_conn_id": self.zendesk_conn_id,
            "job_ids": self.job_ids,
            "deadline": self.deadline,
            "poke_interval": self.poke_interval,
            "max_wait": self.max_wait,
            "max_failures": self.max_failures,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the one event."""
        try:
            event = await self._watch()
        except SegmentsError as error:
            event = {"status": "failed", "error": type(error).__name__, "message": str(error)}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def cleanup(self) -> None:
        """End a poll in its thread early."""
        if self._hook is not None:
            self._hook.stop()

    async def _watch(self) -> dict[str, Any]:
        self._hook = await in_thread(self._hook_on)(await connection_of(self.zendesk_conn_id))
        deadline = datetime.fromisoformat(self.deadline)
        wait, failures, unfinished = max(self.poke_interval, SHORTEST_DEFERRAL), 0, None
        while True:
            left = (deadline - datetime.now(UTC)).total_seconds()
            last = left <= wait  # the poll at the deadline, or the only one where the triggerer starts after it
            await sleep(max(0.0, min(wait, left)))
            wait = max(min(2 * wait, self.max_wait), self.poke_interval)
            try:
                jobs = await in_thread(self._hook.get_job_statuses)(self.job_ids)
            except PASSING as error:
                failures += 1
                if failures > self.max_failures:
                    raise
                wait = max(wait, error.retry_after or 0.0)
                self.log.warning("Poll failed, the %d. in a row: %s", failures, error)
            else:
                failures = 0
                unfinished = sum(not job.finished for job in jobs)
                if not unfinished:
                    return {"status": "finished", **outcome(jobs)}
                self.log.info("%d of %d background jobs are not done.", unfinished, len(jobs))
            if last:
                return {"status": "timeout", "jobs": len(self.job_ids), "unfinished": unfinished}

    def _hook_on(self, connection: Connection) -> ZendeskHelpCenterHook:
        hook = ZendeskHelpCenterHook(self.zendesk_conn_id, retry=one_try())
        hook.connection = as_help_center(connection)
        return hook
