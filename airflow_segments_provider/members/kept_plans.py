"""Plans that were refused, kept so that the very one that somebody looked at can be approved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.plan import Plan
from airflow_segments_provider.members.workspace import Workspace

APPROVALS = "approvals"


def keep(ledger: Ledger, workspace: Workspace, plan: Plan) -> None:
    """Write the plan and its people beside the ledger."""
    path = workspace.folder / "kept.parquet"
    workspace.run(f"COPY actions TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    # The people first: a plan that can be read can be applied.
    ledger.store.put(f"{_name(plan.digest)}.parquet", path)
    ledger.store.create(f"{_name(plan.digest)}.json", json.dumps(plan.to_json()).encode())


def approve(ledger: Ledger, digest: str) -> None:
    """Let the next run apply that plan, once: it is no longer true when the ledger has moved on."""
    ledger.store.create(f"{APPROVALS}/{digest.rpartition(':')[2]}", b"")


def load(ledger: Ledger, workspace: Workspace, digest: str | None) -> Plan | None:
    """The plan that was approved, with its people in the table ``actions``.

    :param digest: as an argument of the run; None where the approval, if any, lies beside the ledger.
    :return: None where there is none, or the ledger has changed since it was made.
    """
    for found in [digest] if digest else ledger.store.names(APPROVALS):
        content = ledger.store.read(f"{_name(found)}.json")
        plan = Plan.from_json(json.loads(content)) if content else None
        path = workspace.folder / "approved.parquet"
        if (
            plan is not None
            and plan.generation == ledger.history.generation
            and ledger.store.fetch(f"{_name(found)}.parquet", path)
        ):
            workspace.run(f"CREATE OR REPLACE TABLE actions AS SELECT * FROM read_parquet('{path}')")
            return replace(plan, approved=True)
    return None


def refusal(plan: Plan, breaches: Sequence[str]) -> str:
    """The message of a refusal: the numbers, the limits, and both ways out."""
    return (
        f"The plan for {plan.key} was refused and nothing was sent: {'; '.join(breaches)}. To apply exactly this plan "
        f'once: approve="{plan.digest}". To change a limit for good, set the parameter named beside it.'
    )


def _name(digest: str) -> str:
    return f"plans/{digest.rpartition(':')[2]}"
