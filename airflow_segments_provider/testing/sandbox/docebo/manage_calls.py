"""Docebo's operations on users and jobs, outside of the audiences service."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.docebo import errors, queries, replies
from airflow_segments_provider.testing.sandbox.docebo.account import Account
from airflow_segments_provider.testing.sandbox.messages import Call, Reply

# By the names that callers use; the columns have older ones.
_SORTS = {
    "user_id": "idst",
    "username": "userid",
    "first_name": "firstname",
    "last_name": "lastname",
    "email": "email",
}


class ManageCalls:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list_users(self, call: Call) -> Reply:
        """List users; totals are told on request only."""
        account, settings = self._account, self._account.settings
        account.admit(call)
        page = queries.read_page(call, settings, tuple(_SORTS), "user_id")
        branch = queries.read_number(call, "branch_id", 1, settings) if "branch_id" in call.query else None
        whole = call.query.get("match_type") == "full"
        found, total = account.people.page(page.by(_SORTS[page.sort]), branch, whole)
        totals = queries.read_flag(call, "get_total_count", settings)
        return replies.list_reply([replies.user_object(user) for user in found], total, page, settings, totals)

    def get_user(self, call: Call) -> Reply:
        """Show one user, by number."""
        self._account.admit(call)
        number = call.parameters["number"]
        user = self._account.people.user(int(number)) if number.isascii() and number.isdigit() else None
        if user is None:
            raise errors.refused(404, "no such user", self._account.settings)
        return replies.data_reply({"user_data": replies.user_object(user)})

    def list_jobs(self, call: Call) -> Reply:
        """List jobs, those of one author or in one status or all, the latest first."""
        account = self._account
        account.admit(call)
        author, status = call.query.get("id_author"), call.query.get("status")
        size = queries.read_number(call, "page_size", account.settings.page_size, account.settings)
        found = [
            replies.job_object(job)
            for job in reversed(account.jobs.all())
            if author in (None, str(job.author)) and status in (None, job.status)
        ]
        return replies.data_reply({"jobs": found[:size]})

    def get_job(self, call: Call) -> Reply:
        """Show one job."""
        self._account.admit(call)
        for job in self._account.jobs.all():
            if job.hash == call.parameters["hash"]:
                return replies.data_reply(replies.job_object(job))
        raise errors.refused(404, "no such job", self._account.settings)
