"""The segment of a sync: how a DAG names it, how it is created, and the requests of a read-only connection."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.targets.parse import TARGETS, target_of
from tests.targets.accounts import BY_ID, NAME, TAG

by_email = pytest.mark.parametrize("account", [(kind, "email") for kind, _ in BY_ID], ids="-".join, indirect=True)
CREATIONS = {"docebo": "docebo.create_group", "alteryx": "alteryx.create_group", "zendesk": "zendesk.create_segment"}


def options(account):
    return {"via": "tag", "tag": TAG} if account.kind == "tag" else {}


@by_email
@pytest.mark.parametrize("fault", ["", "lost", "reset", "reset_mid_body"])
def test_a_segment_is_created_once_whatever_happens_to_the_response(account, sync, fault):
    user = account.user()
    if fault:
        account.sandbox.fault(CREATIONS[account.vendor], fault)
    ran = sync([user.value])
    if fault == "reset" and account.vendor != "alteryx":
        # The create may still be carried out, and names are not unique, so it is not repeated at once.
        assert "Run the task again: it looks first." in ran.error
        ran = sync([user.value])
    assert ran.counts["applied"] == 1
    assert sync([user.value]).result["outcome"] == "unchanged"
    assert (account.groups(), account.members()) == ([NAME], {user.id})


@by_email
def test_a_creation_whose_outcome_stays_unknown_is_continued_by_the_next_run(account, sync):
    user = account.user()
    account.sandbox.fault(CREATIONS[account.vendor], "lost", times=1)
    reads = {"docebo": "list_groups", "alteryx": "list_groups", "zendesk": "list_segments"}[account.vendor]
    account.sandbox.fault(f"{account.vendor}.{reads}", "status", status=500, times=None, skip=2)
    assert sync([user.value]).error != ""
    account.sandbox.clear_faults()
    assert sync([user.value]).counts["applied"] == 1
    assert (account.groups(), account.members()) == ([NAME], {user.id})


@by_email
def test_an_object_a_dict_and_an_address_are_one_target(account, sync):
    users = account.users(4)
    query = "".join(f"&{name}={value}" for name, value in options(account).items())
    address = f"{account.vendor}:///Trial%20users?create=true&identity=email{query}"
    described = {"vendor": account.vendor, "name": NAME, "create": "true", "identity": "email", **options(account)}
    by_id = f"{account.vendor}://{account.make()}?identity=email{query}"
    first = {} if account.lists else {"first_sync": "add"}
    for number, target in enumerate((address, described, account.target(), by_id)):
        source = [user.value for user in users[: number + 1]]
        ran = sync(source, target=target, **(first if not number else {}))
        assert (ran.counts["wanted"], ran.counts["add"]) == (number + 1, 1)
    assert (account.groups(), account.members()) == ([NAME], {user.id for user in users})


@pytest.mark.parametrize(
    "address",
    [
        "docebo:///Team #1", "docebo:///Who?", "docebo:///Who?\n", "docebo:///A?B", "docebo:///A?name=B",
        "docebo:///A?vendor=walkme", "docebo://7?group_id=8", "docebo:///A?create=true&create=false", "docebo:///A\tB",
        "docebo:///%ff", "docebo:///A?identity=%ff", "docebo://Team [1]",
    ],
)  # fmt: skip
def test_an_address_that_is_not_clear_is_rejected(address):
    """The parser drops what follows `#` and `?`: another group would get the users."""
    with pytest.raises(InvalidInput, match=r"its address is not clear.*`\| urlencode`"):
        target_of(address)


def test_a_name_in_an_address_is_read_whole():
    for name in ("Team #1?", "100%", "A&B=C", "Team [1]", "a/b", "/a", "é"):
        assert str(target_of(f"docebo:///{quote(name)}?create=true\n")) == str(
            target_of({"vendor": "docebo", "name": name, "create": True})
        )
    with pytest.raises(InvalidInput, match="a dict with a `vendor`"):
        target_of({"vendor": ["docebo"], "name": "Team"})


@by_email
def test_a_segment_that_does_not_exist_is_an_error_without_create(account, sync):
    ran = sync([account.user().value], target=account.target(create=False))
    assert re.search(r"has no such .*nothing was changed.*`create=True`", ran.error)
    assert (account.groups(), ran.writes) == ([], 0)


@pytest.mark.parametrize("vendor", sorted(TARGETS))
def test_an_unknown_identity_is_refused_with_the_known_ones(vendor):
    known = {
        "alteryx": "`id`, `email`",
        "docebo": "`id`, `email`, `username`",
        "walkme": "`id`",
        "zendesk": "`id`, `email`, `external_id`",
    }[vendor]
    if vendor == "walkme":
        with pytest.raises(InvalidInput, match="does not accept one of"):
            target_of(f"{vendor}:///x?identity=email")
        return
    with pytest.raises(InvalidInput) as caught:
        target_of(f"{vendor}:///x?identity=phone").open()
    assert f"`identity` must be one of {known}." in str(caught.value)
    assert len(caught.value.problems) == 1


@by_email
def test_a_sync_on_a_read_only_connection_sends_no_write(account, sync, connect):
    connect(read_only=True)
    user = account.user()
    ran = sync([user.value])
    assert "`read_only`" in ran.error
    assert (sum(ran.received.values()), account.groups()) == (0, [])
    planned = sync([user.value], plan_only=True)
    assert (planned.result["outcome"], planned.writes, account.groups()) == ("planned", 0, [])
    connect()
    assert sync([user.value]).counts["applied"] == 1
    connect(read_only=True)
    assert "`read_only`" in sync([]).error
    planned = sync([account.user().value], plan_only=True)
    assert (planned.counts["add"], planned.counts["remove"], planned.writes) == (1, 1, 0)
    assert account.members() == {user.id}
