"""The ledger on an S3 server, over a socket, by the client that Airflow uses."""

from __future__ import annotations

import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module

import airflow
import boto3
import fsspec
import pytest
import s3fs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from airflow_segments_provider.errors import ConfigurationError, LedgerError, LedgerUnavailable
from airflow_segments_provider.sync.ledger import object_store
from airflow_segments_provider.sync.ledger.location import open_store, store_at
from airflow_segments_provider.sync.ledger.object_store import ObjectStore, check_exclusive
from tests.sync.conftest import people

attach = import_module("airflow.io.store" if airflow.__version__.startswith("2.") else "airflow.sdk.io").attach

BUCKET = "segments"
# Not the default region: there, creating a bucket by mistake would fail for another reason.
REGION = "eu-west-1"
NO_SUCH_BUCKET = "segmnets"


class S3:
    """A server whose responses a test may change: ``answer(environ, serve)`` returns the body of the response."""

    def __init__(self):
        self.app = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.Lock()
        self.answer = None
        self.server = make_server("127.0.0.1", 0, self.serve, threaded=True, request_handler=Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def serve(self, environ, start_response):
        # moto checks for the object and writes it in two steps; S3 does both in one.
        with self.lock:
            if self.answer is not None:
                return self.answer(environ, start_response)
            return self.app(environ, start_response)

    @property
    def options(self):
        return {
            "key": "key",
            "secret": "secret",
            "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{self.server.port}", "region_name": REGION},
            "skip_instance_cache": True,
        }

    def client(self):
        return boto3.client(
            "s3", aws_access_key_id="key", aws_secret_access_key="secret", **self.options["client_kwargs"]
        )

    def store(self, prefix=None):
        """Return a store with a client of its own, as another process would have."""
        return ObjectStore(s3fs.S3FileSystem(**self.options), prefix or f"{BUCKET}/{uuid.uuid4().hex}")

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Quiet(WSGIRequestHandler):
    def log(self, *args, **named):
        """Do not log."""


@pytest.fixture(scope="session")
def running():
    """Start the server once per process; after a restart of the session by xdist, the bucket exists already."""
    server = S3()
    client = server.client()
    try:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield server
    finally:
        server.stop()


@pytest.fixture
def s3(running):
    yield running
    running.answer = None


def refuse(environ, start_response, status, code):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    body = b"" if environ["REQUEST_METHOD"] == "HEAD" else body
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def test_the_s3_store_creates_reads_lists_and_deletes_files(s3, tmp_path):
    store, other = s3.store("segments/ours"), s3.store("segments/ours")
    assert store.names("a") == []
    assert store.read("a/1") is None
    assert not store.fetch("a/1", tmp_path / "x")
    store.delete("a/1")
    assert store.create("a/1", b"first")
    assert not store.create("a/1", b"second")
    assert not other.create("a/1", b"first")
    assert other.read("a/1") == b"first"
    for name in ("a/2", "a/deeper/3", "b/4"):
        assert other.create(name, b"")
    assert store.names("a") == ["1", "2"]
    other.delete("a/1")
    assert store.names("a") == ["2"]
    assert store.read("a/1") is None
    assert store.create("a/1", b"again")


def test_of_two_writers_of_one_s3_object_exactly_one_succeeds(s3):
    stores = [s3.store("segments/race") for _ in range(2)]
    start = threading.Barrier(2)

    def write(number, round_):
        start.wait()
        return stores[number].create(f"generations/{round_}", f"{number}".encode() * 1000)

    with ThreadPoolExecutor(2) as threads:
        for round_ in range(20):
            won = list(threads.map(write, range(2), [round_] * 2))
            assert sorted(won) == [False, True]
            assert stores[0].read(f"generations/{round_}") == str(won.index(True)).encode() * 1000


@pytest.mark.slow
def test_a_large_file_is_uploaded_to_s3_in_parts(s3, tmp_path):
    parts = []

    def answer(environ, start_response):
        parts.append("partNumber=" in environ["QUERY_STRING"])
        return s3.app(environ, start_response)

    s3.answer = answer
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(1 << 20) * 110)
    store = s3.store()
    store.put("state/1.parquet", source)
    assert sum(parts) > 1
    assert store.fetch("state/1.parquet", target)
    assert target.read_bytes() == source.read_bytes()


