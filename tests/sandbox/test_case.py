"""The sandboxes do not find a user by another user's name."""

from __future__ import annotations

import pytest

from airflow_segments_provider.testing.sandbox.case import contains, same
from tests.sandbox.test_zendesk_access import SUPPORT, calling

OTHERS = [
    ("k.straße@x.example", "k.strasse@x.example"),
    ("\u212aim@x.example", "kim@x.example"),
    ("lea\u017f@x.example", "leas@x.example"),
    ("\u0130da@x.example", "ida@x.example"),
]


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_different_letters_are_not_the_same_user(one, other):
    for first, second in ((one, other), (other, one), (one.upper(), other), (other.upper(), one)):
        assert same(first, second) is (first.lower() == second and first.isascii())
        assert not contains(f"x{first}", second) or same(first, second)


def test_letters_that_differ_only_in_case_are_the_same_user():
    assert same("JOSÉ@x.example", "josé@X.EXAMPLE")
    assert contains("Ada JOSÉ Park", "josé p")
    assert not contains("Ada", "Ada Park")


@pytest.mark.parametrize("comparison", ["contains", "exact"])
@pytest.mark.parametrize(("held", "asked"), OTHERS)
def test_the_alteryx_sandbox_does_not_find_a_user_with_a_similar_name(alteryx, comparison, held, asked):
    alteryx.sandbox.settings(email_filter=comparison)
    alteryx.sandbox.create_user(held)
    assert alteryx.send("GET", "users", params={"email": asked}).json() == []
    assert len(alteryx.send("GET", "users", params={"email": held}).json()) == 1


@pytest.mark.parametrize(("held", "asked"), OTHERS)
def test_the_zendesk_sandbox_does_not_find_a_user_with_a_similar_name(server, held, asked):
    with calling(server) as zendesk:
        zendesk.sandbox.create_user("Somebody", held, external_id=held)
        found = {}
        for name in (held, asked):
            search = zendesk.get(f"{SUPPORT}/users/search", query=f"email:{name}")
            shown = zendesk.get(f"{SUPPORT}/users/show_many", external_ids=name)
            found[name] = [len(reply.json()["users"]) for reply in (search, shown)]
    assert found == {held: [1, 1], asked: [0, 0]}
