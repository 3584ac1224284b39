"""A check directly before each attempt, which may prevent it."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import LedgerError, VendorUnavailable
from airflow_segments_provider.http import RetryPolicy
from tests.http.vendor import Answer

FAST = RetryPolicy(max_attempts=3, base_delay=0, max_delay=0)


class Check:
    """Records how many requests the vendor had received at each call, and raises after ``passes`` calls."""

    def __init__(self, vendor, error=None, passes=0):
        self.vendor = vendor
        self.error = error
        self.passes = passes
        self.calls, self.tokens = [], []

    def __call__(self):
        self.calls.append(len(self.vendor.calls))
        self.tokens.append(self.vendor.tokens_fetched)
        if self.error is not None and len(self.calls) > self.passes:
            raise self.error


@pytest.mark.parametrize(("statuses", "tokens"), [([], [1]), ([429], [1, 1]), ([401], [1, 2]), ([502, 401], [1, 1, 2])])
def test_the_check_is_called_once_before_each_try_when_the_token_was_fetched(vendor, statuses, tokens):
    vendor.answers.extend(Answer(status) for status in statuses)
    client = vendor.client(retry=FAST)
    client.before_try = check = Check(vendor)
    assert client.request("PUT", ["x"]).status == 200
    assert check.calls == list(range(len(statuses) + 1))
    assert check.tokens == tokens


def test_the_check_is_called_after_the_wait_for_the_rate_limit(vendor, clock):
    client, times = vendor.client(rate_limit=60), []
    client.before_try = lambda: times.append(clock.now)
    for _ in range(2):
        client.request("GET", ["x"])
    assert times[1] - times[0] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("error", [LedgerError("taken over"), KeyError("x"), VendorUnavailable("no", vendor="Acme")])
@pytest.mark.parametrize("statuses", [[], [429], [401], [502]])
def test_an_error_of_the_check_prevents_the_try_and_ends_the_request(vendor, error, statuses):
    vendor.answers.extend(Answer(status) for status in statuses)
    client, said = vendor.client(retry=FAST), str(error)
    client.before_try = check = Check(vendor, error, passes=len(statuses))
    with pytest.raises(type(error)) as caught:
        client.request("PUT", ["x"])
    assert caught.value is error
    assert str(caught.value) == said
    assert len(vendor.calls) == client.requests_sent == len(statuses) == len(check.calls) - 1
