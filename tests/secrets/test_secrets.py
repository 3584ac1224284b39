"""No secret, token or user is in anything that Airflow stores or shows, whatever a vendor responds."""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from tests.secrets.cases import CONNECTIONS, OPERATORS, PROXY_PASSWORD, Case, Unsent, as_env, dag_of
from tests.secrets.encodings import ENCODINGS, GROUPS, found_in

# Airflow's own numbers of processes and ports may equal a user's ID by chance.
NOT_PEOPLE = {"pid", "port", "trigger_id", "id"}


@dataclass
class Forbidden:
    """The secrets and users that must not be found in a text."""

    secrets: list[str]
    people: list[Any]
    emails: list[str]

    def secrets_in(self, text: str) -> list[str]:
        return found_in(text, tuple(self.secrets)) + re.findall(r"\beyJ[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}", text)

    def users_in(self, text: str) -> list[str]:
        forms = {form for person in self.people for form in (str(person), json.dumps(str(person))[1:-1])}
        alone = [form for form in forms if re.search(rf"(?<![\w.]){re.escape(form)}(?![\w.])", text)]
        return alone + found_in(text, tuple(self.emails))


def finds(search: Callable[[str], list[str]], texts: Iterable[str]) -> list[str]:
    """Return the texts in which something is found; all are searched at once first, which is much faster."""
    texts = list(texts)
    return [text for text in texts if search(text)] if search("\n".join(texts)) else []


