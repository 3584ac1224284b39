"""How Docebo's answers look, in each form that a setting may choose."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_segments_provider.testing.sandbox.docebo.queries import cursor_of
from airflow_segments_provider.testing.sandbox.docebo.records import Group, JobRecord, Relation, UserRecord
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.docebo.sql import Page
from airflow_segments_provider.testing.sandbox.messages import Reply, json_reply

_VERSION = "1.0.0"
_BOM = "\ufeff"


def data_reply(data: object, status: int = 200) -> Reply:
    """Answer with one thing."""
    reply = json_reply(status, {"data": data, "version": _VERSION, "_links": []})
    return replace(reply, content_type="application/json; charset=UTF-8", headers={"x-docebo-api-version": _VERSION})


def list_reply(
    items: Sequence[object], total: int, page: Page, settings: DoceboSettings, totals: bool | None = None
) -> Reply:
    """Answer with a page.

    :param totals: whether they are told; None to follow the settings
    """
    if settings.list_form == "bare":
        return data_reply(items)
    more = page.number * page.size < total
    data: dict[str, object] = {
        "items": items,
        "count": len(items),
        "has_more_data": more,
        "cursor": cursor_of(page.number) if settings.list_cursor and more else None,
        "current_page": page.number,
        "current_page_size": page.size,
        "sort": [{"sort_attr": page.sort, "sort_dir": "desc" if page.descending else "asc"}],
    }
    if settings.list_totals if totals is None else totals:
        data |= {"total_page_count": -(-total // page.size), "total_count": total}
    return data_reply(data)


def group_object(group: Group, settings: DoceboSettings) -> dict[str, Any]:
    """Return the object that stands for a group; a manual one has no ruleset."""
    ruleset = None
    if group.ruleset is not None:
        ruleset = {"status": settings.pending_status if group.pending else "READY", **group.ruleset}
    return {
        "uuid": group.uuid,
        "slug": group.slug,
        "name": group.name,
        "description": group.description,
        "type": group.type,
        "exclude_deactivated_users": group.exclude_deactivated_users,
        "ruleset": ruleset,
        "labels": [],
        "created_by": {"idst": group.created_by},
        "updated_by": {"idst": group.updated_by},
        "updated_at": spelled(group.updated_at),
    }


def member_object(user: UserRecord, relation: Relation, settings: DoceboSettings) -> dict[str, object]:
    """Return the object that stands for a member."""
    return {
        "idst": str(user.idst) if settings.idst_as == "string" else user.idst,
        "userid": user.userid,
        "firstname": user.firstname,
        "lastname": user.lastname,
        "email": user.email,
        "relation_type": settings.relation_names[relation == "automatic"],
    }


def user_object(user: UserRecord) -> dict[str, object]:
    """Return the object that stands for a user, whose number is a text here."""
    return {
        "user_id": str(user.idst),
        "username": user.userid,
        "first_name": user.firstname,
        "last_name": user.lastname,
        "fullname": f"{user.firstname} {user.lastname}",
        "email": user.email,
        "status": "1" if user.active else "0",
        "level": user.level,
        "encoded_username": user.userid.lower(),
        "last_access_date": "0000-00-00 00:00:00",
        "expiration_date": "0000-00-00",
        "expired": False,
    }


def job_object(job: JobRecord) -> dict[str, object]:
    """Return the object that stands for a job."""
    done = job.status == "completed"
    return {
        "hash": job.hash,
        "name": f"audience {job.kind}",
        "status": job.status,
        "percent": 100 if done else 0,
        "errors": 0,
        "total": job.total,
        "author_id": job.author,
        "date_created": spelled(job.created_at),
        "last_update": spelled(job.created_at if job.status == "running" else job.due_at),
    }


def export_reply(users: Sequence[UserRecord], columns: Sequence[str], form: Mapping[str, Any], as_json: bool) -> Reply:
    """Answer an export.

    :param form: header, delimiter, line_end and bom
    """
    rows = [[getattr(user, column) for column in columns] for user in users]
    if as_json:
        return data_reply({"items": [dict(zip(columns, row, strict=True)) for row in rows]})
    text = io.StringIO()
    writer = csv.writer(text, delimiter=form["delimiter"], lineterminator=form["line_end"])
    if form["header"]:
        writer.writerow(columns)
    writer.writerows(rows)
    content = (_BOM if form["bom"] else "") + text.getvalue()
    return Reply(200, content.encode("utf-8", "replace"), "text/csv; charset=utf-8")


def spelled(moment: float) -> str:
    """Return a time as Docebo writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
