"""Step 4, plan: what would be sent and why, as a value. Table ``actions`` of the workspace has the ids."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Literal

from airflow_segments_provider.members.ledger.ledger import milliseconds
from airflow_segments_provider.members.shapes import samples
from airflow_segments_provider.members.staging import Staged
from airflow_segments_provider.members.target import Limits, SegmentKey
from airflow_segments_provider.members.workspace import Workspace

Mode = Literal["mirror", "add", "remove"]
Removals = Literal["owned", "all"]

# What is sent, in this order: nobody is missing in between who belongs both before and after.
SENT = ("override", "add", "again", "remove")


@dataclass(frozen=True)
class Plan:
    """The change that one run would make.

    :param generation: of the ledger it was made at; it is true only while that is the newest.
    :param counts: ``wanted, duplicates, invalid``; ``baseline``: the members before, as far as known; ``add, again``
        (refused before), ``remove, override``; ``adopt``: members already and vouched for from now on; ``waiting``:
        refused before and not tried again yet; ``skipped``: removals that were left out; ``gone``: by the override;
        ``forget``: refused before and no longer wanted.
    :param requests: what it would take at the vendor's limits.
    :param digest: of everything that it would do; equal plans have equal digests.
    :param samples: shapes of the ids to ``add`` and to ``remove``, with their numbers; see :mod:`~.shapes`.
    :param approved: somebody looked at exactly this one and let it through.
    """

    key: SegmentKey
    mode: Mode
    generation: int
    counts: dict[str, int]
    requests: int
    duration: timedelta | None
    digest: str
    invalid: dict[str, int] = field(default_factory=dict)
    samples: dict[str, dict[str, int]] = field(default_factory=dict)
    approved: bool = False

    @property
    def changes(self) -> int:
        """How many people it is about."""
        return sum(self.counts[kind] for kind in SENT)

    @property
    def leaving(self) -> int:
        """How many members would go, where that is known; by an override, at least the difference."""
        if self.counts["override"]:
            return max(0, self.counts["baseline"] - self.counts["override"])
        return self.counts["remove"]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "duration": self.duration and self.duration.total_seconds()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Plan:
        """As it was stored."""
        duration = stored["duration"]
        return cls(
            **{
                **stored,
                "key": SegmentKey(**stored["key"]),
                "duration": None if duration is None else timedelta(seconds=duration),
            }
        )


@dataclass(frozen=True)
class Rules:
    """How the difference is taken.

    :param mode: ``mirror`` makes the members follow the source, ``add`` and ``remove`` do one half of it.
    :param removals: ``owned`` removes those whom the ledger vouches for, ``all`` everybody who is not wanted.
    :param skip_removals: plan no removal, count them as skipped.
    :param retry_rejected_after: how long somebody whom the vendor refused is left alone.
    :param override: send everybody in one request that makes the members exactly these.
    """

    mode: Mode = "mirror"
    removals: Removals = "owned"
    skip_removals: bool = False
    retry_rejected_after: timedelta = timedelta(days=1)
    override: bool = False


def make_plan(
    workspace: Workspace,
    key: SegmentKey,
    staged: Staged,
    rules: Rules,
    limits: Limits,
    *,
    generation: int,
    listed: bool,
    now: int,
) -> Plan:
    """Compare the tables ``wanted``, ``known`` and, where ``listed``, ``live``, and make the table ``actions``.

    :param now: milliseconds since 1970.
    """
    # No times in the join: of ten million people they would be most of what has to go to disk.
    known = (
        "SELECT id, vouched, doubt IS NOT NULL AS doubtful, rejected IS NOT NULL AS refused, "
        f"rejected > {now - milliseconds(rules.retry_rejected_after)} AS waiting FROM known"
    )
    live = "FULL JOIN (SELECT DISTINCT id, true AS live FROM live) AS live USING (id)" if listed else ""
    workspace.run(
        f"""
        CREATE OR REPLACE TABLE actions AS
        SELECT * FROM (
            SELECT id, {_action(rules, listed)} AS action
            FROM (SELECT id, true AS wanted FROM wanted) AS wanted
            FULL JOIN ({known}) AS known USING (id)
            {live}
        )
        WHERE action IS NOT NULL
        """
    )
    summary = _summary(workspace)
    found = {action: people for action, people, _ in summary}
    kinds = (*SENT, "adopt", "waiting", "skipped", "forget", "gone")
    counts = {kind: found.get(kind, 0) for kind in kinds}
    counts |= {"baseline": _baseline(workspace, listed), "wanted": staged.wanted, "duplicates": staged.duplicates}
    counts["invalid"] = sum(staged.invalid.values())
    requests = sum(
        -(-counts[kind] // (limits.removes if kind == "remove" else limits.adds)) for kind in SENT if counts[kind]
    )
    return Plan(
        key=key,
        mode=rules.mode,
        generation=generation,
        counts=counts,
        requests=requests,
        duration=timedelta(minutes=requests / limits.per_minute) if limits.per_minute else None,
        digest=_digest(key, rules.mode, generation, summary),
        invalid=staged.invalid,
        samples=samples(workspace, found),
    )


def _action(rules: Rules, listed: bool) -> str:
    """The SQL that says what is to be done about an id."""
    member = "live" if listed else "vouched"
    held = "(vouched OR doubtful)"
    if rules.mode == "remove":
        reach = f"wanted AND ({held} OR live)" if listed else "wanted"
        return f"CASE WHEN {reach} THEN 'remove' END"
    if rules.override:
        # Whoever is vouched for and not wanted goes by it, too.
        return f"CASE WHEN wanted THEN 'override' WHEN {held} OR refused THEN 'gone' END"
    missing = f"wanted AND ({member} IS NOT TRUE OR doubtful)"
    leaves = held + (" OR live" if listed and rules.removals == "all" else "")
    removal = "'skipped'" if rules.skip_removals else "'remove'"
    adopted = "WHEN wanted AND live AND vouched IS NOT TRUE THEN 'adopt' " if listed else ""
    return (
        f"CASE WHEN {missing} AND refused IS NOT TRUE THEN 'add' "
        f"WHEN {missing} AND waiting THEN 'waiting' "
        f"WHEN {missing} THEN 'again' "
        f"{adopted}"
        + (
            f"WHEN wanted IS NOT TRUE AND ({leaves}) THEN CASE WHEN waiting THEN 'waiting' ELSE {removal} END "
            if rules.mode == "mirror"
            else ""
        )
        + "WHEN wanted IS NOT TRUE AND refused THEN 'forget' END"
    )


def _baseline(workspace: Workspace, listed: bool) -> int:
    """How many members there are before, as far as is known."""
    if listed:
        (members,) = workspace.one(
            "SELECT count(*) FROM (SELECT DISTINCT id, true AS live FROM live) FULL JOIN known USING (id) "
            "WHERE live OR vouched OR doubt IS NOT NULL"
        )
    else:
        (members,) = workspace.one("SELECT count(*) FROM known WHERE vouched OR doubt IS NOT NULL")
    return int(members)


def _summary(workspace: Workspace) -> list[tuple[str, int, int]]:
    """Each action, how many people it is about, and the exclusive or of their ids' MD5, whatever their order."""
    return workspace.rows(
        "SELECT action, count(*), bit_xor(md5_number(id)) FROM actions GROUP BY action ORDER BY action"
    )


def _digest(key: SegmentKey, mode: Mode, generation: int, summary: list[tuple[str, int, int]]) -> str:
    described = repr((key.folder, mode, generation, summary))
    return "sha256:" + hashlib.sha256(described.encode()).hexdigest()
