"""``kill -9`` of a task's process at any moment, in a real Airflow that retries the task: the members are right."""

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
# In seconds; a run takes at least three, because each of its requests takes LATENCY.
KILLED_WITHIN = 3.0
LATENCY = 0.3
KILLS = 2

DAG_FILE = '''
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.docebo import DoceboGroup
from airflow_segments_provider.targets.walkme import WalkMeSegment


class Users:
    """A process that reads it leaves its ID behind."""

    def __init__(self, task, first, last, ending):
        self.task, self.first, self.last, self.ending = task, first, last, ending

    def __str__(self):
        return f"Users({self.task})"

    __repr__ = __str__

    def __iter__(self):
        Path("PIDS", f"{self.task}.{os.getpid()}").touch()
        for number in range(self.first, self.last):
            yield f"p{number:03}{self.ending}"


def target_of(number):
    """Return a segment that exists, one that the task creates, or a group that it creates, by e-mail address."""
    if number % 3 == 2:
        return DoceboGroup(f"Users {number}", create=True, identity="email")
    return WalkMeSegment(f"Users {number}", create=True)


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
                target=target_of(number),
                source=Users(task, first, last, "@example.org" if number % 3 == 2 else ""),
                ledger_path="LEDGER",
                takeover=True,
                first_sync=None if number % 3 else "add",
            )

        sync(f"fill{number}", 0, 40) >> sync(f"change{number}", 20, 60)
'''


class Killer:
    """Kills tasks by the process IDs that they have written."""

    def __init__(self, seed: int, pids: Path) -> None:
        self.rng = random.Random(seed)
        self.pids = pids
        self.kills = 0
        self.due: dict[Path, float] = {}
        self.seen: Counter[str] = Counter()

    def look(self) -> None:
        """Register new processes, and kill those that are due."""
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
def killed(segments_sandbox, docebo_sandbox, migrated_db, tmp_path, tell):
    """Sync this many segments twice each, and kill each task up to twice; return the number of kills."""
    client = segments_sandbox.client
    client.reset()
    client.fault("walkme.update", "latency", times=None, seconds=LATENCY)
    docebo_sandbox.reset()
    for endpoint in ("docebo.add_members", "docebo.remove_members", "docebo.list_users"):
        docebo_sandbox.fault(endpoint, "latency", times=None, seconds=LATENCY)
    ids = {number: docebo_sandbox.add_user(f"u{number}", email=f"p{number:03}@example.org") for number in range(60)}
    seed = secrets.randbits(32)
    print(f"\nseed {seed}")  # noqa: T201  # which instants they were

    def run(count: int) -> int:
        for number in range(0, count, 3):
            client.create_segment(f"Users {number}", user_ids=sorted(BY_HAND))
        pids = tmp_path / "pids"
        pids.mkdir()
        connections = {
            "AIRFLOW_CONN_WALKME_DEFAULT": client.connection_json(users_per_request=4, retry=RETRY),
            "AIRFLOW_CONN_DOCEBO_DEFAULT": docebo_sandbox.connection_json(users_per_request=8, retry=RETRY),
        }
        deployment = Deployment(tmp_path / "airflow", migrated_db, connections)
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
            if number % 3 == 2:
                assert docebo_sandbox.members(f"Users {number}") == {ids[user] for user in range(20, 60)}
                continue
            there_before = set() if number % 3 else BY_HAND
            assert client.members(f"Users {number}") == {f"p{user:03}" for user in range(20, 60)} | there_before
        tell(f"{count} syncs, {killer.kills} kills")
        return killer.kills

    return run


def test_syncs_that_are_killed_and_tried_again_end_with_the_right_members(killed):
    assert killed(3) >= 4


@pytest.mark.slow
def test_many_syncs_that_are_killed_and_tried_again_end_with_the_right_members(killed):
    assert killed(30) >= 30
