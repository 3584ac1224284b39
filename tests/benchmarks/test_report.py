"""The report of the benchmarks, and the server that they measure against. No speed is judged here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_segments_provider.hooks.walkme import WalkMeHook
from tests.benchmarks import one_push
from tests.benchmarks.report import Figure, spread, write_json
from tests.benchmarks.server import LocalServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    with LocalServer(0) as server:
        for name, value in one_push.connection(server.url).items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (1.0, "push 1.000 1.1 met"),
        (1.1004, "push 1.100 1.1 met"),  # judged as it is shown
        (1.1006, "push 1.101 1.1 short"),
    ],
)
def test_the_line_of_a_figure_has_name_value_goal_and_verdict(value: float, line: str) -> None:
    assert Figure("push", value, 1.10, "how").line == line


def test_the_json_report_has_the_figures_of_the_lines(tmp_path: Path) -> None:
    figures = [Figure("import_ms", 14.03219, 15, "milliseconds"), Figure("push", 1.2, 1.1, "ours over bare")]
    path = tmp_path / "build" / "bench.json"
    write_json(figures, path)
    assert json.loads(path.read_text()) == [
        {"name": "import_ms", "value": 14.032, "goal": 15, "how": "milliseconds", "met": True},
        {"name": "push", "value": 1.2, "goal": 1.1, "how": "ours over bare", "met": False},
    ]


def test_spread_shows_the_median_and_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0], " s", 1) == "2.0 s (1.0 to 3.0)"


def test_the_benchmark_server_satisfies_the_hook(server: LocalServer) -> None:
    hook = WalkMeHook("walkme_bench")
    assert hook.get_segments() == []
    change = hook.create_segment("Handful", ["a@example.com", "b@example.com"])
    assert (change.outcome, change.users_sent) == ("created", 2)
    assert hook.update_segment("add", ["c@example.com"], segment=change).users_sent == 1
    assert hook.test_connection()[0]


def test_the_hook_and_the_bare_loop_send_the_same_requests(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    for client in ("hook", "bare"):
        took = one_push.main(client, server.url, 60_000, "ready")
        assert took["seconds"] > 0
        seen = server.seen()
        sent.append((seen.requests, seen.segment_requests, seen.fingerprint))
    assert sent[0] == sent[1]
    assert sent[0][:2] == (5, 4)  # token; list, create, twice add
    # The fingerprint distinguishes IDs.
    monkeypatch.setattr(one_push, "people", lambda count: iter([f"someone{n:05d}@example.com" for n in range(count)]))
    one_push.main("bare", server.url, 60_000, "ready")
    assert server.seen().fingerprint != sent[0][2]
