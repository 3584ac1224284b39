"""The requests of a plan: additions before removals, retries last; each acknowledged before the next is sent."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from airflow_segments_provider.errors import LedgerBusy, RejectedRequest, SyncIncomplete, VendorError
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, Action, Batch, RequestKind
from airflow_segments_provider.sync.ledger.names import text
from airflow_segments_provider.sync.ledger.state import Members, read_batch
from airflow_segments_provider.sync.ledger.store import Store
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.plan import ACTIONS, Plan, retries
from airflow_segments_provider.sync.target import Applied, Limits, Target

TOUCHED = "touched"

# After so many rejected requests of a run, no smaller requests follow: the remaining users count as rejected.
SPLIT_BUDGET = 500

# If the vendor accepts no request, and rejects so many users one by one, the users are not the reason.
MOST_REJECTED_ALONE = 20

logger = logging.getLogger(__name__)


def planned_batches(members: Members, limits: Limits, plan: Plan) -> Iterator[tuple[Action, int, int, str]]:
    """Yield the batches of a plan in the order of sending: action, size of a retry, number of users, their lines.

    Make the table ``touched``: the users, with the number of their batch from 0. A replacement sends current members
    first, so that they are outside the segment for the shortest time.
    """
    workspace, number = members.workspace, 0
    workspace.run(f"CREATE OR REPLACE TABLE {TOUCHED} (id VARCHAR, batch INTEGER, part INTEGER)")
    order = "ORDER BY new" if plan.replacing else ""
    sizes: dict[Action, int] = {"add": limits.adds, "remove": limits.removes}
    for kind, size in sizes.items():
        if not plan.counts[kind]:
            continue
        workspace.run(
            f"INSERT INTO {TOUCHED} SELECT id, {number} + (row_number() OVER ({order}) - 1) // {size}, 0 "
            f"FROM {ACTIONS} WHERE action = '{kind}'"
        )
        for _ in range(ceil(plan.counts[kind] / size)):
            # A list would take much longer to make.
            ids = f"SELECT count(*), string_agg(id, chr(10)) FROM {TOUCHED} WHERE batch = {number}"
            yield kind, 0, *workspace.one(ids)
            number += 1
    again: dict[str, Action] = {"again": "add", "remove_again": "remove"}
    for action, kind in again.items():
        for tried, users in retries(members, action, sizes[kind]) if plan.counts[action] else ():
            workspace.run(f"INSERT INTO {TOUCHED} SELECT unnest(?::VARCHAR[]), ?, 0", [users, number])
            yield kind, tried, len(users), "\n".join(users)
            number += 1


@dataclass(frozen=True)
class Progress:
    """The number of users whose requests are done."""

    done: int
    total: int


@dataclass
class Sending:
    """The requests of one intent.

    :param replacing: the first request that the vendor accepts replaces all members.
    :param check: raises where the run has to stop.
    :param members: returns the users whom the segment may have, as far as known.
    :ivar budget: how many rejected requests may still be followed by smaller ones.
    :ivar background: the numbers of the batches that the vendor continues in the background.
    :ivar uncertain: a request that sets all members was sent, and its outcome is unknown.
    """

    target: Target
    ledger: Ledger
    replacing: bool = False
    check: Callable[[], None] = lambda: None
    on_progress: Callable[[Progress], None] = lambda progress: None
    members: Callable[[], Sequence[str]] = tuple
    budget: int = field(default_factory=lambda: SPLIT_BUDGET)
    acknowledged: list[Acknowledgement] = field(default_factory=list)
    total: int = 0
    done: int = 0
    uncertain: bool = False
    background: set[int] = field(default_factory=set)
    _sent_at: int = 0
    _tried: bool = False
    # A request that sets all members was rejected, and an earlier try of it may still be carried out.
    _in_doubt: bool = False
    _kind: RequestKind = "add"
    _numbers: dict[str, int] = field(default_factory=dict)

    def run(self, batches: Sequence[Batch]) -> list[Acknowledgement]:
        """Send the batches, and return what the vendor acknowledged.

        :raises VendorError: a request failed, not because of its users. The others count as uncertain, and the next run
            sends them again.
        :raises LedgerBusy: a replacement was acknowledged, and an earlier try of it may still be carried out.
        :raises LedgerOvertaken: this run no longer holds the ledger.
        :raises SyncIncomplete: the vendor rejected every request that would have replaced all members.
        """
        self.total = sum(batch.users for batch in batches)
        self.target.before_try = self._before_try
        retried = set[Action]()
        self._numbers = {batch.name: number for number, batch in enumerate(batches)}
        for batch, ids in self._remaining(batches):
            if batch.retry:
                self._retry(batch, ids, at_least_one=batch.kind not in retried)
                retried.add(batch.kind)
            else:
                self._send(batch, ids)
        if self.replacing:
            self._empty_segment()
        return self.acknowledged

    def _remaining(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, list[str]]]:
        """Yield the batches with their IDs, except those that one request has changed together."""
        first = [batch for batch in batches if not batch.retry]
        kinds = [batch.kind for batch in first]
        if not self.target.limits.together or self.replacing or kinds != ["add", "remove"]:
            yield from _read_ahead(self.ledger.store, batches)
            return
        both = list(_read_ahead(self.ledger.store, first))
        if not self._send_together(both):
            yield from both
        yield from _read_ahead(self.ledger.store, [batch for batch in batches if batch.retry])

    def _send_together(self, both: Sequence[tuple[Batch, list[str]]]) -> bool:
        """Send an addition and a removal as one request; return False where the vendor rejects it."""
        added, removed = (ids for _, ids in both)
        try:
            applied = self._request("add", [*added, *removed], lambda: self.target.change(added, removed))
        except RejectedRequest:
            self.budget -= 1
            return False
        for batch, ids in both:
            rejected = {user: reason for user, reason in applied.rejected.items() if user in set(ids)}
            self._record(batch.kind, batch, 0, ids, replace(applied, rejected=rejected))
        return True

    def _send(self, batch: Batch, ids: Sequence[str]) -> None:
        """Send a batch; while the budget lasts, halve what is rejected, the largest part first."""
        waiting = deque([(0, ids, False)])
        while waiting:
            start, part, in_doubt = waiting.popleft()
            kind, answer = self._answer(batch, part)
            if isinstance(answer, RejectedRequest) and len(part) > 1 and self.budget > 0:
                middle, in_doubt = len(part) // 2, in_doubt or answer.in_doubt
                waiting += [(start, part[:middle], in_doubt), (start + middle, part[middle:], in_doubt)]
            else:
                self._record(kind, batch, start, part, answer, in_doubt=in_doubt)

    def _retry(self, batch: Batch, ids: Sequence[str], *, at_least_one: bool) -> None:
        """Retry rejected users: twice as many after each accepted request, half as many after a rejected one."""
        start, size = 0, batch.retry
        while start < len(ids) and (self.budget > 0 or self.replacing or at_least_one):
            part = ids[start : start + size]
            kind, answer = self._answer(batch, part)
            self._record(kind, batch, start, part, answer)
            size = max(1, size // 2) if isinstance(answer, RejectedRequest) else 2 * size
            start, at_least_one = start + len(part), False

    def _answer(self, batch: Batch, ids: Sequence[str]) -> tuple[RequestKind, Applied | RejectedRequest]:
        """Send users of a batch; a rejection reduces the budget."""
        kind: RequestKind = "replace" if self.replacing and batch.kind == "add" else batch.kind
        try:
            return kind, self._request(kind, ids)
        except RejectedRequest as error:
            self.budget -= 1
            return kind, error

    def _record(
        self,
        kind: RequestKind,
        batch: Batch,
        start: int,
        ids: Sequence[str],
        answer: Applied | RejectedRequest,
        *,
        in_doubt: bool = False,
    ) -> None:
        """Record the vendor's answer about users of a batch.

        :param in_doubt: a larger request was rejected, and an earlier try of it may still be carried out.
        """
        part: dict[str, Any] = {"start": start, "users": len(ids)}
        in_doubt = in_doubt or self._in_doubt
        if isinstance(answer, RejectedRequest):
            reason = f"status {answer.status}" if answer.status else "refused"
            self._acknowledge(kind, batch, in_doubt=in_doubt or answer.maybe_done, refused=reason, **part)
        else:
            if answer.background:
                self.background.add(self._numbers[batch.name])
            rejected = _reasons(answer.rejected)
            self._acknowledge(kind, batch, in_doubt=in_doubt or answer.in_doubt, rejected=rejected, **part)
        self.done += len(ids)
        self.on_progress(Progress(self.done, self.total))

    def _request(self, kind: RequestKind, ids: Sequence[str], send: Callable[[], Applied] | None = None) -> Applied:
        """Send one request; if it was sent too late for other runs to account for it, write a note at once.

        :param send: in place of the target's method of that kind.
        """
        self.check()
        self.ledger.check()
        self._sent_at = self.ledger.clock()
        kinds = {"add": self.target.add, "remove": self.target.remove, "replace": self.target.replace}
        self._kind, self._tried = kind, False
        self.uncertain = kind == "replace" or self.target.limits.together
        try:
            applied = send() if send else kinds[kind](ids)
        except Exception as error:
            self._note_if_late(kind, ids)
            maybe_done = not isinstance(error, VendorError) or error.maybe_done
            self._in_doubt = self._in_doubt or (
                self.uncertain and isinstance(error, RejectedRequest) and error.in_doubt
            )
            self.uncertain = self._in_doubt or (self.uncertain and maybe_done)
            if isinstance(error, VendorError) and not isinstance(error, RejectedRequest):
                error.add_hint(
                    f"{self.done:,} of {self.total:,} changes were acknowledged before it, and that is recorded. "
                    "Run the task again: it continues from there."
                )
            raise
        self._note_if_late(kind, ids)
        self.uncertain = False
        return applied

    def _note_if_late(self, kind: RequestKind, ids: Sequence[str]) -> None:
        if self.ledger.is_late():
            # A late write of the whole list brings back members who have left since.
            self.ledger.note(kind, [*ids, *self.members()] if self.target.limits.together else ids)

    def _before_try(self) -> None:
        try:
            self.check()
            self.ledger.check_try()
        except Exception:
            self.uncertain = self._in_doubt or (self.uncertain and self._tried)
            raise
        # Of several requests for one batch, the first counts: it was sent earliest.
        if self._kind not in self.target.limits.one_by_one:
            self._sent_at = self.ledger.clock()
        self._tried = True

    def _acknowledge(self, kind: RequestKind, batch: Batch | None, *, in_doubt: bool = False, **answer: Any) -> None:
        doubt = self.ledger.clock() if in_doubt else None
        acknowledged = self.ledger.acknowledge(kind, batch, sent_at=self._sent_at, in_doubt=doubt, **answer)
        self.acknowledged.append(acknowledged)
        if kind != "replace" or acknowledged.refused is not None:
            return
        self.replacing = False
        if acknowledged.in_doubt is not None:
            until = acknowledged.in_doubt + self.ledger.settling
            raise LedgerBusy(
                f"{self.ledger.title}: the members were replaced, but an earlier try of that request was not answered "
                f"and may still be carried out; it would undo what is sent before. It was sent by "
                f"{moment(acknowledged.in_doubt)}. Nothing further was sent. Run the task again after {moment(until)}: "
                "it continues from there.",
                until=until,
            )

    def _empty_segment(self) -> None:
        """Replace all members by no user: the plan has none, or the vendor rejected each of them alone.

        :raises SyncIncomplete: some users were not tried alone.
        """
        if any(answer.refused is not None and answer.users > 1 for answer in self.acknowledged):
            raise SyncIncomplete(
                "The vendor rejected every request that would have replaced the members, and the budget of "
                f"{SPLIT_BUDGET} rejected requests ended before each user was tried alone. The segment is unchanged, "
                "and the replacement stays pending. Correct the source, and run the task again."
            )
        applied = self._request("replace", [])
        self._acknowledge("replace", None, users=0, in_doubt=applied.in_doubt or self._in_doubt)


def check_not_all_rejected(batches: Sequence[Batch], acknowledged: Sequence[Acknowledgement]) -> None:
    """Check that the vendor does not reject all requests, whatever their users.

    :raises RejectedRequest: it rejected all requests, and many users one by one.
    """
    retried = {batch.name for batch in batches if batch.retry}
    alone = [answer for answer in acknowledged if answer.refused and answer.users == 1 and answer.batch not in retried]
    if len(alone) >= MOST_REJECTED_ALONE and all(answer.refused for answer in acknowledged):
        raise RejectedRequest(
            f"The vendor rejected each of {len(acknowledged):,} requests, {len(alone):,} of them with one user "
            f"({alone[-1].refused}): the users seem not to be the reason. No member was changed. Check the "
            "segment and the connection; the users are tried again after `retry_rejected_after`."
        )


def _reasons(rejected: Mapping[str, str]) -> dict[str, str]:
    return {user: text(reason) for user, reason in rejected.items()}


def _read_ahead(store: Store, batches: Sequence[Batch]) -> Iterator[tuple[Batch, list[str]]]:
    """Yield each batch with its IDs, and read those of the next one meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="segments-batches") as reader:
        pending = deque(reader.submit(read_batch, store, batch) for batch in batches[:1])
        for number, batch in enumerate(batches, start=1):
            ids = pending.popleft().result()
            pending.extend(reader.submit(read_batch, store, following) for following in batches[number : number + 1])
            yield batch, ids
