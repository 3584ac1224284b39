"""What every vendor's hook promises, whatever its API is like."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import (
    AuthenticationError,
    Conflict,
    InvalidInput,
    NotFound,
    RateLimited,
    SegmentsError,
    VendorUnavailable,
)
from tests.contract.vendors import NAME, VENDORS, Contracted


@pytest.fixture(params=VENDORS, ids=lambda name: name.removesuffix("_sandbox"))
def vendor(request, monkeypatch) -> Contracted:
    contracted: Contracted = VENDORS[request.param](request.getfixturevalue(request.param), monkeypatch)
    return contracted


def test_create_twice_makes_one(vendor):
    people = vendor.people(25)
    first, second = vendor.create(people), vendor.create(people)
    assert (first.outcome, second.outcome) == ("created", "reused")
    assert vendor.names() == [NAME]
    assert vendor.members() == set(people)


def test_reuse_removes_nobody_and_update_makes_it_exact(vendor):
    people = vendor.people(9)
    vendor.create(people[:5])
    vendor.create(people[5:7])
    assert vendor.members() == set(people[:7])
    vendor.create(people[6:], if_exists="update")
    assert vendor.members() == set(people[6:])
    with pytest.raises(Conflict):
        vendor.create(people, if_exists="fail")
    assert vendor.members() == set(people[6:])


def test_adding_and_removing_can_be_repeated(vendor):
    people = vendor.people(25)
    made = vendor.create([])
    for _ in range(2):
        vendor.add(people, made)
        assert vendor.members() == set(people)
    for _ in range(2):
        vendor.remove(people[:20], made.model_dump(mode="json"))
        assert vendor.members() == set(people[20:])


def test_delete_twice_is_fine_unless_told_otherwise(vendor):
    made = vendor.create(vendor.people(1))
    assert [vendor.delete(made).outcome for _ in range(2)] == ["deleted", "missing"]
    assert vendor.names() == []
    with pytest.raises(NotFound):
        vendor.delete(made, if_missing="fail")


def test_nobody_makes_no_call(vendor):
    made = vendor.create([])
    before = vendor.sandbox.counts()
    vendor.add([], made)
    vendor.remove([], made)
    assert vendor.sandbox.counts() == before
    assert vendor.members() == set()


@pytest.mark.parametrize("fault", ["once", "expired"])
def test_401_then_right(vendor, fault):
    people = vendor.people(25)
    if fault == "once":
        vendor.sandbox.fault(vendor.add_endpoint, "status", status=401)
    else:
        vendor.names()
        vendor.sandbox.expire_tokens()
    vendor.create(people)
    assert vendor.members() == set(people)
    assert vendor.sandbox.counts()[vendor.token] == 2


def test_401_always_is_an_error_of_the_credentials_after_one_renewal(vendor):
    vendor.sandbox.fault(vendor.list_endpoint, "status", status=401, times=None)
    with pytest.raises(AuthenticationError):
        vendor.names()
    assert vendor.sandbox.counts() == {vendor.token: 2, vendor.list_endpoint: 2}


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}])
def test_429_then_right(vendor, headers):
    people = vendor.people(25)
    for endpoint in (vendor.create_endpoint, vendor.add_endpoint):
        vendor.sandbox.fault(
            endpoint, "status", status=429, body="slow down", content_type="text/plain", headers=headers
        )
    vendor.create(people)
    assert vendor.names() == [NAME]
    assert vendor.members() == set(people)


def test_a_wait_longer_than_a_task_should_hold_its_slot_is_an_error_that_says_so(vendor):
    vendor.sandbox.fault(vendor.list_endpoint, "status", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited, match="3600 s") as caught:
        vendor.names()
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize("kind", ["lost", "reset_mid_body", "html"])
def test_a_bad_day_and_then_the_same_again(vendor, kind):
    people = vendor.people(25)
    vendor.sandbox.fault(vendor.add_endpoint, kind, times=None)
    with pytest.raises(VendorUnavailable) as caught:
        vendor.create(people)
    assert not any(person in str(caught.value) for person in people if len(person) > 3)

    vendor.sandbox.clear_faults()
    vendor.create(people)
    assert vendor.names() == [NAME]
    assert vendor.members() == set(people)


@pytest.mark.parametrize("bad", ["a/b", "..", ".", "%2e%2e", "?x=1", "#y", "日本", " ", "x" * 300])
def test_a_bad_id_in_a_path_leads_nowhere_else(vendor, bad):
    with pytest.raises(SegmentsError):
        vendor.add(["0123456789abcdef01234567"], bad)
    changed = [call for call in vendor.sandbox.calls() if call.effect and call.endpoint != vendor.token]
    assert changed == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 503])
def test_an_error_names_the_airflow_connection(vendor, status):
    vendor.sandbox.fault(vendor.list_endpoint, "status", status=status, times=None)
    with pytest.raises(SegmentsError, match=r"connection (is )?'(walkme|alteryx_server)_default'"):
        vendor.names()


def test_all_problems_in_one_message_and_no_call(vendor):
    with pytest.raises(InvalidInput) as caught:
        vendor.create(["", "a secret person" * 30, None, 1.5], if_exists="perhaps")
    for part in ("`if_exists`", "2 user ids are blank", "is longer than", "neither text nor a whole number"):
        assert part in str(caught.value)
    assert "secret" not in str(caught.value)
    assert vendor.sandbox.counts() == {}
