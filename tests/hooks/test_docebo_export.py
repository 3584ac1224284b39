"""Export of the members of a Docebo group by the hook against the sandbox, over a socket."""

from __future__ import annotations

import csv
import re

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_segments_provider.errors import InvalidInput, NotFound, SegmentsError, UnexpectedReply, VendorUnavailable
from airflow_segments_provider.hooks.docebo import DoceboHook
from tests.conftest import RETRY

SUPPORT = (
    "userid,email\n"
    "emre.novak@example.com,emre.novak@example.com\n"
    "faye.lindqvist@example.com,faye.lindqvist@example.com\n"
    "goran.petit@example.com,goran.petit@example.com\n"
)


@pytest.fixture
def hook(docebo_sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", docebo_sandbox.connection_json(retry=RETRY))
    return DoceboHook()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "members.csv"


def answered(sandbox, text, content_type="text/csv; charset=utf-8"):
    sandbox.fault("docebo.export_members", "status", status=200, body=text, content_type=content_type)


@pytest.mark.parametrize("bom", [True, False])
@pytest.mark.parametrize("line_end", ["lf", "crlf"])
def test_the_exported_file_is_the_same_for_every_byte_order_mark_and_line_end(
    hook, docebo_sandbox, path, bom, line_end
):
    docebo_sandbox.settings(export_bom=bom, export_line_end=line_end)
    export = hook.export_users(str(path), name="Support team")
    assert path.read_bytes() == SUPPORT.encode()
    assert export.model_dump() == {
        "path": str(path),
        "bytes": len(SUPPORT),
        "users": 3,
        "columns": ["userid", "email"],
    }
    assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.list_groups": 1, "docebo.export_members": 1}


def test_an_export_takes_columns_header_and_delimiter(hook, docebo_sandbox, path):
    group = docebo_sandbox.create_group("Odd people")
    odd = [('O\'Brien; "Bob"', "日本"), ("", "two\nlines"), ("=1+1", "\ufeffmark")]
    for number, (first, last) in enumerate(odd):
        person = docebo_sandbox.add_user(f"odd{number}", firstname=first, lastname=last)
        docebo_sandbox.add_members(group, [person])
    export = hook.export_users(
        ObjectStoragePath(str(path)),
        columns=["lastname", "firstname"],
        include_header=False,
        delimiter=";",
        group_id=group,
    )
    with path.open(newline="", encoding="utf-8") as file:
        assert [tuple(row) for row in csv.reader(file, delimiter=";")] == odd
    assert (export.users, export.columns) == (3, ["firstname", "lastname"])


@pytest.mark.parametrize("header", [True, False])
def test_the_export_of_a_group_without_members_is_empty(hook, docebo_sandbox, path, header):
    group = docebo_sandbox.create_group("Nobody")
    assert hook.export_users(str(path), include_header=header, group_id=group).users == 0
    assert path.read_text() == ("userid,email\n" if header else "")


def test_many_members_are_exported_with_one_request(hook, docebo_sandbox, path):
    group = docebo_sandbox.create_group("Many")
    people = docebo_sandbox.seed_users(5000)
    docebo_sandbox.add_members(group, people)
    export = hook.export_users(str(path), columns=("userid",), include_header=False, group_id=group)
    assert export.users == 5000
    assert path.read_text().splitlines() == [f"learner{person}@example.com" for person in people]
    assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.export_members": 1}


def test_an_export_replaces_an_existing_file(hook, path):
    path.write_text("x" * 10_000)
    hook.export_users(str(path), name="Support team")
    assert path.read_text() == SUPPORT


def test_an_export_writes_to_a_file_url(hook, path):
    hook.export_users(f"file://{path}", name="Support team")
    assert path.read_text() == SUPPORT


def test_json_in_place_of_an_exported_file_is_an_error(hook, docebo_sandbox, path):
    docebo_sandbox.settings(export_reply="json")
    with pytest.raises(UnexpectedReply, match=r"it is application/json.*Nothing was written.*'docebo_default'"):
        hook.export_users(str(path), name="Support team")
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "content_type", "why"),
    [
        ('{"data": {"url": "x"}}', "text/plain", "JSON or a page"),
        ("<html><body>Log in</body></html>", "text/csv", "JSON or a page"),
        (SUPPORT, "text/html", "it is text/html"),
        ("userid,email\nada@example.com\n", "text/csv", "row 2 has 1"),
        ("userid;email\nada;ada\n", "text/csv", "row 1 has 1"),
        ('userid,email\n"ada,ada\n', "text/csv", "end of data"),
        ("userid,email\nada,ada@exam", "text/csv", "a file that breaks off"),
        (SUPPORT[:-1], "text/csv", None),
        (SUPPORT.replace("\n", "\n\n"), "text/csv", None),
        ("", "text/csv", "a file that breaks off"),
    ],
)
def test_an_incomplete_export_is_not_written(hook, docebo_sandbox, path, text, content_type, why):
    answered(docebo_sandbox, text, content_type)
    if why is None:
        assert hook.export_users(str(path), name="Support team").users == 3
        return
    with pytest.raises(UnexpectedReply, match=why) as caught:
        hook.export_users(str(path), name="Support team")
    assert not re.search(r"\bada\b", str(caught.value))
    assert not path.exists()


