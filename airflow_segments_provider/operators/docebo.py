"""Operators for Docebo groups, which Docebo's API calls audiences, and their members."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.links import DoceboLink
from airflow_segments_provider.operators.base import ExactMembersOperator, FoundUsersOperator, VendorOperator
from airflow_segments_provider.operators.rendering import ConcealedField
from airflow_segments_provider.sources.values import NOT_GIVEN, UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

    from airflow_segments_provider.vendors.docebo.responses import GroupChange, GroupExport

__all__ = [
    "DoceboAddGroupUsersOperator",
    "DoceboConvertGroupIdOperator",
    "DoceboCreateGroupOperator",
    "DoceboDeleteGroupOperator",
    "DoceboExportGroupUsersOperator",
    "DoceboGetConditionsHistoryOperator",
    "DoceboGetGroupOperator",
    "DoceboListGroupUsersOperator",
    "DoceboListGroupsOperator",
    "DoceboRemoveGroupUsersOperator",
    "DoceboUpdateGroupOperator",
]


class DoceboOperator(VendorOperator):
    """What the operators of Docebo share.

    :param docebo_conn_id: the connection.
    """

    hook_class = DoceboHook
    template_fields: Sequence[str] = ("docebo_conn_id",)
    operator_extra_links = (DoceboLink(),)
    ui_color = "#e7f0fb"

    def __init__(self, *, docebo_conn_id: str = DoceboHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.docebo_conn_id = docebo_conn_id

    def result_of(self, change: GroupChange) -> dict[str, Any]:
        """Say what was done, how many were left out and why, and return the task's result."""
        self.log.info(
            "Group %s %s: %s user ids sent, %s others removed, in %d requests.",
            f"{change.name!r} ({change.group_id})" if change.name else change.group_id,
            change.outcome,
            f"{change.users_sent:,}",
            f"{change.users_removed:,}",
            change.requests,
        )
        self.log_left_out(change.users_rejected, change.users_unmatched)
        if change.background_job:
            self.log.info("Docebo does it in the background: wait for it with DoceboGroupPopulatedSensor.")
        return change.model_dump(mode="json")

    def log_refill(self) -> None:
        """Say what other rules bring about."""
        self.log.warning(
            "Docebo empties an automatic group whose rules are new and fills it by them, within an hour: wait for it "
            "with DoceboGroupPopulatedSensor. Where its Enrollment Rules app is on, users who come in may be enrolled "
            "in courses, and those who come back, again."
        )


