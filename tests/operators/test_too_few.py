"""Every operator that takes users refuses a write, before it begins, if too few of the users are usable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.alteryx import (
    AlteryxServerAddUserGroupUsersOperator,
    AlteryxServerCreateUserGroupOperator,
    AlteryxServerRemoveUserGroupUsersOperator,
)
from airflow_segments_provider.operators.docebo import (
    DoceboAddGroupUsersOperator,
    DoceboCreateGroupOperator,
    DoceboRemoveGroupUsersOperator,
)
from airflow_segments_provider.operators.walkme import WalkMeCreateSegmentOperator, WalkMeUpdateSegmentOperator
from airflow_segments_provider.operators.zendesk import (
    ZendeskCreateUserSegmentOperator,
    ZendeskUpdateUserSegmentOperator,
    ZendeskUpdateUsersOperator,
)
from tests.operators.task import context

NAME = "Trial users"


@dataclass(frozen=True)
class Write:
    """An operator, and its parameters besides the users.

    :param by: The identity by which users are looked up; empty for WalkMe, which has no look-up.
    """

    vendor: str
    operator: type
    by: str = ""
    exists: bool = True
    given: dict[str, Any] | None = None


WALKME: dict[str, Any] = {"vendor": "walkme"}
DOCEBO: dict[str, Any] = {"vendor": "docebo", "by": "email"}
ALTERYX: dict[str, Any] = {"vendor": "alteryx", "by": "email"}
ZENDESK: dict[str, Any] = {"vendor": "zendesk", "by": "external_id"}
NAMED = {"name": NAME}
WRITES = {
    "walkme create": Write(**WALKME, operator=WalkMeCreateSegmentOperator, given=NAMED, exists=False),
    "walkme make exact": Write(**WALKME, operator=WalkMeCreateSegmentOperator, given={**NAMED, "if_exists": "update"}),
    "walkme add": Write(**WALKME, operator=WalkMeUpdateSegmentOperator, given={**NAMED, "action": "add"}),
    "walkme remove": Write(**WALKME, operator=WalkMeUpdateSegmentOperator, given={**NAMED, "action": "remove"}),
    "walkme override": Write(**WALKME, operator=WalkMeUpdateSegmentOperator, given={**NAMED, "action": "override"}),
    "docebo create": Write(**DOCEBO, operator=DoceboCreateGroupOperator, given=NAMED, exists=False),
    "docebo make exact": Write(**DOCEBO, operator=DoceboCreateGroupOperator, given={**NAMED, "if_exists": "update"}),
    "docebo add": Write(**DOCEBO, operator=DoceboAddGroupUsersOperator, given=NAMED),
    "docebo remove": Write(**DOCEBO, operator=DoceboRemoveGroupUsersOperator, given=NAMED),
    "alteryx create": Write(**ALTERYX, operator=AlteryxServerCreateUserGroupOperator, given=NAMED, exists=False),
    "alteryx make exact": Write(
        **ALTERYX, operator=AlteryxServerCreateUserGroupOperator, given={**NAMED, "if_exists": "update"}
    ),
    "alteryx add": Write(**ALTERYX, operator=AlteryxServerAddUserGroupUsersOperator, given=NAMED),
    "alteryx remove": Write(**ALTERYX, operator=AlteryxServerRemoveUserGroupUsersOperator, given=NAMED),
    "zendesk create": Write(**ZENDESK, operator=ZendeskCreateUserSegmentOperator, given=NAMED, exists=False),
    "zendesk make exact": Write(
        **ZENDESK, operator=ZendeskCreateUserSegmentOperator, given={**NAMED, "if_exists": "update"}
    ),
    "zendesk add": Write(**ZENDESK, operator=ZendeskUpdateUserSegmentOperator, given={**NAMED, "action": "add"}),
    "zendesk remove": Write(**ZENDESK, operator=ZendeskUpdateUserSegmentOperator, given={**NAMED, "action": "remove"}),
    "zendesk set": Write(**ZENDESK, operator=ZendeskUpdateUserSegmentOperator, given={**NAMED, "action": "set"}),
    "zendesk set and rules": Write(
        **ZENDESK, operator=ZendeskUpdateUserSegmentOperator, given={**NAMED, "action": "set", "tags": ["vip"]}
    ),
    "zendesk update users": Write(**ZENDESK, operator=ZendeskUpdateUsersOperator, given={"change": {"notes": "x"}}),
}
LOOKED_UP = {name: write for name, write in WRITES.items() if write.by}


@dataclass(frozen=True)
class Vendor:
    """A sandbox with 100 users by identity."""

    sandbox: Any
    known: list[str]
    make: Callable[[], object]

    def writes(self) -> list[str]:
        """Return the requests that may have changed anything."""
        calls = [call for call in self.sandbox.calls() if "token" not in call.endpoint]
        return [call.endpoint for call in calls if call.method != "GET"]


def walkme(sandbox) -> Vendor:
    return Vendor(sandbox, [f"user-{number}" for number in range(100)], lambda: sandbox.create_segment(NAME))


def docebo(sandbox) -> Vendor:
    known = [f"learner{number}@example.com" for number in sandbox.seed_users(100)]
    return Vendor(sandbox, known, lambda: sandbox.create_group(NAME))


def alteryx(sandbox) -> Vendor:
    ids = set(sandbox.seed_users(100))
    known = [user.email for user in sandbox.users() if user.id in ids]
    return Vendor(sandbox, known, lambda: sandbox.create_group(NAME))


def zendesk(sandbox) -> Vendor:
    numbers = set(sandbox.seed_users(100))
    known = [str(user.external_id) for user in sandbox.users() if user.id in numbers]
    return Vendor(sandbox, known, lambda: sandbox.create_segment(NAME))


@pytest.fixture
def vendor(request, write):
    found = {"walkme": walkme, "docebo": docebo, "alteryx": alteryx, "zendesk": zendesk}[write.vendor](
        request.getfixturevalue(f"{write.vendor}_sandbox")
    )
    if write.exists:
        found.make()
    return found


def run(write: Write, users: list[str], **options: object) -> dict[str, Any]:
    """Run the task with parameters as text, as a template renders them."""
    by = {"identify_by": write.by} if write.by else {}
    task: Any = write.operator(
        task_id="task", user_ids=users, on_invalid="skip", **by, **(write.given or {}), **options
    )
    result: dict[str, Any] = task.execute(context())
    return result


def refused(vendor: Vendor, write: Write, users: list[str], **options: object) -> str:
    """Check that nothing was written, and return the reason of the refusal."""
    with pytest.raises(InvalidInput) as caught:
        run(write, users, **options)
    assert vendor.writes() == []
    assert not any(user.strip() and user in str(caught.value) for user in users)
    return str(caught.value)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
class TestInvalid:
    def test_a_write_without_valid_users_is_refused_whatever_the_limit(self, vendor, write):
        for options in ({}, {"max_invalid_fraction": "1"}):
            assert "3 of 3 user IDs are invalid: none is valid" in refused(vendor, write, ["", " ", "\x00"], **options)

    def test_a_write_with_more_invalid_users_than_the_limit_is_refused(self, vendor, write):
        message = refused(vendor, write, [*vendor.known[:79], *[""] * 21])
        assert "21 of 100 user IDs are invalid: the limit is 20.0% (`max_invalid_fraction`)" in message

    def test_a_write_with_as_many_invalid_users_as_the_limit_is_sent(self, vendor, write):
        result = run(write, [*vendor.known[:80], *[""] * 20])
        assert result["users_rejected"] == {"blank": 20}
        result = run(write, [*vendor.known[:79], *[""] * 21], max_invalid_fraction="0.21")
        assert result["users_rejected"] == {"blank": 21}

    def test_of_fewer_than_a_hundred_users_all_but_one_may_be_invalid(self, vendor, write):
        assert run(write, [vendor.known[0], *[""] * 98])["users_sent"] == 1

    def test_a_max_invalid_fraction_that_is_not_a_fraction_is_refused(self, vendor, write):
        for wrong in ("-0.1", "1.1", "half"):
            assert "`max_invalid_fraction`" in refused(vendor, write, vendor.known, max_invalid_fraction=wrong)

    def test_the_limits_of_invalid_and_unmatched_users_are_template_fields(self, vendor, write):
        limits = {"max_invalid_fraction"} | ({"max_unmatched_fraction"} if write.by else set())
        assert limits <= set(write.operator.template_fields)


@pytest.mark.parametrize("write", LOOKED_UP.values(), ids=LOOKED_UP)
class TestUnmatched:
    def test_a_write_without_matched_users_is_refused_whatever_the_limit(self, vendor, write):
        for options in ({}, {"max_unmatched_fraction": "1"}):
            message = refused(vendor, write, strangers(3), on_unmatched="skip", **options)
            assert "3 of 3 " in message
            assert "None was found, which `on_unmatched` cannot allow" in message

    def test_a_write_with_more_unmatched_users_than_the_limit_is_refused(self, vendor, write):
        message = refused(vendor, write, [*vendor.known[:79], *strangers(21)], on_unmatched="skip")
        assert "21 of 100 " in message
        assert "the limit is 20.0% (`max_unmatched_fraction`)" in message

    def test_a_write_with_as_many_unmatched_users_as_the_limit_is_sent(self, vendor, write):
        result = run(write, [*vendor.known[:80], *strangers(20)], on_unmatched="skip")
        assert result["users_unmatched"] == {"no such user": 20}
        users = [*vendor.known[:79], *strangers(21)]
        result = run(write, users, on_unmatched="skip", max_unmatched_fraction="0.21")
        assert result["users_unmatched"] == {"no such user": 21}

    def test_of_fewer_than_a_hundred_users_all_but_one_may_be_unmatched(self, vendor, write):
        assert run(write, [vendor.known[0], *strangers(98)], on_unmatched="skip")["users_sent"] == 1

    def test_a_write_with_an_unmatched_user_is_refused_unless_on_unmatched_is_skip(self, vendor, write):
        message = refused(vendor, write, [*vendor.known[:79], *strangers(1)])
        assert "1 of 80 " in message
        assert '`on_unmatched="skip"`' in message


def strangers(count: int) -> list[str]:
    return [f"nobody{number}@example.com" for number in range(count)]
