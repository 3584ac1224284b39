"""A file that cannot be read exactly changes no member, and its users are in no log."""

from __future__ import annotations

import gzip

import pytest

SECRET = "zq71.user@x.example"
GOOD = "user_id,remark\n" + "".join(f"p{number:03},15 inch\n" for number in range(100))

TASK = """
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sources.files import FileMembers
from airflow_segments_provider.targets.walkme import WalkMeSegment

SyncMembersOperator(
    task_id="sync",
    source=FileMembers("{path}", {parameters}),
    target=WalkMeSegment("trial", create=True),
    ledger_path="{ledger}",
)
"""

BAD = {
    "an unclosed quote": ("users.csv", GOOD.replace("p085,", 'p085,"'), '"user_id"', "is not closed"),
    "no header": ("users.csv", f"{SECRET},trial\nother,trial\n", '"user_id"', "no column 'user_id'"),
    "semicolons": ("users.csv", f"{SECRET};a\nother;b\n", "header=False", "contains a semicolon"),
    "a renamed key": ("users.jsonl", f'{{"userId": "{SECRET}"}}\n', '"user_id"', "no line has the key 'user_id'"),
    "JSON as CSV": ("users.csv", f'{{"user_id": "{SECRET}"}}\n', '"user_id"', "no column 'user_id'"),
    "another encoding": ("users.csv", f"user_id\n{SECRET}\nZo\xeb\n", '"user_id"', "line 3 is not text"),
    "a cut file": ("users.csv.gz", GOOD.replace("p085", SECRET), '"user_id"', "ends in the middle"),
}


@pytest.mark.parametrize(("name", "content", "parameters", "message"), BAD.values(), ids=BAD)
def test_an_invalid_file_fails_the_sync_without_changing_members_or_logging_users(
    walkme_sandbox, connect, dag_file, stored, tmp_path, caplog, capfd, name, content, parameters, message
):
    connect()
    (tmp_path / "good.csv").write_text(GOOD)
    task = TASK.format(path=tmp_path / "good.csv", parameters='"user_id"', ledger=tmp_path / "ledger")
    assert [str(ti.state) for ti in dag_file(task).test().get_task_instances()] == ["success"]
    raw = content.encode("latin-1")
    (tmp_path / name).write_bytes(gzip.compress(raw)[:-20] if name.endswith(".gz") else raw)
    task = TASK.format(path=tmp_path / name, parameters=parameters, ledger=tmp_path / "ledger")
    with caplog.at_level("DEBUG"):
        run = dag_file(task.replace('"sync"', '"sync", takeover=True')).test()
    assert [str(ti.state) for ti in run.get_task_instances()] == ["failed"]
    assert walkme_sandbox.member_count("trial") == 100
    output = caplog.text + "".join(capfd.readouterr())
    assert message in output
    assert SECRET not in output
    assert stored(SECRET) == []
