"""What the hooks of all vendors share: the connection, its form, and the check of a write's users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.provider_info import get_provider_info
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.vendors.base.lookup import UnmatchedList


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
        return field_behaviour(cls.conn_type)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Extra fields of the connection form, for Airflow before 3.2."""
        return form_widgets(cls.conn_type)

    @cached_property
    def connection(self) -> Any:
        """The Airflow connection, looked up once."""
        return self.get_connection(self.conn_id)

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        raise NotImplementedError

    @staticmethod
    def mask(secret: str) -> None:
        """Mask a secret in Airflow's logs."""
        from airflow.providers.common.compat.sdk import mask_secret

        mask_secret(secret)

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


def _connection_type(name: str) -> dict[str, Any]:
    described: list[dict[str, Any]] = get_provider_info()["connection-types"]
    return next(entry for entry in described if entry["connection-type"] == name)


def field_behaviour(conn_type: str) -> dict[str, Any]:
    """Hidden fields, labels and placeholders."""
    behaviour: dict[str, Any] = _connection_type(conn_type)["ui-field-behaviour"]
    return {
        "hidden_fields": behaviour["hidden-fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }


def form_widgets(conn_type: str) -> dict[str, Any]:
    """A form field for each extra field: text, hidden text for a secret, or a tick box for a yes or no."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, PasswordField, StringField

    widgets: dict[str, Any] = {}
    for name, field in _connection_type(conn_type)["conn-fields"].items():
        if "boolean" in field["schema"]["type"]:
            widgets[name] = BooleanField(field["label"], description=field["description"])
        elif field["schema"].get("format") == "password":
            widgets[name] = PasswordField(
                field["label"], widget=BS3PasswordFieldWidget(), description=field["description"]
            )
        else:
            widgets[name] = StringField(field["label"], widget=BS3TextFieldWidget(), description=field["description"])
    return widgets
