"""Requests of the Docebo hook contain only what the caller passed or Docebo documents; over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from airflow_segments_provider.errors import ConfigurationError, InvalidInput, NotFound, RejectedRequest
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.operators.docebo import DoceboAddGroupUsersOperator
from tests.cli.contract.relay import Relay
from tests.conftest import RETRY
from tests.operators.task import context

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

FORMS = {"assign_users", "put_users", "post_users"}
RULE = {"type": "Any", "payload": {}}
NO_ONE = "one of `user_ids`, `branch_ids` and `group_ids` must be given"


@pytest.fixture
def relay(docebo_sandbox):
    with Relay(docebo_sandbox.url).running() as running:
        yield running


@pytest.fixture
def connect(docebo_sandbox, relay, monkeypatch):
    def set_up(**extra: object) -> DoceboHook:
        fields = docebo_sandbox.connection_json(retry=RETRY, **extra).replace(docebo_sandbox.url, relay.url)
        monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", fields)
        return DoceboHook()

    return set_up


def bodies(relay, method: str) -> list[object]:
    return [request.json for request in relay.seen if request.method == method and "oauth2" not in request.path]


def queries(relay, last: str) -> list[dict[str, str]]:
    return [request.query for request in relay.seen if request.path.endswith(last)]


@pytest.mark.parametrize("given", [{}, {"rules_operator": "AND"}])
def test_a_set_of_rules_is_sent_with_an_operator_only_if_it_has_one(connect, relay, given):
    ruleset = {"operator": "OR", "sets": [{**given, "rules": [RULE]}]}
    connect().create_group("Ruled", type="automatic", ruleset=ruleset)
    assert bodies(relay, "POST") == [{"name": "Ruled", "type": "automatic", "ruleset": ruleset}]


@pytest.mark.parametrize("cursor", [False, True])
def test_the_history_is_requested_without_paging_parameters_and_then_page_by_page(
    connect, docebo_sandbox, relay, cursor
):
    hook = connect()
    sets = [{"rules": [RULE]}]
    made = hook.create_group("Ruled", type="automatic", ruleset={"operator": "OR", "sets": sets})
    hook.update_group(group=made, ruleset={"operator": "AND", "sets": sets})
    assert len(list(hook.get_conditions_history(group=made))) == 2
    assert queries(relay, "/conditions-history") == [{}]
    docebo_sandbox.settings(page_size=1, list_cursor=cursor)
    assert len(list(hook.get_conditions_history(group=made))) == 2
    second = {"page": "2", **({"cursor": "sandbox-cursor-1"} if cursor else {})}
    assert queries(relay, "/conditions-history")[1:] == [{}, second]
    docebo_sandbox.settings(list_form="bare", page_size=200, list_cursor=False)
    assert len(list(hook.get_conditions_history(group=made))) == 2
    assert len(queries(relay, "/conditions-history")) == 4


def test_a_removal_sends_only_the_parameters_that_were_set(connect, docebo_sandbox, relay):
    group = docebo_sandbox.create_group("Trial", user_ids=docebo_sandbox.seed_users(3))
    hook = connect()
    hook.remove_users(user_filters=["learner"], group_id=group)
    hook.remove_users(user_all=True, group_id=group)
    assert bodies(relay, "DELETE") == [
        {"user_ids": [], "user_filters": ["learner"]},
        {"user_ids": [], "user_all": True},
    ]


@pytest.mark.parametrize("limit", ["set", "group"])
@pytest.mark.parametrize("way", ["create", "update"])
def test_the_connection_sets_whether_rules_are_limited_per_set_or_per_group(connect, docebo_sandbox, relay, limit, way):
    docebo_sandbox.settings(rules_limit={"set": "per_set", "group": "in_all"}[limit])
    ten = {"operator": "OR", "sets": [{"rules": [RULE] * 5}] * 2}
    eleven = {"operator": "OR", "sets": [{"rules": [RULE] * 5}, {"rules": [RULE] * 6}]}
    hook = connect(rules_limit=limit)
    made = hook.create_group("Ten", type="automatic", ruleset=ten)

    def send() -> None:
        if way == "create":
            hook.create_group("Eleven", type="automatic", ruleset=eleven)
        else:
            hook.update_group(group=made, ruleset=eleven)

    before = len(relay.seen)
    if limit == "set":
        send()
        return
    with pytest.raises(InvalidInput, match="has 11 rules in all, Docebo takes 10 at most"):
        send()
    assert len(relay.seen) == before


def test_an_addition_without_users_is_refused_before_any_request(connect, relay):
    hook = connect()
    with pytest.raises(InvalidInput, match=NO_ONE):
        hook.add_users(name="Support team")
    with pytest.raises(InvalidInput, match=NO_ONE):
        DoceboAddGroupUsersOperator(task_id="add", name="Support team").execute(cast("Context", context()))
    assert relay.seen == []


@pytest.mark.parametrize("given", [{"user_ids": []}, {"branch_ids": []}, {"group_ids": "[]"}])
def test_an_addition_of_an_empty_list_sends_no_request(connect, docebo_sandbox, relay, given):
    group = docebo_sandbox.create_group("Trial")
    connect()
    DoceboAddGroupUsersOperator(task_id="add", group_id=group, **given).execute(cast("Context", context()))
    assert relay.seen == []


@pytest.mark.parametrize("route", sorted(FORMS))
@pytest.mark.parametrize("status", [404, 405])
def test_a_wrong_add_route_is_noticed_before_a_group_is_created(connect, docebo_sandbox, relay, route, status):
    people = docebo_sandbox.seed_users(2)
    docebo_sandbox.settings(add_forms=FORMS - {route}, missing_route_status=status)
    with pytest.raises(ConfigurationError, match=f"`add_route` of connection 'docebo_default' is '{route}'"):
        connect(add_route=route).create_group("Trial", people)
    assert not [group for group in docebo_sandbox.groups() if group.name == "Trial"]

    # Without users the route is not used; adding users to an existing group fails.
    group = connect(add_route=route).create_group("Trial").group_id
    with pytest.raises((NotFound, RejectedRequest), match=f"`add_route` of connection 'docebo_default' is '{route}'"):
        connect(add_route=route).add_users(people, group_id=group)
    assert docebo_sandbox.members("Trial") == set()


def answer_404(monkeypatch, methods: tuple[str, ...]) -> None:
    """Replace every 404 response to a request with one of these methods by the same body."""
    asked = Relay.ask

    def ask(relay, method, path, headers, body):
        status, kind, content = asked(relay, method, path, headers, body)
        return status, kind, b'{"message": "Not found"}' if status == 404 and method in methods else content

    monkeypatch.setattr(Relay, "ask", ask)


@pytest.mark.parametrize("route", sorted(FORMS))
@pytest.mark.parametrize("alike", [(), ("GET",)])
def test_a_right_add_route_is_checked_once(connect, docebo_sandbox, monkeypatch, route, alike):
    answer_404(monkeypatch, alike)
    people = docebo_sandbox.seed_users(2)
    docebo_sandbox.settings(add_forms={route})
    for name in ("One", "Two"):
        connect(add_route=route).create_group(name, people)
        assert docebo_sandbox.members(name) == set(people)
    assert docebo_sandbox.counts()["docebo.add_members"] == 3


def test_an_add_route_that_cannot_be_checked_is_used(connect, docebo_sandbox, monkeypatch):
    people = docebo_sandbox.seed_users(2)
    answer_404(monkeypatch, ("GET", "PUT", "POST"))
    connect(add_route="put_users").create_group("One", people)
    assert docebo_sandbox.members("One") == set(people)
    docebo_sandbox.settings(add_forms={"assign_users"})
    with pytest.raises(NotFound, match="`add_route` of connection 'docebo_default' is 'post_users'"):
        connect(add_route="post_users").create_group("Two", people)


@pytest.mark.parametrize("path", ["audience", "audiences"])
@pytest.mark.parametrize("status", [404, 405])
def test_a_wrong_create_path_is_named_in_the_error(connect, docebo_sandbox, path, status):
    other = {"audience": "plural", "audiences": "singular"}[path]
    docebo_sandbox.settings(create_paths=other, missing_route_status=status)
    with pytest.raises((NotFound, RejectedRequest), match=f"`create_path` of connection 'docebo_default' is '{path}'"):
        connect(create_path=path).create_group("Trial")
    assert not [group for group in docebo_sandbox.groups() if group.name == "Trial"]


def test_the_reasons_of_a_failed_addition_contain_neither_secret_nor_user(connect, docebo_sandbox, relay):
    people = docebo_sandbox.seed_users(3)
    group = docebo_sandbox.create_group("Trial")
    secret = docebo_sandbox.client_secret
    said = [{"success": False, "message": [f"user {people[0]}", f"key {secret.upper()}"]}]
    relay.serve(f"/docebo/audiences/v1/audience/{group}/assign_users", {"data": said})
    with pytest.raises(RejectedRequest, match="reports a failure") as caught:
        connect().add_users(people, group_id=group)
    assert str(people[0]) not in str(caught.value)
    assert secret.lower() not in str(caught.value).lower()
