"""The hook for Docebo groups, which Docebo's API calls audiences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import NOT_GIVEN, UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.vendors.base.lookup import UserRules
    from airflow_segments_provider.vendors.docebo.api import DoceboApi
    from airflow_segments_provider.vendors.docebo.connection import DoceboConnectionFields
    from airflow_segments_provider.vendors.docebo.parameters import IdentifyBy
    from airflow_segments_provider.vendors.docebo.responses import (
        Group,
        GroupChange,
        GroupExport,
        GroupIds,
        GroupPopulation,
        Member,
        UserMatches,
    )

__all__ = ["DoceboHook"]


class DoceboHook(VendorHook):
    """Docebo groups, with the API app of an Airflow connection of type ``docebo``.

    The connection: host = the platform's address, login = client id, password = client secret of an API app; and the
    extra fields of :class:`~airflow_segments_provider.vendors.docebo.connection.DoceboConnectionFields`. The user
    behind the token must be a Superadmin.

    A group is identified by ``group_id`` (its UUID, or the number of the former groups service), by ``name`` (one call
    more), or by ``group``, the result of a create or update. Users are anything that
    :func:`~airflow_segments_provider.sources.values.read_values` reads; all are checked before the first call. The
    other parameters of a method are the fields of the model in
    :mod:`airflow_segments_provider.vendors.docebo.parameters` that it names. Every method that sends requests may raise
    :class:`~airflow_segments_provider.errors.VendorError`, and
    :class:`~airflow_segments_provider.errors.InvalidInput`, with every problem found, before the first request.

    :param docebo_conn_id: the connection.
    :param retry: in place of the connection's own ``retry``.
    """

    conn_name_attr = "docebo_conn_id"
    default_conn_name = "docebo_default"
    conn_type = "docebo"
    hook_name = "Docebo"

    def __init__(self, docebo_conn_id: str = default_conn_name, *, retry: RetryPolicy | None = None) -> None:
        super().__init__(docebo_conn_id, retry=retry)
        self.docebo_conn_id = docebo_conn_id

    @cached_property
    def fields(self) -> DoceboConnectionFields:
        """The connection's extra fields, parsed.

        :raises ConfigurationError: names every field that is missing or wrong.
        """
        from airflow_segments_provider.vendors.base.connection import read_fields
        from airflow_segments_provider.vendors.docebo.connection import DoceboConnectionFields

        return read_fields(self.connection, DoceboConnectionFields, needs=("host", "login", "password"))

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        from airflow_segments_provider.vendors.docebo.connection import open_docebo

        return open_docebo(self.connection, self.fields, self.retry, self.mask)

    @property
    def ui_url(self) -> str:
        """The platform's address."""
        return self.client.base_url

    def test_connection(self) -> tuple[bool, str]:
        """Report whether groups can be managed; else what is wrong, and what to do. Sends reads only."""
        from airflow_segments_provider.vendors.docebo.diagnose import explain

        return explain(self)

    def api(self) -> DoceboApi:
        """Return the API, whose count of requests begins at 0."""
        from airflow_segments_provider.vendors.docebo.api import DoceboApi

        return DoceboApi(self.client, self.fields, self.conn_id)

    def user_rules(self) -> UserRules:
        """Return the rules for the users of a write."""
        from airflow_segments_provider.vendors.docebo.users import DoceboUserRules

        return DoceboUserRules(self.api(), self.unmatched_list)

    def get_groups(self, **parameters: Any) -> Iterator[Group]:
        """Return the groups, or those that a search finds, a page at a time.

        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.ListGroups`.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import ListGroups

        return self.api().groups(**accepted("The list of groups", ListGroups, parameters).model_dump())

    def get_group(self, group_id: str | int | None = None, **group: Any) -> Group:
        """Return one group.

        :raises NotFound: the vendor does not have the group.
        """
        api, found = self._resolved({"group_id": group_id, **group})
        return api.group(found)

    def find_group(self, name: str) -> Group | None:
        """Return the group of that name, or None.

        :raises Conflict: several groups have that name.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import GroupKey

        key = accepted("The look-up of a group", GroupKey, {"name": name})
        return self.api().find(str(key.name))

    def get_members(self, **parameters: Any) -> Iterator[Member]:
        """Return the members of a group, or those that a search finds, a page at a time.

        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.ListMembers`.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.members import GroupMembers
        from airflow_segments_provider.vendors.docebo.parameters import ListMembers

        wanted, api = accepted("The list of members", ListMembers, parameters), self.api()
        query = wanted.model_dump(include={"search_text", "sort_attr", "sort_dir"})
        return GroupMembers(api, api.resolve_id(wanted)).list(**query)

    def get_population(self, **group: Any) -> GroupPopulation:
        """Return how many members a group has, and the state of its rules; two calls where Docebo returns totals."""
        from airflow_segments_provider.vendors.docebo.members import GroupMembers
        from airflow_segments_provider.vendors.docebo.responses import GroupPopulation

        api, found = self._resolved(group)
        status = api.group(found).ruleset_status
        return GroupPopulation(members=GroupMembers(api, found).count(), ruleset_status=status)

    def export_users(self, path: ObjectStoragePath | str, **parameters: Any) -> GroupExport:
        """Write the members of a group to a file, with one call for any number of them.

        The file is UTF-8 without a byte order mark, its lines end in a line feed, and each row is checked before
        anything is written; an existing file is replaced.

        :param path: a local path or the URL of an object storage, e.g. ``s3://conn_id@bucket/key.csv``.
        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.ExportUsers`.
        :raises UnexpectedReply: the response is not CSV; nothing was written.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.export import Export, export

        return export(self.api(), accepted("The export of a group", Export, {**parameters, "path": path}))

    def get_conditions_history(self, **group: Any) -> Iterator[dict[str, Any]]:
        """Return the rules that an automatic group has had, as Docebo shows them, a page at a time.

        Entries may name the user who made the change; keep that out of logs and XComs.
        """
        from airflow_segments_provider.vendors.docebo.api import GROUPS
        from airflow_segments_provider.vendors.docebo.responses import parse_change

        api, found = self._resolved(group)
        pages = api.pages((*GROUPS, found, "conditions-history"), parse_change, {}, sized=False)
        return (entry for page in pages for entry in page.items)

    def convert_group_ids(self, ids: Iterable[str | int]) -> list[GroupIds]:
        """Return both IDs of each group: UUIDs, and numbers of the former groups service; one call each.

        :raises NotFound: names all IDs that are unknown.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import ConvertGroupIds

        return self.api().both_ids(accepted("The conversion of group ids", ConvertGroupIds, {"ids": ids}).ids)

    def find_users(self, values: UserSource, *, by: IdentifyBy = "email") -> UserMatches:
        """Return the users who have exactly these e-mail addresses, usernames or IDs, in any case.

        Few users are looked up one by one, ``max_concurrency`` of the connection at once; for many the list of all
        users is read once, where that takes fewer calls.
        """
        from airflow_segments_provider.vendors.docebo.users import find

        return find(self.api(), values, by)

    def create_group(self, name: str, user_ids: UserSource = (), **parameters: Any) -> GroupChange:
        """Create a group with these users, or use the one of that name. Creating twice results in one.

        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.CreateGroup`.
        :raises Conflict: it exists and ``if_exists="fail"``, or has the other type; or several groups have that name.
        :raises UnexpectedReply: with ``update``, the group does not show users who were added; then none is removed.
        """
        from airflow_segments_provider.vendors.docebo.groups import create
        from airflow_segments_provider.vendors.docebo.parameters import CreateGroup

        subject, parameters = f"Group {name!r}", {"name": name, **parameters}
        with self.prepare(subject, CreateGroup, parameters, user_ids) as prepared:
            return create(*prepared)

    def update_group(self, **parameters: Any) -> GroupChange:
        """Change the name, description or rules of a group; None leaves them unchanged.

        Other rules have a side effect: Docebo empties the group and fills it again, which can take an hour, and its
        Enrollment Rules app may enrol new members. Rules that the group has already are not sent. An
        automatic group that was migrated from the former groups service is recalculated by any change, also of the
        name.

        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.UpdateGroup`.
        :raises InvalidInput: a ruleset for a manual group.
        :raises Conflict: another group has the new name.
        """
        from airflow_segments_provider.vendors.docebo.groups import update
        from airflow_segments_provider.vendors.docebo.parameters import UpdateGroup

        with self.prepare("The update of a group", UpdateGroup, parameters) as prepared:
            return update(*prepared)

    def delete_group(self, **parameters: Any) -> GroupChange:
        """Delete a group.

        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.DeleteGroup`.
        """
        from airflow_segments_provider.vendors.docebo.groups import delete
        from airflow_segments_provider.vendors.docebo.parameters import DeleteGroup

        with self.prepare("The deletion of a group", DeleteGroup, parameters) as prepared:
            return delete(*prepared)

    def add_users(self, user_ids: UserSource = NOT_GIVEN, **parameters: Any) -> GroupChange:
        """Add users, and those of branches and groups. Adding a member again changes nothing.

        Docebo may add them in the background, see ``background_job`` of the result. Users who are added to an automatic
        group stay in it, also if they do not fit its rules.

        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.AddUsers`.
        """
        from airflow_segments_provider.vendors.docebo.groups import add
        from airflow_segments_provider.vendors.docebo.parameters import AddUsers

        with self.prepare("The addition of users", AddUsers, parameters, user_ids) as prepared:
            return add(*prepared)

    def remove_users(self, user_ids: UserSource = (), **parameters: Any) -> GroupChange:
        """Remove users. A user who is not a member is not an error.

        Members by the rules of an automatic group may return with its next calculation.

        :param parameters: of :class:`~airflow_segments_provider.vendors.docebo.parameters.RemoveUsers`.
        """
        from airflow_segments_provider.vendors.docebo.groups import remove
        from airflow_segments_provider.vendors.docebo.parameters import RemoveUsers

        with self.prepare("The removal of users", RemoveUsers, parameters, user_ids) as prepared:
            return remove(*prepared)

    def _resolved(self, group: dict[str, Any]) -> tuple[DoceboApi, str]:
        """Return the API, and the UUID of a group."""
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import GroupKey

        key, api = accepted("The look-up of a group", GroupKey, group), self.api()
        return api, api.resolve_id(key)
