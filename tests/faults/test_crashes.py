"""Every operation, killed between any two of its requests, and then run again."""

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
def test_run_again_after_a_kill(scene, operation, new_hook):
    """It ends as if nothing had happened: one segment, and exactly the members that are wanted."""
    run_again_after_each_kill(scene, operation, new_hook)
