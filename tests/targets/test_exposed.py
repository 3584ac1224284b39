"""The check for users that ends every run of these tests finds them."""

from __future__ import annotations

import pytest

from tests.targets.conftest import exposed


def test_users_are_found_in_any_case_but_not_within_other_words():
    personal = {"Ada+1@example.com", "13005", "ada", "name 7"}
    assert exposed(personal, "found ADA+1@EXAMPLE.COM, and 130051 of adapters") == {"Ada+1@example.com"}
    assert exposed(personal, '{"id": 13005, "name": "ada"} name 7') == {"13005", "ada", "name 7"}
    assert exposed(personal, "") == set()


@pytest.mark.parametrize("account", [("docebo", "email")], ids="-".join, indirect=True)
def test_a_run_that_shows_a_user_or_a_secret_is_noticed(account, sync):
    user = account.user()
    sync([user.value])
    with pytest.raises(AssertionError):
        sync.check(f"sent {user.id}")
    with pytest.raises(AssertionError):
        sync.check(f"as {account.sandbox.settings()['client_secret']}")
    (sync.ledger / "list.jsonl").write_text(account.sandbox.settings()["password"])
    with pytest.raises(AssertionError):
        sync.check("")
