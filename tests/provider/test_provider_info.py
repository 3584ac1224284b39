"""The provider info that Airflow reads; an error in it would hide every provider of a deployment."""

from __future__ import annotations

import importlib
import json
import sys
from datetime import timedelta
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import airflow
import jsonschema
import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from airflow_segments_provider.provider_info import get_provider_info
from airflow_segments_provider.targets.parse import TARGETS

INFO = get_provider_info()
SCHEMAS = Path(airflow.__file__).parent
RELEASE_FIELDS = {"state": "ready", "source-date-epoch": 0, "versions": ["0.1.0"]}


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / name).read_text())


def test_airflow_accepts_the_provider_info():
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


@pytest.mark.skipif(
    Version(airflow.__version__) < Version("3.2"), reason="Airflow describes forms in this schema from 3.2 on"
)
def test_the_connection_forms_match_the_schema_of_airflow():
    jsonschema.validate({**INFO, **RELEASE_FIELDS}, schema("provider.yaml.schema.json"))


def test_the_package_name_is_that_of_the_installed_distribution():
    name = INFO["package-name"]
    assert name == canonicalize_name(name) == distribution("airflow-provider-segments").metadata["Name"]


def test_the_entry_point_is_the_provider_info():
    ours = distribution("airflow-provider-segments").entry_points
    (entry_point,) = ours.select(group="apache_airflow_provider")
    assert entry_point.load() is get_provider_info


def test_airflow_finds_the_provider_the_connection_types_and_the_link():
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert "airflow-provider-segments" in manager.providers
    assert set(manager.hooks) >= {"alteryx_server", "walkme"}
    hook = manager.hooks["walkme"]
    assert hook is not None
    assert (hook.connection_type, hook.hook_name, hook.connection_id_attribute_name) == (
        "walkme",
        "WalkMe",
        "walkme_conn_id",
    )
    assert "airflow_segments_provider.links.WalkMeSystemLink" in manager.extra_links_class_names


def test_airflow_finds_the_handlers_of_segment_addresses():
    from airflow.providers_manager import ProvidersManager

    from airflow_segments_provider import assets

    kind = "dataset" if Version(airflow.__version__) < Version("3") else "asset"
    manager = ProvidersManager()
    assert getattr(manager, f"{kind}_uri_handlers")["walkme"] is assets.sanitize_uri
    assert getattr(manager, f"{kind}_factories")["walkme"] is assets.walkme_asset


def test_airflow_knows_the_settings():
    from airflow.providers.common.compat.sdk import conf

    from airflow_segments_provider.sync.ledger.location import ledger_path, timing

    # Airflow before 3.2 reads the contents of providers when one of its commands starts.
    if Version(airflow.__version__) < Version("3.2"):
        from airflow.providers_manager import ProvidersManager

        ProvidersManager().initialize_providers_configuration()
    for option in INFO["config"]["segments"]["options"].values():
        assert set(option) == {"description", "version_added", "type", "example", "default"}
    assert conf.getboolean("segments", "ledger_path_is_shared") is False
    assert ledger_path().endswith("/segments_ledger")
    assert timing().keep == timedelta(days=30)


def test_every_class_and_module_in_the_provider_info_exists():
    kinds = ("hooks", "operators", "sensors", "triggers")
    named = [module for kind in kinds for part in INFO[kind] for module in part["python-modules"]]
    assert all(importlib.import_module(name) for name in named)
    for path in [*INFO["extra-links"], *(entry["hook-class-name"] for entry in INFO["connection-types"])]:
        module, _, name = path.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), name), type)
    for path in [entry[kind] for entry in INFO["asset-uris"] for kind in ("handler", "factory")]:
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
    assert sorted(scheme for entry in INFO["asset-uris"] for scheme in entry["schemes"]) == sorted(TARGETS)


@pytest.mark.parametrize("entry", INFO["connection-types"], ids=lambda entry: entry["connection-type"])
def test_the_connection_form_has_the_fields_that_the_hook_reads(entry):
    hook = hook_class(entry)
    vendor = importlib.import_module(f"{hook.__module__.replace('.hooks.', '.vendors.')}.connection")
    model = getattr(vendor, hook.fields.func.__annotations__["return"])
    assert set(entry["conn-fields"]) == set(model.model_fields)
    for name, field in entry["conn-fields"].items():
        assert field["description"], name


@pytest.mark.parametrize("entry", INFO["connection-types"], ids=lambda entry: entry["connection-type"])
class TestHook:
    def test_the_hook_has_the_type_name_and_labels_of_the_provider_info(self, entry):
        hook = hook_class(entry)
        assert (entry["connection-type"], entry["hook-name"]) == (hook.conn_type, hook.hook_name)
        assert hook.get_ui_field_behaviour()["relabeling"] == entry["ui-field-behaviour"]["relabeling"]

    def test_the_connection_form_of_older_versions_has_the_same_fields(self, entry):
        pytest.importorskip("flask_appbuilder", reason="newer versions read the declarative form")
        widgets = hook_class(entry).get_connection_form_widgets()
        assert set(widgets) == set(entry["conn-fields"])
        hidden = {name for name, widget in widgets.items() if widget.field_class.__name__ == "PasswordField"}
        assert hidden == set(entry["conn-fields"]) & {"private_key", "token", "user_password"}


# The fields of a connection besides host, login and password; the last one is for a staging Airflow.
FIRST = {
    "walkme": ["system_guid", "region", "read_only"],
    "docebo": ["grant_type", "username", "user_password", "private_key", "read_only"],
    "alteryx_server": ["read_only"],
    "zendesk_help_center": ["auth", "token", "email", "read_only"],
}


@pytest.mark.parametrize("connection_type", FIRST)
def test_the_connection_form_shows_the_required_fields_first(connection_type):
    """The fields are in the order in which each version of Airflow passes them to its form."""
    fields = form(connection_type)
    count = len(FIRST[connection_type])
    assert list(fields)[:count] == FIRST[connection_type]
    assert len(fields) > count + len({"timeout", "rate_limit", "retry"})
    if Version(airflow.__version__) >= Version("3.2"):
        sections = [field["schema"].get("section") for field in fields.values()]
        assert sections == [None] * count + ["Advanced"] * (len(fields) - count)


def form(connection_type: str) -> dict[str, Any]:
    """Return the extra fields of a form in order, as the web server of this Airflow reads them."""
    from airflow.providers_manager import ProvidersManager

    if Version(airflow.__version__) < Version("3"):
        widgets = ProvidersManager().connection_form_widgets
        prefix = f"extra__{connection_type}__"
        return {widget.field_name: widget.field for key, widget in widgets.items() if key.startswith(prefix)}
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    # Airflow 3.1 imports the hooks with stand-ins for the form's modules, so imported ones are removed.
    ProvidersManager()._cleanup()
    (described,) = (one for one in HookMetaService.hook_meta_data() if one.connection_type == connection_type)
    for name in [name for name, module in sys.modules.items() if isinstance(module, MagicMock)]:
        del sys.modules[name]
    return dict(described.extra_fields or {})


def hook_class(entry: dict[str, Any]) -> Any:
    module, _, name = entry["hook-class-name"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_base_hook_returns_the_hook_of_a_connection(walkme_sandbox):
    from airflow.providers.common.compat.sdk import BaseHook

    hook = BaseHook.get_hook("walkme_default")
    assert (type(hook).__name__, hook.walkme_conn_id) == ("WalkMeHook", "walkme_default")
