"""Plans that were refused, kept so that the very one that somebody looked at can be approved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from airflow_segments_provider.members.ledger.history import generation_of
from airflow_segments_provider.members.ledger.ledger import Ledger, milliseconds
from airflow_segments_provider.members.ledger.retention import APPROVALS, PLANS
from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.plan import Plan
from airflow_segments_provider.members.workspace import Workspace

# So much of a digest names a plan at a terminal: sha256: and 12 digits.
SHOWN = 19


@dataclass(frozen=True)
class KeptPlan:
    """A plan, and the limits that it passes."""

    plan: Plan
    breaches: tuple[str, ...]


def keep(ledger: Ledger, workspace: Workspace, plan: Plan, breaches: Sequence[str]) -> None:
    """Write the plan and its people beside the ledger, and delete those that were kept long ago."""
    _delete_old(ledger)
    path = workspace.folder / "kept.parquet"
    workspace.run(f"COPY actions TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    name = _name(plan.generation, plan.digest)
    described = {"plan": plan.to_json(), "breaches": list(breaches), "kept_at": ledger.clock()}
    # The people first: a plan that can be read can be applied.
    ledger.store.put(f"{PLANS}/{name}.parquet", path)
    ledger.store.create(f"{PLANS}/{name}.json", json.dumps(described).encode())


def _delete_old(ledger: Ledger) -> None:
    """A source that is wrong for weeks leaves a plan a day, while nothing is committed that would replace them."""
    before = ledger.clock() - milliseconds(ledger.timing.keep)
    for name in ledger.store.names(PLANS):
        content = ledger.store.read(f"{PLANS}/{name}") if name.endswith(".json") else None
        if content is not None and json.loads(content)["kept_at"] <= before:
            # The people last: a plan that can be read can be applied.
            ledger.store.delete(f"{PLANS}/{name}")
            ledger.store.delete(f"{PLANS}/{name.removesuffix('.json')}.parquet")


def approve(ledger: Ledger, digest: str) -> None:
    """Let the next run apply that plan, once: it is no longer true when the ledger has moved on."""
    ledger.store.create(f"{APPROVALS}/{_name(ledger.history.generation, digest)}", b"")


def load(ledger: Ledger, workspace: Workspace, digest: str | None) -> Plan | None:
    """The plan that was approved, with its people in the table ``actions``.

    :param digest: as an argument of the run; None where the approval, if any, lies beside the ledger.
    :return: None where there is none, or the ledger has changed since it was made.
    """
    generation = ledger.history.generation
    for name in [_name(generation, digest)] if digest else ledger.store.names(APPROVALS):
        if generation_of(name) != generation:
            continue
        content = ledger.store.read(f"{PLANS}/{name}.json")
        path = workspace.folder / "approved.parquet"
        if content is not None and ledger.store.fetch(f"{PLANS}/{name}.parquet", path):
            workspace.run(f"CREATE OR REPLACE TABLE actions AS SELECT * FROM read_parquet('{path}')")
            return replace(_read(content).plan, approved=True)
    return None


def kept(store: Store) -> list[KeptPlan]:
    """The plans that are kept, the newest generation's last; only that one's can still be applied."""
    found = [store.read(f"{PLANS}/{name}") for name in store.names(PLANS) if name.endswith(".json")]
    return [_read(content) for content in found if content is not None]


def refusal(plan: Plan, breaches: Sequence[str], report: str | None = None) -> str:
    """The message of a refusal: the numbers, the limits, and both ways out.

    :param report: the folder of the plan's report; None where the plan could not be kept either.
    """
    if report is None:
        return (
            f"The plan for {plan.key} was refused and nothing was made or sent: {'; '.join(breaches)}. Correct the "
            "source, or set the parameter named beside the limit."
        )
    return (
        f"The plan for {plan.key} was refused and nothing was sent: {'; '.join(breaches)}. What it would do is in "
        f'{report}/plan.md. To apply exactly this plan once: approve="{plan.digest}", or `python -m '
        f"airflow_segments_provider ledger approve {plan.key.folder} {plan.digest[:SHOWN]}`. To change a limit for "
        "good, set the parameter named beside it."
    )


def _read(content: bytes) -> KeptPlan:
    stored = json.loads(content)
    return KeptPlan(Plan.from_json(stored["plan"]), tuple(stored["breaches"]))


def _name(generation: int, digest: str) -> str:
    return f"{generation:012d}-{digest.rpartition(':')[2]}"
