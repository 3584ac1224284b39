"""The contract of every vendor's hook."""

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
from tests.contract.contracted import NAME, Named

ODD_NAMES = [
    "a/b",
    "..",
    "%2e%2e",
    "100 % of them?",
    "?x=1&y=2#z",
    'say "hello"',
    "back\\slash",
    "🙂 people",
    "שלום, world",
    "  around  ",
    "%",
    "_",
    "grüße",
    "x" * 200,
]


def test_a_repeated_create_creates_one_segment(vendor):
    people = vendor.people(25)
    first, second = vendor.create(people), vendor.create(people)
    assert (first.outcome, second.outcome) == ("created", "reused")
    assert vendor.names() == [NAME]
    assert vendor.members() == set(people)


def test_if_exists_reuse_removes_no_member_and_update_sets_the_members(vendor):
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


def test_a_user_who_occurs_twice_is_added_once(vendor):
    people = vendor.people(3)
    made = vendor.create([*people, *people])
    vendor.add([people[0]] * 25, made)
    assert vendor.members() == set(people)


def test_a_repeated_deletion_succeeds_unless_if_missing_is_fail(vendor):
    made = vendor.create(vendor.people(1))
    assert [vendor.delete(made).outcome for _ in range(2)] == ["deleted", "missing"]
    assert vendor.names() == []
    with pytest.raises(NotFound):
        vendor.delete(made, if_missing="fail")
    assert vendor.delete(Named(NAME)).outcome == "missing"
    with pytest.raises(NotFound):
        vendor.delete(Named(NAME), if_missing="fail")


def test_an_empty_list_of_users_sends_no_request(vendor):
    made = vendor.create([])
    before = vendor.sandbox.counts()
    vendor.add([], made)
    vendor.remove([], made)
    assert vendor.sandbox.counts() == before
    assert vendor.members() == set()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_segment_with_special_characters_in_its_name_is_found_by_every_operation(vendor, name):
    """No other segment is found in its place."""
    people, found = vendor.people(3), name.strip()
    vendor.create([], name="other")
    assert vendor.create(people[:1], name=name).outcome == "created"
    assert vendor.create(people[:1], name=name).outcome == "reused"
    vendor.add(people, Named(name))
    assert vendor.members(found) == set(people)
    vendor.remove(people[:2], Named(name))
    assert vendor.members(found) == set(people[2:])
    assert sorted(vendor.names()) == sorted(["other", found])
    assert vendor.delete(Named(name)).outcome == "deleted"
    assert vendor.names() == ["other"]


def test_similar_names_are_different_segments(vendor):
    for name in ("Trial users", "Trial users 2", "Trial", "trial users"):
        assert vendor.create([], name=name).outcome == "created"
    assert len(vendor.names()) == 4


@pytest.mark.parametrize("many", ["none", "one", "a page", "a page and one"])
def test_every_segment_is_listed_with_the_fewest_requests(vendor, many):
    """Each page is requested once."""
    page = vendor.segments_a_page or 7
    count = {"none": 0, "one": 1, "a page": page, "a page and one": page + 1}[many]
    vendor.fill(count)
    assert len(set(vendor.names())) == count
    calls = 2 if count > page and vendor.segments_a_page else 1
    assert vendor.sandbox.counts() == {vendor.token: 1, vendor.list_endpoint: calls}


def test_a_segment_on_a_later_page_is_found_by_its_name(vendor):
    vendor.fill(vendor.segments_a_page or 8)
    people = vendor.people(1)
    made = vendor.create(people)
    vendor.fill(3)
    assert vendor.create(people).outcome == "reused"
    vendor.add(people, Named(NAME))
    assert vendor.delete(made).outcome == "deleted"


