"""The guard of the hooks: a write whose list is unexpectedly short does not remove many members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.operators.zendesk import ZendeskUpdateUserSegmentOperator
from tests.operators.task import context

NAME = "Trial users"


@dataclass(frozen=True)
class Exact:
    """A write that makes the members exactly its users.

    :param begin: Creates the group with these members.
    :param write: Makes the members exactly these.
    :param about: Returns what else the write changes of the group.
    """

    sandbox: Any
    users: list[Any]
    begin: Callable[[list[Any]], object]
    write: Callable[..., Any]
    members: Callable[[], set[Any]]
    about: Callable[[], object]


def docebo(sandbox) -> Exact:
    return Exact(
        sandbox,
        sandbox.seed_users(200),
        lambda users: sandbox.create_group(NAME, user_ids=users),
        lambda users, **options: DoceboHook().create_group(
            NAME, users, if_exists="update", description="new", **options
        ),
        lambda: sandbox.members(NAME),
        lambda: [group.description for group in sandbox.groups() if group.name == NAME],
    )


def alteryx(sandbox) -> Exact:
    return Exact(
        sandbox,
        sandbox.seed_users(200),
        lambda users: sandbox.create_group(NAME, "Viewer", users),
        lambda users, **options: AlteryxServerHook().create_user_group(
            NAME, users, if_exists="update", role="Member", **options
        ),
        lambda: sandbox.members(NAME),
        lambda: [group.role for group in sandbox.groups()],
    )


def zendesk(sandbox, write) -> Exact:
    def segment():
        return next(one for one in sandbox.segments() if one.name == NAME)

    return Exact(
        sandbox,
        list(sandbox.seed_users(200)),
        lambda users: sandbox.create_segment(NAME, added_user_ids=users),
        write,
        lambda: set(segment().added_user_ids),
        lambda: segment().tags,
    )


def zendesk_create(sandbox) -> Exact:
    return zendesk(
        sandbox,
        lambda users, **options: ZendeskHelpCenterHook().create_user_segment(
            NAME, users, if_exists="update", tags=["vip"], **options
        ),
    )


def zendesk_set(sandbox) -> Exact:
    return zendesk(sandbox, lambda users, **options: ZendeskHelpCenterHook().set_users(users, name=NAME, **options))


def zendesk_set_and_rules(sandbox) -> Exact:
    def write(users, **options):
        task: Any = ZendeskUpdateUserSegmentOperator(
            task_id="task", name=NAME, user_ids=users, action="set", tags=["vip"], **options
        )
        return task.execute(context())

    return zendesk(sandbox, write)


@pytest.fixture(params=[docebo, alteryx, zendesk_create, zendesk_set, zendesk_set_and_rules])
def exact(request):
    vendor = request.param.__name__.partition("_")[0]
    return request.param(request.getfixturevalue(f"{vendor}_sandbox"))


@pytest.mark.parametrize(
    ("members", "kept", "options", "refused"),
    [
        (100, 80, {}, False),
        (100, 79, {}, True),
        (100, 79, {"max_removed_fraction": "0.21"}, False),
        (100, 99, {"max_removed_fraction": 0}, True),
        # Below 100 members: more than 10 and more than half.
        (99, 50, {}, False),
        (99, 49, {}, True),
        (10, 0, {}, False),
        (20, 9, {}, True),
        (20, 9, {"max_removed_fraction": 0.55}, False),
    ],
)
def test_a_write_that_removes_more_members_than_the_limit_is_refused_without_a_change(
    exact, members, kept, options, refused
):
    before = exact.users[:members]
    wanted = [*before[:kept], *exact.users[150:]]
    exact.begin(before)
    about = exact.about()
    if not refused:
        exact.write(wanted, **options)
        assert exact.members() == set(wanted)
        return
    with pytest.raises(InvalidInput) as caught:
        exact.write(wanted, **options)
    assert f"{members - kept} of {members} members" in str(caught.value)
    assert "`max_removed_fraction`" in str(caught.value)
    assert exact.members() == set(before)
    assert exact.about() == about
    writes = [call for call in exact.sandbox.calls() if call.method != "GET" and "token" not in call.endpoint]
    assert writes == []


def test_an_empty_list_of_members_is_refused_unless_allow_empty(exact):
    exact.begin(exact.users[:120])
    with pytest.raises(InvalidInput, match="allow_empty"):
        exact.write([])
    assert exact.members() == set(exact.users[:120])
    exact.write([], allow_empty=True)
    assert exact.members() == set()


def test_a_repeated_write_removes_no_member(exact):
    exact.begin(exact.users[:120])
    for _ in range(2):
        exact.write(exact.users[:120], max_removed_fraction=0)
    assert exact.members() == set(exact.users[:120])


def test_a_max_removed_fraction_that_is_not_a_fraction_is_refused(exact):
    exact.begin(exact.users[:5])
    with pytest.raises(InvalidInput, match="`max_removed_fraction`"):
        exact.write(exact.users[:5], max_removed_fraction=2)


def test_the_limit_of_removals_counts_for_a_segment_that_an_earlier_try_renamed(zendesk_sandbox):
    users = list(zendesk_sandbox.seed_users(120))
    zendesk_sandbox.create_segment("New name", added_user_ids=users)

    def write(kept):
        task: Any = ZendeskUpdateUserSegmentOperator(
            task_id="task", name=NAME, new_name="New name", action="set", user_ids=users[:kept]
        )
        task.execute(context())

    with pytest.raises(InvalidInput, match="70 of 120 members"):
        write(50)
    write(110)
    assert set(zendesk_sandbox.segments()[0].added_user_ids) == set(users[:110])


def test_the_limit_of_removals_counts_members_that_the_list_of_segments_lacks(zendesk_sandbox):
    users = list(zendesk_sandbox.seed_users(120))
    segment = zendesk_sandbox.create_segment(NAME, added_user_ids=users)
    entry = {"id": segment, "name": NAME, "built_in": False}
    zendesk_sandbox.fault("zendesk.list_segments", "status", status=200, body={"user_segments": [entry]}, times=None)
    hook = ZendeskHelpCenterHook()
    with pytest.raises(InvalidInput, match="70 of 120 members"):
        hook.create_user_segment(NAME, users[:50], if_exists="update")
    with pytest.raises(InvalidInput, match="70 of 120 members"):
        hook.set_users(users[:50], name=NAME)


def test_an_empty_list_is_refused_before_docebo_lists_all_members(docebo_sandbox, monkeypatch):
    docebo_sandbox.create_group(NAME, user_ids=docebo_sandbox.seed_users(120))
    monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", docebo_sandbox.connection_json(page_size=10))
    with pytest.raises(InvalidInput, match="allow_empty"):
        DoceboHook().create_group(NAME, [], if_exists="update")
    assert docebo_sandbox.counts()["docebo.list_members"] == 1
