"""Docebo's members, jobs and users, and their control by the sandbox."""

from __future__ import annotations

import json
import os
import threading

import pytest
import requests

from airflow_segments_provider.testing.sandbox import DoceboSandboxClient, SandboxError, SandboxServer
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from tests.sandbox.caller import eventually
from tests.sandbox.test_docebo_caller import NO_GROUP, DoceboCaller, branch_rules, caller_of


@pytest.fixture
def docebo(server):
    return caller_of(server.url)


def ids(docebo, count=3):
    return [user.idst for user in docebo.sandbox.users()][:count]


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("PUT", "assign_users", "assign_users"),
        ("PUT", "users", "put_users"),
        ("POST", "users", "post_users"),
    ],
)
def test_members_are_added_by_three_forms_of_request(docebo, method, path, form):
    group, users = docebo.new_group(), ids(docebo)
    request = {"json": {"user_ids": users}}
    reply = docebo.send(method, f"/{group}/{path}", **request)
    assert reply.json()["data"] == {"success": True, "background_job": False}
    assert docebo.send(method, f"/{group}/{path}", **request).status_code == 200
    assert docebo.sandbox.members(group) == set(users)
    call = docebo.sandbox.calls("docebo.add_members")[-1]
    assert (call.action, call.user_ids, call.effect) == (form, 3, True)
    docebo.sandbox.settings(add_forms=sorted({"assign_users", "put_users", "post_users"} - {form}))
    assert docebo.send(method, f"/{group}/{path}", **request).status_code == 404


def test_the_present_members_of_branches_and_groups_are_added(docebo):
    sandbox, group = docebo.sandbox, docebo.new_group()
    root, sales, *_ = (branch.idst for branch in sandbox.branches())
    support = next(item for item in sandbox.groups() if item.name == "Support team")
    body = {"branch_ids": [sales], "group_ids": [support.idst]}
    assert docebo.send("PUT", f"/{group}/users", json=body).status_code == 200
    in_sales = {user.idst for user in sandbox.users() if user.branch == sales}
    assert sandbox.members(group) == in_sales | sandbox.members("Support team")
    sandbox.settings(branch_descendants=True)
    assert docebo.send("PUT", f"/{group}/users", json={"branch_ids": [root]}).status_code == 200
    assert len(sandbox.members(group)) == len(sandbox.users())


@pytest.mark.parametrize("body", [{}, {"user_ids": ["1"]}, {"user_ids": 1}, {"user_ids": [True]}, {"user_all": True}])
def test_an_invalid_addition_is_refused(docebo, body):
    assert docebo.send("PUT", f"/{docebo.new_group()}/assign_users", json=body).status_code == 400


def test_unknown_ids_are_ignored_or_refused_as_set(docebo):
    group, (user, *_) = docebo.new_group(), ids(docebo)
    assert docebo.add(group, [user, 1]).status_code == 200
    assert docebo.sandbox.members(group) == {user}
    docebo.sandbox.settings(unknown_ids="refuse", max_user_ids=2)
    other = docebo.new_group()
    for wrong in ({"user_ids": [user, 1]}, {"branch_ids": [1]}, {"group_ids": [1]}, {"user_ids": ids(docebo)}):
        assert docebo.send("PUT", f"/{other}/users", json=wrong).status_code == 400
    assert docebo.sandbox.members(other) == set()
    assert docebo.add(NO_GROUP, [user]).status_code == 404


