"""Rate budgets that a vendor counts separately, operations limited to one thread at a time, and learnt limits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_segments_provider.errors import Stopped
from airflow_segments_provider.http import RetryPolicy
from airflow_segments_provider.http.auth import MAX_RATE_BUCKETS, ConnectionState
from tests.http.vendor import Answer

QUICK = RetryPolicy(base_delay=0, max_delay=0)


def test_each_rate_bucket_has_its_own_rate(vendor, clock):
    client = vendor.client()
    for lane in ("users", "users", "segments", "users"):
        client.request("GET", ["x"], rate_buckets={lane: 60})
    assert clock.now == 1002


def test_a_request_keeps_the_rates_of_all_its_buckets_and_of_the_connection(vendor, clock):
    client = vendor.client(rate_limit=120)
    for number in range(4):
        client.request("GET", ["x"], rate_buckets={"account": 60, f"user {number % 2}": 20})
    # The token first, then the requests by user: 0.5, 1.5, 3.5, 4.5.
    assert clock.now == pytest.approx(1004.5)


def test_a_429_delays_only_the_buckets_of_its_request(vendor, clock):
    client = vendor.client(retry=QUICK)
    client.token()
    vendor.answers.append(Answer(429, headers={"Retry-After": "50"}))
    client.request("GET", ["x"], rate_buckets={"users": None})
    assert clock.now == 1050
    vendor.answers.append(Answer(429, headers={"Retry-After": "70"}))
    other = vendor.client(retry=RetryPolicy(max_attempts=1))
    with pytest.raises(Exception, match="429"):
        other.request("GET", ["x"], rate_buckets={"users": None})
    client.request("GET", ["x"], rate_buckets={"segments": None})
    assert clock.now == 1050


def test_a_response_header_can_delay_the_next_request_of_its_bucket(vendor, clock):
    client = vendor.client(hold_after=lambda headers: 30.0 if headers.get("Remaining") == "0" else 0.0)
    vendor.answers.extend([Answer(headers={"Remaining": "1"}), Answer(headers={"Remaining": "0"})])
    for _ in range(2):
        client.request("GET", ["x"], rate_buckets={"users": None})
    assert clock.now == 1000
    client.request("GET", ["x"], rate_buckets={"segments": None})
    assert clock.now == 1000
    client.request("GET", ["x"], rate_buckets={"users": None})
    assert clock.now == 1030


def test_the_number_of_rate_buckets_in_memory_is_limited():
    state = ConnectionState()
    first = state.pace("0")
    for number in range(MAX_RATE_BUCKETS + 1):
        state.pace(str(number))
    assert state.pace("0") is not first
    assert len(state._paces) == MAX_RATE_BUCKETS


def test_an_exclusive_section_is_entered_by_one_thread_at_a_time_across_clients(vendor):
    inside, most = 0, 0
    ready = threading.Barrier(8)

    def work(_):
        nonlocal inside, most
        client = vendor.client()
        ready.wait()
        with client.exclusive("members"):
            inside += 1
            most = max(most, inside)
            client.request("GET", ["x"])
            inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert most == 1
    assert len(vendor.calls) == 8


def test_a_stop_ends_the_wait_for_an_exclusive_section(vendor):
    holder, waiter = vendor.client(), vendor.client()
    with holder.exclusive("members"), waiter.exclusive("something else"):
        waiter.stop()
        with pytest.raises(Stopped), waiter.exclusive("members"):
            raise AssertionError("not reached")
    with holder.exclusive("members"):
        pass


def test_discovered_facts_are_shared_by_clients_of_the_same_credentials(vendor):
    vendor.client().discovered["route"] = "put"
    assert vendor.client().discovered == {"route": "put"}
    vendor.secret = "another"
    assert vendor.client().discovered == {}
