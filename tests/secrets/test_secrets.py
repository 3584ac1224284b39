"""No secret, token or person is found in anything that Airflow keeps or shows, whatever a vendor answers."""

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

# Airflow's own numbers of processes and ports may happen to be somebody's id.
NOT_PEOPLE = {"pid", "port", "trigger_id", "id"}


@dataclass
class Told:
    """What must not be found, and where it is looked for."""

    secrets: list[str]
    people: list[Any]
    emails: list[str]

    def secrets_in(self, text: str) -> list[str]:
        return found_in(text, tuple(self.secrets)) + re.findall(r"\beyJ[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}", text)

    def people_in(self, text: str) -> list[str]:
        forms = {form for person in self.people for form in (str(person), json.dumps(str(person))[1:-1])}
        alone = [form for form in forms if re.search(rf"(?<![\w.]){re.escape(form)}(?![\w.])", text)]
        return alone + found_in(text, tuple(self.emails))


def finds(search: Callable[[str], list[str]], texts: Iterable[str]) -> list[str]:
    """The texts in which something is found; all are searched at once first, which is far faster."""
    texts = list(texts)
    return [text for text in texts if search(text)] if search("\n".join(texts)) else []


def cells(database_path: Any) -> list[tuple[str, str]]:
    """Every cell of Airflow's database as text, with the name of its column."""
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
def told(case, request, monkeypatch, tmp_path) -> Told:
    """The connection is set, people are there, and it is known what must not be found."""
    sandbox = request.getfixturevalue(case.fixture)
    connection, secrets = case.connect(sandbox)
    people, emails, made = case.seed(sandbox)
    for name, value in as_env(people, emails, {**made, "folder": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    set_connection(monkeypatch, case, connection)
    return Told(secrets, people, emails)


def set_connection(monkeypatch: pytest.MonkeyPatch, case: Case, connection: dict[str, Any]) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{case.conn_id.upper()}", json.dumps(connection))


def new_hook(case: Case) -> Any:
    module, _, name = case.hook.rpartition(".")
    return getattr(importlib.import_module(module), name)(case.conn_id)


def echo(told: Told, names: list[str], *, ids: bool) -> str:
    """An answer that repeats all it should not, secrets in these encodings."""
    people = [*told.emails, *(str(person) for person in told.people if ids)]
    secrets = [secret for secret in told.secrets if not isinstance(secret, Unsent)]
    forms = [ENCODINGS[name](secret) for name in names for secret in secrets]
    return f"Refused: Authorization: Bearer {' '.join(forms)} for {', '.join(people)}"


def break_down(sandbox: Any, case: Case, told: Told, names: list[str], status: int, form: str) -> None:
    """Let every call but that for a token fail with an answer that repeats what it should not."""
    sandbox.clear_faults()
    sandbox.fault(case.token, "latency", seconds=0, times=None)
    for endpoint in (*case.with_ids, "*"):
        said = echo(told, names, ids=endpoint != "*")
        body = {"message": said, "error": said, "errors": {"user_ids": [said]}} if form == "json" else said
        if form == "html":
            body = f"<html><body><h1>{status}</h1><p>{said}</p></body></html>"
        types = {"json": "application/json", "html": "text/html", "text": "text/plain"}
        sandbox.fault(endpoint, "status", status=status, body=body, content_type=types[form], times=None)


def states(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


@pytest.mark.parametrize("case", OPERATORS.values(), ids=OPERATORS)
def test_operators(case, request, told, dag_file, airflow_db, capfd, caplog, tmp_path):
    """All operators: in good order, refused, and with a vendor that is down."""
    caplog.set_level(logging.DEBUG)
    # Other tests write down what they will; their people may have the same names.
    before = set(cells(airflow_db))
    sandbox = request.getfixturevalue(case.fixture)
    told.secrets.append(new_hook(case).client.token().value)
    dag = dag_file(dag_of(case), options="default_args={'trigger_rule': 'all_done', 'retries': 0}")

    well = states(dag.test())
    assert [task for task, state in well.items() if state != "success"] == []
    for names, status, form in zip(GROUPS[:2], (400, 503), ("json", "html"), strict=True):
        break_down(sandbox, case, told, names, status, form)
        assert "failed" in states(dag.test()).values()

    written = [cell for cell in cells(airflow_db) if cell not in before]
    assert any(case.conn_id in text for _, text in written)
    files = [(path.name, path.read_bytes().decode("latin-1")) for path in tmp_path.rglob("*") if path.is_file()]
    assert finds(told.secrets_in, (text for _, text in written + files)) == []
    # Files are there to hold users.
    kept = [text for place, text in written if place.rpartition(".")[2] not in NOT_PEOPLE]
    assert finds(told.people_in, kept) == []
    check_log(told, capfd, caplog)


def check_log(told: Told, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """No secret and no user at any level."""
    printed = capfd.readouterr()
    # The tests' own calls to the sandbox are not what is tested; what Airflow is asked to mask it prints at DEBUG.
    records = [record for record in caplog.records if "/_sandbox/" not in record.getMessage()]
    lines = [caplog.handler.format(record) for record in records]
    lines += [line for text in (printed.out, printed.err) for line in text.splitlines() if "/_sandbox/" not in line]
    assert lines
    assert finds(told.secrets_in, (line for line in lines if "MaskSecret(" not in line)) == []
    assert finds(told.people_in, lines) == []


@pytest.mark.parametrize("case", CONNECTIONS.values(), ids=CONNECTIONS)
def test_connections(case, request, told, capfd, caplog, monkeypatch):
    """Every way to prove who calls: in what a hook says, logs and raises, when all goes well and when it does not."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", lambda secret: None)
    sandbox = request.getfixturevalue(case.fixture)
    hook = new_hook(case)
    works, message = hook.test_connection()
    assert works, message
    told.secrets.append(hook.client.token().value)
    said = [message, repr(hook), repr(hook.fields), str(hook.fields), repr(hook.client), repr(vars(hook.client))]

    answers = (401, "json"), (400, "text"), (500, "html"), (200, "html"), (422, "json")
    for names, (status, form) in zip(GROUPS, answers, strict=True):
        told.secrets[-1] = hook.client.token().value  # a 401 renews it
        break_down(sandbox, case, told, names, status, form)
        said += new_hook(case).test_connection()[1:]
    sandbox.clear_faults()
    sandbox.expire_tokens()
    for names, status in zip(GROUPS, (400, 401, 403, 500, 422), strict=True):
        sandbox.fault(case.token, "status", status=status, body={"error": echo(told, names, ids=False)}, times=None)
        said += new_hook(case).test_connection()[1:]
        sandbox.clear_faults()
    sandbox.fault(case.token, "status", status=200, body={"access_token": "", "hint": echo(told, GROUPS[0], ids=False)})
    said += new_hook(case).test_connection()[1:]
    # vars() of the client shows the tokens that it keeps to find them in answers; nobody prints that.
    assert [text for text in said if told.secrets_in(text) and "_used_tokens" not in text] == []
    check_log(told, capfd, caplog)


@pytest.mark.parametrize("case", OPERATORS.values(), ids=OPERATORS)
def test_a_proxy(case, told, capfd, caplog, monkeypatch):
    """The password in a proxy's address, when the proxy is not there."""
    caplog.set_level(logging.DEBUG)
    told.secrets.append(PROXY_PASSWORD)
    proxy = f"http://who:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:9"
    connection = json.loads(os.environ[f"AIRFLOW_CONN_{case.conn_id.upper()}"])
    connection["extra"]["proxies"] = {"http": proxy, "https": proxy}
    set_connection(monkeypatch, case, connection)
    hook = new_hook(case)
    works, message = hook.test_connection()
    assert not works
    assert "proxy" in message
    assert [text for text in (message, repr(hook.fields), repr(hook.client)) if told.secrets_in(text)] == []
    check_log(told, capfd, caplog)
