"""Zendesk's operations: tokens, user segments, articles and topics, users, tags and jobs."""

from __future__ import annotations

import hmac
import re
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_segments_provider.testing.sandbox.api import Api, F, Route, others, route
from airflow_segments_provider.testing.sandbox.case import contains, same
from airflow_segments_provider.testing.sandbox.messages import Call, Refused, Reply
from airflow_segments_provider.testing.sandbox.tokens import basic_credentials
from airflow_segments_provider.testing.sandbox.zendesk import bodies, constants, objects
from airflow_segments_provider.testing.sandbox.zendesk.bodies import json_reply
from airflow_segments_provider.testing.sandbox.zendesk.paging import Listing, page_reply, value
from airflow_segments_provider.testing.sandbox.zendesk.state import (
    STAFF,
    ContentRecord,
    Record,
    SegmentRecord,
    UserRecord,
    Zendesk,
    as_id,
    found_in_order,
    matches_rules,
)

AGENT, MANAGER, LISTER = "agent", "manager", "lister"
_NO_END = 36_500 * constants.DAY_SECONDS
_PERSON = re.compile(r"/users/\d+(?![^/.])")


@dataclass(frozen=True)
class Caller:
    """The user that calls; ``scopes`` is None for a kind of access without scopes."""

    user: UserRecord
    scopes: frozenset[str] | None


def _below(base: str) -> Callable[..., Callable[[F], F]]:
    def marked(method: str, path: str, needs: str = AGENT, **options: Any) -> Callable[[F], F]:
        # A path that ends with an ID has its suffix removed from the ID.
        suffixes = ("",) if path.endswith("}") else ("", ".json")
        return route(method, *(base + path + suffix for suffix in suffixes), needs=needs, **options)

    return marked


_hc, _community, _support = _below(constants.HELP_CENTER), _below(constants.COMMUNITY), _below(constants.SUPPORT)


