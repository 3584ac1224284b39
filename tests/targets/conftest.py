"""Runs of a sync over a vendor's sandbox: their results, the vendor's requests, and everything that was shown."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.operators import witness_variable
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sync import engine
from airflow_segments_provider.sync.ledger import timing
from airflow_segments_provider.sync.plan import Plan
from tests import connections
from tests.operators.conftest import Variables
from tests.operators.task import context
from tests.targets.accounts import ACCOUNTS, IDENTIFIED, SANDBOXES, Account

SECRETS = ("client_secret", "api_secret", "api_token", "password")
CONNECT = {"docebo": "docebo", "alteryx": "alteryx", "zendesk": "zendesk", "tag": "zendesk"}

docebo, alteryx, zendesk = connections.docebo, connections.alteryx, connections.zendesk


@dataclass
class Ran:
    """One run.

    :ivar result: The result of the task; empty if it failed, and ``error`` has the message.
    :ivar plans: The plans that were made.
    :ivar received: The number of requests to the vendor by endpoint, without those for tokens.
    :ivar shown: The texts of the log, XCom and the error.
    :ivar unmatched: The users in the list of unmatched users, with their reasons; ``drift`` likewise.
    """

    account: Account
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    plans: list[Plan] = field(default_factory=list)
    received: Counter[str] = field(default_factory=Counter)
    shown: str = ""
    unmatched: dict[str, str] = field(default_factory=dict)
    drift: dict[str, str] = field(default_factory=dict)

    @property
    def look_ups(self) -> int:
        """Return the number of requests that looked users up."""
        return sum(self.received[endpoint] for endpoint in self.account.look_ups)

    @property
    def writes(self) -> int:
        """Return the number of requests that changed members."""
        return sum(self.received[endpoint] for endpoint in self.account.writes)

    @property
    def counts(self) -> dict[str, int]:
        """Return the counts of a successful run, without those of 0 and `after`, which follows from the others."""
        assert not self.error, self.error
        return {name: number for name, number in self.result["counts"].items() if number and name != "after"}


class Operator(SyncMembersOperator):
    """A sync that records its plans.

    :param after_plan: Called after each plan, before its first request.
    """

    def __init__(self, *, after_plan: Callable[[], object] = lambda: None, **options: Any) -> None:
        super().__init__(**options)
        self.after_plan, self.plans = after_plan, list[Plan]()

    def _show(self, context: Any, plan: Plan) -> None:
        self.plans.append(plan)
        super()._show(context, plan)
        self.after_plan()


class Syncs:
    """Runs of one sync, one after the other, with one ledger.

    After each run, only the lists beside the ledger may show users, and nothing may show a secret.
    """

    def __init__(self, account: Account, ledger: Path, clock: Clock, shown: Callable[[], str]) -> None:
        self.account, self.ledger, self.clock = account, ledger, clock
        self._shown, self._numbers = shown, count()
        self._personal: set[str] = set()

    def __call__(self, source: Any, *, target: Any = None, **options: Any) -> Ran:
        """Run the sync; an error of the package is in the result."""
        ran, before = Ran(self.account), Counter(self.account.sandbox.counts())
        self._personal |= self.account.personal()
        pushed: list[Any] = []
        run_id = f"run{next(self._numbers)}"
        run = {"run_id": run_id, "xcom_push": lambda **given: pushed.append(given)}
        task: Any = Operator(
            task_id="sync",
            target=target or self.account.target(),
            source=source,
            ledger_path=str(self.ledger),
            **options,
        )
        self._shown()
        try:
            ran.result = task.execute(context(**run))
        except SegmentsError as error:
            ran.error = str(error)
        ran.plans = task.plans
        ran.received = Counter(self.account.sandbox.counts()) - before
        for endpoint in [name for name in ran.received if "token" in name]:
            del ran.received[endpoint]
        ran.shown = f"{self._shown()}\n{json.dumps([ran.result, pushed], default=str)}\n{ran.error}"
        ran.unmatched, ran.drift = (_listed(self.ledger, run_id, kind) for kind in ("", ".drift"))
        self.check(ran.shown)
        return ran

    def check(self, shown: str) -> None:
        """Check what a run has shown, and the files that it has written."""
        found = exposed(self._personal, shown)
        assert [line for line in shown.splitlines() if exposed(found, line)] == []
        settings = self.account.sandbox.settings()
        secrets = [str(settings[name]) for name in SECRETS if settings.get(name)]
        assert secrets
        texts = [shown, *(path.read_text("latin-1") for path in self.ledger.rglob("*") if path.is_file())]
        assert [secret for secret in secrets for text in texts if secret in text] == []


class Clock:
    """Clock of all times in the ledger, which a test sets forward."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def advance(self, period: timedelta) -> None:
        """Set the clock forward."""
        self.passed += period

    def nanoseconds(self) -> int:
        """Return the nanoseconds since 1970."""
        return time.time_ns() + self.passed // timedelta(microseconds=1) * 1000


def _listed(ledger: Path, run: str, kind: str) -> dict[str, str]:
    """Return the users in the list of a run, with their reasons."""
    files = list(ledger.glob(f"unmatched/*/dag/sync/{run}/-1.1{kind}.jsonl"))
    assert len(files) <= 1
    lines = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    return {line["user_id"]: line["reason"] for line in lines}


@pytest.fixture
def clock(monkeypatch) -> Clock:
    found = Clock()
    running = {name: getattr(time, name) for name in ("clock_gettime_ns", "CLOCK_BOOTTIME", "CLOCK_MONOTONIC")}
    monkeypatch.setattr(timing, "time", SimpleNamespace(time_ns=found.nanoseconds, **running))
    return found


@pytest.fixture
def variables(monkeypatch) -> Variables:
    found = Variables()
    monkeypatch.setattr(witness_variable, "Variable", found)
    return found


@pytest.fixture(params=IDENTIFIED, ids="-".join)
def account(request) -> Account:
    """Return an account of each vendor with each identity; a test may choose others."""
    kind, identity = request.param
    request.getfixturevalue(CONNECT[kind])()
    return ACCOUNTS[kind](request.getfixturevalue(f"{SANDBOXES[kind]}_sandbox"), identity)


@pytest.fixture
def pauses(account, monkeypatch) -> list[float]:
    """Return the seconds that runs have waited; only the sandbox's clock advances."""

    def pause(seconds: float) -> None:
        waited.append(seconds)
        account.sandbox.advance(seconds)

    waited: list[float] = []
    monkeypatch.setattr(engine, "Sync", partial(engine.Sync, pause=pause))
    return waited


@pytest.fixture
def connect(account, request) -> Callable[..., Any]:
    """Set the account's connection, with further extra fields."""
    found: Callable[..., Any] = request.getfixturevalue(CONNECT[account.kind])
    return found


@pytest.fixture
def sync(account, tmp_path, clock, variables, caplog, capfd) -> Syncs:
    """Return the runs of a sync of the account."""

    def shown() -> str:
        text: str = caplog.text + "".join(capfd.readouterr()) + json.dumps(variables.values)
        caplog.clear()
        return text

    caplog.set_level("DEBUG", "airflow_segments_provider")
    return Syncs(account, tmp_path / "ledger", clock, shown)


def exposed(personal: set[str], text: str) -> set[str]:
    """Return which of the users' IDs, addresses and names are in a text as words."""
    words = set(re.findall(r"[\w.+@-]+", text.lower()))
    return {value for value in personal if value.lower() in (text.lower() if {" ", "@"}.intersection(value) else words)}
