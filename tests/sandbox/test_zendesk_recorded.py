"""The sandbox's Zendesk responds as recorded accounts do; the recordings are those of zenpy at fa6aab1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_segments_provider.testing.sandbox import SandboxServer
from tests.sandbox.test_zendesk_access import HC, SEGMENTS, SUPPORT, ZendeskCaller, calling

USER = (
    "id url name email created_at updated_at time_zone iana_time_zone phone shared_phone_number photo locale_id locale "
    "organization_id role verified external_id tags alias active shared shared_agent last_login_at "
    "two_factor_auth_enabled signature details notes role_type custom_role_id moderator ticket_restriction "
    "only_private_comments restricted_agent suspended default_group_id report_csv user_fields"
)
ARTICLE = (
    "id url html_url author_id comments_disabled content_tag_ids label_names draft promoted position vote_sum "
    "vote_count section_id created_at updated_at edited_at name title body source_locale locale outdated "
    "outdated_locales permission_group_id user_segment_id user_segment_ids"
)
FARAH, HANA = 360_000_000_006, 360_000_000_008


@pytest.fixture
def zendesk(server: SandboxServer) -> Iterator[ZendeskCaller]:
    with calling(server) as caller:
        yield caller


def test_users_shown_by_their_ids_have_the_recorded_fields_and_paging_keys(zendesk):
    shown = zendesk.get(f"{SUPPORT}/users/show_many.json", ids=f"{FARAH},{HANA},5").json()
    assert [" ".join(user) for user in shown.pop("users")] == [USER, USER]
    assert shown == {"next_page": None, "previous_page": None, "count": 2}


def test_the_current_user_has_an_authenticity_token_beside_the_fields_of_users(zendesk):
    shown = zendesk.get(f"{SUPPORT}/users/me.json").json()["user"]
    assert " ".join(shown) == f"{USER} authenticity_token"


def test_an_article_has_the_recorded_fields(zendesk):
    article = zendesk.get(f"{HC}/articles.json").json()["articles"][0]
    assert " ".join(article) == ARTICLE
    assert article["html_url"].endswith(f"/hc/en-us/articles/{article['id']}-How-to-begin")
    assert article["url"].endswith(f"/en-us/articles/{article['id']}-How-to-begin.json")


def test_an_article_with_one_segment_and_several_in_one_request_is_refused(zendesk):
    article = zendesk.get(f"{HC}/articles").json()["articles"][0]["id"]
    body = '{"article": {"user_segment_id": null, "user_segment_ids": []}}'
    reply = zendesk.send("PUT", f"{HC}/articles/{article}", data=body, headers={"content-type": "application/json"})
    assert reply.status_code == 400


def test_a_job_has_its_type(zendesk):
    reply = zendesk.send("PUT", f"{SUPPORT}/users/update_many?ids={HANA}", json={"user": {"tags": ["x"], "tag": 1}})
    job = reply.json()["job_status"]
    assert list(job)[:3] == ["id", "job_type", "url"]
    assert job["job_type"] == "Bulk Update User"
    assert ':action=>"update_many", :unpermitted_keys=>["user.tag"]' in reply.headers["x-zendesk-api-warn"]


def test_the_content_type_of_json_names_its_encoding(zendesk):
    for reply in (zendesk.token(), zendesk.get(SEGMENTS), zendesk.create(), zendesk.get("/api/v2/nothing")):
        assert reply.headers["content-type"] == "application/json; charset=utf-8"
