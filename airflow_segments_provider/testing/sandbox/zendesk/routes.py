"""Zendesk's paths and methods."""

from __future__ import annotations

import re
from collections.abc import Callable

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.messages import Call, Reply
from airflow_segments_provider.testing.sandbox.routes import Routes
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.access import Operation, guarded
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.ask import Ask
from airflow_segments_provider.testing.sandbox.zendesk.bodies import count_users
from airflow_segments_provider.testing.sandbox.zendesk.bulk import Bulk
from airflow_segments_provider.testing.sandbox.zendesk.constants import (
    COMMUNITY,
    HELP_CENTER,
    PREFIX,
    READ,
    SUPPORT,
    TOKEN_PATH,
    WRITE,
)
from airflow_segments_provider.testing.sandbox.zendesk.content import Content
from airflow_segments_provider.testing.sandbox.zendesk.oauth import give_token
from airflow_segments_provider.testing.sandbox.zendesk.paging import Half
from airflow_segments_provider.testing.sandbox.zendesk.segments import Segments
from airflow_segments_provider.testing.sandbox.zendesk.tags import Tags
from airflow_segments_provider.testing.sandbox.zendesk.users import Users

# A name, a method, a path below its half's, and what carries it out. Of two paths that fit, the first one counts.
_Route = tuple[str, str, str, Operation]

# The calls that are kept hold nobody's id.
_PERSON = re.compile(r"/users/\d+(?![^/.])")


def zendesk_router(account: Account, gateway: Gateway) -> APIRouter:
    """Return the endpoints; what is no endpoint answers 404, under the name "zendesk.other"."""
    router, users = Routes("zendesk", gateway, _describe), Users(account)

    def add(name: str, method: str, path: str, handle: Callable[[Ask], Reply]) -> None:
        # A path that ends with an id has its suffix read off the id.
        for suffix in ("",) if path.endswith("}") else ("", ".json"):
            router.add(name, method, path + suffix, lambda call: handle(Ask(call)))

    add("create_token", "POST", TOKEN_PATH, lambda ask: give_token(ask, account))
    add("get_me", "GET", f"{SUPPORT}/users/me", users.me)
    halves: tuple[tuple[Half, str, list[_Route]], ...] = (
        ("help_center", HELP_CENTER, _segment_routes(account) + _article_routes(account)),
        ("help_center", COMMUNITY, _topic_routes(account)),
        ("support", SUPPORT, _user_routes(account, users) + _job_routes(account)),
    )
    for half, base, routes in halves:
        for name, method, path, operation in routes:
            need = READ if method == "GET" else WRITE
            add(name, method, base + path, guarded(account, half, need, operation))
    router.others(PREFIX + "/{rest:path}", _no_route)
    return router.router


def _segment_routes(account: Account) -> list[_Route]:
    segments = Segments(account)
    return [
        ("list_segments", "GET", "/user_segments", segments.list_all),
        ("list_applicable_segments", "GET", "/user_segments/applicable", segments.list_applicable),
        ("list_user_segments", "GET", "/users/{id}/user_segments", segments.list_of_user),
        ("get_segment", "GET", "/user_segments/{id}", segments.get),
        ("create_segment", "POST", "/user_segments", segments.create),
        ("update_segment", "PUT", "/user_segments/{id}", segments.update),
        ("delete_segment", "DELETE", "/user_segments/{id}", segments.delete),
        ("list_segment_sections", "GET", "/user_segments/{id}/sections", segments.list_sections),
        ("list_segment_topics", "GET", "/user_segments/{id}/topics", segments.list_topics),
    ]


def _article_routes(account: Account) -> list[_Route]:
    articles = Content(account, "article")
    return [
        ("list_articles", "GET", "/articles", articles.list_all),
        ("get_article", "GET", "/articles/{id}", articles.get),
        ("update_article", "PUT", "/articles/{id}", articles.update),
    ]


def _topic_routes(account: Account) -> list[_Route]:
    topics = Content(account, "topic")
    return [
        ("list_topics", "GET", "/topics", topics.list_all),
        ("get_topic", "GET", "/topics/{id}", topics.get),
        ("update_topic", "PUT", "/topics/{id}", topics.update),
    ]


def _user_routes(account: Account, users: Users) -> list[_Route]:
    tags, bulk = Tags(account, users), Bulk(account)
    return [
        ("list_users", "GET", "/users", users.list_all),
        ("search_users", "GET", "/users/search", users.search),
        ("show_users", "GET", "/users/show_many", users.show_many),
        ("update_users", "PUT", "/users/update_many", bulk.update_many),
        ("get_user", "GET", "/users/{id}", users.get),
        ("update_user", "PUT", "/users/{id}", users.update),
        ("get_user_tags", "GET", "/users/{id}/tags", tags.get),
        ("set_user_tags", "POST", "/users/{id}/tags", tags.put_in_place),
        ("add_user_tags", "PUT", "/users/{id}/tags", tags.add),
        ("remove_user_tags", "DELETE", "/users/{id}/tags", tags.remove),
        ("list_tags", "GET", "/tags", tags.list_all),
        ("list_organizations", "GET", "/organizations", users.list_organizations),
        ("list_groups", "GET", "/groups", users.list_groups),
    ]


def _job_routes(account: Account) -> list[_Route]:
    bulk = Bulk(account)
    return [
        ("list_jobs", "GET", "/job_statuses", bulk.list_all),
        ("show_jobs", "GET", "/job_statuses/show_many", bulk.show_many),
        ("get_job", "GET", "/job_statuses/{id}", bulk.get),
    ]


def _describe(call: Call) -> None:
    call.record.user_ids = count_users(Ask(call))
    call.record.path = _PERSON.sub("/users/{user}", call.record.path)


def _no_route(call: Call) -> Reply:
    raise errors.not_found()
