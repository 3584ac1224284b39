"""WalkMe's Segments API: its paths, the bodies it accepts, and the forms of its answers."""

from __future__ import annotations

import hmac
from typing import Annotated, Any
from urllib.parse import parse_qs

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from airflow_segments_provider.testing.sandbox.api import Api, others, route
from airflow_segments_provider.testing.sandbox.messages import (
    FORM,
    Call,
    Refused,
    Reply,
    error_reply,
    json_reply,
    token_reply,
)
from airflow_segments_provider.testing.sandbox.tokens import basic_credentials
from airflow_segments_provider.testing.sandbox.walkme import constants
from airflow_segments_provider.testing.sandbox.walkme.settings import guid_digits
from airflow_segments_provider.testing.sandbox.walkme.state import Action, SegmentRecord, WalkMe


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


_Id = Annotated[str, Field(min_length=1, max_length=constants.MAX_ID_CHARACTERS)]
_Name = Annotated[str, Field(min_length=1, max_length=constants.MAX_NAME_CHARACTERS), AfterValidator(_not_blank)]


class _Body(BaseModel):
    # An unknown field is not documented: the vendor may ignore it, but a caller that sends one has misread something.
    model_config = ConfigDict(strict=True, extra="forbid")

    userIds: list[_Id]


class NewSegment(_Body):
    """A segment to be created."""

    name: _Name
    id: _Id = ""


class Change(_Body):
    """A change of a segment's members."""

    action: Action


