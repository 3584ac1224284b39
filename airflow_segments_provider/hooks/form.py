"""The connection form for Airflow before 3.2, made from the same description that newer ones read."""

from __future__ import annotations

from typing import Any

from airflow_segments_provider.provider_info import get_provider_info


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
