"""How often what goes wrong: each schedule draws its own, so that some are calm and some show what is rare."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Weather:
    """The chance of each mishap.

    :param lost: that a request's answer is lost.
    :param late: that such a request is carried out later, not now.
    :param partly: that it is carried out now for some of its ids only, and late, if at all, for the others.
    :param busy: that a request is answered by 429 or 503 and not carried out.
    :param land: that a late request is carried out right before another one.
    :param settle: that before a run all time-outs have passed.
    :param die: that the process dies at a step.
    :param overtake: that another run does all its work while one is at some step.
    :param undo: that a run wants exactly those whom the one before did not want.
    :param tries: how often a request is sent before the run fails.
    """

    lost: float = 0.12
    late: float = 0.25
    partly: float = 0.1
    busy: float = 0.03
    land: float = 0.2
    settle: float = 0.65
    die: float = 0.0
    overtake: float = 0.0
    undo: float = 0.1
    tries: int = 4


CALM = Weather()


def drawn(rng: random.Random) -> Weather:
    """One of many weathers."""
    rough = rng.random() < 0.7
    return Weather(
        lost=rng.choice([0.15, 0.3]) if rough else 0.08,
        late=0.8 if rough else 0.3,
        partly=0.2,
        busy=rng.choice([0.02, 0.1]),
        # What lands seldom lands after the run that came after it.
        land=0.01 if rough else 0.2,
        settle=0.1 if rough else 0.65,
        die=rng.choice([0.0, 0.0, 0.01, 0.05]),
        overtake=rng.choice([0.0, 0.0, 0.5]) if rough else 0.5,
        undo=rng.choice([0.1, 0.9]),
        tries=rng.choice([1, 4, 5]),
    )
