"""Plans that the guard rejected, kept so that exactly one of them can be approved."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ConfigDict

from airflow_segments_provider.errors import LedgerError, SegmentsError
from airflow_segments_provider.members.ledger.history import generation_of
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.manifest import File
from airflow_segments_provider.members.ledger.retention import APPROVALS, PLANS, REPORTS
from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.ledger.timing import milliseconds
from airflow_segments_provider.members.plan import ACTIONS_FILE, Plan, digest_of, read_actions
from airflow_segments_provider.members.workspace import Workspace

logger = logging.getLogger(__name__)

# Enough of a digest to name a plan at a terminal: sha256: and 12 digits.
SHOWN = 19


class KeptPlan(File):
    """A plan, the limits that it exceeds, and when it was kept."""

    model_config = ConfigDict(defer_build=True)

    plan: Plan
    breaches: tuple[str, ...]
    kept_at: int


def keep(ledger: Ledger, workspace: Workspace, plan: Plan, breaches: Sequence[str]) -> None:
    """Write the plan and its users beside the ledger, and delete old ones."""
    delete_old(ledger)
    name = _name(plan.generation, plan.digest)
    content = KeptPlan(plan=plan, breaches=tuple(breaches), kept_at=ledger.clock()).encoded
    # The users first: a plan that can be read can be applied.
    ledger.store.put(f"{PLANS}/{name}.txt", workspace.folder / ACTIONS_FILE)
    if not ledger.store.create(f"{PLANS}/{name}.json", content):
        # The same plan, from newer data.
        path = workspace.folder / "kept.json"
        path.write_bytes(content)
        ledger.store.put(f"{PLANS}/{name}.json", path)


def delete_old(ledger: Ledger) -> None:
    """Delete old plans and reports, also if no commit ever replaces them."""
    before, store = ledger.clock() - milliseconds(ledger.timing.keep), ledger.store
    try:
        for name in store.names(PLANS):
            if name.endswith(".json") and _written(store.read(f"{PLANS}/{name}"), "kept_at", before):
                # The users last: a plan that can be read can be applied.
                store.delete(f"{PLANS}/{name}")
                store.delete(f"{PLANS}/{name.removesuffix('.json')}.txt")
        for name in store.folders(REPORTS):
            if _written(store.read(f"{REPORTS}/{name}/plan.json"), "written_ms", before):
                store.delete_folder(f"{REPORTS}/{name}")
    except SegmentsError:
        logger.warning("Old plans and reports of the ledger %s could not be deleted.", ledger.folder)


def _written(content: bytes | None, name: str, before: int) -> bool:
    """Return whether a file was written until then, by the time in it."""
    try:
        return content is not None and json.loads(content)[name] <= before
    except (ValueError, KeyError, TypeError):
        return False


def approve(ledger: Ledger, digest: str) -> None:
    """Let the next run apply that plan, once: a later generation of the ledger invalidates it."""
    ledger.store.create(f"{APPROVALS}/{_name(ledger.head.generation, digest)}", b"")


def load(ledger: Ledger, workspace: Workspace, digest: str | None) -> Plan | None:
    """Return the approved plan, and make the table ``actions`` of its users.

    If several are approved, the one with the newest data: the others no longer hold after it.

    :param digest: an argument of the run; None to look for approvals beside the ledger.
    :return: None where none is approved, or the ledger has changed since.
    :raises LedgerError: the kept plan does not have that digest.
    """
    generation, store = ledger.head.generation, ledger.store
    names = [_name(generation, digest)] if digest else store.names(APPROVALS)
    contents = {name: store.read(f"{PLANS}/{name}.json") for name in names if generation_of(name) == generation}
    plans = [(name, _read(content, name).plan) for name, content in contents.items() if content is not None]
    approved = [(name, plan) for name, plan in plans if plan.notes == ledger.state.notes]
    if not approved:
        return None
    name, plan = max(approved, key=lambda found: (found[1].as_of, found[0]))
    path = workspace.folder / "approved.txt"
    if not store.fetch(f"{PLANS}/{name}.txt", path):
        return None
    expected = f"sha256:{name.partition('-')[2]}"
    if digest_of(plan, path) != expected:
        raise LedgerError(
            f"The approved plan {expected} is not what is kept in {PLANS}/{name}: a file was changed or is damaged. "
            "Nothing was sent. Delete both files, run the task again without the approval, and approve the new plan."
        )
    read_actions(workspace, path)
    return replace(plan, digest=expected, approved=True, as_of=min(plan.as_of, ledger.clock()))


def kept(store: Store) -> list[KeptPlan]:
    """Return the kept plans by generation; only those of the newest can still be applied."""
    names = [name for name in store.names(PLANS) if name.endswith(".json")]
    found = [(name, store.read(f"{PLANS}/{name}")) for name in names]
    return [_read(content, name) for name, content in found if content is not None]


def refusal(plan: Plan, breaches: Sequence[str], report: str | None = None, notice: str = "") -> str:
    """Return the message of a rejected plan: the limits, and the ways out.

    :param report: the folder of the plan's report; None where there is no ledger to keep it in.
    :param notice: a sentence about an approval that did not apply.
    """
    said = f"{notice} " if notice else ""
    if report is None:
        return (
            f"{said}The plan for {plan.key} was refused and nothing was made or sent: {'; '.join(breaches)}. Correct "
            "the source, or set the parameter named beside the limit."
        )
    return (
        f"{said}The plan for {plan.key} was refused and nothing was sent: {'; '.join(breaches)}. What it would do is "
        f'in {report}/plan.md. To apply exactly this plan once: approve="{plan.digest}", or `python -m '
        f"airflow_segments_provider ledger approve {plan.key.folder} {plan.digest[:SHOWN]}`. To change a limit for "
        "good, set the parameter named beside it."
    )


def _read(content: bytes, name: str) -> KeptPlan:
    try:
        return KeptPlan.decode(content)
    except ValueError:
        raise LedgerError(
            f"{PLANS}/{name} is damaged. Nothing was sent. Delete it; the next run that is refused keeps its plan anew."
        ) from None


def _name(generation: int, digest: str) -> str:
    return f"{generation:012d}-{digest.rpartition(':')[2]}"
