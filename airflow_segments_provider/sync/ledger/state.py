"""The state of each user in a ledger: the files of the newest generation, and the changes since.

Columns: ``owned``, whether the user is a member because of us; ``uncertain``, the latest time at which a request of
unknown outcome about the user can have been sent; ``pending``, the accepted action that is not settled; ``rejected``,
when the vendor last rejected the user, with the ``size`` of that request and its ``reason``.
Times are milliseconds since 1970.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_segments_provider.errors import LedgerDamaged
from airflow_segments_provider.sources.id_storage import literal
from airflow_segments_provider.sources.ids import CONTROL_CHARACTERS, INVISIBLE
from airflow_segments_provider.sync.ledger.identities import Identities
from airflow_segments_provider.sync.ledger.manifest import RESTORE, Acknowledgement, Batch, State, digest_of
from airflow_segments_provider.sync.ledger.names import EARLIEST, LATEST
from airflow_segments_provider.sync.ledger.parquet import fetched
from airflow_segments_provider.sync.ledger.store import Store
from airflow_segments_provider.sync.workspace import Workspace

COLUMNS = {
    "id": "VARCHAR",
    "owned": "BOOLEAN",
    "uncertain": "BIGINT",
    "pending": "VARCHAR",
    "rejected": "BIGINT",
    "size": "INTEGER",
    "reason": "VARCHAR",
}

_NAMES = ", ".join(COLUMNS)
_CONTROL = re.compile(f"[{CONTROL_CHARACTERS}]")
# The characters of nearly all IDs, which need no further check.
_PRINTABLE = bytes(range(0x21, 0x7F))
# IDs are checked in :meth:`Ledger.keep`: here, that would take longer than all other checks.
_CHECKED = f"""
    SELECT count(*), count(*) FILTER (
        owned IS NULL OR pending NOT IN ('add', 'remove') OR size < 0 OR contains(reason, chr(10))
        OR NOT uncertain BETWEEN {EARLIEST} AND {LATEST} OR NOT rejected BETWEEN {EARLIEST} AND {LATEST}
    )
