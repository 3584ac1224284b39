"""``ledger list``, ``show`` and ``export``: what they print of the ledgers."""

from __future__ import annotations

import csv
import io
import os
import re
import stat
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.cli.ledger.ledgers import COLUMNS, REQUEST_TIMEOUT, KeptLedger, details, overview
from airflow_segments_provider.errors import LedgerBusy, LedgerError, PlanRefused, RateLimited, VendorUnavailable
from airflow_segments_provider.sync.ledger.timing import moment, now_ms
from tests.databases import small_database
from tests.sync.conftest import people
from tests.sync.ledger.scenes import Scene, approved, settling
from tests.sync.model.memory import KEY, Crash


def interrupt(segment, wanted, *, error=None, **settings):
    """Run a sync whose first request is lost.

    :param error: ends the run in place of the vendor's error.
    """
    carry_out, error = segment.vendor.carry_out, error or VendorUnavailable("down", maybe_done=True)

    def lost(kind, ids):
        raise error

    segment.vendor.carry_out = lost
    with pytest.raises(type(error)):
        segment.sync(wanted, **settings)
    segment.vendor.carry_out = carry_out


def cells(line):
    return re.split("  +", line)


def test_list_prints_a_line_for_each_segment(make, ledger):
    one, two = make("one"), make("two")
    one.vendor.bad = {"p003"}
    one.sync(people(0, 12))
    two.sync(people(0, 3))
    interrupt(two, people(0, 5))
    status, out, _ = ledger("list")
    head, first, second = out.splitlines()
    assert status == 0
    assert cells(head) == list(COLUMNS)
    as_of = moment(one.now)
    assert cells(first) == [one.folder, "-", "-", "2", as_of, "11", "0", "1", "dag.task", "-", "-"]
    assert cells(second)[:4] == [two.folder, "-", "-", "3"]
    assert cells(second)[5:] == ["3", "2", "0", "dag.task", f"interrupted, begun {moment(two.now)}", "-"]


def test_list_and_show_print_since_when_a_run_holds_the_ledger(make, ledger):
    segment = make()
    segment.now = now_ms() - 60_000
    interrupt(segment, people(0, 5), error=Crash())
    assert cells(ledger("list")[1].splitlines()[1])[-2:] == [f"since {moment(segment.now)}", "-"]
    assert f"run under way: since {moment(segment.now)}\n" in ledger("show", "segment")[1]


def test_list_and_show_print_a_pending_replacement_and_when_it_settles(make, ledger):
    segment = make()
    segment.sync(people(0, 3))
    # The request time-out that the commands assume, because they do not know the target.
    segment.request_timeout = REQUEST_TIMEOUT
    segment.now = now_ms() - 60 * 60_000
    interrupt(segment, people(0, 5), replace=True)
    assert cells(ledger("list")[1].splitlines()[1])[-1] == "pending, a request of unknown outcome has to settle"
    with pytest.raises(LedgerBusy) as busy:
        segment.sync(people(0, 5))
    assert busy.value.until < now_ms()
    assert cells(ledger("list")[1].splitlines()[1])[-1] == "pending"
    assert "\nreplacement: pending, requested by run\n" in ledger("show", "segment")[1]
    segment.now = busy.value.until
    segment.sync(people(0, 5))
    assert cells(ledger("list")[1].splitlines()[1])[-1] == "-"
    assert "\nreplacement:" not in ledger("show", "segment")[1]

    segment.now = now_ms() - 60_000
    interrupt(segment, people(0, 6), run="again", replace=True)
    with pytest.raises(LedgerBusy) as busy:
        segment.sync(people(0, 6), run="again")
    waits = f"a request of unknown outcome has to settle until {moment(busy.value.until)}"
    assert cells(ledger("list")[1].splitlines()[1])[-1] == f"pending, {waits}"
    out = ledger("show", "segment")[1]
    assert f"\nreplacement: pending, {waits}, requested by again\n" in out
    assert "  by hand" not in out
    assert re.search("\\d  again  wait for a replacing request to settle: wanted 6", out)


