"""Zendesk's users by the hook: looked up, changed, tagged."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import InvalidInput, NotFound, PermissionDenied, RejectedRequest, UnexpectedReply
from tests.connections import zendesk_hook
from tests.hooks.test_zendesk import FARAH, HANA, ISAK, NOBODY, counts


@pytest.fixture
def hook(zendesk_sandbox, monkeypatch):
    return zendesk_hook(zendesk_sandbox, monkeypatch)


class TestFind:
    def test_users_are_found_by_e_mail_address_and_not_shown(self, hook, zendesk_sandbox):
        found = hook.find_users(["FARAH.haddad@example.com", " hana.kimura@example.com", "nobody@example.com"])
        assert found.found == {"FARAH.haddad@example.com": FARAH, "hana.kimura@example.com": HANA}
        assert (found.unmatched, found.ambiguous) == (["nobody@example.com"], [])
        assert counts(zendesk_sandbox) == {"search_users": 3}
        for shown in (repr(found), str(found)):
            assert "example.com" not in shown
            assert str(FARAH) not in shown

    def test_a_user_with_another_address_in_the_response_is_not_matched(self, hook, zendesk_sandbox):
        body = {"users": [{"id": HANA, "email": "not.hana.kimura@example.com"}, {"id": ISAK, "email": None}]}
        zendesk_sandbox.fault("zendesk.search_users", "status", status=200, body={**body, "next_page": None})
        assert hook.find_users(["hana.kimura@example.com"]).unmatched == ["hana.kimura@example.com"]

    def test_an_address_of_several_users_is_ambiguous(self, hook, zendesk_sandbox):
        users = [{"id": number, "email": "both@example.com"} for number in (HANA, ISAK)]
        body = {"users": users, "next_page": None}
        zendesk_sandbox.fault("zendesk.search_users", "status", status=200, body=body)
        found = hook.find_users(["both@example.com"])
        assert (found.found, found.unmatched, found.ambiguous) == ({}, [], ["both@example.com"])

    @pytest.mark.parametrize("odd", ["farah.haddad@example.com role:end-user", 'x@"y', "no address", "*", "tags:trial"])
    def test_a_value_that_is_not_an_address_is_not_sent(self, hook, zendesk_sandbox, odd):
        assert hook.find_users([odd]).unmatched == [odd]
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize(
        "address", ["ü+1@example.com", "o'hara&sons@example.com", "a%2b@example.com", "#x@y.example"]
    )
    def test_special_characters_of_an_address_are_kept(self, hook, zendesk_sandbox, address):
        made = zendesk_sandbox.create_user("Odd", address)
        assert hook.find_users([address]).found == {address: made}

    def test_users_are_found_by_external_id_in_any_case_and_with_a_comma(self, hook, zendesk_sandbox):
        odd = zendesk_sandbox.create_user("Odd", "odd@example.com", external_id="a,B/ü?")
        found = hook.find_users([f"EXT-{HANA}", "A,b/ü?", "none", "none,either"], by="external_id")
        assert found.found == {f"EXT-{HANA}": HANA, "A,b/ü?": odd}
        assert sorted(found.unmatched) == ["none", "none,either"]
        assert counts(zendesk_sandbox) == {"search_users": 2, "show_users": 1}

    def test_users_are_found_by_id_a_hundred_a_request(self, hook, zendesk_sandbox):
        people = [str(number) for number in zendesk_sandbox.seed_users(201)]
        found = hook.find_users([*people, NOBODY], by="id")
        assert found.found == {value: int(value) for value in people}
        assert found.unmatched == [str(NOBODY)]
        assert counts(zendesk_sandbox) == {"show_users": 3}

    def test_long_external_ids_are_split_into_more_requests(self, hook, zendesk_sandbox):
        ids = [f"{number:03}{'ü' * 200}" for number in range(100)]
        assert hook.find_users(ids, by="external_id").unmatched == ids
        calls = zendesk_sandbox.calls("zendesk.show_users")
        assert len(calls) == 34
        assert {call.user_ids for call in calls} <= {1, 3}

    def test_invalid_values_of_a_look_up_are_refused_before_the_first_request(self, hook, zendesk_sandbox):
        for values, by, part in (
            (["x"], "id", "not a whole number"),
            ([""], "email", "blank"),
            ("one", "email", "must be a list"),
            (["x"], "name", "`by`"),
        ):
            with pytest.raises(InvalidInput, match=part):
                hook.find_users(values, by=by)
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize("body", [{}, {"users": None}, {"users": [None]}, {"users": [{"email": "x"}]},
                                      {"users": [{"id": 1, "tags": "x"}]}])  # fmt: skip
    def test_a_response_that_is_not_a_list_of_users_is_an_error(self, hook, zendesk_sandbox, body):
        zendesk_sandbox.fault("zendesk.show_users", "status", status=200, body=body)
        with pytest.raises(UnexpectedReply):
            hook.find_users([HANA], by="id")


class TestUsers:
    def test_users_are_listed_and_searched(self, hook, zendesk_sandbox):
        zendesk_sandbox.seed_users(150, tags=["many"])
        assert len(list(hook.get_users())) == 159
        assert len(list(hook.get_users("tags:many"))) == 150
        assert counts(zendesk_sandbox) == {"list_users": 2, "search_users": 2}
        farah = next(user for user in hook.get_users("tags:vip") if user.user_id == FARAH)
        assert (farah.email, farah.role, farah.tags) == ("farah.haddad@example.com", "end-user", ["vip", "trial"])
        assert "farah" not in repr(farah)

    def test_a_search_with_more_results_than_zendesk_returns_is_an_error(self, hook, zendesk_sandbox):
        zendesk_sandbox.settings(rate_limit="none", max_offset_records=300)
        zendesk_sandbox.seed_users(350, tags=["many"])
        found = hook.get_users("tags:many")
        with pytest.raises(RejectedRequest):
            list(found)
        assert counts(zendesk_sandbox) == {"search_users": 4}

    def test_a_user_is_updated_with_one_request(self, hook, zendesk_sandbox):
        user = hook.update_user(ISAK, {"tags": ["a"], "organization_id": 370_000_003})
        assert user.tags == ["a"]
        assert zendesk_sandbox.user(ISAK).organization_ids == [370_000_003]
        assert counts(zendesk_sandbox) == {"update_user": 1}

    def test_a_field_of_a_user_that_zendesk_drops_is_an_error(self, hook, zendesk_sandbox):
        with pytest.raises(UnexpectedReply, match=r"user\.tag") as caught:
            hook.update_user(ISAK, {"tag": ["a"]})
        assert str(ISAK) not in str(caught.value)

    def test_an_update_that_zendesk_rejects_is_an_error_without_the_user(self, hook, zendesk_sandbox):
        with pytest.raises(NotFound, match=r"\{user\}") as caught:
            hook.update_user(NOBODY, {"tags": []})
        assert str(NOBODY) not in str(caught.value)
        with pytest.raises(RejectedRequest):
            hook.update_user(ISAK, {"role": "king"})
        for user_id, change in ((ISAK, {}), ("x", {"tags": []}), (ISAK, "tags")):
            with pytest.raises(InvalidInput):
                hook.update_user(user_id, change)
        assert counts(zendesk_sandbox) == {"update_user": 2}

    def test_updates_of_users_keep_to_the_rate_limits_of_zendesk(self, hook, zendesk_sandbox, monkeypatch):
        rests = []

        def rest(seconds):
            rests.append(round(seconds, 1))
            zendesk_sandbox.advance(seconds)

        monkeypatch.setattr(hook.client, "sleep", rest)
        for _ in range(2):
            hook.update_user(ISAK, {"tags": ["a"]})
        hook.update_user(HANA, {"tags": ["a"]})
        assert counts(zendesk_sandbox) == {"update_user": 3}
        assert rests[0] == pytest.approx(1, abs=0.2)
        assert rests[1] == pytest.approx(12, abs=0.5)


class TestTags:
    def test_tags_of_a_user_are_read_added_removed_and_set(self, hook, zendesk_sandbox):
        assert hook.get_user_tags(FARAH) == ["vip", "trial"]
        assert hook.add_user_tags(FARAH, ("new", "vip")) == ["vip", "trial", "new"]
        assert hook.remove_user_tags(str(FARAH), ["trial", "stranger"]) == ["vip", "new"]
        assert hook.set_user_tags(FARAH, {"a"}) == ["a"]
        assert hook.set_user_tags(FARAH, []) == []
        assert zendesk_sandbox.user(FARAH).tags == []
        assert counts(zendesk_sandbox) == {
            "get_user_tags": 2, "add_user_tags": 1, "remove_user_tags": 1, "set_user_tags": 2
        }  # fmt: skip

    @pytest.mark.parametrize(("status", "reads"), [(200, 0), (204, 1)])
    def test_a_removal_of_tags_reads_them_if_the_response_is_empty(self, hook, zendesk_sandbox, status, reads):
        zendesk_sandbox.settings(tags_delete_status=status)
        assert hook.remove_user_tags(FARAH, ["vip"]) == ["trial"]
        assert counts(zendesk_sandbox).get("get_user_tags", 0) == reads

    def test_adding_or_removing_no_tags_changes_nothing(self, hook, zendesk_sandbox):
        assert hook.add_user_tags(FARAH, []) == hook.remove_user_tags(FARAH, []) == ["vip", "trial"]
        assert counts(zendesk_sandbox) == {"get_user_tags": 2}

    @pytest.mark.parametrize("kind", ["lost", "reset_mid_body", "html"])
    def test_a_change_of_tags_whose_response_is_lost_is_repeated(self, hook, zendesk_sandbox, kind):
        for action in ("add", "remove", "set"):
            zendesk_sandbox.fault(f"zendesk.{action}_user_tags", kind)
        hook.add_user_tags(FARAH, ["new"])
        hook.remove_user_tags(FARAH, ["vip"])
        assert zendesk_sandbox.user(FARAH).tags == ["trial", "new"]
        assert hook.set_user_tags(FARAH, ["a"]) == ["a"]

    @pytest.mark.parametrize("tags", [["grüße", "日本", "a/b", "50%"], ["x" * 255]])
    def test_special_characters_of_tags_are_kept(self, hook, zendesk_sandbox, tags):
        assert hook.set_user_tags(FARAH, tags) == tags

    def test_tags_that_zendesk_did_not_accept_are_an_error(self, hook, zendesk_sandbox):
        for action, tags in (("set", []), ("add", ["vip"]), ("remove", ["vip", "new"])):
            zendesk_sandbox.fault(f"zendesk.{action}_user_tags", "status", status=200, body={"tags": tags})
            with pytest.raises(UnexpectedReply, match="not as requested") as caught:
                getattr(hook, f"{action}_user_tags")(FARAH, ["new"])
            assert caught.value.maybe_done

    @pytest.mark.parametrize("body", [{}, {"tags": "x"}, {"tags": [1]}, []])
    def test_a_response_that_is_not_a_list_of_tags_is_an_error(self, hook, zendesk_sandbox, body):
        zendesk_sandbox.fault("zendesk.get_user_tags", "status", status=200, body=body)
        with pytest.raises(UnexpectedReply, match="zendesk_help_center_default"):
            hook.get_user_tags(FARAH)

    def test_an_account_without_tagging_is_an_error(self, hook, zendesk_sandbox):
        zendesk_sandbox.settings(user_tagging=False)
        with pytest.raises(PermissionDenied):
            hook.add_user_tags(FARAH, ["x"])

    def test_the_error_for_the_tags_of_an_unknown_user_does_not_contain_the_id(self, hook):
        with pytest.raises(NotFound, match=r"\{user\}") as caught:
            hook.add_user_tags(NOBODY, ["x"])
        assert str(NOBODY) not in str(caught.value)

    @pytest.mark.parametrize(
        ("user_id", "tags"), [("x", ["a"]), (FARAH, "a"), (FARAH, [""]), (FARAH, [1.5]), (None, [])]
    )
    def test_invalid_tags_and_user_ids_are_refused_before_the_first_request(self, hook, zendesk_sandbox, user_id, tags):
        with pytest.raises(InvalidInput):
            hook.add_user_tags(user_id, tags)
        assert zendesk_sandbox.counts() == {}
