"""The sync as a real task against the sandbox: a segment that follows a source."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from urllib.parse import quote, urlsplit

import pytest

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.targets.parse import target_of
from airflow_segments_provider.targets.walkme import WalkMeSegment

TASK = """
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment

SyncMembersOperator(task_id="sync", source={source}, target={target}, ledger_path="{ledger}", {options})
"""
BY_NAME = """WalkMeSegment("{{ 'Trial users' }}", create=True)"""


def people(first, last):
    return [f"user{number}" for number in range(first, last)]


class Synced:
    """A run of the task: its state, and its XComs."""

    def __init__(self, ti) -> None:
        self.state = str(ti.state)
        self.result = ti.xcom_pull(task_ids="sync", key="return_value")
        self.plan = ti.xcom_pull(task_ids="sync", key="plan")
        self.link = ti.xcom_pull(task_ids="sync", key="_link_SegmentLink")
        self.plan_link = ti.xcom_pull(task_ids="sync", key="_link_PlanLink")
        self.ti = ti


@pytest.fixture
def sync(walkme_sandbox, connect, dag_file, tmp_path):
    """Run the task with a source; each run is another DAG, so each takes over from the one before."""
    connect(users_per_request=10, admin_url="https://admin.example.com/systems")

    def run(source, *, target=BY_NAME, takeover=True, **options):
        given = ", ".join(f"{name}={value!r}" for name, value in {"takeover": takeover, **options}.items())
        task = TASK.format(source=repr(source), target=target, ledger=tmp_path / "ledger", options=given)
        (ti,) = dag_file(task).test().get_task_instances()
        return Synced(ti)

    return run


def test_a_segment_follows_its_source(sync, walkme_sandbox, stored):
    first = sync(people(0, 25))
    assert first.state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(0, 25))
    assert walkme_sandbox.counts()["walkme.update"] == 3
    assert first.link == "https://admin.example.com/systems"
    assert first.result["counts"] | {"wanted": 25, "add": 25, "applied": 25, "baseline": 0} == first.result["counts"]

    assert sync(people(2, 27), takeover=False).state == "failed"
    assert walkme_sandbox.members("Trial users") == set(people(0, 25))
    assert sync(people(2, 27)).state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(2, 27))
    before = walkme_sandbox.counts()["walkme.update"]
    assert sync(people(2, 27)).result["outcome"] == "unchanged"
    assert walkme_sandbox.counts()["walkme.update"] == before == 5
    # Except in the DAG file, which Airflow 3 stores.
    assert set(stored("user13")) <= {"dag_code.source_code"}


def test_a_refused_plan_is_pushed_as_an_xcom_and_can_be_approved(sync, walkme_sandbox):
    sync(people(0, 200))
    refused = sync(people(190, 200))
    assert (refused.state, refused.result) == ("failed", None)
    assert refused.plan["counts"]["remove"] == 190
    assert (refused.link, urlsplit(refused.plan_link).scheme) == ("https://admin.example.com/systems", "http")
    assert f"/dags/{refused.ti.dag_id}/" in refused.plan_link
    assert quote(refused.ti.run_id) in refused.plan_link
    assert len(walkme_sandbox.members("Trial users")) == 200
    assert sync(people(190, 200), approve="{{ '" + refused.plan["digest"] + "' }}").state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(190, 200))


def test_the_command_in_a_refusal_approves_the_plan(sync, walkme_sandbox, capfd, caplog):
    sync(people(0, 200))
    assert sync(people(190, 200)).state == "failed"
    logged = capfd.readouterr().out + caplog.text
    (command,) = set(re.findall(r"ledger approve \\\W+(\S+ sha256:\w+)", logged))
    (option,) = set(re.findall(r"Commands need: (--ledger-path \S+)", logged))
    assert main(["ledger", "approve", *shlex.split(f"{command} {option}")]) == 0
    assert sync(people(0, 200), takeover=True).result["counts"]["remove"] == 190


def test_a_preview_sends_nothing_and_lists_the_limits_that_it_exceeds(sync, walkme_sandbox):
    sync(people(0, 200))
    before = walkme_sandbox.counts()["walkme.update"]
    planned = sync([], plan_only="{{ 'true' }}")
    assert planned.result["outcome"] == "planned"
    assert len(planned.result["breaches"]) == 2
    assert walkme_sandbox.counts()["walkme.update"] == before


def test_a_source_with_invalid_rows_is_sent_and_fails_the_task_above_max_invalid(sync, walkme_sandbox):
    assert sync(["ada", "", None]).result["invalid"] == {"blank": 2}
    assert sync(["ada", "grace", ""], max_invalid=0).state == "failed"
    assert walkme_sandbox.members("Trial users") == {"ada", "grace"}


def test_a_rejected_user_fails_the_task_above_max_refused_after_the_others_were_sent(sync, walkme_sandbox):
    walkme_sandbox.settings(refused_user_ids=["user3"])
    assert sync(people(0, 8)).state == "failed"
    assert walkme_sandbox.members("Trial users") == set(people(0, 8)) - {"user3"}
    assert sync(people(0, 9), max_refused=1).state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(0, 9)) - {"user3"}


@pytest.mark.parametrize("create", [False, True])
def test_a_segment_that_existed_with_members_needs_first_sync(sync, walkme_sandbox, hook, create):
    hook.create_segment("Trial users", ["by hand"])
    there = f'WalkMeSegment("Trial users", create={create})'
    assert sync(people(0, 2), target=there).state == "failed"
    assert walkme_sandbox.members("Trial users") == {"by hand"}
    assert sync(people(0, 2), target=there, first_sync="add").state == "success"
    assert walkme_sandbox.members("Trial users") == {"by hand", *people(0, 2)}


def test_a_segment_that_existed_is_taken_over_with_first_sync_replace(sync, walkme_sandbox, hook):
    hook.create_segment("Trial users", ["by hand"])
    target = repr({"vendor": "walkme", "name": "Trial users"})
    assert sync(people(0, 2), target=target, first_sync="replace").state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(0, 2))
    assert sync(people(0, 3), target=target).state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(0, 3))


def test_of_several_approved_digests_the_one_of_this_segment_applies(sync, walkme_sandbox):
    sync(people(0, 200))
    digest = sync(people(190, 200)).plan["digest"]
    foreign = [f"sha256:{number:064}" for number in range(2)]
    assert sync(people(190, 200), approve=foreign).state == "failed"
    assert sync(people(190, 200), approve=[foreign[0], "yes", digest]).state == "failed"
    assert len(walkme_sandbox.members("Trial users")) == 200
    assert sync(people(190, 200), approve=[foreign[0], digest, foreign[1]]).state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(190, 200))


def test_invalid_arguments_of_a_sync_are_refused_before_the_first_request(sync, walkme_sandbox):
    assert sync(["ada"], mode="perhaps", max_removals="many", approve="yes").state == "failed"
    assert walkme_sandbox.counts() == {}


@pytest.mark.parametrize(
    "given",
    [
        {"vendor": "walkme", "name": "Trial users", "system_guid": "0" * 32, "create": "true"},
        f"walkme://{'0' * 32}/Trial%20users?create=true",
    ],
)
def test_a_target_may_be_a_dict_or_an_address(given):
    found = target_of(given)
    assert str(found) == str(WalkMeSegment("Trial users", system_guid="0" * 32, create=True))


@pytest.mark.parametrize("given", ["salesforce:///x", {"vendor": "walkme", "colour": "red"}, {}, None, 7, "", "walkme"])
def test_a_target_of_another_form_is_refused(given):
    with pytest.raises(InvalidInput, match="target of a sync"):
        target_of(given).open().key()


def test_the_text_of_a_target_shows_only_its_names():
    shown = str(WalkMeSegment("Trial users", create=True))
    assert shown == "WalkMeSegment(name='Trial users', walkme_conn_id='walkme_default', create=True)"
    assert json.dumps(shown)


def test_a_lost_ledger_is_not_taken_for_a_first_sync(walkme_sandbox, connect, dag_file, tmp_path):
    connect()
    ledger = tmp_path / "ledger"
    dag = dag_file(TASK.format(source=["ada", "grace"], target=BY_NAME, ledger=ledger, options=""))
    for _ in range(2):
        (ti,) = dag.test().get_task_instances()
        assert str(ti.state) == "success"
    shutil.rmtree(ledger)
    before = walkme_sandbox.counts()["walkme.update"]
    (ti,) = dag.test().get_task_instances()
    assert str(ti.state) == "failed"
    assert walkme_sandbox.counts()["walkme.update"] == before


def test_a_preview_does_not_create_the_segment(sync, walkme_sandbox, tmp_path):
    planned = sync(people(0, 3), plan_only=True).result
    assert (planned["outcome"], planned["counts"]["add"], planned["segment"]) == ("planned", 3, "")
    assert walkme_sandbox.segments() == []
    assert not (tmp_path / "ledger").exists()


def test_a_refused_plan_does_not_create_the_segment(sync, walkme_sandbox):
    refused = sync(people(0, 3), max_members=2)
    assert (refused.state, refused.plan["counts"]["add"]) == ("failed", 3)
    assert walkme_sandbox.segments() == []
    assert sync(people(0, 3), max_members=3).state == "success"
    assert walkme_sandbox.members("Trial users") == set(people(0, 3))


def test_text_in_place_of_a_source_is_refused_with_the_name_of_the_segment(sync, walkme_sandbox, capfd, caplog):
    assert sync("ada").state == "failed"
    assert re.search("list of user IDs for .*Trial users.* was refused", capfd.readouterr().out + caplog.text)
    assert walkme_sandbox.counts() == {}
