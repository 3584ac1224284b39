"""GUIDs, and every form of an answer that WalkMe might give."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.models.walkme import (
    default_external_id,
    normalise_guid,
    parse_created_guid,
    parse_segments,
    same_id,
)

GUID = "0123abcd-4567-89ab-cdef-0123456789ab"
HEX = GUID.replace("-", "")
OURS = "99999999-9999-5999-9999-999999999999"


@given(st.uuids(), st.sampled_from([str.upper, str.lower]), st.booleans(), st.sampled_from(["", " ", "\n"]))
def test_a_guid_counts_in_any_case_with_or_without_hyphens(guid, case, hyphens, around) -> None:
    text = around + case(str(guid) if hyphens else guid.hex) + around
    assert normalise_guid(text) == str(guid)


@given(st.text(max_size=40))
def test_nothing_else_counts_as_a_guid(text) -> None:
    digits = text.strip().replace("-", "")
    looks_right = len(digits) == 32 and all(mark in "0123456789abcdefABCDEF" for mark in digits)
    if not looks_right:
        with pytest.raises(ValueError, match="is not a GUID"):
            normalise_guid(text)


@pytest.mark.parametrize("text", [f"{{{GUID}}}", f"urn:uuid:{GUID}", GUID[:-1], f"{GUID}0", HEX[:8] + "-" + HEX[8:]])
def test_other_ways_to_write_a_guid_are_refused(text) -> None:
    with pytest.raises(ValueError, match="is not a GUID"):
        normalise_guid(text)


def test_the_default_external_id_depends_on_system_and_name_only() -> None:
    assert default_external_id(GUID, "a") == default_external_id(GUID, "a")
    assert default_external_id(GUID, "a") != default_external_id(GUID, "b")
    assert default_external_id(GUID, "a") != default_external_id(str(uuid.UUID(int=1)), "a")


def test_ids_that_look_like_guids_are_compared_as_such() -> None:
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
        ({"id": OURS}, {"Location": f"https://api.walkme.com/x/segment/{GUID}"}),
        (None, {"Location": f"/x/segment/{HEX}/?a=b"}),
    ],
)
def test_the_guid_of_a_created_segment(answer, headers) -> None:
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
    ],
)
def test_our_own_external_id_is_never_taken_for_the_guid(answer, headers) -> None:
    assert parse_created_guid(answer, headers, external_id=OURS) is None


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: {"segments": x}, lambda x: {"data": x}, lambda x: {"items": x}]
)
def test_a_list_in_every_likely_form(wrap) -> None:
    entries = [
        {"guid": HEX, "id": None, "name": "One"},
        {"segmentGuid": GUID, "externalId": "mine", "name": "Two", "more": 1},
        {"id": HEX, "externalId": 7, "name": None},
    ]
    found = parse_segments(wrap(entries))
    assert [(s.segment_guid, s.external_id, s.name) for s in found] == [
        (GUID, None, "One"),
        (GUID, "mine", "Two"),
        (GUID, "7", None),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        "segments",
        {"segments": None},
        {"segments": {}},
        [1],
        [{"name": "no guid"}],
        [{"id": HEX, "name": "is this the GUID or the external id?"}],
        [{"guid": "short"}],
        {"segments": [], "next": "/more"},
        {"data": [], "hasMore": True},
    ],
)
def test_a_list_that_cannot_be_trusted_is_an_error_and_not_an_empty_list(answer) -> None:
    with pytest.raises(UnexpectedReply):
        parse_segments(answer)
