"""The vendors' scenes, each on its emptied sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.register_assert_rewrite("tests.faults.crash")

from tests.faults.scene import Scene  # noqa: E402


@pytest.fixture
def masked(monkeypatch) -> list[str]:
    """Return what was masked. Airflow's own masker compiles all secrets into one pattern each time."""
    told: list[str] = []
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", told.append)
    return told


@pytest.fixture
def set_scene(request, masked) -> Callable[[type[Scene]], Scene]:
    """Return a vendor's scene."""

    def make(kind: type[Scene]) -> Scene:
        scene = kind(request.getfixturevalue(kind.fixture))
        scene.begin()
        return scene

    return make


@pytest.fixture
def scene(request, set_scene) -> Scene:
    """Return the scene of the vendor that the test is parametrized with."""
    made: Scene = set_scene(request.param)
    return made


@pytest.fixture
def new_hook(scene, monkeypatch) -> Callable[..., Any]:
    """Return a hook on the scene's sandbox, with these extra fields of its connection."""
    return lambda **extra: scene.hook(monkeypatch, **extra)
