"""The change that a run would make, as a value. Its users are in the table ``actions`` of the workspace."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_segments_provider.errors import LedgerDamaged, LedgerUnavailable
from airflow_segments_provider.sources.id_storage import literal
from airflow_segments_provider.sync.ledger.manifest import RESTORE
from airflow_segments_provider.sync.ledger.names import (
    USER_ID,
    Count,
    Counts,
    Generation,
    Label,
    Moment,
    NoteName,
    Run,
    Text,
)
from airflow_segments_provider.sync.ledger.state import REMOVED, Members
from airflow_segments_provider.sync.ledger.timing import milliseconds
from airflow_segments_provider.sync.settings import Mode, Settings
from airflow_segments_provider.sync.staging import Staged
from airflow_segments_provider.sync.target import Limits, SegmentKey
from airflow_segments_provider.sync.workspace import Workspace

ACTIONS = "actions"
ACTIONS_FILE = "actions.txt"

# Actions with a request, in the order of sending: a user who is wanted before and after is always a member. Retries
# are last.
SENT = ("add", "remove", "again", "remove_again")
# Actions without a request, which change the ledger.
SETTLED = ("adopt", "forget", "gone")
KINDS = (*SENT, *SETTLED, "waiting", "skipped")
# What a list of members and look-ups show; 0 without them.
FOUND = ("strangers", "missing", "unmatched", "looked_up")
COUNTED = frozenset({*KINDS, *FOUND, "wanted", "baseline", "after", "resent", "duplicates", "changed", "invalid"})

OWNED, UNCERTAIN, ADDING, REMOVING, REJECTED, WAITING, SETTLED_DOUBT = (1 << bit for bit in range(7))

# Of each kind; the same ones each time.
LOOKED_AT = 10_000
SHOWN = 3
LONGEST = 40

CHANGES = {"add": ("add", "again"), "remove": ("remove", "remove_again", "gone")}

_MIXED = re.compile("[aA]*9+[aA]+9[aA9]*|[aA]+9+[aA]+[aA9]*")
_RUN = re.compile(r"([aA9])\1{3,}")


@dataclass(frozen=True)
class Plan:
    """The change that one run would make; a draft until :func:`make_plan`.

    :param generation: of the ledger. The plan holds only while that and ``notes``, the notes of late requests that it
        accounts for, are unchanged.
    :param as_of: the time that its data represents, in milliseconds since 1970.
    :param counts: ``wanted, duplicates, invalid``; ``changed``: IDs that were stripped or normalised; ``baseline``: the
        members before, as far as known, and ``after`` it, 0 where a source only removes; ``add, remove`` and, rejected
        before, ``again, remove_again``; ``resent``: of ``add``, those whose earlier request had an unknown outcome;
        ``adopt``: members already, and owned or certain from now on; ``waiting``: rejected before and not tried again
        yet; ``skipped``: removals that were left out; ``gone``: members who leave by a replacement; ``forget``:
        rejected before and no longer wanted; ``strangers``: listed members who are not wanted and whom no sync has
        added; ``missing``: owned members who are not listed; ``unmatched``: users of the source who were not found;
        ``looked_up``: users who were looked up.
    :param new: of the users to ``add`` and to ``remove``, those that no accepted plan has begun with.
    :param replacement: the run that requested a replacement; empty for another plan.
    :param replacing: a request replaces all members; where they are listed, the difference does.
    :param pending: a replacement is not finished, and may have been carried out: only listed members are certain.
    :param outside: how many users may be outside the segment between a replacing request and the others.
    :param unknown: the ledger was lost, so the number of members that a replacing request removes is unknown.
    :param look_ups: the requests of look-ups, which came before the plan; not among ``requests``.
    :param listed: it was compared with the vendor's list of members.
    :param first: the ledger has no generation.
    :param digest: SHA-256 of everything that it would do; empty until :func:`write_actions`.
    :param samples: patterns of the IDs to ``add`` and to ``remove``, with their numbers.
    :param approved_by: the user who approved this plan; empty for a stored one, and for one within the limits.
    :param kept_at: when an approved plan was made, in milliseconds since 1970; 0 for any other.
    """

    key: SegmentKey
    mode: Mode
    generation: Generation
    as_of: Moment
    counts: Counts = field(default_factory=dict)
    new: Counts = field(default_factory=dict)
    requests: Count = 0
    look_ups: Count = 0
    listed: bool = False
    duration: timedelta | None = None
    notes: tuple[NoteName, ...] = ()
    replacement: Run = ""
    replacing: bool = False
    pending: bool = False
    outside: Count = 0
    unknown: bool = False
    first: bool = False
    digest: str = ""
    invalid: dict[Label, Count] = field(default_factory=dict)
    samples: dict[Label, dict[Annotated[Text, Field(max_length=LONGEST)], Count]] = field(default_factory=dict)
    approved_by: Literal[""] | Text = ""
    kept_at: Moment = 0

    @property
    def approved(self) -> bool:
        """Whether a user approved this plan."""
        return bool(self.approved_by)

    @property
    def changes(self) -> int:
        """How many users requests would change."""
        return sum(self.counts[kind] for kind in SENT)

    @property
    def leaving(self) -> int:
        """How many known members would leave."""
        return self.counts["remove"] + self.counts["remove_again"] + self.counts["gone"]

    @property
    def sends(self) -> bool:
        """Whether it needs a request."""
        return bool(self.changes or self.replacing)

    @property
    def header(self) -> bytes:
        """The content of the digest besides the users: all that determines the requests."""
        segment = (self.key.folder, self.mode, self.generation, self.notes, self.first)
        parts = [*segment, self.replacement, self.replacing, self.unknown, self.counts]
        return json.dumps(parts, sort_keys=True).encode() + b"\n"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "duration": self.duration and self.duration.total_seconds()}


def make_plan(
    members: Members,
    staged: Staged,
    draft: Plan,
    settings: Settings,
    limits: Limits,
    *,
    now: int,
    live: str | None = None,
    drift: Mapping[str, int] | None = None,
    unknown: int = 0,
    settled: int | None = None,
    skip_removals: bool = False,
) -> Plan:
    """Compare the wanted users with the known ones, and make the table ``actions``.

    Its columns are ``id``, ``action``, ``new``, whether the user is a ``member`` before, and ``resent``.

    :param now: milliseconds since 1970.
    :param live: a table of the members that the vendor lists; None where it lists none.
    :param drift: the counts of :func:`~airflow_segments_provider.sync.listing.find_drift`.
    :param unknown: members that the vendor lists beside those in ``live``.
    :param settled: what was sent until then was carried out before the list was read, or never will be.
    :param skip_removals: plan no removal, count them as skipped.
    """
    workspace = members.workspace
    since = now - milliseconds(settings.retry_rejected_after)
    # One small number in the join: with ten million users, larger columns would be most of the spill to disk.
    flags = (
        f"SELECT id, (CASE WHEN owned THEN {OWNED} ELSE 0 END + CASE WHEN uncertain IS NULL THEN 0 ELSE {UNCERTAIN} END"
        f" + CASE pending WHEN 'add' THEN {ADDING} WHEN 'remove' THEN {REMOVING} ELSE 0 END"
        f" + CASE WHEN uncertain <= {0 if settled is None else settled} THEN {SETTLED_DOUBT} ELSE 0 END"
        f" + CASE WHEN rejected IS NULL THEN 0 WHEN rejected > {since} THEN {REJECTED + WAITING} ELSE {REJECTED} END"
        ")::UTINYINT AS flags FROM known"
    )
    if members.changed:
        flags += f" UNION ALL SELECT id, {REMOVING}::UTINYINT FROM ({REMOVED})"
    listed = f"FULL JOIN (SELECT DISTINCT id, true AS live FROM {live}) AS live USING (id)" if live else ""
    action, new = _action(draft, settings, listed=live is not None, skip_removals=skip_removals)
    member = f"coalesce(flags, 0) & {OWNED | UNCERTAIN} <> 0{' OR live IS TRUE' if live else ''}"
    resent = f"action = 'add' AND coalesce(flags, 0) & {UNCERTAIN} <> 0"
    workspace.run(
        f"""
        CREATE OR REPLACE TABLE {ACTIONS} AS
        SELECT id, action, {new} AS new, {member} AS member, {resent} AS resent FROM (
            SELECT *, {action} AS action
            FROM (SELECT id, true AS wanted FROM {staged.table}) AS wanted
            FULL JOIN ({flags}) AS known USING (id)
            {listed}
        )
        WHERE action IS NOT NULL
        """
    )
    # A source that removes users names them: another identity that finds one of them is enough.
    if staged.kept and settings.mode != "remove":
        workspace.run(
            f"UPDATE {ACTIONS} SET action = 'skipped' WHERE action IN ('remove', 'remove_again') "
            f"AND id IN (SELECT id FROM {staged.kept})"
        )
    summary = workspace.rows(
        "SELECT action, count(*), count(*) FILTER (new), count(id), count(*) FILTER (NOT member), "
        f"count(*) FILTER (resent) FROM {ACTIONS} GROUP BY action"
    )
    if any(users != named for _, users, _, named, *_ in summary):
        raise LedgerDamaged(f"The ledger of {draft.key} has members without an ID. Nothing was sent. {RESTORE}")
    found = {kind: users for kind, users, *_ in summary}
    new_ones = {kind: users for kind, _, users, *_ in summary}
    joining = {kind: users for kind, *_, users, _ in summary}
    counts = {kind: found.get(kind, 0) for kind in KINDS}
    counts |= {"resent": sum(users for *_, users in summary)}
    counts |= {**dict.fromkeys(FOUND, 0), **(drift or {})}
    counts |= {"unmatched": sum(staged.unmatched.values()), "looked_up": staged.looked_up}
    counts |= {
        "baseline": _baseline(workspace, live, unknown),
        "wanted": staged.wanted,
        "duplicates": staged.duplicates,
    }
    counts |= {"changed": staged.changed, "invalid": sum(staged.invalid.values())}
    change = sum(joining.get(kind, 0) for kind in ("add", "again"))
    change -= sum(found.get(kind, 0) for kind in ("remove", "remove_again", "gone"))
    counts["after"] = 0 if draft.mode == "remove" else counts["baseline"] + change
    requests = _requests(members, counts, limits, replacing=draft.replacing)
    if requests and live is not None:
        requests += limits.listing(_listed_after(workspace, live) + unknown)
    return replace(
        draft,
        counts=counts,
        new={kind: sum(new_ones.get(action, 0) for action in actions) for kind, actions in CHANGES.items()},
        requests=requests,
        look_ups=staged.look_ups,
        listed=live is not None,
        duration=timedelta(minutes=requests / limits.per_minute) if limits.per_minute else None,
        outside=max(0, staged.wanted - limits.adds) if draft.replacing else 0,
        invalid=staged.invalid,
        samples=samples(workspace, ACTIONS, found),
    )


def _action(draft: Plan, settings: Settings, *, listed: bool, skip_removals: bool) -> tuple[str, str]:
    """Return the SQL of a user's action, and of whether no accepted plan has begun with it."""

    def has(bits: int) -> str:
        return f"(coalesce(flags, 0) & {bits}) <> 0"

    held, rejected, waiting = has(OWNED | UNCERTAIN), has(REJECTED), has(WAITING)
    adds = "action IN ('add', 'again')"
    new = f"CASE WHEN {adds} THEN NOT {has(OWNED | UNCERTAIN | ADDING)} ELSE NOT {has(REMOVING)} END"
    removal = (
        f"CASE WHEN {rejected} AND {has(REMOVING)} THEN CASE WHEN {waiting} THEN 'waiting' ELSE 'remove_again' END "
        "ELSE 'remove' END"
    )
    if settings.mode == "remove":
        reach = f"wanted AND ({held} OR live)" if listed else "wanted"
        return f"CASE WHEN {reach} THEN {removal} END", new
    retry = f"{rejected} AND {has(ADDING)}"
    if draft.replacing:
        return (
            f"CASE WHEN wanted THEN CASE WHEN {retry} THEN 'again' ELSE 'add' END "
            f"WHEN {held} THEN 'gone' ELSE 'forget' END"
        ), new
    # The list may still show a user whose removal was acknowledged; one that was rejected has changed nothing.
    live = f"(live IS TRUE AND NOT ({has(REMOVING)} AND NOT {rejected}))"
    member = live if listed else "false" if draft.pending else has(OWNED)
    # A list may lack a member, but shows no other user. A listed one whose doubt is settled needs no request.
    doubtful = f"({has(UNCERTAIN)} AND NOT {has(SETTLED_DOUBT)})" if listed else has(UNCERTAIN)
    missing = f"wanted AND (NOT {member} OR {doubtful})"
    # A removal that an interrupted run had acknowledged, although the list still shows the user.
    held = f"({held} OR (live IS TRUE AND {has(REMOVING)}))" if listed else held
    leaves = f"{held} OR live" if listed and (settings.removals == "all" or draft.replacement) else held
    removes = "'skipped'" if skip_removals and not draft.replacement else removal
    cases = [
        f"WHEN {missing} THEN CASE WHEN NOT ({retry}) THEN 'add' WHEN {waiting} THEN 'waiting' ELSE 'again' END",
        f"WHEN wanted AND live AND (NOT {has(OWNED)} OR {has(UNCERTAIN)}) THEN 'adopt'" if listed else "",
        f"WHEN wanted THEN CASE WHEN {has(REJECTED | REMOVING)} THEN 'forget' END",
        f"WHEN {leaves} THEN {removes}" if settings.mode == "mirror" else "",
        f"WHEN {rejected} AND NOT {held} THEN 'forget'",
    ]
    return f"CASE {' '.join(cases)} END", new