class Access(Api[Zendesk]):
    """The token endpoint, and the checks before an operation: identity, rate limit, scope, and role."""

    @route("POST", constants.TOKEN_PATH, constants.TOKEN_PATH + ".json")
    def create_token(self, call: Call) -> Reply:
        """Exchange the client's ID and secret for a token; the bodies of refusals are assumptions."""
        body, settings = call.json_or_none if call.content_type == "application/json" else None, self.state.settings
        if not isinstance(body, dict):
            raise _token_refused(400, "invalid_request", "The body must be a JSON object")
        if body.get("grant_type") != "client_credentials":
            raise _token_refused(400, "unsupported_grant_type", "Only client_credentials is supported")
        if not all(_same(body.get(key), getattr(settings, key)) for key in ("client_id", "client_secret")):
            raise _token_refused(401, "invalid_client", "The client is unknown")
        asked = body.get("expires_in")
        if asked is not None and not (
            type(asked) is int and constants.MIN_EXPIRES_IN < asked < constants.MAX_EXPIRES_IN
        ):
            text = f"expires_in must be above {constants.MIN_EXPIRES_IN} and below {constants.MAX_EXPIRES_IN}"
            raise _token_refused(400, "invalid_request", text)
        lifetime = settings.default_expires_in if asked is None else asked
        scope = body.get("scope") or settings.default_scope
        # A list is accepted without an error, and then allows nothing.
        granted = " ".join(scope.split()) if isinstance(scope, str) else ""
        token = self.state.tokens.issue(granted, lifetime or _NO_END, settings.client_id)
        reply = {"access_token": token, "token_type": "bearer", "scope": scope}
        if lifetime is not None and settings.expires_in_reply:
            reply["expires_in"] = lifetime
        return json_reply(settings.token_status, reply, {"cache-control": "no-store"})

    def handle(self, call: Call, found: Route, operation: Callable[..., Reply]) -> Reply:
        """Check a call, carry it out, and add the headers of the rate limit."""
        if found.needs is None:
            return operation(call, **found.arguments)
        caller, help_center = self.identify(call), constants.is_help_center(call.path)
        if caller is None or (help_center and not self.state.settings.guide_enabled):
            raise bodies.unauthenticated()
        headers = self._count(help_center)
        try:
            self.demand_scope(call, caller)
            self.state.settle()
            call.caller = caller.user
            self._demand_role(caller.user, found.needs)
            return _with(operation(call, **found.arguments), headers)
        except Refused as refusal:
            raise Refused(_with(refusal.reply, headers)) from None
        except bodies.WRONG_BODY as error:
            raise Refused(_with(self.refuse(error), headers)) from None

    def refuse(self, error: Exception) -> Reply:
        """Return Zendesk's reply to a wrong body."""
        return bodies.refuse(error)

    def describe(self, call: Call) -> None:
        """Log the number of users, and no user's ID."""
        body = call.json_or_none
        users = body.get("users") if isinstance(body, dict) else None
        segment = body.get("user_segment") if isinstance(body, dict) else None
        users = segment.get("added_user_ids") if isinstance(segment, dict) else users
        named = len(_values(call, "external_ids") or _values(call, "ids")) or None
        call.record.user_ids = len(users) if isinstance(users, list) else named
        call.record.path = _PERSON.sub("/users/{user}", call.record.path)

    def identify(self, call: Call) -> Caller | None:
        """Return the caller; None for an unknown one. A token is live or not at the time when the call arrived."""
        if call.bearer is not None:
            granted = self.state.tokens.grant(call.bearer, call.received_at)
            user = self._by_email(self.state.settings.client_user)
            return None if granted is None or user is None else Caller(user, frozenset(granted.split()))
        basic = basic_credentials(call.headers.get("authorization", ""))
        return None if basic is None else self._by_api_token(basic, call.received_at)

    def demand_scope(self, call: Call, caller: Caller) -> None:
        """Refuse a token that does not allow the call; that jobs need the scopes of users is an assumption."""
        need = "read" if call.method == "GET" else "write"
        scopes = {need, f"{'hc' if constants.is_help_center(call.path) else 'users'}:{need}"}
        if caller.scopes is not None and caller.scopes.isdisjoint(scopes):
            raise bodies.forbidden(self.state.settings, "The token's scope does not allow this")

    def _demand_role(self, user: UserRecord, needs: str) -> None:
        if needs == LISTER:
            needs = AGENT if self.state.settings.agents_may_list else MANAGER
        if not user.is_staff and needs == AGENT:
            raise bodies.forbidden(self.state.settings, "Only agents may do this")
        if not user.guide_admin and needs == MANAGER:
            raise bodies.forbidden(self.state.settings, "Only Help Center managers may do this")

    def _by_api_token(self, basic: bytes, at: float) -> Caller | None:
        """Return the user of an API token; a password instead of the token is never accepted."""
        login, _, secret = basic.decode("utf-8", "replace").rpartition(":")
        email, slash, word = login.rpartition("/")
        settings, days = self.state.settings, self.state.settings.api_token_idle_days
        if not slash or word != "token" or not _same(secret, settings.api_token):
            return None
        ended = settings.api_token_ends_at is not None and at >= settings.api_token_ends_at
        idle = days is not None and self.state.api_token_idle(at) > days * constants.DAY_SECONDS
        user = self._by_email(email)
        if ended or idle or not settings.api_token_active or user is None:
            return None
        self.state.note_api_token(at)
        return Caller(user, None)

    def _by_email(self, email: str) -> UserRecord | None:
        return self.state.user_table.one("email = ?", email)

    def _count(self, help_center: bool) -> dict[str, str]:
        """Count a call, and return the headers with what is left."""
        settings, now = self.state.settings, self.state.clock.now()
        per_minute, budget = settings.per_minute, self.state.budgets["help_center" if help_center else "support"]
        wait = budget.refuse(now, per_minute)
        if per_minute is None:
            return {}
        left = str(budget.remaining(now, per_minute))
        headers = {"x-rate-limit": str(per_minute), "x-rate-limit-remaining": left}
        if not help_center:
            name = settings.support_rate_headers
            headers |= {f"{name}-limit": str(per_minute), f"{name}-remaining": left}
            headers[f"{name}-reset"] = str(budget.resets(now))
        if wait is not None:
            raise bodies.too_many_calls(wait, headers, help_center and settings.rate_limit_body == "json")
        return headers

    # Replies

    def _object(self, kind: str, record: Any, call: Call) -> dict[str, object]:
        return objects.SHOWN[kind](record, call, self.state.settings)

    def _one(self, kind: str, record: Record, call: Call, status: int = 200) -> Reply:
        return json_reply(status, {kind[:-1]: self._object(kind, record, call)})

    def _found(self, kind: str, call: Call) -> Any:
        """Return the record that a path names."""
        record = self.state.tables[kind].one("id = ?", as_id(_path_text(call)))
        if record is None:
            raise bodies.not_found()
        return record

    def _page(self, call: Call, kind: str, ids: Sequence[int], per_page: int = 100, cursor: bool = True) -> Reply:
        def render(numbers: Sequence[int]) -> list[dict[str, object]]:
            return [self._object(kind, record, call) for record in found_in_order(self.state.tables[kind], numbers)]

        return page_reply(call, Listing(kind, ids, render, per_page, cursor), self.state.settings)

    def _page_of(self, call: Call, key: str, items: Sequence[dict[str, object]]) -> Reply:
        listing = Listing(key, range(1, len(items) + 1), lambda numbers: [items[number - 1] for number in numbers])
        return page_reply(call, listing, self.state.settings)