def test_members_are_removed_by_id_by_search_or_all(docebo):
    sandbox, group = docebo.sandbox, docebo.new_group()
    users = sandbox.users()
    everybody = [user.idst for user in users]
    docebo.add(group, everybody)
    assert docebo.remove(group, [everybody[0], 1]).json()["data"] == {"success": True, "background_job": False}
    assert sandbox.members(group) == set(everybody[1:])
    docebo.remove(group, user_filters={"search": users[1].email})
    assert sandbox.members(group) == set(everybody[2:])
    docebo.remove(group, user_all=True, user_filters=[users[2].lastname, users[3].lastname])
    assert sandbox.members(group) == set(everybody[4:])
    docebo.remove(group)
    assert sandbox.members(group) == set(everybody[4:])
    docebo.remove(group, user_all=True)
    assert sandbox.members(group) == set()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_all": True},
        {"user_ids": [], "user_all": "yes"},
        {"user_ids": [], "user_filters": {"search": ""}},
        {"user_ids": [], "user_filters": {"name": "x"}},
        {"user_ids": ["1"]},
    ],
)
def test_an_invalid_removal_is_refused(docebo, body):
    group = docebo.new_group()
    assert docebo.send("DELETE", f"/{group}/users", json=body).status_code == 400
    docebo.sandbox.settings(user_ids_required=False)
    assert docebo.send("DELETE", f"/{group}/users", json={"user_all": True}).status_code == 200


def test_a_change_of_many_members_is_a_background_job(docebo):
    sandbox, group = docebo.sandbox, docebo.new_group()
    users = sandbox.seed_users(501)
    assert docebo.add(group, users).json()["data"] == {"success": True, "background_job": True}
    assert docebo.members(group) == []
    latest, *_ = docebo.manage("job", status="running").json()["data"]["jobs"]
    job = {name: latest[name] for name in ("hash", "total", "name")}
    assert (job["total"], docebo.manage(f"job/{job['hash']}").json()["data"]["status"]) == (501, "running")
    assert docebo.manage("job/unknown").status_code == 404
    sandbox.advance(61)
    assert sandbox.members(group) == set(users)
    assert [item.status for item in sandbox.jobs() if item.group == group] == ["completed"]
    sandbox.settings(background_outcome="aborted", background_threshold=0)
    assert docebo.remove(group, users[:1]).json()["data"]["background_job"] is True
    sandbox.advance(61)
    assert sandbox.member_count(group) == 501
    sandbox.settings(background_threshold=None)
    assert docebo.remove(group, users).json()["data"]["background_job"] is False
    assert sandbox.member_count(group) == 0


def test_a_background_job_of_a_deleted_group_changes_nothing(docebo):
    group = docebo.new_group()
    docebo.add(group, docebo.sandbox.seed_users(501))
    docebo.sandbox.delete_group(group)
    docebo.sandbox.advance(61)
    deleted = docebo.sandbox.groups(deleted=True)[-1]
    assert (deleted.uuid, deleted.members) == (group, 0)
    assert docebo.sandbox.jobs()[-1].status == "aborted"


def test_a_change_while_another_one_is_being_answered_is_refused(docebo):
    sandbox, group, users = docebo.sandbox, docebo.new_group(), ids(docebo)
    sandbox.fault("docebo.add_members", "latency", seconds=600)
    first = DoceboCaller(sandbox).log_in()
    first.timeout = 2

    def give_up():
        with pytest.raises(requests.Timeout):
            first.add(group, users[:1])

    waiting = threading.Thread(target=give_up)
    waiting.start()
    assert eventually(lambda: sandbox.counts().get("docebo.add_members") == 1)
    assert docebo.add(group, users).status_code == 409
    assert docebo.remove(group, users).status_code == 409
    assert docebo.members(group) != []
    sandbox.settings(concurrent_changes="allow")
    assert docebo.add(group, users).status_code == 200
    sandbox.settings(concurrent_changes="refuse")
    waiting.join()
    assert eventually(lambda: docebo.add(group, users).status_code == 200)


def test_adding_users_to_automatic_groups_can_be_set_to_be_refused(docebo):
    (user, *_), group = ids(docebo), "Everyone in sales"
    uuid = next(item.uuid for item in docebo.sandbox.groups() if item.name == group)
    assert docebo.add(uuid, [user]).status_code == 200
    assert docebo.sandbox.members(uuid, "manual") == {user}
    docebo.sandbox.settings(manual_in_automatic="refuse")
    assert docebo.add(uuid, [user]).status_code == 400
    assert docebo.remove(uuid, [user]).status_code == 400


