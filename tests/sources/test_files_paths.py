"""The files that a path matches, on a local disk and on an object storage, and errors of the storage."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import airflow
import duckdb
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_segments_provider.errors import InvalidInput, SegmentsError, SourceUnavailable
from airflow_segments_provider.sources.files import FileMembers

attach = import_module("airflow.io.store" if airflow.__version__.startswith("2.") else "airflow.sdk.io").attach


class Storage(MemoryFileSystem):  # type: ignore[misc]
    """An object storage in memory whose operations can be made to fail."""

    protocol = "memory"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    failing: ClassVar[dict[str, Any]] = {}
    fetched: ClassVar[list[int]] = []

    def _failing(self, call, path):
        if call in self.failing and self.failing[call][0] in path:
            raise self.failing[call][1]

    def info(self, path, **kwargs):
        self._failing("info", path)
        return super().info(path, **kwargs)

    def ls(self, path, **kwargs):
        self._failing("ls", path)
        return super().ls(path, **kwargs)

    def open(self, path, mode="rb", **kwargs):
        if mode != "rb":
            return super().open(path, mode, **kwargs)
        self._failing("open", path)
        return Opened(self, path)


class Opened(BytesIO):
    """An open file with its own position."""

    def __init__(self, storage, path):
        super().__init__(storage.cat_file(path))
        self._storage, self._path = storage, path

    def read(self, size=-1):
        self._storage._failing("read", self._path)
        content = super().read(size)
        self._storage.fetched.append(len(content))
        return content


@pytest.fixture
def storage(monkeypatch):
    """Yield the object storage, and empty it at the end."""
    # Airflow caches the storage of an earlier test.
    monkeypatch.setattr(sys.modules[attach.__module__], "_STORE_CACHE", {})
    attach("memory", fs=(fs := Storage()))
    yield fs
    Storage.store.clear()
    Storage.failing.clear()
    Storage.fetched.clear()
    Storage.pseudo_dirs[:] = [""]


@pytest.fixture(params=["path", "text", "URL", "object", "memory URL", "memory object"])
def place(request, tmp_path):
    """Return a function that writes files below a folder and returns the folder, as every type of path."""
    kind = request.param
    if "memory" in kind:
        fs = request.getfixturevalue("storage")

    def write(files):
        for name, content in files.items():
            if "memory" in kind:
                fs.pipe(f"/bucket/{name}", content)
            else:
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(content)

        def path(rest):
            local = f"{tmp_path}/{rest}"
            return {
                "path": lambda: Path(local),
                "text": lambda: local,
                "URL": lambda: f"file://{local}",
                "object": lambda: ObjectStoragePath(f"file://{local}"),
                "memory URL": lambda: f"memory://bucket/{rest}",
                "memory object": lambda: ObjectStoragePath(f"memory://bucket/{rest}"),
            }[kind]()

        return path

    return write


def read(path, column="id", **parameters):
    return list(FileMembers(path, column, **parameters).read_ids())


def content(*ids):
    return "".join(f"{one}\n" for one in ("id", *ids)).encode()


def parquet(tmp_path, *ids):
    path = tmp_path / "made"
    duckdb.sql(f"COPY (SELECT unnest({list(ids)}) AS id, 1 AS n) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


PARTS = {
    "out/part-00001.csv": content("u2", "u3"),
    "out/part-00000.csv": content("u1"),
    "out/part-00010.csv": content("u4"),
    "out/_SUCCESS": b"",
    "out/_committed_7": b"{}",
    "out/.part-00000.csv.crc": b"crc",
    "out/_temporary/0/part-00099.csv": content("uncommitted"),
    "other/part-00000.csv": content("u5"),
}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("out", ["u1", "u2", "u3", "u4"]),
        ("out/", ["u1", "u2", "u3", "u4"]),
        ("out/*", ["u1", "u2", "u3", "u4"]),
        ("out/*.csv", ["u1", "u2", "u3", "u4"]),
        ("out/part-0000[0-1].csv", ["u1", "u2", "u3"]),
        ("out/part-0000[!0].csv", ["u2", "u3"]),
        ("out/part-000?0.csv", ["u1", "u4"]),
        ("out/part-00001.csv", ["u2", "u3"]),
        ("o*/part-00000.csv", ["u5", "u1"]),
        ("o*", ["u5", "u1", "u2", "u3", "u4"]),
        ("**/part-00000.csv", ["u5", "u1"]),
        ("out/**", ["u1", "u2", "u3", "u4"]),
        ("out/**/*.csv", ["u1", "u2", "u3", "u4"]),
        ("out/_temporary/0/*.csv", ["uncommitted"]),
        ("out/_temp*/0", ["uncommitted"]),
    ],
)
def test_a_path_reads_the_files_of_a_directory_or_glob_in_order(place, path, wanted):
    assert read(place(PARTS)(path)) == wanted


@pytest.mark.parametrize(
    "path", ["nothing", "out/*.jsonl", "out/x/*", "nothing/**", "out/part-00000.csv/*", "none/[a-z]"]
)
def test_a_path_without_files_is_refused(place, path):
    with pytest.raises(InvalidInput, match="there is no such file"):
        read(place(PARTS)(path))


def test_a_directory_of_hidden_files_only_is_refused(place):
    with pytest.raises(InvalidInput, match="there is no such file"):
        read(place({"out/_SUCCESS": b"", "out/.x.csv": content("u1")})("out"))


def test_the_partitions_of_a_table_are_read(place):
    files = {
        "t/day=2/part-0.csv": content("u3"),
        "t/day=1/b=x/part-1.csv": content("u2"),
        "t/day=1/b=x/part-0.csv": content("u1"),
        "t/_SUCCESS": b"",
    }
    assert read(place(files)("t")) == ["u1", "u2", "u3"]
    assert read(place(files)("t/day=*")) == ["u1", "u2", "u3"]


REFUSED = {
    "sub-directory": ({"t/a.csv": content("u1"), "t/archive/b.csv": content("old")}, "has the sub-directory 'archive'"),
    "Delta Lake": ({"t/a.parquet": b"", "t/_delta_log/0.json": b"{}"}, "a Delta Lake table"),
    "Hudi": ({"t/a.parquet": b"", "t/.hoodie/x": b"{}"}, "a Hudi table"),
    "formats": ({"t/a.csv": content("u1"), "t/b.jsonl": b'{"id": "u2"}'}, "more than one format: csv and jsonl"),
    "compressions": ({"t/a.csv": content("u1"), "t/b.csv.gz": b""}, "more than one compression: gz and none"),
    "an unknown one": ({"t/a.csv": content("u1"), "t/README.txt": b""}, "does not show its format"),
    "delimiters": ({"t/a.csv": content("u1"), "t/b.tsv": content("u2")}, "only some of the files are .tsv"),
}


@pytest.mark.parametrize("path", ["t/*.parquet", "*/*.parquet", "**/*.parquet"])
def test_a_glob_into_a_table_format_with_older_versions_is_refused(place, path):
    with pytest.raises(InvalidInput, match="a Delta Lake table"):
        read(place({"t/a.parquet": b"", "t/_delta_log/0.json": b"{}"})(path))


@pytest.mark.parametrize(("files", "match"), REFUSED.values(), ids=REFUSED)
def test_an_ambiguous_directory_is_refused(place, files, match):
    with pytest.raises(InvalidInput, match=match):
        read(place(files)("t"))


def test_format_and_compression_parameters_apply_to_all_files(place):
    path = place({"t/a.csv": gzip.compress(content("u1")), "t/b.data": gzip.compress(content("u2"))})
    assert read(path("t"), format="csv", compression="gz") == ["u1", "u2"]


def test_extensions_in_capitals_are_recognized(place):
    assert read(place({"A.CSV.GZ": gzip.compress(content("u1"))})("A.CSV.GZ")) == ["u1"]


@pytest.mark.parametrize("name", ["a[1].csv", "a*.csv", "a?.csv", "a b#c%20'.csv", "id=7.csv"])
def test_a_csv_file_with_a_pattern_in_its_name_is_read_alone(tmp_path, name):
    (tmp_path / name).write_bytes(content("u1"))
    (tmp_path / "a1.csv").write_bytes(content("u2"))
    assert read(tmp_path / name) == ["u1"]


@pytest.mark.parametrize("name", ["a[1].parquet", "a*.parquet", "id=7/a'.parquet", "a b.parquet", "$path.parquet"])
def test_a_parquet_file_with_a_pattern_in_its_path_is_read_alone(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(parquet(tmp_path, "u1", "u2"))
    (tmp_path / "a1.parquet").write_bytes(parquet(tmp_path, "u3"))
    assert read(tmp_path / name) == ["u1", "u2"]


def test_a_directory_of_parquet_files_is_read(place, tmp_path):
    files = {
        "people.parquet/part-00001.snappy.parquet": parquet(tmp_path, 7),
        "people.parquet/part-00000.gz.parquet": parquet(tmp_path, "007", "u1"),
        "people.parquet/_SUCCESS": b"",
        "people.parquet/.part-00000.parquet.crc": b"crc",
    }
    path = place(files)
    assert read(path("people.parquet")) == ["007", "u1", 7]
    assert read(path("people.parquet/*.parquet")) == ["007", "u1", 7]


def test_the_error_for_one_of_several_files_names_it(place):
    path = place({"t/a.csv": content("u1"), "t/b.csv": b"n\nu2\n"})
    with pytest.raises(InvalidInput, match=r"b\.csv: it has no column 'id'"):
        read(path("t"))
    path = place({"j/a.jsonl": b'{"id": "u1"}\n', "j/b.jsonl": b'{"ID": "u2"}\n'})
    with pytest.raises(InvalidInput, match=r"b\.jsonl: no line has the key 'id'"):
        read(path("j"))


def test_a_relative_path_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_bytes(content("u1"))
    assert read("x.csv") == read(Path("x.csv")) == read("*.csv") == read(".") == ["u1"]


def test_symbolic_links_are_followed_and_a_broken_one_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(content("u1"))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "y.csv").symlink_to(tmp_path / "x.csv")
    assert read(tmp_path / "links") == ["u1"]
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a=1").symlink_to(tmp_path / "links")
    (tmp_path / "latest").symlink_to(tmp_path / "more")
    assert read(tmp_path / "latest") == read(tmp_path / "latest/*/*.csv") == ["u1"]
    (tmp_path / "x.csv").unlink()
    with pytest.raises(InvalidInput, match=r"y\.csv is neither a file nor a directory"):
        read(tmp_path / "links")


def test_symbolic_links_in_a_circle_are_refused(tmp_path):
    (tmp_path / "a=1").symlink_to(tmp_path)
    (tmp_path / "x.csv").write_bytes(content("u1"))
    for path in (tmp_path, tmp_path / "**"):
        with pytest.raises(SegmentsError):
            read(path)


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "x.csv")
    with pytest.raises(InvalidInput, match=r"x\.csv is neither a file nor a directory"):
        read(tmp_path / "x.csv")


@pytest.mark.parametrize("call", ["info", "ls", "open", "read"])
@pytest.mark.parametrize("form", ["csv", "parquet", "parquet.gz"])
def test_an_error_of_the_storage_is_an_unavailable_source_without_its_message(storage, tmp_path, caplog, form, call):
    made = {"csv": content("u1"), "parquet": parquet(tmp_path, "u1")}
    made["parquet.gz"] = gzip.compress(made["parquet"])
    storage.pipe(f"/bucket/t/a.{form}", made[form])
    assert read("memory://bucket/t") == ["u1"]
    storage.failing[call] = ("", PermissionError("secret text of the storage"))
    with pytest.raises(SourceUnavailable) as caught:
        read("memory://bucket/t")
    assert str(caught.value) == (
        "FileMembers('memory://bucket/t', column='id') cannot be read (PermissionError). Nothing was sent. Check that "
        "it exists, and that its connection may read it."
    )
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
    assert "secret text" not in caplog.text


class Ended(BaseException):
    """Exception as Airflow raises it to end a task."""


@pytest.mark.parametrize("call", ["info", "ls", "open", "read"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_task_that_is_killed_while_the_storage_is_read_ends(storage, tmp_path, form, call):
    storage.pipe(f"/bucket/t/a.{form}", {"csv": content("u1"), "parquet": parquet(tmp_path, "u1")}[form])
    storage.failing[call] = ("", Ended())
    with pytest.raises(Ended):
        read("memory://bucket/t")


def test_a_directory_that_cannot_be_listed_is_an_error(storage):
    for name in ("a=1/x.csv", "a=2/x.csv"):
        storage.pipe(f"/bucket/{name}", content("u1"))
    storage.failing["ls"] = ("a=2", PermissionError())
    for path in ("memory://bucket", "memory://bucket/**/*.csv", "memory://bucket/a*/*"):
        with pytest.raises(SourceUnavailable):
            read(path)


def test_a_storage_that_airflow_does_not_know_is_an_unavailable_source():
    with pytest.raises(InvalidInput, match=r"no storage for `no-such-scheme://`.*install its provider package"):
        read("no-such-scheme://x/y.csv")


def test_a_storage_without_its_connection():
    with pytest.raises(SegmentsError):
        read("s3://no_such_connection@bucket/y.csv")


@pytest.mark.skipif(not os.geteuid(), reason="root may read every file")
def test_a_local_file_without_read_permission_is_an_unavailable_source(tmp_path):
    for name, made in (("x.csv", content("u1")), ("x.parquet", parquet(tmp_path, "u1"))):
        (tmp_path / name).write_bytes(made)
        (tmp_path / name).chmod(0)
        with pytest.raises(SourceUnavailable, match="PermissionError"):
            read(tmp_path / name)


def test_only_the_selected_parquet_column_is_fetched(storage, tmp_path):
    path = tmp_path / "x.parquet"
    duckdb.sql(
        f"COPY (SELECT 'u' || i AS id, md5(i::VARCHAR) || md5('x' || i) AS pad FROM range(200000) t(i)) TO '{path}' "
        "(ROW_GROUP_SIZE 50000)"
    )
    storage.pipe("/bucket/x.parquet", path.read_bytes())
    assert read("memory://bucket/x.parquet") == [f"u{number}" for number in range(200_000)]
    assert 0 < sum(storage.fetched) < path.stat().st_size / 10


def test_a_directory_is_listed_again_for_each_read(place, tmp_path):
    path = place({"t/a.csv": content("u1")})
    assert read(path("t")) == ["u1"]
    place({"t/b.csv": content("u2")})
    assert read(path("t")) == ["u1", "u2"]
    shutil.rmtree(tmp_path / "t", ignore_errors=True)
