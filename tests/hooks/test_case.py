"""Look-ups of users ignore case, but never find another user with a similar identity."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook

# The identity of an existing user, and a similar one that is looked up and must not be found.
OTHERS = [
    ("k.straße@x.example", "k.strasse@x.example"),
    ("k.strasse@x.example", "k.straße@x.example"),
    ("\u212aim@x.example", "kim@x.example"),
    ("kim@x.example", "\u212aIM@x.example"),
    ("lea\u017f@x.example", "leas@x.example"),
    ("\u0131da@x.example", "ida@x.example"),
    ("\u0130da@x.example", "ida@x.example"),
]
SAME = [("Ada.Park@x.example", "aDA.pARK@X.EXAMPLE"), ("josé@x.example", "josé@X.example")]
MANY = [f"nobody{number}@x.example" for number in range(60)]


class TestDocebo:
    @pytest.mark.parametrize("by", ["email", "username"])
    @pytest.mark.parametrize("others", [[], MANY], ids=["one by one", "by the list of all users"])
    @pytest.mark.parametrize(("held", "asked"), OTHERS)
    def test_docebo_does_not_find_a_user_with_a_similar_name(self, docebo_sandbox, by, others, held, asked):
        # The search matches the first name, as a lenient database would match the address.
        number = docebo_sandbox.add_user(held, email=held, firstname=asked)
        found = DoceboHook().find_users([asked, *others], by=by)
        assert (found.found, found.unmatched) == ({}, [asked, *others])
        assert DoceboHook().find_users([held, *others], by=by).found == {held: str(number)}
        # By the list of all users, or by one or two searches for each user.
        assert docebo_sandbox.counts()["docebo.list_users"] <= 3

    @pytest.mark.parametrize("others", [[], MANY], ids=["one by one", "by the list of all users"])
    @pytest.mark.parametrize(("held", "asked"), SAME)
    def test_docebo_finds_a_user_in_another_case(self, docebo_sandbox, others, held, asked):
        number = docebo_sandbox.add_user(held, email=held)
        assert DoceboHook().find_users([asked, *others]).found == {asked: str(number)}

    @pytest.mark.parametrize("by", ["email", "username"])
    @pytest.mark.parametrize(("held", "asked"), OTHERS)
    def test_a_similar_user_in_a_docebo_response_is_not_matched(self, docebo_sandbox, by, held, asked):
        items = [{"user_id": "1", "username": held, "email": held}]
        body = {"data": {"items": items, "has_more_data": False}}
        docebo_sandbox.fault("docebo.list_users", "status", status=200, body=body, times=None)
        assert DoceboHook().find_users([asked], by=by).unmatched == [asked]
        assert DoceboHook().find_users([held], by=by).found == {held: "1"}

    def test_two_spellings_of_an_address_are_one_docebo_user(self, docebo_sandbox):
        number = docebo_sandbox.add_user("Ada.Park@x.example")
        spelt = ["ada.park@x.example", "ADA.park@x.example", "Ada.Park@x.example"]
        change = DoceboHook().create_group("Trial users", spelt, identify_by="email")
        assert docebo_sandbox.members("Trial users") == {number}
        assert change.users_sent == 1
        with pytest.raises(InvalidInput, match="1 of 1 e-mail addresses"):
            DoceboHook().create_group("Others", ["No@x.example", "nO@x.example"], identify_by="email")


class TestZendesk:
    @pytest.mark.parametrize(("held", "asked"), OTHERS)
    def test_zendesk_does_not_find_a_user_with_a_similar_name(self, zendesk_sandbox, held, asked):
        number = zendesk_sandbox.create_user("Somebody", held, external_id=held)
        hook = ZendeskHelpCenterHook()
        for by in ("email", "external_id"):
            assert hook.find_users([asked], by=by).unmatched == [asked]
            assert hook.find_users([held], by=by).found == {held: number}

    @pytest.mark.parametrize(("held", "asked"), OTHERS)
    def test_a_similar_user_in_a_zendesk_response_is_not_matched(self, zendesk_sandbox, held, asked):
        body = {"users": [{"id": 1, "email": held, "external_id": held}], "next_page": None}
        zendesk_sandbox.fault("zendesk.search_users", "status", status=200, body=body, times=None)
        zendesk_sandbox.fault("zendesk.show_users", "status", status=200, body=body, times=None)
        for by in ("email", "external_id"):
            assert ZendeskHelpCenterHook().find_users([asked], by=by).unmatched == [asked]
            assert ZendeskHelpCenterHook().find_users([held], by=by).found == {held: 1}

    @pytest.mark.parametrize(("held", "asked"), SAME)
    def test_zendesk_finds_a_user_in_another_case(self, zendesk_sandbox, held, asked):
        number = zendesk_sandbox.create_user("Somebody", held, external_id=held)
        for by in ("email", "external_id"):
            assert ZendeskHelpCenterHook().find_users([asked], by=by).found == {asked: number}


class TestAlteryx:
    @pytest.mark.parametrize(("held", "asked"), OTHERS)
    def test_alteryx_does_not_find_a_user_with_a_similar_name(self, alteryx_sandbox, held, asked):
        alteryx_sandbox.create_user(held)
        hook = AlteryxServerHook()
        assert hook.find_user(asked) is None
        assert hook.find_user(held) is not None
        with pytest.raises(InvalidInput, match="1 of 1 e-mail addresses"):
            hook.create_user_group("Analysts", [asked], identify_by="email", on_unmatched="skip")

    @pytest.mark.parametrize(("held", "asked"), OTHERS)
    def test_a_similar_user_in_an_alteryx_response_is_not_matched(self, alteryx_sandbox, held, asked):
        body = [{"id": "1", "email": held, "firstName": held, "lastName": "x"}]
        alteryx_sandbox.fault("alteryx.list_users", "status", status=200, body=body, times=None)
        hook = AlteryxServerHook()
        assert (hook.find_user(asked), hook.find_users(asked, "x")) == (None, [])
        assert hook.find_user(held) is not None
        assert len(hook.find_users(held, "X")) == 1

    @pytest.mark.parametrize(("held", "asked"), SAME)
    def test_alteryx_finds_a_user_in_another_case(self, alteryx_sandbox, held, asked):
        user_id = alteryx_sandbox.create_user(held)
        found = AlteryxServerHook().find_user(asked)
        assert found is not None
        assert found.user_id == user_id