def test_members_are_searched_sorted_and_paged(docebo):
    group, users = docebo.new_group(), docebo.sandbox.users()
    docebo.add(group, [user.idst for user in users])
    assert [item["idst"] for item in docebo.members(group)] == [user.idst for user in users]
    assert docebo.members(group)[0].keys() == {"idst", "userid", "firstname", "lastname", "email", "relation_type"}
    backwards = [item["email"] for item in docebo.members(group, sort_attr="email", sort_dir="desc", page_size=2)]
    assert backwards == sorted((user.email for user in users), reverse=True)[:2]
    assert len(docebo.members(group, search_text="ADA.")) == 1
    docebo.sandbox.settings(idst_as="string", relation_names=["m", "a"])
    first = docebo.members(group, page=2, page_size=2)[0]
    assert (first["idst"], first["relation_type"]) == (str(users[2].idst), "m")
    assert docebo.send("GET", f"/{NO_GROUP}/users").status_code == 404
    assert docebo.send("GET", f"/{group}/users", params={"sort_attr": "colour"}).status_code == 400


def test_members_are_exported_as_csv(docebo):
    group = docebo.new_group()
    one = docebo.sandbox.add_user("o'neil, jr", firstname='A "B"', email="o@example.com")
    docebo.add(group, [one])

    def export(**query):
        return docebo.send("GET", f"/{group}/export-users", params=query)

    reply = export(email="true", userid=1, include_header="true")
    assert (reply.content, reply.headers["content-type"]) == (
        b'userid,email\n"o\'neil, jr",o@example.com\n', "text/csv; charset=utf-8"
    )  # fmt: skip
    assert export(firstname="true", userid="true", delimiter=";").text == 'o\'neil, jr;"A ""B"""\n'
    for wrong in ({}, {"email": "perhaps"}, {"email": "true", "delimiter": ";;"}):
        assert export(**wrong).status_code == 400
    docebo.sandbox.settings(export_bom=True, export_line_end="crlf")
    assert export(email="true").content == b"\xef\xbb\xbfo@example.com\r\n"
    docebo.sandbox.settings(export_reply="json")
    assert export(email="true").json()["data"]["items"] == [{"email": "o@example.com"}]


def test_docebo_users_are_searched(docebo):
    docebo.sandbox.add_user("x+y@example.com", firstname="Xenia")
    reply = docebo.manage("user", search_text="X+Y@example.com", match_type="full").json()["data"]
    (user,) = reply["items"]
    assert (user["username"], user["status"], user["first_name"]) == ("x+y@example.com", "1", "Xenia")
    assert user["user_id"].isdigit()
    assert "total_count" not in reply
    everybody = docebo.manage("user", get_total_count=1).json()["data"]
    assert everybody["total_count"] == len(everybody["items"]) == len(docebo.sandbox.users())
    assert docebo.manage("user", search_text="example.com", match_type="full").json()["data"]["items"] == []
    branch = docebo.sandbox.branches()[1].idst
    assert len(docebo.manage("user", branch_id=branch).json()["data"]["items"]) == 2
    latest = docebo.manage("user", sort_attr="user_id", sort_dir="desc", page_size=1).json()["data"]["items"]
    assert latest[0]["user_id"] == user["user_id"]
    assert docebo.manage("user", sort_attr="colour").status_code == 400


def test_users_who_are_added_or_moved_follow_the_rules_of_groups(docebo):
    sandbox = docebo.sandbox
    root, sales, *_ = (branch.idst for branch in sandbox.branches())
    group = "Everyone in sales"
    one = sandbox.add_user("one", branch=sales)
    assert one in sandbox.members(group)
    sandbox.change_user(one, branch=root)
    assert one not in sandbox.members(group)
    sandbox.change_user(one, branch=sales, active=False)
    assert one not in sandbox.members(group)
    sandbox.change_user(one, userid="two", email="two@example.com")
    (two,) = (user for user in sandbox.users() if user.idst == one)
    assert (two.userid, two.email, two.branch, two.active) == ("two", "two@example.com", sales, False)
    many = sandbox.seed_users(1000, branch=sales)
    assert not sandbox.members(group) & set(many)
    sandbox.advance(3601)
    assert set(many) <= sandbox.members(group)
    sandbox.delete_user(many[0])
    assert many[0] not in sandbox.members(group)


