"""Whole numbers as text: other tasks return names such as 2026 as numbers."""

from __future__ import annotations

import json

import pandas
import pytest
from pydantic import ValidationError

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.vendors.alteryx.parameters import CreateUserGroup
from airflow_segments_provider.vendors.base.parameters import accepted
from airflow_segments_provider.vendors.docebo.parameters import AddUsers, CreateGroup
from airflow_segments_provider.vendors.walkme.parameters import CreateSegment
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentRules, UserTags

MODELS = [CreateSegment, CreateGroup, CreateUserGroup]


@pytest.mark.parametrize("model", MODELS)
def test_a_whole_number_is_accepted_as_a_name(model):
    assert model(name=2026).name == "2026"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("value", [2026.0, True, [2026], {"name": "2026"}])
def test_any_other_value_than_text_or_a_whole_number_is_refused_as_a_name(model, value):
    with pytest.raises(ValidationError):
        model(name=value)


def test_whole_numbers_in_a_list_of_texts_are_accepted():
    assert UserSegmentRules.model_validate({"tags": [2026, "007"]}).tags == UserSegmentRules(tags=["2026", "007"]).tags
    assert CreateSegment(name="x", max_invalid_fraction=1).max_invalid_fraction == 1


@pytest.mark.parametrize(
    "value", [[2026, "007"], json.dumps([2026, "007"]), str([2026, "007"]), (x for x in (2026, "007"))]
)
def test_numbers_in_a_list_become_texts_in_every_form_of_a_list(value):
    assert UserTags.model_validate({"user_id": 1, "tags": value}).tags == ["2026", "007"]


@pytest.mark.parametrize(
    "value", [pandas.Series([7, 8]), pandas.Series([7, 8]).to_numpy(), range(7, 9), {7: "a", 8: "b"}.keys()]
)
def test_a_list_may_be_any_iterable_of_one_dimension(value):
    assert AddUsers.model_validate({"group_id": "1", "branch_ids": value}).branch_ids == [7, 8]


@pytest.mark.parametrize(
    "value", [pandas.DataFrame({"7": [1]}), pandas.DataFrame({"7": [1]}).to_numpy(), {"7": 1}, b"7", "7, 8"]
)
def test_a_table_is_refused_as_a_list(value):
    with pytest.raises(InvalidInput, match="`branch_ids`"):
        accepted("A test", AddUsers, {"group_id": "1", "branch_ids": value})
