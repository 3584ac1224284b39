"""Docebo's operations: tokens, groups, members, users, jobs, and the description of the API."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from airflow_segments_provider.testing.sandbox.api import Api, others, route
from airflow_segments_provider.testing.sandbox.docebo import bodies, constants, grants, rules
from airflow_segments_provider.testing.sandbox.docebo.bodies import Page
from airflow_segments_provider.testing.sandbox.docebo.document import SERVICES, document
from airflow_segments_provider.testing.sandbox.docebo.state import MEMBERS, Docebo, Group, Job, UserRecord
from airflow_segments_provider.testing.sandbox.messages import Call, Refused, Reply, json_reply
from airflow_segments_provider.testing.sandbox.vendor import WINDOW_SECONDS

B = TypeVar("B", bound=bodies.Body)
ADMIN = "administrator"
_MEMBERS_PATH, _ASSIGN_PATH = f"{constants.GROUP_PATH}/users", f"{constants.GROUP_PATH}/assign_users"
_SERVICES_PATH = f"{constants.PREFIX}/manage/v1/site/microservices"
_DOCUMENT_PATH = f"{constants.PREFIX}/{{service}}/v1/site/swagger"
_VERSION = "1.0.0"
_SEARCHED = ("firstname", "lastname", "userid", "email")
_COLUMNS = ("userid", "firstname", "lastname", "email")
# By the names in queries; the columns have older names.
_USER_SORTS = {
    "user_id": "idst", "username": "userid", "first_name": "firstname", "last_name": "lastname", "email": "email"
}  # fmt: skip
_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}
_NAMES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 410: "Gone", 429: "Too Many Requests",
}  # fmt: skip
# That the codes are whole numbers is known; which ones is not.
_CODES = {400: 1001, 403: 1003, 404: 1004, 409: 1009}


class Access(Api[Docebo]):
    """The checks before an operation, the reading of queries, and the forms of replies and refusals."""

    def admit(self, call: Call, needs: str) -> int:
        """Refuse a call without a live token of an administrator, or one too many; return the caller's number.

        A token is live or not at the time when the call arrived, whenever it is carried out.
        """
        state, settings = self.state, self.state.settings
        author = grants.author("access", call.bearer, call.received_at, state)
        if author is None or not author.active:
            message = "the access token is missing, unknown or expired"
            raise self.refused(401, message, {"www-authenticate": "Bearer"})
        # The window is a minute long; on a slower clock it is as long as the setting says.
        slower = settings.rate_window / WINDOW_SECONDS
        wait = state.rate.refuse(state.clock.now() / slower, settings.rate_limit)
        if wait is not None:
            headers = {"retry-after": str(max(1, round(wait * slower)))} if settings.retry_after else None
            raise self.refused(429, "too many calls", headers)
        if author.level != constants.SUPERADMIN:
            raise self.refused(403, "only administrators may do this")
        state.settle()
        return author.idst

    def describe(self, call: Call) -> None:
        """Log the number of IDs, and the form of an addition."""
        if "/audiences/" not in call.path:
            return
        last = call.path.rsplit("/", 1)[-1]
        if last == "assign_users":
            call.record.action = "assign_users"
        elif last == "users" and call.method in ("PUT", "POST"):
            call.record.action = f"{call.method.lower()}_users"
        body = call.json_or_none
        user_ids = body.get("user_ids") if isinstance(body, dict) else None
        call.record.user_ids = len(user_ids) if isinstance(user_ids, list) else None

    def refuse(self, error: Exception) -> Reply:
        """Return Docebo's reply to a wrong body: the first problem."""
        if not isinstance(error, ValidationError):
            return self.refused(400, str(error)).reply
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            return self.refused(400, f"{where} is missing").reply
        message = first["msg"].removeprefix("Value error, ")
        return self.refused(400, f"{where}: {message}" if where else message).reply

    def refused(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> Refused:
        """Return a refusal with the body of all calls but the token's."""
        shown = [message] if self.state.settings.message_as == "array" else message
        body = {"name": _NAMES[status], "message": shown, "code": _CODES.get(status, 0), "status": status}
        return Refused(json_reply(status, body, headers))

    def missing_route(self) -> Refused:
        """Refuse a call that the platform does not have, like any other unknown path or method."""
        status = self.state.settings.missing_route_status
        return self.refused(status, "no such path" if status == 404 else "no such operation")

    def body(self, call: Call, model: type[B]) -> B:
        """Return a body, or raise its problems."""
        sent, settings = call.read_json(), self.state.settings
        if isinstance(sent, dict) and settings.unknown_fields == "ignore":
            sent = {name: value for name, value in sent.items() if name in model.model_fields}
        return model.model_validate(sent, context=settings)

    def group(self, call: Call) -> Group:
        """Return the group that a path names, or refuse the call."""
        text = call.parameters["group"].lower()
        return self._known(self.state.group_table.one("uuid = ? AND deleted_at IS NULL", text))

    def page(self, call: Call, sorts: Sequence[str], default: str) -> Page:
        """Return the page that a query asks for, or refuse the query.

        :param sorts: the attributes to sort by
        :param default: the attribute or column that sorts otherwise
        """
        query, settings = call.query, self.state.settings
        sort, way = query.get("sort_attr", default), query.get("sort_dir", "asc").lower()
        if "sort_attr" in query and sort not in sorts:
            raise self.refused(400, f"sort_attr must be one of {', '.join(sorts)}")
        if way not in ("asc", "desc"):
            raise self.refused(400, "sort_dir must be asc or desc")
        size = self.whole_number(call, "page_size", settings.page_size)
        if size > settings.max_page_size and settings.large_page_size == "refuse":
            raise self.refused(400, f"page_size must be at most {settings.max_page_size}")
        number = self.whole_number(call, "page", 1)
        if settings.list_cursor and number > 1 and query.get("cursor") != _cursor(number - 1):
            raise self.refused(400, "the cursor of the page before is missing")
        return Page(number, min(size, settings.max_page_size), query.get("search_text", ""), sort, way == "desc")

    def whole_number(self, call: Call, name: str, default: int) -> int:
        """Return a whole number from 1, or refuse the query."""
        text = call.query.get(name, str(default))
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
            raise self.refused(400, f"{name} must be a positive whole number")
        return int(text)

    def flag(self, call: Call, name: str) -> bool:
        """Return a true-or-false parameter, or refuse the query."""
        text = call.query.get(name, "").lower()
        if text not in _FLAGS:
            raise self.refused(400, f"{name} must be true or false")
        return _FLAGS[text]

    def listed(self, items: Sequence[object], total: int, page: Page, totals: bool | None = None) -> Reply:
        """Answer with a page.

        :param totals: whether it has totals; None for the settings' choice
        """
        settings = self.state.settings
        if settings.list_form == "bare":
            return _data(items)
        more = page.number * page.size < total
        data: dict[str, object] = {
            "items": items,
            "count": len(items),
            "has_more_data": more,
            "cursor": _cursor(page.number) if settings.list_cursor and more else None,
            "current_page": page.number,
            "current_page_size": page.size,
            "sort": [{"sort_attr": page.sort, "sort_dir": "desc" if page.descending else "asc"}],
        }
        if settings.list_totals if totals is None else totals:
            data |= {"total_page_count": -(-total // page.size), "total_count": total}
        return _data(data)

    def _known(self, group: Group | None) -> Group:
        if group is None:
            raise self.refused(404, "no such group")
        return group

    def _object(self, group: Group) -> dict[str, Any]:
        """Return a group as replies show it; a manual one has no ruleset."""
        status = self.state.settings.pending_status if group.pending else "READY"
        keys = ("uuid", "slug", "name", "description", "type", "exclude_deactivated_users")
        return {key: getattr(group, key) for key in keys} | {
            "ruleset": None if group.ruleset is None else {"status": status, **group.ruleset},
            "labels": [],
            "created_by": {"idst": group.created_by},
            "updated_by": {"idst": group.updated_by},
            "updated_at": _spelled(group.updated_at),
        }


class Groups(Access):
    """Groups and their rules."""

    @route("POST", constants.TOKEN_PATH)
    def get_token(self, call: Call) -> Reply:
        """Exchange a grant for a token."""
        try:
            return grants.give_token(call, self.state)
        except grants.TokenRefused as refused:
            if self.state.settings.token_error_body == "docebo":
                raise self.refused(refused.status, str(refused)) from None
            body = {"error": refused.error, "error_description": str(refused)}
            raise Refused(json_reply(refused.status, body)) from None

    @route("GET", constants.GROUPS_PATH, needs=ADMIN)
    def list_groups(self, call: Call) -> Reply:
        """List the groups; unsorted, in the order of their creation."""
        page, table = self.page(call, ("name", "description", "slug"), "idst"), self.state.group_table
        condition, found = page.matching("uuid", "slug", "name", "description")
        condition = f"{condition} AND deleted_at IS NULL AND created_at <= ?"
        parameters = [*found, self.state.clock.now() - self.state.settings.list_lag]
        items = [self._object(group) for group in table.find(condition + page.order(), *parameters)]
        return self.listed(items, table.count(condition, *parameters), page)

    @route("POST", constants.GROUPS_PATH, constants.GROUPS_PATH_PLURAL)
    def create_group(self, call: Call) -> Reply:
        """Create a group without members; an automatic one gets them later."""
        state, settings = self.state, self.state.settings
        spelling = "singular" if call.path == constants.GROUPS_PATH else "plural"
        if settings.create_paths not in ("both", spelling):
            raise self.missing_route()
        author = self.admit(call, ADMIN)
        wanted = self.body(call, bodies.NewGroup)
        self._demand_free(wanted.name)
        excluded = wanted.exclude_deactivated_users
        group = state.new_group(wanted.name, wanted.description or "", wanted.type, excluded, author)
        if wanted.ruleset is not None:
            self._set_rules(group.idst, wanted.ruleset.model_dump(), None, author)
        shown = self._object(self._known(state.group(group.idst)))
        return _data(shown if settings.create_reply == "group" else {"uuid": group.uuid}, settings.create_status)

    @route("GET", constants.GROUP_PATH, needs=ADMIN)
    def get_group(self, call: Call) -> Reply:
        """Show one group."""
        return _data(self._object(self.group(call)))

    @route("PUT", constants.GROUP_PATH, needs=ADMIN)
    def update_group(self, call: Call) -> Reply:
        """Change the fields that the body has; other rules remove all members that the old rules matched."""
        state, group, author = self.state, self.group(call), call.caller
        fields = self.body(call, bodies.GroupUpdate).given()
        if "name" in fields:
            self._demand_free(fields["name"], group.idst)
        ruleset = fields.pop("ruleset", None)
        state.group_table.change(group, updated_at=state.clock.now(), updated_by=author, **fields)
        if ruleset is not None:
            if group.ruleset is None:
                raise self.refused(400, "a manual group has no ruleset")
            self._set_rules(group.idst, ruleset, group.ruleset, author)
        elif group.ruleset is not None and "exclude_deactivated_users" in fields:
            state.recalculate(group, author)
        return _data(self._object(self._known(state.group(group.idst))))

    @route("DELETE", constants.GROUP_PATH, needs=ADMIN)
    def delete_group(self, call: Call) -> Reply:
        """Delete a group, used elsewhere or not."""
        self.state.remove_group(self.group(call))
        return _data({"success": True})

    @route("GET", f"{constants.GROUP_PATH}/conditions-history", needs=ADMIN)
    def list_conditions(self, call: Call) -> Reply:
        """List the rules that a group has had, the latest first."""
        group, table = self.group(call), self.state.history_table
        if group.ruleset is None:
            raise self.refused(400, "a manual group has no conditions")
        page = self.page(call, (), "date")
        where = "audience = ? ORDER BY number DESC LIMIT ? OFFSET ?"
        items = [
            {"date": _spelled(one.at), "author": {"idst": one.author}, "ruleset": one.ruleset}
            for one in table.find(where, group.idst, page.size, (page.number - 1) * page.size)
        ]
        return self.listed(items, table.count("audience = ?", group.idst), page)

    @route("GET", f"{constants.GROUP_PATH}/audience_to_group", needs=ADMIN)
    def get_old_id(self, call: Call) -> Reply:
        """Return a group's number in the former service."""
        return _data({"id": self.group(call).idst})

    @route("GET", f"{constants.GROUP_PATH}/group_to_audience", needs=ADMIN)
    def get_new_id(self, call: Call) -> Reply:
        """Return the uuid of the group with a number in the former service."""
        return _data({"uuid": self._known(self.state.group(_number(call.parameters["group"]))).uuid})

    def _set_rules(self, idst: int, wanted: dict[str, Any], old: dict[str, Any] | None, author: int) -> None:
        state = self.state
        ruleset = rules.numbered(wanted, old, state.number)
        if ruleset is None:
            raise self.refused(400, "no such set or rule in this group")
        if old is not None and rules.same_rules(old, ruleset):
            return
        state.set_ruleset(idst, ruleset, author)
        state.member_table.delete("audience = ? AND relation = 'automatic'", idst)
        state.recalculate(self._known(state.group(idst)), author)

    def _demand_free(self, name: str, but: int = 0) -> None:
        taken = "name = ? AND deleted_at IS NULL AND idst <> ?"
        if self.state.settings.duplicate_names == "refuse" and self.state.group_table.count(taken, name, but):
            raise self.refused(409, "a group with this name exists")


class DoceboApi(Groups):
    """Members, users, jobs, and the description of the API."""

    @route("GET", _MEMBERS_PATH, needs=ADMIN)
    def list_members(self, call: Call) -> Reply:
        """List members, all or those that a search finds."""
        state, settings, group = self.state, self.state.settings, self.group(call)
        page = self.page(call, ("idst", "userid", "firstname", "lastname", "email"), "idst")
        condition, found = page.matching(*_SEARCHED)
        condition = f"{self._listed()} AND {condition}"
        users = state.user_table.find(condition + page.order(), group.idst, *found)
        joined = state.member_table.among("idst", [user.idst for user in users], "audience = ?", group.idst)
        by_rules = {member.idst for member in joined if member.relation == "automatic"}
        items = [
            {
                "idst": str(user.idst) if settings.idst_as == "string" else user.idst,
                **{column: getattr(user, column) for column in _COLUMNS},
                "relation_type": settings.relation_names[user.idst in by_rules],
            }
            for user in users
        ]
        return self.listed(items, state.user_table.count(condition, group.idst, *found), page)

    def _listed(self) -> str:
        """Return the condition for the members that lists show."""
        settings = self.state.settings
        hidden, lingering = rules.listed(settings.hidden_members), rules.listed(settings.lingering_members)
        return f"((idst IN ({MEMBERS}) AND idst NOT IN {hidden}) OR idst IN {lingering})"

    @route("PUT", _ASSIGN_PATH, form="assign_users")
    @route("PUT", _MEMBERS_PATH, form="put_users")
    @route("POST", _MEMBERS_PATH, form="post_users")
    def add_members(self, call: Call, form: Any) -> Reply:
        """Add users, and the users of branches and groups."""
        state, settings = self.state, self.state.settings
        if form not in settings.add_forms:
            raise self.missing_route()
        author, group = self._begin_change(call)
        wanted = self.body(call, bodies.Addition)
        branches = set(wanted.branch_ids)
        unknown = len(branches - set(state.branch_table.column("idst")))
        unknown += sum(1 for number in wanted.group_ids if state.group(number) is None)
        if settings.unknown_ids == "refuse" and (unknown or state.unknown_users(wanted.user_ids)):
            raise self.refused(400, "some ids are nobody's")
        branches = state.with_descendants(branches) if settings.branch_descendants else branches
        ids = {*wanted.user_ids, *state.in_branches(branches)}
        for number in wanted.group_ids:
            ids.update(state.member_ids(number))
        return self._changed(group, "add", ids, author)

    @route("DELETE", _MEMBERS_PATH)
    def remove_members(self, call: Call) -> Reply:
        """Remove users, together with all members, or with those that a search finds.

        Members matched by rules return when the rules are evaluated again.
        """
        author, group = self._begin_change(call)
        wanted = self.body(call, bodies.Removal)
        ids = set(wanted.user_ids)
        for text in wanted.user_filters or ():
            condition, found = bodies.containing(text, *_SEARCHED)
            ids.update(self.state.user_table.column("idst", f"idst IN ({MEMBERS}) AND {condition}", group.idst, *found))
        if wanted.user_all and not wanted.user_filters:
            ids.update(self.state.member_ids(group.idst))
        return self._changed(group, "remove", ids, author)

    @route("GET", f"{constants.GROUP_PATH}/export-users", needs=ADMIN)
    def export_members(self, call: Call) -> Reply:
        """Export the requested columns."""
        settings, group = self.state.settings, self.group(call)
        columns = [column for column in _COLUMNS if self.flag(call, column)]
        if not columns:
            raise self.refused(400, f"one of {', '.join(_COLUMNS)} must be asked for")
        delimiter = call.query.get("delimiter", ",")
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise self.refused(400, "delimiter must be one character")
        header = self.flag(call, "include_header")
        users = self.state.user_table.find(f"{self._listed()} ORDER BY idst", group.idst)
        rows = [[getattr(user, column) for column in columns] for user in users]
        if settings.export_reply == "json":
            return _data({"items": [dict(zip(columns, row, strict=True)) for row in rows]})
        text = io.StringIO("\ufeff" if settings.export_bom else "", newline="")
        text.seek(0, io.SEEK_END)
        line_end = "\n" if settings.export_line_end == "lf" else "\r\n"
        writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
        writer.writerows([columns, *rows] if header else rows)
        return Reply(200, text.getvalue().encode("utf-8", "replace"), "text/csv; charset=utf-8")

    @route("GET", constants.USERS_PATH, needs=ADMIN)
    def list_users(self, call: Call) -> Reply:
        """List users; totals are shown on request only."""
        page, table = self.page(call, tuple(_USER_SORTS), "user_id"), self.state.user_table
        condition, found = page.matching(*_SEARCHED)
        if call.query.get("match_type") == "full" and page.search:
            condition, found = "(userid = ? OR email = ?)", [page.search] * 2
        if "branch_id" in call.query:
            condition += f" AND branch = {self.whole_number(call, 'branch_id', 1)}"
        users = table.find(condition + page.order(_USER_SORTS[page.sort]), *found)
        totals = self.flag(call, "get_total_count")
        return self.listed([_user_object(user) for user in users], table.count(condition, *found), page, totals)

    @route("GET", f"{constants.USERS_PATH}/{{number}}", needs=ADMIN)
    def get_user(self, call: Call) -> Reply:
        """Show one user, by number."""
        user = self.state.user_table.one("idst = ?", _number(call.parameters["number"]))
        if user is None:
            raise self.refused(404, "no such user")
        return _data({"user_data": _user_object(user)})

    @route("GET", constants.JOBS_PATH, needs=ADMIN)
    def list_jobs(self, call: Call) -> Reply:
        """List jobs, of one author or in one status or all, the latest first."""
        author, status = call.query.get("id_author"), call.query.get("status")
        size = self.whole_number(call, "page_size", self.state.settings.page_size)
        found = [
            _job_object(job)
            for job in reversed(self.state.job_table.find())
            if author in (None, str(job.author)) and status in (None, job.status)
        ]
        return _data({"jobs": found[:size]})

    @route("GET", f"{constants.JOBS_PATH}/{{hash}}", needs=ADMIN)
    def get_job(self, call: Call) -> Reply:
        """Show one job."""
        job = self.state.job_table.one("hash = ?", call.parameters["hash"])
        if job is None:
            raise self.refused(404, "no such job")
        return _data(_job_object(job))

    @route("GET", _SERVICES_PATH, needs=ADMIN)
    def list_services(self, call: Call) -> Reply:
        """List the services with the addresses of their documents."""
        address = call.origin + _DOCUMENT_PATH
        return _data([{"app": name, "url": address.format(service=name)} for name in SERVICES])

    @route("GET", _DOCUMENT_PATH, name="describe")
    def describe_service(self, call: Call) -> Reply:
        """Answer with a service's document."""
        if call.parameters["service"] not in SERVICES:
            raise self.refused(404, "no such path")
        return json_reply(200, document(call.parameters["service"]))

    @others(
        constants.TOKEN_PATH,
        constants.GROUPS_PATH,
        constants.GROUPS_PATH_PLURAL,
        constants.GROUP_PATH,
        _MEMBERS_PATH,
        _ASSIGN_PATH,
        constants.USERS_PATH,
    )
    def no_operation(self, call: Call) -> Reply:
        """Refuse a method on a path that has others."""
        raise self.refused(405, "no such operation")

    @others(constants.OLD_GROUPS_PATH, constants.OLD_GROUPS_PATH + "/{rest:path}")
    def no_old_groups(self, call: Call) -> Reply:
        """Refuse the former groups service."""
        raise self.refused(self.state.settings.old_groups_status, "this service does not exist any more")

    @others(constants.PREFIX + "/{rest:path}")
    def no_route(self, call: Call) -> Reply:
        """Refuse a path that Docebo does not have."""
        raise self.refused(404, "no such path")

    def _begin_change(self, call: Call) -> tuple[int, Group]:
        author, settings, in_flight = self.admit(call, ADMIN), self.state.settings, self.gateway.in_flight
        changes = in_flight["docebo.add_members"] + in_flight["docebo.remove_members"]
        if changes and settings.concurrent_changes == "refuse":
            raise self.refused(409, "another change of members is still being answered")
        group = self.group(call)
        if group.type == "automatic" and settings.manual_in_automatic == "refuse":
            raise self.refused(400, "the members of an automatic group are its rules' affair")
        return author, group

    def _changed(self, group: Group, kind: Any, ids: set[int], author: int) -> Reply:
        in_background = self.state.change_members(group, kind, sorted(ids), author)
        return _data({"success": True, "background_job": in_background})


def _data(data: object, status: int = 200) -> Reply:
    """Answer with one object."""
    reply = json_reply(status, {"data": data, "version": _VERSION, "_links": []})
    return replace(reply, content_type="application/json; charset=UTF-8", headers={"x-docebo-api-version": _VERSION})


def _user_object(user: UserRecord) -> dict[str, object]:
    """Return a user, whose number is a text here."""
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


def _job_object(job: Job) -> dict[str, object]:
    return {
        "hash": job.hash,
        "name": f"audience {job.kind}",
        "status": job.status,
        "percent": 100 if job.status == "completed" else 0,
        "errors": 0,
        "total": job.total,
        "author_id": job.author,
        "date_created": _spelled(job.created_at),
        "last_update": _spelled(job.created_at if job.status == "running" else job.due_at),
    }


def _number(text: str) -> int:
    """Return a number of the path; 0, which nothing has, for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _cursor(page: int) -> str:
    return f"sandbox-cursor-{page}"


def _spelled(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
