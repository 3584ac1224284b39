"""The token, the users, what is shared with groups, and what is no operation."""

from __future__ import annotations

from collections.abc import Callable

from airflow_segments_provider.testing.sandbox.alteryx import access, bodies, views
from airflow_segments_provider.testing.sandbox.alteryx.constants import Kind
from airflow_segments_provider.testing.sandbox.alteryx.installation import Installation
from airflow_segments_provider.testing.sandbox.alteryx.problems import problem
from airflow_segments_provider.testing.sandbox.alteryx.queries import read_user_filter
from airflow_segments_provider.testing.sandbox.alteryx.records import ObjectRecord
from airflow_segments_provider.testing.sandbox.messages import Call, Reply, json_reply


class TokenCalls:
    """The token endpoint."""

    def __init__(self, installation: Installation) -> None:
        self._home = installation

    def give(self, call: Call) -> Reply:
        """Exchange the key pair for a token; how long it lives is an assumption."""
        settings = self._home.settings
        access.demand_client(call, settings)
        token = self._home.tokens.issue(settings.api_key, (), settings.token_lifetime)
        body: dict[str, object] = {"access_token": token, "token_type": settings.token_type}
        lifetime = int(settings.token_lifetime)
        if settings.expires_in_as != "absent":
            body["expires_in"] = str(lifetime) if settings.expires_in_as == "string" else lifetime
        return json_reply(200, body, {"cache-control": "no-store"})


class UserCalls:
    """The operations on users; only those that read are offered."""

    def __init__(self, installation: Installation) -> None:
        self._home = installation

    def list(self, call: Call) -> Reply:
        """List users, all at once."""
        self._home.admit(call)
        wanted, settings = read_user_filter(call), self._home.settings
        view = views.full_user if wanted.full else views.reduced_user
        return json_reply(200, [view(user) for user in self._home.users.all() if wanted.lets_through(user, settings)])

    def get(self, call: Call) -> Reply:
        """Show a user."""
        self._home.admit(call)
        user = self._home.users.find(self._home.id_in_path(call, "user"))
        if user is None:
            raise self._home.unknown("user")
        return json_reply(200, views.full_user(user))


class ShareCalls:
    """The operations by which groups come to use things, one kind of thing each.

    Methods, bodies and the form of the answers are known from clients made of the vendor's own description. Assumed:
    that sharing again is a success and sets the permissions anew, that taking away what was not shared is one too, and
    that the permissions of what is not shared cannot be changed (404, as for any unknown id).
    """

    def __init__(self, installation: Installation, kind: Kind) -> None:
        self._home, self._kind = installation, kind

    def share(self, call: Call) -> Reply:
        """Let a group use the object."""
        found = self._admit_to_object(call)
        contract = bodies.read_share(call, self._kind, self._home.settings)
        group = self._home.known_group(contract.group_id)
        self._home.shares.share(found.id, group.id, contract.permissions, contract.expires)
        return self._view(found)

    def update(self, call: Call) -> Reply:
        """Change what a group may do in a collection."""
        found = self._admit_to_object(call)
        group = self._home.group(call)
        contract = bodies.read_permissions(call, group.id, self._home.settings)
        if group.id not in [share.group_id for share in self._home.shares.of_object(found.id)]:
            raise self._home.unknown("user group of this collection")
        self._home.shares.share(found.id, group.id, contract.permissions, contract.expires)
        return self._view(found)

    def unshare(self, call: Call) -> Reply:
        """Take the object from a group."""
        found = self._admit_to_object(call)
        self._home.shares.unshare(found.id, self._home.group(call).id)
        return self._view(found)

    def _admit_to_object(self, call: Call) -> ObjectRecord:
        self._home.admit(call)
        found = self._home.shares.find(self._home.id_in_path(call, "object"))
        if found is None or found.kind != self._kind:
            raise self._home.unknown(self._kind)
        return found

    def _view(self, found: ObjectRecord) -> Reply:
        return json_reply(
            200, views.shared_object(found, self._home.shares.of_object(found.id), self._home.caller_id())
        )


def refusing(status: int, message: str) -> Callable[[Call], Reply]:
    """Return a handler that refuses every call."""

    def refuse(call: Call) -> Reply:
        raise problem(status, message)

    return refuse
