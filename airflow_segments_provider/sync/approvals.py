"""Plans that the guard rejected, kept so that exactly one of them can be approved."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import ConfigDict

from airflow_segments_provider.errors import LedgerError, PlanRefused, SegmentsError
from airflow_segments_provider.sync.ledger.history import generation_of
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import File
from airflow_segments_provider.sync.ledger.names import (
    APPROVAL,
    APPROVALS,
    ENDING,
    PLAN,
    PLANS,
    REPORTS,
    Generation,
    Moment,
    PlanDigest,
    Text,
    text,
)
from airflow_segments_provider.sync.ledger.store import Store, named
from airflow_segments_provider.sync.ledger.timing import milliseconds, moment
from airflow_segments_provider.sync.plan import ACTIONS_FILE, Plan, digest_of, read_actions
from airflow_segments_provider.sync.target import SegmentKey
from airflow_segments_provider.sync.workspace import Workspace

logger = logging.getLogger(__name__)


class KeptPlan(File):
    """A plan, the limits that it exceeds, and when it was kept."""

    model_config = ConfigDict(defer_build=True)

    plan: Plan
    breaches: tuple[Text, ...]
    kept_at: Moment


class Approval(File):
    """A user's decision that a plan may be applied, once.

    :param by: the user; ``at``: when.
    """

    digest: PlanDigest
    generation: Generation
    by: Text
    at: Moment


class Ending(File):
    """The end of an approval, by a run that is about to apply the plan, or by a user who withdraws it.

    :param by: the run or the user; ``at``: when.
    """

    withdrawn: bool
    by: Text
    at: Moment


Decision = TypeVar("Decision", Approval, Ending)


def keep(ledger: Ledger, workspace: Workspace, plan: Plan, breaches: Sequence[str]) -> None:
    """Write the plan and its users beside the ledger, and delete old ones."""
    delete_old(ledger)
    name = _name(plan.generation, plan.digest)
    content = KeptPlan(plan=plan, breaches=tuple(breaches), kept_at=ledger.clock()).encoded
    # The users first: a plan that can be read can be applied.
    ledger.store.put(f"{PLANS}/{name}.txt", workspace.folder / ACTIONS_FILE)
    if not ledger.store.create(f"{PLANS}/{name}.json", content):
        # The same plan, from newer data.
        ledger.store.put(f"{PLANS}/{name}.json", workspace.write("kept.json", content))


def delete_old(ledger: Ledger) -> None:
    """Delete old plans and reports, also if no commit ever replaces them."""
    before, store = ledger.clock() - milliseconds(ledger.timing.keep), ledger.store
    try:
        for name in named(store, PLANS, PLAN):
            if _written(store.read(f"{PLANS}/{name}"), "kept_at", before):
                # The users last: a plan that can be read can be applied.
                store.delete(f"{PLANS}/{name}")
                store.delete(f"{PLANS}/{name.removesuffix('.json')}.txt")
        for name in store.folders(REPORTS):
            if _written(store.read(f"{REPORTS}/{name}/plan.json"), "written_ms", before):
                store.delete_folder(f"{REPORTS}/{name}")
    except SegmentsError:
        logger.warning("Old plans and reports of the ledger of %s could not be deleted.", ledger.title)


def _written(content: bytes | None, name: str, before: int) -> bool:
    """Return whether a file was written until then, by the time in it."""
    try:
        return content is not None and json.loads(content)[name] <= before
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def approve(ledger: Ledger, digest: str, by: str) -> Approval:
    """Let the next run apply a plan, once; a later generation of the ledger invalidates it.

    :return: the approval; an earlier one of the same plan stays.
    """
    store, name = ledger.store, _name(ledger.head.generation, digest)
    ended = read_ending(store, name)
    if ended and ended.withdrawn:
        store.delete(f"{APPROVALS}/{name}.json")
        store.delete(f"{APPROVALS}/{name}{ENDING}")
    approval = Approval(digest=digest, generation=ledger.head.generation, by=text(by), at=ledger.clock())
    store.create(f"{APPROVALS}/{name}.json", approval.encoded)
    return read_approval(store, name) or approval


def withdraw(ledger: Ledger, digest: str, by: str) -> Ending:
    """Let no run apply a plan, also not by an argument, until it is approved again.

    :return: the end that counts: a run may have taken the approval before.
    """
    return _end(ledger, digest, by, withdrawn=True)


def take(ledger: Ledger, plan: Plan) -> None:
    """Take the approval of a plan, right before its intent is written: from then on, it cannot be withdrawn.

    :raises PlanRefused: it was withdrawn.
    """
    ended = _end(ledger, plan.digest, ledger.writer.run, withdrawn=False)
    if ended.withdrawn:
        raise PlanRefused(
            f"The approval of the plan {plan.digest} for {plan.key} was withdrawn by {ended.by} at {moment(ended.at)}. "
            "Nothing was sent. Run the task again; it makes a new plan.",
            digest=plan.digest,
        )


def _end(ledger: Ledger, digest: str, by: str, *, withdrawn: bool) -> Ending:
    """End an approval. The file is created exclusively, so an approval is either taken or withdrawn."""
    name = _name(ledger.head.generation, digest)
    ending = Ending(withdrawn=withdrawn, by=text(by), at=ledger.clock())
    ledger.store.create(f"{APPROVALS}/{name}{ENDING}", ending.encoded)
    return read_ending(ledger.store, name) or ending


def digests(approve: object) -> list[str]:
    """Return the digests in the argument ``approve``: a text, a list, or a list as a template renders it."""
    return [digest for digest in re.findall(r"[^\s,'\"\[\]()]+", str(approve)) if digest != "None"]


def kept_digest(store: Store, wanted: Sequence[str]) -> str | None:
    """Return the digest whose plan this ledger keeps, of several the newest; None where it keeps none of them."""
    names = sorted(named(store, PLANS, PLAN), reverse=True)
    kept_here = (f"sha256:{name.partition('-')[2].removesuffix('.json')}" for name in names)
    return next((digest for digest in kept_here if digest in wanted), None)


def load(ledger: Ledger, workspace: Workspace, key: SegmentKey, digest: str | None, by: str) -> Plan | None:
    """Return the approved plan, and make the table ``actions`` of its users.

    Of several approved plans, the one with the newest data is taken: it invalidates the others.

    :param digest: an argument of the run; None to read the approvals beside the ledger.
    :param by: the user of that argument.
    :return: None where no plan is approved, or the ledger has changed since.
    :raises LedgerError: the stored plan does not have that digest, or a file is damaged.
    """
    generation, store = ledger.head.generation, ledger.store
    names = [_name(generation, digest)] if digest else approved(store)
    found = list[tuple[str, Plan, str]]()
    for name in (name for name in names if generation_of(name) == generation):
        content, ended = store.read(f"{PLANS}/{name}.json"), read_ending(store, name)
        if content is None or (ended and ended.withdrawn):
            continue
        stored, approval = _read(content, name), None if digest else read_approval(store, name)
        plan = replace(stored.plan, key=key, kept_at=stored.kept_at)
        # A plan that was made before a replacement was requested would leave it pending.
        holds = plan.notes == ledger.state.notes and (plan.pending or not ledger.state.replacement)
        if holds and (digest or approval):
            found.append((name, plan, f"{approval.by} at {moment(approval.at)}" if approval else by))
    if not found:
        return None
    name, plan, by = max(found, key=lambda one: (one[1].as_of, one[0]))
    path = workspace.folder / "approved.txt"
    if not store.fetch(f"{PLANS}/{name}.txt", path):
        return None
    expected = f"sha256:{name.partition('-')[2]}"
    same = digest_of(plan, path) == expected and plan.generation == generation
    if not same or not read_actions(workspace, plan, path):
        raise LedgerError(
            f"The approved plan {expected} is not what is kept in {PLANS}/{name}: a file was changed or is damaged. "
            "Nothing was sent. Delete both files, run the task again without the approval, and approve the new plan."
        )
    return replace(plan, digest=expected, approved_by=text(by), as_of=min(plan.as_of, ledger.clock()))


def approved(store: Store) -> list[str]:
    """Return the names of all approvals by generation; a plan's files have the same name."""
    return [name.removesuffix(".json") for name in named(store, APPROVALS, APPROVAL)]


