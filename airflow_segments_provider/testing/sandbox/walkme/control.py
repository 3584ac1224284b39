"""The control API of WalkMe, under ``/_sandbox/walkme``: the truth, the Editor, and changes by an administrator.

A ``segment`` is named by its GUID in either form, else by its external id, else by its name.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from airflow_segments_provider.testing.sandbox.walkme import guids
from airflow_segments_provider.testing.sandbox.walkme.account import Account
from airflow_segments_provider.testing.sandbox.walkme.records import SegmentRecord
from airflow_segments_provider.testing.sandbox.walkme.store import Action

PAGE = 50_000


class NewSegment(BaseModel):
    """A segment that an administrator creates; the API's limits do not bind it."""

    name: str
    external_id: str | None = None
    user_ids: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    system: str | None = None


class MemberChange(BaseModel):
    """Members that an administrator adds, removes, or puts in the place of all."""

    segment: str
    action: Action
    user_ids: list[Annotated[str, Field(min_length=1)]]


def walkme_control_router(account: Account) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(tags=["walkme control"])
    _add_segments(router, account)
    _add_members(router, account)

    @router.get("/editor")
    async def read_editor(system: str | None = None) -> list[str]:
        shown = account.segments.of_system(_system(account, system), older_than=account.settings.editor_lag)
        return [segment.name for segment in shown]

    @router.delete("/tokens", status_code=204)
    async def expire_tokens() -> None:
        account.tokens.clear()

    return router


def _add_segments(router: APIRouter, account: Account) -> None:
    @router.get("/segments")
    async def list_segments() -> list[dict[str, Any]]:
        return [asdict(segment) for segment in account.segments.all()]

    @router.post("/segments", status_code=201)
    async def create_segment(new: NewSegment) -> dict[str, str]:
        system = _system(account, new.system)
        if new.external_id is not None and account.segments.external_id_taken(system, new.external_id):
            raise HTTPException(409, "a segment with this external id exists")
        return {"guid": account.segments.create(system, new.name, new.external_id, new.user_ids)}

    @router.delete("/segments", status_code=204)
    async def delete_segment(segment: str) -> None:
        account.segments.delete(_segment(account, segment).guid)


def _add_members(router: APIRouter, account: Account) -> None:
    @router.get("/members")
    async def list_members(
        segment: str, after: str = "", limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE
    ) -> dict[str, Any]:
        found = _segment(account, segment)
        return {"count": found.members, "members": account.segments.members(found.guid, after, limit)}

    @router.post("/members", status_code=204)
    async def change_members(change: MemberChange) -> None:
        account.segments.change_members(_segment(account, change.segment).guid, change.action, change.user_ids)


def _segment(account: Account, text: str) -> SegmentRecord:
    found = account.segments.search(text)
    if len(found) != 1:
        raise HTTPException(404 if not found else 409, f"{len(found)} segments go by {text!r}")
    return found[0]


def _system(account: Account, text: str | None) -> str:
    digits = guids.from_anything(text or account.settings.systems[0])
    if digits is None:
        raise HTTPException(422, f"{text!r} is no GUID")
    return digits