def _baseline(workspace: Workspace, live: str | None, unknown: int) -> int:
    """Count the members before, as far as known: at least so many, as some of the unknown ones may be owned."""
    held = "(owned OR uncertain IS NOT NULL)"
    if not live:
        return int(workspace.one(f"SELECT count(*) FROM known WHERE {held}")[0])
    listed, hidden = workspace.one(
        f"SELECT count(*) FILTER (live), count(*) FILTER (live IS NULL AND {held}) "
        f"FROM (SELECT DISTINCT id, true AS live FROM {live}) FULL JOIN known USING (id)"
    )
    return int(listed + max(hidden, unknown))


def _listed_after(workspace: Workspace, live: str) -> int:
    """Count the members with an ID that the list shows after the changes; it need not show all members before."""
    change = "CASE WHEN action IN ('add', 'again') THEN 1 - listed ELSE -listed END"
    return int(
        workspace.one(
            f"SELECT (SELECT count(DISTINCT id) FROM {live}) + coalesce(sum({change}), 0) FROM ("
            f"SELECT action, (id IN (SELECT id FROM {live}))::INTEGER AS listed FROM {ACTIONS} "
            f"WHERE action IN {SENT})"
        )[0]
    )


def _requests(members: Members, counts: dict[str, int], limits: Limits, *, replacing: bool) -> int:
    """Count the requests of a plan; of retries, the most that there can be."""
    requests = limits.requests("add", counts["add"]) + limits.requests("remove", counts["remove"])
    if limits.together and 0 < counts["add"] <= limits.adds and 0 < counts["remove"] <= limits.removes:
        requests -= 1 + limits.reads
    for action, limit in (("again", limits.adds), ("remove_again", limits.removes)):
        if counts[action]:
            requests += sum(-(-len(ids) // size) for size, ids in retries(members, action, limit))
    return max(requests, 1) if replacing else requests


def retries(members: Members, action: str, limit: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the batches in which rejected users of the table ``actions`` are tried again, the longest ago first.

    :return: the size of the first request, half of the one that was rejected; and the IDs.
    """
    for size, _ in members.workspace.rows(
        f"SELECT {_HALF} AS half, min(rejected) AS since FROM {ACTIONS} JOIN known USING (id) WHERE action = ? "
        "GROUP BY half ORDER BY since, half DESC",
        [action],
    ):
        rows = members.workspace.rows(
            f"SELECT id FROM {ACTIONS} JOIN known USING (id) WHERE action = ? AND {_HALF} = ? ORDER BY rejected, id",
            [action, size],
        )
        for start in range(0, len(rows), limit):
            yield min(size, limit), [user for (user,) in rows[start : start + limit]]


# The power of two that is at most half the size of the request in which a user was rejected.
_HALF = "greatest(1, 2 ** floor(log2(greatest(1, coalesce(size, 1) / 2))))::INTEGER"


def write_actions(workspace: Workspace, plan: Plan) -> Plan:
    """Write the changes to a file, one line for each user, and return the plan with its digest."""
    path = workspace.folder / ACTIONS_FILE
    listed = ", ".join(f"'{action}'" for action in (*SENT, *SETTLED))
    workspace.run(
        f"COPY (SELECT action, id FROM {ACTIONS} WHERE action IN ({listed}) ORDER BY action, id) "
        f"TO {literal(str(path))} "
        "(FORMAT csv, DELIMITER '\t', HEADER false, QUOTE '', ESCAPE '')"
    )
    return replace(plan, digest=digest_of(plan, path))


def read_actions(workspace: Workspace, plan: Plan, path: Path) -> bool:
    """Make the table ``actions`` from a file of :func:`write_actions`; return whether the plan counts these actions."""
    import duckdb

    try:
        workspace.run(
            f"CREATE OR REPLACE TABLE {ACTIONS} AS SELECT id, action, false AS new FROM read_csv({literal(str(path))}, "
            "delim = '\t', header = false, quote = '', escape = '', auto_detect = false, strict_mode = false, "
            "hive_partitioning = false, columns = {'action': 'VARCHAR', 'id': 'VARCHAR'})"
        )
    except (duckdb.Error, LedgerUnavailable):
        return False
    found = dict(workspace.rows(f"SELECT action, count(*) FROM {ACTIONS} GROUP BY action"))
    (wrong,) = workspace.one(
        f"SELECT count(*) - count(DISTINCT id) + count(*) FILTER (NOT regexp_full_match(id, '{USER_ID}')) "
        f"FROM {ACTIONS}"
    )
    counted = {action: plan.counts[action] for action in (*SENT, *SETTLED) if plan.counts.get(action)}
    return not wrong and found == counted and plan.counts.keys() >= COUNTED


def digest_of(plan: Plan, path: Path) -> str:
    """Return the SHA-256 of a plan whose changes are in that file."""
    digest = hashlib.sha256(plan.header)
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def samples(workspace: Workspace, table: str, planned: Container[str]) -> dict[str, dict[str, int]]:
    """Return the most frequent patterns of the IDs to ``add`` and to ``remove``, with their numbers.

    :param table: of IDs and their ``action``.
    :param planned: the actions in it.
    """
    found = {}
    for kind, all_actions in CHANGES.items():
        actions = [action for action in all_actions if action in planned]
        if not actions:
            continue
        rows = workspace.rows(
            f"SELECT id FROM {table} WHERE list_contains(?::VARCHAR[], action) ORDER BY md5_number(id) "
            f"LIMIT {LOOKED_AT}",
            [actions],
        )
        # Many IDs have one mask, and to shorten it takes most of the time.
        masks = Counter(user.translate(_MASKS) for (user,) in rows)
        patterns = Counter[str]()
        for masked, users in masks.items():
            patterns[_shortened(masked)] += users
        found[kind] = dict(sorted(patterns.items(), key=lambda item: (-item[1], item[0]))[:SHOWN])
    return found


def pattern(user: str) -> str:
    """Mask letters as ``a`` and ``A``, digits as ``9``, longer runs as ``aaa…``; keep ``@``, ``.``, ``-`` and such.

    A mix of letters and digits becomes ``xxx…``: the places of the digits in a GUID would identify it.
    """
    return _shortened(user.translate(_MASKS))


def _shortened(masked: str) -> str:
    return _RUN.sub(r"\1\1\1…", _MIXED.sub("xxx…", masked))[:LONGEST]


class _Masks(dict[int, str]):
    """The mask of each character, for ``str.translate``."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isupper():
            mask = "A"
        elif character.isalpha():
            mask = "a"
        elif character.isnumeric():
            mask = "9"
        else:
            mask = character if character.isascii() and character.isprintable() else "?"
        self[code] = mask
        return mask


_MASKS = _Masks()
