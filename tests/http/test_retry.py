"""Retries: which requests are repeated, and which are not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.errors import RateLimited, Stopped, VendorError, VendorUnavailable
from airflow_segments_provider.http import RetryPolicy
from airflow_segments_provider.http.retry import RetryQuota, http_date, retry_after
from tests.http.vendor import Answer

FAST = RetryPolicy(max_attempts=3, base_delay=0, max_delay=0)
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
delays = st.floats(0, 1000)


def seconds_later(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@given(delays, delays, st.integers(1, 60), st.floats(0, 1))
def test_the_delay_is_full_jitter_below_a_bound_that_doubles_up_to_a_cap(base, cap, attempt, luck):
    with patch("random.uniform", lambda low, high: low + luck * (high - low)):
        delay = RetryPolicy(base_delay=base, max_delay=cap).delay(attempt)
    bound = min(cap, base * 2 ** (attempt - 1))
    assert delay == pytest.approx(luck * bound)
    assert 0 <= delay <= cap


def test_delays_of_several_retries_differ():
    assert len({RetryPolicy().delay(5) for _ in range(20)}) > 10


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_temporary_error_is_tried_as_often_as_the_policy_says(vendor, status):
    vendor.answers.extend([Answer(status)] * 9)
    with pytest.raises(VendorError, match="Tried 3 times") as caught:
        vendor.client(retry=FAST).request("GET", ["x"])
    assert (len(vendor.calls), caught.value.attempts) == (3, 3)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 422, 501, 505])
def test_a_permanent_error_is_tried_once(vendor, status):
    vendor.answers.extend([Answer(status)] * 9)
    with pytest.raises(VendorError) as caught:
        vendor.client(retry=FAST).request("GET", ["x"])
    assert (len(vendor.calls), caught.value.attempts, caught.value.status) == (1, 1, status)


@pytest.mark.parametrize(("status", "calls"), [(408, 3), (429, 3), (500, 1), (502, 1), (503, 1), (504, 1)])
def test_a_request_that_is_not_idempotent_is_repeated_only_if_it_cannot_have_been_done(vendor, status, calls):
    vendor.answers.extend([Answer(status)] * 9)
    with pytest.raises(VendorError) as caught:
        vendor.client(retry=FAST).request("POST", ["x"], idempotent=False)
    assert len(vendor.calls) == calls
    assert caught.value.maybe_done == (calls == 1)


def test_a_refused_repeat_does_not_prove_that_the_first_try_did_nothing(vendor):
    vendor.answers.extend([Answer(502), Answer(404)])
    with pytest.raises(VendorError) as caught:
        vendor.client(retry=FAST).request("DELETE", ["x"])
    assert (caught.value.status, caught.value.maybe_done) == (404, True)


def test_a_refused_repeat_after_a_429_proves_that_the_first_try_did_nothing(vendor):
    vendor.answers.extend([Answer(429), Answer(404)])
    with pytest.raises(VendorError) as caught:
        vendor.client(retry=FAST).request("DELETE", ["x"])
    assert (caught.value.status, caught.value.maybe_done) == (404, False)


def test_no_wait_that_would_exceed_the_total_is_started(vendor, clock):
    vendor.answers.extend([Answer(503, headers={"Retry-After": "40"})] * 9)
    policy = RetryPolicy(max_attempts=9, base_delay=0, max_delay=0, max_total=100)
    with pytest.raises(VendorUnavailable, match="Tried 3 times over 80 s"):
        vendor.client(retry=policy).request("GET", ["x"])
    assert sum(clock.slept) == pytest.approx(80)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("asked", ["60", seconds_later(60)])
def test_retry_after_is_obeyed_as_seconds_and_as_a_date(vendor, clock, status, asked):
    vendor.answers.append(Answer(status, headers={"Retry-After": asked, "Date": seconds_later(0)}))
    vendor.client(retry=RetryPolicy(base_delay=0, max_delay=0)).request("GET", ["x"])
    assert sum(clock.slept) == pytest.approx(60)


def test_a_long_wait_is_logged_with_the_remaining_time(vendor, clock, caplog):
    caplog.set_level(logging.INFO)
    vendor.answers.append(Answer(429, headers={"Retry-After": "100"}))
    vendor.client(retry=RetryPolicy(base_delay=0, max_delay=0)).request("GET", ["x"])
    assert [message for message in caplog.messages if "follows" in message] == [
        "The next request to Acme follows in 100 s.",
        "The next request to Acme follows in 40 s.",
    ]


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (503, VendorUnavailable)])
def test_a_retry_after_above_the_cap_is_an_error_at_once_that_names_the_wait(vendor, clock, status, error):
    vendor.answers.extend([Answer(status, headers={"Retry-After": "121"})] * 2)
    with pytest.raises(error, match=r"It asks to wait 121 s.*within a task \(120 s\)") as caught:
        vendor.client().request("GET", ["x"])
    assert (len(vendor.calls), clock.slept, caught.value.retry_after) == (1, [], 121.0)
    with pytest.raises(error, match="within a task"):
        vendor.client().request("POST", ["x"], idempotent=False)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0), (" 7 ", 7.0), ("1.5", 1.5), ("0", 0.0), (seconds_later(90), 90.0), (seconds_later(-90), 0.0),
        ("", None), ("soon", None), ("-7", None), ("²", None), ("1.2.3", None), (".", None), ("Wed, 99 Mar", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
    ],
)  # fmt: skip
def test_retry_after_is_parsed_or_ignored(value, seconds):
    assert retry_after({"Retry-After": value, "Date": seconds_later(0)}) == seconds


def test_retry_after_as_a_date_is_counted_from_the_clock_of_the_vendor(monkeypatch):
    ten_years_ago = {"Retry-After": "Wed, 04 Mar 2016 05:07:07 GMT", "Date": "Wed, 04 Mar 2016 05:06:07 GMT"}
    assert retry_after(ten_years_ago) == 60.0
    assert retry_after({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(minutes=5))}) == pytest.approx(
        300, abs=60
    )


@given(st.text(max_size=40))
def test_no_header_value_breaks_the_parsing_of_dates_and_waits(value):
    http_date(value)
    assert (retry_after({"Retry-After": value}) or 0) >= 0


def test_a_vendor_that_always_fails_gets_ever_fewer_retries(vendor):
    """The quota of 500 pays for 100 retries; then each request is sent once, until some succeed again."""
    vendor.answers.extend([Answer(500)] * 200)
    policy = RetryPolicy(max_attempts=60, base_delay=0, max_delay=0)
    sent = []
    for _ in range(4):
        before = len(vendor.calls)
        with pytest.raises(VendorUnavailable):
            vendor.client(retry=policy).request("GET", ["x"])  # Another client with the same credentials.
        sent.append(len(vendor.calls) - before)
    assert sent == [60, 42, 1, 1]
    vendor.answers.clear()
    for _ in range(5):  # Each success gives one back; a retry costs five.
        vendor.client(retry=policy).request("GET", ["x"])
    vendor.answers.extend([Answer(500)] * 2)
    with pytest.raises(VendorUnavailable):
        vendor.client(retry=policy).request("GET", ["x"])
    assert not vendor.answers


def test_the_retry_quota_charges_double_for_a_time_out_and_stays_within_its_bounds():
    quota = RetryQuota()
    assert [quota.take(timed_out=True) for _ in range(51)] == [10] * 50 + [0]
    quota.give_back(10)
    assert (quota.take(timed_out=False), quota.take(timed_out=True)) == (5, 0)
    for _ in range(1000):
        quota.give_back(0)
    assert [quota.take(timed_out=False) for _ in range(101)] == [5] * 100 + [0]


def test_a_stop_ends_the_wait_for_the_next_try(vendor, clock):
    vendor.answers.extend([Answer(503, headers={"Retry-After": "100"})] * 9)
    client = vendor.client()
    sleep = clock.sleep
    clock.sleep = lambda seconds: (sleep(seconds), client.stop())
    with pytest.raises(Stopped):
        client.request("GET", ["x"])
    assert (len(vendor.calls), len(clock.slept)) == (1, 1)


def test_a_stop_ends_the_wait_for_the_rate_limit(vendor, clock):
    client = vendor.client(rate_limit=1)
    sleep = clock.sleep
    clock.sleep = lambda seconds: (sleep(seconds), client.stop())
    with pytest.raises(Stopped):
        client.request("GET", ["x"])
    assert (len(vendor.calls), len(clock.slept)) == (0, 1)


@pytest.mark.parametrize(("status", "in_doubt"), [(429, False), (408, False), (502, True)])
def test_a_response_says_whether_an_earlier_try_may_have_been_carried_out(vendor, status, in_doubt):
    vendor.answers.append(Answer(status))
    client = vendor.client(retry=RetryPolicy(base_delay=0, max_delay=0))
    assert client.request("GET", ["x"]).in_doubt is in_doubt
    assert client.request("GET", ["x"]).in_doubt is False


def test_a_request_that_is_sent_once_is_not_repeated_after_a_429(vendor):
    vendor.answers.extend([Answer(429), Answer(401), Answer(503)])
    client = vendor.client(retry=RetryPolicy(base_delay=0, max_delay=0))
    with pytest.raises(RateLimited):
        client.request("PUT", ["x"], once=True)
    # An expired token does not count as an attempt.
    with pytest.raises(VendorUnavailable):
        client.request("PUT", ["x"], once=True)
    assert len(vendor.calls) == 3