def test_a_rejected_replacing_request_does_not_have_to_settle(make, ledger):
    segment = make()
    segment.sync(people(0, 3))
    interrupt(segment, people(0, 5), replace=True, error=RateLimited("busy", status=429))
    assert cells(ledger("list")[1].splitlines()[1])[-1] == "pending"


def test_show_says_that_a_ledger_was_lost(make, ledger):
    segment = make()
    segment.sync(people(0, 3))
    segment.store.delete_folder("")
    with pytest.raises(LedgerBusy):
        segment.sync(people(0, 5), replace=True)
    assert "the ledger was lost: the members may differ" in ledger("show", "segment")[1]
    assert cells(ledger("list")[1].splitlines()[1])[3:8] == ["3", moment(segment.now - 60_000), "0", "0", "0"]


def test_list_says_that_there_are_no_ledgers(ledger, path):
    assert ledger("list") == (0, f"There are no ledgers below {path}.\n", "")


def test_list_reports_a_damaged_ledger_and_prints_the_others(make, ledger):
    one, two = make("one"), make("two")
    one.sync(people(0, 3))
    two.sync(people(0, 3))
    name = "generations/000000000002.json"
    one.store.delete(name)
    one.store.create(name, b"{")
    status, out, _ = ledger("list")
    assert status == 1
    assert two.folder in out.splitlines()[1]
    assert f"{one.folder}: {name} is damaged." in out
    assert "set `replace=True` for one run" in out


@pytest.mark.parametrize("build", [approved, settling], ids=lambda build: build.__name__)
def test_list_and_show_name_each_damaged_file(build):
    scene = Scene(build, small_database())
    for name, content, what in scene.damages(range(1)):
        store: Any = scene.reset({name: content}).store
        kept = KeptLedger(KEY.folder, store)
        status, lines = overview([kept])
        assert (status == 1) == any(line.startswith(f"{KEY.folder}: ") for line in lines), what
        with suppress(LedgerError):
            assert (details(kept)[0], status) == (KEY.folder, 0), what


def test_show_prints_generations_plans_and_reports_without_users(make, ledger):
    segment = make()
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as first:
        segment.sync(people(150, 200))
    segment.sync(people(0, 201))
    committed = segment.now
    with pytest.raises(PlanRefused) as second:
        segment.sync(people(190, 200))
    status, out, _ = ledger("show", "segment")
    assert status == 0
    assert f"{segment.folder}\ntask dag.task: 201 owned, 0 uncertain, 0 rejected\n" in out
    assert f"\ndata as of {moment(committed)}, committed by run\n" in out
    lines = [line.strip() for line in out.splitlines()]
    generations = lines[lines.index("generations") + 1 :][:4]
    assert [line.partition(" ")[0] for line in generations] == ["4", "3", "2", "1"]
    assert generations[0].endswith("run  commit, mirror: wanted 201, baseline 200, add 1, applied 1")
    assert generations[1].endswith("run  intent, mirror, accepted by limits: wanted 201, baseline 200, add 1")
    assert f"{second.value.digest}  mirror, of generation 4, can be approved: wanted 10, baseline 201" in out
    assert f"{first.value.digest}  mirror, of generation 2, outdated" in out
    assert f"    - {second.value.breaches[0]}\n" in out
    assert f"{segment.store}/reports/000000000004-{second.value.digest[7:19]}" in out
    assert "p1" not in out


