"""The look-up of the vendor's user IDs by the identities of users."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.vendors.base.lookup import IdRules, UserRules
from airflow_segments_provider.vendors.base.parameters import LookupParameters
from airflow_segments_provider.vendors.base.preparation import prepare

KNOWN: dict[str, str | None] = {f"user{number}@example.com": str(number) for number in range(30)}
KNOWN["twins@example.com"] = None
KNOWN["alias@example.com"] = "1"


class Api:
    where = "The Airflow connection is 'stub'."

    class client:
        check_writable = staticmethod(lambda subject: None)


class Rules(UserRules):
    identities = {"email": "e-mail addresses"}

    def __init__(self):
        super().__init__(Api())
        self.asked = []

    def id_rules(self, identify_by):
        return IdRules(255, 10) if identify_by == "email" else IdRules(20, 4)

    def user_key(self, value):
        return value.lower()

    def look_up(self, identify_by, users):
        return nullcontext(self.look)

    def look(self, batch):
        self.asked.append(batch)
        return {value: KNOWN[value] for value in batch if value in KNOWN}


class ByEmail(LookupParameters):
    identify_by: Literal["id", "email"] = "email"


def run(values, on_unmatched="fail", identify_by="email"):
    rules, parameters = Rules(), {"on_unmatched": on_unmatched, "identify_by": identify_by}
    with prepare(rules, "The addition of users", ByEmail, parameters, values) as (_, write):
        ids = [batch.ids() for batch in write.users.batches()]
        return ids, write.left_out.get("users_unmatched", {}), rules.asked


def test_ids_are_not_looked_up():
    assert run(["1", "2"], identify_by="id") == ([["1", "2"]], {}, [])


def test_each_identity_of_a_batch_is_looked_up_once_and_ids_are_sent_in_batches():
    values = [f"user{number}@example.com" for number in (1, 2, 1, 3, 4, 5)]
    ids, unmatched, asked = run(values)
    assert ids == [["1", "2", "3", "4"], ["5"]]
    assert unmatched == {}
    assert asked == [[f"user{number}@example.com" for number in (1, 2, 3, 4, 5)]]


def test_a_user_is_sent_once_whatever_the_spellings_and_batches():
    values = ["user1@example.com", *(f"user{number}@example.com" for number in range(2, 12)), "USER1@example.com"]
    ids, unmatched, asked = run([*values, "alias@example.com"])
    assert [user for batch in ids for user in batch] == [str(number) for number in range(1, 12)]
    assert unmatched == {}
    assert "USER1@example.com" not in asked[1]


def test_an_empty_list_looks_no_user_up():
    assert run([]) == ([], {}, [])


def test_unmatched_users_are_refused_in_one_message_by_reason_without_names():
    with pytest.raises(InvalidInput) as caught:
        run(["user1@example.com", "gone@example.com", "lost@example.com", "twins@example.com"])
    assert "2 of 4 e-mail addresses belong to no such user. 1 of 4 e-mail addresses belong to several users." in str(
        caught.value
    )
    assert "@" not in str(caught.value)


def test_unmatched_users_are_skipped_and_counted_with_on_unmatched_skip():
    ids, unmatched, _ = run(["user1@example.com", "gone@example.com", "twins@example.com"], on_unmatched="skip")
    assert (ids, unmatched) == ([["1"]], {"no such user": 1, "several users": 1})
