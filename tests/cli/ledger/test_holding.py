"""Which files contain an ID: each is opened and decoded, and searched where its format has IDs."""

from __future__ import annotations

import gzip

import duckdb
import pytest

from airflow_segments_provider.cli.ledger.file_search import Search
from airflow_segments_provider.cli.ledger.id_list import NamedId
from airflow_segments_provider.errors import LedgerUnavailable
from airflow_segments_provider.sync.approvals import Approval
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, Note, Release
from airflow_segments_provider.sync.workspace import Workspace

N1, N2 = "000000000001", "000000000002"
KNOWN = "'true'::BOOLEAN AS owned, NULL::BIGINT AS uncertain, 'add' AS pending, NULL::BIGINT AS rejected, 1 AS size"


def parquet(query, options=""):
    """Return a function that creates a Parquet file of a query."""

    def content(tmp_path):
        path = tmp_path / "made.parquet"
        duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet{options})")
        return path.read_bytes()

    return content


def state(*users, reason="status 400"):
    """Return a function that creates a file of the ledger's state."""
    listed = ", ".join(f"'{user}'" for user in users)
    return parquet(f"SELECT unnest([{listed}]) AS id, {KNOWN}, '{reason}' AS reason", ", COMPRESSION zstd")


def cut(content, part=0.5):
    """Return the first part of a file, as a killed writer leaves it if files are not written atomically."""
    return lambda tmp_path: content(tmp_path)[: int(len(content(tmp_path)) * part)]


def footer_only(tmp_path):
    """Return a file with the ID in its statistics only."""
    content = parquet("SELECT unnest(['p000', 'zzzz']) AS id, true AS owned", ", COMPRESSION uncompressed")(tmp_path)
    rows = content.rindex(b"p000", 0, content.index(b"zzzz")) if content.index(b"p000") < content.index(b"zzzz") else 0
    return content[:rows] + b"p001" + content[rows + 4 :]


BATCH = f"batches/{N1}-0123abcd/000001-add.txt"


def acknowledgement(rejected, **given):
    answer = {"generation": 1, "token": "t", "kind": "add", "batch": BATCH, "users": 1, "sent_at": 1, **given}
    return Acknowledgement(**answer, rejected=rejected).encoded


def approval(by):
    return Approval(digest=f"sha256:{'a' * 64}", generation=1, by=by, at=1).encoded


MANY = [f"q{number:06}" for number in range(60_000)]

HOLDING = {
    f"state/{N1}-0a-snapshot.parquet": state("p001", "p000"),
    f"state/{N1}-0b-delta.parquet": parquet(f"SELECT 'p000' AS id, {KNOWN}, 'x' AS reason WHERE true"),
    f"state/{N1}-0c-large.parquet": state(*MANY, "p000"),
    f"state/{N1}-0d-invisible.parquet": state("p001", "\u200bp000\u00a0\u200d"),
    "state/other-columns.parquet": parquet("SELECT 'p000' AS id, true AS owned"),
    "state/another-column.parquet": parquet("SELECT 1 AS id, 'by p000.' AS \"no\"\"te\""),
    "state/bytes.parquet": parquet("SELECT 'p000'::BLOB AS id"),
    "state/nested.parquet": parquet("SELECT [{'a': 'p000'}] AS users"),
    "state/metadata.parquet": parquet("SELECT 'p001' AS id", ", KV_METADATA {made_by: 'p000'}"),
    "state/statistics.parquet": footer_only,
    "elsewhere-without-suffix": parquet("SELECT 'p000' AS id"),
    f"batches/{N1}-0a/000001-add.txt": b"p001\np000\np002",
    f"batches/{N1}-0a/000002-add.txt": b"p001\np0\np000",
    f"batches/{N1}-0a/000003-add.txt": "p001\n\ufeffp000 \np002".encode(),
    "batches/notes.txt": b"without p000, please",
    f"acknowledged/{N1}/000001-add-000000.json": acknowledgement({"p000": "status 400"}),
    f"acknowledged/{N1}/changed-since.json": b'{"batch": "x", "rejected": {"p000": "status 400"}}',
    f"notes/{N1}-aa.json": Note(kind="add", sent_at=1, ids=("p001", "p000")).encoded,
    "notes/by-hand.json": b'{"ids": ["\\u0070000"]}',
    f"plans/{N1}-ab.txt": b"add\tp001\nremove\tp000\n",
    f"plans/{N1}-ab.json": b'{"plan": ["p000"]}',
    f"approvals/{N1}-ab": b"p000",
    f"approvals/{N1}-{'a' * 64}.json": approval("Ada p000"),
    f"reports/{N1}-ab/rejects.jsonl": b'{"row": 1}\n{"row": 2, "reason": "\\tp000"}\n',
    f"reports/{N1}-ab/plan.md": b"about p000.",
    f"leases/{N1}/changed-since.json": b'{"at": 1, "replacing": false, "who": "p000"}',
    f"generations/{N1}.json": b'{"by": "p000"}',
    "export.csv": b"id,owned\n\"p000\",true\n",
    "elsewhere": b"p000",
}  # fmt: skip