class WalkMeApi(Api[WalkMe]):
    """The operations of the Segments API; a call needs a scope."""

    @route("POST", constants.TOKEN_PATH)
    def token(self, call: Call) -> Reply:
        """Exchange the API key for a token."""
        settings = self.state.settings
        if call.content_type != FORM:
            raise Refused(json_reply(400, {"error": "invalid_request"}))
        right = f"{settings.client_id}:{settings.client_secret}".encode()
        if not hmac.compare_digest(basic_credentials(call.headers.get("authorization", "")) or b"", right):
            raise Refused(json_reply(401, {"error": "invalid_client"}, {"www-authenticate": 'Basic realm="walkme"'}))
        grants = parse_qs(call.body.decode("utf-8", "replace"), keep_blank_values=True).get("grant_type", [])
        if grants != ["client_credentials"]:
            error = "unsupported_grant_type" if len(grants) == 1 else "invalid_request"
            raise Refused(json_reply(400, {"error": error}))
        scope, lifetime = " ".join(settings.scopes), settings.token_lifetime
        token = self.state.tokens.issue(scope, lifetime, settings.client_id)
        fields = {"scope": scope} if settings.scope_in_token else {}
        return token_reply(token, lifetime, settings.token_type, settings.expires_in_as, **fields)

    @route("POST", constants.SEGMENTS_PATH, needs=constants.WRITE)
    def create(self, call: Call) -> Reply:
        """Create a segment with its first members."""
        system = self._system(call)
        body = NewSegment.model_validate(self._checked(call))
        external_id = body.id if "id" in body.model_fields_set else None
        segment = self.state.create(system, body.name, external_id, body.userIds)
        if segment is None:
            raise Refused(error_reply(409, "conflict", "a segment with this id exists"))
        return self._created(segment)

    @route("PUT", constants.SEGMENT_PATH, needs=constants.WRITE)
    def update(self, call: Call) -> Reply:
        """Add or remove members, or replace all of them."""
        segment, settings = self._segment(call), self.state.settings
        body = Change.model_validate(self._checked(call))
        if body.action == "override" and not body.userIds and not settings.empty_override_allowed:
            raise _invalid("override needs at least one user id")
        self.state.change_members(segment.guid, body.action, body.userIds)
        if settings.update_reply == "200":
            return json_reply(200, self._object(segment))
        return Reply({"200_empty": 200, "202": 202, "204": 204}[settings.update_reply])

    @route("GET", constants.SEGMENTS_PATH, needs=constants.READ)
    def list(self, call: Call) -> Reply:
        """List the segments of a system, without their members."""
        settings = self.state.settings
        found = [self._object(one) for one in self.state.of_system(self._system(call), settings.list_lag)]
        return json_reply(200, found if settings.list_reply == "array" else {settings.list_reply: found})

    @route("DELETE", constants.SEGMENT_PATH)
    def delete(self, call: Call) -> Reply:
        """Delete a segment; that the API has this call is an assumption."""
        if self.state.settings.delete_supported != "yes":
            missing = self.state.settings.delete_supported == "route_405"
            return self.no_operation(call) if missing else self.no_route(call)
        self.admit(call, constants.WRITE)
        self.state.delete(self._segment(call))
        return Reply(204)

    @others(constants.TOKEN_PATH, constants.SEGMENTS_PATH, constants.SEGMENT_PATH)
    def no_operation(self, call: Call) -> Reply:
        """Refuse a method on a path that has others."""
        raise Refused(error_reply(405, "method_not_allowed", "no such operation"))

    @others(constants.PREFIX + "/{rest:path}")
    def no_route(self, call: Call) -> Reply:
        """Refuse a path that WalkMe does not have."""
        raise Refused(error_reply(404, "not_found", "no such path"))

    def describe(self, call: Call) -> None:
        """Log the action and the number of IDs."""
        body = call.json_or_none
        if isinstance(body, dict):
            action, user_ids = body.get("action"), body.get("userIds")
            call.record.action = action if isinstance(action, str) else None
            call.record.user_ids = len(user_ids) if isinstance(user_ids, list) else None

    def refuse(self, error: Exception) -> Reply:
        """Return WalkMe's reply to a wrong body: the first problem, and how many IDs have it."""
        settings = self.state.settings
        if not isinstance(error, ValidationError):
            return _invalid(str(error)).reply
        problems = error.errors(include_url=False)
        first = problems[0]
        alike = [one for one in problems if one["type"] == first["type"] and one["loc"][:1] == first["loc"][:1]]
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, str)) or "the body"
        message = f"{where}: {first['msg'].removeprefix('Value error, ')}" + (
            f", {len(alike)} of them do not comply" if len(alike) > 1 else ""
        )
        if settings.echo_ids_in_errors and where == "userIds":
            message += f": {', '.join(str(one['input']) for one in alike)}"
        return _invalid(message).reply

    def admit(self, call: Call, needs: str) -> None:
        """Refuse a call without a live token (401), that the key does not allow (403), or one too many (429).

        A token is live or not at the time when the call arrived, whenever it is carried out.
        """
        state = self.state
        granted = None if call.bearer is None else state.tokens.grant(call.bearer, call.received_at)
        if granted is None:
            headers = {"www-authenticate": "Bearer"}
            reply = error_reply(401, "unauthorized", "the access token is missing, unknown or expired", headers)
            raise Refused(reply)
        if not state.settings.segments_enabled:
            raise Refused(error_reply(403, "forbidden", "the Segments API is not enabled for this account"))
        if needs not in granted.split():
            raise Refused(error_reply(403, "forbidden", f"the access token lacks the scope {needs}"))
        wait = state.rate.refuse(state.clock.now(), state.settings.rate_limit)
        if wait is not None:
            raise Refused(error_reply(429, "too_many_requests", "slow down", {"retry-after": str(wait)}))

    def _system(self, call: Call) -> str:
        system = _path_guid(call, "system")
        if system not in map(guid_digits, self.state.settings.systems):
            raise Refused(error_reply(404, "not_found", "no such system"))
        return system

    def _segment(self, call: Call) -> SegmentRecord:
        found = self.state.find(self._system(call), _path_guid(call, "segment"))
        if found is None:
            raise Refused(error_reply(404, "not_found", "no such segment"))
        return found

    def _checked(self, call: Call) -> Any:
        """Return a body after the checks that the settings change."""
        body, settings = call.read_json(), self.state.settings
        user_ids = body.get("userIds") if isinstance(body, dict) else None
        if not isinstance(user_ids, list):
            return body
        if len(user_ids) > constants.MAX_USER_IDS:
            raise _invalid(f"userIds holds more than {constants.MAX_USER_IDS} ids", settings.over_limit_status)
        bad = [item for item in user_ids if isinstance(item, str) and item in settings.refused_user_ids]
        if bad:
            which = f": {', '.join(bad)}" if settings.echo_ids_in_errors else ""
            raise _invalid(f"userIds are not acceptable, {len(bad)} of them do not comply{which}")
        return body

    def _created(self, segment: SegmentRecord) -> Reply:
        settings, shown = self.state.settings, self._object(segment)
        guid, status, named = shown["guid"], settings.create_status, {"name": segment.name}
        if settings.create_reply == "none":
            return Reply(status)
        if settings.create_reply == "location":
            system, path_guid = _hyphenated(segment.system), _hyphenated(segment.guid)
            return Reply(status, headers={"location": constants.SEGMENT_PATH.format(system=system, segment=path_guid)})
        bodies: dict[str, dict[str, object]] = {
            "guid": shown,
            "segment_guid": {"segmentGuid": guid, "id": segment.external_id, **named},
            "id": {"id": guid, **named},
            "external_id_only": {"id": segment.external_id, **named},
        }
        return json_reply(status, bodies[settings.create_reply])

    def _object(self, segment: SegmentRecord) -> dict[str, object]:
        form, guid = self.state.settings.guid_form, segment.guid
        guid = {"hex32": guid, "hyphenated": _hyphenated(guid), "upper": guid.upper()}[form]
        return {"guid": guid, "id": segment.external_id, "name": segment.name}


def _invalid(message: str, status: int = 400) -> Refused:
    return Refused(error_reply(status, "validation_error", message))


def _path_guid(call: Call, name: str) -> str:
    """Return the digits of a GUID in the path, where only the hyphenated form is one."""
    text = call.parameters[name]
    return guid_digits(text) or "" if "-" in text else ""


def _hyphenated(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