@pytest.mark.parametrize("count", [0, 1, 7, 8, 25])
def test_every_member_is_listed_with_the_fewest_requests(vendor, count):
    if vendor.members_endpoint is None:
        with pytest.raises(NotImplementedError):
            vendor.listed_members("")
        return
    people = vendor.people(count)
    made = vendor.create(people)
    before = vendor.sandbox.counts().get(vendor.members_endpoint, 0)
    assert sorted(vendor.listed_members(made)) == sorted(people)
    page = vendor.members_a_page or 1000
    assert vendor.sandbox.counts()[vendor.members_endpoint] - before == max(1, -(-count // page))


@pytest.mark.parametrize("fault", ["once", "expired"])
def test_a_401_renews_the_token_and_the_request_succeeds(vendor, fault):
    people, made = vendor.people(25), vendor.create([])
    if fault == "once":
        vendor.sandbox.fault(vendor.add_endpoint, "status", status=401)
    else:
        vendor.sandbox.expire_tokens()
    vendor.add(people, made)
    assert vendor.members() == set(people)
    assert vendor.sandbox.counts()[vendor.token] == 2


def test_a_401_after_one_renewal_is_an_authentication_error(vendor):
    vendor.sandbox.fault(vendor.list_endpoint, "status", status=401, times=None)
    with pytest.raises(AuthenticationError):
        vendor.names()
    assert vendor.sandbox.counts() == {vendor.token: 2, vendor.list_endpoint: 2}


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}])
def test_a_429_is_followed_by_a_successful_try(vendor, headers):
    people = vendor.people(25)
    for endpoint in (vendor.create_endpoint, vendor.add_endpoint):
        vendor.sandbox.fault(
            endpoint, "status", status=429, body="slow down", content_type="text/plain", headers=headers
        )
    vendor.add(people, vendor.create([]))
    assert vendor.names() == [NAME]
    assert vendor.members() == set(people)
    assert vendor.sandbox.faults() == []


def test_a_wait_that_is_too_long_for_a_task_is_an_error_that_names_it(vendor):
    vendor.sandbox.fault(vendor.list_endpoint, "status", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited, match="3600 s") as caught:
        vendor.names()
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize("kind", ["lost", "reset_mid_body", "html"])
def test_a_create_that_failed_can_be_repeated(vendor, kind):
    people, _ = vendor.people(25), vendor.create([])
    vendor.sandbox.fault(vendor.add_endpoint, kind, times=None)
    if kind == "html" or not vendor.sees_its_work:
        with pytest.raises(VendorUnavailable) as caught:
            vendor.create(people)
        assert not any(person in str(caught.value) for person in people if len(person) > 3)
        vendor.sandbox.clear_faults()
    vendor.create(people)
    assert vendor.names() == [NAME]
    assert vendor.members() == set(people)


@pytest.mark.parametrize("bad", ["a/b", "..", ".", "%2e%2e", "?x=1", "#y", "日本", " ", "x" * 300, "🙂", "-1", "0"])
def test_special_characters_of_an_id_lead_to_no_other_path(vendor, bad):
    with pytest.raises(SegmentsError):
        vendor.add(vendor.people(1), bad)
    changed = [call for call in vendor.sandbox.calls() if call.effect and call.endpoint != vendor.token]
    assert changed == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 503])
def test_an_error_names_the_airflow_connection(vendor, status):
    vendor.sandbox.fault(vendor.list_endpoint, "status", status=status, times=None)
    with pytest.raises(SegmentsError, match=rf"connection (is )?'{vendor.conn_id}'"):
        vendor.names()


def test_all_problems_are_named_in_one_message_before_the_first_request(vendor):
    with pytest.raises(InvalidInput) as caught:
        vendor.create(["", "a secret person" * 30, None, 1.5], if_exists="perhaps")
    for part in ("`if_exists`", "2 user IDs are blank", "is longer than", "is a number with a fraction"):
        assert part in str(caught.value)
    assert "secret" not in str(caught.value)
    assert vendor.sandbox.counts() == {}


@pytest.mark.parametrize("bad", ["x\ny", "\ud800", "\x00", True, 1.5, b"1", ["1"], {"id": 1}])
def test_an_invalid_user_id_is_refused_or_skipped(vendor, bad):
    """It is refused before any request; with ``on_invalid="skip"`` it is counted, and the others are sent."""
    people, made = vendor.people(2), vendor.create([])
    before = vendor.sandbox.counts()
    for change in (vendor.add, vendor.remove):
        with pytest.raises(InvalidInput):
            change([people[0], bad, people[1]], made)
    assert vendor.sandbox.counts() == before

    change = vendor.add([people[0], bad, people[1]], made, on_invalid="skip")
    assert sum(change.users_rejected.values()) == 1
    assert vendor.members() == set(people)


@pytest.mark.parametrize("given", ["abc", b"abc", 7, None, {"a": 1}.keys, "1"])
def test_users_that_are_not_a_list_are_refused(vendor, given):
    made = vendor.create([])
    before = vendor.sandbox.counts()
    with pytest.raises(InvalidInput, match="the user IDs are"):
        vendor.add(given, made)
    assert vendor.sandbox.counts() == before


def test_an_update_without_users_is_refused_unless_allow_empty(vendor):
    people = vendor.people(3)
    vendor.create(people)
    with pytest.raises(InvalidInput, match="allow_empty"):
        vendor.create([], if_exists="update")
    assert vendor.members() == set(people)
    vendor.create([], if_exists="update", allow_empty=True)
    assert vendor.members() == set()
