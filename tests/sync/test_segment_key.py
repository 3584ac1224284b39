"""One segment has one ledger: all ways to write a segment make equal keys, and equal keys have one folder."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.sync.target import SegmentKey

KEY = SegmentKey("walkme", "https://eu-api.walkme.com", "system", "segment")

# The first of each is the normalized form.
SAME = [
    [
        "https://eu-api.walkme.com",
        "https://eu-api.walkme.com/",
        "https://eu-api.walkme.com//",
        "HTTPS://EU-API.WalkMe.com",
        " https://eu-api.walkme.com\n",
        "https://eu-api.walkme.com:443",
        "https://eu-api.walkme.com:0443/",
        "https://eu-api.walkme.com:",
        "https://eu-api.walkme.com.",
        "eu-api.walkme.com",
    ],
    ["https://host/Tenant", "https://HOST:443/Tenant/", "host/Tenant"],
    ["http://127.0.0.1", "HTTP://127.0.0.1:80/", "http://127.0.0.1:/"],
    ["https://host:8443/api", "https://Host:08443/api/"],
    ["http://[::1]:8080/x", "http://[0:0:0:0:0:0:0:1]:8080/x/", "HTTP://[::0001]:8080/x"],
    ["https://[2001:db8::1]", "https://[2001:DB8:0::1]:443/"],
    [
        "https://xn--mnchen-3ya.example",
        "https://münchen.example/",
        "https://MÜNCHEN.example",
        "https://münchen。example",
    ],
]

DIFFERENT = [
    "https://host",
    "http://host",
    "https://host:80",
    "http://host:443",
    "https://host/x",
    "https://host/X",
    "https://host/x/y",
    "https://host/x%2Fy",
    "https://host.example",
    "https://straße.example",
    "https://strasse.example",
    "https://http//host",
]


def key_at(url):
    return replace(KEY, base_url=url)


@pytest.mark.parametrize("urls", SAME, ids=lambda urls: urls[0])
def test_all_spellings_of_a_base_url_give_one_key_and_one_folder(urls):
    keys = [key_at(url) for url in urls]
    assert len(set(keys)) == 1
    assert {key.base_url for key in keys} == {urls[0]}
    assert len({key.folder for key in keys}) == 1


def test_different_base_urls_have_different_folders():
    keys = [key_at(url) for url in DIFFERENT]
    assert len(set(keys)) == len({key.folder for key in keys}) == len(DIFFERENT)


def test_spaces_and_the_case_of_the_vendor_do_not_change_the_key():
    assert SegmentKey(" WalkMe ", " https://eu-api.walkme.com ", " system\n", "\tsegment ") == KEY
    assert replace(KEY, segment="Segment") != KEY
    assert replace(KEY, system="-") == replace(KEY, system="") == replace(KEY, system=" ")


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("https://eu-api.walkme.com", "eu-api.walkme.com"),
        ("https://127.0.0.1:8443/walkme", "127.0.0.1%3A8443%2Fwalkme"),
        ("http://127.0.0.1:8080", "http%3A%2F%2F127.0.0.1%3A8080"),
    ],
)
def test_the_folder_of_a_segment_contains_its_vendor_host_system_and_id(url, folder):
    assert SegmentKey("walkme", url, "0a-1", "2b").folder == f"walkme/{folder}/0a-1/2b"
    assert SegmentKey("walkme", url, "", "").folder == f"walkme/{folder}/-/"


def test_no_part_of_a_key_leads_to_a_folder_outside_of_its_own():
    folder = SegmentKey("..", "https://..", ".", "../x").folder
    assert {".", ".."}.isdisjoint(folder.split("/"))
    assert folder.count("/") == 3


@pytest.mark.parametrize("url", ["", "https://", "https://[::1", "https://host:port", "https://[x:y]", "://", "/", "."])
def test_a_base_url_that_is_not_an_address_is_kept_as_it_is(url):
    key = key_at(url)
    assert key_at(key.base_url) == key


texts = st.text(st.sampled_from("aAß.:/[]@-1 %?#"), max_size=12)


@given(texts, texts, texts, texts)
def test_keys_are_canonical_and_have_equal_folders_only_if_they_are_equal(one, two, system, segment):
    first = SegmentKey("v", f"https://{one}", system, segment)
    second = SegmentKey("v", f"https://{two}", system, segment)
    assert (first == second) == (first.folder == second.folder)
    assert replace(first) == first
    assert first.folder.count("/") == 3
    assert {".", ".."}.isdisjoint(first.folder.split("/"))