def test_a_ledger_path_on_s3_uses_the_airflow_connection_in_it(s3):
    attach(protocol="s3", conn_id="ledgers", fs=s3fs.S3FileSystem(**s3.options))
    folder = f"walkme/host/system/{uuid.uuid4().hex}"
    store = open_store(f"s3://ledgers@{BUCKET}/sub/path/", folder)
    assert store.create("generations/1.json", b"{}")
    assert s3.store(f"{BUCKET}/sub/path/{folder}").names("generations") == ["1.json"]
    assert s3.store(f"{BUCKET}/sub/path/{folder}").names("probe") == []
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        open_store(f"s3://ledgers@{NO_SUCH_BUCKET}/sub", folder)
    assert NO_SUCH_BUCKET not in [bucket["Name"] for bucket in s3.client().list_buckets()["Buckets"]]


def test_syncs_keep_their_ledger_on_s3(segment, s3):
    prefix = f"{BUCKET}/{uuid.uuid4().hex}"
    for wanted in (people(0, 30), people(0, 40), people(5, 42)):
        segment.store = s3.store(prefix)
        assert segment.sync(wanted).outcome == "changed"
        assert segment.vendor.members == set(wanted)
    segment.store = s3.store(prefix)
    assert segment.sync(people(5, 42)).outcome == "unchanged"

    newest = segment.store.names("generations")[-1]
    segment.store.fs.pipe_file(f"{prefix}/generations/{newest}", b"{")
    requests = segment.vendor.requests
    with pytest.raises(LedgerError, match="damaged"):
        segment.sync(people(5, 43))
    assert segment.vendor.requests == requests


def test_a_write_to_s3_whose_response_was_lost_is_recognized_as_done(segment, s3):
    """The client repeats the request by itself, and the response says that the file exists."""
    lost: list[str] = []

    def answer(environ, start_response):
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "PUT" and path not in lost and len(lost) < 2:
            lost.append(path)
            list(s3.app(environ, lambda *given: None))
            return refuse(environ, start_response, "500 Internal Server Error", "InternalError")
        return s3.app(environ, start_response)

    s3.answer, segment.store = answer, s3.store()
    check_exclusive(segment.store)
    assert segment.sync(people(0, 30)).outcome == "changed"
    assert len(lost) == 2
    assert segment.sync(people(0, 30)).outcome == "unchanged"
    assert segment.vendor.members == set(people(0, 30))


