"""Many real schedules, one after the other, in a small process of their own: a test process is too large to fork."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from airflow_segments_provider.testing.sandbox.client import SandboxClient
from tests.masking import forget_secrets
from tests.sync.model.broken import BROKEN
from tests.sync.model.one_run import Order, carry_out
from tests.sync.model.real import forked, fresh, run_real_schedule


@dataclass(frozen=True)
class Many:
    """The schedules to run.

    :param url: The URL of the sandbox.
    :param folder: The folder with a folder for each schedule.
    :param retry: The retry settings of the connection.
    :param fresh: Use fresh interpreters.
    :param broken: The name of a deliberate fault of the engine.
    """

    url: str
    folder: Path
    retry: Mapping[str, Any]
    seeds: range
    fresh: bool = False
    broken: str | None = None


def run_many(many: Many) -> int:
    """Run the schedules in a process of their own; return how many runs were killed.

    :raises AssertionError: A schedule diverged.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, many).result()


def _run(many: Many) -> int:
    if many.broken:
        BROKEN[many.broken].patch(pytest.MonkeyPatch())
    killed = 0
    with SandboxClient(many.url) as client:
        # Run once here, so that a child does not import all modules again.
        _connect(client, many, 0)
        carry_out(Order(str(many.folder), 1, ("p000",)))
        for seed in many.seeds:
            _connect(client, many, seed)
            folder = many.folder / str(seed)
            folder.mkdir()
            try:
                killed += run_real_schedule(seed, client, folder, fresh if many.fresh else forked).killed
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error
    return killed


def _connect(client: SandboxClient, many: Many, seed: int) -> None:
    """Reset the sandbox and the connection; each schedule has another client ID, because a process caches tokens."""
    client.reset()
    forget_secrets()
    client.settings(client_id=f"schedule-{seed}-{uuid.uuid4().hex[:8]}")
    os.environ["AIRFLOW_CONN_WALKME_DEFAULT"] = client.connection_json(users_per_request=1 + seed % 5, retry=many.retry)
