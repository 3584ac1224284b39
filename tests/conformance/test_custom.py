"""The example of a custom target against a small server of its vendor, and its DAG."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write
from airflow_segments_provider.testing.conformance.fake import WriteKind
from example_dags import custom_target
from example_dags.custom_target import PER_PAGE, PostbirdList
from example_dags.demo.postbird import Postbird
from tests.conftest import RETRY

NAME = "Users on trial"
ACTIONS: dict[str, WriteKind] = {"add": "add", "remove": "remove"}


class PostbirdFake(VendorFake):
    pages = PER_PAGE

    def __init__(self, postbird, monkeypatch):
        self.postbird = postbird
        postbird.lists[NAME] = set()
        monkeypatch.setenv("AIRFLOW_CONN_POSTBIRD_DEFAULT", json.dumps(postbird.connection(retry=RETRY)))

    def open(self, limit):
        return self.open_by("id", limit)

    def open_by(self, identity, limit):
        target = PostbirdList(NAME, identity=identity).open()
        target.limits = replace(target.limits, adds=limit, removes=limit)
        return target

    def users(self, count):
        users = {f"u{number:04}": f"user-{number:04}@example.org" for number in range(count)}
        self.postbird.users = users | self.postbird.users
        return list(users)

    def odd_users(self):
        odd = super().odd_users()
        self.postbird.users |= dict.fromkeys(odd, "")
        return odd

    def members(self):
        return self.postbird.lists[NAME]

    def put(self, users):
        self.members().update(users)

    def writes(self):
        return [Write(ACTIONS[action], users) for action, users in self.postbird.changes]

    def calls(self):
        return len(self.postbird.calls)

    def fail(self, how, times=1):
        self.postbird.failing = (how, times)

    def recover(self):
        self.postbird.failing = ("", 0)
        self.postbird.ignored = self.postbird.hidden = self.postbird.lingering = frozenset()

    def refuse(self, users):
        for user in users:
            del self.postbird.users[user]

    def names(self):
        return {NAME, "postbird_default"}

    def identities(self):
        return ("email",)

    def identity_of(self, identity, user):
        return self.postbird.users[user]

    def share(self, identity, user):
        self.postbird.users[f"twin of {user}"] = self.postbird.users[user].upper()
        return True

    def ignore(self, users):
        self.postbird.ignored = frozenset(users)
        return True

    def hide(self, users):
        self.postbird.hidden = frozenset(users)
        return True

    def linger(self, users):
        self.postbird.lingering = frozenset(users)
        return True


@pytest.fixture
def postbird():
    with Postbird() as running:
        yield running


class TestPostbird(TargetConformance):
    @pytest.fixture
    def vendor(self, postbird, monkeypatch):
        return PostbirdFake(postbird, monkeypatch)


@pytest.fixture
def example_dag(airflow_db):
    """Return the DAG of the example, from the DAGs folder, where ``dag.test()`` needs it."""
    path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / Path(custom_target.__file__).name
    path.parent.mkdir(exist_ok=True)
    shutil.copy(custom_target.__file__, path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.dag
    path.unlink()


def test_the_example_target_creates_a_list_and_keeps_it_in_sync(postbird, example_dag, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", str(tmp_path / "ledger"))
    monkeypatch.setenv("AIRFLOW_CONN_POSTBIRD_DEFAULT", json.dumps(postbird.connection(retry=RETRY)))
    postbird.users = {f"u{number}": f"user-{number}@example.org" for number in range(12)}
    source, emails = tmp_path / "readers.csv", list(postbird.users.values())

    def run(rows):
        source.write_text("\n".join(["email", *rows]))
        done = example_dag.test(run_conf={"list_name": NAME, "path": str(source)})
        (task,) = done.get_task_instances()
        assert done.state == "success"
        return task.xcom_pull("sync")

    result = run([*emails[:10], emails[0].upper(), "unknown@example.org"])
    assert (result["list_id"], result["members"], result["unmatched"]) == ("0", 10, {"no such user": 1})
    assert postbird.lists == {NAME: set(list(postbird.users)[:10])}
    postbird.lists[NAME].add("u11")
    assert run(emails[1:11])["counts"]["strangers"] == 1
    assert postbird.lists == {NAME: set(list(postbird.users)[1:])}
    assert run(emails[1:11])["outcome"] == "unchanged"
    assert postbird.changes == [("add", 10), ("add", 1), ("remove", 1)]
