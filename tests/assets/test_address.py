"""The address of a segment: one way to write it, wherever it comes from."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_segments_provider.assets import sanitize_uri, segment_asset, walkme_asset

SYSTEM = "0123abcd-4567-89ab-cdef-0123456789ab"
SEGMENT = "89abcdef-0123-4567-89ab-cdef01234567"
ADDRESS = f"walkme://api.walkme.com/{SYSTEM}/{SEGMENT}"


@pytest.mark.parametrize(
    "written",
    [
        ADDRESS,
        f"{ADDRESS}/",
        f"WalkMe://API.WalkMe.com/{SYSTEM.upper()}/{SEGMENT}",
        f"walkme://api.walkme.com:443/{SYSTEM}/{SEGMENT.replace('-', '')}",
    ],
)
def test_airflow_takes_every_spelling_for_the_same(written):
    assert Asset(uri=written).uri == ADDRESS
    assert Asset(uri=ADDRESS).normalized_uri == ADDRESS


@pytest.mark.parametrize(
    "host", ["api.walkme.com", "API.walkme.com", "https://api.walkme.com", "https://api.walkme.com/v1/"]
)
def test_an_asset_is_made_of_a_host_or_a_base_url(host):
    assert walkme_asset(host, SYSTEM.replace("-", "").upper(), SEGMENT).uri == ADDRESS
    assert walkme_asset("localhost:8080", SYSTEM, SEGMENT).uri == f"walkme://localhost:8080/{SYSTEM}/{SEGMENT}"


def test_another_vendor_needs_no_guids_and_no_system():
    assert (
        segment_asset("docebo", "https://Acme.docebosaas.com", "", "1/2").uri == "docebo://acme.docebosaas.com/-/1%2F2"
    )


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (f"walkme://someone@api.walkme.com/{SYSTEM}/{SEGMENT}", "no user"),
        (f"{ADDRESS}?create=true", "no user, password, query"),
        (f"{ADDRESS}#members", "fragment"),
        (f"walkme:///{SYSTEM}/{SEGMENT}", "a host, a system and a segment"),
        (f"walkme://api.walkme.com/{SYSTEM}", "a host, a system and a segment"),
        (f"walkme://api.walkme.com//{SEGMENT}", "a host, a system and a segment"),
        (f"{ADDRESS}/members", "a host, a system and a segment"),
        (f"walkme://api.walkme.com/{SYSTEM}/Trial", "GUIDs"),
    ],
)
def test_what_is_no_address_of_a_segment_is_refused(written, problem):
    with pytest.raises(ValueError, match=problem):
        sanitize_uri(urlsplit(written))


def test_a_name_in_place_of_a_guid_is_refused_by_every_airflow():
    with pytest.raises(ValueError, match="GUIDs"):
        walkme_asset("api.walkme.com", SYSTEM, "Trial users")
