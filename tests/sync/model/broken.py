"""Engines with one deliberate fault each, which the model test must find."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow_segments_provider.errors import LedgerError, RejectedRequest
from airflow_segments_provider.sources import limits
from airflow_segments_provider.sync import apply, approvals, guard, plan, staging
from airflow_segments_provider.sync import engine as sync
from airflow_segments_provider.sync.apply import Sending
from airflow_segments_provider.sync.engine import Sync, Synced
from airflow_segments_provider.sync.ledger import history, ledger, ownership, state
from airflow_segments_provider.sync.ledger.history import manifest_name
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement
from airflow_segments_provider.sync.ledger.names import PLANS
from airflow_segments_provider.sync.ledger.timing import Timing, milliseconds
from airflow_segments_provider.sync.target import Applied
from tests.sync.model.weather import (
    CRASHES,
    DOUBTS,
    GUARDED,
    REJECTED,
    REPEATED,
    REPLACING,
    RESTORED,
    SUSPENDED,
    TOGETHER,
)
from tests.sync.model.worker import SourceBroke

Patch = Any


@dataclass(frozen=True)
class Broken:
    """A deliberate fault.

    :param weather: The weather in which the fault shows soon.
    """

    patch: Callable[[Patch], None]
    weather: dict[str, Any] = field(default_factory=dict)


def _in_actions(old: str, new: str, *, listed: bool = False) -> Callable[[Patch], None]:
    """Change the SQL by which a plan chooses a user's action."""

    def patch_it(patch: Patch) -> None:
        action = plan._action

        def broken(*given: Any, **named: Any) -> tuple[str, str]:
            actions, fresh = action(*given, **named)
            return (actions, fresh) if listed and not named["listed"] else (actions.replace(old, new), fresh)

        patch.setattr(plan, "_action", broken)

    return patch_it


def _in_rows(changes: Mapping[str, str]) -> Callable[[Patch], None]:
    """Change the SQL by which the ledger records users."""

    def patch_it(patch: Patch) -> None:
        put = state.Members.put

        def broken(self: Any, rows: str, *given: Any) -> None:
            for old, new in changes.items():
                rows = rows.replace(old, new)
            put(self, rows, *given)

        patch.setattr(state.Members, "put", broken)

    return patch_it


def _has(bits: int) -> str:
    return f"(coalesce(flags, 0) & {bits}) <> 0"


# Plans ---------------------------------------------------------------------------------------------------------------


def _always_mirrors(patch: Patch) -> None:
    make_plan = plan.make_plan

    def broken(members: Any, staged: Any, draft: Any, settings: Any, *given: Any, **named: Any) -> Any:
        return make_plan(members, staged, draft, settings.model_copy(update={"mode": "mirror"}), *given, **named)

    patch.setattr(sync, "make_plan", broken)


def _swallows_errors_of_sources(patch: Patch) -> None:
    stage = staging.stage

    def until_it_fails(source: Any) -> Any:
        with suppress(SourceBroke):
            yield from source

    patch.setattr(sync, "stage", lambda space, source, **named: stage(space, until_it_fails(source), **named))


def _counts_begun_work_again(patch: Patch) -> None:
    action = plan._action

    def broken(*given: Any, **named: Any) -> tuple[str, str]:
        actions, fresh = action(*given, **named)
        return actions, fresh.replace(f"ELSE NOT {_has(plan.REMOVING)}", "ELSE TRUE")

    patch.setattr(plan, "_action", broken)


# Open intents and doubts ---------------------------------------------------------------------------------------------


def _settles_at_once(patch: Patch) -> None:
    fold = state.fold
    patch.setattr(state, "fold", lambda *given, **named: fold(*given, **{**named, "settling": 0}))


def _forgets_open_intents(patch: Patch) -> None:
    def fold(self: Any, members: Any) -> bool:
        self._apply_notes(members)
        return False

    patch.setattr(Ledger, "_fold", fold)


