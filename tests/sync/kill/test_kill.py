"""``kill -9`` on the task's process, at any instant, in a real Airflow that tries it again: right every time."""

from __future__ import annotations

import os
import random
import secrets
import signal
import time
from collections import Counter
from math import inf
from pathlib import Path

import airflow
import pytest

from tests.conftest import RETRY
from tests.sync.kill.deployment import Deployment, wait_until

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not airflow.__version__.startswith("3.3."), reason="the newest Airflow is enough"),
]

BY_HAND = {"f001", "f002"}
# Seconds; a run takes at least three, because each of its requests does LATENCY.
KILLED_WITHIN = 3.0
LATENCY = 0.3
KILLS = 2

DAG_FILE = '''
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment


class People:
    """Whoever reads it leaves the id of its process behind."""

    def __init__(self, task, first, last):
        self.task, self.first, self.last = task, first, last

    def __str__(self):
        return f"People({self.task})"

    __repr__ = __str__

    def __iter__(self):
        Path("PIDS", f"{self.task}.{os.getpid()}").touch()
        for number in range(self.first, self.last):
            yield f"p{number:03}"


with DAG(
    "killed",
    schedule="@once",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    is_paused_upon_creation=False,
    default_args={"retries": 20, "retry_delay": timedelta(seconds=1), "max_removed_fraction": 1.0},
) as dag:
    for number in range(COUNT):
        def sync(task, first, last):
            return SyncMembersOperator(
                task_id=task,
                target=WalkMeSegment(f"People {number}", create=True),
                source=People(task, first, last),
                ledger_path="LEDGER",
                takeover=True,
                # The others are made by the task that is killed.
                first_sync=None if number % 2 else "add",
            )

        sync(f"fill{number}", 0, 40) >> sync(f"change{number}", 20, 60)
'''


class Killer:
    """Kills tasks by the ids that they leave behind."""

    def __init__(self, seed: int, pids: Path) -> None:
        self.rng = random.Random(seed)
        self.pids = pids
        self.kills = 0
        self.due: dict[Path, float] = {}
        self.seen: Counter[str] = Counter()

    def look(self) -> None:
        """Note new processes, and kill those whose time has come."""
        now = time.monotonic()
        for path in sorted(self.pids.iterdir()):
            task = path.name.partition(".")[0]
            if path not in self.due:
                self.seen[task] += 1
                self.due[path] = now + self.rng.uniform(0, KILLED_WITHIN) if self.seen[task] <= KILLS else inf
            if self.due[path] <= now:
                self.due[path] = inf
                self.kills += self._kill(int(path.name.partition(".")[2]))

    def _kill(self, pid: int) -> bool:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


@pytest.fixture
def killed(segments_sandbox, migrated_db, tmp_path, tell):
    """Sync so many segments twice each, and kill each task up to twice; return the number of kills."""
    client = segments_sandbox.client
    client.reset()
    client.fault("walkme.update", "latency", times=None, seconds=LATENCY)
    seed = secrets.randbits(32)
    print(f"\nseed {seed}")  # noqa: T201  # which instants they were

    def run(count: int) -> int:
        for number in range(0, count, 2):
            client.create_segment(f"People {number}", user_ids=sorted(BY_HAND))
        pids = tmp_path / "pids"
        pids.mkdir()
        connection = client.connection_json(users_per_request=4, retry=RETRY)
        deployment = Deployment(tmp_path / "airflow", migrated_db, {"AIRFLOW_CONN_WALKME_DEFAULT": connection})
        content = DAG_FILE.replace("PIDS", str(pids)).replace("COUNT", str(count))
        (tmp_path / "airflow" / "dags" / "killed.py").write_text(content.replace("LEDGER", str(tmp_path / "ledger")))
        killer = Killer(seed, pids)
        with deployment:

            def done() -> bool:
                killer.look()
                states = deployment.states()
                assert not {"failed", "upstream_failed"} & set(states.values()), states
                return len(states) == 2 * count and set(states.values()) == {"success"}

            wait_until(done, or_fail=deployment.check_alive)
        for number in range(count):
            there_before = set() if number % 2 else BY_HAND
            assert client.members(f"People {number}") == {f"p{person:03}" for person in range(20, 60)} | there_before
        tell(f"{count} syncs, {killer.kills} kills")
        return killer.kills

    return run


def test_a_killed_sync_is_right_in_the_end(killed):
    assert killed(2) >= 3


@pytest.mark.slow
def test_so_are_many(killed):
    assert killed(30) >= 30