def test_empty_values_of_the_only_column_are_exported(hook, docebo_sandbox, path):
    answered(docebo_sandbox, "email\nada@example.com\n\nbob@example.com\n")
    assert hook.export_users(str(path), columns=("email",), name="Support team").users == 3
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["email"], ["ada@example.com"], [""], ["bob@example.com"]]


@pytest.mark.parametrize("username", ["日本", "日本語", "x"])
def test_an_export_that_is_cut_off_is_an_error(hook, docebo_sandbox, path, username):
    group = docebo_sandbox.create_group("Odd people")
    docebo_sandbox.add_members(group, [docebo_sandbox.add_user(username)])
    docebo_sandbox.fault("docebo.export_members", "truncate")
    with pytest.raises(UnexpectedReply, match="Nothing was written"):
        hook.export_users(str(path), include_header=False, group_id=group)
    assert not path.exists()


@pytest.mark.parametrize("kind", ["reset", "reset_mid_body", "lost", "html"])
def test_a_download_that_breaks_off_is_started_again(hook, docebo_sandbox, path, kind):
    docebo_sandbox.fault("docebo.export_members", kind)
    assert hook.export_users(str(path), name="Support team").users == 3
    assert path.read_text() == SUPPORT
    docebo_sandbox.fault("docebo.export_members", kind, times=None)
    with pytest.raises(VendorUnavailable):
        hook.export_users(str(path), name="Support team")
    assert path.read_text() == SUPPORT


def test_invalid_parameters_of_an_export_are_refused_before_the_first_request(hook, docebo_sandbox, path):
    with pytest.raises(InvalidInput) as caught:
        hook.export_users("nowhere://bucket/key", columns=["userid", "age"], delimiter="ab", name="Support team")
    for field in ("`path`: leads nowhere", "`columns.1`", "`delimiter`"):
        assert field in str(caught.value)
    refused: list[dict[str, object]] = [{"columns": []}, {"delimiter": '"'}, {"delimiter": "\n"}, {"columns": "userid"}]
    for given in refused:
        with pytest.raises(InvalidInput):
            hook.export_users(str(path), **given, name="Support team")
    assert docebo_sandbox.counts() == {}


def test_a_path_that_cannot_be_written(hook, tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "members.csv"):
        with pytest.raises(SegmentsError, match=r"The members were read, and the file .* cannot be written"):
            hook.export_users(str(path), name="Support team")


def test_the_export_of_a_group_that_does_not_exist_is_an_error(hook, path):
    with pytest.raises(NotFound):
        hook.export_users(str(path), group_id=99)
    assert not path.exists()
