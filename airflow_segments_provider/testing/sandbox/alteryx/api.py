"""Alteryx Server's operations: tokens, user groups, users, and what is shared with groups.

Paths are matched exactly, case and slashes included; the real server may be more lenient.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from pydantic import ValidationError

from airflow_segments_provider.testing.sandbox.alteryx import bodies, constants
from airflow_segments_provider.testing.sandbox.alteryx.bodies import invalid, problem
from airflow_segments_provider.testing.sandbox.alteryx.document import DOCUMENT_PATHS, document
from airflow_segments_provider.testing.sandbox.alteryx.markup import accepts_json, as_xml
from airflow_segments_provider.testing.sandbox.alteryx.state import (
    AdGroup,
    Alteryx,
    GroupRecord,
    MemberRecord,
    ObjectRecord,
    UserRecord,
    read_id,
)
from airflow_segments_provider.testing.sandbox.api import OTHER, Api, Route, others, route
from airflow_segments_provider.testing.sandbox.documents import load
from airflow_segments_provider.testing.sandbox.messages import (
    FORM,
    BadBody,
    Call,
    Refused,
    Reply,
    json_reply,
    token_reply,
)
from airflow_segments_provider.testing.sandbox.tokens import basic_credentials

CURATOR = "curator"
_COLLECTIONS, _CREDENTIALS, _CONNECTIONS = (
    constants.SHARED_PATHS[kind] for kind in ("collection", "credential", "connection")
)
_GROUP_PATHS = (
    constants.GROUPS_PATH,
    constants.GROUP_PATH,
    constants.GROUP_USERS_PATH,
    constants.GROUP_USER_PATH,
    constants.AD_GROUPS_PATH,
    constants.AD_GROUP_PATH,
)
_SHARE_PATHS = [path + end for path in constants.SHARED_PATHS.values() for end in ("", "/{group}")]
_PERMISSIONS_PATH = f"{_COLLECTIONS}/{{group}}/permissions"
_SHARED = {path.rsplit("/", 3)[1]: kind for kind, path in constants.SHARED_PATHS.items()}


class AlteryxApi(Api[Alteryx]):
    """The operations; all but the token and the document are a Curator's.

    Of shares, methods, bodies and the form of replies are known from clients generated from the vendor's description.
    Assumed: that sharing again is a success and sets the permissions anew, that removing what was not shared is a
    success too, and that the permissions of what is not shared cannot be changed (404, as for any unknown ID).
    """

    def handle(self, call: Call, found: Route, operation: Callable[..., Reply]) -> Reply:
        """Carry out a call, with replies and refusals in XML where the caller and the settings demand it."""
        # That the token endpoint answers in JSON, whatever the caller accepts, is an assumption.
        plain = found.path in (constants.TOKEN_PATH, *DOCUMENT_PATHS) and found.name != OTHER
        xml_for = "none" if plain or accepts_json(call) else self.state.settings.xml_for
        try:
            reply = super().handle(call, found, operation)
        except (Refused, BadBody, ValidationError) as error:
            refused = error.reply if isinstance(error, Refused) else self.refuse(error)
            raise Refused(refused if xml_for == "none" else as_xml(refused, "Error")) from None
        return as_xml(reply, "Reply") if xml_for == "all" else reply

    def admit(self, call: Call, needs: str) -> str:
        """Refuse a call without a live token, of a caller that is not a Curator, or one too many (an assumption).

        A token is live or not at the time when the call arrived, whenever it is carried out.
        """
        state, settings = self.state, self.state.settings
        if call.bearer is None or state.tokens.grant(call.bearer, call.received_at) is None:
            raise problem(401, constants.DENIED, {"www-authenticate": "Bearer"})
        if not settings.caller_is_curator:
            raise problem(settings.not_curator_status, constants.DENIED)
        wait = state.rate.refuse(state.clock.now(), settings.rate_limit)
        if wait is not None:
            raise problem(429, "Too many requests.", {"retry-after": str(wait)})
        return state.caller_id()

    def describe(self, call: Call) -> None:
        """Log the kind of a shared object as the action, and the number of users, but no ID."""
        parts = call.path.split("/")
        if "userGroups" in parts:
            call.record.action = next((_SHARED[part] for part in parts if part in _SHARED), None)
        if "user" in call.parameters:
            call.record.user_ids = 1
            call.record.path = "/".join([*parts[:-1], "{userId}"])
        elif call.method == "POST" and parts[-1] == "users":
            body = call.json_or_none
            call.record.user_ids = len(body) if isinstance(body, list) else None

    def refuse(self, error: Exception) -> Reply:
        """Return the reply to a wrong body, with the problems of each field."""
        return bodies.refusal(error).reply

    # Tokens and the description of the API

    @route("POST", constants.TOKEN_PATH)
    def token(self, call: Call) -> Reply:
        """Exchange the key pair for a token; a scope is ignored. The error codes are those of RFC 6749."""
        settings = self.state.settings
        if call.content_type != FORM:
            raise _token_refused(400, "invalid_request", f"the content type must be {FORM}")
        form = parse_qs(call.body.decode("utf-8", "replace"), keep_blank_values=True)
        if any(len(values) > 1 for values in form.values()):
            raise _token_refused(400, "invalid_request", "a parameter occurs twice")
        if not self._is_client(call, form):
            status = settings.invalid_client_status
            headers = {"www-authenticate": 'Basic realm="alteryx"'} if status == 401 else {}
            raise _token_refused(status, "invalid_client", "the key or the secret is wrong", headers)
        if "grant_type" not in form:
            raise _token_refused(400, "invalid_request", "grant_type is missing")
        if form["grant_type"] != ["client_credentials"]:
            raise _token_refused(400, "unsupported_grant_type", "grant_type must be client_credentials")
        lifetime = settings.token_lifetime
        token = self.state.tokens.issue("", lifetime, settings.api_key)
        return token_reply(token, lifetime, settings.token_type, settings.expires_in_as)

    @route("GET", *DOCUMENT_PATHS, name="describe")
    def describe_api(self, call: Call) -> Reply:
        """Answer with the document."""
        return json_reply(200, document())

    # Groups

    @route("GET", constants.GROUPS_PATH, needs=CURATOR)
    def list_groups(self, call: Call) -> Reply:
        """List all custom groups."""
        shown = [{"id": one.id, "name": one.name, "role": one.role} for one in self.state.group_table.find()]
        return json_reply(200, shown)

    @route("POST", constants.GROUPS_PATH, needs=CURATOR)
    def create_group(self, call: Call) -> Reply:
        """Create a group; the reply is its ID alone. The status and the lack of quotes in ``raw`` are assumptions."""
        settings = self.state.settings
        contract = bodies.read(call, bodies.GroupContract, settings)
        self._demand_free_name(contract.name)
        group_id = self.state.new_group(contract.name, contract.role)
        if settings.create_reply == "raw":
            return Reply(settings.create_status, group_id.encode(), "text/plain; charset=utf-8")
        return json_reply(settings.create_status, group_id)

    @route("GET", constants.GROUP_PATH, needs=CURATOR)
    def get_group(self, call: Call) -> Reply:
        """Show a group with its members."""
        return self._view(self._group(call))

    @route("PUT", constants.GROUP_PATH, needs=CURATOR)
    def update_group(self, call: Call) -> Reply:
        """Change a group's name and role; the reply has no body."""
        group = self._group(call)
        contract = bodies.read(call, bodies.GroupContract, self.state.settings)
        self._demand_free_name(contract.name, group.id)
        self.state.group_table.change(group, name=contract.name, role=contract.role)
        return Reply(200)

    @route("DELETE", constants.GROUP_PATH, needs=CURATOR)
    def delete_group(self, call: Call) -> Reply:
        """Delete a group; one with members only by force. That AD groups count as members is an assumption."""
        group = self._group(call)
        if not bodies.read_flag(call, "forceDelete") and (group.users or group.ad_groups):
            raise problem(400, "The user group is not empty.")
        self.state.remove_group(group.id)
        return Reply(200)

    @route("POST", constants.GROUP_USERS_PATH, needs=CURATOR)
    def add_users(self, call: Call) -> Reply:
        """Add users; the reply names those that cannot be added.

        That an ID sent twice counts twice as submitted and once as added, without a failure, is an assumption.
        """
        state, settings, group = self.state, self.state.settings, self._group(call)
        submitted = bodies.read_user_ids(call, settings)
        wanted = {text: read_id(text) for text in submitted}
        user_ids = dict.fromkeys(found for found in wanted.values() if found is not None)
        known = state.known(user_ids)
        there = {one.user_id for one in state.member_table.among("user_id", user_ids, "group_id = ?", group.id)}
        if settings.unknown_user == "refuse" and not user_ids.keys() <= known:
            raise problem(400, "There is no such user.")
        failures: dict[str, str] = {}
        for text, user_id in wanted.items():
            if user_id is None or user_id not in known:
                failures[text] = "There is no such user."
            elif user_id in there and settings.existing_member == "reported":
                failures[text] = "The user is a member already."
        new = [user_id for user_id in user_ids if user_id in known and user_id not in there]
        state.put_members(group.id, new, call.caller)
        added = len(new) + (len(there) if settings.existing_member == "counted" else 0)
        view: dict[str, object] = {"successfullyAddedUserCount": added, "totalUsersSubmittedCount": len(submitted)}
        if failures or settings.no_failures_as != "absent":
            view["failedUserReasons"] = failures if failures or settings.no_failures_as == "empty" else None
        return json_reply(200, view)

    @route("DELETE", constants.GROUP_USER_PATH, needs=CURATOR)
    def remove_user(self, call: Call) -> Reply:
        """Remove a user, who need not be a member; that the user need not exist either is an assumption."""
        group = self._group(call)
        self.state.member_table.remove([(group.id, self._path_id(call, "user"))])
        return self._view(group)

    @route("POST", constants.AD_GROUPS_PATH, needs=CURATOR)
    def add_ad_group(self, call: Call) -> Reply:
        """Add an Active Directory group; that adding it again is a success is an assumption."""
        self._demand_directory()
        group = self._group(call)
        self.state.ad_group_table.add([AdGroup(group.id, bodies.read_sid(call))])
        return Reply(200)

    @route("DELETE", constants.AD_GROUP_PATH, needs=CURATOR)
    def remove_ad_group(self, call: Call) -> Reply:
        """Remove an Active Directory group; that it need not be a member is an assumption."""
        self._demand_directory()
        self.state.ad_group_table.remove([(self._group(call).id, call.parameters["sid"])])
        return Reply(200)

    # Users

    @route("GET", constants.USERS_PATH, needs=CURATOR)
    def list_users(self, call: Call) -> Reply:
        """List users, all at once."""
        wanted, settings = bodies.UserFilter(call.query), self.state.settings
        view = _full_user if wanted.full else _reduced_user
        return json_reply(200, [view(user) for user in self.state.user_table.find() if wanted.matches(user, settings)])

    @route("GET", constants.USER_PATH, needs=CURATOR)
    def get_user(self, call: Call) -> Reply:
        """Show a user."""
        user = self.state.user_table.one("id = ?", self._path_id(call, "user"))
        if user is None:
            raise self._unknown("user")
        return json_reply(200, _full_user(user))

    # Shares

    @route("POST", _COLLECTIONS, needs=CURATOR, kind="collection")
    @route("POST", _CREDENTIALS, needs=CURATOR, kind="credential")
    @route("POST", _CONNECTIONS, needs=CURATOR, kind="connection")
    def share(self, call: Call, kind: constants.Kind) -> Reply:
        """Let a group use an object; a collection demands permissions as well."""
        found, settings = self._object(call, kind), self.state.settings
        if kind == "collection":
            contract = bodies.read(call, bodies.CollectionShare, settings)
            group = self._known_group(contract.userGroupId)
            return self._put_share(found, group, contract)
        group = self._known_group(bodies.read(call, bodies.Receiver, settings).userGroupId)
        return self._put_share(found, group, None)

    @route("PUT", _PERMISSIONS_PATH, needs=CURATOR)
    def update_share(self, call: Call) -> Reply:
        """Change what a group may do in a collection."""
        found, group = self._object(call, "collection"), self._group(call)
        contract = bodies.read(call, bodies.Terms, self.state.settings)
        if not self.state.share_table.count("object_id = ? AND group_id = ?", found.id, group.id):
            raise self._unknown("user group of this collection")
        return self._put_share(found, group, contract)

    @route("DELETE", f"{_COLLECTIONS}/{{group}}", needs=CURATOR, kind="collection")
    @route("DELETE", f"{_CREDENTIALS}/{{group}}", needs=CURATOR, kind="credential")
    @route("DELETE", f"{_CONNECTIONS}/{{group}}", needs=CURATOR, kind="connection")
    def unshare(self, call: Call, kind: constants.Kind) -> Reply:
        """Take an object from a group."""
        found = self._object(call, kind)
        self.state.share_table.remove([(found.id, self._group(call).id)])
        return self._shared_view(found)

    # Other paths and methods

    @others(constants.USERS_PATH, f"{constants.USERS_PATH}/{{rest:path}}")
    def not_offered(self, call: Call) -> Reply:
        """Refuse the real server's other operations on users."""
        raise problem(501, "The sandbox does not offer this operation.")

    @others(constants.TOKEN_PATH, *_GROUP_PATHS, *_SHARE_PATHS, _PERMISSIONS_PATH)
    def no_method(self, call: Call) -> Reply:
        """Refuse a method on a path that has others."""
        raise problem(405, "The requested resource does not support this http method.")

    @others(constants.PREFIX + "/{rest:path}")
    def no_route(self, call: Call) -> Reply:
        """Refuse a path that the server does not have."""
        raise problem(404, "No HTTP resource was found that matches the request URI.")

    def _is_client(self, call: Call, form: Mapping[str, list[str]]) -> bool:
        settings, sent = self.state.settings, list[bytes]()
        basic = basic_credentials(call.headers.get("authorization", ""))
        if basic is not None and settings.client_auth != "body":
            sent.append(basic)
        if "client_secret" in form and settings.client_auth != "basic":
            sent.append(f"{form.get('client_id', [''])[0]}:{form['client_secret'][0]}".encode())
        right = f"{settings.api_key}:{settings.api_secret}".encode()
        # That a pair sent both ways must be the same pair is an assumption.
        return bool(sent) and all(hmac.compare_digest(pair, right) for pair in sent)

    def _path_id(self, call: Call, name: str) -> str:
        """Return an ID of the path, or refuse it; the status is an assumption."""
        found = read_id(call.parameters[name])
        if found is None:
            status = self.state.settings.malformed_id_status
            raise invalid({f"{name}Id": ["The id must have 24 hexadecimal digits."]}, status)
        return found

    def _group(self, call: Call) -> GroupRecord:
        return self._known_group(self._path_id(call, "group"))

    def _known_group(self, group_id: str) -> GroupRecord:
        group = self.state.find_group(group_id)
        if group is None:
            raise self._unknown("user group")
        return group

    def _object(self, call: Call, kind: constants.Kind) -> ObjectRecord:
        found = self.state.object_table.one("id = ? AND kind = ?", self._path_id(call, "object"), kind)
        if found is None:
            raise self._unknown(kind)
        return found

    def _unknown(self, what: str) -> Refused:
        """Return the refusal of an unknown ID; the status is an assumption."""
        return problem(self.state.settings.unknown_id_status, f"There is no such {what}.")

    def _demand_directory(self) -> None:
        if not self.state.settings.windows_authentication:
            raise problem(400, "The server does not use Windows authentication.")

    def _demand_free_name(self, name: str, but: str = "") -> None:
        taken = self.state.group_table.count("name = ? AND id <> ?", name, but)
        if taken and self.state.settings.duplicate_names == "refuse":
            raise problem(400, f"There is a user group named {json.dumps(name, ensure_ascii=False)}.")

    def _put_share(self, found: ObjectRecord, group: GroupRecord, terms: bodies.Terms | None) -> Reply:
        permissions = None if terms is None else terms.collectionsPermissions.model_dump()
        self.state.put_share(found, group.id, permissions, None if terms is None else terms.expirationDate)
        return self._shared_view(found)

    def _shared_view(self, found: ObjectRecord) -> Reply:
        group_ids = self.state.share_table.column("group_id", "object_id = ?", found.id)
        view = load("alteryx", "replies")[found.kind] | {"id": found.id, "userGroupIds": group_ids}
        view["userName" if found.kind == "credential" else "name"] = found.name
        if found.kind == "collection":
            view |= {"ownerId": self.state.caller_id(), "dateAdded": _spelled(found.created_at)}
        return json_reply(200, view)

    def _view(self, group: GroupRecord) -> Reply:
        """Show all of a group; that AD groups are members without a user ID is an assumption."""
        state = self.state
        members = state.member_table.find("group_id = ?", group.id)
        windows = state.settings.windows_authentication
        users = {user.id: user for user in state.user_table.among("id", [one.user_id for one in members])}
        sids = state.ad_group_table.column("sid", "group_id = ?", group.id)
        shares = state.share_table.find("group_id = ?", group.id)
        shown = [_member(member, users.get(member.user_id) if windows else None) for member in members]
        view = {
            "id": group.id,
            "name": group.name,
            "dateAdded": _spelled(group.created_at),
            "role": group.role,
            "credentialIds": [share.object_id for share in shares if share.kind == "credential"],
            "connectionIds": [share.object_id for share in shares if share.kind == "connection"],
            "members": [*shown, *({"activeDirectoryObject": _ad_object(sid, "Group", sid, sid)} for sid in sids)],
        }
        return json_reply(200, view)


