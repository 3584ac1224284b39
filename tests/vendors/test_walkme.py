"""GUIDs, and every form of a response that WalkMe might send."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.vendors.walkme.guids import default_external_id, normalise_guid, same_id
from airflow_segments_provider.vendors.walkme.parameters import SegmentKey
from airflow_segments_provider.vendors.walkme.responses import (
    failure_of,
    find_entries,
    parse_created_guid,
    parse_segments,
    select,
)

GUID = "0123abcd-4567-89ab-cdef-0123456789ab"
HEX = GUID.replace("-", "")
OURS = "99999999-9999-5999-9999-999999999999"
SYSTEM = "88888888-8888-4888-8888-888888888888"
BOTH = ["external_id", "name"]


@given(st.uuids(), st.sampled_from([str.upper, str.lower]), st.booleans(), st.sampled_from(["", " ", "\n"]))
def test_a_guid_is_accepted_in_any_case_with_or_without_hyphens(guid, case, hyphens, around) -> None:
    text = case(str(guid) if hyphens else guid.hex)
    assert normalise_guid(around + text + around) == normalise_guid(f"{around}{{{text}}}") == str(guid)


@given(st.text(max_size=40))
def test_text_that_is_not_a_guid_is_refused(text) -> None:
    digits = text.strip().replace("-", "")
    looks_right = len(digits) == 32 and all(mark in "0123456789abcdefABCDEF" for mark in digits)
    if not looks_right:
        with pytest.raises(ValueError, match="is not a GUID"):
            normalise_guid(text)


@pytest.mark.parametrize("text", [f"{{{GUID}", f"urn:uuid:{GUID}", GUID[:-1], f"{GUID}0", HEX[:8] + "-" + HEX[8:]])
def test_other_spellings_of_a_guid_are_refused(text) -> None:
    with pytest.raises(ValueError, match="is not a GUID"):
        normalise_guid(text)


def test_the_default_external_id_depends_on_system_and_name_only() -> None:
    assert default_external_id(GUID, "a") == default_external_id(GUID, "a")
    assert default_external_id(GUID, "a") != default_external_id(GUID, "b")
    assert default_external_id(GUID, "a") != default_external_id(str(uuid.UUID(int=1)), "a")


def test_ids_that_look_like_guids_are_compared_as_guids() -> None:
    assert same_id(HEX.upper(), GUID)
    assert same_id("Mine", "Mine")
    assert not same_id("Mine", "mine")
    assert not same_id(None, None)


@pytest.mark.parametrize(
    ("answer", "headers"),
    [
        ({"guid": HEX, "id": OURS}, {}),
        ({"segmentGuid": GUID.upper()}, {}),
        ({"id": HEX}, {}),
        ({"data": {"segment": {"segmentId": f"{{{HEX}}}"}}, "success": True}, {}),
        ([{"uuid": HEX}], {}),
        (HEX, {}),
        ({"id": OURS}, {"Location": f"https://api.walkme.com/x/segment/{GUID}"}),
        (None, {"Location": f"/x/segment/{HEX}/?a=b"}),
    ],
)
def test_the_guid_of_a_created_segment_is_read_from_every_form_of_response(answer, headers) -> None:
    assert parse_created_guid(answer, headers, external_id=OURS) == GUID


@pytest.mark.parametrize(
    ("answer", "headers"),
    [
        (None, {}),
        ({}, {}),
        ([], {}),
        ({"id": OURS}, {}),
        ({"id": OURS.replace("-", "").upper()}, {}),
        ({"guid": 5}, {}),
        ({}, {"Location": f"/segment/{OURS}"}),
        ({}, {"Location": "/segment"}),
        ({}, {"Location": f"/jobs/{GUID}"}),
        ({"guid": GUID, "uuid": SYSTEM}, {}),
        ({"guid": SYSTEM}, {}),
        ({"id": GUID}, {"Location": f"/segment/{SYSTEM.replace('8', '7')}"}),
    ],
)
def test_an_id_that_may_be_another_one_is_not_taken_for_the_guid(answer, headers) -> None:
    assert parse_created_guid(answer, headers, external_id=OURS, system=SYSTEM) is None


WRAPS = {
    "bare": lambda x: x,
    "segments": lambda x: {"segments": x},
    "data": lambda x: {"Data": x, "warnings": []},
    "items": lambda x: {"items": x, "errors": [], "success": True},
    "nested": lambda x: {"data": {"segments": x}, "status": 200},
    "HAL": lambda x: {"_embedded": {"segments": x}, "_links": {"self": {"href": "/x"}}},
    "twice the same": lambda x: {"segments": x, "items": x, "results": None},
}


def read(answer):
    return parse_segments(find_entries(answer), system=SYSTEM)


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_every_likely_form_of_a_list_is_read(wrap) -> None:
    entries = [
        {"guid": HEX, "id": None, "name": "One"},
        {"segmentGuid": GUID, "externalId": "mine", "name": "Two", "more": 1},
        {"id": HEX, "externalId": 7, "name": None},
        {"Guid": f"{{{GUID.upper()}}}", "Id": "mine", "displayName": "Four"},
        {"segment_id": GUID, "id": GUID, "displayName": " Five", "name": "Five"},
        {"uuid": GUID, "guid": HEX, "segmentId": 17},
        {"id": HEX.upper(), "name": "Seven"},
    ]
    found = read(wrap(entries))
    assert {segment.segment_guid for segment in found} == {GUID}
    assert [(s.external_id, s.name and s.name.strip()) for s in found] == [
        (None, "One"),
        ("mine", "Two"),
        ("7", None),
        ("mine", "Four"),
        (None, "Five"),
        (None, None),
        (None, "Seven"),
    ]
    listed = [sorted(segment.model_fields_set - {"segment_guid"}) for segment in found]
    assert listed == [BOTH, BOTH, BOTH, BOTH, ["name"], [], ["name"]]


@pytest.mark.parametrize("answer", [None, [], {"segments": None}, {"data": {"segments": []}}, {"items": []}])
def test_every_form_of_an_empty_list_is_read(answer) -> None:
    assert read(answer) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, "`segments`"),
        ("segments", "`segments`"),
        ({"segments": {}}, "`segments`"),
        ({"segments": [], "items": [{"guid": HEX}]}, "several lists"),
        ({"data": {"segments": [{"guid": HEX}], "results": []}}, "several lists"),
        ([1], "not an object"),
        ([{"name": "no guid"}], "`guid`"),
        ([{"guid": "short"}], "`guid`"),
        ([{"id": default_external_id(SYSTEM, "One"), "name": "One"}], "`guid`"),
        ([{"guid": HEX, "segmentId": OURS, "name": "One"}], "`guid`"),
        ([{"id": HEX, "_id": OURS, "name": "One"}], "`guid`"),
        ([{"guid": HEX, "name": "One", "displayName": "Two"}], "`name`"),
        ([{"guid": HEX, "externalId": "one", "external_id": "two"}], "`externalId`"),
        ([{"guid": HEX, "name": {"en": "One"}}], "not a text"),
    ],
)
def test_an_ambiguous_list_is_an_error_and_not_an_empty_list(answer, expected) -> None:
    with pytest.raises(UnexpectedReply, match=expected):
        read(answer)


@pytest.mark.parametrize(
    ("key", "expected"), [({"name": "Two"}, "`name`"), ({"external_id": "mine"}, "`externalId`"), ({}, "")]
)
def test_selecting_by_a_field_that_the_list_lacks_is_an_error(key, expected) -> None:
    segments, wanted = read([{"guid": HEX}]), SegmentKey(**(key or {"segment_guid": OURS}))
    if not expected:
        assert select(segments, wanted) is None
        return
    with pytest.raises(UnexpectedReply, match=expected):
        select(segments, wanted)
    assert select(read([{"guid": HEX}, {"guid": OURS, "name": None, "externalId": None}]), wanted) is None
    assert select([], wanted) is None


SUCCESSES: dict[str, list[Any]] = {
    "create": [{"guid": HEX, "name": "failed payments", "errors": []}, {"data": {"segment": {"id": 400}}}, HEX],
    "add": [
        None,
        True,
        "OK",
        "Updated.",
        [],
        {},
        {"success": True, "error": None, "errors": {"count": 0}, "failed": 0, "invalid": []},
        {"success": "true", "status": "ok", "statusCode": 200, "code": 0, "errorMessage": ""},
        {"added": 1, "existing": 1, "updatedAt": 1},
        {"accepted": 1, "existing": 1},
        # A repeated request.
        {"added": 0},
        {"count": 0},
        {"usersAdded": []},
        {"addedUsers": ["a", "b"], "total": 7},
        {"guid": HEX, "userIds": [], "default": "x"},
        [{"id": "a", "status": "success"}, {"id": "b", "status": 200}],
    ],
    "remove": [
        {"removed": 2, "count": 0},
        {"removed": 0},
        {"notFound": ["a"], "removed": 1, "unchanged": 1},
        {"userCount": 0},
    ],
    "override": [{"added": 0, "removed": 1, "total": 2}],
    "delete": [{"deleted": True}, {"deleted": 1}, {"status": "deleted"}],
}
FAILURES: dict[str, list[Any]] = {
    "create": [{"guid": HEX, "success": False}, {"guid": HEX, "users": {"failed": ["a"]}}, {"guid": HEX, "added": 1}],
    "add": [
        False,
        {"success": False},
        {"success": "false"},
        {"success": 0},
        {"success": 1},
        {"data": {"Success": False}},
        {"ok": False},
        {"status": "error"},
        {"status": "Partially failed"},
        {"status": 400},
        {"statusCode": "500"},
        {"result": False},
        {"error": "limit"},
        {"errors": [{"message": "x"}]},
        {"errors": {"a": "unknown"}},
        {"failed": ["a"]},
        {"failedCount": "1"},
        {"invalidUserIds": ["a"]},
        {"rejected": 1},
        {"notFound": ["a"]},
        {"skipped": 1, "added": 1},
        {"accepted": 0, "duplicates": 1},
        {"accepted": 1},
        {"usersReceived": ["a"]},
        {"processed": 2, "succeeded": 1},
        {"total": 1},
        {"accepted": False},
        {"userIds": ["a"]},
        {"exception": "x"},
        {"status": "NOK"},
        [{"id": "a", "success": True}, {"id": "b", "success": False}],
        '{"success": false}',
    ],
    "remove": [{"processed": 1}, {"failed": ["a"]}],
    "override": [{"total": 1}, {"replaced": 0}],
    "delete": [{"deleted": False}, {"deleted": 0}, {"success": False}],
}


@pytest.mark.parametrize(
    ("write", "answer"), [(write, answer) for write, given in SUCCESSES.items() for answer in given]
)
def test_a_response_that_reports_success_is_not_a_failure(write, answer) -> None:
    assert failure_of(answer, write, lambda: ["a", "b", "b"]) is None


@pytest.mark.parametrize(
    ("write", "answer"), [(write, answer) for write, given in FAILURES.items() for answer in given]
)
def test_a_response_that_reports_a_failure_is_a_failure(write, answer) -> None:
    assert failure_of(answer, write, lambda: ["a", "b", "b"])


@pytest.mark.parametrize("answer", ["You are not allowed to", 7, ["a"], [{"id": "a"}, "b"]])
def test_a_response_that_reports_neither_success_nor_failure_is_an_error(answer) -> None:
    with pytest.raises(UnexpectedReply, match="does not say"):
        failure_of(answer, "add", lambda: ["a", "b"])
