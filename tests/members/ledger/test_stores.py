"""Each store by the same rules: whole or not at all, one winner, nothing cached."""

from __future__ import annotations

import multiprocessing
import os
import uuid
from pathlib import Path

import fsspec
import pytest

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.members.ledger.local_store import LocalStore
from airflow_segments_provider.members.ledger.object_store import ObjectStore, check_exclusive
from airflow_segments_provider.members.ledger.places import open_store
from airflow_segments_provider.members.ledger.store import every_file


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        return LocalStore(tmp_path / "ledger")
    return ObjectStore(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}")


def test_only_the_first_creates(store):
    assert store.create("generations/1.json", b"first")
    assert not store.create("generations/1.json", b"second")
    assert store.read("generations/1.json") == b"first"


def test_what_is_not_there(store, tmp_path):
    assert store.read("a/b") is None
    assert store.names("a") == []
    assert not store.fetch("a/b", tmp_path / "x")
    store.delete("a/b")


def test_names_are_those_of_one_folder_sorted(store, tmp_path):
    for name in ("a/2", "a/1", "a/deeper/3", "b/4"):
        store.create(name, b"")
    assert store.names("a") == ["1", "2"]
    store.delete("a/1")
    assert store.names("a") == ["2"]


def test_files_go_there_and_back(store, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(3 << 20))
    store.put("state/1.parquet", source)
    assert store.fetch("state/1.parquet", target)
    assert target.read_bytes() == source.read_bytes()
    assert store.names("state") == ["1.parquet"]


def test_folders_are_those_of_one_folder_and_go_with_all_that_is_in_them(store):
    for name in ("a/2/x", "a/1/deep/y", "a/file", "b/z"):
        store.create(name, b"")
    assert store.folders("a") == ["1", "2"]
    assert store.folders("") == ["a", "b"]
    assert store.folders("none") == store.folders("a/2") == []
    assert sorted(every_file(store)) == ["a/1/deep/y", "a/2/x", "a/file", "b/z"]
    store.delete_folder("a/1")
    assert (store.folders("a"), store.names("a")) == (["2"], ["file"])
    store.delete_folder("a")
    store.delete_folder("a")
    assert list(every_file(store)) == ["b/z"]
    store.delete_folder("")
    assert list(every_file(store)) == []


def test_a_file_is_put_over_another(store, tmp_path):
    source = tmp_path / "source"
    for content in (b"long before", b"now"):
        source.write_bytes(content)
        store.put("reports/1/plan.md", source)
    assert store.read("reports/1/plan.md") == b"now"


def create_many(folder: str, number: int, names: int) -> list[bool]:
    store = LocalStore(Path(folder))
    return [store.create(f"generations/{name}", str(number).encode()) for name in range(names)]


def test_of_several_processes_exactly_one_creates_each_file(tmp_path):
    folder, workers, names = str(tmp_path / "ledger"), 4, 50
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        won = pool.starmap(create_many, [(folder, number, names) for number in range(workers)])
    store = LocalStore(tmp_path / "ledger")
    for name in range(names):
        (winner,) = (number for number in range(workers) if won[number][name])
        assert store.read(f"generations/{name}") == str(winner).encode()
    assert len(list((tmp_path / "ledger" / "generations").iterdir())) == names  # nothing temporary is left


def test_a_store_that_lets_two_create_is_refused():
    class Careless(ObjectStore):
        def create(self, name, content):
            self.fs.pipe_file(self._path(name), content)
            return True

    with pytest.raises(LedgerError, match="created twice"):
        check_exclusive(Careless(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"))
    check_exclusive(ObjectStore(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"))


def test_a_local_path_is_for_local_executors_or_shared_file_systems(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    assert isinstance(open_store(str(tmp_path), "walkme/a/b/c"), LocalStore)
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor,CeleryExecutor")
    with pytest.raises(LedgerError, match="several machines"):
        open_store(str(tmp_path), "walkme/a/b/c")
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH_IS_SHARED", "True")
    assert isinstance(open_store(f"file://{tmp_path}", "walkme/a/b/c"), LocalStore)
