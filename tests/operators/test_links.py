"""Links use only the schemes http and https."""

from __future__ import annotations

import pytest

from airflow_segments_provider.links import WalkMeSystemLink, web_address

GOOD = [
    "https://admin.walkme.com/",
    "https://admin.walkme.com:8443/systems?x=1&y=a%20b#c",
    "HTTP://localhost:8080",
    "http://[::1]:8000/hc",
    "https://münchen.example/ü",
    "https://a_b.example/(x)",
]
BAD = [
    "",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://example.com/",
    "//example.com/",
    "/relative",
    "example.com",
    "https:example.com",
    "https:/example.com",
    "https://",
    "https:///x",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://good.example\\@evil.example/",
    "https://good.example@evil.example",
    "https://example.com:port/",
    "https://example.com/\nx",
    "https://example.com/\x00",
    "https://example.com/ x",
    " https://example.com/",
    "https://example.com/\u202ex",
    "https://exa\u200bmple.com/",
    'https://example.com/"onclick="x',
    "https://example.com/<script>",
    "https://exa\nmple.com/",
    "https://example.com\t/",
    "blob:https://example.com/x",
    1,
    ["https://example.com/"],
]


class Task:
    """The attributes of a task that a link needs."""

    def __init__(self, url):
        self.vendor_url = url


class Pushed(dict[str, str]):
    def xcom_push(self, key, value):
        self[key] = value


@pytest.mark.parametrize("url", GOOD)
def test_a_link_to_an_http_address_is_shown(url):
    pushed = Pushed()
    WalkMeSystemLink().push({"ti": pushed}, url)  # type: ignore[typeddict-item]
    assert list(pushed.values()) == [url]
    assert WalkMeSystemLink().get_link(Task(url), ti_key=None) == url  # type: ignore[arg-type]


@pytest.mark.parametrize("url", BAD, ids=ascii)
def test_a_link_to_anything_but_an_http_address_is_empty(monkeypatch, url):
    pushed = Pushed()
    WalkMeSystemLink().push({"ti": pushed}, url)  # type: ignore[typeddict-item]
    assert pushed == {"_link_WalkMeSystemLink": ""}
    assert web_address(url) == ""
    assert WalkMeSystemLink().get_link(Task(url), ti_key=None) == ""  # type: ignore[arg-type]
    # On Airflow 2.11 the web server has only the XCom, which a task of another DAG may have written.
    monkeypatch.setattr("airflow_segments_provider.links.XCom.get_value", lambda **given: url)
    assert WalkMeSystemLink().get_link(object(), ti_key=None) == ""  # type: ignore[arg-type]


ZENDESK = """
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.operators.zendesk import *
from airflow_segments_provider.targets.zendesk import ZendeskUserSegment

source = {users}
create = ZendeskCreateUserSegmentOperator(task_id="create", name="Trial", tags=["only_added"])
get = ZendeskGetUserSegmentOperator(task_id="get", user_segment=create.output)
listed = ZendeskListUserSegmentsOperator(task_id="listed")
sync = SyncMembersOperator(
    task_id="sync", target=ZendeskUserSegment("Trial"), source=source, ledger_path={ledger!r}, max_members=1
)
delete = ZendeskDeleteUserSegmentOperator(task_id="delete", user_segment=create.output, trigger_rule="all_done")
create >> get >> listed >> sync >> delete
"""


def test_the_links_of_zendesk_tasks_lead_to_the_segment(zendesk_sandbox, dag_file, tmp_path):
    users = list(zendesk_sandbox.seed_users(2))
    dag_run = dag_file(ZENDESK.format(users=users, ledger=str(tmp_path / "ledger"))).test()
    tasks = {ti.task_id: ti for ti in dag_run.get_task_instances()}
    links = {
        name: ti.xcom_pull(task_ids=name, key="_link_SegmentLink" if name == "sync" else "_link_ZendeskHelpCenterLink")
        for name, ti in tasks.items()
    }
    created = tasks["create"].xcom_pull(task_ids="create")["user_segment_id"]
    segments = f"{zendesk_sandbox.connection()['host']}/knowledge/user_segments"
    segment = f"{segments}/edit/{created}"
    assert tasks["sync"].xcom_pull(task_ids="sync", key="plan")["counts"]["add"] == len(users)  # The plan was refused.
    assert str(tasks["sync"].state) == "failed"
    assert links == {"create": segment, "get": segment, "listed": segments, "sync": segment, "delete": segments}
