"""``ledger list``, ``show`` and ``export``: what people see of the ledgers, whoever holds them."""

from __future__ import annotations

import csv
import io
import os
import re
import stat
import subprocess
import sys

import pytest

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.errors import PlanRefused, VendorUnavailable
from airflow_segments_provider.ledger_commands.overview import COLUMNS
from tests.members.conftest import people


def interrupt(segment, wanted):
    """A run whose first request is lost."""
    carry_out = segment.vendor.carry_out

    def lost(kind, ids):
        raise VendorUnavailable("down", maybe_done=True)

    segment.vendor.carry_out = lost
    with pytest.raises(VendorUnavailable):
        segment.sync(wanted)
    segment.vendor.carry_out = carry_out


def test_a_line_a_segment(make, ledger):
    one, two = make("one"), make("two")
    one.vendor.bad = {"p003"}
    one.sync(people(0, 12))
    two.sync(people(0, 3))
    interrupt(two, people(0, 5))
    status, out, _ = ledger("list")
    head, first, second = out.splitlines()
    assert status == 0
    assert re.split("  +", head) == list(COLUMNS)
    assert [cell for cell in re.split("  +", first) if "T" not in cell] == [
        one.folder,
        "2",
        "11",
        "0",
        "1",
        "dag.task",
        "-",
    ]
    assert re.split("  +", second)[:2] == [two.folder, "3"]
    assert re.split("  +", second)[3:7] == ["3", "2", "0", "dag.task"]
    assert "  since 20" in second


def test_no_ledgers(ledger, path):
    assert ledger("list") == (0, f"There are no ledgers below {path}.\n", "")


def test_one_that_is_damaged_does_not_hide_the_others(make, ledger):
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
    assert "`python -m airflow_segments_provider ledger forget` starts anew" in out


def test_what_is_there_of_one(make, ledger):
    segment = make()
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as first:
        segment.sync(people(150, 200))
    segment.sync(people(0, 201))
    with pytest.raises(PlanRefused) as second:
        segment.sync(people(190, 200))
    status, out, _ = ledger("show", "segment")
    assert status == 0
    assert f"{segment.folder}\nkept by dag.task: 201 members vouched for, 0 in doubt, 0 refused\n" in out
    lines = [line.strip() for line in out.splitlines()]
    generations = lines[lines.index("generations") + 1 :][:4]
    assert [line.partition(" ")[0] for line in generations] == ["4", "3", "2", "1"]
    assert generations[0].endswith("run  commit: wanted 201, baseline 200, add 1, applied 1")
    assert generations[1].endswith("run  intent, mirror, let through by limits: wanted 201, baseline 200, add 1")
    assert f"{second.value.digest}  mirror, of generation 4, can be approved: wanted 10, baseline 201" in out
    assert f"{first.value.digest}  mirror, of generation 2, no longer true" in out
    assert f"    - {second.value.breaches[0]}\n" in out
    assert f"{segment.store}/reports/000000000004-{second.value.digest[7:19]}" in out
    assert "p1" not in out


def test_everybody_who_is_known_and_how(make, ledger, tmp_path):
    segment = make()
    segment.vendor.bad = {"p003"}
    segment.sync([*people(0, 5), 'a, "b"'])
    interrupt(segment, [*people(0, 7), 'a, "b"'])
    file = tmp_path / "members.csv"
    file.write_text("left over")
    file.chmod(0o644)
    status, out, _ = ledger("export", "segment", "--output", str(file))
    assert (status, out) == (0, f"8 people of {segment.folder} written to {file}.\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open(newline="") as read:
        rows = {row.pop("id"): row for row in csv.DictReader(read)}
    assert rows.keys() == {'a, "b"', *people(0, 7)}
    assert rows["p000"] == {"vouched": "true", "doubt": "", "rejected": "", "reason": ""}
    assert (rows["p003"]["vouched"], rows["p003"]["reason"]) == ("false", "status 400")
    assert rows["p003"]["rejected"].endswith("+00:00")
    assert (rows["p006"]["vouched"], rows["p006"]["doubt"][:2]) == ("false", "20")


def test_a_file_that_cannot_be_written(make, ledger, tmp_path):
    make().sync(people(0, 3))
    status, out, err = ledger("export", "segment", "--output", str(tmp_path / "none" / "file"))
    assert (status, out, "cannot be written (FileNotFoundError)" in err) == (2, "", True)


def test_ids_go_to_a_pipe_but_to_a_terminal_only_when_asked(make, ledger, path, monkeypatch):
    make().sync(people(0, 3))
    status, out, _ = ledger("export", "segment")
    assert status == 0
    assert [line.partition(",")[0] for line in out.splitlines()] == ["id", *people(0, 3)]

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["ledger", "export", "--ledger-path", path, "segment"]) == 1
    assert "p00" not in terminal.getvalue()
    assert "--output" in terminal.getvalue()
    assert main(["ledger", "export", "--ledger-path", path, "segment", "--output", "-"]) == 0
    assert "p002,true" in terminal.getvalue()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "No ledger below {path} has 'nothing' in its name. There are: {folder}/one; {folder}/two."),
        ("vendor.example", "2 ledgers have 'vendor.example' in their name, say which: {folder}/one; {folder}/two."),
    ],
)
def test_a_name_that_says_too_little(make, ledger, path, name, said):
    make("one").sync(people(0, 3))
    make("two").sync(people(0, 3))
    status, _, err = ledger("show", name)
    assert status == 2
    assert said.format(path=path, folder="memory/vendor.example/system") in err


def test_a_whole_name_that_is_part_of_another(make, ledger):
    make("one").sync(people(0, 3))
    make("one more").sync(people(0, 4))
    assert "3 members" in ledger("show", "memory/vendor.example/system/one")[1]


@pytest.mark.parametrize("path", ["local"], indirect=True)
def test_at_a_terminal_by_the_path_of_the_deployment(make, path):
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


def test_help_comes_without_anything_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "airflow_segments_provider", "ledger", "erase-person", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "history" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert imported.isdisjoint({"airflow", "duckdb", "pydantic"})
