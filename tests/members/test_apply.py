"""Batches: refused ones are halved down to the bad ids, unless it is not about the ids."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import RejectedRequest
from airflow_segments_provider.members.apply import HOPELESS
from tests.members.conftest import people


@pytest.mark.parametrize("bad", [{"p000"}, {"p127"}, {"p064"}, {"p003", "p004"}, {"p000", "p127"}])
def test_few_requests_find_the_bad_ids_of_a_batch(segment, bad):
    segment.limit = 128
    segment.vendor.bad = bad
    done = segment.sync(people(0, 128))
    assert segment.vendor.members == set(people(0, 128)) - bad
    assert done.counts["rejected"] == len(bad)
    # A bad id costs at most two requests for each halving; a batch of 128 is halved seven times.
    assert segment.vendor.requests <= 1 + 14 * len(bad)


def test_a_batch_of_bad_ids_alone(segment):
    segment.vendor.bad = set(people(0, 5))
    assert segment.sync(people(0, 5)).counts["rejected"] == 5
    assert segment.vendor.members == set()


def test_what_is_refused_whoever_is_in_it_is_not_tried_for_ever(segment):
    segment.limit = 1_000
    segment.vendor.bad = set(people(0, 1_000))
    with pytest.raises(RejectedRequest, match=f"{HOPELESS} ids were tried one by one"):
        segment.sync(people(0, 1_000))
    assert segment.vendor.requests < 3 * HOPELESS
    segment.vendor.bad = set()
    segment.sync(people(0, 1_000))
    assert len(segment.vendor.members) == 1_000
