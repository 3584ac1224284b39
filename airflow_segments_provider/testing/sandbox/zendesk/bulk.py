"""Changes of many users at once, and the jobs that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.messages import Reply
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.access import Guest, demand_staff
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.ask import as_id
from airflow_segments_provider.testing.sandbox.zendesk.bodies import read_object, read_user, read_wrapped, warned
from airflow_segments_provider.testing.sandbox.zendesk.constants import MAX_USERS_PER_CALL, SUPPORT
from airflow_segments_provider.testing.sandbox.zendesk.jobs import JobRecord, job_object, queued
from airflow_segments_provider.testing.sandbox.zendesk.paging import Listing, page_reply
from airflow_segments_provider.testing.sandbox.zendesk.replies import json_reply

Row = dict[str, Any]


class Bulk:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def update_many(self, guest: Guest) -> Reply:
        """Queue the same change of all users in the query, or the changes that the body has for each."""
        demand_staff(guest, self._account)
        given: Mapping[str, Any] = {}
        ids, external_ids = guest.ask.values("ids"), guest.ask.values("external_ids")
        if ids or external_ids:
            _refuse_too_many(len(ids or external_ids))
            given = read_wrapped(guest.ask, "user")
            changes = read_user(given)
            key, numbers = ("id", [as_id(text) for text in ids]) if ids else ("external_id", external_ids)
            rows: list[Row] = [{key: number, "changes": changes} for number in numbers]
        else:
            users = read_object(guest.ask).get("users")
            if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
                raise errors.bad_request("ParameterMissing", "The body must hold an array of objects under users")
            _refuse_too_many(len(users))
            given = {key: value for user in users for key, value in user.items()}
            rows = [_row(user) for user in users]
        return warned(self._start(guest, rows), "user", "update_many", given, "support", self._account.settings)

    def get(self, guest: Guest) -> Reply:
        """Return one job."""
        demand_staff(guest, self._account)
        found = self._account.jobs.find([guest.ask.text("id")])
        if not found:
            raise errors.not_found()
        return json_reply(200, {"job_status": self._object(guest, found[0])})

    def show_many(self, guest: Guest) -> Reply:
        """Return up to 100 jobs by their ids."""
        demand_staff(guest, self._account)
        ids = guest.ask.values("ids")
        if len(ids) > MAX_USERS_PER_CALL:
            raise errors.too_many_values("jobs may be shown", MAX_USERS_PER_CALL)
        return json_reply(200, {"job_statuses": [self._object(guest, job) for job in self._account.jobs.find(ids)]})

    def list_all(self, guest: Guest) -> Reply:
        """List all jobs, in the order of their creation."""
        demand_staff(guest, self._account)
        jobs = self._account.jobs.all()

        def render(numbers: Sequence[int]) -> list[dict[str, object]]:
            return [self._object(guest, jobs[number - 1]) for number in numbers]

        listing = Listing("job_statuses", "support", range(1, len(jobs) + 1), render)
        return page_reply(guest.ask, listing, self._account.settings)

    def _start(self, guest: Guest, rows: list[Row]) -> Reply:
        settings, now, jobs = self._account.settings, self._account.now(), self._account.jobs
        if not settings.user_tagging:
            rows = [{**row, "changes": {k: v for k, v in row["changes"].items() if k != "tags"}} for row in rows]
        running, most = jobs.running(), settings.max_jobs
        if most is not None and len(running) >= most:
            raise errors.too_many_jobs(running)
        job = jobs.start(rows, now, settings)
        headers = {}
        if most is not None:
            left = most - len(running) - 1
            headers["zendesk-ratelimit-inflight-jobs"] = f"total={most}; remaining={left}; resets=60"
        return json_reply(200, {"job_status": self._object(guest, queued(job))}, headers)

    def _object(self, guest: Guest, job: JobRecord) -> dict[str, object]:
        url = f"{guest.ask.origin}{SUPPORT}/job_statuses/{job.id}.json"
        return job_object(job, self._account.now(), url)


def _row(user: Mapping[str, Any]) -> Row:
    """Return what is asked of one row; an external id without an id finds the user, and is no change then."""
    number, external_id = user.get("id"), user.get("external_id")
    if number is not None:
        is_number = isinstance(number, int) and not isinstance(number, bool)
        return {"id": number if is_number else as_id(str(number)), "changes": read_user(user)}
    changes = read_user({key: value for key, value in user.items() if key != "external_id"})
    return {"external_id": external_id if isinstance(external_id, str) else None, "changes": changes}


def _refuse_too_many(count: int) -> None:
    if count > MAX_USERS_PER_CALL:
        raise errors.too_many_values("users may be updated", MAX_USERS_PER_CALL)
