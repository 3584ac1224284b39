"""Docebo groups, which its API calls audiences: see the models' module for the vendor's pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.not_given import NOT_GIVEN
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.sources.ids import OnInvalid
    from airflow_segments_provider.vendors.base.parameters import ExactMemberLimits, Given, OnUnmatched
    from airflow_segments_provider.vendors.docebo.api import GroupEndpoints
    from airflow_segments_provider.vendors.docebo.connection import DoceboConnectionFields
    from airflow_segments_provider.vendors.docebo.parameters import Column, IdentifyBy, IfExists, IfMissing, SortDir
    from airflow_segments_provider.vendors.docebo.responses import (
        Group,
        GroupChange,
        GroupExport,
        GroupIds,
        GroupPopulation,
        Member,
        UserMatches,
    )
    from airflow_segments_provider.vendors.docebo.rules import Ruleset
    from airflow_segments_provider.vendors.docebo.users import People

    Model = TypeVar("Model", bound=Given)

__all__ = ["DoceboHook"]


class DoceboHook(VendorHook):
    """Groups of a Docebo platform, with the API app of an Airflow connection of type ``docebo``.

    The connection: host = the platform's address, login = client id, password = client secret of an API app; and the
    extra fields of :class:`~airflow_segments_provider.vendors.docebo.connection.DoceboConnectionFields`. The user
    behind the token must be a Superadmin.

    Wherever a group is meant, it is named by ``group_id``, its uuid or the number that it has in the former groups
    service (one call more); by ``name`` (one call or more); or by ``group``, the result of a create or update.
    Wherever people's ids are taken, any iterable will do; it is checked whole before the first call. Every method that
    calls may raise :class:`~airflow_segments_provider.errors.VendorError`.

    Docebo forbids changes of members side by side. Within a process the hook lets them wait for one another; for tasks
    that change members, use one Airflow pool with one slot.

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

    # The connection ------------------------------------------------------------------------------------------------

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
    def platform_url(self) -> str:
        """The platform's address, for people."""
        return self.client.base_url

    def test_connection(self) -> tuple[bool, str]:
        """Whether groups could be managed, in plain words: what is wrong and where to mend it. Changes nothing."""
        from airflow_segments_provider.vendors.docebo.diagnose import explain

        return explain(self)

    # Reading -------------------------------------------------------------------------------------------------------

    def get_groups(
        self,
        *,
        search_text: str | None = None,
        sort_attr: Literal["name", "description", "slug"] | None = None,
        sort_dir: SortDir | None = None,
    ) -> Iterator[Group]:
        """All groups, or those that a search finds, a page at a time.

        :param search_text: is looked for in key, name and description.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import ListGroups

        query = {"search_text": search_text, "sort_attr": sort_attr, "sort_dir": sort_dir}
        wanted = accepted("The list of groups", ListGroups, query)
        return self.endpoints().groups(**wanted.model_dump())

    def get_group(self, group_id: str | int | None = None, **group: Any) -> Group:
        """One group.

        :raises NotFound: there is no such group.
        """
        endpoints, found = self._found({"group_id": group_id, **group})
        return endpoints.group(found)

    def find_group(self, name: str) -> Group | None:
        """The one group of exactly that name, or None. What Docebo's own search does not find is not found.

        :raises Conflict: several groups have that name; the message has their ids.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import GroupKey

        wanted = accepted("The look-up of a group", GroupKey, {"name": name})
        return self.endpoints().find(str(wanted.name))

    def get_members(
        self,
        *,
        search_text: str | None = None,
        sort_attr: Literal["idst", "userid", "firstname", "lastname", "email"] | None = None,
        sort_dir: SortDir | None = None,
        **group: Any,
    ) -> Iterator[Member]:
        """The members of a group, or those whom a search finds, a page at a time."""
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.members import GroupMembers
        from airflow_segments_provider.vendors.docebo.parameters import ListMembers

        query = {"search_text": search_text, "sort_attr": sort_attr, "sort_dir": sort_dir}
        wanted = accepted("The list of members", ListMembers, {**group, **query})
        endpoints = self.endpoints()
        members = GroupMembers(endpoints, endpoints.found_id(wanted))
        return members.list(**wanted.model_dump(include=set(query)))

    def get_population(self, **group: Any) -> GroupPopulation:
        """How many members a group has, and whether its rules are done; two calls where Docebo tells totals."""
        from airflow_segments_provider.vendors.docebo.members import GroupMembers
        from airflow_segments_provider.vendors.docebo.responses import GroupPopulation

        endpoints, found = self._found(group)
        status = endpoints.group(found).ruleset_status
        return GroupPopulation(members=GroupMembers(endpoints, found).count(), ruleset_status=status)

    def export_users(
        self,
        path: ObjectStoragePath | str,
        *,
        columns: Sequence[Column] = ("userid", "email"),
        include_header: bool = True,
        delimiter: str = ",",
        **group: Any,
    ) -> GroupExport:
        """Write a group's members into a file, in one call however many there are.

        The file is UTF-8 without a mark at its beginning, its lines end in a line feed, and each row is checked before
        anything is written; what is there already is replaced.

        :param path: a local path or the URL of an object storage, e.g. ``s3://conn_id@bucket/key.csv``.
        :param columns: of ``userid`` (the username), ``firstname``, ``lastname``, ``email``; they come in this order.
        :raises UnexpectedReply: Docebo answered something else than CSV; nothing was written.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.export import Export, export

        given = {**group, "path": path, "columns": columns, "include_header": include_header, "delimiter": delimiter}
        return export(self.endpoints(), accepted("The export of a group", Export, given))

    def get_conditions_history(self, **group: Any) -> Iterator[dict[str, Any]]:
        """The rules that an automatic group has had, as Docebo tells them, a page at a time.

        Entries may name the person who made the change; keep that out of logs and XComs.
        """
        from airflow_segments_provider.vendors.docebo.api import GROUPS
        from airflow_segments_provider.vendors.docebo.responses import parse_change

        endpoints, found = self._found(group)
        pages = endpoints.pages((*GROUPS, found, "conditions-history"), parse_change, {}, sized=False)
        return (entry for page in pages for entry in page.items)

    def convert_group_ids(self, ids: Iterable[str | int]) -> list[GroupIds]:
        """Both ids of each group: uuids, and numbers of the former groups service, may be mixed; one call each.

        :raises NotFound: names all ids that are unknown.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import ConvertGroupIds

        wanted = accepted("The conversion of group ids", ConvertGroupIds, {"ids": ids})
        return self.endpoints().both_ids(wanted.ids)

    def find_users(self, values: UserSource, *, by: IdentifyBy = "email") -> UserMatches:
        """Users who have exactly these e-mail addresses, usernames or ids, in any case.

        For a few people each is looked up, ``max_concurrency`` of the connection at once; for many the list of all
        users is read once, where that takes fewer calls.
        """
        from airflow_segments_provider.vendors.docebo.users import find

        return find(self, values, by)

    # Groups --------------------------------------------------------------------------------------------------------

    def create_group(
        self,
        name: str,
        user_ids: UserSource = (),
        *,
        type: Literal["manual", "automatic"] = "manual",  # noqa: A002  # the vendor's word
        description: str | None = None,
        ruleset: Ruleset | Mapping[str, Any] | None = None,
        exclude_deactivated_users: bool | None = None,
        branch_ids: Iterable[int] = (),
        group_ids: Iterable[str | int] = (),
        if_exists: IfExists = "reuse",
        allow_empty: bool = False,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **limits: Unpack[ExactMemberLimits],
    ) -> GroupChange:
        """Make sure that the group exists and holds these users. Creating twice makes one.

        :param type: ``automatic`` needs a ``ruleset``, ``manual`` must not have one. An automatic group may be given
            users too; they stay whatever the rules say.
        :param branch_ids: branches whose people are added.
        :param group_ids: groups whose members are added, by either id.
        :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` gives it this description and
            ruleset, and makes the members of a manual group exactly these; ``fail`` refuses. A ruleset that differs
            empties and refills the group, see :meth:`update_group`.
        :param allow_empty: with ``update``, let nobody at all empty one that has members.
        :param identify_by: what ``user_ids`` holds: ``id``, ``email`` or ``username``.
        :param on_invalid: ``fail`` refuses all ids if one is unusable; ``skip`` leaves those out and counts them.
        :param on_unmatched: ``fail`` refuses where somebody is not found; ``skip`` leaves those out and counts them.
        :param limits: ``max_invalid_fraction``, ``max_unmatched_fraction`` and ``max_removed_fraction``, see
            :mod:`airflow_segments_provider.vendors.base.parameters`. :meth:`add_users` and :meth:`remove_users` have
            the first two.
        :raises InvalidInput: before any call, with every problem found.
        :raises Conflict: it exists and ``if_exists="fail"``, or with the other type; or several groups have that name.
        :raises UnexpectedReply: with ``update``, the group does not show users who were added; then none is removed.
        """
        from airflow_segments_provider.vendors.docebo.groups import GroupCreation
        from airflow_segments_provider.vendors.docebo.parameters import CreateGroup

        given = {
            "name": name,
            "type": type,
            "description": description,
            "ruleset": ruleset,
            "exclude_deactivated_users": exclude_deactivated_users,
            "branch_ids": branch_ids,
            "group_ids": group_ids,
            "if_exists": if_exists,
            "allow_empty": allow_empty,
            "identify_by": identify_by,
            "on_invalid": on_invalid,
            "on_unmatched": on_unmatched,
            **limits,
        }
        with self._checked(f"Group {name!r}", CreateGroup, given, user_ids) as checked:
            return GroupCreation(*checked).run()

    def update_group(
        self,
        *,
        new_name: str | None = None,
        description: str | None = None,
        ruleset: Ruleset | Mapping[str, Any] | None = None,
        exclude_deactivated_users: bool | None = None,
        **group: Any,
    ) -> GroupChange:
        """Give a group another name, description or other rules; what is not given stays.

        Other rules have a side effect: Docebo empties the group and fills it again, which can take an hour, and its
        Enrollment Rules app may enrol the people who come in for courses. Rules that the group has already are not
        sent. An automatic group that was migrated from the former groups service is recalculated by any change, a new
        name included.

        :raises InvalidInput: a ruleset for a manual group.
        """
        from airflow_segments_provider.vendors.docebo.groups import update
        from airflow_segments_provider.vendors.docebo.parameters import UpdateGroup

        given = {
            **group,
            "new_name": new_name,
            "description": description,
            "ruleset": ruleset,
            "exclude_deactivated_users": exclude_deactivated_users,
        }
        with self._checked("The update of a group", UpdateGroup, given, ()) as (endpoints, wanted, _):
            return update(endpoints, wanted)

    def delete_group(self, *, if_missing: IfMissing = "skip", **group: Any) -> GroupChange:
        """Delete a group.

        :param if_missing: ``skip`` takes a group that is not there for deleted, ``fail`` raises.
        """
        from airflow_segments_provider.vendors.docebo.groups import delete
        from airflow_segments_provider.vendors.docebo.parameters import DeleteGroup

        given = {**group, "if_missing": if_missing}
        with self._checked("The deletion of a group", DeleteGroup, given, ()) as (endpoints, wanted, _):
            return delete(endpoints, wanted)

    # Members -------------------------------------------------------------------------------------------------------

    def add_users(
        self,
        user_ids: UserSource = NOT_GIVEN,
        *,
        branch_ids: Iterable[int] | None = None,
        group_ids: Iterable[str | int] | None = None,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **group: Any,
    ) -> GroupChange:
        """Add users, and the people of branches and groups. Adding a member again changes nothing.

        Docebo may do it in the background, see ``background_job`` of the result. An automatic group may be given users,
        too; they stay whatever its rules say.
        """
        from airflow_segments_provider.vendors.docebo.groups import add
        from airflow_segments_provider.vendors.docebo.parameters import AddUsers

        given = {
            **group,
            "branch_ids": branch_ids,
            "group_ids": group_ids,
            "identify_by": identify_by,
            "on_invalid": on_invalid,
            "on_unmatched": on_unmatched,
        }
        with self._checked("The addition of users", AddUsers, given, user_ids) as checked:
            return add(*checked)

    def remove_users(
        self,
        user_ids: UserSource = (),
        *,
        user_all: bool = False,
        user_filters: Mapping[str, str] | Sequence[str] | None = None,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **group: Any,
    ) -> GroupChange:
        """Remove users. Somebody who is no member is no error.

        Members whom the rules of an automatic group brought may come back with its next calculation.

        :param user_all: remove everybody; with ``user_filters`` everybody whom they find.
        :param user_filters: ``{"search": "..."}`` or a list of search texts; which of both a platform takes is not
            published, so they are sent as they are given.
        """
        from airflow_segments_provider.vendors.docebo.groups import remove
        from airflow_segments_provider.vendors.docebo.parameters import RemoveUsers

        given = {
            **group,
            "user_all": user_all,
            "user_filters": user_filters,
            "identify_by": identify_by,
            "on_invalid": on_invalid,
            "on_unmatched": on_unmatched,
        }
        with self._checked("The removal of users", RemoveUsers, given, user_ids) as checked:
            return remove(*checked)

    # Checking ------------------------------------------------------------------------------------------------------

    def endpoints(self) -> GroupEndpoints:
        """The endpoints, with a count of requests that begins at nought."""
        from airflow_segments_provider.vendors.docebo.api import GroupEndpoints

        return GroupEndpoints(self.client, self.fields, self.docebo_conn_id)

    def _found(self, group: dict[str, Any]) -> tuple[GroupEndpoints, str]:
        """The endpoints, and the uuid of the group that is meant."""
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.docebo.parameters import GroupKey

        key, endpoints = accepted("The look-up of a group", GroupKey, group), self.endpoints()
        return endpoints, endpoints.found_id(key)

    def _checked(
        self, subject: str, model: type[Model], given: dict[str, Any], user_ids: UserSource
    ) -> AbstractContextManager[tuple[GroupEndpoints, Model, People]]:
        """The endpoints, the input and the people of a write, once all of them are found to be right."""
        from airflow_segments_provider.vendors.docebo.users import checked

        return checked(self, subject, model, given, user_ids)
