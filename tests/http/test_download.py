"""Responses that are written into a file: complete or not at all."""

from __future__ import annotations

import tempfile

import pytest

from airflow_segments_provider.errors import NotFound, VendorUnavailable
from airflow_segments_provider.http import RetryPolicy
from airflow_segments_provider.http.transport import MAX_BODY
from tests.http.vendor import Answer

QUICK = RetryPolicy(max_attempts=3, base_delay=0, max_delay=0)


@pytest.fixture
def file():
    with tempfile.TemporaryFile() as file:
        yield file


def content(file) -> bytes:
    file.seek(0)
    return bytes(file.read())


def test_a_body_of_any_type_is_written_to_the_file_and_not_to_the_response(vendor, file):
    vendor.answers.append(Answer(body="userid\nada\n", headers={"Content-Type": "text/csv"}))
    reply = vendor.client().request("GET", ["x"], into=file)
    assert (reply.status, reply.json, reply.headers["content-type"]) == (200, None, "text/csv")
    assert content(file) == b"userid\nada\n"


def test_a_file_may_be_larger_than_the_limit_of_a_body_in_memory(vendor, file):
    vendor.answers.append(Answer(body=b"x" * (MAX_BODY + 1), headers={"Content-Type": "text/csv"}))
    vendor.client().request("GET", ["x"], into=file)
    assert file.seek(0, 2) == MAX_BODY + 1


def test_a_repeated_download_starts_the_file_again(vendor, file):
    cut = Answer(body="a long first part", headers={"Content-Length": "1000", "Connection": "close"})
    vendor.answers.extend([cut, Answer(body="short")])
    vendor.client(retry=QUICK).request("GET", ["x"], into=file)
    assert content(file) == b"short"


def test_a_download_that_breaks_off_in_every_try_is_an_error(vendor, file):
    cut = Answer(body="a part", headers={"Content-Length": "1000", "Connection": "close"})
    vendor.answers.extend([cut] * 3)
    with pytest.raises(VendorUnavailable, match="Tried 3 times"):
        vendor.client(retry=QUICK).request("GET", ["x"], into=file)


def test_an_error_response_to_a_download_is_read_and_not_written(vendor, file):
    vendor.answers.append(Answer(404, {"message": "no such group"}))
    with pytest.raises(NotFound, match="no such group"):
        vendor.client().request("GET", ["x"], into=file)
    assert content(file) == b""
