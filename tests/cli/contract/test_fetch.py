"""Where the documents come from, and which errors they may have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.testing.sandbox.alteryx.document import document

ALTERYX = ["check-contract", "--conn-id", "alteryx_server_default"]
PATHS = ("/alteryx/webapi//swagger/docs/3", "/alteryx/webapi/swagger/docs/3")


@pytest.fixture
def check(capsys):
    """Run the command; return its status and what it printed."""

    def run(*arguments: object) -> tuple[int, str]:
        status = main([str(one) for one in arguments])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def test_the_document_is_requested_at_its_second_path_if_the_first_is_a_404(relay, alteryx, check):
    relay.serve(PATHS[0], "not here", 404, "text/plain")
    status, printed = check(*ALTERYX)
    assert status == 0, printed
    assert [request.path for request in relay.seen if "oauth2" not in request.path] == list(PATHS)


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_the_content_type_of_the_document_is_ignored(relay, alteryx, check, kind):
    relay.serve(PATHS[0], document(), kind=kind)
    assert check(*ALTERYX)[0] == 0


NONE = {
    "not there": ("no", 404, "text/plain", "404"),
    "forbidden": ("no", 403, "text/plain", "403"),
    "down": ("no", 503, "text/plain", "503"),
    "a page": ("<html><b>Sign in</b></html>", 200, "text/html", "not JSON"),
    "empty": ("", 200, "application/json", "empty body"),
    "cut short": ('{"swagger": "2.0", "paths": {', 200, "application/json", "not JSON"),
    "a list": ("[]", 200, "application/json", "is not a JSON object"),
    "another object": ('{"message": "hello"}', 200, "application/json", "is not a Swagger 2 or OpenAPI 3 document"),
    "an older form": ('{"swaggerVersion": "1.2", "apis": []}', 200, "application/json", "is not a Swagger 2"),
    "without paths": ('{"swagger": "2.0", "paths": []}', 200, "application/json", "is not a Swagger 2"),
}


@pytest.mark.parametrize("what", NONE)
def test_an_unusable_document_is_reported_and_nothing_is_compared(relay, alteryx, check, what):
    content, status, kind, said = NONE[what]
    for path in PATHS:
        relay.serve(path, content, status, kind)
    status, printed = check(*ALTERYX)
    assert status == 2
    assert said in printed
    assert "Nothing could be compared." in printed
    assert "DIFFERS" not in printed


def test_refused_credentials_are_reported(alteryx, check):
    alteryx.settings(api_secret="another")
    status, printed = check(*ALTERYX)
    assert status == 2
    assert "refused the client id and secret" in printed


def test_only_printable_characters_of_a_document_are_printed(relay, alteryx, check):
    found = document()
    found["info"]["title"] = "\x1b[2J" + "long" * 100
    found["definitions"]["UpdateUserGroupContract"]["required"].append("\x1b]0;title\x07")
    relay.serve(PATHS[0], found)
    status, printed = check(*ALTERYX)
    assert status == 1
    assert "requires the field" in printed
    assert printed.partition("Alteryx Server, connection")[2].replace("\n", "").isprintable()
    assert "long" * 30 not in printed


def test_a_file_can_replace_the_document_of_the_vendor(alteryx, check, tmp_path: Path):
    file = tmp_path / "swagger.json"
    file.write_text(json.dumps(document()))
    assert check(*ALTERYX, "--document", file)[0] == 0
    assert alteryx.counts() == {}


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("{", "is not JSON"), ("{}", "is not a Swagger")]
)
def test_a_file_that_is_not_a_description_is_reported(alteryx, check, tmp_path: Path, content, said):
    file = tmp_path / "swagger.json"
    if content is not None:
        file.write_text(content)
    status, printed = check(*ALTERYX, "--document", file)
    assert status == 2
    assert said in printed