@pytest.mark.parametrize("done", [False, True])
def test_a_write_to_s3_that_conflicts_with_another_one_is_tried_again(s3, done):
    met: list[int] = []

    def answer(environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT" and not met:
            met.append(1)
            if done:
                list(s3.app(environ, lambda *given: None))
            return refuse(environ, start_response, "409 Conflict", "ConditionalRequestConflict")
        return s3.app(environ, start_response)

    s3.answer, store = answer, s3.store()
    assert store.create("generations/1.json", b"1")
    assert met
    assert not store.create("generations/1.json", b"2")


def test_a_server_that_ignores_conditional_writes_is_refused(s3):
    def answer(environ, start_response):
        environ.pop("HTTP_IF_NONE_MATCH", None)
        return s3.app(environ, start_response)

    check_exclusive(s3.store())
    s3.answer = answer
    with pytest.raises(LedgerError, match="created twice"):
        check_exclusive(s3.store())


@pytest.mark.parametrize(
    ("status", "code"), [("403 Forbidden", "AccessDenied"), ("501 Not Implemented", "NotImplemented")]
)
def test_a_server_that_refuses_writes_is_refused(s3, status, code, monkeypatch):
    def answer(environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT":
            return refuse(environ, start_response, status, code)
        return s3.app(environ, start_response)

    s3.answer = answer
    monkeypatch.setattr(object_store, "PAUSES", (0, None))
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        check_exclusive(s3.store())


USES = {
    "create": lambda store, file: store.create("a/1", b"x"),
    "put": lambda store, file: store.put("a/1", file),
    "read": lambda store, file: store.read("a/1"),
    "fetch": lambda store, file: store.fetch("a/1", file.with_name("into")),
    "names": lambda store, file: store.names("a"),
    "folders": lambda store, file: store.folders("a"),
    "delete": lambda store, file: store.delete("a/1"),
    "delete_folder": lambda store, file: store.delete_folder("a"),
}
ANSWERS = [
    ("403 Forbidden", "AccessDenied"),
    ("400 Bad Request", "ExpiredToken"),
    ("501 Not Implemented", "NotImplemented"),
    ("418 I am a teapot", "SomethingNew"),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("status", "code"), ANSWERS, ids=[code for _, code in ANSWERS])
def test_each_operation_that_s3_refuses_is_an_error_that_names_the_permissions(
    s3, tmp_path, monkeypatch, use, status, code
):
    monkeypatch.setattr(object_store, "PAUSES", (0, None))
    file = tmp_path / "file"
    file.write_bytes(b"x")
    store = s3.store()
    store.create("a/1", b"x")
    s3.answer = lambda environ, start_response: refuse(environ, start_response, status, code)
    with pytest.raises(LedgerUnavailable, match=r"No further request was sent.* may read, write, list and delete"):
        USES[use](store, file)


@pytest.mark.parametrize("use", [name for name in USES if name != "create"])
def test_each_operation_on_s3_is_tried_again_after_a_temporary_failure(s3, tmp_path, monkeypatch, use):
    """The create is tested separately."""
    monkeypatch.setattr(object_store, "PAUSES", (0, None))
    file = tmp_path / "file"
    file.write_bytes(b"x")
    store, failed = s3.store(), list[int]()
    store.create("a/1", b"x")

    def answer(environ, start_response):
        if not failed:
            failed.append(1)
            return refuse(environ, start_response, "501 Not Implemented", "NotImplemented")
        return s3.app(environ, start_response)

    s3.answer = answer
    USES[use](store, file)
    assert failed


def test_a_write_to_a_bucket_that_does_not_exist_is_an_error(s3, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x")
    store = s3.store(f"{NO_SUCH_BUCKET}/ledger")
    for use in ("create", "put"):
        with pytest.raises(LedgerUnavailable, match=r"cannot be written .*FileNotFoundError"):
            USES[use](store, file)


def test_a_missing_local_folder_is_not_taken_for_a_missing_object(s3, tmp_path):
    store = s3.store()
    store.create("state/1", b"x")
    with pytest.raises(LedgerUnavailable, match=r"copied to .*into"):
        store.fetch("state/1", tmp_path / "missing" / "into")


def test_deleting_a_folder_deletes_objects_that_were_written_after_it_was_listed(s3):
    store, other = s3.store("segments/deleted"), s3.store("segments/deleted")
    store.create("a/1", b"x")
    assert store.names("a") == ["1"]
    other.create("a/2", b"x")
    store.delete_folder("a")
    assert other.names("a") == []


@pytest.mark.parametrize("prefix", ["a b", "a%20b", "a@b", "ü", "a&b=c+d"])
def test_special_characters_in_an_s3_prefix_are_kept(s3, prefix):
    attach(protocol="s3", conn_id="ledgers", fs=s3fs.S3FileSystem(**s3.options))
    folder = f"walkme/127.0.0.1%3A80/{uuid.uuid4().hex}"
    store = store_at(f"s3://ledgers@{BUCKET}/{prefix}/", folder)
    assert store.create("generations/1.json", b"{}")
    keys = [found["Key"] for found in s3.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/")["Contents"]]
    assert f"{prefix}/{folder}/generations/1.json" in keys
    store.delete_folder("")
    assert store.names("generations") == []


def test_an_azure_url_whose_account_would_be_read_as_the_container_is_refused():
    attach(protocol="abfs", conn_id="container", fs=fsspec.filesystem("memory"))
    with pytest.raises(ConfigurationError, match=r"would be read as .* Nothing was sent"):
        store_at("abfs://container@account.dfs.core.windows.net/ledger")
    store = store_at("abfs://container@other/ledger", "a")
    assert isinstance(store, ObjectStore)
    assert store.root == "other/ledger/a"
