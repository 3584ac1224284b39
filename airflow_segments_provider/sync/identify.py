"""The vendor's IDs of a source's users, where the source has another identity of them.

From here on, the engine works with the vendor's IDs only: a user whose e-mail address has changed is the same user, and
two identities of one user are one member.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from airflow_segments_provider.errors import PlanRefused, UnexpectedReply
from airflow_segments_provider.progress import ProgressLog
from airflow_segments_provider.sources.ids import IdCheck, all_without_case
from airflow_segments_provider.sync.ledger.state import Members
from airflow_segments_provider.sync.ledger.timing import milliseconds
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.staging import Staged
from airflow_segments_provider.sync.target import Target
from airflow_segments_provider.sync.workspace import Workspace

logger = logging.getLogger(__name__)

# Rows that are normalised at once, and users that are looked up between two checks where each takes a request.
CHUNK, BATCH = 10_000, 400
# A look-up with a request for so many users or more has larger parts.
PER_REQUEST = 50
# Of a vendor's user ID.
MAX_LENGTH = 1_000
# The table of the source's identities, normalised.
KEYED = "keyed"
# The table of users who were not found, and keep what they are, see :mod:`~.ledger.identities`.
KEPT = "kept"
UNMATCHED = "SELECT value, reason FROM matched WHERE reason NOT NULL ORDER BY value"
# Without white space at its ends, which the vendor's own data may have.
ASCII = "[!-~]([ -~]*[!-~])?"


def identify(
    members: Members,
    staged: Staged,
    target: Target,
    settings: Settings,
    *,
    everyone: bool,
    now: int,
    begin: Callable[[int, int, timedelta | None], None],
    check: Callable[[], None],
    save: Callable[[], None],
) -> Staged:
    """Replace identities by the vendor's IDs; look up users who are new, or were looked up long ago.

    :param everyone: all members who are not wanted may be removed, so users who never were found are looked up again:
        meanwhile they may have become members.
    :param now: milliseconds since 1970.
    :param begin: called before look-ups: how many users, in how many requests, in how much time.
    :param check: called between look-ups; raises where the run has to stop.
    :param save: called after some look-ups: stores what was found.
    :raises PlanRefused: the look-ups would take longer than ``max_duration``; none was sent.
    """
    workspace, kind = members.workspace, target.identity
    members.identities.make()
    normalise(workspace, staged.table, target, KEYED)
    known, unknown = (milliseconds(period) for period in (settings.identity_max_age, settings.retry_rejected_after))
    workspace.run(
        f"CREATE OR REPLACE TABLE to_look_up AS SELECT identity, value FROM {KEYED} ANTI JOIN ("
        "SELECT identity FROM identities WHERE kind = ? AND looked_up > CASE WHEN reason IS NULL THEN ? ELSE ? END "
        "AND NOT (? AND id IS NULL)) AS fresh USING (identity)",
        [kind, now - known, now - unknown, everyone],
    )
    (users,) = workspace.one("SELECT count(*) FROM to_look_up")
    requests = look_up(members, target, settings, users, now=now, begin=begin, check=check, save=save)
    workspace.run(
        f"CREATE OR REPLACE TABLE matched AS SELECT identity, value, id, reason FROM {KEYED} "
        "JOIN (FROM identities WHERE kind = ?) AS known USING (identity)",
        [kind],
    )
    (wanted,) = workspace.one(
        "CREATE OR REPLACE TABLE identified AS SELECT DISTINCT id FROM matched WHERE reason IS NULL"
    )
    workspace.run(
        f"CREATE OR REPLACE TABLE {KEPT} AS SELECT DISTINCT id FROM matched WHERE id NOT NULL AND reason NOT NULL"
    )
    rows = workspace.rows("SELECT reason, count(*) FROM matched WHERE reason NOT NULL GROUP BY reason ORDER BY reason")
    unmatched = dict(rows)
    repeated = staged.wanted - sum(unmatched.values()) - wanted
    return replace(
        staged,
        wanted=wanted,
        duplicates=staged.duplicates + repeated,
        unmatched=unmatched,
        unmatched_list=workspace.write_users("unmatched", UNMATCHED) if unmatched else None,
        looked_up=users,
        look_ups=requests,
        kept=KEPT,
        table="identified",
    )


def look_up(
    members: Members,
    target: Target,
    settings: Settings,
    users: int,
    *,
    now: int,
    begin: Callable[[int, int, timedelta | None], None],
    check: Callable[[], None],
    save: Callable[[], None],
) -> int:
    """Look up the users of the table ``to_look_up``, and keep what is found; return the number of requests.

    :raises PlanRefused: it would take longer than ``max_duration``.
    """
    if not users:
        return 0
    workspace, limits = members.workspace, target.limits
    with target.look_up(users) as look:
        duration = timedelta(minutes=look.requests / limits.per_minute) if limits.per_minute else None
        longest = settings.max_duration
        if longest and duration and duration > longest:
            breach = (
                f"the look-up of {users:,} users takes {look.requests:,} requests, about {duration}, the limit is "
                f"{longest} (`max_duration`)"
            )
            raise PlanRefused(
                f"The sync of {target.key()} was refused and nothing was sent: {breach}. Raise the limit, or use a "
                "source with the vendor's own IDs.",
                breaches=[breach],
            )
        begin(users, look.requests, duration)
        progress = ProgressLog(logger, "users looked up", users)
        size = BATCH if look.requests * PER_REQUEST > users else CHUNK
        for some in workspace.ranges("to_look_up", size):
            check()
            rows = workspace.rows(f"SELECT identity, value FROM to_look_up WHERE {some}")
            found = look([value for _, value in rows])
            known = {value: user for value, user in found.items() if user is not None}
            ids = dict(zip(known, target.normalise(checked_ids(target, list(known.values()))), strict=True))
            by_identity = {identity: ids.get(value) for identity, value in rows if value in found}
            members.identities.put(target.identity, [identity for identity, _ in rows], by_identity, now)
            progress.add(len(rows))
            save()
        return look.requests


def checked_ids(target: Target, ids: Sequence[str]) -> Sequence[str]:
    """Return user IDs as the vendor returned them.

    :raises UnexpectedReply: some cannot be user IDs: in a batch, they would be unreadable.
    """
    check = IdCheck(MAX_LENGTH)
    check.take(ids)
    if wrong := check.invalid.total() + check.changed:
        raise UnexpectedReply(
            f"For {target.key()}, the vendor returned {wrong:,} of {len(ids):,} user IDs that are blank, too long, or "
            "have outer spaces or control characters. No further request was sent, and the ledger accounts for those "
            f"before. Check the host of the connection, then run the task again. {target.where}"
        )
    return ids


def normalise(workspace: Workspace, table: str, target: Target, into: str) -> None:
    """Make a table of the identities in a table, normalised, each with one of its spellings: ``identity, value``."""
    workspace.run("CREATE OR REPLACE TABLE spelled (identity VARCHAR, value VARCHAR)")
    others = "true"
    if target.identity_keys is all_without_case:
        # DuckDB lowers ASCII letters as Python does, and many times faster.
        others = f"NOT regexp_full_match(id, '{ASCII}')"
        workspace.run(f"INSERT INTO spelled SELECT lower(id), id FROM {table} WHERE NOT ({others})")
    for some in workspace.ranges(table, CHUNK):
        rows = workspace.rows(f"SELECT id FROM {table} WHERE {some} AND {others}")
        values = [value for (value,) in rows]
        if values:
            keys = list(target.identity_keys(values))
            workspace.run("INSERT INTO spelled SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])", [keys, values])
    workspace.run(
        f"CREATE OR REPLACE TABLE {into} AS SELECT identity, min(value) AS value FROM spelled GROUP BY identity"
    )
    workspace.run("DROP TABLE spelled")
