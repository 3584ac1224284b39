"""The parameters of a wait for Zendesk's background jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from airflow_segments_provider.vendors.base.parameters import Parameters, accepted
from airflow_segments_provider.vendors.base.template_text import from_text

SUBJECT = "The wait for Zendesk's jobs"


class UpdateResult(Parameters):
    """The part of an update's result that a wait for its jobs needs.

    :param job_ids: the jobs that had not succeeded when its task ended.
    :param jobs: the number of all its jobs.
    :param users_updated: how many users the others updated.
    """

    model_config = ConfigDict(extra="ignore")

    job_ids: list[Any]
    jobs: int | None = None
    users_updated: int = 0


class JobWait(Parameters):
    """The parameters of the sensor.

    :param job_ids: the jobs to wait for.
    :param earlier_jobs: other jobs of the update, which had succeeded when its task ended.
    :param earlier_users: how many users those jobs updated.
    """

    job_ids: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]]
    on_failed: Literal["fail", "skip"] = "fail"
    max_failures: int = Field(10, ge=0, le=1000)
    earlier_jobs: int = Field(0, ge=0)
    earlier_users: int = Field(0, ge=0)

    @field_validator("job_ids")
    @classmethod
    def _once(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(value))


def read_wait(job_ids: Any, *, on_failed: Any, max_failures: Any) -> JobWait:
    """Check the parameters of a wait, and return them.

    :param job_ids: one or several; each is a job's ID or the result of an update.
    :raises InvalidInput: with every problem found.
    """
    ids: list[Any] = []
    earlier_jobs = earlier_users = 0
    for part in _parts(job_ids):
        if isinstance(part, Mapping) and isinstance(part.get("job_ids"), list):
            update = accepted(SUBJECT, UpdateResult, dict(part))
            ids += update.job_ids
            earlier_jobs += 0 if update.jobs is None else update.jobs - len(update.job_ids)
            earlier_users += update.users_updated
        else:
            # A template renders an absent result as "None".
            ids.append(None if part == "None" else part)
    values = {
        "job_ids": ids,
        "earlier_jobs": earlier_jobs,
        "earlier_users": earlier_users,
        "on_failed": on_failed,
        "max_failures": max_failures,
    }
    return accepted(SUBJECT, JobWait, values)


def _parts(job_ids: Any) -> Iterator[Any]:
    job_ids = from_text(job_ids)
    if isinstance(job_ids, (str, Mapping)) or not isinstance(job_ids, Iterable):
        yield job_ids
    else:
        yield from map(from_text, job_ids)
