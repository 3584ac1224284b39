"""The days of ``make demo``: what happens to the users, and the expected result of the sync."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from example_dags.demo.day import Day
from example_dags.demo.people import People

SEGMENT = "People on trial"


def story(people: People, lag: float) -> Iterator[Day]:
    """Yield the days; run each before the next is requested.

    :param lag: that of WalkMe's Editor in seconds; it is waited for once.
    """
    trial = people.audience("trial")
    count = f"{len(trial.people):,}"
    yield _day("preview", f"A preview of {count} people: what would be sent?", "planned", None, trial, plan_only=True)
    yield _day("first run", f"The first run: all {count} people.", "changed", None, trial, propagation_seconds=lag)
    yield _day("the same again", "The next day, nothing has changed.", "unchanged", trial.people, trial)

    before, lost = trial.people, people.move(0.85, "trial", "ended")
    trial = people.audience("trial")
    title = f"A bad day: the query has lost {lost:,} people over night. An outage upstream?"
    yield (refused := _day("a bad day", title, "refused", before, trial))
    title = (
        "Somebody has looked: a campaign has ended, so it is right. The same run, with approve=sha256:… from the log."
    )
    yield _day("approved", title, "changed", before, trial, approve=refused.digest)

    before = trial.people
    went, came = people.move(0.04, "trial", "paid"), people.move(0.02, "free", "trial")
    trial = people.audience("trial")
    title = f"A day as they mostly are: {came:,} have begun a trial, {went:,} are paying customers now."
    yield _day("a usual day", title, "changed", before, trial)


def _day(name: str, title: str, outcome: str, before: Any, audience: Any, **conf: Any) -> Day:
    # All params each time: within one process, Airflow takes a run's params as the defaults of the next.
    params = {"segment_name": SEGMENT, "plan_only": False, "approve": "", "propagation_seconds": 0}
    return Day(name, title, outcome, before, audience, params | conf)
