"""A read-only client sends only reads."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import ConfigurationError
from airflow_segments_provider.http import UserId
from airflow_segments_provider.http.transport import READS
from tests.http.vendor import Answer


@pytest.fixture
def client(vendor):
    return vendor.client(read_only=True, named="Airflow connection 'acme_default'")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "get", "QUERY"])
def test_a_write_of_a_read_only_client_is_refused_before_a_token_is_fetched(client, vendor, method):
    with pytest.raises(ConfigurationError) as caught:
        client.request(method, ["groups", "7", "users", UserId("ada@example.com")], body=b'["ada@example.com"]')
    assert str(caught.value) == (
        f"{method} /groups/7/users/{{user}}: Airflow connection 'acme_default' is read-only, so the write was not sent "
        "to Acme. Use a connection that may write, or turn off `read_only` in this one."
    )
    assert (vendor.requests, client.requests_sent) == ([], 0)


def test_a_write_of_a_read_only_client_can_be_checked_in_advance(client, vendor):
    with pytest.raises(
        ConfigurationError, match="The sync of a segment: Airflow connection 'acme_default' is read-only"
    ):
        client.check_writable("The sync of a segment")
    vendor.client().check_writable("The sync of a segment")
    assert vendor.requests == []


def test_a_read_only_client_sends_reads(client, vendor):
    assert {"GET", "HEAD"} == READS
    assert client.request("GET", ["x"], query={"page": "2"}).json == {"ok": True}
    vendor.answers.append(Answer(body=""))
    assert client.request("HEAD", ["x"], may_be_empty=True).status == 200
    assert [call.method for call in vendor.calls] == ["GET", "HEAD"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_read_of_a_read_only_client_stays_a_read(client, vendor, status):
    vendor.answers.append(Answer(status, headers={"Location": "/elsewhere"}))
    client.request("GET", ["x"])
    assert [(call.method, call.target) for call in vendor.calls] == [("GET", "/x"), ("GET", "/elsewhere")]


def test_a_read_only_client_renews_its_token(client, vendor):
    vendor.answers.append(Answer(401))
    assert client.request("GET", ["x"]).status == 200
    assert vendor.tokens_fetched == 2