class HelpCenter(Access):
    """User segments, and the articles and topics to which they are applied."""

    @_hc("GET", "/user_segments", LISTER, name="list_segments")
    @_hc("GET", "/user_segments/applicable", LISTER, name="list_applicable_segments", applicable=True)
    def list_segments(self, call: Call, applicable: bool = False) -> Reply:
        """List all segments, or those that the plan allows to apply: on the lowest plan, not those of staff."""
        every = not applicable or self.state.settings.custom_segments
        found = self.state.segment_table.find()
        return self._segment_page(call, [one for one in found if every or one.user_type != STAFF])

    @_hc("GET", "/users/{id}/user_segments")
    def list_user_segments(self, call: Call) -> Reply:
        """List the segments of a user; an agent sees of others' segments only those that are the agent's as well."""
        user = self._found("users", call)
        found = self._segments_of(user)
        if not call.caller.guide_admin and user.id != call.caller.id:
            own = {segment.id for segment in self._segments_of(call.caller)}
            found = [segment for segment in found if segment.id in own]
        return self._segment_page(call, found)

    @_hc("POST", "/user_segments", MANAGER)
    def create_segment(self, call: Call) -> Reply:
        """Create a segment; that names may repeat is an assumption."""
        settings, table, now = self.state.settings, self.state.segment_table, self.state.clock.now()
        if not settings.custom_segments:
            raise bodies.forbidden(settings, "The plan has no custom user segments")
        sent = bodies.read_wrapped(call, "user_segment")
        fields = bodies.NewSegment.model_validate(sent).given()
        if fields.get("name") is None:
            fields["name"] = None if settings.missing_name == "null" else ""
        self._demand_fitting(fields)
        if settings.max_segments is not None and table.count() >= settings.max_segments:
            raise bodies.bad_fields("base", f"There are {settings.max_segments} user segments already")
        segment = SegmentRecord(self.state.new_ids("segment")[0], now, now, **fields)
        table.put(segment)
        reply = self._one("user_segments", segment, call, 201)
        return bodies.warned(reply, bodies.SegmentUpdate, "create", sent, settings)

    @_hc("PUT", "/user_segments/{id}", MANAGER)
    def update_segment(self, call: Call) -> Reply:
        """Change the fields of a segment that the body holds."""
        settings, segment = self.state.settings, self._changeable(call)
        sent = bodies.read_wrapped(call, "user_segment")
        fields = bodies.SegmentUpdate.model_validate(sent).given()
        self._demand_fitting(fields)
        if fields.get("user_type", segment.user_type) != segment.user_type and not settings.user_type_changeable:
            raise bodies.bad_fields("user_type", "The type of a user segment cannot be changed")
        segment = self.state.segment_table.change(segment, updated_at=self.state.clock.now(), **fields)
        reply = self._one("user_segments", segment, call)
        return bodies.warned(reply, bodies.SegmentUpdate, "update", sent, settings)

    @_hc("DELETE", "/user_segments/{id}", MANAGER)
    def delete_segment(self, call: Call) -> Reply:
        """Delete a segment that is applied to nothing."""
        segment, settings, why = self._changeable(call), self.state.settings, "The user segment is in use"
        if settings.in_use_refusal != "none" and self.state.in_use(segment):
            if settings.in_use_refusal == "forbidden":
                raise bodies.forbidden(settings, why)
            refused = bodies.bad_fields if settings.in_use_refusal == "errors_base" else bodies.record_invalid
            raise refused("base", why)
        self.state.segment_table.remove([[segment.id]])
        return Reply(204)

    @_hc("GET", "/user_segments/{id}/sections", MANAGER, name="list_segment_sections", kind="sections")
    @_hc("GET", "/user_segments/{id}/topics", MANAGER, name="list_segment_topics", kind="topics")
    def list_restricted(self, call: Call, kind: str) -> Reply:
        """List the sections, by offset only, or the topics to which a segment is applied."""
        segment, table = self._found("user_segments", call), self.state.tables[kind]
        ids = [record.id for record in table.find() if segment.id in record.user_segment_ids]
        per_page = self.state.settings.segments_per_page if kind == "sections" else 100
        return self._page(call, kind, ids, per_page, cursor=kind == "topics")

    @_hc("PUT", "/articles/{id}", MANAGER, name="update_article", kind="articles")
    @_community("PUT", "/topics/{id}", MANAGER, name="update_topic", kind="topics")
    def restrict(self, call: Call, kind: str) -> Reply:
        """Apply segments, or remove the restriction; other fields are ignored. That managers alone may is assumed."""
        settings, record = self.state.settings, self._found(kind, call)
        wanted = self._wanted(bodies.read_wrapped(call, kind[:-1]), record, kind)
        added = [number for number in wanted if number not in record.user_segment_ids]
        segments = found_in_order(self.state.segment_table, added)
        if len(segments) != len(added):
            raise bodies.not_found()
        if not settings.custom_segments and any(one.user_type == STAFF for one in segments):
            raise bodies.forbidden(settings, "The plan does not let segments of staff be applied")
        changes = {"user_segment_ids": wanted, "updated_at": self.state.clock.now()}
        return self._one(kind, self.state.tables[kind].change(record, **changes), call)

    def _wanted(self, sent: Mapping[str, Any], record: ContentRecord, kind: str) -> list[int]:
        one, several = "user_segment_id" in sent, kind == "articles" and "user_segment_ids" in sent
        if one and several:
            raise bodies.bad_fields("base", "user_segment_id and user_segment_ids cannot be given together")
        if several and self.state.settings.several_segments:
            return bodies.Restrictions.model_validate(sent).user_segment_ids
        if not one:
            return record.user_segment_ids
        number = bodies.Restriction.model_validate(sent).user_segment_id
        return [] if number is None else [number]

    def _demand_fitting(self, fields: Mapping[str, Any]) -> None:
        """Refuse too many values, and unknown IDs where the settings say so."""
        settings, tables = self.state.settings, self.state.tables
        limits = {
            "tags": settings.max_tags,
            "or_tags": settings.max_tags,
            "organization_ids": settings.max_organizations,
        }
        for field, most in limits.items():
            if most is not None and len(fields.get(field, ())) > most:
                raise bodies.bad_fields(field, f"There are more than {most}")
        known = {"organization_ids": "organizations", "group_ids": "groups", "added_user_ids": "users"}
        for field in known.keys() & fields.keys() if settings.strict_ids else ():
            if len(found_in_order(tables[known[field]], fields[field])) != len(fields[field]):
                raise bodies.bad_fields(field, "There is no record with one of these ids")

    def _changeable(self, call: Call) -> SegmentRecord:
        segment, settings = self._found("user_segments", call), self.state.settings
        if segment.built_in:
            why = "Built-in user segments cannot be changed"
            refusals = {
                400: bodies.bad_fields("base", why),
                403: bodies.forbidden(settings, why),
                404: bodies.not_found(),
                422: bodies.record_invalid("base", why),
            }
            raise refusals[settings.built_in_refusal]
        found: SegmentRecord = segment
        return found

    def _segments_of(self, user: UserRecord) -> list[SegmentRecord]:
        inherited = self.state.inherited_tags()
        segments = self.state.segment_table.find()
        return [one for one in segments if user.id in one.added_user_ids or matches_rules(user, one, inherited)]

    def _segment_page(self, call: Call, segments: list[SegmentRecord]) -> Reply:
        wanted = value(call, "built_in")
        if wanted not in (None, "true", "false"):
            raise bodies.bad_request("InvalidParameter", "built_in is true or false")
        ids = sorted(one.id for one in segments if wanted is None or one.built_in == (wanted == "true"))
        return self._page(call, "user_segments", ids, self.state.settings.segments_per_page)