def _trusts_open_intents(patch: Patch) -> None:
    """Treat unacknowledged requests as acknowledged."""
    fold = state.fold

    def trusting(members: Any, store: Any, batches: Any, acknowledged: Any, **named: Any) -> None:
        acknowledged, until = list(acknowledged), named.pop("open_until", None)
        answered = {answer.batch for answer in acknowledged}
        for batch in batches if until is not None else ():
            if batch.name not in answered:
                place = {"kind": batch.kind, "batch": batch.name, "users": batch.users}
                acknowledged.append(Acknowledgement(generation=1, token="-", sent_at=until, **place))
        fold(members, store, batches, acknowledged, **named)

    patch.setattr(state, "fold", trusting)


def _dates_doubts_by_the_other_run(patch: Patch) -> None:
    fold = Ledger._fold

    def dated(self: Any, members: Any) -> bool:
        clock, manifest = self.clock, self.head.manifest
        if manifest:
            self.clock = lambda: manifest.written_at - milliseconds(self.request_timeout)
        try:
            return fold(self, members)
        finally:
            self.clock = clock

    patch.setattr(Ledger, "_fold", dated)


def _ignores_skew(patch: Patch) -> None:
    settling = Timing.settling
    patch.setattr(Timing, "settling", lambda self, timeout: settling(self, timeout) - milliseconds(self.skew))


def _forgets_lost_answers(patch: Patch) -> None:
    acknowledge = Sending._acknowledge
    patch.setattr(Sending, "_acknowledge", lambda *given, **named: acknowledge(*given, **{**named, "in_doubt": False}))


# Rejections ----------------------------------------------------------------------------------------------------------


def _forgets_lost_tries_of_rejections(patch: Patch) -> None:
    record = Sending._record
    patch.setattr(Sending, "_record", lambda *given, **_: record(*given))


def _loses_rejections(patch: Patch) -> None:
    record = Sending._record

    def broken(self: Any, kind: Any, batch: Any, start: Any, ids: Any, answer: Any, **_: Any) -> None:
        lost = answer.maybe_done if isinstance(answer, RejectedRequest) else answer.in_doubt
        record(self, kind, batch, start, ids, Applied(in_doubt=lost))

    patch.setattr(Sending, "_record", broken)


def _stops_at_rejections(patch: Patch) -> None:
    record = Sending._record

    def broken(self: Any, kind: Any, batch: Any, start: Any, ids: Any, answer: Any, **doubt: Any) -> None:
        record(self, kind, batch, start, ids, answer, **doubt)
        if isinstance(answer, RejectedRequest) and len(ids) == 1:
            raise answer

    patch.setattr(Sending, "_record", broken)


def _clears_rejected(patch: Patch) -> None:
    fold = state.fold

    def clearing(members: Any, *given: Any, **named: Any) -> None:
        fold(members, *given, **named)
        members.put("SELECT * REPLACE (false AS owned, NULL AS uncertain) FROM known WHERE rejected IS NOT NULL")

    patch.setattr(state, "fold", clearing)


def _retries_first(patch: Patch) -> None:
    run = Sending.run
    patch.setattr(Sending, "run", lambda self, batches: run(self, sorted(batches, key=lambda batch: not batch.retry)))


def _retries_in_large_batches(patch: Patch) -> None:
    retries = plan.retries

    def large(members: Any, action: Any, limit: int) -> Iterator[tuple[int, list[str]]]:
        for _, ids in retries(members, action, limit):
            yield limit, ids

    patch.setattr(plan, "retries", large)
    patch.setattr(apply, "retries", large)


# Replacements --------------------------------------------------------------------------------------------------------


def _drops_rejected_replacements(patch: Patch) -> None:
    answer, commit = Sending._answer, Ledger.commit

    def goes_on(self: Any, *given: Any) -> Any:
        kind, answered = answer(self, *given)
        if kind == "replace" and isinstance(answered, RejectedRequest):
            self.replacing = False
        return kind, answered

    def dropping(self: Any, *given: Any, **named: Any) -> None:
        self._change(replacement=None)
        commit(self, *given, **named)

    patch.setattr(Sending, "_answer", goes_on)
    patch.setattr(Ledger, "commit", dropping)


