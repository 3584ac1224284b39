"""``ledger erase-person`` with an e-mail address: the ledger of a vendor with user IDs of its own."""

from __future__ import annotations

import pytest

from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.timing import now_ms
from airflow_segments_provider.sync.target import Limits, SegmentKey
from airflow_segments_provider.sync.workspace import Workspace

KEY = SegmentKey("docebo", "https://acme.example", "", "0f8fad5b-d9cb-469f-a165-70867728950e")


pytestmark = pytest.mark.parametrize("path", ["local"], indirect=True)


def opened(root):
    writer = Writer(token="0", owner="dag.task", run="run")
    return Ledger(LocalStore(root / KEY.folder), KEY.folder, writer, Limits(1, 1, 1).request_timeout)


@pytest.fixture
def root(tmp_path):
    """Return a ledger with a member, a former member, and an unmatched identity."""
    ledger = opened(tmp_path / "ledgers")
    with Workspace() as workspace:
        members = ledger.open(workspace, as_of=now_ms())
        members.put(
            "SELECT '11' AS id, true AS owned, NULL AS uncertain, NULL AS pending, NULL AS rejected, NULL AS size, "
            "NULL AS reason"
        )
        members.identities.make()
        identities = ["ada@example.org", "grace@example.org", "alan@example.org"]
        found = {"ada@example.org": "11", "grace@example.org": "12"}
        members.identities.put("email", identities, found, now_ms())
        ledger.commit(members, as_of=now_ms())
    return tmp_path / "ledgers"


def kept(root):
    with Workspace() as workspace:
        members = opened(root).look(workspace)
        members.identities.make()
        return (
            [user for (user,) in workspace.rows("SELECT id FROM known ORDER BY id")],
            [identity for (identity,) in workspace.rows("SELECT identity FROM identities ORDER BY identity")],
        )


@pytest.mark.parametrize("named", ["grace@example.org", " Grace@EXAMPLE.org", "12"])
def test_an_identity_is_erased_with_its_id(ledger, root, named):
    status, out, err = ledger("erase-person", named)
    assert (status, err) == (0, "")
    assert "erased" in out
    assert kept(root) == (["11"], ["ada@example.org", "alan@example.org"])
    assert not [path for path in root.rglob("*") if path.is_file() and b"grace" in path.read_bytes()]


def test_an_unmatched_identity_is_erased(ledger, root):
    assert ledger("erase-person", "alan@example.org")[0] == 0
    assert kept(root)[1] == ["ada@example.org", "grace@example.org"]


def test_a_member_is_found_by_the_identity_and_not_erased_without_anyway(ledger, root):
    status, out, _ = ledger("erase-person", "ada@example.org")
    assert status == 1
    assert "1 owned" in out
    assert ledger("erase-person", "--anyway", "ada@example.org")[0] == 0
    assert kept(root) == ([], ["alan@example.org", "grace@example.org"])