class ZendeskApi(HelpCenter):
    """Users, their tags, organizations, groups, and jobs; agents may call all operations."""

    @route("GET", f"{constants.SUPPORT}/users/me", f"{constants.SUPPORT}/users/me.json")
    def get_me(self, call: Call) -> Reply:
        """Return the caller; an unknown one is answered as well."""
        caller = self.identify(call)
        if caller is None:
            return json_reply(200, {"user": objects.anonymous_object(self.state.settings)})
        self.demand_scope(call, caller)
        token = {"authenticity_token": secrets.token_urlsafe(64)}
        return json_reply(200, {"user": self._object("users", caller.user, call) | token})

    @_support("GET", "/users", name="list_users", kind="users")
    @_support("GET", "/organizations", name="list_organizations", kind="organizations")
    @_support("GET", "/groups", name="list_groups", kind="groups")
    @_hc("GET", "/articles", name="list_articles", kind="articles", per_page=30)
    @_community("GET", "/topics", name="list_topics", kind="topics")
    def list_all(self, call: Call, kind: str, per_page: int = 100) -> Reply:
        """List all records of a kind; that agents see all articles and topics is an assumption."""
        return self._page(call, kind, self.state.tables[kind].column("id"), per_page)

    @_support("GET", "/users/search")
    def search_users(self, call: Call) -> Reply:
        """Find users by an external ID, or by a query of ``key:value`` and plain words, by offset only."""
        table, external_id = self.state.user_table, value(call, "external_id")
        words = (value(call, "query") or "").split() if external_id is None else []
        emails = [word.partition(":")[2].strip('"') for word in words if word.startswith("email:")]
        if external_id is not None:
            found = table.find("external_id = ?", external_id)
        else:
            found = table.find("email = ?", emails[0]) if emails else table.find()
        ids = sorted(user.id for user in found if all(_fits(user, word) for word in words))
        return self._page(call, "users", ids, cursor=False)

    @_support("GET", "/users/show_many")
    def show_users(self, call: Call) -> Reply:
        """Return up to 100 users by their IDs or external IDs; that unknown ones are left out is an assumption."""
        ids, external_ids = _values(call, "ids"), _values(call, "external_ids")
        _refuse_too_many(ids or external_ids, "users may be shown")
        table = self.state.user_table
        found = found_in_order(table, [as_id(text) for text in ids])
        found += [user for text in external_ids if not ids for user in table.find("external_id = ?", text)]
        users = [self._object("users", user, call) for user in found]
        return json_reply(200, {"users": users, "next_page": None, "previous_page": None, "count": len(users)})

    @_support("PUT", "/users/update_many")
    def update_users(self, call: Call) -> Reply:
        """Queue the same change of all users in the query, or the changes that the body has for each."""
        ids, external_ids = _values(call, "ids"), _values(call, "external_ids")
        if ids or external_ids:
            _refuse_too_many(ids or external_ids, "users may be updated")
            sent = bodies.read_wrapped(call, "user")
            changes = bodies.UserBody.model_validate(sent).changes()
            key, numbers = ("id", [as_id(text) for text in ids]) if ids else ("external_id", external_ids)
            rows = [{key: number, "changes": changes} for number in numbers]
        else:
            users = bodies.read_object(call).get("users")
            if not isinstance(users, list) or not all(isinstance(one, dict) for one in users):
                raise bodies.bad_request("ParameterMissing", "The body must hold an array of objects under users")
            _refuse_too_many(users, "users may be updated")
            sent = {key: item for one in users for key, item in one.items()}
            rows = [_row(one) for one in users]
        return bodies.warned(self._start(call, rows), bodies.UserBody, "update_many", sent, self.state.settings)

    @_hc("GET", "/user_segments/{id}", MANAGER, name="get_segment", kind="user_segments")
    @_hc("GET", "/articles/{id}", name="get_article", kind="articles")
    @_community("GET", "/topics/{id}", name="get_topic", kind="topics")
    @_support("GET", "/users/{id}", name="get_user", kind="users")
    def get_one(self, call: Call, kind: str) -> Reply:
        """Return one record."""
        return self._one(kind, self._found(kind, call), call)

    @_support("PUT", "/users/{id}")
    def update_user(self, call: Call) -> Reply:
        """Change one user; tags in the body replace all."""
        user = self._found("users", call)
        self._count_update(user)
        sent = bodies.read_wrapped(call, "user")
        reply = self._one("users", self._change(user, **bodies.UserBody.model_validate(sent).changes()), call)
        return bodies.warned(reply, bodies.UserBody, "update", sent, self.state.settings)

    # Tags, in the order in which they were added, which is an assumption

    @_support("GET", "/tags")
    def list_tags(self, call: Call) -> Reply:
        """List the tags of all users with their counts, within a limit of its own; by name, which is an assumption."""
        headers = self._count_tag_list()
        counts = Counter(tag for user in self.state.user_table.find() for tag in user.tags)
        return _with(
            self._page_of(call, "tags", [{"name": tag, "count": counts[tag]} for tag in sorted(counts)]), headers
        )

    @_support("GET", "/users/{id}/tags")
    def get_user_tags(self, call: Call) -> Reply:
        """Return one user's tags."""
        return json_reply(200, {"tags": self._found("users", call).tags})

    @_support("POST", "/users/{id}/tags", name="set_user_tags")
    @_support("PUT", "/users/{id}/tags", name="add_user_tags")
    @_support("DELETE", "/users/{id}/tags", name="remove_user_tags")
    def change_tags(self, call: Call) -> Reply:
        """Replace, add or remove tags; that an account without tagging answers 403 is an assumption."""
        settings = self.state.settings
        if not settings.user_tagging:
            raise bodies.forbidden(settings, "Users cannot be tagged in this account")
        user = self._found("users", call)
        # An absent list is as wrong as null.
        sent = bodies.TagsBody.model_validate({"tags": bodies.read_object(call).get("tags")}).tags
        status, tags = {
            "POST": (201, sent),
            "PUT": (200, list(dict.fromkeys([*user.tags, *sent]))),
            "DELETE": (settings.tags_delete_status, [tag for tag in user.tags if tag not in sent]),
        }[call.method]
        self._change(user, tags=tags)
        return Reply(204) if status == 204 else json_reply(status, {"tags": tags})

    # Jobs

    @_support("GET", "/job_statuses")
    def list_jobs(self, call: Call) -> Reply:
        """List all jobs, in the order of their creation."""
        jobs, now = self.state.job_table.find(), self.state.clock.now()
        return self._page_of(call, "job_statuses", [objects.job_object(job, now, call) for job in jobs])

    @_support("GET", "/job_statuses/show_many")
    def show_jobs(self, call: Call) -> Reply:
        """Return up to 100 jobs by their IDs."""
        ids, now = _values(call, "ids"), self.state.clock.now()
        _refuse_too_many(ids, "jobs may be shown")
        found = {job.id: objects.job_object(job, now, call) for job in self.state.job_table.among("id", ids)}
        return json_reply(200, {"job_statuses": [found[number] for number in dict.fromkeys(ids) if number in found]})

    @_support("GET", "/job_statuses/{id}")
    def get_job(self, call: Call) -> Reply:
        """Return one job."""
        found = self.state.job_table.one("id = ?", _path_text(call))
        if found is None:
            raise bodies.not_found()
        return json_reply(200, {"job_status": objects.job_object(found, self.state.clock.now(), call)})

    @others(constants.PREFIX + "/{rest:path}")
    def no_route(self, call: Call) -> Reply:
        """Refuse a path that Zendesk does not have."""
        raise bodies.not_found()

    def _start(self, call: Call, rows: list[dict[str, Any]]) -> Reply:
        settings, most = self.state.settings, self.state.settings.max_jobs
        if not settings.user_tagging:
            rows = [{**row, "changes": {k: v for k, v in row["changes"].items() if k != "tags"}} for row in rows]
        running = self.state.job_table.column("id", "over = 0")
        if most is not None and len(running) >= most:
            # The status is an assumption.
            body = bodies.described("TooManyJobs", "Too many jobs are queued or running")
            raise Refused(json_reply(429, {**body, "current_job_ids": running}))
        shown = objects.job_object(self.state.start_job(rows), float("-inf"), call)
        left = "" if most is None else f"total={most}; remaining={most - len(running) - 1}; resets=60"
        return json_reply(200, {"job_status": shown}, {"zendesk-ratelimit-inflight-jobs": left} if left else {})

    def _change(self, user: UserRecord, **changes: Any) -> UserRecord:
        return self.state.user_table.change(user, updated_at=self.state.clock.now(), **changes)

    def _count_tag_list(self) -> dict[str, str]:
        most = self.state.settings.tag_lists_per_minute
        if most is None:
            return {}
        now, budget = self.state.clock.now(), self.state.budgets["tags"]
        wait = budget.refuse(now, most)
        left = f"total={most}; remaining={budget.remaining(now, most)}; resets={budget.resets(now)}"
        headers = {"zendesk-ratelimit-tags-index": left}
        if wait is not None:
            raise bodies.too_many_calls(wait, headers)
        return headers

    def _count_update(self, user: UserRecord) -> None:
        """Apply the limits of updates, whose refusal is that of the general limit."""
        settings, now, budgets = self.state.settings, self.state.clock.now(), self.state.budgets
        account, own, wait = budgets["updates"], budgets[f"updates of {user.id}"], None
        if settings.user_updates_per_second is not None:
            wait = account.wait_within(now, 1.0, settings.user_updates_per_second)
        if wait is None:
            wait = own.refuse(now, settings.user_updates_per_minute)
        if wait is not None:
            raise bodies.too_many_calls(wait, {})
        account.refuse(now, None)


