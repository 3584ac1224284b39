"""A vendor may spell IDs differently from the source: a user who is to stay is not removed because of that."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from tests.cli.contract.relay import Relay
from tests.conftest import RETRY

NAME = "Trial users"
TEXTS = {
    "upper": lambda found: b'"%s"' % found[1].upper(),
    "braces": lambda found: b'"{%s}"' % found[1].upper(),
    "space": lambda found: b'" %s\\n"' % found[1],
}
NUMBERS = {
    "text": lambda found: b'"%s"' % found[0],
    "space": lambda found: b'" %s "' % found[0],
    "zeros": lambda found: b'"000%s"' % found[0],
}


class Respelled(Relay):
    """Relay that spells IDs in the responses to reads differently, and accepts that spelling in paths.

    :param paths: Pattern of the paths of these responses.
    """

    def __init__(self, behind: str, paths: str, ids: bytes, spell: Callable[[re.Match[bytes]], bytes]) -> None:
        super().__init__(behind)
        self.change = lambda path, content: re.sub(ids, spell, content) if re.search(paths, path) else content

    def ask(self, method, path, headers, body):
        status, kind, content = super().ask(method, re.sub("%7B|%7D|other-", "", path), headers, body)
        return status, kind, self.change(path, content) if method == "GET" else content


@pytest.fixture
def respelled(monkeypatch):
    """Return a function that puts a relay between a sandbox and its Airflow connection."""
    running = []

    def begin(sandbox, connection: str, *how) -> None:
        relay = Respelled(sandbox.url, *how).running()
        url = relay.__enter__().url
        running.append(relay)
        fields = sandbox.connection_json(retry=RETRY).replace(sandbox.url, url)
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection}", fields)

    yield begin
    for relay in running:
        relay.__exit__(None, None, None)


ALTERYX = ("ALTERYX_SERVER_DEFAULT", "/usergroups/", rb'"(5f[0-9a-f]{22})"')


@pytest.mark.parametrize("on_refused", ["fail", "skip"])
@pytest.mark.parametrize("existing", ["reported", "silent", "counted"])
def test_alteryx_members_whose_ids_the_source_has_in_upper_case_stay(alteryx_sandbox, on_refused, existing):
    alteryx_sandbox.settings(existing_member=existing)
    users = alteryx_sandbox.seed_users(4)
    alteryx_sandbox.create_group(NAME, "Viewer", users[:3])
    upper = [user.upper() for user in users[1:]]

    change = AlteryxServerHook().create_user_group(NAME, upper, if_exists="update", on_refused=on_refused)

    assert alteryx_sandbox.members(NAME) == set(users[1:])
    assert (change.users_removed, change.users_refused) == (1, {})


@pytest.mark.parametrize("spelling", TEXTS)
def test_alteryx_members_whose_ids_the_server_spells_otherwise_stay(alteryx_sandbox, respelled, spelling):
    users = alteryx_sandbox.seed_users(4)
    alteryx_sandbox.create_group(NAME, "Viewer", users[:3])
    respelled(alteryx_sandbox, *ALTERYX, TEXTS[spelling])
    change = AlteryxServerHook().create_user_group(NAME, users[1:], if_exists="update", on_refused="skip")

    assert alteryx_sandbox.members(NAME) == set(users[1:])
    assert (change.users_removed, change.users_refused) == (1, {})


@pytest.mark.parametrize("existing", ["reported", "silent", "counted"])
@pytest.mark.parametrize("shown", ["all", "one"])
def test_alteryx_removes_no_member_if_the_added_users_are_listed_with_other_ids(
    alteryx_sandbox, respelled, existing, shown
):
    alteryx_sandbox.settings(existing_member=existing)
    users = alteryx_sandbox.seed_users(4)
    alteryx_sandbox.create_group(NAME, "Viewer", users[:3])
    ids = ALTERYX[2] if shown == "all" else b'"(%s)"' % users[1].encode()
    respelled(alteryx_sandbox, ALTERYX[0], "/usergroups/|/users/", ids, lambda found: b'"other-%s"' % found[1])
    with pytest.raises(UnexpectedReply, match="No user was removed"):
        AlteryxServerHook().create_user_group(NAME, users[1:], if_exists="update", on_refused="skip")
    assert alteryx_sandbox.members(NAME) == set(users)


def test_alteryx_removes_no_member_if_the_added_users_are_not_listed(alteryx_sandbox, respelled):
    alteryx_sandbox.settings(existing_member="counted")
    users = alteryx_sandbox.seed_users(4)
    alteryx_sandbox.create_group(NAME, "Viewer", users[:3])
    one = b'"(%s)"' % users[1].encode()
    respelled(alteryx_sandbox, ALTERYX[0], "/usergroups/", one, lambda found: b'"other-%s"' % found[1])
    with pytest.raises(UnexpectedReply, match="No user was removed"):
        AlteryxServerHook().create_user_group(NAME, users[1:], if_exists="update")
    assert alteryx_sandbox.members(NAME) == set(users)


def test_unknown_alteryx_users_do_not_prevent_the_removal_of_members(alteryx_sandbox):
    users = alteryx_sandbox.seed_users(3)
    alteryx_sandbox.create_group(NAME, "Viewer", users[:2])
    unknown = ["0123456789abcdef01234567", users[2]]
    change = AlteryxServerHook().create_user_group(NAME, unknown, if_exists="update", on_refused="skip")
    assert alteryx_sandbox.members(NAME) == {users[2]}
    assert (change.users_removed, sum(change.users_refused.values())) == (2, 1)


@pytest.mark.parametrize("spelling", NUMBERS)
def test_docebo_members_whose_ids_docebo_spells_otherwise_stay(docebo_sandbox, respelled, spelling):
    users = docebo_sandbox.seed_users(4)
    docebo_sandbox.create_group(NAME, user_ids=users[:3])
    respelled(docebo_sandbox, "DOCEBO_DEFAULT", "/users", rb'(?<="idst": )(\d+)', NUMBERS[spelling])
    change = DoceboHook().create_group(NAME, [f"00{user}" for user in users[1:]], if_exists="update")

    assert docebo_sandbox.members(NAME) == set(users[1:])
    assert (change.users_sent, change.users_removed) == (1, 1)


@pytest.mark.parametrize(("threshold", "kept"), [(None, True), (0, False)])
def test_docebo_removes_no_member_if_none_of_the_added_users_is_listed(docebo_sandbox, threshold, kept):
    docebo_sandbox.settings(background_threshold=threshold)
    users = docebo_sandbox.seed_users(3)
    docebo_sandbox.create_group(NAME, user_ids=users)
    if kept:
        with pytest.raises(UnexpectedReply, match="No user was removed"):
            DoceboHook().create_group(NAME, [1, 2], if_exists="update")
    else:  # The result of a background job is not visible yet.
        assert DoceboHook().create_group(NAME, [1, 2], if_exists="update").background_job
        docebo_sandbox.advance(60)
    assert docebo_sandbox.members(NAME) == (set(users) if kept else set())


def test_all_members_of_a_docebo_group_can_be_replaced(docebo_sandbox):
    users = docebo_sandbox.seed_users(4)
    docebo_sandbox.create_group(NAME, user_ids=users[:2])
    change = DoceboHook().create_group(NAME, [1, *users[2:]], if_exists="update")
    assert docebo_sandbox.members(NAME) == set(users[2:])
    assert change.users_removed == 2


@pytest.mark.parametrize("spelling", NUMBERS)
def test_zendesk_users_whose_ids_zendesk_spells_otherwise_stay(zendesk_sandbox, respelled, spelling):
    users = list(zendesk_sandbox.seed_users(4))
    segment = zendesk_sandbox.create_segment(NAME, added_user_ids=users[:3])
    ids = "|".join(map(str, users)).encode()
    respelled(zendesk_sandbox, "ZENDESK_HELP_CENTER_DEFAULT", "/user_segments", ids, NUMBERS[spelling])
    ours = [f"00{user}" for user in users[1:]]
    change = ZendeskHelpCenterHook().create_user_segment(NAME, ours, if_exists="update")

    assert zendesk_sandbox.segments()[-1].added_user_ids == users[1:]
    assert (change.user_segment_id, change.users_added, change.users_removed) == (segment, 1, 1)


@pytest.mark.parametrize("spelling", ["upper", "plain"])
def test_a_walkme_segment_whose_external_id_is_spelled_otherwise_is_found(walkme_sandbox, respelled, spelling):
    first = WalkMeHook().create_segment(NAME, ["ADA", "ada", "007"])
    spell = {"upper": bytes.upper, "plain": lambda text: text.replace(b"-", b"")}[spelling]
    respelled(
        walkme_sandbox,
        "WALKME_DEFAULT",
        "/segments",
        str(first.external_id).encode(),
        lambda found: spell(found[0]),
    )
    change = WalkMeHook().create_segment(NAME, ["ADA", "7"], if_exists="update")

    # The caller chooses the users' IDs, and WalkMe does not change them.
    assert walkme_sandbox.members(NAME) == {"ADA", "7"}
    assert (change.outcome, change.segment_guid) == ("updated", first.segment_guid)
