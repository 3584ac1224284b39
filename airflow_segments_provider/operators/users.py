"""The limits that every operator with users has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_segments_provider.operators.vendor import VendorOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class UsersOperator(VendorOperator):
    """An operator that takes users.

    :param max_invalid_fraction: with ``on_invalid="skip"``, fail where a larger share of 100 user IDs or more is
        invalid; 0.2 by default. Where all are invalid, the task always fails.
    """

    limit_fields: ClassVar[tuple[str, ...]] = ("max_invalid_fraction",)

    def __init__(self, *, max_invalid_fraction: float | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_invalid_fraction = max_invalid_fraction

    @property
    def limits(self) -> dict[str, Any]:
        """The limits that the DAG's author set; the others have the defaults of the vendor's model."""
        given = {name: getattr(self, name) for name in self.limit_fields}
        return {name: value for name, value in given.items() if value is not None}


class FoundUsersOperator(UsersOperator):
    """An operator that may have to look its users up.

    :param max_unmatched_fraction: with ``on_unmatched="skip"``, fail where a larger share of 100 users or more is not
        found; 0.2 by default. Where none is found, the task always fails. With ``[segments] ledger_path``, a file
        beside the ledger lists those who are not found: see the log, or ``unmatched_file`` of the result.
    """

    limit_fields: ClassVar[tuple[str, ...]] = (*UsersOperator.limit_fields, "max_unmatched_fraction")

    def __init__(self, *, max_unmatched_fraction: float | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_unmatched_fraction = max_unmatched_fraction

    def list_unmatched(self, context: Context) -> None:
        """Let the hook list users that are not found in a file of this try of the task."""
        from airflow_segments_provider.operators.unmatched import UnmatchedFile

        self.hook.unmatched_list = UnmatchedFile(context["ti"], self.log)


class ExactMembersOperator(FoundUsersOperator):
    """An operator that may make the members exactly its users.

    :param max_removed_fraction: fail where a larger share of 100 members or more would be removed; 0.2 by default. Of
        fewer members, more than 10 and more than half (or than this share, if it is larger) are too many.
    """

    limit_fields: ClassVar[tuple[str, ...]] = (*FoundUsersOperator.limit_fields, "max_removed_fraction")

    def __init__(self, *, max_removed_fraction: float | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_removed_fraction = max_removed_fraction
