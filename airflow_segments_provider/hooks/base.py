"""Base of the vendors' hooks: the connection, its form, and the preparation of a write."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.provider_info import get_provider_info
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.vendors.base.lookup import UnmatchedList, UserRules
    from airflow_segments_provider.vendors.base.parameters import Parameters
    from airflow_segments_provider.vendors.base.preparation import Write

    Model = TypeVar("Model", bound=Parameters)


class VendorHook(BaseHook):
    """A hook on one vendor's API.

    :param conn_id: the Airflow connection.
    :param retry: in place of the connection's own ``retry``.
    :ivar unmatched_list: lists users that are not found; set by operators.
    """

    conn_type: str
    conn_name_attr: str

    def __init__(self, conn_id: str, *, retry: RetryPolicy | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.retry = retry
        self.unmatched_list: UnmatchedList | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Define the methods of the form in each hook itself: Airflow before 3.2 does not look in base classes."""
        super().__init_subclass__(**kwargs)
        if "conn_type" in cls.__dict__:
            for name in ("get_ui_field_behaviour", "get_connection_form_widgets"):
                setattr(cls, name, VendorHook.__dict__[name])

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the labels of the connection form, for Airflow before 3.2."""
        return field_behaviour(cls.conn_type)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the connection form, for Airflow before 3.2."""
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

    @property
    def ui_url(self) -> str:
        """The vendor's page to which an operator links; an empty text where its address is unknown."""
        return ""

    def segment_url(self, segment_id: str) -> str:  # noqa: ARG002  # most vendors publish no such address
        """Return the address of a segment's page; of :attr:`ui_url` where the vendor publishes none."""
        return self.ui_url

    def get_conn(self) -> HttpClient:
        """Return the HTTP client of this connection."""
        return self.client

    def stop(self) -> None:
        """Prevent further requests; for ``on_kill``, which runs in a signal handler."""
        if "client" in self.__dict__:
            self.client.stop()

    def user_rules(self) -> UserRules:
        """Return the vendor's rules for the users of a write, and its API."""
        raise NotImplementedError

    def prepare(
        self, subject: str, model: type[Model], parameters: dict[str, Any], user_ids: UserSource = ()
    ) -> AbstractContextManager[tuple[Any, Write[Model]]]:
        """Prepare a write, see :func:`~airflow_segments_provider.vendors.base.preparation.prepare`."""
        from airflow_segments_provider.vendors.base.preparation import prepare

        return prepare(self.user_rules(), subject, model, parameters, user_ids)


def _connection_type(name: str) -> dict[str, Any]:
    described: list[dict[str, Any]] = get_provider_info()["connection-types"]
    return next(entry for entry in described if entry["connection-type"] == name)


def field_behaviour(conn_type: str) -> dict[str, Any]:
    """Return hidden fields, labels and placeholders."""
    behaviour: dict[str, Any] = _connection_type(conn_type)["ui-field-behaviour"]
    return {
        "hidden_fields": behaviour["hidden-fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }


def form_widgets(conn_type: str) -> dict[str, Any]:
    """Return a form field for each extra field: a text, a password or a check box."""
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
