"""Unmatched users are listed in a file beside the ledger, and neither in the log nor in XCom."""

from __future__ import annotations

import json
import re
import stat
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.alteryx import AlteryxServerAddUserGroupUsersOperator
from airflow_segments_provider.operators.docebo import DoceboCreateGroupOperator
from airflow_segments_provider.operators.zendesk import ZendeskUpdateUsersOperator
from airflow_segments_provider.sync.ledger.location import store_at
from tests.operators.task import context

KNOWN = "ada.sandford@example.com"
STRANGERS = ["nobody@example.com", "straße-ï@example.com"]
TODAY = datetime.now(UTC).date()


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> Path:
    path = Path(tmp_path, "ledger")
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", str(path))
    return path


@pytest.fixture
def logged(caplog, capsys):
    """Return the log; Airflow 3 prints what operators log."""
    return lambda: caplog.text + "".join(capsys.readouterr())


@pytest.fixture
def docebo(docebo_sandbox):
    """Return a Docebo in which two users have the same address."""
    for username in ("one", "two"):
        docebo_sandbox.add_user(username, email="shared@example.com")
    return docebo_sandbox


def create(users=(KNOWN, *STRANGERS, "shared@example.com"), run=None, **options):
    task: Any = DoceboCreateGroupOperator(
        task_id="create", name="Trial users", user_ids=list(users), identify_by="email", **options
    )
    return task.execute(context(**(run or {})))


