"""Hooks on a read-only connection: every method that writes is refused, every other one works."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from airflow_segments_provider.errors import ConfigurationError
from airflow_segments_provider.http import HttpClient
from tests.conftest import RETRY

NAME = "Trial users"
# Public methods of the hooks that send no request of their own.
OTHER = {
    *("api", "check", "client_at", "get_conn", "get_connection_form_widgets", "get_ui_field_behaviour"),
    *("mask", "prepare", "segment_url", "stop", "user_rules"),
}


@dataclass(frozen=True)
class Scene:
    """A vendor's hook, and calls of its methods by name; several calls where a method writes in several ways.

    :param token: The endpoint of token requests, whose POST is not a write.
    """

    hook: Any
    token: str
    writes: dict[str, list[Callable[[], Any]]]
    reads: dict[str, Callable[[], Any]]


def walkme(sandbox: Any, hook: Any, folder: str) -> Scene:
    sandbox.create_segment(NAME, user_ids=["a"])
    writes = {
        "create_segment": [
            lambda: hook.create_segment("Another", ["b"]),
            lambda: hook.create_segment(NAME, ["b"]),
            lambda: hook.create_segment(NAME, ["b"], if_exists="update"),
        ],
        "update_segment": [lambda: hook.update_segment("add", ["b"], name=NAME)],
        "add_users": [lambda: hook.add_users(["b"], name=NAME)],
        "remove_users": [lambda: hook.remove_users(["a"], name=NAME)],
        "override_users": [lambda: hook.override_users(["b"], name=NAME)],
        "delete_segment": [lambda: hook.delete_segment(name=NAME)],
    }
    reads = {
        "test_connection": hook.test_connection,
        "get_segments": hook.get_segments,
        "find_segment": lambda: hook.find_segment(name=NAME),
    }
    return Scene(hook, "walkme.token", writes, reads)


def alteryx(sandbox: Any, hook: Any, folder: str) -> Scene:
    sandbox.settings(windows_authentication=True)
    one, two = sandbox.seed_users(2)
    email = next(user.email for user in sandbox.users() if user.id == one)
    sandbox.create_group(NAME, user_ids=[one])
    things = [(kind, getattr(sandbox, f"create_{kind}")("Sales")) for kind in ("collection", "credential")]
    collection = things[0][1]
    writes: dict[str, list[Callable[[], Any]]] = {
        "create_user_group": [
            lambda: hook.create_user_group("Another", [two]),
            lambda: hook.create_user_group(NAME, [two]),
            lambda: hook.create_user_group(NAME, [two], role="Viewer", if_exists="update"),
        ],
        "update_user_group": [lambda: hook.update_user_group(name=NAME, role="Viewer")],
        "delete_user_group": [lambda: hook.delete_user_group(name=NAME, force_delete=True)],
        "add_users": [lambda: hook.add_users([two], name=NAME)],
        "remove_users": [lambda: hook.remove_users([one], name=NAME)],
        "add_active_directory_group": [lambda: hook.add_active_directory_group("S-1-5-21-1", name=NAME)],
        "remove_active_directory_group": [lambda: hook.remove_active_directory_group("S-1-5-21-1", name=NAME)],
        "share": [partial(hook.share, kind, thing, name=NAME) for kind, thing in things],
        "update_permissions": [lambda: hook.update_permissions(collection, {"is_admin": True}, name=NAME)],
        "unshare": [partial(hook.unshare, kind, thing, name=NAME) for kind, thing in things],
    }
    reads = {
        "test_connection": hook.test_connection,
        "get_user_groups": hook.get_user_groups,
        "get_user_group": lambda: hook.get_user_group(name=NAME),
        "find_user_group": lambda: hook.find_user_group(NAME),
        "get_users": lambda: hook.get_users(email=email),
        "find_user": lambda: hook.find_user(email),
        "find_users": lambda: hook.find_users("Ada", "Okafor"),
    }
    return Scene(hook, "alteryx.token", writes, reads)


def docebo(sandbox: Any, hook: Any, folder: str) -> Scene:
    one, two = sandbox.seed_users(2)
    email = next(user.email for user in sandbox.users() if user.idst == two)
    group = sandbox.create_group(NAME, user_ids=[one])
    writes = {
        "create_group": [
            lambda: hook.create_group("Another", [two]),
            lambda: hook.create_group(NAME, [email], identify_by="email"),
            lambda: hook.create_group(NAME, [two], description="x", if_exists="update"),
        ],
        "update_group": [lambda: hook.update_group(name=NAME, new_name="Others")],
        "delete_group": [lambda: hook.delete_group(name=NAME)],
        "add_users": [
            lambda: hook.add_users([two], name=NAME),
            lambda: hook.add_users([email], identify_by="email", name=NAME),
        ],
        "remove_users": [
            lambda: hook.remove_users([one], name=NAME),
            lambda: hook.remove_users(user_all=True, name=NAME),
        ],
    }
    reads = {
        "test_connection": hook.test_connection,
        "get_groups": lambda: list(hook.get_groups()),
        "get_group": lambda: hook.get_group(group),
        "find_group": lambda: hook.find_group(NAME),
        "get_members": lambda: list(hook.get_members(name=NAME)),
        "get_population": lambda: hook.get_population(name=NAME),
        "export_users": lambda: hook.export_users(f"{folder}/members.csv", name=NAME),
        "get_conditions_history": lambda: list(hook.get_conditions_history(name="Everyone in sales")),
        "convert_group_ids": lambda: hook.convert_group_ids([group]),
        "find_users": lambda: hook.find_users([email]),
    }
    return Scene(hook, "docebo.get_token", writes, reads)


def zendesk(sandbox: Any, hook: Any, folder: str) -> Scene:
    one, two = sandbox.seed_users(2, tags=["vip"])
    segment = sandbox.create_segment(NAME, added_user_ids=[one])
    article, topic = sandbox.create_article("How to", [segment]), sandbox.create_topic("Ideas", [segment])
    # A job can be looked up; a connection that may write has started it.
    job = type(hook)("writing").update_users([one], {"notes": "x"}).jobs[0].job_id
    writes = {
        "create_user_segment": [
            lambda: hook.create_user_segment("Another", [two]),
            lambda: hook.create_user_segment(NAME, [two]),
            lambda: hook.create_user_segment(NAME, [two], tags=["vip"], if_exists="update"),
        ],
        "update_user_segment": [lambda: hook.update_user_segment(name=NAME, tags=["vip"])],
        "delete_user_segment": [lambda: hook.delete_user_segment(name=NAME)],
        "apply_user_segment": [
            lambda: hook.apply_user_segment(article_id=article, clear=True),
            lambda: hook.apply_user_segment(topic_id=topic, clear=True),
        ],
        "add_users": [lambda: hook.add_users([two], name=NAME)],
        "remove_users": [lambda: hook.remove_users([one], name=NAME)],
        "set_users": [lambda: hook.set_users([two], name=NAME)],
        "update_user": [lambda: hook.update_user(one, {"notes": "y"})],
        "set_user_tags": [lambda: hook.set_user_tags(one, ["x"])],
        "add_user_tags": [lambda: hook.add_user_tags(one, ["x"])],
        "remove_user_tags": [lambda: hook.remove_user_tags(one, ["vip"])],
        "update_users": [lambda: hook.update_users([one], {"notes": "y"})],
        "update_each_user": [lambda: hook.update_each_user([{"id": one, "notes": "y"}])],
    }
    reads = {
        "test_connection": hook.test_connection,
        "get_user_segments": hook.get_user_segments,
        "get_user_segment": lambda: hook.get_user_segment(name=NAME),
        "find_user_segment": lambda: hook.find_user_segment(NAME),
        "get_sections": lambda: list(hook.get_sections(name=NAME)),
        "get_topics": lambda: list(hook.get_topics(name=NAME)),
        "get_users": lambda: list(hook.get_users("tags:vip")),
        "find_users": lambda: hook.find_users([one], by="id"),
        "get_user_tags": lambda: hook.get_user_tags(one),
        "get_job_status": lambda: hook.get_job_status(job),
        "get_job_statuses": lambda: hook.get_job_statuses([job]),
    }
    return Scene(hook, "zendesk.create_token", writes, reads)


VENDORS = {
    "walkme_sandbox": (walkme, "walkme.WalkMeHook"),
    "alteryx_sandbox": (alteryx, "alteryx.AlteryxServerHook"),
    "docebo_sandbox": (docebo, "docebo.DoceboHook"),
    "zendesk_sandbox": (zendesk, "zendesk.ZendeskHelpCenterHook"),
}


@pytest.fixture(params=VENDORS)
def sandbox(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def scene(request, sandbox, monkeypatch, tmp_path) -> Scene:
    make, place = VENDORS[request.node.callspec.params["sandbox"]]
    module, _, name = place.rpartition(".")
    for conn_id, read_only in (("reading", True), ("writing", False)):
        connection = sandbox.connection_json(retry=RETRY, read_only=read_only)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)
    hook = getattr(import_module(f"airflow_segments_provider.hooks.{module}"), name)("reading")
    return make(sandbox, hook, str(tmp_path))


def methods(hook: Any) -> Iterator[str]:
    """Return the public methods that this package adds to a hook."""
    for kind in type(hook).__mro__:
        if kind.__module__.startswith("airflow_segments_provider."):
            yield from (name for name, value in vars(kind).items() if name[0] != "_" and callable(value))


def test_each_public_method_is_in_the_tables(scene):
    assert {*methods(scene.hook)} - OTHER == {*scene.writes, *scene.reads}


def test_a_write_on_a_read_only_connection_fails_before_the_first_request(scene, sandbox):
    before = sandbox.counts()
    for calls in scene.writes.values():
        for write in calls:
            with pytest.raises(ConfigurationError, match="'reading' is read-only, so the write was not sent to"):
                write()
    assert sandbox.counts() == before


def test_the_client_of_a_read_only_connection_refuses_each_write(scene, sandbox, monkeypatch):
    """Without a check in advance, look-ups are sent, but the write is not."""
    check, begun = HttpClient.check_writable, len(sandbox.calls())

    def only_requests(client: HttpClient, write: str) -> None:
        if re.match(r"[A-Z]+ /", write):
            check(client, write)

    monkeypatch.setattr(HttpClient, "check_writable", only_requests)
    for calls in scene.writes.values():
        for write in calls:
            with pytest.raises(
                ConfigurationError, match=r"^(POST|PUT|PATCH|DELETE) /\S+: Airflow connection 'reading' is re"
            ):
                write()
    assert {call.method for call in sandbox.calls()[begun:] if call.endpoint != scene.token} == {"GET"}


def test_every_read_works_on_a_read_only_connection(scene, sandbox):
    begun = len(sandbox.calls())
    for read in scene.reads.values():
        assert read() is not None
    works, message = scene.hook.test_connection()
    assert works, message
    assert "read-only" in message
    assert {call.method for call in sandbox.calls()[begun:] if call.endpoint != scene.token} == {"GET"}
