"""Ids of vendors that number their people."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.models.user_ids import StagedUserIds
from airflow_segments_provider.models.whole_numbers import WholeNumbers, numbers


@given(st.lists(st.one_of(st.integers(), st.text(max_size=25), st.integers(1, 10**6).map(str), st.none())))
def test_nothing_is_lost_and_what_is_sent_are_numbers(ids):
    passed = WholeNumbers(ids)
    with StagedUserIds(max_length=19, per_request=7) as staged:
        staged.fill(passed)
        sent = [number for batch in staged.batches() for number in json.loads(numbers(batch))]
        assert len(sent) + sum(staged.rejected.values()) + passed.wrong == len(ids)
    assert all(type(number) is int and 0 < number < 2**63 for number in sent)


def test_the_problem_counts_and_names_nobody():
    passed = WholeNumbers(["7", "007", "ada"])
    assert list(passed) == ["7", "7"]
    assert passed.problem() == "1 user id is no whole number."
    assert list(passed) == ["7", "7"]
    assert passed.problem() == "2 user ids are no whole numbers."
