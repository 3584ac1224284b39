"""User IDs in an operator's attribute: concealed as data, unchanged as templates."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.rendering import rebuilt
from airflow_segments_provider.operators.user_ids import UserIds, UserIdsField


class Operator:
    user_ids = UserIdsField()

    def __init__(self, user_ids) -> None:
        self.user_ids = user_ids


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (["a", "b"], "2 user ids"),
        ([], "0 user ids"),
        (("a",), "1 user id"),
        ({"a", "b"}, "2 user ids"),
        ([["a", "b"], ["c"]], "2 user ids"),
        ('["a", "b"]', "2 user ids"),
        ("['a', 'b']", "2 user ids"),
        ("alice", "user ids"),
        (None, "user ids"),
        ({"a": 1}, "user ids"),
        (iter(["a"]), "user ids"),
        (["x"] * 1234, "1,234 user ids"),
    ],
)
def test_user_ids_are_shown_as_their_number(value, shown) -> None:
    given = Operator(value).user_ids
    assert str(given) == repr(given) == given.serialize() == shown


@pytest.mark.parametrize("value", ["{{ ids }}", "{% for x in y %}x{% endfor %}"])
def test_a_template_of_user_ids_is_shown_until_it_is_rendered(value) -> None:
    operator = Operator(value)
    assert operator.user_ids == value
    operator.user_ids = '["{{ looks like a template }}", "b"]'
    assert list(operator.user_ids.read_ids()) == ["{{ looks like a template }}", "b"]


class Result:
    """The result of another task, as Airflow represents it."""

    def resolve(self, context):
        return ["a"]

    def iter_references(self):
        return ()


@pytest.mark.parametrize("text", ['["eve"]', "['eve']", "eve", "[]"])
def test_text_that_another_task_returned_is_not_read_as_a_list(text) -> None:
    operator = Operator(Result())
    operator.user_ids = text
    with pytest.raises(InvalidInput, match="the user IDs are one text"):
        operator.user_ids.read_ids()
    assert str(operator.user_ids) == "user ids"


def test_in_a_list_a_text_result_is_one_id_and_a_rendered_template_may_be_a_list() -> None:
    operator = Operator([Result(), "{{ ids }}", "{{ one }}", "kay", Result(), Result()])
    operator.user_ids = ['["eve"]', '["a", "b"]', "007", operator.user_ids[3], ["c"], 5]
    assert list(operator.user_ids.read_ids()) == ['["eve"]', "a", "b", "007", "kay", "c", 5]
    assert str(operator.user_ids) == "7 user ids"


def test_a_result_of_another_task_is_kept_until_it_is_resolved() -> None:
    result = Result()
    operator = Operator(result)
    assert operator.user_ids is result
    operator.user_ids = ["a"]
    assert str(operator.user_ids) == "1 user id"


def test_an_id_beside_a_template_is_concealed() -> None:
    assert str(Operator(["{{ x }}", "alice", "bob"]).user_ids) == "['{{ x }}', 1 user id, 1 user id]"


@pytest.mark.parametrize(
    ("value", "shown", "expected"),
    [
        ({"{{ x }}", "alice"}, "[1 user id, '{{ x }}']", ["alice", "7"]),
        (frozenset({"{{ x }}"}), "['{{ x }}']", ["7"]),
        ([("{{ x }}",), ("alice",)], "[('{{ x }}',), 1 user id]", ["7", "alice"]),
        ([["{{ x }}"]], "[['{{ x }}']]", ["7"]),
        ([{"user_id": "{{ x }}"}, {"user_id": "alice"}], "[{'user_id': '{{ x }}'}, 1 user id]", ["7", "alice"]),
    ],
)
def test_templates_within_sets_and_rows_are_rendered(value, shown, expected) -> None:
    operator = Operator(value)
    assert str(operator.user_ids) == shown
    operator.user_ids = rendered(operator.user_ids)
    assert list(operator.user_ids.read_ids()) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([("{{ x }}", "alice")], "row 1 of the user IDs has 2 columns"),
        ({"{{ x }}": ["alice"], "b": "{{ x }}"}, "the user IDs are of type dict"),
    ],
)
def test_rows_of_several_columns_with_templates_are_refused_and_conceal_their_data(value, problem) -> None:
    operator = Operator(value)
    assert "alice" not in str(operator.user_ids)
    operator.user_ids = rendered(operator.user_ids)
    with pytest.raises(InvalidInput, match=problem):
        list(operator.user_ids.read_ids())


def rendered(value):
    """Render a value as Airflow does."""
    return "7" if value == "{{ x }}" else rebuilt(value, rendered)


@pytest.mark.parametrize("value", [None, "alice", "5", {"a": 1}, 5, '{"a": 1}', ""])
def test_user_ids_that_are_not_a_list_are_refused_when_they_are_read(value) -> None:
    with pytest.raises(InvalidInput, match=r"must be a list|text that is not a list") as caught:
        list(UserIds(value).read_ids())
    assert "alice" not in str(caught.value)


def test_an_array_that_a_template_rendered_to_text_is_refused() -> None:
    operator = Operator("{{ ti.xcom_pull('array') }}")
    operator.user_ids = str(np.array(["alice", "bob"]))
    assert str(operator.user_ids) == "user ids"
    with pytest.raises(InvalidInput, match="text that is not a list"):
        operator.user_ids.read_ids()


def test_user_ids_that_were_never_set_are_a_missing_attribute() -> None:
    with pytest.raises(AttributeError, match="user_ids"):
        _ = Operator.__new__(Operator).user_ids
