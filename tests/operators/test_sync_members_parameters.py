"""The parameters of a sync: the same in the operator's signature, its template fields and the engine's settings."""

from __future__ import annotations

import inspect

import pytest

from airflow_segments_provider.decorators.sync_members import SyncMembersDecoratedOperator
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sync.settings import Settings

# Parameters of the operator that are not settings of the engine.
OWN = ["target", "source", "ledger_path", "memory_limit", "deferrable"]
NO_TEMPLATES = ["memory_limit", "deferrable"]
SIGNATURE = {
    name: parameter
    for name, parameter in inspect.signature(SyncMembersOperator.__init__).parameters.items()
    if name not in ("self", "kwargs")
}


def test_every_setting_of_a_sync_is_a_parameter_in_the_same_order():
    assert [name for name in SIGNATURE if name not in OWN] == list(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_of_a_sync_has_the_default_of_its_parameter(name):
    assert SIGNATURE[name].default == Settings.model_fields[name].default


def test_every_parameter_of_a_sync_is_a_template_field():
    fields = list(SyncMembersOperator.template_fields)
    assert fields == [name for name in SIGNATURE if name not in NO_TEMPLATES]
    decorated = list(SyncMembersDecoratedOperator.template_fields)
    assert [name for name in decorated if name in fields] == [name for name in fields if name != "source"]


def test_every_parameter_of_a_sync_is_kept_and_documented():
    task = SyncMembersOperator(task_id="sync", target="walkme:///Trial", source=["ada"])
    text = inspect.getdoc(SyncMembersOperator) or ""
    for name, parameter in SIGNATURE.items():
        assert f":param {name}:" in text
        if parameter.default is not inspect.Parameter.empty:
            assert getattr(task, name) == parameter.default
