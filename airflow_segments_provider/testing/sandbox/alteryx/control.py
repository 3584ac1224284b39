"""The control API of Alteryx, under ``/_sandbox/alteryx``: the truth, and changes by an administrator.

A ``group`` is named by its id, else by its name. The API's limits do not bind an administrator.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from airflow_segments_provider.testing.sandbox.alteryx.constants import Kind, Role
from airflow_segments_provider.testing.sandbox.alteryx.installation import Installation
from airflow_segments_provider.testing.sandbox.alteryx.records import GroupRecord


class NewUsers(BaseModel):
    """How many numbered users are to be added."""

    count: int = Field(ge=0)


class NewUser(BaseModel):
    """A user that an administrator adds."""

    email: str
    first_name: str = "New"
    last_name: str = "User"
    role: Role = "Evaluated"
    is_active: bool = True


class NewGroup(BaseModel):
    """A group that an administrator creates."""

    name: str
    role: Role = "Evaluated"


class NewObject(BaseModel):
    """A collection, credential or data connection that an administrator creates."""

    kind: Kind
    name: str


class MemberChange(BaseModel):
    """Members that an administrator adds or removes."""

    group: str
    action: Literal["add", "remove"]
    user_ids: list[str]


class Share(BaseModel):
    """What an administrator lets a group use."""

    object_id: str
    group: str


def alteryx_control_router(installation: Installation) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(tags=["alteryx control"])
    _add_users(router, installation)
    _add_groups(router, installation)
    _add_members(router, installation)
    _add_shares(router, installation)

    @router.delete("/tokens", status_code=204)
    async def expire_tokens() -> None:
        installation.tokens.clear()

    return router


def _add_users(router: APIRouter, home: Installation) -> None:
    @router.get("/users")
    async def list_users() -> list[dict[str, Any]]:
        return [asdict(user) for user in home.users.all()]

    @router.post("/users", status_code=201)
    async def create_user(new: NewUser) -> dict[str, str]:
        return {"id": home.users.create(new.first_name, new.last_name, new.email, new.role, new.is_active)}

    @router.post("/users/seed", status_code=201)
    async def seed_users(new: NewUsers) -> list[str]:
        return home.users.seed(new.count)

    @router.post("/users/{user_id}/deactivate", status_code=204)
    async def deactivate_user(user_id: str) -> None:
        home.users.deactivate(_known_users(home, [user_id])[0])
        home.groups.leave_all(user_id)

    @router.delete("/users/{user_id}", status_code=204)
    async def delete_user(user_id: str) -> None:
        home.delete_user(_known_users(home, [user_id])[0])


def _add_groups(router: APIRouter, home: Installation) -> None:
    @router.get("/groups")
    async def list_groups() -> list[dict[str, Any]]:
        return [asdict(group) for group in home.groups.all()]

    @router.post("/groups", status_code=201)
    async def create_group(new: NewGroup) -> dict[str, str]:
        return {"id": home.groups.create(new.name, new.role)}

    @router.delete("/groups", status_code=204)
    async def delete_group(group: str) -> None:
        home.delete_group(_group(home, group).id)


def _add_members(router: APIRouter, home: Installation) -> None:
    @router.get("/members")
    async def list_members(group: str) -> dict[str, list[str]]:
        group_id = _group(home, group).id
        return {"users": home.groups.member_ids(group_id), "ad_groups": home.groups.ad_groups(group_id)}

    @router.post("/members", status_code=204)
    async def change_members(change: MemberChange) -> None:
        group_id = _group(home, change.group).id
        if change.action == "remove":
            home.groups.remove(group_id, change.user_ids)
        else:
            home.groups.add(group_id, _known_users(home, change.user_ids), home.caller_id())


def _add_shares(router: APIRouter, home: Installation) -> None:
    @router.post("/objects", status_code=201)
    async def create_object(new: NewObject) -> dict[str, str]:
        return {"id": home.shares.create(new.kind, new.name)}

    @router.get("/shares")
    async def list_shares(group: str | None = None) -> list[dict[str, Any]]:
        found = home.shares.all() if group is None else home.shares.of_group(_group(home, group).id)
        return [asdict(share) for share in found]

    @router.post("/shares", status_code=204)
    async def share(new: Share) -> None:
        home.shares.share(_object(home, new.object_id), _group(home, new.group).id)

    @router.delete("/shares", status_code=204)
    async def unshare(object_id: str, group: str) -> None:
        home.shares.unshare(_object(home, object_id), _group(home, group).id)


def _group(home: Installation, text: str) -> GroupRecord:
    by_id = home.groups.find(text.lower())
    found = [by_id] if by_id else home.groups.named(text)
    if len(found) != 1:
        raise HTTPException(404 if not found else 409, f"{len(found)} groups go by {text!r}")
    return found[0]


def _object(home: Installation, object_id: str) -> str:
    found = home.shares.find(object_id.lower())
    if found is None:
        raise HTTPException(404, f"nothing has the id {object_id!r}")
    return found.id


def _known_users(home: Installation, user_ids: list[str]) -> list[str]:
    known = home.users.known(user_ids)
    if strangers := [user_id for user_id in user_ids if user_id not in known]:
        raise HTTPException(404, f"{len(strangers)} unknown users, such as {strangers[0]!r}")
    return user_ids
