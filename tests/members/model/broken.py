"""The engine, broken on purpose in one place each: what the model test is worth."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from airflow_segments_provider.members import apply as sending
from airflow_segments_provider.members import plan, sync
from airflow_segments_provider.members.ledger import ledger, state
from airflow_segments_provider.members.ledger.manifest import Acknowledgement
from tests.members.model.world import SourceBroke


def _never_again(patch: Any) -> None:
    action = plan._action
    patch.setattr(plan, "_action", lambda *given: action(*given).replace("TRUE OR doubtful", "TRUE"))


def _believes_lists(patch: Any) -> None:
    action = plan._action

    def broken(rules: Any, listed: bool) -> str:
        found = action(rules, listed)
        return found.replace("(vouched OR doubtful)", "live") if listed else found

    patch.setattr(plan, "_action", broken)


def _settles_at_once(patch: Any) -> None:
    fold = state.fold
    patch.setattr(state, "fold", lambda *given, **named: fold(*given, **{**named, "settle_after": 0}))


def _forgets_open_intents(patch: Any) -> None:
    patch.setattr(ledger.Ledger, "_fold_open", lambda *given: None)


def _trusts_open_intents(patch: Any) -> None:
    """Takes what was intended for done."""

    def fold_open(self: Any, workspace: Any, intent: Any) -> None:
        batches = intent.body.batches
        done = {batch.name: _acknowledged(self, intent, batch) for batch in batches}
        self.fold(workspace, batches, done, in_doubt=0)

    patch.setattr(ledger.Ledger, "_fold_open", fold_open)


def _acknowledged(held: Any, intent: Any, batch: Any) -> Any:
    return Acknowledgement(
        generation=intent.generation, batch=batch.name, sha256=batch.sha256, token="", acknowledged_at=held.clock()
    )


def _loses_rejections(patch: Any) -> None:
    send = sending._send
    patch.setattr(sending, "_send", lambda *given: replace(send(*given), rejected={}))


def _forgets_lost_answers(patch: Any) -> None:
    send = sending._send
    patch.setattr(sending, "_send", lambda *given: replace(send(*given), in_doubt=False))


def _always_mirrors(patch: Any) -> None:
    action = plan._action
    patch.setattr(plan, "_action", lambda rules, *given: action(replace(rules, mode="mirror"), *given))


def _swallows_errors_of_sources(patch: Any) -> None:
    stage = sync.stage  # type: ignore[attr-defined]

    def until_it_fails(source: Any) -> Any:
        with suppress(SourceBroke):
            yield from source

    patch.setattr(sync, "stage", lambda space, source, **named: stage(space, until_it_fails(source), **named))


def _commits_over_others(patch: Any) -> None:
    """Writes a generation that is there."""

    def create(self: Any, name: str, content: bytes) -> bool:
        self.store.create(name, content)
        self.store.files[name] = content
        return True

    patch.setattr(ledger.Ledger, "_create", create)
    patch.setattr(ledger.Ledger, "check_held", lambda self: None)
    patch.setattr(ledger.Ledger, "_check_follows", lambda *given: None)


BROKEN: dict[str, Callable[[Any], None]] = {
    "does not add again whom it is in doubt about": _never_again,
    "takes a list for proof that somebody is out": _believes_lists,
    "settles a doubt by any answer": _settles_at_once,
    "forgets what a run that died had begun": _forgets_open_intents,
    "takes what was begun for done": _trusts_open_intents,
    "takes refused people for members": _loses_rejections,
    "forgets that an answer was lost": _forgets_lost_answers,
    "makes a mirror of every run": _always_mirrors,
    "takes a source that failed for a short one": _swallows_errors_of_sources,
    "writes over another run's ledger": _commits_over_others,
}
