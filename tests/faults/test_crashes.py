"""Every operation, killed between any two of its requests, and then repeated."""

from __future__ import annotations

import pytest

from tests.faults.crash import run_again_after_each_kill
from tests.faults.vendors import SCENES

KILLS = [
    pytest.param(scene, operation, id=f"{scene.vendor}-{name}")
    for scene in SCENES
    for name, operation in {**scene.operations, **scene.crashes}.items()
    if operation.role in ("create", "write", "delete")
]


@pytest.mark.parametrize(("scene", "operation"), KILLS, indirect=["scene"])
def test_an_operation_that_is_killed_between_requests_succeeds_when_it_is_repeated(scene, operation, new_hook):
    """It ends as without the kill: one segment with exactly the wanted members."""
    run_again_after_each_kill(scene, operation, new_hook)
