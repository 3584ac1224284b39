"""A whole number where a text is expected: other tasks return names such as 2026 as numbers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from airflow_segments_provider.vendors.alteryx.parameters import CreateUserGroup
from airflow_segments_provider.vendors.docebo.parameters import CreateGroup
from airflow_segments_provider.vendors.walkme.parameters import CreateSegment
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentRules

MODELS = [CreateSegment, CreateGroup, CreateUserGroup]


@pytest.mark.parametrize("model", MODELS)
def test_a_whole_number_is_taken_as_text(model):
    assert model(name=2026).name == "2026"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("value", [2026.0, True, [2026], {"name": "2026"}])
def test_nothing_else_is(model, value):
    with pytest.raises(ValidationError):
        model(name=value)


def test_so_are_those_in_a_list():
    assert UserSegmentRules.model_validate({"tags": [2026, "007"]}).tags == UserSegmentRules(tags=["2026", "007"]).tags
    assert CreateSegment(name="x", max_invalid_fraction=1).max_invalid_fraction == 1