def cells(database_path: Any) -> list[tuple[str, str]]:
    """Return every cell of Airflow's database as text, with the name of its column."""
    found = []
    with closing(sqlite3.connect(database_path)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
            for row in database.execute(f'SELECT * FROM "{table}"'):
                found += [(f"{table}.{column}", as_text(cell)) for column, cell in zip(columns, row, strict=True)]
    return found


def as_text(cell: object) -> str:
    if isinstance(cell, bytes):
        with suppress(zlib.error):
            cell = zlib.decompress(cell)
        return cell.decode("latin-1")
    return str(cell)


@pytest.fixture
def forbidden(case, request, monkeypatch, tmp_path) -> Forbidden:
    """Set the connection, create the users, and return what must not be found."""
    sandbox = request.getfixturevalue(case.fixture)
    connection, secrets = case.connect(sandbox)
    people, emails, made = case.seed(sandbox)
    for name, value in as_env(people, emails, {**made, "folder": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    set_connection(monkeypatch, case, connection)
    return Forbidden(secrets, people, emails)


def set_connection(monkeypatch: pytest.MonkeyPatch, case: Case, connection: dict[str, Any]) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{case.conn_id.upper()}", json.dumps(connection))


def new_hook(case: Case) -> Any:
    module, _, name = case.hook.rpartition(".")
    return getattr(importlib.import_module(module), name)(case.conn_id)


def echo(forbidden: Forbidden, names: list[str], *, ids: bool) -> str:
    """Return a response body that repeats secrets, in these encodings, and users."""
    people = [*forbidden.emails, *(str(person) for person in forbidden.people if ids)]
    secrets = [secret for secret in forbidden.secrets if not isinstance(secret, Unsent)]
    forms = [ENCODINGS[name](secret) for name in names for secret in secrets]
    return f"Refused: Authorization: Bearer {' '.join(forms)} for {', '.join(people)}"


def break_down(sandbox: Any, case: Case, forbidden: Forbidden, names: list[str], status: int, form: str) -> None:
    """Let every request, except those for tokens, fail with a response that repeats secrets and users."""
    sandbox.clear_faults()
    sandbox.fault(case.token, "latency", seconds=0, times=None)
    for endpoint in (*case.with_ids, "*"):
        said = echo(forbidden, names, ids=endpoint != "*")
        body = {"message": said, "error": said, "errors": {"user_ids": [said]}} if form == "json" else said
        if form == "html":
            body = f"<html><body><h1>{status}</h1><p>{said}</p></body></html>"
        types = {"json": "application/json", "html": "text/html", "text": "text/plain"}
        sandbox.fault(endpoint, "status", status=status, body=body, content_type=types[form], times=None)


def states(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


@pytest.mark.parametrize("case", OPERATORS.values(), ids=OPERATORS)
def test_operators_store_and_log_no_secret_and_no_user(
    case, request, forbidden, dag_file, airflow_db, capfd, caplog, tmp_path
):
    """Run all operators: without a fault, with rejected requests, and with an unavailable vendor."""
    caplog.set_level(logging.DEBUG)
    # Other tests store their own values, which may equal those of these users.
    before = set(cells(airflow_db))
    sandbox = request.getfixturevalue(case.fixture)
    forbidden.secrets.append(new_hook(case).client.token().value)
    dag = dag_file(dag_of(case), options="default_args={'trigger_rule': 'all_done', 'retries': 0}")

    well = states(dag.test())
    assert [task for task, state in well.items() if state != "success"] == []
    for names, status, form in zip(GROUPS[:2], (400, 503), ("json", "html"), strict=True):
        break_down(sandbox, case, forbidden, names, status, form)
        assert "failed" in states(dag.test()).values()

    written = [cell for cell in cells(airflow_db) if cell not in before]
    assert any(case.conn_id in text for _, text in written)
    files = [(path.name, path.read_bytes().decode("latin-1")) for path in tmp_path.rglob("*") if path.is_file()]
    assert finds(forbidden.secrets_in, (text for _, text in written + files)) == []
    # Files may contain users.
    kept = [text for place, text in written if place.rpartition(".")[2] not in NOT_PEOPLE]
    assert finds(forbidden.users_in, kept) == []
    check_log(forbidden, capfd, caplog)


def check_log(forbidden: Forbidden, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Check that the log contains no secret and no user at any level."""
    printed = capfd.readouterr()
    # The tests' own requests to the sandbox are not checked; Airflow prints the values that it is asked to mask at
    # DEBUG.
    records = [record for record in caplog.records if "/_sandbox/" not in record.getMessage()]
    lines = [caplog.handler.format(record) for record in records]
    lines += [line for text in (printed.out, printed.err) for line in text.splitlines() if "/_sandbox/" not in line]
    assert lines
    assert finds(forbidden.secrets_in, (line for line in lines if "MaskSecret(" not in line)) == []
    assert finds(forbidden.users_in, lines) == []


@pytest.mark.parametrize("case", CONNECTIONS.values(), ids=CONNECTIONS)
def test_connections_show_and_log_no_secret(case, request, forbidden, capfd, caplog, monkeypatch):
    """Test each kind of credentials: what a hook returns, logs and raises on success and on failure."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", lambda secret: None)
    sandbox = request.getfixturevalue(case.fixture)
    hook = new_hook(case)
    works, message = hook.test_connection()
    assert works, message
    forbidden.secrets.append(hook.client.token().value)
    said = [message, repr(hook), repr(hook.fields), str(hook.fields), repr(hook.client), repr(vars(hook.client))]

    answers = (401, "json"), (400, "text"), (500, "html"), (200, "html"), (422, "json")
    for names, (status, form) in zip(GROUPS, answers, strict=True):
        forbidden.secrets[-1] = hook.client.token().value  # A 401 renews the token.
        break_down(sandbox, case, forbidden, names, status, form)
        said += new_hook(case).test_connection()[1:]
    sandbox.clear_faults()
    sandbox.expire_tokens()
    for names, status in zip(GROUPS, (400, 401, 403, 500, 422), strict=True):
        sandbox.fault(
            case.token, "status", status=status, body={"error": echo(forbidden, names, ids=False)}, times=None
        )
        said += new_hook(case).test_connection()[1:]
        sandbox.clear_faults()
    sandbox.fault(
        case.token, "status", status=200, body={"access_token": "", "hint": echo(forbidden, GROUPS[0], ids=False)}
    )
    said += new_hook(case).test_connection()[1:]
    # vars() of the client shows the tokens that it keeps to find them in responses; nothing prints vars().
    assert [text for text in said if forbidden.secrets_in(text) and "_used_tokens" not in text] == []
    check_log(forbidden, capfd, caplog)


@pytest.mark.parametrize("case", OPERATORS.values(), ids=OPERATORS)
def test_the_password_of_a_proxy_is_not_shown(case, forbidden, capfd, caplog, monkeypatch):
    """The password in the address of a proxy that does not exist."""
    caplog.set_level(logging.DEBUG)
    forbidden.secrets.append(PROXY_PASSWORD)
    proxy = f"http://who:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:9"
    connection = json.loads(os.environ[f"AIRFLOW_CONN_{case.conn_id.upper()}"])
    connection["extra"]["proxies"] = {"http": proxy, "https": proxy}
    set_connection(monkeypatch, case, connection)
    hook = new_hook(case)
    works, message = hook.test_connection()
    assert not works
    assert "proxy" in message
    assert [text for text in (message, repr(hook.fields), repr(hook.client)) if forbidden.secrets_in(text)] == []
    check_log(forbidden, capfd, caplog)
