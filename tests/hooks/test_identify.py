"""From what people are known by to the vendor's ids of them."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.vendors.base.lookup import identified
from airflow_segments_provider.vendors.base.parameters import FoundUsers

KNOWN: dict[str, str | None] = {f"user{number}@example.com": str(number) for number in range(30)}
KNOWN["twins@example.com"] = None
KNOWN["alias@example.com"] = "1"


def run(values, on_unmatched="fail", look_up=True):
    asked = []

    def look(batch):
        asked.append(batch)
        return {value: KNOWN[value] for value in batch if value in KNOWN}

    with StagedUserIds(max_length=255, per_request=10) as staged:
        staged.fill(values)
        with identified(
            staged,
            look if look_up else None,
            FoundUsers(on_unmatched=on_unmatched),
            wanted="e-mail addresses",
            key=str.lower,
            kept=None,
            per_request=4,
            max_length=20,
            subject="The addition of users",
        ) as found:
            return [batch.ids() for batch in found.staged.batches()], found.unmatched, asked


def test_ids_need_no_look_up():
    assert run(["1", "2"], look_up=False) == ([["1", "2"]], {}, [])


def test_everybody_is_asked_for_once_a_batch_and_goes_in_batches_of_their_own():
    values = [f"user{number}@example.com" for number in (1, 2, 1, 3, 4, 5)]
    ids, unmatched, asked = run(values)
    assert ids == [["1", "2", "3", "4"], ["5"]]
    assert unmatched == {}
    assert asked == [[f"user{number}@example.com" for number in (1, 2, 3, 4, 5)]]


def test_a_user_is_sent_once_however_often_and_in_whatever_spelling_and_batch():
    values = ["user1@example.com", *(f"user{number}@example.com" for number in range(2, 12)), "USER1@example.com"]
    ids, unmatched, asked = run([*values, "alias@example.com"])
    assert [user for batch in ids for user in batch] == [str(number) for number in range(1, 12)]
    assert unmatched == {}
    assert "USER1@example.com" not in asked[1]


def test_nobody_is_looked_up_for_an_empty_list():
    assert run([]) == ([], {}, [])


def test_those_without_an_id_are_refused_in_one_message_by_reason_and_unnamed():
    with pytest.raises(InvalidInput) as caught:
        run(["user1@example.com", "gone@example.com", "lost@example.com", "twins@example.com"])
    assert "2 of 4 e-mail addresses belong to no such user. 1 of 4 e-mail addresses belong to several users." in str(
        caught.value
    )
    assert "@" not in str(caught.value)


def test_or_left_out_and_counted():
    ids, unmatched, _ = run(["user1@example.com", "gone@example.com", "twins@example.com"], on_unmatched="skip")
    assert (ids, unmatched) == ([["1"]], {"no such user": 1, "several users": 1})