def _row(user: Mapping[str, Any]) -> dict[str, Any]:
    """Return the change of one row; an external ID without an ID finds the user, and is not a change then."""
    number, external_id = user.get("id"), user.get("external_id")
    if number is not None:
        number = number if type(number) is int else as_id(str(number))
        return {"id": number, "changes": bodies.UserBody.model_validate(user).changes()}
    fields = {key: item for key, item in user.items() if key != "external_id"}
    changes = bodies.UserBody.model_validate(fields).changes()
    return {"external_id": external_id if isinstance(external_id, str) else None, "changes": changes}


def _fits(user: UserRecord, word: str) -> bool:
    """Return whether a word of a query matches: a part of name or address if it has no key. Quotes are ignored."""
    key, _, text = word.partition(":")
    text = text.strip('"')
    keyed = {
        "email": same(user.email, text),
        "external_id": same(user.external_id or "", text),
        "name": contains(user.name, text),
        "role": user.role == text,
        "tags": text in user.tags,
        "type": text == "user",
        "user": contains(user.name, text) or same(user.email, text),
    }
    if key in keyed and ":" in word:
        return keyed[key]
    return contains(user.name, word) or contains(user.email, word)


def _path_text(call: Call) -> str:
    return call.parameters["id"].removesuffix(".json")


def _values(call: Call, name: str) -> list[str]:
    """Return the parts of a parameter that holds several, separated by commas."""
    return [part.strip() for part in (value(call, name) or "").split(",") if part.strip()]


def _refuse_too_many(items: Sequence[object], what: str) -> None:
    if len(items) > constants.MAX_USERS_PER_CALL:
        raise bodies.bad_request("TooManyValues", f"Maximum {constants.MAX_USERS_PER_CALL} {what} per call")


def _same(sent: object, right: str) -> bool:
    return isinstance(sent, str) and hmac.compare_digest(sent.encode("utf-8", "replace"), right.encode())


def _with(reply: Reply, headers: Mapping[str, str]) -> Reply:
    return replace(reply, headers={**headers, **reply.headers})


def _token_refused(status: int, error: str, description: str) -> Refused:
    return Refused(json_reply(status, {"error": error, "error_description": description}))
