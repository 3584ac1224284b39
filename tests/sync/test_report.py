"""The reports of a run in files: numbers, reasons, and patterns of the invalid IDs, but no IDs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_segments_provider.errors import PlanRefused
from airflow_segments_provider.sync.approvals import KeptPlan
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.plan import pattern, samples
from airflow_segments_provider.sync.report import WIDTH, summary
from airflow_segments_provider.sync.workspace import Workspace
from tests.cli.ledger.test_looking import interrupt
from tests.sync.conftest import people
from tests.sync.model.memory import KEY

MAILS = [f"first{'x' * (number % 7)}.person@example.com" for number in range(200)]


def report(segment, folder):
    """Return the files of the report by name."""
    prefix = folder[folder.index("reports/") :] + "/"
    return {
        name.removeprefix(prefix): content.decode()
        for name, content in segment.store.files.items()
        if name.startswith(prefix)
    }


def reports(segment):
    return sorted({name.split("/")[1] for name in segment.store.files if name.startswith("reports/")})


def test_a_run_that_changes_members_writes_a_report_and_one_that_does_not_writes_none(segment):
    done = segment.sync(people(0, 5))
    files = report(segment, done.report)
    assert files.keys() == {"plan.json", "plan.md"}
    told = json.loads(files["plan.json"])
    assert (told["counts"]["add"], told["digest"], told["verdict"]) == (5, done.plan.digest, "Within the limits")
    assert re.search("0-[0-9a-f]{12}$", done.report)
    assert "\n           5  to add\n" in files["plan.md"]
    assert segment.sync(people(0, 5)).report is None
    assert len(reports(segment)) == 1


def test_a_refusal_names_its_report_and_the_approved_plan_overwrites_it(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200))
    (folder,) = re.findall(r"  (.+)/plan\.md", refused.value.details)
    assert "- 150 of 200 members (75.0%) would be removed" in report(segment, folder)["plan.md"]
    done = segment.sync(people(150, 200), approve=refused.value.digest)
    assert done.report == folder
    assert json.loads(report(segment, folder)["plan.json"])["verdict"] == "Approved by `approve`"


def test_the_report_of_a_preview_lists_the_limits_that_it_exceeds(segment):
    segment.sync(people(0, 200))
    told = json.loads(report(segment, segment.sync([], plan_only=True).report)["plan.json"])
    assert told["verdict"] == "Only planned"
    assert len(told["breaches"]) == 2


def test_invalid_rows_are_reported_with_row_and_reason_by_a_run_without_changes(segment):
    segment.sync(people(0, 5))
    done = segment.sync([*people(0, 5), " ", "x" * 11, None])
    assert done.outcome == "unchanged"
    files = report(segment, done.report)
    assert [json.loads(line) for line in files["rejects.jsonl"].splitlines()] == [
        {"row": 6, "reason": "blank"},
        {"row": 7, "reason": "too long"},
        {"row": 8, "reason": "blank"},
    ]
    assert "\n           3  invalid in the source\n              - 2 blank\n" in files["plan.md"]


def test_reports_are_stored_below_the_ledger(segment, tmp_path):
    segment.store = LocalStore(tmp_path / "ledger")
    done = segment.sync([*people(0, 5), ""])
    assert sorted(path.name for path in (tmp_path / "ledger" / "reports").glob("*/*")) == [
        "plan.json",
        "plan.md",
        "rejects.jsonl",
    ]
    assert done.report == str(next((tmp_path / "ledger" / "reports").iterdir()))


def test_reports_of_old_generations_are_deleted(segment):
    segment.sync(people(0, 5))
    segment.sync(people(0, 6))
    segment.sync(people(0, 7), plan_only=True)
    segment.now += 31 * 24 * 3600 * 1000
    segment.sync(people(0, 7))
    # Those made at generations 0 and 2, which are no longer needed; those made at 4 are as new as the following files.
    assert [int(name[:12]) for name in reports(segment)] == [4]


def test_no_file_of_a_report_contains_a_user_id(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused):
        segment.sync([*people(190, 250), "\x00p999"])
    segment.sync(people(0, 201))
    for name, content in segment.store.files.items():
        if name.startswith("reports/"):
            assert not re.search(rb"p\d\d\d", content), name


def test_the_plan_shows_the_patterns_of_ids_so_that_a_wrong_format_is_seen(segment, monkeypatch):
    segment.limit = 1_000
    monkeypatch.setattr("airflow_segments_provider.sync.engine.stage", staged_as_they_are)
    segment.sync(MAILS)
    plan = segment.sync([str(100_000 + number) for number in range(50)], plan_only=True).plan
    assert plan.samples == {"add": {"999…": 50}, "remove": {"aaa….aaa…@aaa….aaa": 7}}
    assert "Patterns of 50 IDs to add:\n            50  999…\n" in summary(plan)


def staged_as_they_are(workspace, source, **given):
    from airflow_segments_provider.sync.staging import stage

    return stage(workspace, source, **{**given, "max_length": 100})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Ab-12", "Aa-99"),
        ("ABCDEF_abcdef.12345678", "AAA…_aaa….999…"),
        ("Zoë Łuk", "Aaa Aaa"),
        ("名前", "aa"),
        ("٣٤", "99"),
        ("a🙂b", "a?a"),
        ("3f2a91bc-77aa", "xxx…-99aa"),
        ("d41d8cd98f00b204e9800998ecf8427e", "xxx…"),
        ("a1b2", "xxx…"),
        ("user001", "aaa…999"),
        ("o'neill`|\"", "a'aaa…`|\""),
        ("-" * 100, "-" * 40),
    ],
)
def test_the_pattern_of_an_id_keeps_its_form_and_no_letter_or_digit_of_it(given, expected):
    assert pattern(given) == expected


def test_the_three_most_frequent_patterns_of_ten_thousand_sampled_ids_are_shown(database):
    with Workspace(database=database) as workspace:
        workspace.run("CREATE TABLE actions (action VARCHAR, id VARCHAR)")
        workspace.run(
            "INSERT INTO actions SELECT 'remove', repeat('-', (CASE WHEN n < 9000 THEN 1 WHEN n < 9600 THEN 2 "
            "WHEN n < 9900 THEN 3 ELSE 4 END)::INTEGER) || n FROM range(10000) AS numbers (n)"
        )
        found = samples(workspace, "actions", {"remove"})
        assert list(found["remove"].items()) == [("-999…", 8_000), ("-999", 900), ("--999…", 600)]
        workspace.run("INSERT INTO actions SELECT 'remove', '#' || n FROM range(100000, 120000) AS numbers (n)")
        again = samples(workspace, "actions", {"remove"})
        assert again == samples(workspace, "actions", {"remove"})
        assert sum(again["remove"].values()) <= 10_000
        assert next(iter(again["remove"])) == "#999…"


def test_a_kept_plan_is_read_as_it_was_written(segment):
    segment.limit = 7
    plan = replace(segment.sync(people(0, 5), plan_only=True).plan, duration=timedelta(seconds=1.5))
    assert KeptPlan.decode(KeptPlan(plan=plan, breaches=("a limit",), kept_at=1).encoded).plan == plan


def test_the_patterns_of_ids_do_not_change_the_digest(segment, monkeypatch):
    before = segment.sync(people(0, 5), plan_only=True).plan
    monkeypatch.setattr("airflow_segments_provider.sync.plan.samples", lambda *given: {})
    assert segment.sync(people(0, 5), plan_only=True).plan.digest == before.digest


def test_the_plan_shows_how_many_ids_were_stripped_or_normalised(segment):
    plan = segment.sync([" ada ", "grace\ufeff", "kay", "kay "]).plan
    assert plan.counts["changed"] == 3
    assert "\n           3  stripped or normalised\n" in summary(plan)
    assert "stripped" not in summary(segment.sync(["ada", "grace", "kay"]).plan)


def test_the_log_shows_a_plan_in_short_lines(segment):
    segment.sync(people(0, 200))
    plan = segment.sync([*people(5, 210), " ", None, "x" * 11], plan_only=True).plan
    lines = summary(plan).splitlines()
    assert lines[0] == f"Plan for {plan.key}"
    assert "  +10 -5 =205 members, 2.5% of 200 leave (mirror)" in lines
    assert lines[-2:] == ["Digest:", plan.digest]
    assert max(map(len, lines)) <= WIDTH


def test_the_log_shows_a_refusal_in_short_lines_and_its_error_is_one_sentence(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200), max_members=40)
    lines = refused.value.details.splitlines()
    assert lines[:2] == ["The plan was refused, nothing was sent.", str(KEY)]
    assert "  +0 -150 =50 members, 75.0% of 200 leave (mirror)" in lines
    assert refused.value.digest in lines
    assert f"    {KEY.folder} {refused.value.digest[:19]}" in lines
    folder = [line for line in lines if line.endswith("/plan.md")]
    assert max(len(line) for line in lines if line not in folder) <= WIDTH
    assert str(refused.value) == (
        f"The plan for {KEY} was refused and nothing was sent: "
        "150 of 200 members (75.0%) would be removed, the limit is 20.0% (`max_removed_fraction`); "
        "50 users are wanted, the limit is 40 (`max_members`)."
    )


def test_the_plan_has_a_row_for_users_who_are_sent_again(segment):
    segment.sync(people(0, 20))
    interrupt(segment, people(0, 25))
    plan = segment.sync(people(0, 26), plan_only=True).plan
    assert (plan.counts["add"], plan.counts["resent"]) == (6, 5)
    assert "\n           5  of these sent before, with an unknown outcome\n" in summary(plan)
    # Users who are sent again count as members before the run.
    assert "+1 -0 =26 members, 0.0% of 25 leave" in summary(plan)


def test_users_of_unknown_outcome_are_sent_again_once_and_not_by_every_run(segment):
    segment.sync(people(0, 20))
    interrupt(segment, people(0, 25))
    segment.now += 24 * 3600 * 1000
    again = segment.sync(people(0, 25))
    assert (again.plan.counts["resent"], again.counts["applied"]) == (5, 5)
    then = segment.sync(people(0, 25))
    assert (then.outcome, then.plan.counts["resent"]) == ("unchanged", 0)


def test_the_summary_of_an_approved_plan_names_the_time_when_it_was_made(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200))
    made = segment.now
    segment.now += 3_600_000
    plan = segment.sync([], approve=refused.value.digest).plan
    text = " ".join(summary(plan).split())
    assert f"This is the plan of {moment(made)}, not today's source, which was not read. Approved by `approve`." in text