def _forgets_pending_replacements(patch: Patch) -> None:
    draft = Sync.draft

    def forgetting(self: Any, held: Any) -> Any:
        found = draft(self, held)
        return found if self.settings.replace else dataclasses.replace(found, replacement="", replacing=False)

    patch.setattr(Sync, "draft", forgetting)


def _replaces_by_difference(patch: Patch) -> None:
    draft = Sync.draft
    patch.setattr(Sync, "draft", lambda self, held: dataclasses.replace(draft(self, held), replacing=False))


def _does_not_write_down_replacements(patch: Patch) -> None:
    begin = Ledger.begin

    def silently(self: Any, members: Any, batches: Any, *, replacement: Any, **named: Any) -> None:
        replacement = replacement or self.state.replacement
        self._change(replacement=None)
        begin(self, members, batches, replacement=None, **named)
        self._change(replacement=replacement)

    patch.setattr(Ledger, "begin", silently)


def _leaves_the_members_of_an_empty_source(patch: Patch) -> None:
    patch.setattr(Sending, "_empty_segment", lambda self: None)


def _does_not_fence(patch: Patch) -> None:
    patch.setattr(Ledger, "_fence", lambda self, members: self._change(replacement="a lost ledger"))
    patch.setattr(Ledger, "_wait_for_replacement", lambda self: self._change(replacement_sent=None))


def _does_not_wait_after_a_replacement(patch: Patch) -> None:
    acknowledge = Sending._acknowledge

    def at_once(self: Any, kind: Any, batch: Any, *, in_doubt: bool = False, **answer: Any) -> None:
        acknowledge(self, kind, batch, in_doubt=in_doubt and kind != "replace", **answer)

    patch.setattr(Sending, "_acknowledge", at_once)


def _does_not_guard_replacements(patch: Patch) -> None:
    breaches = guard.breaches

    def broken(made: Any, *given: Any) -> list[str]:
        return breaches(dataclasses.replace(made, new={**made.new, "remove": 0}) if made.replacement else made, *given)

    patch.setattr(sync, "breaches", broken)


# Time ----------------------------------------------------------------------------------------------------------------


def _reads_first(patch: Patch) -> None:
    run = Sync.run

    def early(self: Any) -> Synced:
        self.source = list(self.source)
        return run(self)

    patch.setattr(Sync, "run", early)


def _takes_any_age(patch: Patch) -> None:
    patch.setattr(ownership, "check_age", lambda *given: None)


def _believes_the_future(patch: Patch) -> None:
    patch.setattr(Sync, "_as_of", lambda self, now: now if self.as_of is None else self.as_of)


def _commits_the_approvers_time(patch: Patch) -> None:
    approved = Sync.approved

    def broken(self: Any, held: Any) -> Any:
        found, notices = approved(self, held)
        return found and dataclasses.replace(found, as_of=self._as_of(held.clock())), notices

    patch.setattr(Sync, "approved", broken)


def _commits_no_unchanged_run(patch: Patch) -> None:
    commit = Sync.commit

    def silent(self: Any, held: Any, members: Any, made: Any, *given: Any) -> Synced:
        if made.sends:
            return commit(self, held, members, made, *given)
        counts = {**made.counts, "applied": 0, "rejected": 0, "unconfirmed": 0, "deferred": 0}
        return Synced(made, "unchanged", counts)

    patch.setattr(Sync, "commit", silent)


# The witness ---------------------------------------------------------------------------------------------------------


def _with_witness(seen: Callable[[Any], Any], writes: Callable[[Any], bool] = lambda seen: True) -> Any:
    """Replace the witness of each ledger."""
    set_up = Ledger.__post_init__

    def broken(self: Any) -> None:
        set_up(self)
        witness = self.witness
        self.witness = SimpleNamespace(read=lambda: seen(witness.read()), write=witness.write)

    return broken


def _asks_no_witness(patch: Patch) -> None:
    patch.setattr(Ledger, "__post_init__", _with_witness(lambda seen: None))


