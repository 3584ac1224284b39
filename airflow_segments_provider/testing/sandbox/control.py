"""The control API that all vendors share, under ``/_sandbox``.

======================================== =============================================================
GET, POST, DELETE ``/faults``            rules in force; add one (:class:`.faults.FaultRule`); drop all
GET ``/calls?endpoint=``, ``/calls/counts`` the log of calls; their number by endpoint
GET ``/clock``, POST ``/clock/advance``  the sandbox's time; move it by ``{"seconds": 600}``
POST ``/reset``                          begin anew, with ``{"walkme": {<settings>}}`` if wished
GET, PATCH ``/<vendor>/settings``        how a vendor behaves
======================================== =============================================================
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from airflow_segments_provider.testing.sandbox.faults import FaultRule
from airflow_segments_provider.testing.sandbox.vendor import Vendor
from airflow_segments_provider.testing.sandbox.world import World


class Advance(BaseModel):
    """How far the clock is to go."""

    seconds: float = Field(ge=0)


def control_router(world: World) -> APIRouter:
    """Return the endpoints; coroutines all, so that they run where the vendors' work runs."""
    router = APIRouter(tags=["control"])
    _add_faults(router, world)
    _add_calls(router, world)
    _add_time(router, world)
    _add_settings(router, world)
    return router


def _add_faults(router: APIRouter, world: World) -> None:
    @router.get("/faults")
    async def list_faults() -> list[FaultRule]:
        return world.faults.rules()

    @router.post("/faults", status_code=201)
    async def add_fault(rule: FaultRule) -> FaultRule:
        world.faults.add(rule)
        return rule

    @router.delete("/faults", status_code=204)
    async def clear_faults() -> None:
        world.faults.clear()


def _add_calls(router: APIRouter, world: World) -> None:
    @router.get("/calls")
    async def list_calls(endpoint: str | None = None) -> list[dict[str, Any]]:
        return world.calls.entries(endpoint)

    @router.get("/calls/counts")
    async def count_calls() -> dict[str, int]:
        return world.calls.counts()


def _add_time(router: APIRouter, world: World) -> None:
    @router.get("/clock")
    async def read_clock() -> dict[str, float]:
        return {"now": world.clock.now()}

    @router.post("/clock/advance")
    async def advance_clock(advance: Advance) -> dict[str, float]:
        world.clock.advance(advance.seconds)
        world.late.carry_out_due(world.clock.now())
        return {"now": world.clock.now()}


def _add_settings(router: APIRouter, world: World) -> None:
    def known(name: str) -> Vendor:
        if name not in world.vendors:
            raise HTTPException(404, f"no vendor {name!r}; known: {', '.join(world.vendors)}")
        return world.vendors[name]

    @router.post("/reset")
    async def reset(settings: dict[str, dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
        for name in settings or {}:
            known(name)
        world.reset(settings or {})
        return {name: vendor.settings.model_dump() for name, vendor in world.vendors.items()}

    @router.get("/{vendor}/settings")
    async def read_settings(vendor: str) -> dict[str, Any]:
        return known(vendor).settings.model_dump()

    @router.patch("/{vendor}/settings")
    async def change_settings(vendor: str, changes: dict[str, Any]) -> dict[str, Any]:
        known(vendor).configure(changes)
        return known(vendor).settings.model_dump()
