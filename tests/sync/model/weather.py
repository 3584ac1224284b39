"""The probabilities and limits of a schedule, drawn for each, so that some are calm and some show rare events.

Times are in minutes of the model, probabilities between 0 and 1.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Weather:
    """The behaviour of the vendor, the workers, the runs, and users.

    :param lost: that a request's answer is lost.
    :param late: that such a request is carried out later, not now, or never.
    :param partly: that it is carried out now for some of its IDs only, and for the others as ``late``.
    :param busy: that a request is answered by 429 and not carried out; also that a list fails.
    :param denied: that it is answered by 403.
    :param blind: that a list misses a member.
    :param prompt: that a late request is carried out in a minute.
    :param tries: how often a request is sent before the run fails; ``replace_tries``: one that replaces all members.
    :param partial: the vendor accepts a request without the IDs that it rejects, and names them.
    :param bad: that the vendor does not add a user; ``stuck``: that it does not remove one.
    :param moody: that it refuses the repeat of a request whose answer was lost, and may carry that out nevertheless.

    :param die: That a worker dies at a step; ``hang``: that it is suspended.
    :param gaps: A worker may be suspended between the last check before a try and the sending.
    :param tick: That a minute passes at a step.
    :param pauses: The minutes that may pass between two turns.
    :param turns: The steps that a worker may do before another one is drawn.

    :param lists: The vendor lists its members.
    :param loss: The ledger may be lost, or restored from an older copy: with probability ``restored`` between two
        turns; it is copied with probability ``copied`` at a step.
    :param unsure: That a file is written, and the store reports that it existed before.
    :param by_hand: That the segment is changed by hand between two turns.
    :param keep: The minutes for which a ledger keeps old files.

    :param limit: The users in a request.
    :param budget: The rejected requests of a run that may be divided into smaller ones.
    :param hopeless: The number of users rejected alone that ends a run in which no request was accepted.
    :param max_removals: The parameter of this name; ``removed``: ``max_removed_fraction``; ``added``:
        ``max_added_fraction``.

    :param again: That a run is a later try of the task before it.
    :param older: That it represents an earlier time; ``future``: a future time.
    :param asks: That a task requests a replacement.
    :param first: That a run has ``first_sync="replace"``.
    :param other_mode: That a run has another mode than ``mirror``.
    :param skips: That it has ``on_guard="skip_removals"``.
    :param undo: That a source has exactly the users who were not wanted; ``empty``: that it has no users.
    :param corrected: That a source is corrected before it is read again.
    :param breaks: That reading a source fails half-way; ``invalid``: that it has invalid rows.
    :param dry: That a run only plans.
    :param stopped: That Airflow ends a run at some step.
    :param approves: That a refused plan is approved; ``stale``: that an older one is.
    :param any_age: That a run has ``on_older="apply"``.
    """

    lost: float = 0.0
    late: float = 0.4
    partly: float = 0.1
    busy: float = 0.0
    denied: float = 0.0
    blind: float = 0.0
    prompt: float = 0.1
    tries: int = 4
    replace_tries: int = 1
    partial: bool = False
    bad: float = 0.0
    stuck: float = 0.0
    moody: float = 0.0

    die: float = 0.0
    hang: float = 0.0
    gaps: bool = False
    tick: float = 0.05
    pauses: tuple[int, ...] = (0, 1)
    turns: tuple[int, ...] = (1, 10, 60, 400)

    lists: bool = False
    loss: bool = False
    restored: float = 0.06
    copied: float = 0.05
    unsure: float = 0.01
    by_hand: float = 0.06
    keep: int = 30 * 24 * 60

    limit: int = 5
    budget: int = 500
    hopeless: int = 20
    max_removals: int | None = None
    removed: float = 1.0
    added: float | None = None

    again: float = 0.4
    older: float = 0.2
    future: float = 0.03
    asks: float = 0.15
    first: float = 0.15
    other_mode: float = 0.12
    skips: float = 0.1
    undo: float = 0.1
    empty: float = 0.06
    corrected: float = 0.3
    breaks: float = 0.03
    invalid: float = 0.08
    dry: float = 0.05
    stopped: float = 0.03
    approves: float = 0.5
    stale: float = 0.05
    any_age: float = 0.03


CALM = Weather()


# Weathers that soon show one kind of fault; the other fields are drawn at random.
DOUBTS = {"lost": 0.3, "late": 0.8, "prompt": 0.02, "tries": 1, "undo": 0.5, "pauses": (0, 0, 1, 5), "removed": 1.0}
REPEATED = {
    **DOUBTS,
    **dict.fromkeys(("busy", "denied", "die", "hang", "bad", "stuck"), 0.0),
    "lost": 0.5,
    "moody": 0.9,
    "tries": 4,
    "budget": 500,
    "undo": 0.8,
    "pauses": (0, 0, 1),
    "lists": False,
    "loss": False,
    "added": None,
    "max_removals": None,
}
CRASHES = {"die": 0.01, "turns": (10, 60, 400), "pauses": (0, 5, 30)}
REPLACING = {"asks": 0.4, "first": 0.4, "lists": False, "max_removals": None, "removed": 1.0, "added": None}
RESTORED = {"loss": True, "pauses": (0, 1), "max_removals": None, "removed": 1.0, "lists": False}
SUSPENDED = {"hang": 0.02, "turns": (3, 20), "max_removals": None, "removed": 1.0, "tick": 0.06, "pauses": (0, 5, 30)}
REJECTED = {"bad": 0.25, "stuck": 0.1, "limit": 5, "budget": 1, "partial": False, "hopeless": 20}
TOGETHER = {"again": 0.9, "turns": (3, 10, 20), "pauses": (0,), "tick": 0.01, "hang": 0.0, "removed": 1.0, "limit": 1}
GUARDED = {"max_removals": 1, "approves": 0.8, "added": None}
HOPELESS = {"bad": 0.8, "partial": False, "budget": 500, "hopeless": 3, "lists": False}
EMPHASES: tuple[dict[str, Any], ...] = (
    DOUBTS,
    CRASHES,
    REPLACING,
    RESTORED,
    SUSPENDED,
    REJECTED,
    TOGETHER,
    GUARDED,
    HOPELESS,
)


def drawn(rng: random.Random, **chosen: Any) -> Weather:
    """Draw a weather.

    :param chosen: Fields that are not chosen at random.
    """
    faults = rng.choice([0.03, 0.07, 0.2])
    hang, die = rng.choice([0.0, 0.004, 0.02]), rng.choice([0.0, 0.002, 0.01])
    weather = Weather(
        lost=1.6 * faults,
        late=rng.choice([0.3, 0.8]),
        partly=0.15,
        busy=rng.choice([0.02, 0.1]),
        denied=0.02,
        blind=rng.choice([0.05, 0.3]),
        prompt=rng.choice([0.02, 0.2]),
        tries=rng.choice([1, 3, 4]),
        replace_tries=rng.choice([1, 1, 3]),
        partial=rng.random() < 0.2,
        bad=rng.choice([0.0, 0.0, 0.1, 0.25]),
        stuck=rng.choice([0.0, 0.0, 0.08]),
        die=die,
        hang=hang,
        gaps=rng.random() < 0.3,
        tick=rng.choice([0.01, 0.06]),
        pauses=rng.choice([(0, 0, 1, 2, 5, 20), (0, 0, 1), (0, 5, 30)]),
        turns=rng.choice([(1, 10, 60, 400), (400,), (3, 20)]),
        lists=rng.random() < 0.4,
        loss=rng.random() < 0.25,
        keep=rng.choice([0, 20, 30 * 24 * 60]),
        undo=rng.choice([0.05, 0.4]),
        limit=rng.randint(1, 5),
        budget=rng.choice([1, 2, 3, 6, 500]),
        hopeless=rng.choice([3, 20]),
        max_removals=rng.choice([1, 3, None]),
        removed=rng.choice([0.2, 1.0]),
        added=rng.choice([0.5, None, None]),
    )
    for _ in range(rng.choice([0, 0, 1, 2])):
        weather = replace(weather, **rng.choice(EMPHASES))
    return replace(weather, **{"moody": 0.3 if weather.tries == 3 else 0.0, **chosen})