def _forgets_the_witnessed_time(patch: Patch) -> None:
    patch.setattr(Ledger, "__post_init__", _with_witness(lambda seen: seen and dataclasses.replace(seen, as_of=None)))


def _while_writing(change: Callable[[Any, Any, Any], Any]) -> Callable[[Patch], None]:
    """Replace the witness while a generation is written."""

    def patch_it(patch: Patch) -> None:
        write = Ledger._write

        def broken(self: Any, members: Any, *, intent: Any = None, **named: Any) -> None:
            witness = self.witness
            self.witness = change(self, witness, intent)
            try:
                write(self, members, intent=intent, **named)
            finally:
                self.witness = witness

        patch.setattr(Ledger, "_write", broken)

    return patch_it


def _witness_late(held: Any, witness: Any, intent: Any) -> Any:
    return SimpleNamespace(read=witness.read, write=(lambda seen: None) if intent else witness.write)


def _no_second_look(held: Any, witness: Any, intent: Any) -> Any:
    return SimpleNamespace(read=lambda: None, write=witness.write)


def _numbers_anew(held: Any, witness: Any, intent: Any) -> Any:
    held._newest = held.head.generation
    return _no_second_look(held, witness, intent)


# Workers that are suspended ------------------------------------------------------------------------------------------


def _renews_expired_leases(patch: Patch) -> None:
    check = Ledger.check

    def renewing(self: Any) -> None:
        self._lease_until = max(self._lease_until, self.clock() + 1)
        check(self)

    patch.setattr(Ledger, "check", renewing)


def _does_not_look_again(patch: Patch) -> None:
    """Between requests, assume that the own intent is the newest."""
    check, newest = Ledger.check, history.newest_generation
    patch.setattr(ledger, "newest_generation", lambda store: getattr(store, "believed", None) or newest(store))

    def believing(self: Any) -> None:
        self.store.believed = self.head.generation
        try:
            check(self)
        finally:
            self.store.believed = None

    patch.setattr(Ledger, "check", believing)


class _Whatever:
    """A number that equals every other."""

    def __eq__(self, other: object) -> bool:
        return True

    def __gt__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def _commits_over_others(patch: Patch) -> None:
    """Overwrite an existing generation."""

    def create(self: Any, name: str, content: bytes) -> bool:
        self.store.files.pop(name, None)
        return bool(self.store.create(name, content))

    patch.setattr(Ledger, "_create", create)
    patch.setattr(ledger, "newest_generation", lambda store: _Whatever())
    _while_writing(_no_second_look)(patch)


def _goes_on_with_what_was_restored(patch: Patch) -> None:
    """Do not check whether the opened generation still exists."""
    write = Ledger._write

    def blindly(self: Any, *given: Any, **named: Any) -> None:
        self._listed = _Whatever()
        write(self, *given, **named)

    patch.setattr(Ledger, "_write", blindly)


def _looks_at_the_witness_before_only(patch: Patch) -> None:
    """Do not read the witness again after writing a generation."""
    look = Ledger._is_witnessed

    def first_look(self: Any, generation: int) -> bool:
        return self.store.read(manifest_name(generation)) is None and look(self, generation)

    patch.setattr(Ledger, "_is_witnessed", first_look)


# Approvals -----------------------------------------------------------------------------------------------------------


def _digest_of_counts(patch: Patch) -> None:
    def digest_of(made: Any, path: Any) -> str:
        return f"sha256:{hashlib.sha256(made.header).hexdigest()}"

    patch.setattr(plan, "digest_of", digest_of)
    patch.setattr(approvals, "digest_of", digest_of)


