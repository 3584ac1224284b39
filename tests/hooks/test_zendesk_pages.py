"""Lists of both halves of Zendesk's API: no page, one page, many pages, and misleading responses."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_segments_provider.errors import RateLimited, UnexpectedReply
from airflow_segments_provider.vendors.zendesk.connection import hold_after
from tests.connections import zendesk_hook
from tests.hooks.test_zendesk import FARAH, NAME, SIGNED_IN, counts

USER = {"id": FARAH, "email": "farah.haddad@example.com"}
SEGMENT = {"id": SIGNED_IN, "name": "Signed-in users", "user_type": "signed_in_users", "built_in": True}


@pytest.fixture
def hook(zendesk_sandbox, monkeypatch):
    return zendesk_hook(zendesk_sandbox, monkeypatch)


class TestCounts:
    """The number of requests for a list of so many entries."""

    @pytest.mark.parametrize(("entries", "calls"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
    def test_segments_are_listed_by_cursor(self, hook, zendesk_sandbox, entries, calls):
        zendesk_sandbox.settings(max_segments=None, link_origin="https://elsewhere.example.com")
        names = [f"Segment {number}" for number in range(entries)]
        for name in names:
            zendesk_sandbox.create_segment(name)
        assert [one.name for one in hook.get_user_segments(built_in=False).segments] == names
        assert counts(zendesk_sandbox) == {"list_segments": calls}

    @pytest.mark.parametrize(("entries", "calls"), [(0, 1), (91, 1), (92, 2), (191, 2)])
    def test_users_are_listed_by_cursor_although_the_last_page_has_a_next_link(
        self, hook, zendesk_sandbox, entries, calls
    ):
        zendesk_sandbox.settings(link_origin="https://elsewhere.example.com")
        if entries:
            zendesk_sandbox.seed_users(entries)
        assert len({user.user_id for user in hook.get_users()}) == 9 + entries
        assert counts(zendesk_sandbox) == {"list_users": calls}

    @pytest.mark.parametrize(("entries", "calls"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
    def test_users_are_searched_by_page_number(self, hook, zendesk_sandbox, entries, calls):
        zendesk_sandbox.settings(link_origin="https://elsewhere.example.com")
        if entries:
            zendesk_sandbox.seed_users(entries, tags=["many"])
        assert len({user.user_id for user in hook.get_users("tags:many")}) == entries
        assert counts(zendesk_sandbox) == {"search_users": calls}

    @pytest.mark.parametrize(("entries", "calls"), [(0, 1), (1, 1), (100, 1), (101, 2)])
    def test_topics_are_listed_by_cursor(self, hook, zendesk_sandbox, entries, calls):
        made = zendesk_sandbox.create_segment(NAME)
        for number in range(entries):
            zendesk_sandbox.create_topic(f"Topic {number}", [made])
        assert len(list(hook.get_topics(user_segment_id=made))) == entries
        assert counts(zendesk_sandbox) == {"list_segment_topics": calls}

    def test_sections_are_listed_by_page_number(self, hook, zendesk_sandbox):
        """The sandbox has one section, so a fault returns a first page that announces a second one."""
        first = {"sections": [{"id": 1}] * 100, "page": 1, "page_count": 2, "per_page": 100, "count": 101,
                 "next_page": "https://elsewhere.example.com/api/v2/x?page=2&per_page=100"}  # fmt: skip
        zendesk_sandbox.fault("zendesk.list_segment_sections", "status", status=200, body=first)
        zendesk_sandbox.restrict_section("Announcements", [SIGNED_IN])
        found = hook.get_sections(user_segment_id=SIGNED_IN)
        assert next(found).id == 1
        assert counts(zendesk_sandbox) == {"list_segment_sections": 1}
        assert len(list(found)) == 99
        assert counts(zendesk_sandbox) == {"list_segment_sections": 2}


class TestMisleadingPaging:
    def answer(self, sandbox, body, *, endpoint="list_segments", times=1):
        sandbox.fault(f"zendesk.{endpoint}", "status", status=200, body=body, times=times)

    @pytest.mark.parametrize("told", ["meta", "links"])
    def test_a_cursor_that_is_repeated_is_an_error(self, hook, zendesk_sandbox, told):
        link = "https://elsewhere.example.com/x?page%5Bafter%5D=abc"
        meta = {"has_more": True, **({"after_cursor": "abc"} if told == "meta" else {})}
        body = {"user_segments": [SEGMENT], "meta": meta, "links": {"next": link}}
        self.answer(zendesk_sandbox, body, times=None)
        with pytest.raises(UnexpectedReply, match=r"no end.*'zendesk_help_center_default'"):
            hook.get_user_segments()
        assert counts(zendesk_sandbox) == {"list_segments": 2}

    def test_a_page_number_that_is_repeated_is_an_error(self, hook, zendesk_sandbox):
        body = {"users": [USER], "next_page": "https://elsewhere.example.com/x?page=1"}
        self.answer(zendesk_sandbox, body, endpoint="search_users", times=None)
        with pytest.raises(UnexpectedReply, match="no end"):
            list(hook.get_users("tags:vip"))
        assert counts(zendesk_sandbox) == {"search_users": 1}

    def test_page_numbers_are_followed_although_a_cursor_was_requested(self, hook, zendesk_sandbox):
        body = {"user_segments": [SEGMENT], "next_page": "https://elsewhere.example.com/x?page=2", "count": 2}
        self.answer(zendesk_sandbox, body)
        self.answer(zendesk_sandbox, {**body, "next_page": None})
        assert len(hook.get_user_segments().segments) == 2

    @pytest.mark.parametrize(
        "more",
        [
            {"meta": {}},
            {"meta": {"has_more": "true"}},
            {"meta": {"has_more": True}},
            {"meta": {"has_more": True, "after_cursor": None}, "links": {"next": None}},
            {"meta": {"has_more": True}, "links": {"next": "https://[half"}},
            {"meta": {"has_more": True}, "links": []},
            {"next_page": 5},
            {"next_page": "https://elsewhere.example.com/x"},
            {"next_page": "https://elsewhere.example.com/x?page=²"},
            {"next_page": {}},
        ],
    )
    def test_a_list_with_contradictory_paging_is_an_error(self, hook, zendesk_sandbox, more):
        self.answer(zendesk_sandbox, {"user_segments": [SEGMENT], **more})
        with pytest.raises(UnexpectedReply, match="continues"):
            hook.get_user_segments()

    @pytest.mark.parametrize(("entries", "right"), [(1, True), (99, True), (100, False), (101, False)])
    def test_a_list_without_paging_is_complete_only_if_its_page_is_not_full(
        self, hook, zendesk_sandbox, entries, right
    ):
        self.answer(zendesk_sandbox, {"user_segments": [SEGMENT] * entries})
        if right:
            assert len(hook.get_user_segments().segments) == entries
            return
        with pytest.raises(UnexpectedReply, match="continues"):
            hook.get_user_segments()

    @pytest.mark.parametrize("size", ["clamp", "refuse"])
    def test_no_page_larger_than_zendesk_allows_is_requested(self, hook, zendesk_sandbox, size):
        zendesk_sandbox.settings(over_page_size=size)
        assert len(hook.get_user_segments().segments) == 2


class TestRate:
    """Zendesk returns its limits in the headers of each half of the API, and counts them separately."""

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, 0),
            ({"x-rate-limit": "700"}, 0),
            ({"x-rate-limit": "700", "x-rate-limit-remaining": "71"}, 0),
            ({"x-rate-limit": "600", "x-rate-limit-remaining": "60"}, 0.1),
            ({"x-rate-limit": "600", "x-rate-limit-remaining": "0"}, 0.1),
            ({"x-rate-limit": "600", "x-rate-limit-remaining": "0", "ratelimit-reset": "20"}, 20),
            ({"x-rate-limit": "600", "x-rate-limit-remaining": "0", "rate-limit-reset": "7"}, 7),
            ({"x-rate-limit": "600", "x-rate-limit-remaining": "1", "ratelimit-reset": "20"}, 0.1),
            ({"x-rate-limit": "600", "x-rate-limit-remaining": "0", "ratelimit-reset": "86400"}, 60),
            ({"x-rate-limit": "0", "x-rate-limit-remaining": "0"}, 0),
            ({"x-rate-limit": "many", "x-rate-limit-remaining": "-1"}, 0),
            ({"x-rate-limit": "600", "x-rate-limit-remaining": "²"}, 0),
        ],
    )
    def test_the_rest_of_the_budget_is_spread_over_the_rest_of_the_minute(self, headers, seconds):
        assert hold_after(headers) == seconds

    @pytest.mark.parametrize("spelling", ["ratelimit", "rate-limit"])
    def test_the_two_halves_of_the_api_have_separate_rate_limits(self, hook, zendesk_sandbox, monkeypatch, spelling):
        zendesk_sandbox.settings(rate_limit=10, support_rate_headers=spelling)
        rests = []

        def rest(seconds):
            rests.append(seconds)
            zendesk_sandbox.advance(seconds)

        monkeypatch.setattr(hook.client, "sleep", rest)
        for _ in range(10):
            hook.get_user_segments()
        assert rests == [pytest.approx(6, abs=1)]
        for _ in range(10):
            hook.get_user_tags(FARAH)
        assert len(rests) == 2
        assert {call.status for call in zendesk_sandbox.calls()} <= {200, 201}
        hook.get_user_tags(FARAH)
        assert rests[-1] == pytest.approx(60, abs=8)
        assert {call.status for call in zendesk_sandbox.calls("zendesk.get_user_tags")} == {200}

    @pytest.mark.parametrize("body", ["text", "json"])
    @pytest.mark.parametrize("half", ["help_center", "support"])
    def test_a_429_of_every_form_is_waited_for(self, hook, zendesk_sandbox, monkeypatch, body, half):
        zendesk_sandbox.settings(rate_limit=2, rate_limit_body=body)
        monkeypatch.setattr("airflow_segments_provider.vendors.zendesk.connection.LOW", -1)
        monkeypatch.setattr(hook.client, "sleep", zendesk_sandbox.advance)
        hook.client.retry = hook.client.retry.__class__(max_attempts=3, retry_after_cap=120)
        endpoint, call = {
            "help_center": ("zendesk.list_segments", hook.get_user_segments),
            "support": ("zendesk.get_user_tags", lambda: hook.get_user_tags(FARAH)),
        }[half]
        for _ in range(3):
            call()
        assert [one.status for one in zendesk_sandbox.calls(endpoint)] == [200, 200, 429, 200]

    def test_a_429_with_a_wait_above_the_limit_is_an_error_that_names_the_wait(self, hook, zendesk_sandbox):
        zendesk_sandbox.fault("zendesk.list_segments", "status", status=429, body="Number of allowed API requests",
                              content_type="text/plain", headers={"Retry-After": "93"})  # fmt: skip
        with pytest.raises(RateLimited, match="93 s"):
            hook.get_user_segments()

    def test_without_a_rate_limit_no_request_waits(self, hook, zendesk_sandbox, monkeypatch):
        zendesk_sandbox.settings(rate_limit="none")
        rests: list[float] = []
        monkeypatch.setattr(hook.client, "sleep", rests.append)
        for _ in range(5):
            hook.get_user_segments()
        assert rests == []


def test_logs_and_errors_of_lists_contain_no_user(hook, zendesk_sandbox, caplog):
    with caplog.at_level(logging.INFO):
        list(hook.get_users("email:farah.haddad@example.com"))
        zendesk_sandbox.fault(
            "zendesk.search_users", "status", status=400, body={"error": "no farah.haddad@example.com"}
        )
        with pytest.raises(Exception, match="400") as caught:
            list(hook.get_users("email:farah.haddad@example.com"))
    assert "farah" not in json.dumps([record.getMessage() for record in caplog.records]) + str(caught.value)
