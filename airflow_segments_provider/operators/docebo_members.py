"""Add users to Docebo groups and remove them, list members into a file, and export them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.concealed import ConcealedField, reveal
from airflow_segments_provider.operators.docebo import DoceboGroupOperator
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.operators.users import FoundUsersOperator
from airflow_segments_provider.sources.not_given import NOT_GIVEN
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, ObjectStoragePath

__all__ = [
    "DoceboAddGroupUsersOperator",
    "DoceboExportGroupUsersOperator",
    "DoceboListGroupUsersOperator",
    "DoceboRemoveGroupUsersOperator",
]


class DoceboAddGroupUsersOperator(FoundUsersOperator, DoceboGroupOperator):
    """Add users to a group, and the people of branches and other groups. Adding a member again changes nothing.

    Docebo may do it in the background; ``background_job`` of the result says so, and DoceboGroupPopulatedSensor waits
    for it. Returns what the create returns.

    :param user_ids: as for a create, as are ``identify_by``, ``branch_ids``, ``group_ids``, ``on_invalid``,
        ``on_unmatched`` and their limits. One of ``user_ids``, ``branch_ids`` and ``group_ids`` must be given; an
        empty list adds nobody.
    """

    template_fields: Sequence[str] = (
        *DoceboGroupOperator.template_fields,
        "user_ids",
        "identify_by",
        "branch_ids",
        "group_ids",
        "on_invalid",
        "on_unmatched",
        *FoundUsersOperator.limit_fields,
    )
    user_ids = UserIdsField()

    def __init__(
        self,
        *,
        user_ids: UserSource | str = NOT_GIVEN,
        identify_by: str = "id",
        branch_ids: Any = None,
        group_ids: Any = None,
        on_invalid: str = "fail",
        on_unmatched: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_ids = user_ids
        self.identify_by = identify_by
        self.branch_ids = branch_ids
        self.group_ids = group_ids
        self.on_invalid = on_invalid
        self.on_unmatched = on_unmatched

    def execute(self, context: Context) -> dict[str, Any]:
        """Add the users."""
        self.push_link(context, self.hook.platform_url)
        self.list_unmatched(context)
        change = self.hook.add_users(
            self.user_ids,
            identify_by=self.identify_by,  # type: ignore[arg-type]
            branch_ids=self.branch_ids,
            group_ids=self.group_ids,
            on_invalid=self.on_invalid,  # type: ignore[arg-type]
            on_unmatched=self.on_unmatched,  # type: ignore[arg-type]
            **self.limits,
            **self.key,
        )
        return self.result_of(change)


class DoceboRemoveGroupUsersOperator(FoundUsersOperator, DoceboGroupOperator):
    """Remove users from a group. Somebody who is no member is no error.

    Docebo may do it in the background, as an addition. Members whom the rules of an automatic group brought may come
    back with its next evaluation. Returns what the create returns.

    :param user_ids: as for a create, as are ``identify_by``, ``on_invalid``, ``on_unmatched`` and their limits.
    :param user_all: remove everybody; with ``user_filters`` everybody whom they find.
    :param user_filters: ``{"search": "…"}`` or a list of search texts. Because it may name a user, Airflow's UI and
        database show its size only.
    """

    template_fields: Sequence[str] = (
        *DoceboGroupOperator.template_fields,
        "user_ids",
        "user_all",
        "user_filters",
        "identify_by",
        "on_invalid",
        "on_unmatched",
        *FoundUsersOperator.limit_fields,
    )
    user_ids = UserIdsField()
    user_filters = ConcealedField()

    def __init__(
        self,
        *,
        user_ids: UserSource | str = (),
        user_all: bool | str = False,
        user_filters: Any = None,
        identify_by: str = "id",
        on_invalid: str = "fail",
        on_unmatched: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_ids = user_ids
        self.user_all = user_all
        self.user_filters = user_filters
        self.identify_by = identify_by
        self.on_invalid = on_invalid
        self.on_unmatched = on_unmatched

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove the users."""
        self.push_link(context, self.hook.platform_url)
        self.list_unmatched(context)
        change = self.hook.remove_users(
            self.user_ids,
            user_all=self.user_all,  # type: ignore[arg-type]
            user_filters=reveal(self.user_filters),
            identify_by=self.identify_by,  # type: ignore[arg-type]
            on_invalid=self.on_invalid,  # type: ignore[arg-type]
            on_unmatched=self.on_unmatched,  # type: ignore[arg-type]
            **self.limits,
            **self.key,
        )
        return self.result_of(change)


class DoceboListGroupUsersOperator(DoceboGroupOperator):
    """List the members of a group, or those whom a search finds, into a file; a call for each 200.

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
        self.push_link(context, self.hook.platform_url)
        members = self.hook.get_members(
            search_text=reveal(self.search_text),
            sort_attr=self.sort_attr,  # type: ignore[arg-type]
            sort_dir=self.sort_dir,  # type: ignore[arg-type]
            **self.key,
        )
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
        self.push_link(context, self.hook.platform_url)
        export = self.hook.export_users(
            self.path,
            columns=self.columns,
            include_header=self.include_header,  # type: ignore[arg-type]
            delimiter=self.delimiter,
            **self.key,
        )
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