def _approves_for_ever(patch: Patch) -> None:
    """Apply an approved plan, whatever the generation."""

    def load(held: Any, workspace: Any, key: Any, digest: str | None, by: str) -> Any:
        store = held.store
        wanted = [digest.rpartition(":")[2]] if digest else [name[-64:] for name in approvals.approved(store)]
        for name in store.names(PLANS):
            stem = name.removesuffix(".json")
            if name != stem and stem[-64:] in wanted:
                made = approvals._read(store.read(f"{PLANS}/{name}"), name).plan
                path = workspace.folder / "approved.txt"
                if not store.fetch(f"{PLANS}/{stem}.txt", path):
                    raise LedgerError("damaged")
                plan.read_actions(workspace, made, path)
                return dataclasses.replace(made, digest=f"sha256:{stem[-64:]}", approved_by=by)
        return None

    patch.setattr(approvals, "load", load)


def _lets_an_empty_mirror_finish_anything(patch: Patch) -> None:
    breaches = guard.breaches

    def broken(made: Any, settings: Any, interrupted: Any = None, latest: Any = None) -> list[str]:
        if interrupted:
            changed = {"mode": "mirror", "counts": {**interrupted.counts, "wanted": 0}}
            latest = interrupted.model_copy(update=changed)
        return breaches(made, settings, interrupted, latest)

    patch.setattr(sync, "breaches", broken)