def test_the_control_api_changes_docebo_groups_members_and_users(docebo):
    sandbox, users = docebo.sandbox, ids(docebo)
    group = sandbox.create_group("by hand", "d", users[:2])
    sandbox.add_members("by hand", users[2:])
    sandbox.remove_members(group, users[:1])
    assert sandbox.members("by hand") == set(users[1:])
    assert docebo.send("GET", f"/{group}").json()["data"]["description"] == "d"
    sandbox.create_group("by hand")
    for wrong in (
        lambda: sandbox.members("by hand"),
        lambda: sandbox.members("nobody"),
        lambda: sandbox.add_members(group, [1]),
        lambda: sandbox.add_user("admin@example.com"),
        lambda: sandbox.delete_user(1),
        lambda: sandbox.change_user(users[1], userid="ADMIN@example.com"),
        lambda: sandbox.change_user(users[1], branch=1),
        lambda: sandbox.seed_users(1, branch=1),
        lambda: sandbox.create_group("x", ruleset={}),
        lambda: sandbox.settings(colour="red"),
    ):
        with pytest.raises(SandboxError):
            wrong()


def test_a_docebo_request_whose_response_is_lost_is_carried_out(docebo):
    group, users = docebo.new_group(), ids(docebo)
    docebo.sandbox.fault("docebo.add_members", "status", status=503, effect=True, action="assign_users")
    assert docebo.add(group, users).status_code == 503
    assert docebo.sandbox.members(group) == set(users)
    assert docebo.add(group, users).status_code == 200


def test_a_docebo_sandbox_continues_after_a_restart_on_the_same_file(tmp_path):
    path = str(tmp_path / "sandbox.db")
    with SandboxServer(database=path, docebo={"background_threshold": 0}) as server:
        first = DoceboCaller(DoceboSandboxClient(server.url)).log_in()
        group, users = first.new_group(), ids(first)
        first.add(group, users)
        token = first.session.headers["authorization"]
        first.sandbox.create_group("auto", ruleset=branch_rules(first.sandbox.branches()[0].idst))
    with SandboxServer(database=path) as server:
        again = DoceboCaller(DoceboSandboxClient(server.url))
        again.session.headers["authorization"] = token
        assert again.members(group) == []
        again.sandbox.advance(61)
        assert [item["idst"] for item in again.members(group)] == users
        assert len(again.sandbox.users()) == 9
        assert again.sandbox.groups()[-1].name == "auto"
        again.sandbox.reset()
        assert [item.name for item in again.sandbox.groups()] == ["Support team", "Everyone in sales"]


def test_docebo_settings_begin_with_the_defaults(docebo):
    assert DoceboSettings.model_validate(docebo.sandbox.settings()) == DoceboSettings()
    assert DoceboSettings().changed({"add_forms": "put_users post_users", "create_status": "201"}).create_status == 201


def test_the_docebo_fixture_sets_a_connection_to_the_sandbox(docebo_sandbox):
    connection = json.loads(os.environ["AIRFLOW_CONN_DOCEBO_DEFAULT"])
    assert connection == docebo_sandbox.connection()
    assert (connection["conn_type"], connection["host"]) == ("docebo", docebo_sandbox.docebo_url)
    assert connection["login"] == docebo_sandbox.client_id != DoceboSettings().client_id
    user = DoceboCaller(docebo_sandbox).token(
        grant_type="password", username=docebo_sandbox.username, password=docebo_sandbox.password
    )
    assert user.status_code == 200
    assert docebo_sandbox.connection(grant="password")["extra"] == {"grant": "password"}
    assert DoceboCaller(docebo_sandbox).log_in().send("GET").status_code == 200