def listed(path: str | Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


EXPECTED = [
    *({"user_id": stranger, "reason": "no such user"} for stranger in STRANGERS),
    {"user_id": "shared@example.com", "reason": "several users"},
]


def test_the_error_names_the_file_of_unmatched_users(docebo, ledger, logged):
    with pytest.raises(InvalidInput) as caught:
        create()
    message = str(caught.value)
    assert '`on_unmatched="skip"`' in message
    found = re.search(r"They are listed in (\S+)\. The Airflow connection is 'docebo_default'\.$", message)
    assert found is not None
    assert listed(found[1]) == EXPECTED
    assert found[1] == f"{ledger}/unmatched/{TODAY}/dag/create/run/-1.1.jsonl".replace("/create/", "/sync/")
    assert "@" not in message + logged()


def test_the_result_and_the_log_name_the_private_file_of_unmatched_users(docebo, ledger, logged):
    result = create(on_unmatched="skip")
    assert result["users_unmatched"] == {"no such user": 2, "several users": 1}
    assert listed(result["unmatched_file"]) == EXPECTED
    text = logged()
    assert f"They are listed in {result['unmatched_file']}." in text
    assert "@" not in json.dumps(result) + text
    for path in (ledger, *ledger.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_too_many_unmatched_users_are_listed_in_a_file(docebo, ledger):
    with pytest.raises(InvalidInput, match="None was found") as caught:
        create(STRANGERS, on_unmatched="skip")
    assert str(ledger) in str(caught.value)
    assert len(list(ledger.rglob("*.jsonl"))) == 1


def test_each_try_of_a_task_has_its_own_file_of_unmatched_users(docebo, ledger):
    long = "ü" * 250
    runs = [{}, {"try_number": 2}, {"map_index": 3}, {"run_id": "../a b"}, {"run_id": long}, {"run_id": f"{long[1:]}x"}]
    files = {create(on_unmatched="skip", run=run)["unmatched_file"] for run in runs}
    assert len(files) == len(runs)
    for path in files:
        assert listed(path) == EXPECTED
        assert Path(path).resolve().is_relative_to(ledger / "unmatched" / str(TODAY))


def test_without_a_ledger_path_unmatched_users_are_not_listed(docebo, logged, monkeypatch):
    monkeypatch.delenv("AIRFLOW__SEGMENTS__LEDGER_PATH")
    assert create(on_unmatched="skip")["unmatched_file"] is None
    assert "No file lists them, because `[segments] ledger_path` is not set." in logged()
    with pytest.raises(InvalidInput, match=r"because `\[segments\] ledger_path` is not set"):
        create()


def test_a_ledger_path_that_cannot_be_written_only_leaves_out_the_file_of_unmatched_users(docebo, ledger, logged):
    ledger.write_text("a file")
    assert create(on_unmatched="skip")["unmatched_file"] is None
    assert f"could not be listed in a file below the ledger path {ledger} (LedgerUnavailable)" in logged()
    with pytest.raises(InvalidInput, match="could not be listed"):
        create()


def test_no_file_is_written_if_all_users_are_found(docebo, ledger):
    assert create([KNOWN])["unmatched_file"] is None
    assert not ledger.exists()


def test_files_of_unmatched_users_are_deleted_after_keep_days(docebo, ledger, monkeypatch):
    days = [str(TODAY - timedelta(days=days)) for days in (0, 1, 7, 8, 400)]
    for day in days:
        (ledger / "unmatched" / day / "dag").mkdir(parents=True)
        (ledger / "unmatched" / day / "dag" / "old.jsonl").touch()
    monkeypatch.setenv("AIRFLOW__SEGMENTS__KEEP_DAYS", "7")
    create(on_unmatched="skip")
    assert sorted(path.name for path in (ledger / "unmatched").iterdir()) == sorted(days[:3])
    monkeypatch.setenv("AIRFLOW__SEGMENTS__KEEP_DAYS", "some")
    assert create(on_unmatched="skip")["unmatched_file"] is not None


def test_unmatched_users_are_listed_in_an_object_store(docebo, monkeypatch):
    # Airflow has no such scheme built in; the module of `attach` differs by version.
    sys.modules[ObjectStoragePath.__module__].attach("memory", fs=fsspec.filesystem("memory"))
    path = f"memory:///{uuid.uuid4().hex}"
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", path)
    location = create(on_unmatched="skip")["unmatched_file"]
    (name,) = store_at(path).files()
    assert location.endswith(name)
    content = store_at(path).read(name)
    assert content is not None
    assert [json.loads(line) for line in content.splitlines()] == EXPECTED


def test_the_folder_of_unmatched_users_is_not_taken_for_a_ledger(docebo, ledger):
    from airflow_segments_provider.cli.ledger.ledgers import find

    create(on_unmatched="skip")
    assert find(str(ledger)) == []


def test_unmatched_users_of_alteryx_are_listed_in_a_file(alteryx_sandbox, ledger):
    known = alteryx_sandbox.users()[1].email
    alteryx_sandbox.create_group("Analysts")
    task: Any = AlteryxServerAddUserGroupUsersOperator(
        task_id="add", name="Analysts", user_ids=[known, *STRANGERS], identify_by="email", on_unmatched="skip"
    )
    assert listed(task.execute(context())["unmatched_file"]) == EXPECTED[:2]


def test_unmatched_users_of_zendesk_are_listed_in_a_file(zendesk_sandbox, ledger):
    zendesk_sandbox.create_user("Somebody", "x@example.com", external_id="known")
    task: Any = ZendeskUpdateUsersOperator(
        task_id="update",
        user_ids=["known", *STRANGERS],
        change={"notes": "x"},
        identify_by="external_id",
        on_unmatched="skip",
    )
    assert listed(task.execute(context())["unmatched_file"]) == EXPECTED[:2]


def test_unmatched_users_of_a_task_are_neither_stored_by_airflow_nor_logged(docebo, ledger, dag_file, stored, capfd):
    dag = dag_file(
        """
from airflow_segments_provider.operators.docebo import *

# Airflow stores the source of a DAG.
strangers = [name + "@example.com" for name in ("nobody", "stra\u00dfe-\u00ef")]
DoceboCreateGroupOperator(
    task_id="create", name="Trial users", user_ids=["ada.sandford@example.com", *strangers], identify_by="email",
    on_unmatched="{{ 'skip' }}", max_unmatched_fraction="{{ 0.3 }}",
)
DoceboCreateGroupOperator(task_id="strict", name="Others", user_ids=strangers, identify_by="email")
"""
    )
    states = {ti.task_id: str(ti.state) for ti in dag.test().get_task_instances()}
    assert states == {"create": "success", "strict": "failed"}
    files = sorted(ledger.rglob("*.jsonl"))
    assert len(files) == 2
    shown = "".join(capfd.readouterr())
    for stranger in STRANGERS:
        assert stored(stranger) == []
        assert stranger not in shown
    assert [path for path in files if str(path) not in shown] == []