BROKEN: dict[str, Broken] = {
    "does not add again users who are uncertain": Broken(_in_actions(f" OR {_has(plan.UNCERTAIN)})", ")"), DOUBTS),
    "takes a list for proof that a user is no member": Broken(
        _in_actions("WHEN ((coalesce(flags, 0) & 3) <> 0", "WHEN ((coalesce(flags, 0) & 3) <> 0 AND live", listed=True),
        {"lists": True, "blind": 0.4, "lost": 0.0, "max_removals": None, "removed": 1.0},
    ),
    "settles a doubt by any acknowledgement": Broken(_settles_at_once, DOUBTS),
    "forgets what a run that died had begun": Broken(_forgets_open_intents, CRASHES),
    "takes what was begun for done": Broken(_trusts_open_intents, CRASHES),
    "takes rejected users for members": Broken(_loses_rejections, REJECTED),
    "forgets that an answer was lost": Broken(_forgets_lost_answers, {**DOUBTS, "tries": 4}),
    "forgets that an answer was lost if the repeat was rejected": Broken(_forgets_lost_tries_of_rejections, REPEATED),
    "makes a mirror of every run": Broken(_always_mirrors),
    "takes a source that failed for a short one": Broken(_swallows_errors_of_sources, {"breaks": 0.2}),
    "writes over another run's ledger": Broken(_commits_over_others, TOGETHER),
    "drops a replacement that was rejected": Broken(_drops_rejected_replacements, {**REPLACING, **REJECTED}),
    "forgets a replacement that is pending": Broken(_forgets_pending_replacements, {**REPLACING, **CRASHES}),
    "replaces by a difference where nothing is listed": Broken(_replaces_by_difference, REPLACING),
    "does not write down that a replacement is pending": Broken(
        _does_not_write_down_replacements, {**REPLACING, **CRASHES, "lists": True}
    ),
    "leaves the members where a replacement wants none": Broken(
        _leaves_the_members_of_an_empty_source, {**REPLACING, "empty": 0.6}
    ),
    "does not fence a replacement of unknown outcome": Broken(
        _does_not_fence, {**REPLACING, **DOUBTS, "again": 0.1, "pauses": (0, 1), "prompt": 0.0}
    ),
    "does not wait after a replacement that was tried twice": Broken(
        _does_not_wait_after_a_replacement, {**REPLACING, **DOUBTS, "replace_tries": 3, "tries": 4}
    ),
    "does not guard replacements": Broken(_does_not_guard_replacements, {**REPLACING, **GUARDED}),
    "stops at a rejected user": Broken(_stops_at_rejections, REJECTED),
    "takes a rejected user for no member": Broken(_clears_rejected, {**REJECTED, **DOUBTS, "tries": 3}),
    "retries before it removes": Broken(_retries_first, REJECTED),
    "retries in batches as large as the rejected one": Broken(_retries_in_large_batches, REJECTED),
    "reads the source before it opens the ledger": Broken(_reads_first, SUSPENDED),
    "takes data of any age": Broken(_takes_any_age),
    "takes data for that of a time to come": Broken(_believes_the_future, {"future": 0.3}),
    "commits the time of who approves": Broken(_commits_the_approvers_time, GUARDED),
    "commits no unchanged run": Broken(_commits_no_unchanged_run, {"older": 0.5}),
    "asks no witness": Broken(_asks_no_witness, RESTORED),
    "writes the witness when it commits only": Broken(_while_writing(_witness_late), {**RESTORED, **CRASHES}),
    "looks at the witness once": Broken(
        _while_writing(_no_second_look),
        {**RESTORED, **TOGETHER, "again": 0.1, "hang": 0.03, "restored": 0.2, "copied": 0.2},
    ),
    "begins to number anew": Broken(_while_writing(_numbers_anew), {**RESTORED, "asks": 0.5}),
    "forgets the time that the witness has": Broken(
        _forgets_the_witnessed_time,
        {**RESTORED, "lists": True, "asks": 0.6, "older": 0.6, "again": 0.1, "restored": 0.1, "pauses": (0, 5, 30)},
    ),
    "goes on with a ledger that was restored": Broken(_goes_on_with_what_was_restored, {**RESTORED, **SUSPENDED}),
    "looks at the witness before it writes only": Broken(
        _looks_at_the_witness_before_only,
        {**RESTORED, "again": 0.1, "older": 0.6, "restored": 0.3, "turns": (1, 3, 10), "loss": True},
    ),
    "renews a lease that has ended": Broken(_renews_expired_leases, SUSPENDED),
    "does not look again whether it was overtaken": Broken(
        _does_not_look_again, {**SUSPENDED, "gaps": False, "again": 0.9}
    ),
    "sends however long ago it looked": Broken(
        lambda patch: patch.setattr(Ledger, "check_try", lambda self: None), {**SUSPENDED, "gaps": False}
    ),
    "writes no note of a late request": Broken(
        lambda patch: patch.setattr(Ledger, "note", lambda *given: None), {**SUSPENDED, "gaps": True}
    ),
    "dates doubts by the other run": Broken(
        _dates_doubts_by_the_other_run,
        {
            **DOUBTS,
            "lost": 0.6,
            "tries": 9,
            "tick": 0.1,
            "limit": 1,
            "again": 0.9,
            "corrected": 0.8,
            "die": 0.02,
            "turns": (400,),
            "pauses": (0, 1),
        },
    ),
    "takes all clocks for the same": Broken(_ignores_skew, {**DOUBTS, "replace_tries": 3, "asks": 0.3}),
    "counts begun removals again": Broken(_counts_begun_work_again, {**GUARDED, **CRASHES, "loss": False}),
    "counts acknowledged removals again": Broken(
        _in_rows({"NOT done OR kind = 'remove'": "NOT done"}), {**GUARDED, **DOUBTS, "loss": False, "gaps": False}
    ),
    "lets accepted removals pass for ever": Broken(
        _in_rows(
            {
                "kind = 'remove' THEN kind END AS pending": "kind = 'remove' THEN kind ELSE pending END AS pending",
                "CASE WHEN action = 'gone' THEN pending END AS pending": "pending",
            }
        ),
        {**DOUBTS, **GUARDED},
    ),
    "lets an empty mirror finish another plan": Broken(
        _lets_an_empty_mirror_finish_anything,
        {**CRASHES, "other_mode": 0.6, "empty": 0.6, "removed": 1.0, "max_removals": None, "again": 0.9, "undo": 0.0},
    ),
    "takes a source with many invalid rows": Broken(
        lambda patch: patch.setattr(limits, "FEW_USERS", 1_000), {"invalid": 0.4}
    ),
    "takes counts for a digest": Broken(
        _digest_of_counts, {**GUARDED, "approves": 0.1, "stale": 0.6, "corrected": 0.9, "again": 0.8}
    ),
    "applies an approved plan to any generation": Broken(_approves_for_ever, {**GUARDED, "stale": 0.3}),
}