"""
_ALIVE = "(owned OR uncertain IS NOT NULL OR rejected IS NOT NULL)"
# Users whose removal an interrupted run began and the vendor acknowledged; they are not in ``known``.
REMOVED = f"SELECT id FROM changed WHERE NOT {_ALIVE} AND pending = 'remove'"


class Members:
    """All users of a ledger: the view ``known``, which is the view ``stored`` with the table ``changed`` on top of it.

    :ivar changed: the number of rows that differ from what was loaded.
    :ivar dirty: some of them are not stored yet.
    :ivar identities: the vendor's IDs of users by their identity.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.changed, self.dirty = workspace, 0, False
        self.identities = Identities(workspace)
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        workspace.run(f"CREATE OR REPLACE TABLE changed ({columns})")
        workspace.run("CREATE OR REPLACE VIEW stored AS SELECT * FROM changed WHERE false")
        self._show()

    def load(self, store: Store, state: State) -> None:
        """Read what is stored.

        :raises LedgerDamaged: a file is missing or damaged.
        """
        self.identities.load(store, state.identities)
        parts = [
            fetched(self.workspace, store, part, f"part-{number}", COLUMNS, _CHECKED)
            for number, part in enumerate(state.files)
        ]
        if not parts:
            return
        stored = f"SELECT * FROM {parts[0]} WHERE {_ALIVE}"
        if len(parts) > 1:
            deltas = " UNION ALL ".join(f"SELECT {age} AS age, * FROM {part}" for age, part in enumerate(parts) if age)
            self.workspace.run(
                f"CREATE OR REPLACE TABLE overlay AS SELECT {_NAMES} FROM ({deltas}) "
                "QUALIFY row_number() OVER (PARTITION BY id ORDER BY age DESC) = 1"
            )
            stored = (
                f"SELECT * FROM {parts[0]} ANTI JOIN overlay USING (id) WHERE {_ALIVE} "
                f"UNION ALL SELECT * FROM overlay WHERE {_ALIVE}"
            )
        self.workspace.run(f"CREATE OR REPLACE VIEW stored AS {stored}")
        self._show()

    def put(self, rows: str, parameters: Sequence[Any] = ()) -> None:
        """Replace the rows of some users by those of a query: one a user, with all columns by name."""
        if self.changed:
            self.workspace.run(f"CREATE OR REPLACE TABLE newer AS {rows}", parameters)
            self.workspace.run("DELETE FROM changed USING newer WHERE changed.id = newer.id")
            rows, parameters = "FROM newer", ()
        self.workspace.run(f"INSERT INTO changed SELECT {_NAMES} FROM ({rows})", parameters)
        (self.changed,) = self.workspace.one("SELECT count(*) FROM changed")
        self.dirty = True
        self._show()

    def doubt(self, ids: Sequence[str], sent_at: int) -> None:
        """Make users uncertain; a removal that was acknowledged just now stays an accepted one.

        :param sent_at: the latest time at which a request about them can have been sent.
        """
        self.put(
            "SELECT wrong.id, known.owned IS TRUE AS owned, greatest(known.uncertain, ?) AS uncertain, "
            "coalesce(known.pending, gone.pending) AS pending, known.rejected, known.size, known.reason "
            "FROM (SELECT DISTINCT unnest(?::VARCHAR[]) AS id) AS wrong LEFT JOIN known USING (id) "
            "LEFT JOIN changed AS gone USING (id)",
            [sent_at, list(ids)],
        )

    def redate(self, earlier: int, sent_at: int) -> None:
        """Make the users who are uncertain as of ``earlier`` uncertain as of ``sent_at``."""
        self.put("SELECT * REPLACE (?::BIGINT AS uncertain) FROM known WHERE uncertain = ?", [sent_at, earlier])

    def any_uncertain(self) -> bool:
        """Return whether there are uncertain users."""
        (found,) = self.workspace.one("SELECT count(*) FROM known WHERE uncertain IS NOT NULL")
        return bool(found)

    def write(self, *, whole: bool) -> tuple[Path, int]:
        """Write the changed rows, or all, as a Parquet file; return its path and the number of rows."""
        path = self.workspace.folder / ("snapshot.parquet" if whole else "delta.parquet")
        (rows,) = self.workspace.one(
            f"COPY (SELECT {_NAMES} FROM {'known' if whole else 'changed'}) TO {literal(str(path))} "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
        return path, rows

    def _show(self) -> None:
        changed = f"ANTI JOIN changed USING (id) UNION ALL SELECT * FROM changed WHERE {_ALIVE}" if self.changed else ""
        self.workspace.run(f"CREATE OR REPLACE VIEW known AS SELECT * FROM stored {changed}")


def held(members: Members) -> list[str]:
    """Return the users whom the segment may have: owned and uncertain ones."""
    return [user for (user,) in members.workspace.rows("SELECT id FROM known WHERE owned OR uncertain IS NOT NULL")]


def fold(
    members: Members,
    store: Store,
    batches: Sequence[Batch],
    acknowledged: Iterable[Acknowledgement],
    *,
    settling: int,
    sent: str | None = None,
    open_until: int | None = None,
) -> None:
    """Account for an intent, by the acknowledgements of its batches.

    An acknowledgement makes users certain only if its request was sent so late that an earlier one of unknown outcome
    cannot be carried out any more. A rejected user stays owned, and uncertain.

    :param settling: for how long a request of unknown outcome is waited for, in milliseconds.
    :param sent: a table of the batches' users, ``id, batch, part``; None to read it from their files.
    :param open_until: the latest time at which the requests that were not acknowledged can have been sent; None where
        they were not sent.
    """
    workspace, answers = members.workspace, defaultdict[str, list[Acknowledgement]](list)
    for answer in acknowledged:
        answers[answer.batch].append(answer)
        if answer.kind == "replace" and answer.refused is None:
            _replace_all(members, answer.sent_at, settling)
    sent = sent or _read_batches(workspace, store, batches)
    outcomes, left_out = list[tuple[Any, ...]](), list[tuple[int, str, str]]()
    for number, batch in enumerate(batches):
        parts = sorted(answers[batch.name], key=lambda answer: answer.start)
        whole = len(parts) == 1 and parts[0].users == batch.users
        if parts and not whole:
            _split(workspace, store, sent, number, batch, parts)
        for part, answer in enumerate(parts):
            outcomes.append((number, part, batch.kind, answer.sent_at, answer.in_doubt, answer.refused, answer.users))
            left_out += [(number, user, reason) for user, reason in answer.rejected.items()]
        if open_until is not None and not whole:
            outcomes.append((number, len(parts), batch.kind, None, open_until, None, None))
    if outcomes:
        columns = [list(column) for rows in (outcomes, left_out) for column in zip(*rows, strict=True)]
        members.put(_OUTCOMES.format(sent=sent), [*columns, *([] if left_out else [[], [], []]), settling])
    workspace.run(f"DROP TABLE {sent}")


# Parameters: the columns of `outcomes`, those of `left_out`, and for how long a request is waited for.
_OUTCOMES = """
    WITH outcomes AS (
        SELECT
            unnest(?::INTEGER[]) AS batch, unnest(?::INTEGER[]) AS part, unnest(?::VARCHAR[]) AS kind,
            unnest(?::BIGINT[]) AS sent_at, unnest(?::BIGINT[]) AS doubt, unnest(?::VARCHAR[]) AS refused,
            unnest(?::INTEGER[]) AS users
    ), left_out AS (
        SELECT unnest(?::INTEGER[]) AS batch, unnest(?::VARCHAR[]) AS id, unnest(?::VARCHAR[]) AS reason
    ), answered AS (
        SELECT
            sent.id, kind, sent_at, doubt, known.owned, known.uncertain, known.pending, known.rejected, known.size,
            known.reason, coalesce(outcomes.refused, left_out.reason) AS refused,
            CASE WHEN left_out.id IS NULL THEN users ELSE 1 END AS refused_size,
            sent_at IS NOT NULL AND outcomes.refused IS NULL AND left_out.id IS NULL AS done
        FROM {sent} AS sent
        JOIN outcomes USING (batch, part)
        LEFT JOIN left_out ON left_out.batch = sent.batch AND left_out.id = sent.id
        LEFT JOIN known ON known.id = sent.id
    ), settled AS (
        SELECT * REPLACE (
            CASE
                WHEN done AND uncertain + ? <= sent_at THEN doubt
                ELSE greatest(uncertain, doubt)
            END AS uncertain
        ) FROM answered
    )
    SELECT
        id,
        CASE WHEN done THEN kind = 'add' ELSE owned IS TRUE END AS owned,
        uncertain,
        CASE WHEN NOT done OR kind = 'remove' THEN kind END AS pending,
        CASE WHEN sent_at IS NULL THEN rejected WHEN NOT done THEN sent_at END AS rejected,
        CASE WHEN sent_at IS NULL THEN size WHEN NOT done THEN refused_size END AS size,
        CASE WHEN sent_at IS NULL THEN reason WHEN NOT done THEN refused END AS reason
    FROM settled
"""


def _replace_all(members: Members, sent_at: int, settling: int) -> None:
    """Account for a replacement: earlier members are gone, but earlier requests may still be under way."""
    members.put(
        "SELECT * REPLACE (false AS owned, CASE WHEN uncertain + ? > ? THEN uncertain END AS uncertain) FROM known",
        [settling, sent_at],
    )


def begin_replacement(members: Members, actions: str) -> None:
    """Account for a replacement that is about to be sent: the removals of those who leave by it were accepted.

    :param actions: a table with columns ``id`` and ``action``.
    """
    members.put(
        "SELECT id, action <> 'gone' OR owned IS TRUE AS owned, uncertain, 'remove' AS pending, rejected, size, reason "
        f"FROM {actions} LEFT JOIN known USING (id) WHERE action IN ('gone', 'remove')"
    )


def settle(members: Members, actions: str) -> None:
    """Account for the actions of a plan that take no request.

    :param actions: a table with columns ``id`` and ``action``.
    """
    members.put(
        "SELECT id, owned IS TRUE OR action = 'adopt' AS owned, "
        "CASE WHEN action <> 'adopt' THEN uncertain END AS uncertain, "
        "CASE WHEN action = 'gone' THEN pending END AS pending, NULL AS rejected, NULL AS size, NULL AS reason "
        f"FROM {actions} LEFT JOIN known USING (id) WHERE action IN ('adopt', 'forget', 'gone')"
    )


def _read_batches(workspace: Workspace, store: Store, batches: Sequence[Batch]) -> str:
    """Make a table of the users of all batches, ``id, batch, part``, and return its name."""
    workspace.run("CREATE OR REPLACE TABLE sent (id VARCHAR, batch INTEGER, part INTEGER)")
    for number, batch in enumerate(batches):
        _insert(workspace, "sent", number, 0, read_batch(store, batch))
    return "sent"


def _split(
    workspace: Workspace, store: Store, sent: str, number: int, batch: Batch, answers: Sequence[Acknowledgement]
) -> None:
    """Set the part of each user of a batch with several acknowledgements; the last part was not acknowledged."""
    ids = read_batch(store, batch)
    left = dict.fromkeys(ids)
    workspace.run(f"DELETE FROM {sent} WHERE batch = ?", [number])
    for part, answer in enumerate(answers):
        acknowledged = ids[answer.start : answer.start + answer.users]
        _insert(workspace, sent, number, part, acknowledged)
        for user in acknowledged:
            left.pop(user, None)
    _insert(workspace, sent, number, len(answers), list(left))


def _insert(workspace: Workspace, sent: str, number: int, part: int, ids: Sequence[str]) -> None:
    workspace.run(f"INSERT INTO {sent} SELECT unnest(?::VARCHAR[]), ?, ?", [ids, number, part])


def read_batch(store: Store, batch: Batch) -> list[str]:
    """Read the IDs of a batch.

    :raises LedgerDamaged: its file is missing or not the one that was written.
    """
    content = store.read(batch.name)
    if content is not None and digest_of(content) == batch.sha256:
        with suppress(UnicodeDecodeError):
            text = content.decode()
            ids = text.split("\n")
            sound = content.translate(None, _PRINTABLE) == b"\n" * (len(ids) - 1) or (
                ids == [user.strip(INVISIBLE) for user in ids] and not _CONTROL.search(text.replace("\n", ""))
            )
            if sound and all(ids) and len(ids) == batch.users:
                return ids
    raise LedgerDamaged(
        f"The ledger's file {batch.name} is missing or damaged, so the requests are unknown. Nothing was sent "
        f"now. {RESTORE}"
    )
