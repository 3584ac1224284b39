"""Parameters of Zendesk's operators: a single user's ID is concealed like many, and rendered texts are parsed."""

from __future__ import annotations

import json

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.user_ids import UserIds, UserIdsField
from airflow_segments_provider.operators.zendesk import UserIdField, the_user_id
from airflow_segments_provider.vendors.base.template_text import from_text


class Operator:
    user_id = UserIdField()
    user_ids = UserIdsField()

    def __init__(self, user_id=None, user_ids=()) -> None:
        self.user_id = user_id
        self.user_ids = user_ids


@pytest.mark.parametrize("value", [42, "42", [42], UserIds([42])])
def test_a_single_user_id_is_shown_as_its_number(value):
    operator = Operator(user_id=value)
    assert str(operator.user_id) == operator.user_id.serialize() == "1 user id"
    assert the_user_id(operator.user_id) in (42, "42")


def test_a_template_of_a_single_user_id_is_concealed_once_it_is_rendered():
    operator = Operator(user_id="{{ somebody }}")
    assert operator.user_id == ["{{ somebody }}"]
    operator.user_id = ["42"]
    assert str(operator.user_id) == "1 user id"
    assert the_user_id(operator.user_id) == "42"


def test_a_single_user_id_of_another_task_is_kept_until_it_is_resolved():
    class Result:
        def resolve(self, context):
            return 42

        def iter_references(self):
            return ()

    result = Result()
    operator = Operator(user_id=result)
    assert operator.user_id == [result]
    operator.user_id = [42]
    assert the_user_id(operator.user_id) == 42


@pytest.mark.parametrize("rendered", [None, "", "None", [], [1, 2], "[1, 2]"])
def test_a_value_that_is_not_one_user_id_is_refused(rendered):
    operator = Operator(user_id="{{ somebody }}")
    operator.user_id = rendered if isinstance(rendered, list) else [rendered]
    with pytest.raises(InvalidInput, match="`user_id` must be the id of one user"):
        the_user_id(operator.user_id)


def test_a_user_id_that_the_dag_does_not_set_is_none():
    operator = Operator()
    operator.user_id = operator.user_id  # As Airflow renders it.
    assert operator.user_id is None
    with pytest.raises(InvalidInput):
        the_user_id(operator.user_id)


def test_user_ids_that_render_to_none_are_refused():
    operator = Operator(user_ids="{{ users }}")
    operator.user_ids = None
    with pytest.raises(InvalidInput, match="must be a list"):
        list(operator.user_ids.read_ids())


@pytest.mark.parametrize("value", [["a", "b"], {"tags": ["a"]}, [], [1, 2]])
def test_a_list_or_object_in_text_is_parsed(value):
    for given in (value, json.dumps(value), str(value)):
        assert from_text(given) == value
    assert from_text(str(("a", "b"))) == ("a", "b")
    assert from_text(str(set())) == set()
    assert from_text("['a', # x\n '', 'c',]") == ["a", "", "c"]


@pytest.mark.parametrize(
    "value",
    [
        *("vip", "", "None", "5", "123e45", "'a'", "[", "{{ x }}", "[" * 100_000, None, 5, True),
        # NumPy writes an array of texts like this, and Python would read it as one text.
        *("['a' 'b']", "['a''b']", "['a'\n 'b']", "['a', 'b' 'c']", "{'a': 'b' 'c'}"),
    ],
)
def test_any_other_value_than_a_list_or_object_in_text_is_unchanged(value):
    assert from_text(value) is value