UNREADABLE = {
    f"state/{N1}-0a-cut.parquet": cut(state(*MANY)),
    f"state/{N1}-0b-cut-at-the-end.parquet": cut(state("p001"), 0.98),
    "state/not.parquet": b"not parquet",
    f"batches/{N1}-0a/000001-add.txt": b"\xff\xfe",
    f"acknowledged/{N1}/cut.json": b'{"batch": "x", "rejected": {"p0',
    f"plans/{N1}-ab.txt": b"add\tp0\xff",
    "copy.gz": gzip.compress(b"p000"),
    "utf-16-without-mark.txt": "p000".encode("utf-16-le"),
    "deep.json": b"[" * 100_000 + b"]" * 100_000,
}

OTHERS = {
    f"state/{N2}-0a-snapshot.parquet": state("p0000", "P000", "xp000", reason="p000"),
    f"batches/{N2}-0a/000002-add.txt": b"p0000\np00\np000x\nP000\np000 p001",
    f"acknowledged/{N2}/000002-add-000000.json": acknowledgement({"p001": "p000"}, token="p000"),
    f"notes/{N2}-bb.json": Note(kind="add", sent_at=1, ids=("p0000",)).encoded,
    f"plans/{N2}-ab.txt": b"add\tp0000\np000x\tadd\n",
    f"plans/{N2}-ab.json": b'{"plan": "p0000"}',
    f"leases/{N2}/released.json": Release(at=1, replacing=False).encoded,
    f"leases/{N2}/000000000000001.json": b"",
    f"approvals/{N2}-p000": b"",
    f"approvals/{N2}-{'a' * 64}.json": approval("p0000 p000x"),
    "making/x.json": b"1700000000000",
    "empty.parquet": b"",
}


def search(store, users=("p000",), rules=()):
    with Workspace() as workspace:
        return Search(workspace, [NamedId("line 1", user) for user in users], rules).store(store)


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    """Create each file once."""
    tmp_path, made = tmp_path_factory.mktemp("made"), {}

    def content(name, table):
        if (name, id(table)) not in made:
            found = table[name]
            made[name, id(table)] = found(tmp_path) if callable(found) else found
        return made[name, id(table)]

    return content


@pytest.fixture
def store(make, contents):
    """Return a store with files that do not contain the ID."""
    store = make().store
    for name in OTHERS:
        store.create(name, contents(name, OTHERS))
    return store


def test_format_words_and_other_ids_are_not_matches(store):
    assert search(store).files == []


@pytest.mark.parametrize("name", HOLDING)
def test_an_id_is_found_in_each_kind_of_file(store, contents, name):
    store.create(name, contents(name, HOLDING))
    found = search(store, ["p999", "p000"])
    assert (found.matches, found.unreadable) == ({name: frozenset({1})}, [])


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_decoded_is_named(store, contents, name):
    store.create(name, contents(name, UNREADABLE))
    found = search(store)
    assert (found.matches, found.unreadable) == ({}, [name])


def test_a_file_that_cannot_be_fetched_is_named(store, monkeypatch):
    fetch = type(store).fetch

    def refuse(self, name, into):
        if name.startswith("notes/"):
            raise LedgerUnavailable("no")
        return fetch(self, name, into)

    monkeypatch.setattr(type(store), "fetch", refuse)
    found = search(store)
    assert (found.matches, found.unreadable) == ({}, [f"notes/{N2}-bb.json"])


@pytest.mark.parametrize("path", ["local"], indirect=True)
def test_hidden_files_unfinished_files_and_links_are_searched(store):
    folder = store.folder
    (folder / ".nfs0001").write_text("p000")
    (folder / "batches" / ".part-whole").write_text("p001\np000")
    (folder / "batches" / ".part-cut").write_text("p001\np00")
    (folder / "batches" / ".part-new").touch()
    (folder / "linked").symlink_to(folder)
    (folder / "missing").symlink_to(folder / "nothing")
    (folder.parent / "aside").mkdir()
    (folder.parent / "aside" / "copy").write_text("p000")
    (folder / "aside").symlink_to(folder.parent / "aside")
    found = search(store)
    assert set(found.matches) == {".nfs0001", "batches/.part-whole", "aside/copy"}
    assert found.unreadable == ["batches/.part-cut"]


def test_ids_are_compared_by_the_rule_of_the_vendor(store):
    store.create(f"batches/{N1}-0a/000001-add.txt", "stra\u00dfe\n\u00e9".encode())
    lower = [lambda ids: [user.lower() for user in ids]]
    assert search(store, ["STRA\u1e9eE"]).files == []
    assert set(search(store, ["STRA\u1e9eE"], lower).matches) == {f"batches/{N1}-0a/000001-add.txt"}
    # `casefold` would make them equal.
    assert search(store, ["strasse"], lower).files == []
