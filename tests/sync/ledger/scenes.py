"""Ledgers as left by earlier runs in every state, and the run that follows."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_segments_provider.errors import LedgerBusy, PlanRefused, SegmentsError, VendorUnavailable
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.names import LEASES
from airflow_segments_provider.sync.workspace import Workspace
from tests.sync.conftest import Segment, people
from tests.sync.model.memory import KEY, Crash

FREE: dict[str, Any] = {"max_removed_fraction": 1, "max_added_fraction": None}
HOUR = 3_600_000


def end_at(segment, request, error=None):
    """Let the next run end at that request, which is not carried out."""
    error, sent = error or VendorUnavailable("down", maybe_done=True), []

    def carry_out(kind, ids):
        sent.append(kind)
        if len(sent) == request:
            del segment.vendor.carry_out
            raise error
        type(segment.vendor).carry_out(segment.vendor, kind, ids)

    segment.vendor.carry_out = carry_out
    return pytest.raises(type(error))


def failed(segment, error=None):
    """Some requests of a run are acknowledged, one of them partly rejected; then one gets no response."""
    segment.vendor.bad = {"p003", "p083"}
    segment.sync(people(0, 60))
    segment.sync(people(0, 62))
    segment.sync(people(0, 63))
    with end_at(segment, 4, error):
        segment.sync(people(30, 93), **FREE)
    return lambda: segment.sync(people(40, 90), **FREE)


def died(segment):
    """As ``failed``, but the worker died after it had renewed its lease, which has ended since."""
    failed(segment, Crash())
    generation = read_head(segment.store, KEY.folder).generation
    segment.store.create(f"{LEASES}/{generation:012d}/{segment.now + HOUR:015d}.json", b"")
    segment.now += 2 * HOUR
    return lambda: segment.sync(people(40, 90), run="another", **FREE)


def alive(segment):
    """As ``died``, but the lease has not ended."""
    failed(segment, Crash())
    return lambda: segment.sync(people(40, 90), run="another", **FREE)


def removing(segment):
    """A removal got no response, and another one was acknowledged."""
    segment.sync(people(0, 40))
    with end_at(segment, 2):
        segment.sync(people(20, 40), **FREE)
    return lambda: segment.sync(people(10, 40), **FREE)


def noted(segment):
    """One note of a late request is accounted for, and another one is not."""
    segment.sync(people(0, 20))
    for number, late in ((1, "late"), (2, "later")):
        held = segment.ledger()
        held.head = read_head(segment.store, KEY.folder)
        held.note("add", (late, f"p00{number}"))
        if number == 1:
            segment.sync([*people(0, 20), "late"])
    return lambda: segment.sync(people(1, 21), **FREE)


def committed(segment):
    """The last run was committed."""
    segment.sync(people(0, 20))
    segment.sync(people(0, 21))
    return lambda: segment.sync(people(5, 22), **FREE)


def older(segment):
    """The next run has older data."""
    segment.sync(people(0, 20), as_of=segment.now)
    return lambda: segment.sync(people(0, 25), as_of=segment.now - HOUR)


def approved(segment):
    """Of two refused plans, the last one is approved."""
    segment.sync(people(0, 40))
    with pytest.raises(PlanRefused):
        segment.sync([*people(0, 10), "p999"])
    with pytest.raises(PlanRefused) as refused:
        segment.sync([*people(0, 12), "p999"])
    held = segment.ledger()
    held.head = read_head(segment.store, KEY.folder)
    approvals.approve(held, refused.value.digest, "ada")
    return lambda: segment.sync([*people(0, 12), "p999"])


def replacing(segment):
    """A replacing request got no response."""
    segment.sync(people(0, 20))
    with end_at(segment, 1):
        segment.sync(people(5, 22), replace=True)
    return lambda: segment.sync(people(5, 23), **FREE)


def settling(segment):
    """As ``replacing``, and a later run waits for the outcome."""
    go_on = replacing(segment)
    with pytest.raises(LedgerBusy):
        go_on()
    return go_on


def settled(segment):
    """As ``settling``, and the wait is over."""
    go_on = settling(segment)
    segment.now += HOUR
    return go_on


def replaced(segment):
    """A replacing request was acknowledged, and the next request got no response."""
    segment.sync(people(0, 20))
    segment.vendor.members |= {"by hand"}
    with end_at(segment, 2):
        segment.sync(people(5, 40), replace=True, **FREE)
    return lambda: segment.sync(people(5, 40), replace=True, **FREE)


SCENES = (
    failed, died, alive, removing, noted, committed, older, approved, replacing, settling, settled, replaced,
)  # fmt: skip


@dataclass
class Result:
    """The result of a run.

    :param error: The package's error, if the run failed.
    :param requests: The number of requests that it sent.
    """

    error: SegmentsError | None
    requests: int
    members: set[str]
    owned: set[str]
    uncertain: dict[str, int]
    as_of: int | None
    replacement: str | None


class Scene:
    """One state of a ledger, which can be restored any number of times.

    :ivar right: The result of the next run on the undamaged ledger.
    """

    def __init__(self, build: Callable[[Any], Callable[[], object]], database: Any) -> None:
        self.segment = Segment(database)
        self.go_on = build(self.segment)
        self.files = dict(self.segment.store.files)
        self.seen = self.segment.witness.seen
        self.head = read_head(self.segment.store, KEY.folder)
        self._kept = self.segment.now, self.segment.runs, set(self.segment.vendor.members)
        self.right = self.play()

    def reset(self, changes: dict[str, bytes | None] | None = None, *, witness: bool = True) -> Segment:
        """Restore the state, except for some files.

        :param changes: The content of these files; None for a missing file.
        :param witness: Whether there is a witness.
        """
        files = {**self.files, **(changes or {})}
        self.segment.store.files = {name: content for name, content in files.items() if content is not None}
        self.segment.now, self.segment.runs = self._kept[:2]
        self.segment.vendor.members, self.segment.vendor.requests = set(self._kept[2]), 0
        self.segment.witness.seen = self.seen if witness else None
        return self.segment

    def play(self, changes: dict[str, bytes | None] | None = None, *, witness: bool = True) -> Result:
        """Restore the state, except for some files, and run once."""
        segment, error = self.reset(changes, witness=witness), None
        try:
            self.go_on()
        except SegmentsError as raised:
            error = raised
        if error is not None:
            return Result(error, segment.vendor.requests, set(segment.vendor.members), set(), {}, None, None)
        with Workspace(database=segment.database) as workspace:
            ledger = segment.ledger()
            ledger.look(workspace)
            rows = workspace.rows("SELECT id, owned, uncertain FROM known")
        return Result(
            None,
            segment.vendor.requests,
            set(segment.vendor.members),
            {user for user, owned, _ in rows if owned},
            {user: uncertain for user, _, uncertain in rows if uncertain is not None},
            ledger.state.as_of,
            ledger.state.replacement,
        )

    @property
    def needed(self) -> list[str]:
        """Return the files that the next run may need: those of the newest generation, and those that it names."""
        newest, named = f"{self.head.generation:012d}", {part.name for part in self.head.state.files}
        kept = ("notes/", "plans/", "approvals/")
        return [name for name in self.files if newest in name or name in named or name.startswith(kept)]

    def damages(self, seeds: range) -> Iterator[tuple[str, bytes | None, str]]:
        """Yield each needed file with damage of each kind: its name, its content, and a description."""
        for place, name in enumerate(self.needed):
            # A missing note or approval is the same as one that was never written.
            if not name.startswith(("notes/", "approvals/")):
                yield name, None, f"{name} is missing"
            for seed in seeds:
                for damage in (cut, changed, retyped):
                    content = damage(self.files[name], random.Random(f"{place} {damage.__name__} {seed}"))
                    if content is not None:
                        yield name, content, f"{name} is {damage.__name__}, seed {seed}: {content!r}"


def cut(content: bytes, rng: random.Random) -> bytes | None:
    """Return the first part of a file."""
    return content[: rng.randrange(len(content))] if content else None


def changed(content: bytes, rng: random.Random) -> bytes:
    """Return a file with one byte changed."""
    if not content:
        return b"x"
    place = rng.randrange(len(content))
    byte = rng.choice([byte for byte in range(256) if byte != content[place]])
    return content[:place] + bytes([byte]) + content[place + 1 :]


# Values of each type; many values may also be absent.
VALUES: tuple[Any, ...] = (
    None,
    None,
    None,
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "1",
    [],
    [1],
    ["x"],
    {},
    {"x": 1},
)


def retyped(content: bytes, rng: random.Random) -> bytes | None:
    """Return a document in which one value has another type."""
    try:
        document = json.loads(content)
    except ValueError:
        return None
    whole = {"": document}
    inside, step, value = rng.choice(list(_values(whole)))
    inside[step] = rng.choice([other for other in VALUES if type(other) is not type(value)])
    return json.dumps(whole[""]).encode()


def _values(inside: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield every value of a document, with its container and its place in it."""
    for step, value in inside.items() if isinstance(inside, dict) else enumerate(inside):
        yield inside, step, value
        if isinstance(value, (dict, list)):
            yield from _values(value)