class DoceboGroupOperator(DoceboOperator):
    """What those share that are about one group that exists.

    :param group: the result of a create or update (``create.output``).
    :param group_id: in place of it: the uuid, or the number of the former groups service (one call more).
    :param name: in place of both; one call more, or several.
    """

    template_fields: Sequence[str] = ("group", "group_id", "name", "docebo_conn_id")

    def __init__(
        self, *, group: Any = None, group_id: str | int | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.group_id = group_id
        self.name = name


class DoceboCreateGroupOperator(ExactMembersOperator, DoceboOperator):
    """Make sure that a group exists and holds these users; creating twice makes one.

    An automatic group is filled by Docebo, within an hour, and its Enrollment Rules app may enrol the users who come in
    in courses; so it may if ``if_exists="update"`` gives the existing one other rules, which empties and refills it.

    Returns ``group_id, name, type, outcome, users_sent, users_removed, users_rejected, users_unmatched,
    unmatched_file, background_job, requests, changed_at``. See https://help.docebo.com/hc/en-us/articles/360020084100-Managing-groups.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.ExactMembersOperator`.

    :param name: 1 to 255 characters; the only thing by which an existing group is found.
    :param identify_by: what ``user_ids`` holds: ``id`` (the user's number), ``email`` or ``username``; the latter are
        looked up first.
    :param type: ``manual``, or ``automatic``, which needs a ``ruleset``.
    :param ruleset: a :class:`~airflow_segments_provider.vendors.docebo.rules.Ruleset`, or the dict that the API takes.
    :param branch_ids: branches whose users are added.
    :param group_ids: groups whose members are added, by either id.
    :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` gives it this description and
        ruleset, and makes the members of a manual group exactly these; ``fail`` fails.
    :param allow_empty: with ``update``, let an empty list remove all members.
    """

    template_fields: Sequence[str] = (
        "name",
        "type",
        "description",
        "ruleset",
        "exclude_deactivated_users",
        "branch_ids",
        "group_ids",
        "if_exists",
        "docebo_conn_id",
        *ExactMembersOperator.user_fields,
    )
    value_fields: Sequence[str] = ("ruleset",)

    def __init__(
        self,
        *,
        name: str,
        type: str = "manual",  # noqa: A002  # the vendor's word
        description: str | None = None,
        ruleset: Any = None,
        exclude_deactivated_users: bool | str | None = None,
        branch_ids: Any = (),
        group_ids: Any = (),
        if_exists: str = "reuse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.type = type
        self.description = description
        self.ruleset = ruleset
        self.exclude_deactivated_users = exclude_deactivated_users
        self.branch_ids = branch_ids
        self.group_ids = group_ids
        self.if_exists = if_exists

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the group, or make the existing one right."""
        result = self.call_hook(context, self.hook.create_group)
        if result["type"] == "automatic" and result["outcome"] != "reused":
            self.log_refill()
        return result


class DoceboUpdateGroupOperator(DoceboGroupOperator):
    """Give a group another name, description or other rules; what is not given stays.

    Other rules have side effects: Docebo empties the group and refills it by them, within an hour, and its Enrollment
    Rules app may enrol users in courses as they come in. Rules that the group has already are not sent.
    An automatic group that was migrated from the former groups service is recalculated by any change, a new name
    included, with the same effects.

    Returns what the create returns.

    :param ruleset: as for a create; whole, as it replaces the former one.
    """

    template_fields: Sequence[str] = (
        *DoceboGroupOperator.template_fields,
        "new_name",
        "description",
        "ruleset",
        "exclude_deactivated_users",
    )
    value_fields: Sequence[str] = ("ruleset",)

    def __init__(
        self,
        *,
        new_name: str | None = None,
        description: str | None = None,
        ruleset: Any = None,
        exclude_deactivated_users: bool | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.new_name = new_name
        self.description = description
        self.ruleset = ruleset
        self.exclude_deactivated_users = exclude_deactivated_users

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the group."""
        result = self.call_hook(context, self.hook.update_group)
        rules_may_differ = bool(self.ruleset) or self.exclude_deactivated_users is not None
        if result["type"] == "automatic" and rules_may_differ:
            self.log_refill()
        return result


class DoceboDeleteGroupOperator(DoceboGroupOperator):
    """Delete a group. Returns what the create returns, with ``outcome`` deleted or missing.

    :param if_missing: ``skip`` takes a group that is not there for deleted, ``fail`` fails.
    """

    template_fields: Sequence[str] = (*DoceboGroupOperator.template_fields, "if_missing")

    def __init__(self, *, if_missing: str = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.if_missing = if_missing

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the group."""
        return self.call_hook(context, self.hook.delete_group)


class DoceboGetGroupOperator(DoceboGroupOperator):
    """Get a group and the number of its members.

    Returns ``group_id, name, slug, description, type, ruleset, exclude_deactivated_users, updated_at, members``.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the group."""
        self.push_link(context)
        group = self.hook.get_group(**self.parameters)
        members = self.hook.get_population(group_id=group.group_id).members
        self.log.info("Group %r (%s) has %s members.", group.name, group.group_id, f"{members:,}")
        return {**group.model_dump(mode="json"), "members": members}


class DoceboListGroupsOperator(DoceboOperator):
    """List the groups, or those that a search finds: ``[{group_id, name, type}, …]``.

    :param search_text: is looked for in key, name and description.
    :param sort_attr: ``name``, ``description`` or ``slug``.
    :param sort_dir: ``asc`` or ``desc``.
    """

    template_fields: Sequence[str] = ("search_text", "sort_attr", "sort_dir", "docebo_conn_id")

    def __init__(
        self,
        *,
        search_text: str | None = None,
        sort_attr: str | None = None,
        sort_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.search_text = search_text
        self.sort_attr = sort_attr
        self.sort_dir = sort_dir

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the groups."""
        self.push_link(context)
        groups = self.hook.get_groups(**self.parameters)
        found = [group.model_dump(mode="json", include={"group_id", "name", "type"}) for group in groups]
        self.log.info("Found %s groups.", f"{len(found):,}")
        return found


# In the names of fields that name the user who made a change.
_PEOPLE = ("author", "user", "by", "name", "mail", "idst")


class DoceboGetConditionsHistoryOperator(DoceboGroupOperator):
    """Get the rules that an automatic group has had, the latest first.

    Returns ``[{date, ruleset}, …]``, and the other fields of each, without the user who made the change.

    :param limit: how many at most; None for all.
    """

    template_fields: Sequence[str] = (*DoceboGroupOperator.template_fields, "limit")

    def __init__(self, *, limit: int | str | None = 50, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Get the history."""
        limit = str(self.limit or "None").strip()
        if limit != "None" and not (limit.isascii() and limit.isdigit()):
            raise InvalidInput("The history of a group's rules", ["`limit` is neither a whole number nor None."])
        self.push_link(context)
        parameters = self.parameters
        parameters.pop("limit", None)
        entries = self.hook.get_conditions_history(**parameters)
        found = [_told(entry) for entry in islice(entries, None if limit == "None" else int(limit))]
        self.log.info("Read %d rulesets that the group has had.", len(found))
        return found


class DoceboConvertGroupIdOperator(DoceboOperator):
    """Find both ids of groups: the uuid, and the number that it had in the groups service of before 2020.

    A DAG that was written for the old service keeps its numbers, converts them here, and maps the result over other
    operators. One call for each id. Returns ``[{group_id, legacy_id}, …]`` in the order of ``ids``; an id of no group
    fails the task, which names all such ids.

    :param ids: uuids and numbers, mixed at will: a list, an upstream result, or a template that renders to a list.
    """

    template_fields: Sequence[str] = ("ids", "docebo_conn_id")

    def __init__(self, *, ids: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ids = ids

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Convert the ids."""
        self.push_link(context)
        found = self.hook.convert_group_ids(self.ids)
        self.log.info("Found both ids of %d groups.", len(found))
        return [ids.model_dump(mode="json") for ids in found]


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ruleset and plain values, without the users who made the change."""
    return {
        key: value
        for key, value in entry.items()
        if key == "ruleset" or not (isinstance(value, (Mapping, list)) or any(word in key.lower() for word in _PEOPLE))
    }


class DoceboAddGroupUsersOperator(FoundUsersOperator, DoceboGroupOperator):
    """Add users to a group, and those of branches and other groups. Adding a member again changes nothing.

    Docebo may do it in the background; ``background_job`` of the result says so, and DoceboGroupPopulatedSensor waits
    for it. Returns what the create returns.

    One of ``user_ids``, ``branch_ids`` and ``group_ids`` must be set; an empty list adds no user.
    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.FoundUsersOperator`.
    """

    template_fields: Sequence[str] = (
        *DoceboGroupOperator.template_fields,
        "branch_ids",
        "group_ids",
        *FoundUsersOperator.user_fields,
    )

    def __init__(
        self,
        *,
        user_ids: UserSource | str = NOT_GIVEN,
        branch_ids: Any = None,
        group_ids: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(user_ids=user_ids, **kwargs)
        self.branch_ids = branch_ids
        self.group_ids = group_ids

    def execute(self, context: Context) -> dict[str, Any]:
        """Add the users."""
        return self.call_hook(context, self.hook.add_users)


class DoceboRemoveGroupUsersOperator(FoundUsersOperator, DoceboGroupOperator):
    """Remove users from a group. Somebody who is no member is no error.

    Docebo may do it in the background, as an addition. Members by the rules of an automatic group may come
    back with its next evaluation. Returns what the create returns.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.FoundUsersOperator`.

    :param user_all: remove all members; with ``user_filters`` all that they find.
    :param user_filters: ``{"search": "…"}`` or a list of search texts. Because it may name a user, Airflow's UI and
        database show its size only.
    """

    template_fields: Sequence[str] = (
        *DoceboGroupOperator.template_fields,
        "user_all",
        "user_filters",
        *FoundUsersOperator.user_fields,
    )
    user_filters = ConcealedField()

    def __init__(
        self,
        *,
        user_all: bool | str = False,
        user_filters: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_all = user_all
        self.user_filters = user_filters

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove the users."""
        return self.call_hook(context, self.hook.remove_users)


class DoceboListGroupUsersOperator(DoceboGroupOperator):
    """List the members of a group, or those that a search finds, into a file; a call for each 200.

    Where only username, name and address are wanted, :class:`DoceboExportGroupUsersOperator` needs one call in all; for
    the bare number, :class:`~airflow_segments_provider.operators.docebo.DoceboGetGroupOperator` does.

    Returns ``members, path``, where ``members`` is their number.

    :param path: gets one JSON object a line: ``user_id, username, first_name, last_name, email, relation_type``. A
        local path, or the URL of an object storage; what is there is replaced. Without it they are only counted.
    :param search_text: is looked for in what Docebo searches. It is concealed, as ``user_filters`` of a removal.
    :param sort_attr: ``idst``, ``userid``, ``firstname``, ``lastname`` or ``email``.
    :param sort_dir: ``asc`` or ``desc``.
    """

    template_fields: Sequence[str] = (
        *DoceboGroupOperator.template_fields,
        "path",
        "search_text",
        "sort_attr",
        "sort_dir",
    )
    search_text = ConcealedField()

    def __init__(
        self,
        *,
        path: ObjectStoragePath | str | None = None,
        search_text: str | None = None,
        sort_attr: str | None = None,
        sort_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.search_text = search_text
        self.sort_attr = sort_attr
        self.sort_dir = sort_dir

    def execute(self, context: Context) -> dict[str, Any]:
        """List the members; the file is written once all are known, so that it is never a part of them."""
        target = _target(self.path) if self.path else None
        self.push_link(context)
        parameters = self.parameters
        parameters.pop("path", None)
        members = self.hook.get_members(**parameters)
        count = 0
        with tempfile.TemporaryFile(prefix="segments-") as rows:
            for member in members:
                count += 1
                if target:
                    rows.write(member.model_dump_json().encode() + b"\n")
            if target:
                rows.seek(0)
                with target.open("wb") as file:  # type: ignore[no-untyped-call]
                    shutil.copyfileobj(rows, file)
        self.log.info("%s members listed.", f"{count:,}")
        return {"members": count, "path": str(self.path) if target else None}


class DoceboExportGroupUsersOperator(DoceboGroupOperator):
    """Write the members of a group into a CSV file, in one call however many they are.

    Returns ``path, bytes, users, columns``.

    :param path: a local path, or the URL of an object storage; what is there is replaced, once all was read and found
        to be right.
    :param columns: of ``userid`` (the username), ``firstname``, ``lastname`` and ``email``; in this order.
    :param include_header: begin with the columns' names.
    :param delimiter: one character.
    """

    template_fields: Sequence[str] = (
        *DoceboGroupOperator.template_fields,
        "path",
        "columns",
        "include_header",
        "delimiter",
    )

    def __init__(
        self,
        *,
        path: ObjectStoragePath | str,
        columns: Any = ("userid", "email"),
        include_header: bool | str = True,
        delimiter: str = ",",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.columns = columns
        self.include_header = include_header
        self.delimiter = delimiter

    def execute(self, context: Context) -> dict[str, Any]:
        """Export the members."""
        self.push_link(context)
        export: GroupExport = self.hook.export_users(**self.parameters)
        self.log.info("%s members exported, %s bytes.", f"{export.users:,}", f"{export.bytes:,}")
        return export.model_dump(mode="json")


def _target(path: ObjectStoragePath | str) -> ObjectStoragePath:
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    try:
        target = ObjectStoragePath(path)
        _ = target.fs  # where Airflow 2.11 finds out whether there is such a storage
    except (ValueError, TypeError, ImportError) as error:
        raise InvalidInput("The list of a group's members", [f"`path` leads nowhere: {error}."]) from None
    return target