def _reduced_user(user: UserRecord) -> dict[str, Any]:
    """Return a user as the list shows it by default."""
    return {
        "id": user.id,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "isActive": user.is_active,
        "role": user.role,
        "dateCreated": _spelled(user.created_at),
    }


def _full_user(user: UserRecord) -> dict[str, Any]:
    """Return all of a user, without the creation; nothing is shared with users themselves here."""
    view: dict[str, Any] = load("alteryx", "replies")["user"]
    known = {name: value for name, value in _reduced_user(user).items() if name in view}
    return view | known | {"isApiEnabled": user.role == "Curator"}


def _member(member: MemberRecord, user: UserRecord | None) -> dict[str, Any]:
    added = _spelled(member.added_at)
    view: dict[str, Any] = {"userId": member.user_id, "dateAddedToGroup": added, "addedByUserId": member.added_by}
    if user is not None:
        sid, account = f"S-1-5-21-1-2-3-{1000 + user.number}", user.email.partition("@")[0]
        view["activeDirectoryObject"] = _ad_object(sid, "Person", f"{user.first_name} {user.last_name}", account)
    return view


def _ad_object(sid: str, category: str, display_name: str, account: str) -> dict[str, str]:
    names = {"displayName": display_name, "domainName": "EXAMPLE", "sidAccountName": account}
    return {"sid": sid, "category": category, **names}


def _spelled(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _token_refused(status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> Refused:
    return Refused(json_reply(status, {"error": error, "error_description": description}, headers))
