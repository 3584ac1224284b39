"""The engine and its targets with one deliberate fault each in listing members, which :mod:`.listing` must find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_segments_provider.sources.ids import as_is
from airflow_segments_provider.sync import engine, listing
from airflow_segments_provider.sync import identify as identities
from airflow_segments_provider.sync.apply import Sending
from airflow_segments_provider.sync.engine import Sync
from airflow_segments_provider.sync.ledger.identities import Identities
from airflow_segments_provider.sync.target import Applied
from airflow_segments_provider.targets.alteryx import AlteryxTarget
from airflow_segments_provider.targets.docebo import DoceboTarget
from airflow_segments_provider.targets.zendesk import ZendeskTarget
from tests.sync.model.sandboxes import Identity

Patch = Any


def _forgets_unlisted_members(patch: Patch) -> None:
    read = listing.read_list

    def trusting(members: Any, *given: Any) -> int:
        unknown = read(members, *given)
        members.put(
            f"SELECT * REPLACE (false AS owned, NULL AS uncertain) FROM known ANTI JOIN {listing.LIVE} USING (id)"
        )
        return unknown

    patch.setattr(engine, "read_list", trusting)


def _does_not_confirm(patch: Patch) -> None:
    patch.setattr(Sync, "confirm", lambda self, members, sending: 0)


def _takes_background_jobs_for_done(patch: Patch) -> None:
    change = DoceboTarget._change
    patch.setattr(DoceboTarget, "_change", lambda *given: Applied(in_doubt=change(*given).in_doubt and False))


def _believes_every_listed_addition(patch: Patch) -> None:
    def believing(members: Any, actions: str, background: str | None) -> None:
        confirm(members, actions, None)
        if background:
            members.put(
                f"SELECT known.* REPLACE (NULL AS uncertain) FROM acknowledged SEMI JOIN {listing.LIVE} USING (id) "
                f"SEMI JOIN {background} USING (id) JOIN known USING (id) WHERE kind = 'add'"
            )

    confirm = listing.confirm
    patch.setattr(engine, "confirm", believing)


def _never_looks_up_again(patch: Patch) -> None:
    identify = identities.identify

    def once(members: Any, staged: Any, target: Any, settings: Any, **named: Any) -> Any:
        settings = settings.model_copy(update={"identity_max_age": timedelta(days=3650)})
        return identify(members, staged, target, settings, **named)

    patch.setattr(engine, "identify", once)


def _keeps_who_is_not_found(patch: Patch) -> None:
    put = Identities.put

    def keeping(self: Any, kind: str, identities: Sequence[str], found: Any, now: int) -> None:
        earlier = self.workspace.rows("SELECT identity, id FROM identities WHERE kind = ? AND id NOT NULL", [kind])
        put(self, kind, identities, {**dict(earlier), **found}, now)

    patch.setattr(Identities, "put", keeping)


def _takes_old_addresses_for_their_earlier_users(patch: Patch) -> None:
    join = listing._join
    patch.setattr(listing, "_join", lambda members, target, since: join(members, target, 0))


def _looks_no_stranger_up(patch: Patch) -> None:
    patch.setattr(engine, "strangers_to_look_up", lambda members, *given, **named: 0)


def _writes_the_list_of_the_plan(patch: Patch) -> None:
    members, change = ZendeskTarget.members, ZendeskTarget.change

    def kept(self: Any) -> Any:
        for page in members(self):
            self.kept = frozenset(map(int, page))
            yield page

    def stale(self: Any, add: Sequence[str], remove: Sequence[str]) -> Applied:
        segment = self._api.segment

        def read_before(number: int) -> Any:
            return segment(number).model_copy(update={"added_user_ids": self.kept})

        self._api.segment = read_before
        try:
            return change(self, add, remove)
        finally:
            del self._api.segment

    patch.setattr(ZendeskTarget, "members", kept)
    patch.setattr(ZendeskTarget, "change", stale)


def _removes_first(patch: Patch) -> None:
    run = Sending.run

    def reversed_run(self: Any, batches: Any) -> Any:
        return run(self, sorted(batches, key=lambda batch: (bool(batch.retry), batch.kind != "remove")))

    patch.setattr(Sending, "run", reversed_run)


def _compares_ids_with_case(patch: Patch) -> None:
    patch.setattr(AlteryxTarget, "normalise", staticmethod(as_is))


def _compares_addresses_with_case(patch: Patch) -> None:
    patch.setattr(DoceboTarget, "identity_keys", staticmethod(as_is))


def _takes_partial_successes_for_whole_ones(patch: Patch) -> None:
    add = AlteryxTarget.add
    patch.setattr(AlteryxTarget, "add", lambda self, ids: Applied(in_doubt=add(self, ids).in_doubt))


def _removes_all_strangers(patch: Patch) -> None:
    plan = Sync.plan

    def all_of_them(self: Any, *given: Any, **named: Any) -> Any:
        self.settings = self.settings.model_copy(update={"removals": "all"})
        return plan(self, *given, **named)

    patch.setattr(Sync, "plan", all_of_them)


@dataclass(frozen=True)
class Broken:
    """A deliberate fault.

    :param vendor: The vendor, and ``identity``, with which it shows; ``chosen``: settings with which it shows soon.
    """

    patch: Callable[[Patch], None]
    vendor: str
    identity: Identity = "id"
    chosen: Mapping[str, Any] = field(default_factory=dict)


JOBS = {"background": 1.0, "pauses": (0, 1, 2, 5), "broken": 0.0, "tick": 0.0, "die": 0, "turns": (15, 15)}
MOVES = {"moves": 0.15, "max_age": 5, "pauses": (5, 20), "broken": 0.0}
BY_HAND = {"hand": 0.2, "broken": 0.0}

BROKEN: dict[str, Broken] = {
    "forgets members whom a list does not show": Broken(_forgets_unlisted_members, "alteryx", chosen={"blind": 0.5}),
    "does not confirm": Broken(_does_not_confirm, "docebo"),
    "takes background jobs for done": Broken(_takes_background_jobs_for_done, "docebo", chosen=JOBS),
    "believes that a job has added whoever is listed": Broken(_believes_every_listed_addition, "docebo", chosen=JOBS),
    "never looks up again": Broken(_never_looks_up_again, "zendesk", "email", MOVES),
    "keeps users who are not found any more": Broken(_keeps_who_is_not_found, "alteryx", "email", MOVES),
    "takes old addresses for their earlier users": Broken(
        _takes_old_addresses_for_their_earlier_users, "docebo", "email", MOVES
    ),
    "looks no stranger up": Broken(_looks_no_stranger_up, "docebo", "email", BY_HAND),
    "writes the list that the plan was made from": Broken(_writes_the_list_of_the_plan, "zendesk", chosen=BY_HAND),
    "removes before it adds": Broken(_removes_first, "alteryx"),
    "compares IDs with case": Broken(_compares_ids_with_case, "alteryx"),
    "compares addresses with case": Broken(_compares_addresses_with_case, "docebo", "email"),
    "takes partial successes for whole ones": Broken(_takes_partial_successes_for_whole_ones, "alteryx"),
    "removes strangers, too": Broken(_removes_all_strangers, "zendesk"),
}
