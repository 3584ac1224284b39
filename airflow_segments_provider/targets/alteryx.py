"""An Alteryx Server user group whose members follow a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import NotFound
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.sources.ids import all_without_case
from airflow_segments_provider.sync.target import Applied, Limits
from airflow_segments_provider.targets.base import Segment, SegmentTarget, applied

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.alteryx.api import AlteryxApi

__all__ = ["AlteryxUserGroup"]

# Removals in one acknowledgement: as many, and as many as take so many seconds at the connection's rate.
REMOVALS, SECONDS = 100, 5


class AlteryxUserGroup(Segment):
    """A custom user group, identified by ID, else by name. All fields but ``create`` are templates.

    Additions are sent in bulk, removals one by one, ``max_concurrency`` of the connection at once. Active Directory
    groups among the members are ignored.

    :param name: of the user group.
    :param user_group_id: in any case.
    :param create: create a group without members where the server has none of that name.
    :param role: of a group that is created.
    :param identity: what the source has: ``id``, the server's, or ``email``.
    :param alteryx_conn_id: the connection.
    """

    template_fields: Sequence[str] = ("name", "user_group_id", "role", "identity", "alteryx_conn_id")
    vendor = "alteryx"
    parts = ("user_group_id", "name")
    identities = ("id", "email")

    def __init__(
        self,
        name: str | None = None,
        *,
        user_group_id: str | None = None,
        create: bool = False,
        role: str | None = None,
        identity: str = "id",
        alteryx_conn_id: str = AlteryxServerHook.default_conn_name,
    ) -> None:
        self.name = name
        self.user_group_id = user_group_id
        self.create = create
        self.role = role
        self.identity = identity
        self.alteryx_conn_id = alteryx_conn_id

    @staticmethod
    def normalise(ids: Sequence[str]) -> Sequence[str]:
        """Return IDs without case and braces."""
        from airflow_segments_provider.vendors.alteryx.parameters import id_key

        return list(map(id_key, ids))

    def open(self) -> AlteryxTarget:
        """Return the target that the sync engine uses."""
        return AlteryxTarget(self)


class AlteryxTarget(SegmentTarget):
    """The target of a user group."""

    spec: AlteryxUserGroup
    hook: AlteryxServerHook
    noun = "user group"
    lists = True
    normalise = staticmethod(AlteryxUserGroup.normalise)
    identity_keys = staticmethod(all_without_case)

    def __init__(self, spec: AlteryxUserGroup) -> None:
        self.spec = spec.trimmed()
        self.hook = AlteryxServerHook(str(self.spec.alteryx_conn_id))

    @cached_property
    def limits(self) -> Limits:  # type: ignore[override]
        """The limits of one request; a removal takes one for each user."""
        from airflow_segments_provider.vendors.alteryx.parameters import MAX_ID_LENGTH
        from airflow_segments_provider.vendors.alteryx.users import MAX_EMAIL_LENGTH

        fields = self.hook.fields
        rate = fields.rate_limit
        removals = max(1, min(REMOVALS, int(SECONDS * rate / 60))) if rate else REMOVALS
        return Limits(
            fields.users_per_request,
            removals,
            MAX_ID_LENGTH if self.identity == "id" else MAX_EMAIL_LENGTH,
            request_timeout=self.longest_try(requests=removals),
            per_minute=rate,
            one_by_one=frozenset({"remove"}),
        )

    def find(self) -> str | None:
        """Return the group's ID."""
        from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey, id_key
        from airflow_segments_provider.vendors.base.parameters import accepted

        named = {"user_group_id": self.spec.user_group_id, "name": self.spec.name}
        found = self._api.find(accepted("The target of a sync", UserGroupKey, named))
        self.title = found.name if found else None
        return id_key(found.user_group_id) if found else None

    def create(self, name: str) -> tuple[str, bool]:
        """Create a group without members."""
        from airflow_segments_provider.vendors.alteryx.parameters import id_key

        made = self.hook.create_user_group(name, **({"role": self.spec.role} if self.spec.role else {}))
        return id_key(str(made.user_group_id)), made.outcome == "created"

    @property
    def names(self) -> dict[str, Any]:
        """The names of the group's IDs in the other operators."""
        return {"user_group_id": self.segment_id}

    @cached_property
    def _api(self) -> AlteryxApi:
        return self.hook.api()

    def add(self, ids: Sequence[str]) -> Applied:
        """Add users. The server reports members as failures, so the group is read before a user counts as rejected."""
        from airflow_segments_provider.sources.batches import UserIdBatch
        from airflow_segments_provider.vendors.alteryx.groups import NO_REASON

        added, reasons, in_doubt = self._api.add_batch(self.segment_id, UserIdBatch.of(ids))
        if added + len(reasons) < len(ids):
            reasons = {user: reasons.get(user, NO_REASON) for user in ids}
        if not reasons:
            return Applied(in_doubt=in_doubt)
        members = self._api.group(self.segment_id).member_keys
        rejected = {user: reasons[user] for user in ids if user in reasons and user not in members}
        return Applied(rejected, in_doubt=in_doubt)

    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users, one request each. One whom the server does not have any more is not an error."""
        changes = self._api.remove_users(self.segment_id, ids, len(ids))
        if isinstance(changes.error, NotFound):
            members = self._api.group(self.segment_id).member_keys
            left, in_doubt = [user for user in ids if user in members], changes.in_doubt
            changes = self._api.remove_users(self.segment_id, left, len(left))
            changes.in_doubt = changes.in_doubt or in_doubt
        return applied(changes)

    def members(self) -> Iterator[Sequence[str]]:
        """Yield the members: one request for all."""
        yield sorted(self._api.group(self.segment_id).member_keys)
