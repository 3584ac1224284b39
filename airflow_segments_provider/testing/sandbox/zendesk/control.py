"""The control API of Zendesk, under ``/_sandbox/zendesk``: the truth, and changes by people.

A ``segment``, ``article`` or ``topic`` is named by its id, else by its name; a ``user`` by id, e-mail address or
external id.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.ask import as_id
from airflow_segments_provider.testing.sandbox.zendesk.records import (
    ContentRecord,
    OrganizationRecord,
    Role,
    SegmentRecord,
    UserRecord,
    UserType,
)
from airflow_segments_provider.testing.sandbox.zendesk.seed import seed_users
from airflow_segments_provider.testing.sandbox.zendesk.table import R, Table

PAGE = 50_000
Kind = Literal["articles", "topics", "sections"]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewUser(_Form):
    """A person who joins; the API's limits do not bind an administrator."""

    name: str
    email: str
    external_id: str | None = None
    role: Role = "end-user"
    guide_admin: bool = False
    organization_ids: list[int] = Field(default_factory=list)
    group_ids: list[int] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)


class NewUsers(_Form):
    """Many people who join at once."""

    count: int = Field(ge=1, le=1_000_000)
    tags: list[str] = Field(default_factory=list)
    organization_ids: list[int] = Field(default_factory=list)


class NewSegment(_Form):
    """A segment that somebody creates by hand."""

    name: str | None
    user_type: UserType = "signed_in_users"
    tags: list[str] = Field(default_factory=list)
    or_tags: list[str] = Field(default_factory=list)
    organization_ids: list[int] = Field(default_factory=list)
    group_ids: list[int] = Field(default_factory=list)
    added_user_ids: list[int] = Field(default_factory=list)


class NewThing(_Form):
    """An organization with its tags, or content with its segments."""

    name: str
    tags: list[str] = Field(default_factory=list)
    user_segment_ids: list[int] = Field(default_factory=list)


def zendesk_control_router(account: Account) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(tags=["zendesk control"])
    _add_users(router, account)
    _add_segments(router, account)
    _add_content(router, account)

    @router.get("/jobs")
    async def list_jobs() -> list[dict[str, Any]]:
        account.settle()
        return [vars(job) for job in account.jobs.all()]

    @router.delete("/tokens", status_code=204)
    async def expire_tokens() -> None:
        account.tokens.clear()

    return router


def _add_users(router: APIRouter, account: Account) -> None:
    @router.get("/users")
    async def list_users(after: int = 0, limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE) -> list[dict[str, Any]]:
        account.settle()
        ids = [number for number in account.users.ids() if number > after][:limit]
        return [vars(user) for user in account.users.many(ids)]

    @router.get("/user")
    async def read_user(user: str) -> dict[str, Any]:
        account.settle()
        return vars(_user(account, user))

    @router.post("/users", status_code=201)
    async def create_user(new: NewUser) -> dict[str, int]:
        if account.users.by_email(new.email):
            raise HTTPException(409, "a user with this e-mail address exists")
        (number,), now = account.users.new_ids(), account.now()
        account.users.put(UserRecord(id=number, created_at=now, updated_at=now, **new.model_dump()))
        return {"id": number}

    @router.post("/users/seed", status_code=201)
    async def create_users(new: NewUsers) -> dict[str, int]:
        ids = seed_users(account, new.count, new.tags, new.organization_ids)
        return {"first": ids[0], "last": ids[-1]}

    @router.patch("/user")
    async def change_user(user: str, changes: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        account.settle()
        found = _user(account, user)
        if strangers := changes.keys() - NewUser.model_fields.keys():
            raise HTTPException(422, f"no field of a user: {', '.join(sorted(strangers))}")
        known = {key: value for key, value in vars(found).items() if key in NewUser.model_fields}
        fields = NewUser.model_validate({**known, **changes}).model_dump()
        return vars(account.change_user(found, account.now(), **fields))

    @router.delete("/user", status_code=204)
    async def delete_user(user: str) -> None:
        account.users.delete(_user(account, user).id)

    @router.get("/organizations")
    async def list_organizations() -> list[dict[str, Any]]:
        return [vars(organization) for organization in account.organizations.all()]

    @router.post("/organizations", status_code=201)
    async def create_organization(new: NewThing) -> dict[str, int]:
        (number,), now = account.organizations.new_ids(), account.now()
        account.organizations.put(OrganizationRecord(number, new.name, now, now, new.tags))
        return {"id": number}

    @router.get("/groups")
    async def list_groups() -> list[dict[str, Any]]:
        return [vars(group) for group in account.groups.all()]


def _add_segments(router: APIRouter, account: Account) -> None:
    @router.get("/segments")
    async def list_segments() -> list[dict[str, Any]]:
        return [vars(segment) for segment in account.segments.all()]

    @router.post("/segments", status_code=201)
    async def create_segment(new: NewSegment) -> dict[str, int]:
        (number,), now = account.segments.new_ids(), account.now()
        account.segments.put(SegmentRecord(id=number, created_at=now, updated_at=now, **new.model_dump()))
        return {"id": number}

    @router.patch("/segments")
    async def change_segment(segment: str, changes: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        found = _one(account.segments, segment)
        if strangers := changes.keys() - NewSegment.model_fields.keys():
            raise HTTPException(422, f"no field of a segment: {', '.join(sorted(strangers))}")
        known = {key: value for key, value in vars(found).items() if key in NewSegment.model_fields}
        fields = NewSegment.model_validate({**known, **changes}).model_dump()
        changed = replace(found, updated_at=account.now(), **fields)
        account.segments.put(changed)
        return vars(changed)

    @router.delete("/segments", status_code=204)
    async def delete_segment(segment: str) -> None:
        account.segments.delete(_one(account.segments, segment).id)

    @router.get("/members")
    async def list_members(segment: str) -> list[dict[str, Any]]:
        account.settle()
        found = account.members(_one(account.segments, segment))
        return [{"id": user.id, "email": user.email, "external_id": user.external_id} for user in found]


def _add_content(router: APIRouter, account: Account) -> None:
    tables: dict[Kind, Table[ContentRecord]] = {
        "articles": account.articles,
        "topics": account.topics,
        "sections": account.sections,
    }

    @router.get("/content/{kind}")
    async def list_content(kind: Kind) -> list[dict[str, Any]]:
        return [vars(record) for record in tables[kind].all()]

    @router.post("/content/{kind}", status_code=201)
    async def create_content(kind: Kind, new: NewThing) -> dict[str, int]:
        table, now = tables[kind], account.now()
        (number,) = table.new_ids()
        table.put(ContentRecord(number, new.name, now, now, None, new.user_segment_ids))
        return {"id": number}

    @router.put("/content/{kind}/segments", status_code=204)
    async def apply_segments(kind: Kind, item: str, ids: Annotated[list[int], Body()]) -> None:
        tables[kind].put(replace(_one(tables[kind], item), user_segment_ids=ids, updated_at=account.now()))


def _one(table: Table[R], text: str) -> R:
    if (found := table.get(as_id(text))) is not None:
        return found
    named = [record for record in table.all() if getattr(record, "name", None) == text]
    if len(named) != 1:
        raise HTTPException(404 if not named else 409, f"{len(named)} records go by {text!r}")
    return named[0]


def _user(account: Account, text: str) -> UserRecord:
    by_id = account.users.get(as_id(text))
    found = [by_id] if by_id else account.users.by_email(text) or account.users.by_external_id(text)
    if len(found) != 1:
        raise HTTPException(404 if not found else 409, f"{len(found)} users go by {text!r}")
    return found[0]
