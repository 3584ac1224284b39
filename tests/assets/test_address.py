"""The address of a segment has one spelling, wherever it comes from."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_segments_provider.assets import (
    alteryx_asset,
    docebo_asset,
    sanitize_uri,
    segment_asset,
    walkme_asset,
    zendesk_asset,
)

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
def test_airflow_normalizes_every_spelling_of_an_address_to_the_same(written):
    assert Asset(uri=written).uri == ADDRESS
    assert Asset(uri=ADDRESS).normalized_uri == ADDRESS


@pytest.mark.parametrize(
    "host", ["api.walkme.com", "API.walkme.com", "https://api.walkme.com", "https://api.walkme.com/v1/"]
)
def test_a_walkme_asset_is_made_from_a_host_or_a_base_url(host):
    assert walkme_asset(host, SYSTEM.replace("-", "").upper(), SEGMENT).uri == ADDRESS
    assert walkme_asset("localhost:8080", SYSTEM, SEGMENT).uri == f"walkme://localhost:8080/{SYSTEM}/{SEGMENT}"


@pytest.mark.parametrize(
    ("asset", "address"),
    [
        (docebo_asset("https://Acme.docebosaas.com", SEGMENT), f"docebo://acme.docebosaas.com/{SEGMENT}"),
        (alteryx_asset("https://alteryx.example/webapi", "61D58AC8"), "alteryx://alteryx.example/61d58ac8"),
        (zendesk_asset("acme.zendesk.com", 17), "zendesk://acme.zendesk.com/17"),
        (segment_asset("zendesk", "acme.zendesk.com", "tag", "on/trial"), "zendesk://acme.zendesk.com/tag/on%2Ftrial"),
    ],
)
def test_the_addresses_of_other_vendors_have_no_system(asset, address):
    assert asset.uri == address
    assert Asset(uri=address).uri == address


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
        ("docebo://acme.docebosaas.com", "a host and a segment"),
    ],
)
def test_an_invalid_address_of_a_segment_is_refused(written, problem):
    with pytest.raises(ValueError, match=problem):
        sanitize_uri(urlsplit(written))


def test_a_name_in_place_of_a_guid_is_refused_by_every_airflow():
    with pytest.raises(ValueError, match="GUIDs"):
        walkme_asset("api.walkme.com", SYSTEM, "Trial users")