def test_export_writes_each_user_with_its_state_to_a_private_file(make, ledger, tmp_path):
    segment = make()
    segment.vendor.bad = {"p003"}
    segment.sync([*people(0, 5), 'a, "b"'])
    interrupt(segment, [*people(0, 7), 'a, "b"'])
    file = tmp_path / "members.csv"
    file.write_text("left over")
    file.chmod(0o644)
    status, out, _ = ledger("export", "segment", "--output", str(file))
    assert (status, out) == (0, f"8 users of {segment.folder} written to {file}.\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open(newline="") as read:
        rows = {row.pop("id"): row for row in csv.DictReader(read)}
    assert rows.keys() == {'a, "b"', *people(0, 7)}
    assert rows["p000"] == {"owned": "true", "uncertain": "", "pending": "", "rejected": "", "reason": ""}
    p003, p006 = rows["p003"], rows["p006"]
    assert (p003["owned"], p003["pending"], p003["reason"]) == ("false", "add", "status 400")
    assert p003["rejected"].endswith("+00:00")
    assert (p006["owned"], p006["uncertain"], p006["pending"]) == ("false", moment(segment.now), "add")


def test_an_export_to_a_missing_folder_is_an_error(make, ledger, tmp_path):
    make().sync(people(0, 3))
    status, out, err = ledger("export", "segment", "--output", str(tmp_path / "none" / "file"))
    assert (status, out, "cannot be written: it is not a file in a folder that exists" in err) == (2, "", True)


def test_export_prints_ids_to_a_pipe_but_to_a_terminal_only_on_request(make, ledger, path, monkeypatch):
    make().sync(people(0, 3))
    status, out, _ = ledger("export", "segment")
    assert status == 0
    assert [row[0] for row in csv.reader(out.splitlines())] == ["id", *people(0, 3)]

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["ledger", "export", "--ledger-path", path, "segment"]) == 1
    assert "p00" not in terminal.getvalue()
    assert "--output" in terminal.getvalue()
    assert main(["ledger", "export", "--ledger-path", path, "segment", "--output", "-"]) == 0
    assert '"p002","true"' in terminal.getvalue()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "No ledger below {path} matches 'nothing'. Ledgers there: {folder}/one; {folder}/two."),
        (
            "vendor.example",
            "2 ledgers match 'vendor.example'; pass more of one: {folder}/one; {folder}/two.",
        ),
    ],
)
def test_a_name_of_no_ledger_or_of_several_is_an_error(make, ledger, path, name, said):
    make("one").sync(people(0, 3))
    make("two").sync(people(0, 3))
    status, _, err = ledger("show", name)
    assert status == 2
    assert said.format(path=path, folder="memory/vendor.example/system") in err


def test_list_and_show_print_the_name_and_the_connection_of_a_segment(make, ledger):
    one, two = make("one"), make("two")
    one.name, one.connection = "Trial users", "memory_default"
    one.sync(people(0, 3))
    two.sync(people(0, 3))
    assert cells(ledger("list")[1].splitlines()[1])[:3] == [one.folder, "Trial users", "memory_default"]
    status, out, _ = ledger("show", "Trial users")
    assert status == 0
    assert out.startswith(f"{one.folder}\nmemory segment 'Trial users' (connection 'memory_default')\n")


def test_a_name_that_is_part_of_another_folder_is_ambiguous(make, ledger):
    one, two = make("one"), make("two")
    one.name = "two"
    one.sync(people(0, 3))
    two.sync(people(0, 4))
    status, _, err = ledger("show", "two")
    assert (status, f"2 ledgers match 'two'; pass more of one: {one.folder}; {two.folder}." in err) == (2, True)
    assert "4 owned" in ledger("show", two.folder)[1]


def test_a_full_folder_name_is_found_although_another_one_begins_with_it(make, ledger):
    make("one").sync(people(0, 3))
    make("one-more").sync(people(0, 4))
    assert "3 owned" in ledger("show", "memory/vendor.example/system/one")[1]


@pytest.mark.parametrize("path", ["local"], indirect=True)
def test_the_command_in_a_terminal_uses_the_ledger_path_of_the_deployment(make, path):
    segment = make()
    segment.sync(people(0, 3))
    done = subprocess.run(
        [sys.executable, "-m", "airflow_segments_provider", "ledger", "list"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "AIRFLOW__SEGMENTS__LEDGER_PATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith(segment.folder)


def test_the_help_of_a_ledger_command_imports_no_heavy_module():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "airflow_segments_provider", "ledger", "erase-person", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "history" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert imported.isdisjoint({"airflow", "duckdb", "pydantic"})


def test_a_message_cannot_control_the_terminal(make, ledger, monkeypatch):
    make().sync(people(0, 3))
    error = LedgerError("a\x1b[2J\u202e\ud800b")
    monkeypatch.setattr(KeptLedger, "ledger", lambda self: (_ for _ in ()).throw(error))
    _, out, err = ledger("show", "segment")
    assert "a?[2J??b" in out + err
