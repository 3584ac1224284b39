"""``ledger approve`` and ``ledger forget``: what only a person decides."""

from __future__ import annotations

import re

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.ledger_commands.arguments import DECLINED, DONE
from airflow_segments_provider.ledger_commands.ledgers import KeptLedger
from airflow_segments_provider.members import kept_plans
from airflow_segments_provider.members.ledger import retention
from airflow_segments_provider.members.ledger.history import History, manifest_name, newest_generation, read_history
from airflow_segments_provider.members.ledger.manifest import parse_manifest

_DIGEST = re.compile("(sha256:)?[0-9a-f]{8,64}")


def approve(kept: KeptLedger, digest: str) -> tuple[int, list[str]]:
    """Let the next run apply a refused plan.

    :param digest: the plan's, or its first 8 hexadecimal digits or more.
    :raises LedgerError: the ledger is damaged.
    """
    if not _DIGEST.fullmatch(digest):
        return DECLINED, [f"{digest!r} is no digest of a plan, nor the first 8 digits of one or more."]
    ledger = kept.ledger()
    ledger.history = read_history(kept.store, kept.folder)
    digits = digest.removeprefix("sha256:")
    plans = [stored.plan for stored in kept_plans.kept(kept.store)]
    matching = [plan for plan in plans if plan.digest.removeprefix("sha256:").startswith(digits)]
    current = [plan for plan in matching if plan.generation == ledger.history.generation]
    if len(current) == 1:
        kept_plans.approve(ledger, current[0].digest)
        return DONE, [f"The next run of {kept.folder} applies the plan {current[0].digest}, once."]
    if current:
        return DECLINED, [f"{len(current)} refused plans begin with {digits}: give more of its digits."]
    if matching:
        said = (
            f"The plan {matching[-1].digest} is of generation {matching[-1].generation}, and the ledger is at "
            f"{ledger.history.generation}: what it would do is no longer true. Run the task again, and approve the new "
            "plan."
        )
        return DECLINED, [said]
    return DECLINED, [f"No refused plan of {kept.folder} begins with {digits}; `ledger show` names those there are."]


def forget(kept: KeptLedger, *, yes: bool) -> tuple[int, list[str]]:
    """Delete a ledger, also one that is damaged or lost.

    :raises LedgerBusy: a run holds it.
    """
    if not yes:
        said = (
            f"This would delete all that is known of {kept.folder}. The segment keeps its members, but nobody will "
            "know which of them came from the source: the next run is a first sync. Add --yes if that is meant."
        )
        return DECLINED, [said]
    ledger = kept.ledger()
    ledger.history = _as_far_as_it_can_be_read(kept)
    ledger.check_free()
    retention.forget(kept.store)
    return DONE, [f"{kept.folder} is forgotten; its next run is a first sync."]


def _as_far_as_it_can_be_read(kept: KeptLedger) -> History:
    """The newest manifest alone says whether a run holds the ledger; a damaged one is why ledgers are forgotten."""
    name = manifest_name(newest_generation(kept.store))
    try:
        content = kept.store.read(name)
        return History(parse_manifest(content, name, kept.folder)) if content else History()
    except LedgerError:
        return History()
