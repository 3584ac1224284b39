"""Create, update, delete, get and list Docebo groups, which Docebo's API calls audiences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.links import DoceboLink
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.operators.users import ExactMembersOperator
from airflow_segments_provider.operators.vendor import VendorOperator
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.vendors.docebo.responses import GroupChange

__all__ = [
    "DoceboCreateGroupOperator",
    "DoceboDeleteGroupOperator",
    "DoceboGetGroupOperator",
    "DoceboListGroupsOperator",
    "DoceboUpdateGroupOperator",
]


class DoceboOperator(VendorOperator):
    """What the operators of Docebo share.

    :param docebo_conn_id: the connection.
    """

    template_fields: Sequence[str] = ("docebo_conn_id",)
    operator_extra_links = (DoceboLink(),)
    ui_color = "#e7f0fb"

    def __init__(self, *, docebo_conn_id: str = DoceboHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.docebo_conn_id = docebo_conn_id

    @cached_property
    def hook(self) -> DoceboHook:
        """The hook of the rendered connection id."""
        return DoceboHook(self.docebo_conn_id)

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
            "with DoceboGroupPopulatedSensor. Where its Enrollment Rules app is on, people who come in may be enrolled "
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

    @property
    def key(self) -> dict[str, Any]:
        """What names the group."""
        return {"group": self.group, "group_id": self.group_id, "name": self.name}


class DoceboCreateGroupOperator(ExactMembersOperator, DoceboOperator):
    """Make sure that a group exists and holds these users; creating twice makes one.

    An automatic group is filled by Docebo, within an hour, and its Enrollment Rules app may enrol the people in courses
    who come in; so it may if ``if_exists="update"`` gives the existing one other rules, which empties and refills it.

    Returns ``group_id, name, type, outcome, users_sent, users_removed, users_rejected, users_unmatched,
    unmatched_file, background_job, requests, changed_at``. See https://help.docebo.com/hc/en-us/articles/360020084100-Managing-groups.

    :param name: 1 to 255 characters; the only thing by which an existing group is found.
    :param user_ids: people: a list, an upstream result, a template that renders to a list, any iterable, or a source.
        Airflow's UI and database show their number. An automatic group takes some besides those of its rules.
    :param identify_by: what ``user_ids`` holds: ``id`` (the user's number), ``email`` or ``username``; the latter are
        looked up first.
    :param type: ``manual``, or ``automatic``, which needs a ``ruleset``.
    :param ruleset: a :class:`~airflow_segments_provider.vendors.docebo.rules.Ruleset`, or the dict that the API takes.
    :param branch_ids: branches whose people are added.
    :param group_ids: groups whose members are added, by either id.
    :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` gives it this description and
        ruleset, and makes the members of a manual group exactly these; ``fail`` fails.
    :param allow_empty: with ``update``, let nobody at all empty one that has members.
    :param on_invalid: ``fail`` refuses all ids if one is unusable; ``skip`` leaves those out and counts them.
    :param on_unmatched: ``fail`` refuses where somebody is not found; ``skip`` leaves those out and counts them.
    :param max_invalid_fraction: limits what is left out, as ``max_unmatched_fraction`` does, and
        ``max_removed_fraction`` what ``update`` removes: see
        :class:`~airflow_segments_provider.operators.users.ExactMembersOperator`.
    """

    template_fields: Sequence[str] = (
        "name",
        "user_ids",
        "identify_by",
        "type",
        "description",
        "ruleset",
        "exclude_deactivated_users",
        "branch_ids",
        "group_ids",
        "if_exists",
        "allow_empty",
        "on_invalid",
        "on_unmatched",
        "docebo_conn_id",
        *ExactMembersOperator.limit_fields,
    )
    value_fields: Sequence[str] = ("ruleset",)
    user_ids = UserIdsField()

    def __init__(
        self,
        *,
        name: str,
        user_ids: UserSource | str = (),
        identify_by: str = "id",
        type: str = "manual",  # noqa: A002  # the vendor's word
        description: str | None = None,
        ruleset: Any = None,
        exclude_deactivated_users: bool | str | None = None,
        branch_ids: Any = (),
        group_ids: Any = (),
        if_exists: str = "reuse",
        allow_empty: bool | str = False,
        on_invalid: str = "fail",
        on_unmatched: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.user_ids = user_ids
        self.identify_by = identify_by
        self.type = type
        self.description = description
        self.ruleset = ruleset
        self.exclude_deactivated_users = exclude_deactivated_users
        self.branch_ids = branch_ids
        self.group_ids = group_ids
        self.if_exists = if_exists
        self.allow_empty = allow_empty
        self.on_invalid = on_invalid
        self.on_unmatched = on_unmatched

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the group, or make the existing one right."""
        self.push_link(context, self.hook.platform_url)
        self.list_unmatched(context)
        change = self.hook.create_group(
            self.name,
            self.user_ids,
            identify_by=self.identify_by,  # type: ignore[arg-type]
            type=self.type,  # type: ignore[arg-type]
            description=self.description,
            ruleset=self.ruleset,
            exclude_deactivated_users=self.exclude_deactivated_users,  # type: ignore[arg-type]
            branch_ids=self.branch_ids,
            group_ids=self.group_ids,
            if_exists=self.if_exists,  # type: ignore[arg-type]
            allow_empty=self.allow_empty,  # type: ignore[arg-type]
            on_invalid=self.on_invalid,  # type: ignore[arg-type]
            on_unmatched=self.on_unmatched,  # type: ignore[arg-type]
            **self.limits,
        )
        if change.type == "automatic" and change.outcome != "reused":
            self.log_refill()
        return self.result_of(change)


class DoceboUpdateGroupOperator(DoceboGroupOperator):
    """Give a group another name, description or other rules; what is not given stays.

    Other rules have side effects: Docebo empties the group and refills it by them, within an hour, and its Enrollment
    Rules app may enrol people in courses as they come in. Rules that the group has already are not sent.
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
        self.push_link(context, self.hook.platform_url)
        change = self.hook.update_group(
            new_name=self.new_name,
            description=self.description,
            ruleset=self.ruleset,
            exclude_deactivated_users=self.exclude_deactivated_users,  # type: ignore[arg-type]
            **self.key,
        )
        rules_may_differ = bool(self.ruleset) or self.exclude_deactivated_users is not None
        if change.type == "automatic" and rules_may_differ:
            self.log_refill()
        return self.result_of(change)


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
        self.push_link(context, self.hook.platform_url)
        return self.result_of(self.hook.delete_group(if_missing=self.if_missing, **self.key))  # type: ignore[arg-type]


class DoceboGetGroupOperator(DoceboGroupOperator):
    """Get a group and the number of its members.

    Returns ``group_id, name, slug, description, type, ruleset, exclude_deactivated_users, updated_at, members``.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the group."""
        self.push_link(context, self.hook.platform_url)
        group = self.hook.get_group(**self.key)
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
        self.push_link(context, self.hook.platform_url)
        groups = self.hook.get_groups(
            search_text=self.search_text,
            sort_attr=self.sort_attr,  # type: ignore[arg-type]
            sort_dir=self.sort_dir,  # type: ignore[arg-type]
        )
        found = [group.model_dump(mode="json", include={"group_id", "name", "type"}) for group in groups]
        self.log.info("Found %s groups.", f"{len(found):,}")
        return found
