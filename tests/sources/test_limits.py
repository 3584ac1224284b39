"""Each limit at its boundary."""

from __future__ import annotations

import pytest

from airflow_segments_provider.sources.limits import breach_of_invalid, breach_of_removals, breach_of_unmatched


@pytest.mark.parametrize("breach", [breach_of_invalid, breach_of_unmatched])
@pytest.mark.parametrize(
    ("left_out", "users", "limit", "refused"),
    [
        (0, 0, 0.0, False),
        (0, 500, 0.0, False),
        (20, 100, 0.2, False),
        (21, 100, 0.2, True),
        (29, 100, 0.29, False),
        (30, 100, 0.29, True),
        (1, 100, 0.0, True),
        (1, 99, 0.0, False),
        (98, 99, 0.2, False),
        # A write in which all users are left out is a breach, whatever the limit.
        (1, 1, 1.0, True),
        (99, 99, 1.0, True),
        (1_501, 1_501, 1.0, True),
        (1_500, 1_501, 1.0, False),
    ],
)
def test_a_share_of_left_out_users_above_the_limit_is_a_breach(breach, left_out, users, limit, refused):
    assert bool(breach(left_out, users, limit)) is refused


def test_a_breach_names_the_limit_and_its_parameter():
    assert breach_of_invalid(30, 100, 0.25) == "the limit is 25.0% (`max_invalid_fraction`)"
    assert breach_of_unmatched(30, 100, 0.2) == "the limit is 20.0% (`max_unmatched_fraction`)"
    assert "700 of 1,045 members (67.0%)" in breach_of_removals(700, 1_045, 0.2)
