"""Repeat a schedule, and print its events: ``python -m tests.sync.model.repeat SEED [long]``."""

from __future__ import annotations

import sys

from tests.databases import small_database
from tests.sync.model.engine import small_engine
from tests.sync.model.schedule import LONG, MOST_AT_ONCE, SHORT, Diverged, Lengths, Schedule
from tests.sync.model.world import World


def story(seed: int, lengths: Lengths) -> list[str]:
    """Return the events of a schedule, and the claim that does not hold, if any."""
    world = World(seed)
    with small_engine():
        schedule = Schedule(world, [small_database() for _ in range(MOST_AT_ONCE + 1)])
        try:
            schedule.run(lengths)
        except Diverged as error:
            world.story.append(f"{error}")
        finally:
            schedule.end()
    return [str(world.weather), *world.story, world.excused]


if __name__ == "__main__":
    sys.stdout.write("\n".join(story(int(sys.argv[1]), LONG if sys.argv[2:] else SHORT)) + "\n")
