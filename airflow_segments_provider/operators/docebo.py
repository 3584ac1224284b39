"""Operators for Docebo groups, which Docebo's API calls audiences, and their members."""

from __future__ import annotations

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
    """Base of the Docebo operators.

    :param docebo_conn_id: the connection.
    """

    hook_class = DoceboHook
    asset = ("docebo", "group_id")
    template_fields: Sequence[str] = ("docebo_conn_id",)
    operator_extra_links = (DoceboLink(),)
    ui_color = "#e7f0fb"

    def __init__(self, *, docebo_conn_id: str = DoceboHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.docebo_conn_id = docebo_conn_id

    def result_of(self, change: GroupChange) -> dict[str, Any]:
        """Log the change and the users who were left out, and return the task's result."""
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
            self.log.info("Docebo changes the members in the background: wait for it with DoceboGroupPopulatedSensor.")
        return change.model_dump(mode="json")

    def log_refill(self) -> None:
        """Log the consequences of other rules."""
        self.log.warning(
            "Docebo empties an automatic group whose rules are new and refills it by these rules within an hour: wait "
            "for it with DoceboGroupPopulatedSensor. Where its Enrollment Rules app is on, new members may be enrolled "
            "in courses, and returning ones again."
        )


class DoceboGroupOperator(DoceboOperator):
    """Base of the operators on one existing group.

    :param group: the result of a create or update (``create.output``).
    :param group_id: in place of ``group``: the uuid, or the number of the former groups service (one call more).
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
    """Create a group with these users, or add them to the existing one; creating twice results in one.

    Docebo fills an automatic group within an hour. If ``if_exists="update"`` changes the rules of an existing group,
    Docebo empties and refills it. In both cases its Enrollment Rules app may enrol new members in courses.

    Returns ``group_id, name, type, outcome, users_sent, users_removed, users_rejected, users_unmatched,
    unmatched_file, background_job, requests, changed_at``. See https://help.docebo.com/hc/en-us/articles/360020084100-Managing-groups.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.ExactMembersOperator`.
    ``identify_by`` is ``id`` (the user's number), ``email`` or ``username``. An automatic group may have ``user_ids``
    besides the members by its rules.

    :param description: of the group.
    :param exclude_deactivated_users: of an automatic group.
    :param name: 1 to 255 characters; an existing group is found by its name.
    :param type: ``manual``, or ``automatic``, which needs a ``ruleset``.
    :param ruleset: a :class:`~airflow_segments_provider.vendors.docebo.rules.Ruleset`, or a dict in the API's form.
    :param branch_ids: branches whose users are added.
    :param group_ids: groups whose members are added, by either id.
    :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` sets the description and the
        ruleset, and makes the members of a manual group exactly these users; ``fail`` fails.
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
        """Create or update the group."""
        result = self.call_hook(context, self.hook.create_group)
        if result["type"] == "automatic" and result["outcome"] != "reused":
            self.log_refill()
        return result


class DoceboUpdateGroupOperator(DoceboGroupOperator):
    """Change the name, the description or the rules of a group; None leaves them unchanged.

    Other rules have side effects: Docebo empties the group and refills it within an hour, and its Enrollment Rules app
    may enrol new members in courses. Rules that the group has already are not sent. An automatic group that was
    migrated from the former groups service is recalculated by any change, also of its name, with the same effects.

    Returns what :class:`DoceboCreateGroupOperator` returns.

    :param new_name: 1 to 255 characters; no other group may have it.
    :param description: of the group.
    :param exclude_deactivated_users: of an automatic group.
    :param ruleset: as for :class:`DoceboCreateGroupOperator`; it replaces the former one as a whole.
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
    """Delete a group.

    Returns what :class:`DoceboCreateGroupOperator` returns, with ``outcome`` deleted or missing.

    :param if_missing: ``skip`` accepts a missing group, ``fail`` fails.
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

    :param search_text: searched in key, name and description.
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


# Parts of the names of fields that identify the user who made a change.
_USER_WORDS = ("author", "user", "by", "name", "mail", "idst")
# Of a limit.
MAX_DIGITS = 9


class DoceboGetConditionsHistoryOperator(DoceboGroupOperator):
    """Get the rules that an automatic group has had, the latest first.

    Returns ``[{date, ruleset}, …]`` with Docebo's other plain fields, except those about the user who made the change.

    :param limit: the largest number of rulesets; None for all.
    """

    template_fields: Sequence[str] = (*DoceboGroupOperator.template_fields, "limit")

    def __init__(self, *, limit: int | str | None = 50, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Get the history."""
        limit = str(self.limit or "None").strip()
        if limit != "None" and not (limit.isascii() and limit.isdigit() and len(limit) <= MAX_DIGITS):
            problem = f"`limit` is neither a whole number of at most {MAX_DIGITS} digits nor None."
            raise InvalidInput("The history of a group's rules", [problem])
        self.push_link(context)
        parameters = self.parameters
        parameters.pop("limit", None)
        entries = self.hook.get_conditions_history(**parameters)
        found = [_without_user(entry) for entry in islice(entries, None if limit == "None" else int(limit))]
        self.log.info("Read %d rulesets that the group has had.", len(found))
        return found


class DoceboConvertGroupIdOperator(DoceboOperator):
    """Find both IDs of groups: the uuid, and the number in the groups service of before 2020.

    A DAG that was written for the old service keeps its numbers, converts them with this operator, and maps the result
    over other operators. One call for each ID. An ID without a group fails the task, whose error names all such IDs.

    Returns ``[{group_id, legacy_id}, …]`` in the order of ``ids``.

    :param ids: uuids and numbers: a list, an upstream result, or a template that renders to a list.
    """

    template_fields: Sequence[str] = ("ids", "docebo_conn_id")

    def __init__(self, *, ids: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ids = ids

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Convert the IDs."""
        self.push_link(context)
        found = self.hook.convert_group_ids(self.ids)
        self.log.info("Found both ids of %d groups.", len(found))
        return [ids.model_dump(mode="json") for ids in found]


def _without_user(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ruleset and the plain fields, without those about the user who made the change."""
    return {
        key: value
        for key, value in entry.items()
        if key == "ruleset"
        or not (isinstance(value, (Mapping, list)) or any(word in key.lower() for word in _USER_WORDS))
    }


class DoceboAddGroupUsersOperator(FoundUsersOperator, DoceboGroupOperator):
    """Add users to a group, and those of branches and other groups. Adding a member again changes nothing.

    Docebo may add them in the background: then ``background_job`` of the result is set, and
    :class:`~airflow_segments_provider.sensors.docebo.DoceboGroupPopulatedSensor` waits for it.

    Returns what :class:`DoceboCreateGroupOperator` returns. One of ``user_ids``, ``branch_ids`` and ``group_ids`` is
    required; an empty list adds no user.
    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.FoundUsersOperator`.

    :param branch_ids: branches whose users are added.
    :param group_ids: groups whose members are added, by either ID.
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
    """Remove users from a group. A user who is not a member is not an error.

    Docebo may remove them in the background, as it adds them. Members by the rules of an automatic group may return
    with its next evaluation.

    Returns what :class:`DoceboCreateGroupOperator` returns.
    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.FoundUsersOperator`.

    :param user_all: remove all members; with ``user_filters``, all members that match.
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

    For username, name and address alone, :class:`DoceboExportGroupUsersOperator` needs one call in all. For the number
    alone, use :class:`DoceboGetGroupOperator`.

    Returns ``members, path``, where ``members`` is their number.

    :param path: gets one JSON object a line: ``user_id, username, first_name, last_name, email, relation_type``. A
        local path, or the URL of an object storage; an existing file is replaced. None only counts the members.
    :param search_text: Airflow's UI and database show its type only, because it may name a user.
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
        """List the members; write the file once all are read, so that it is never incomplete."""
        from airflow_segments_provider.vendors.docebo.export import write_file

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
                write_file(target, rows)
        self.log.info("%s members listed.", f"{count:,}")
        return {"members": count, "path": str(self.path) if target else None}


class DoceboExportGroupUsersOperator(DoceboGroupOperator):
    """Write all members of a group into a CSV file with one call.

    Returns ``path, bytes, users, columns``.

    :param path: a local path, or the URL of an object storage; an existing file is replaced after the whole export was
        checked.
    :param columns: any of ``userid`` (the username), ``firstname``, ``lastname`` and ``email``, in their order in the
        file.
    :param include_header: write a first line with the columns' names.
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
        _ = target.fs  # Airflow 2.11 raises only here
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise InvalidInput("The list of a group's members", [f"`path` leads nowhere: {error}."]) from None
    return target
