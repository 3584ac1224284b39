"""Docebo lists its services with the addresses of their documents: those on other hosts are not requested."""

from __future__ import annotations

import pytest

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.testing.sandbox.docebo.document import document

SERVICES = "/docebo/manage/v1/site/microservices"


@pytest.fixture
def check(capsys):
    """Run the command; return its status and what it printed."""

    def run() -> tuple[int, str]:
        status = main(["check-contract", "--conn-id", "docebo_default"])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def listed(*urls: object) -> dict[str, object]:
    return {"data": [{"app": "x", "url": url} for url in urls], "version": "1.0.0", "_links": []}


def asked(relay) -> list[str]:
    """Return the paths that were requested after the token and the list."""
    paths = [request.path for request in relay.seen]
    assert paths[:2] == ["/docebo/oauth2/token", SERVICES]
    return paths[2:]


def test_the_documents_of_all_docebo_services_are_read(docebo, relay, check):
    relay.serve(SERVICES, listed(*(f"{relay.url}/docebo/{name}/v1/site/swagger" for name in ("audiences", "manage"))))
    status, printed = check()
    assert status == 0, printed
    assert "compared  15 of this package's 15 operations, with 15 described" in printed
    assert asked(relay) == ["/docebo/audiences/v1/site/swagger", "/docebo/manage/v1/site/swagger"]


@pytest.mark.parametrize("prefix", ["", "/docebo"])
def test_the_address_of_a_service_may_be_without_a_host_and_with_a_query(docebo, relay, check, prefix):
    for name in ("audiences", "manage"):
        relay.serve(f"/docebo/docs/{name}%201.json", document(name), kind="text/plain")
    relay.serve(SERVICES, listed(f"{prefix}/docs/audiences%201.json?v=2", f"{prefix}/docs/manage%201.json"))
    assert check()[0] == 0
    assert relay.seen[2].query == {"v": "2"}


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example.com/audiences.json",
        "//127.0.0.1:1/docebo/audiences/v1/site/swagger",
        "http://127.0.0.1/docebo/audiences/v1/site/swagger",
        "http://user@{host}/docebo/audiences/v1/site/swagger",
        "https://{host}/docebo/audiences/v1/site/swagger",
        "file:///etc/hostname",
    ],
)
def test_a_service_on_another_host_is_not_called(docebo, relay, check, url):
    relay.serve(SERVICES, listed(url.format(host=relay.url.removeprefix("http://"))))
    status, printed = check()
    assert status == 2
    assert "is not on the connection's own host, so it was not called" in printed
    assert "--document" in printed
    assert asked(relay) == []


def test_a_path_with_dots_does_not_leave_the_host(docebo, relay, check):
    relay.serve(SERVICES, listed("/docebo/%2e%2e/%2e%2e/_sandbox/clock", "/docebo/../../_sandbox/clock"))
    status, _ = check()
    assert status == 2
    assert asked(relay) == ["/docebo/_sandbox/clock"]


def test_an_operation_that_may_be_in_an_unread_document_is_unclear_and_not_a_difference(docebo, relay, check):
    relay.serve(SERVICES, listed(f"{relay.url}/docebo/manage/v1/site/swagger", f"{relay.url}/docebo/audiences/v1/none"))
    status, printed = check()
    assert status == 2
    assert "NOT READ" in printed
    assert "UNCLEAR   GET /audiences/v1/audience (list groups): the document has no such operation." in printed
    assert "DIFFERS" not in printed


@pytest.mark.parametrize("services", [{}, {"data": []}, {"data": {}}, {"data": ["x", {"app": "y"}]}, []])
def test_a_list_without_services_is_reported_and_nothing_is_compared(docebo, relay, check, services):
    relay.serve(SERVICES, services)
    status, printed = check()
    assert status == 2
    assert "Nothing could be compared." in printed


@pytest.mark.parametrize("gone", [("assign_users",), ("assign_users", "put_users")])
def test_a_platform_with_another_form_of_the_add_request_has_no_difference(docebo, relay, check, gone):
    described = document("audiences")
    described["paths"].pop("/audience/{uuid}/assign_users")
    ways = described["paths"]["/audience/{uuid}/users"]
    if "put_users" in gone:
        ways["post"] = ways.pop("put")
    relay.serve("/docebo/audiences/v1/site/swagger", described)
    relay.serve(SERVICES, listed(*(f"{relay.url}/docebo/{name}/v1/site/swagger" for name in ("audiences", "manage"))))
    assert check()[0] == 0


def test_a_platform_without_any_form_of_the_add_request_is_reported(docebo, relay, check):
    described = document("audiences")
    described["paths"].pop("/audience/{uuid}/assign_users")
    described["paths"]["/audience/{uuid}/users"].pop("put")
    relay.serve("/docebo/audiences/v1/site/swagger", described)
    relay.serve(SERVICES, listed(*(f"{relay.url}/docebo/{name}/v1/site/swagger" for name in ("audiences", "manage"))))
    status, printed = check()
    assert status == 1
    told = [line for line in printed.splitlines() if "DIFFERS" in line]
    assert len(told) == 2
    assert all(line.endswith("the document has the path only with DELETE, GET.") for line in told)
