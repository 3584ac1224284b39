"""A Docebo group whose members follow a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.sources.ids import all_without_case
from airflow_segments_provider.sync.target import Applied, Limits
from airflow_segments_provider.targets.base import Segment, SegmentTarget

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.sources.batches import UserIdBatch
    from airflow_segments_provider.vendors.docebo.members import GroupMembers
    from airflow_segments_provider.vendors.docebo.parameters import Column

__all__ = ["DoceboGroup"]


class DoceboGroup(Segment):
    """A manual Docebo group, identified by ID, else by name. All fields but ``create`` are templates.

    Automatic groups are rejected: their rules would undo the sync. One request holds ``users_per_request`` of the
    connection. The members are read by one export, or, for ``identity="id"``, in pages of ``page_size``.

    :param name: of the group.
    :param group_id: its UUID, or the number of the former groups service.
    :param create: create a manual group without members where Docebo has none of that name.
    :param identity: what the source has: ``id``, the user's number, ``email`` or ``username``.
    :param docebo_conn_id: the connection.
    """

    template_fields: Sequence[str] = ("name", "group_id", "identity", "docebo_conn_id")
    vendor = "docebo"
    parts = ("group_id", "name")
    identities = ("id", "email", "username")
    normalise = staticmethod(all_without_case)

    def __init__(
        self,
        name: str | None = None,
        *,
        group_id: str | int | None = None,
        create: bool = False,
        identity: str = "id",
        docebo_conn_id: str = DoceboHook.default_conn_name,
    ) -> None:
        self.name = name
        self.group_id = group_id
        self.create = create
        self.identity = identity
        self.docebo_conn_id = docebo_conn_id

    def open(self) -> DoceboTarget:
        """Return the target that the sync engine uses."""
        return DoceboTarget(self)


class DoceboTarget(SegmentTarget):
    """The target of a Docebo group."""

    spec: DoceboGroup
    hook: DoceboHook
    noun = "group"
    lists = True
    identity_keys = staticmethod(all_without_case)
    whole_numbers = True

    def __init__(self, spec: DoceboGroup) -> None:
        self.spec = spec.trimmed()
        self.hook = DoceboHook(str(self.spec.docebo_conn_id))

    @cached_property
    def limits(self) -> Limits:  # type: ignore[override]
        """The limits of one request."""
        from airflow_segments_provider.sources.ids import MAX_DIGITS
        from airflow_segments_provider.vendors.docebo.parameters import MAX_ID_LENGTH

        fields = self.hook.fields
        return Limits(
            fields.users_per_request,
            fields.users_per_request,
            MAX_DIGITS if self.identity == "id" else MAX_ID_LENGTH,
            request_timeout=self.longest_try(),
            per_minute=fields.rate_limit,
            listing=lambda members: 1 if self.shows == "identity" else max(1, -(-members // fields.page_size)),
        )

    @property
    def shows(self) -> Literal["id", "identity"]:  # type: ignore[override]
        """The export has usernames and e-mail addresses, but no IDs."""
        return "id" if self.identity == "id" else "identity"

    def find(self) -> str | None:
        """Return the group's UUID.

        :raises InvalidInput: the group is automatic.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import GroupKey

        key = accepted("The target of a sync", GroupKey, {"group_id": self.spec.group_id, "name": self.spec.name})
        api = self.hook.api()
        group = api.group(api.resolve_id(key)) if key.group_id else api.find(str(key.name))
        if group is not None and group.type is None:
            group = api.group(group.group_id)
        if group is not None and group.type == "automatic":
            problem = "it is automatic, so its rules would undo the sync. Use a manual group."
            raise InvalidInput(f"The sync of group {group.name!r} ({group.group_id})", [problem], api.where)
        self.title = group.name if group else None
        return group.group_id if group else None

    def create(self, name: str) -> tuple[str, bool]:
        """Create a manual group."""
        made = self.hook.create_group(name)
        return str(made.group_id), made.outcome == "created"

    @property
    def names(self) -> dict[str, Any]:
        """The names of the group's IDs in the other operators and the sensor."""
        return {"group_id": self.segment_id, "background_job": self._members.background}

    @cached_property
    def _members(self) -> GroupMembers:
        from airflow_segments_provider.vendors.docebo.members import GroupMembers

        return GroupMembers(self.hook.api(), self.segment_id)

    def add(self, ids: Sequence[str]) -> Applied:
        """Add users; Docebo ignores unknown ones."""
        return self._change(ids, self._members.add_batch)

    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users."""
        return self._change(ids, self._members.remove_batch)

    def _change(self, ids: Sequence[str], send: Callable[[UserIdBatch], Response]) -> Applied:
        from airflow_segments_provider.sources.batches import UserIdBatch

        before, self._members.background = self._members.background, False
        response = send(UserIdBatch.of(ids))
        background = self._members.background
        self._members.background = before or background
        in_doubt = response.in_doubt
        return Applied(in_doubt=in_doubt or background, background=background and not in_doubt)

    def members(self) -> Iterator[Sequence[str]]:
        """Yield the members."""
        from airflow_segments_provider.vendors.docebo.export import exported

        if self.shows == "identity":
            column: Column = "email" if self.identity == "email" else "userid"
            yield from exported(self._members, column)
        else:
            yield from self._members.ids()
