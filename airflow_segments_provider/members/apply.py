"""Step 7, apply: batch by batch, all adds before all removes; each acknowledged before the next is begun."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

from airflow_segments_provider.errors import RejectedRequest, VendorError
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.manifest import Acknowledgement, Batch, BatchKind
from airflow_segments_provider.members.ledger.state import read_batch
from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.plan import SENT
from airflow_segments_provider.members.target import Applied, Limits, Target
from airflow_segments_provider.members.workspace import Workspace

# So many ids refused one by one, and none taken: it is the request that the vendor does not like.
HOPELESS = 20

logger = logging.getLogger(__name__)


def planned_batches(
    workspace: Workspace, limits: Limits, counts: Mapping[str, int]
) -> Iterator[tuple[BatchKind, int, str]]:
    """The ids of the table ``actions`` in the order in which they are sent: each request's kind, number, and ids.

    Makes the table ``touched`` of them, with the number of their batch; the first is 0.

    :param counts: the plan's.
    :return: the ids a line each, which none of them breaks; a list takes much longer to be made.
    """
    workspace.run("CREATE OR REPLACE TABLE touched (id VARCHAR, batch INTEGER)")
    first = 0
    for kind in SENT:
        if not counts[kind]:
            continue
        size = limits.removes if kind == "remove" else limits.adds
        workspace.run(
            f"INSERT INTO touched SELECT id, {first} + (row_number() OVER () - 1) // {size} FROM actions "
            f"WHERE action = '{kind}'"
        )
        following = first + ceil(counts[kind] / size)
        for number in range(first, following):
            ids = f"SELECT count(*), string_agg(id, chr(10)) FROM touched WHERE batch = {number}"
            yield kind, *workspace.one(ids)
        first = following


@dataclass(frozen=True)
class Progress:
    """How far a run is, for whoever tells people."""

    done: int
    total: int


def apply(
    target: Target,
    ledger: Ledger,
    batches: Iterable[Batch],
    *,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, Acknowledgement]:
    """Send the batches of the intent.

    :raises VendorError: the vendor did not take one for another reason than its ids. What was acknowledged before is
        written down; the rest counts as in doubt, and the next run sends it again.
    :raises LedgerError: another run took over.
    """
    batches = tuple(batches)
    total, done = sum(batch.users for batch in batches), 0
    acknowledged: dict[str, Acknowledgement] = {}
    for batch, ids in _read_ahead(ledger.store, batches):
        ledger.check_held()
        try:
            applied = _send(target, batch.kind, ids, ledger.check_held)
        except VendorError as error:
            raise error.advise(
                f"{done:,} of {total:,} changes were acknowledged before it, and that is written down. Run the task "
                "again: it goes on from there."
            ) from None
        in_doubt = ledger.clock() if applied.in_doubt else None
        # What was answered after another run took over may have come after that one's requests: it stays in doubt.
        ledger.check_held()
        acknowledged[batch.name] = ledger.acknowledge(batch, rejected=dict(applied.rejected), in_doubt=in_doubt)
        done += batch.users
        tell(Progress(done, total))
    return acknowledged


def _read_ahead(store: Store, batches: Sequence[Batch]) -> Iterator[tuple[Batch, list[str]]]:
    """Each batch with its ids; the next one's are read while one is sent."""
    with ThreadPoolExecutor(1, thread_name_prefix="segments-batches") as reader:
        coming = deque(reader.submit(read_batch, store, batch) for batch in batches[:1])
        for number, batch in enumerate(batches, start=1):
            ids = coming.popleft().result()
            coming.extend(reader.submit(read_batch, store, following) for following in batches[number : number + 1])
            yield batch, ids


def _send(target: Target, kind: str, ids: list[str], check_held: Callable[[], None]) -> Applied:
    """Send a batch; halve a refused one down to the bad ids.

    :param check_held: asked before each further request, for there may be many.
    :raises RejectedRequest: the first ids tried one by one were all refused: then it is not about them.
    """
    if kind == "override":
        return target.override(ids)
    send = target.remove if kind == "remove" else target.add
    waiting, rejected, in_doubt, accepted = [ids], dict[str, str](), False, False
    while waiting:
        part = waiting.pop()
        try:
            applied = send(part)
        except RejectedRequest as error:
            in_doubt = in_doubt or error.maybe_done
            check_held()
            if len(part) > 1:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
                continue
            rejected[part[0]] = f"status {error.status}" if error.status else "refused"
            if len(rejected) >= HOPELESS and not accepted:
                raise error.advise(f"{len(rejected)} ids were tried one by one and each was refused.") from None
        else:
            accepted, in_doubt = True, in_doubt or applied.in_doubt
            rejected |= applied.rejected
    return Applied(rejected, in_doubt)
