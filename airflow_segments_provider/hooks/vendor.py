"""What every vendor's hook does in the same way: its connection, its form, and the check of a write's input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.identify import UnmatchedList
    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.sources.batches import StagedUserIds


class VendorHook(BaseHook):
    """A hook on one vendor's API.

    :param conn_id: the Airflow connection.
    :param retry: in place of the connection's own ``retry``.
    :ivar unmatched_list: lists users that are not found; set by operators.
    """

    conn_type: str

    def __init__(self, conn_id: str, *, retry: RetryPolicy | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.retry = retry
        self.unmatched_list: UnmatchedList | None = None

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels of the connection form, for Airflow before 3.2."""
        from airflow_segments_provider.hooks.form import field_behaviour

        return field_behaviour(cls.conn_type)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Extra fields of the connection form, for Airflow before 3.2."""
        from airflow_segments_provider.hooks.form import form_widgets

        return form_widgets(cls.conn_type)

    @cached_property
    def connection(self) -> Any:
        """The Airflow connection, looked up once."""
        return self.get_connection(self.conn_id)

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        raise NotImplementedError

    def get_conn(self) -> HttpClient:
        """The HTTP client of this connection."""
        return self.client

    def stop(self) -> None:
        """Let no further request begin; for ``on_kill``, which runs in a signal handler."""
        if "client" in self.__dict__:
            self.client.stop()

    @contextmanager
    def staged(
        self,
        subject: str,
        given: dict[str, Any],
        user_ids: UserSource,
        *,
        max_length: int,
        per_request: int,
        distinct: bool = False,
        whole_numbers: bool = False,
    ) -> Iterator[tuple[StagedUserIds, list[str]]]:
        """The ids of a write, all read and checked, and what is wrong with them; limits are the model's to check.

        :param subject: the write, for messages.
        :param given: its other input; ``on_invalid`` says whether an unusable id is a problem.
        :raises ConfigurationError: the connection is read-only.
        """
        from airflow_segments_provider.sources.batches import StagedUserIds

        # The client refuses the write itself in any case; here it fails before people are read and looked up.
        self.client.check_writable(subject)
        with StagedUserIds(
            max_length=max_length, per_request=per_request, distinct=distinct, whole_numbers=whole_numbers
        ) as staged:
            try:
                problems = staged.fill(user_ids)
            except InvalidInput as error:  # of a source or a template, perhaps half-way
                problems = list(error.problems)
            else:
                if given.get("on_invalid") == "skip" and staged.invalid:
                    problems = []
            yield staged, problems
