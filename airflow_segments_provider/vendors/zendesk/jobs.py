"""Zendesk's background jobs: started within the limit of simultaneous jobs, and read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import NotFound, RateLimited, UnexpectedReply, VendorError
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.vendors.zendesk.parameters import PER_CALL
from airflow_segments_provider.vendors.zendesk.responses import JobStatus, UsersUpdate, parse_job

if TYPE_CHECKING:
    from airflow_segments_provider.http.response import Call
    from airflow_segments_provider.sources.batches import UserIdBatch
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.parameters import UpdateUsers


# https://developer.zendesk.com/api-reference/introduction/rate-limits/: queued or running, for the whole account.
MOST_AT_ONCE = 30
# Seconds between two polls of jobs that must end before others can start.
INTERVAL = 5.0


def update_users(api: ZendeskApi, write: Write[UpdateUsers]) -> UsersUpdate:
    """Make the same change to many users."""
    body = encode({"user": write.parameters.change})
    calls = ((batch, {"ids": ",".join(batch.ids())}, body) for batch in write.users.batches())
    return _Jobs(api, write).begin(calls)


def update_each_user(api: ZendeskApi, write: Write[Any]) -> UsersUpdate:
    """Change each user in a different way; the staged texts are the rows, as JSON."""
    calls = (
        (batch, dict[str, str](), f'{{"users":[{",".join(batch.ids())}]}}'.encode()) for batch in write.users.batches()
    )
    return _Jobs(api, write).begin(calls)


def get_jobs(api: ZendeskApi, job_ids: list[str]) -> list[JobStatus]:
    """Return jobs in the order of their IDs.

    :raises NotFound: Zendesk does not have one of them.
    """
    known = dict(_shown(api, job_ids))
    missing = [job_id for job_id in job_ids if job_id not in known]
    if missing:
        raise NotFound(
            f"Zendesk does not know the jobs {', '.join(missing[:5])} ({len(missing):,} in all). It deletes jobs "
            f"some time after they end, so read them sooner. {api.where}",
            vendor=api.vendor,
        )
    return [known[job_id] for job_id in job_ids]


def _shown(api: ZendeskApi, job_ids: Iterable[str]) -> Iterator[tuple[str, JobStatus]]:
    """Yield the jobs that Zendesk has."""
    ids = list(dict.fromkeys(job_ids))
    for start in range(0, len(ids), PER_CALL):
        query = {"ids": ",".join(ids[start : start + PER_CALL])}
        response = api.call("support", "GET", "job_statuses", "show_many", query=query)
        jobs = api.read_key(response, "job_statuses", partial(_jobs, call=response.call))
        yield from ((job.job_id, job) for job in jobs)


def _jobs(value: object, call: Call) -> list[JobStatus]:
    if not isinstance(value, list):
        raise UnexpectedReply("the list of jobs is not an array.")
    return [parse_job(entry, call) for entry in value]


class _Jobs:
    """The start of jobs one after another; no more of them run at once than Zendesk allows."""

    def __init__(self, api: ZendeskApi, write: Write[Any]) -> None:
        self._api = api
        self._write = write
        self._jobs: dict[str, JobStatus] = {}
        self._running: set[str] = set()
        self._sent = 0

    def begin(self, calls: Iterable[tuple[UserIdBatch, dict[str, str], bytes]]) -> UsersUpdate:
        """Start a job for each call.

        :raises VendorError: with the number of jobs that were started before.
        """
        try:
            for batch, query, body in calls:
                while len(self._running) >= MOST_AT_ONCE:
                    self._look()
                job = self._begin_one(batch, query, body)
                self._jobs[job.job_id] = job
                self._sent += batch.users
                if not job.finished:
                    self._running.add(job.job_id)
        except VendorError as error:
            raise error.add_hint(
                f"Before it, {len(self._jobs):,} jobs were begun, for {self._sent:,} of {self._write.users.users:,} "
                "users. Run it again: making the same change twice has no further effect."
            ) from None
        return UsersUpdate(
            jobs=list(self._jobs.values()),
            users_sent=self._sent,
            requests=self._api.requests,
            **self._write.left_out,
        )

    def _begin_one(self, batch: UserIdBatch, query: dict[str, str], body: bytes) -> JobStatus:
        """Start one job; if other programs' jobs reach the limit, wait within the connection's retry time."""
        client, began = self._api.client, time.monotonic()
        while True:
            try:
                response = self._api.call(
                    "support", "PUT", "users", "update_many", body=body, query=query, user_ids=batch.ids
                )
                return self._api.read_key(response, "job_status", partial(parse_job, call=response.call))
            except RateLimited as error:
                late = time.monotonic() - began > client.retry.max_total
                if error.retry_after is not None or late:
                    raise
                self._look()

    def _look(self) -> None:
        """Wait, then read which of these jobs still run; those that Zendesk has deleted do not."""
        self._api.client.sleep(INTERVAL)
        now = dict(_shown(self._api, self._running))
        self._jobs |= now
        self._running = {job_id for job_id, job in now.items() if not job.finished}
