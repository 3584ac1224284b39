"""The steps that the suite's tests share: an assertion with a sentence, and a run of the engine."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from airflow_segments_provider.sync.engine import Sync, Synced
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.timing import now_ms
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.target import Limits, SegmentKey, Target
from airflow_segments_provider.sync.workspace import Workspace


def must(holds: object, sentence: str) -> None:
    """Fail with a sentence unless ``holds``; pytest does not rewrite the asserts of an installed package."""
    if not holds:
        raise AssertionError(sentence)


def must_be(found: Iterable[str], wanted: Iterable[str], who: str) -> None:
    """Fail unless both are the same users, each once; the message has no user ID.

    :param who: the start of the sentence, e.g. ``"The members after an add"``.
    """
    held, right = Counter(iter(found)), set(wanted)
    missing, more = len(right - held.keys()), len(held.keys() - right)
    twice = sum(1 for times in held.values() if times > 1)
    must(
        not (missing or more or twice),
        f"{who} are not the {len(right)} that they should be: {missing} missing, {more} too many, {twice} more than "
        "once.",
    )


def writes_of(limits: Limits, kind: Literal["add", "remove"], users: int) -> int:
    """Return how many requests change so many users, without those that read."""
    requests = limits.requests(kind, users)
    return requests if kind in limits.one_by_one else requests // (1 + limits.reads)


def sync(target: Target, wanted: Iterable[str], folder: Path, *, hours: int = 0, **settings: Any) -> Synced:
    """Run the engine once, so that the members follow ``wanted``; every run is a later try of the same task.

    :param folder: of the ledger, shared by the runs of a test.
    :param hours: how much later it is, by the run's clock: requests of unknown outcome cannot be carried out any more.
    :param settings: of the run, besides those that allow every plan.
    """

    def ledger(key: SegmentKey) -> Ledger:
        writer = Writer(token=uuid.uuid4().hex, owner="conformance.sync", run="run", try_number=1)
        clock = lambda: now_ms() + hours * 3_600_000  # noqa: E731
        return Ledger(LocalStore(folder), key.folder, writer, target.limits.request_timeout, clock=clock)

    allowed = {"max_removed_fraction": 1, "max_added_fraction": None, "allow_empty": True, "first_sync": "add"}
    with Workspace() as workspace:
        return Sync(target, list(wanted), ledger, workspace, Settings(**{**allowed, **settings})).run()
