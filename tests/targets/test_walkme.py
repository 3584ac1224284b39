"""WalkMe's target, in addition to the conformance suite."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.targets.walkme import WalkMeSegment


def test_the_check_before_a_try_is_called_before_each_try_of_a_batch(connect, walkme_sandbox):
    connect()
    walkme_sandbox.create_segment("Trial users")
    target = WalkMeSegment("Trial users").open()
    assert target.key().segment
    checks = []

    def check() -> None:
        checks.append(walkme_sandbox.counts().get("walkme.update", 0))
        if len(checks) == 4:
            raise LedgerError("taken over")

    target.before_try = check
    assert target.before_try is check
    walkme_sandbox.fault("walkme.update", "status", status=429)
    target.add(["ada"])
    walkme_sandbox.fault("walkme.update", "status", status=401)
    with pytest.raises(LedgerError, match="taken over"):
        target.add(["grace"])
    assert checks == [0, 1, 2, 3]
    assert walkme_sandbox.counts()["walkme.update"] == 3
    assert walkme_sandbox.members("Trial users") == {"ada"}


def test_a_name_that_another_task_returned_as_a_number_is_found(connect, walkme_sandbox):
    year: Any = 2026
    connect()
    walkme_sandbox.create_segment("2026")
    assert WalkMeSegment(year).open().key().segment
    assert WalkMeSegment(year + 1, create=True).open().made_as == WalkMeSegment("2027", create=True).open().made_as
