"""The control API of Docebo, under ``/_sandbox/docebo``: the truth, and changes by an administrator.

A ``group`` is named by its uuid, else by its name.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, Field

from airflow_segments_provider.testing.sandbox.docebo import rules
from airflow_segments_provider.testing.sandbox.docebo.account import Account
from airflow_segments_provider.testing.sandbox.docebo.constants import SUPERADMIN
from airflow_segments_provider.testing.sandbox.docebo.group_calls import GroupCalls
from airflow_segments_provider.testing.sandbox.docebo.records import Group, Relation, UserRecord
from airflow_segments_provider.testing.sandbox.docebo.seed import invented
from airflow_segments_provider.testing.sandbox.messages import Refused

PAGE = 50_000
MAX_SEEDED = 5_000_000


class NewGroup(BaseModel):
    """A group that an administrator creates; one with a ruleset is automatic, and calculated at once."""

    name: str = Field(min_length=1)
    description: str = ""
    ruleset: dict[str, Any] | None = None


class NewUser(BaseModel):
    """A user; None for the address is the username, None for the branch is the root."""

    userid: str = Field(min_length=1)
    firstname: str = ""
    lastname: str = ""
    email: str | None = None
    branch: int | None = None
    active: bool = True
    level: Literal["superadmin", "user"] = "user"


class UserChange(BaseModel):
    """What is to change of a user; None leaves it."""

    active: bool | None = None
    branch: int | None = None


class SeededUsers(BaseModel):
    """Many invented users."""

    count: int = Field(ge=0, le=MAX_SEEDED)
    branch: int | None = None


class MemberChange(BaseModel):
    """Members that an administrator adds or removes."""

    group: str
    action: Literal["add", "remove"]
    user_ids: list[int]


class PublicKey(BaseModel):
    """A public key in PEM; an empty text for none."""

    pem: str


def docebo_control_router(account: Account) -> APIRouter:
    """Return the endpoints."""

    async def settle() -> None:
        account.settle()

    router = APIRouter(tags=["docebo control"], dependencies=[Depends(settle)])
    _add_users(router, account)
    _add_groups(router, account)
    _add_members(router, account)

    @router.get("/branches")
    async def list_branches() -> list[dict[str, Any]]:
        return [asdict(branch) for branch in account.people.branches()]

    @router.get("/jobs")
    async def list_jobs() -> list[dict[str, Any]]:
        return [asdict(job) for job in account.jobs.all()]

    @router.delete("/tokens", status_code=204)
    async def expire_tokens() -> None:
        account.tokens.clear()

    @router.put("/public_key", status_code=204)
    async def set_public_key(key: PublicKey) -> None:
        if key.pem and not _is_public_key(key.pem):
            raise HTTPException(422, "the key must be PEM that begins with BEGIN PUBLIC KEY; a certificate is none")
        account.set_public_key(key.pem)

    return router


def _add_users(router: APIRouter, account: Account) -> None:
    @router.get("/users")
    async def list_users(after: int = 0, limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE) -> list[dict[str, Any]]:
        return [asdict(user) for user in account.people.after(after, limit)]

    @router.post("/users", status_code=201)
    async def add_user(new: NewUser) -> dict[str, int]:
        if account.people.by_username(new.userid) is not None:
            raise HTTPException(409, "a user with this name exists")
        with account.transaction():
            (idst,) = account.numbers.take()
            address, branch = new.email or new.userid, _branch(account, new.branch)
            user = UserRecord(idst, new.userid, new.firstname, new.lastname, address, branch, new.active, new.level)
            account.people.add_users([user])
            account.recalculate_all(at_once=True)
        return {"idst": idst}

    @router.post("/users/seed", status_code=201)
    async def seed_users(wanted: SeededUsers) -> dict[str, int]:
        branch = _branch(account, wanted.branch)
        with account.transaction():
            ids = account.numbers.take(wanted.count)
            account.people.add_users(invented(ids, branch))
            account.recalculate_all(at_once=False)
        return {"first": ids.start, "count": len(ids)}

    @router.patch("/users/{idst}", status_code=204)
    async def change_user(idst: int, change: UserChange) -> None:
        user = _user(account, idst)
        active = user.active if change.active is None else change.active
        branch = user.branch if change.branch is None else _branch(account, change.branch)
        with account.transaction():
            account.people.change_user(idst, active=active, branch=branch)
            account.recalculate_all(at_once=True)

    @router.delete("/users/{idst}", status_code=204)
    async def delete_user(idst: int) -> None:
        with account.transaction():
            account.people.remove_user(_user(account, idst).idst)


def _add_groups(router: APIRouter, account: Account) -> None:
    @router.get("/groups")
    async def list_groups() -> list[dict[str, Any]]:
        return [asdict(group) for group in account.groups.all()]

    @router.post("/groups", status_code=201)
    async def create_group(new: NewGroup) -> dict[str, str]:
        with account.transaction():
            (idst,) = account.numbers.take()
            author = _administrator(account)
            kind: Literal["manual", "automatic"] = "manual" if new.ruleset is None else "automatic"
            uuid = account.groups.create(idst, new.name, new.description, kind, False, author)
            if new.ruleset is not None:
                try:
                    read = rules.read_ruleset(new.ruleset, account.settings)
                except Refused as refusal:
                    raise HTTPException(422, refusal.reply.content.decode()) from None
                account.groups.set_ruleset(
                    idst, rules.numbered(read, None, lambda: account.numbers.take()[0]) or read, author
                )
                account.recalculate(_group(account, uuid), author, at_once=True)
        return {"uuid": uuid}

    @router.delete("/groups", status_code=204)
    async def delete_group(group: str) -> None:
        with account.transaction():
            GroupCalls(account).remove(_group(account, group))


def _add_members(router: APIRouter, account: Account) -> None:
    @router.get("/members")
    async def list_members(
        group: str,
        after: int = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
        relation: Relation | None = None,
    ) -> dict[str, Any]:
        idst = _group(account, group).idst
        return {"count": account.members.count(idst), "members": account.members.ids(idst, after, limit, relation)}

    @router.post("/members", status_code=204)
    async def change_members(change: MemberChange) -> None:
        idst = _group(account, change.group).idst
        with account.transaction():
            if change.action == "remove":
                account.members.remove(idst, change.user_ids)
                return
            if unknown := account.people.unknown_users(change.user_ids):
                raise HTTPException(404, f"{unknown} of the ids are nobody's")
            account.members.add(idst, change.user_ids)


def _is_public_key(pem: str) -> bool:
    # Comes with Airflow; the sandbox needs it for this only.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not pem.lstrip().startswith("-----BEGIN PUBLIC KEY-----"):
        return False
    try:
        return isinstance(load_pem_public_key(pem.encode()), RSAPublicKey)
    except ValueError:
        return False


def _group(account: Account, text: str) -> Group:
    found = account.groups.search(text)
    if len(found) != 1:
        raise HTTPException(404 if not found else 409, f"{len(found)} groups go by {text!r}")
    return found[0]


def _user(account: Account, idst: int) -> UserRecord:
    found = account.people.user(idst)
    if found is None:
        raise HTTPException(404, f"no user {idst}")
    return found


def _branch(account: Account, idst: int | None) -> int:
    known = [branch.idst for branch in account.people.branches()]
    if idst is not None and idst not in known:
        raise HTTPException(404, f"no branch {idst}")
    return known[0] if idst is None else idst


def _administrator(account: Account) -> int:
    user = account.people.by_username(account.settings.username)
    return user.idst if user is not None and user.level == SUPERADMIN else 0