def read_approval(store: Store, name: str) -> Approval | None:
    """Read an approval; None where there is none.

    :raises LedgerError: it is damaged.
    """
    read = _decided(store, Approval, f"{APPROVALS}/{name}.json")
    if read and _name(read.generation, read.digest) != name:
        raise _damaged(f"{APPROVALS}/{name}.json")
    return read


def read_ending(store: Store, name: str) -> Ending | None:
    """Read the end of an approval; None where it has not ended.

    :raises LedgerError: it is damaged.
    """
    return _decided(store, Ending, f"{APPROVALS}/{name}{ENDING}")


def _decided(store: Store, form: type[Decision], name: str) -> Decision | None:
    content = store.read(name)
    try:
        return form.decode(content) if content is not None else None
    except ValueError:
        raise _damaged(name) from None


def _damaged(name: str) -> LedgerError:
    return LedgerError(
        f"{name} is damaged. Nothing was sent. Delete the files of that name in `{APPROVALS}`, and approve the plan "
        "again."
    )


def kept(store: Store) -> list[KeptPlan]:
    """Return the stored plans by generation; only those of the newest can still be applied."""
    names = named(store, PLANS, PLAN)
    found = [(name, store.read(f"{PLANS}/{name}")) for name in names]
    return [_read(content, name) for name, content in found if content is not None]


def _read(content: bytes, name: str) -> KeptPlan:
    try:
        return KeptPlan.decode(content)
    except ValueError:
        raise LedgerError(
            f"{PLANS}/{name} is damaged. Nothing was sent. Delete it; the next run that is refused keeps its plan anew."
        ) from None


def _name(generation: int, digest: str) -> str:
    return f"{generation:012d}-{digest.rpartition(':')[2]}"
