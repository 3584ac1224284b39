"""Hooks refer to the models for their parameters, so each field of a model has a docstring."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest

from airflow_segments_provider.vendors.base.parameters import Parameters
from tests.test_public_names import VENDORS


def models() -> Iterator[type[Parameters]]:
    for vendor in sorted(VENDORS):
        module = importlib.import_module(f"airflow_segments_provider.vendors.{vendor}.parameters")
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Parameters) and found.__module__ == module.__name__:
                yield found


@pytest.mark.parametrize("model", models(), ids=lambda model: f"{model.__module__.split('.')[-2]}-{model.__name__}")
def test_each_parameter_of_a_model_is_documented(model):
    documented = {name for cls in model.__mro__ for name in re.findall(r":param (\w+):", cls.__doc__ or "")}
    assert set(model.model_fields) - documented == set()


def test_the_models_of_all_vendors_are_tested():
    assert len(list(models())) > 30
