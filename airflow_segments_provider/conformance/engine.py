"""Runs the sync engine on a target, with a ledger in a folder of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from airflow_segments_provider.members.guard import Guard
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.local_store import LocalStore
from airflow_segments_provider.members.ledger.manifest import Writer
from airflow_segments_provider.members.plan import Rules
from airflow_segments_provider.members.sync import Settings, Sync, Synced
from airflow_segments_provider.members.target import SegmentKey, Target
from airflow_segments_provider.members.workspace import Workspace


def sync(target: Target, wanted: Iterable[str], folder: Path) -> Synced:
    """One run of the engine that makes the segment follow ``wanted``; each is a later try of the same task.

    :param folder: of the ledger; a second run with the same one goes on from the first.
    """

    def ledger(key: SegmentKey) -> Ledger:
        writer = Writer(token=uuid.uuid4().hex, owner="conformance.sync", run="run", try_number=1)
        return Ledger(LocalStore(folder), key.folder, writer, target.limits.request_timeout)

    guard = Guard(max_removed_fraction=1, max_added_fraction=None, allow_empty=True)
    rules = Rules(retry_rejected_after=timedelta(days=1))
    with Workspace() as workspace:
        settings = Settings(rules=rules, guard=guard, first_sync="add")
        return Sync(target, list(wanted), ledger, workspace, settings).run()
