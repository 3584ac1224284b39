"""Sensor for Zendesk's background jobs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_segments_provider import errors
from airflow_segments_provider.errors import RejectedRequest, SegmentsError
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.links import ZendeskHelpCenterLink
from airflow_segments_provider.operators.base import SegmentsOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.vendors.zendesk.job_wait import JobWait

__all__ = ["ZendeskJobStatusSensor"]

# Zendesk shows a job for one day after its creation.
TIMEOUT = timedelta(days=1)


class ZendeskJobStatusSensor(SegmentsOperator, BaseSensorOperator):
    """Wait until background jobs of Zendesk are done.

    A completed job may have failed for some of its users: see ``on_failed``. A job that failed as a whole always fails
    the task, as does a job that Zendesk does not show (it shows each for one day). A retry of this task does not help:
    run the update again, which repeats the same change where it had succeeded. See
    https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/.

    Returns ``jobs, users_updated, users_failed``: the last by Zendesk's reason.

    :param zendesk_conn_id: the connection.
    :param max_wait: seconds between polls at most.
    :param exponential_backoff: whether each wait is longer than the one before.
    :param job_ids: the result of :class:`~airflow_segments_provider.operators.zendesk.ZendeskUpdateUsersOperator`
        (``update.output``); or a job's ID, or several; or a text that holds any of these (JSON). An empty list is a
        success without a call.
    :param on_failed: ``fail`` fails if a completed job has failed for some users; ``skip`` counts them by reason in the
        result.
    :param max_failures: consecutive polls that may fail temporarily: network, 5xx, 429, an unreadable response. In
        ``reschedule`` mode, which keeps no count, any number until the timeout.
    :param poke_interval: seconds between the first polls; each wait is longer than the one before, up to ``max_wait``.
        A poll is one call for 100 jobs.
    :param timeout: from the first poll; a restart of the triggerer does not restart it.
    :param deferrable: wait in the triggerer, without a worker slot; by default as ``[operators] default_deferrable``
        says. Otherwise ``mode`` is ``poke`` or ``reschedule``, as of any sensor.
    """

    template_fields: Sequence[str] = ("job_ids", "on_failed", "max_failures", "zendesk_conn_id")
    operator_extra_links = (ZendeskHelpCenterLink(),)
    ui_color = "#e9f3ec"

    def __init__(
        self,
        *,
        job_ids: Any,
        on_failed: str = "fail",
        max_failures: int | str = 10,
        poke_interval: timedelta | float = 10,
        max_wait: timedelta | float = 60,
        exponential_backoff: bool = True,
        timeout: timedelta | float = TIMEOUT,
        zendesk_conn_id: str = ZendeskHelpCenterHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval,
            max_wait=max_wait,
            exponential_backoff=exponential_backoff,
            timeout=timeout,
            **kwargs,
        )
        self.job_ids = job_ids
        self.on_failed = on_failed
        self.max_failures = max_failures
        self.zendesk_conn_id = zendesk_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> ZendeskHelpCenterHook:
        """The hook of the rendered connection id."""
        return ZendeskHelpCenterHook(self.zendesk_conn_id)

    def execute(self, context: Context) -> Any:
        """Wait in the triggerer, or as ``mode`` says."""
        self.vendor_url = self.hook.ui_url
        ZendeskHelpCenterLink().push(context, self.vendor_url)
        self._failures = 0
        self._wait = self._read_wait()
        return super().execute(context)

    def on_kill(self) -> None:
        """End a wait in the worker."""
        if "hook" in self.__dict__:
            self.hook.stop()

    def poke(self, context: Context) -> bool | PokeReturnValue:  # noqa: ARG002
        """Poll once; defer a deferrable wait that is not over.

        :raises RejectedRequest: all jobs are done, and some failed.
        """
        from airflow_segments_provider.triggers.base import PASSING, moment_after
        from airflow_segments_provider.triggers.zendesk import outcome

        jobs = None
        try:
            jobs = self.hook.get_job_statuses(self._wait.job_ids) if self._wait.job_ids else []
            self._failures = 0
        except PASSING as error:
            self._failures += 1
            if self._failures > self._wait.max_failures:
                raise
            self.log.warning("Poll failed, the %d. in a row: %s", self._failures, error)
        if jobs is not None and all(job.finished for job in jobs):
            return PokeReturnValue(True, self._result(outcome(jobs)))
        if jobs is not None:
            unfinished = sum(not job.finished for job in jobs)
            self.log.info("%d of %d background jobs are not done.", unfinished, len(jobs))
        if self.deferrable:
            # Airflow's sensors skip or fail, by their parameters, on errors that are raised before this.
            self._defer(moment_after(self.timeout))
        return False

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the result of the trigger.

        :raises AirflowSensorTimeout: the jobs were not done within ``timeout``.
        :raises SegmentsError: the error of the trigger; or its event is unknown.
        """
        self._wait = self._read_wait()
        match event:
            case {"status": "finished", "users_updated": _, "users_failed": {}, "jobs_failed": int()}:
                return self._result(event)
            case {"status": "timeout", "jobs": int(jobs), "unfinished": unfinished}:
                raise AirflowSensorTimeout(
                    f"Zendesk did not end {'all' if unfinished is None else unfinished} of {jobs} background jobs "
                    f"within the sensor's timeout of {self.timeout:g} s. They continue: to get their results, clear "
                    "this task within a day of the update. If this happens again, raise `timeout`."
                )
            case {"status": "failed", "error": str(name), "message": str(message)} if name in errors.__all__:
                raise getattr(errors, name)(message)
            case _:
                raise SegmentsError(
                    "The trigger of this sensor sent an unknown event, so the results of the background jobs are "
                    "uncertain. Run the task again."
                )

    def _read_wait(self) -> JobWait:
        from airflow_segments_provider.vendors.zendesk.job_wait import read_wait

        return read_wait(self.job_ids, on_failed=self.on_failed, max_failures=self.max_failures)

    def _result(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the task's result.

        :raises RejectedRequest: jobs failed, or failed for some users.
        """
        jobs = len(self._wait.job_ids) + self._wait.earlier_jobs
        updated = found["users_updated"]
        if updated is not None:
            updated += self._wait.earlier_users
        users_failed: dict[str, int] = found["users_failed"]
        sentence = (
            f"{'1 background job' if jobs == 1 else f'{jobs:,} background jobs'} of Zendesk done: "
            f"{'an unknown number of' if updated is None else f'{updated:,}'} users updated, "
            f"{sum(users_failed.values()):,} not."
        )
        if users_failed:
            reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(users_failed.items()))
            sentence += f" Zendesk's reasons: {reasons}."
        if found["jobs_failed"]:
            named = ", ".join(found["failed_job_ids"])
            sentence += f" {found['jobs_failed']:,} of the jobs failed as a whole, such as {named}."
        if found["jobs_failed"] or (users_failed and self._wait.on_failed == "fail"):
            raise RejectedRequest(
                f"{sentence} Remove the cause and run the update again: a repetition of the same change does no harm. "
                f"The Airflow connection is {self.zendesk_conn_id!r}.",
                vendor="Zendesk",
            )
        self.log.log(logging.WARNING if users_failed else logging.INFO, sentence)
        return {"jobs": jobs, "users_updated": updated, "users_failed": users_failed}

    def _defer(self, deadline: datetime) -> None:
        from airflow_segments_provider.triggers.zendesk import ZendeskJobStatusTrigger

        slowest = self.max_wait.total_seconds() if self.max_wait else self.timeout
        self.log.info("Waiting in the triggerer, until %s at most.", deadline.isoformat(timespec="seconds"))
        self.defer(
            trigger=ZendeskJobStatusTrigger(
                zendesk_conn_id=self.zendesk_conn_id,
                job_ids=self._wait.job_ids,
                deadline=deadline.isoformat(),
                poke_interval=self.poke_interval,
                max_wait=slowest if self.exponential_backoff else self.poke_interval,
                max_failures=self._wait.max_failures,
            ),
            method_name="execute_complete",
        )
