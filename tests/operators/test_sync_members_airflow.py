"""The sync with Airflow's features: as a decorator, deferred, and as a preview for a whole deployment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_segments_provider.errors import ConfigurationError, LedgerBusy
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.location import open_store
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.workspace import Workspace
from airflow_segments_provider.targets.walkme import WalkMeSegment
from tests.operators.task import context as new_context

TARGET = 'WalkMeSegment("Trial users", create=True)'
HEAD = "from airflow_segments_provider.targets.walkme import WalkMeSegment\n"


@pytest.fixture
def run(walkme_sandbox, connect, dag_file, tmp_path):
    """Run a DAG with these tasks; return the state of the task ``sync``, and its result."""
    connect(users_per_request=10)

    def run_dag(tasks):
        arguments = f'target={TARGET}, ledger_path="{tmp_path / "ledger"}"'
        dag = dag_file(HEAD + tasks.replace("TARGET", arguments))
        found = {ti.task_id: ti for ti in dag.test().get_task_instances()}
        return str(found["sync"].state), found["sync"].xcom_pull(task_ids="sync", key="return_value")

    return run_dag


class TestDecorator:
    def test_a_decorated_function_yields_ids_and_takes_arguments(self, run, walkme_sandbox):
        state, result = run("""
@task
def count():
    return 12

@task.sync_members(TARGET)
def sync(many, prefix, ti=None):
    assert ti.task_id == "sync"
    for number in range(many):
        yield f"{prefix}{number}"

sync(count(), prefix="{{ 'user' }}")
""")
        assert (state, result["counts"]["add"]) == ("success", 12)
        assert walkme_sandbox.members("Trial users") == {f"user{number}" for number in range(12)}

    def test_a_decorated_function_returns_ids_and_takes_parameters_of_the_operator(self, run, stored):
        state, result = run("""
@task.sync_members(TARGET, plan_only="{{ 'true' }}")
def sync():
    return ["-".join(["ada", "7"])]

sync()
""")
        assert (state, result["outcome"], result["counts"]["add"]) == ("success", "planned", 1)
        assert stored("ada-7") == []

    @pytest.mark.parametrize("body", ["return None", "return 'ada'", "return 7"])
    def test_a_decorated_function_that_returns_no_list_is_refused_before_the_first_request(
        self, run, walkme_sandbox, body
    ):
        state, _ = run(f"@task.sync_members(TARGET)\ndef sync():\n    {body}\nsync()\n")
        assert state == "failed"
        assert walkme_sandbox.counts() == {}

    def test_a_source_beside_a_decorated_function_is_an_error_when_the_dag_is_parsed(self, run):
        with pytest.raises(TypeError, match="takes no `source`"):
            run("@task.sync_members(TARGET, source=[])\ndef sync():\n    return []\nsync()\n")

    def test_a_decorated_function_can_be_mapped(self, walkme_sandbox, connect, dag_file, tmp_path):
        connect()
        dag_file(f"""
@task.sync_members(
    ledger_path="{tmp_path / "ledger"}",
    target={{"vendor": "walkme", "name": "{{{{ ti.map_index }}}} users", "create": True}},
)
def sync(prefix):
    return [prefix + "1", prefix + "2"]

sync.expand(prefix=["a", "b"])
""").test()
        assert walkme_sandbox.members("0 users") == {"a1", "a2"}
        assert walkme_sandbox.members("1 users") == {"b1", "b2"}


def test_the_plan_only_setting_of_a_deployment_makes_every_sync_a_preview(run, walkme_sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW__SEGMENTS__PLAN_ONLY", "True")
    state, result = run("@task.sync_members(TARGET)\ndef sync():\n    return ['ada']\nsync()\n")
    assert (state, result["outcome"]) == ("success", "planned")
    assert walkme_sandbox.counts().get("walkme.update", 0) == 0


def test_the_keep_days_setting_of_a_deployment_limits_the_files_of_a_ledger(
    context, monkeypatch, tmp_path, connect, walkme_sandbox
):
    connect()
    source = ["ada", "grace"]
    for days, generations in (("30", 4), ("0", 1)):
        monkeypatch.setenv("AIRFLOW__SEGMENTS__KEEP_DAYS", days)
        operator(tmp_path, source.copy()).execute(context)
        source.append(days)
        operator(tmp_path, source.copy()).execute(context)
        assert len(list((tmp_path / "ledger").rglob("generations/*.json"))) == generations
    monkeypatch.setenv("AIRFLOW__SEGMENTS__KEEP_DAYS", "a month")
    with pytest.raises(ConfigurationError, match=r"keep_days.* is 'a month'"):
        operator(tmp_path, source).execute(context)
    assert walkme_sandbox.counts()["walkme.update"] == 3


@pytest.fixture
def context():
    return new_context()


def operator(tmp_path, source=("ada",), **options):
    target = WalkMeSegment("Trial users", create=True)
    path = str(tmp_path / "ledger")
    return SyncMembersOperator(task_id="sync", source=source, target=target, ledger_path=path, **options)


class TestAnotherRunHoldsTheLedger:
    @pytest.fixture
    def other(self, connect, tmp_path):
        """The ledger as left by a run of another interval that died."""
        connect()
        target = WalkMeSegment("Trial users", create=True).open()
        target.make()
        key = target.key()
        writer = Writer(token="1", owner="dag.sync", run="another run")
        store = open_store(str(tmp_path / "ledger"), key.folder)
        ledger = Ledger(store, key.folder, writer, target.limits.request_timeout)
        with Workspace() as workspace:
            members = ledger.open(workspace, as_of=ledger.clock())
            ledger.begin(members, [], accepted="limits", replacement=None, replacing=False)
            yield ledger, members

    def test_a_deferrable_sync_waits_in_the_triggerer_for_the_ledger(self, other, context, tmp_path, walkme_sandbox):
        with pytest.raises(TaskDeferred) as deferred:
            operator(tmp_path, deferrable=True).execute(context)
        path, arguments = deferred.value.trigger.serialize()
        assert path == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
        assert not deferred.value.kwargs
        held, members = other
        wait = arguments["moment"] - datetime.now(UTC)
        assert held.timing.lease <= wait <= held.timing.lease + held.request_timeout + timedelta(minutes=2)
        assert walkme_sandbox.counts().get("walkme.update", 0) == 0

        held.commit(members, as_of=held.clock())
        again = getattr(operator(tmp_path, deferrable=True), deferred.value.method_name)
        assert again(context, arguments["moment"])["counts"]["applied"] == 1
        assert walkme_sandbox.members("Trial users") == {"ada"}

    def test_a_sync_that_is_not_deferrable_fails_while_another_run_holds_the_ledger(self, other, context, tmp_path):
        with pytest.raises(LedgerBusy, match="Any other run can take over from"):
            operator(tmp_path).execute(context)
