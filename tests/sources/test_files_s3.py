"""User IDs from files on an S3 server, over a socket, by the client that Airflow uses."""

from __future__ import annotations

import gzip
import threading
from importlib import import_module

import airflow
import boto3
import duckdb
import pytest
import s3fs
from airflow.providers.common.compat.sdk import ObjectStoragePath
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from airflow_segments_provider.errors import InvalidInput, SourceUnavailable
from airflow_segments_provider.sources.files import FileMembers

attach = import_module("airflow.io.store" if airflow.__version__.startswith("2.") else "airflow.sdk.io").attach

BUCKET = "user-files"


class S3:
    """An S3 server that counts the bytes of its responses and can reject requests."""

    def __init__(self):
        self.app = DomainDispatcherApplication(create_backend_app)
        self.sent = 0
        self.is_closed = False
        self.server = make_server("127.0.0.1", 0, self.serve, threaded=True, request_handler=Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.options = {"endpoint_url": f"http://127.0.0.1:{self.server.port}", "region_name": "us-east-1"}
        self.client = boto3.client("s3", aws_access_key_id="key", aws_secret_access_key="secret", **self.options)

    def serve(self, environ, start_response):
        if self.is_closed:
            start_response("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        answer = b"".join(self.app(environ, start_response))
        self.sent += len(answer)
        return [answer]

    def put(self, key, content):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)


class Quiet(WSGIRequestHandler):
    def log(self, *args, **named):
        """Do not log."""


@pytest.fixture(scope="module")
def running():
    server = S3()
    server.client.create_bucket(Bucket=BUCKET)
    yield server
    server.server.shutdown()
    server.thread.join()
    server.server.server_close()


@pytest.fixture
def s3(running):
    fs = s3fs.S3FileSystem(key="key", secret="secret", client_kwargs=running.options, skip_instance_cache=True)
    attach("s3", conn_id="files", fs=fs)
    yield running
    running.is_closed = False
    for entry in running.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        running.client.delete_object(Bucket=BUCKET, Key=entry["Key"])


def read(path):
    return list(FileMembers(path, "id").read_ids())


def test_directories_globs_and_objects_on_s3_are_read(s3):
    s3.put("out/", b"")
    s3.put("out/_SUCCESS", b"")
    s3.put("out/part-1.csv.gz", gzip.compress(b"id\nu2\n"))
    s3.put("out/part-0.csv.gz", gzip.compress(b"id\nu1\n"))
    s3.put("other/part-0.csv.gz", gzip.compress(b"id\nu3\n"))
    base = f"s3://files@{BUCKET}"
    assert read(f"{base}/out") == read(f"{base}/out/") == read(f"{base}/out/*") == ["u1", "u2"]
    assert read(f"{base}/out/part-?.csv.gz") == read(f"{base}/out/part-[0-9].*") == ["u1", "u2"]
    assert read(f"{base}/*/part-0.csv.gz") == read(f"{base}/**/part-0.csv.gz") == ["u3", "u1"]
    assert read(ObjectStoragePath(f"{base}/out/part-1.csv.gz")) == ["u2"]
    assert read(ObjectStoragePath(f"s3://{BUCKET}/out", conn_id="files")) == ["u1", "u2"]
    s3.put("out/part-2.csv.gz", gzip.compress(b"id\nu4\n"))
    assert read(f"{base}/out") == ["u1", "u2", "u4"]


def test_only_the_selected_parquet_column_is_fetched_from_s3(s3, tmp_path):
    path = tmp_path / "x.parquet"
    columns = ", ".join(f"md5(i::VARCHAR || 'x{number}') AS c{number}" for number in range(20))
    query = f"SELECT 'u' || i AS id, {columns} FROM range(50000) t(i)"
    duckdb.sql(f"COPY ({query}) TO '{path}' (ROW_GROUP_SIZE 25000)")
    s3.put("x.parquet", path.read_bytes())
    s3.sent = 0
    assert len(read(f"s3://files@{BUCKET}/x.parquet")) == 50_000
    assert 0 < s3.sent < path.stat().st_size / 4


def test_a_missing_object_or_bucket_on_s3_is_refused(s3):
    for path in (f"s3://files@{BUCKET}/missing.csv", "s3://files@no-such-bucket/x.csv", "s3://files@no-such-bucket/*"):
        with pytest.raises(InvalidInput, match="there is no such file"):
            read(path)


@pytest.mark.parametrize("path", ["x.csv", "*.csv", ""])
def test_an_s3_object_without_permission_is_an_unavailable_source(s3, path):
    s3.put("x.csv", b"id\nu1\n")
    assert read(f"s3://files@{BUCKET}/{path}") == ["u1"]
    s3.is_closed = True
    with pytest.raises(SourceUnavailable, match=r"cannot be read \(PermissionError\)"):
        read(f"s3://files@{BUCKET}/{path}")
