"""The pace of requests, with a simulated clock."""

from __future__ import annotations

import pytest

from airflow_segments_provider.http import RetryPolicy
from airflow_segments_provider.http.rate_limit import RateLimit
from tests.http.vendor import Answer


class TimedPace(RateLimit):
    """Pace that records when it let each request go, in seconds since the start."""

    def __init__(self, clock):
        super().__init__()
        self._clock, self._began = clock, clock.now

    def moment(self, per_minute):
        self.wait(per_minute, self._clock.sleep)
        return self._clock.now - self._began


@pytest.fixture
def pace(clock):
    return TimedPace(clock)


def test_without_a_rate_limit_no_request_waits(pace):
    assert [pace.moment(None) for _ in range(3)] == [0, 0, 0]


def test_a_rate_limit_spreads_requests_evenly(pace):
    assert [pace.moment(30) for _ in range(4)] == [0, 2, 4, 6]


def test_time_since_the_last_request_counts_and_is_not_saved_up(pace, clock):
    pace.moment(30)
    clock.now += 1.5
    assert pace.moment(30) == 2
    clock.now += 100
    assert [pace.moment(30), pace.moment(30)] == [102, 104]  # Unused budget is not saved up.


def test_a_hold_delays_every_request(pace):
    pace.moment(30)
    pace.hold(60)
    assert [pace.moment(30), pace.moment(30), pace.moment(None)] == [60, 62, 64]


def test_a_shorter_hold_does_not_end_a_longer_one(pace):
    pace.hold(60)
    pace.hold(1)
    assert pace.moment(None) == 60


def test_the_rate_limit_of_a_connection_counts_every_request_of_all_its_clients(vendor, clock):
    for _ in range(3):
        vendor.client(rate_limit=60).request("GET", ["x"])
    assert len(vendor.requests) == 4  # The token request counts, too.
    assert clock.now == pytest.approx(1003)


def test_a_429_delays_other_clients_of_the_connection(vendor, clock):
    first, second = vendor.client(retry=RetryPolicy(base_delay=0, max_delay=0)), vendor.client()
    first.token()
    vendor.answers.append(Answer(429, headers={"Retry-After": "50"}))
    moments = []
    sleep = clock.sleep

    def sleep_meanwhile(seconds):
        clock.sleep = sleep
        second.request("GET", ["second"])
        moments.append(clock.now)

    clock.sleep = sleep_meanwhile
    first.request("GET", ["first"])
    assert moments[0] == pytest.approx(1050)
