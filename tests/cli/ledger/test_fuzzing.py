"""Every command on a fuzzed ledger ends with a message and an exit status, and executes nothing of the ledger."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from airflow_segments_provider.__main__ import main
from tests.databases import small_database
from tests.sync.ledger.fuzzing import CANARY, cases
from tests.sync.ledger.scenes import Scene, approved, died, noted, settling
from tests.sync.ledger.test_fuzzing import SHOWN
from tests.sync.model.memory import KEY


@pytest.fixture(scope="module", params=[approved, died, noted, settling], ids=lambda build: build.__name__)
def scene(request):
    return Scene(request.param, small_database())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a ledger, beside a file that no command may touch."""
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("kept")
    return tmp_path / "ledgers"


def test_every_command_on_a_fuzzed_ledger_ends_with_a_message_and_a_status(scene, folder, capsys):
    check(scene, folder, capsys, 14, "")


@pytest.mark.slow
def test_every_command_on_many_fuzzed_ledgers_ends_with_a_message_and_a_status(scene, folder, capsys):
    check(scene, folder, capsys, 500, "more ")


def commands(scene, folder):
    """Return each command that takes a segment."""
    digests = sorted(name[-68:-4] for name in scene.files if name.startswith("plans/") and name.endswith(".txt"))
    digest = digests[-1] if digests else "0" * 64
    return [
        ["list"],
        ["show", "segment"],
        ["approvals"],
        ["approve", "segment", digest],
        ["withdraw", "segment", digest, "--by", "ada"],
        ["export", "segment", "--output", str(folder.parent / "export.csv")],
        ["erase-person", "p000", "p003", "--anyway", "--wait", "0"],
        ["forget", "segment", "--yes"],
    ]


def check(scene, folder, capsys, count, seed):
    for number, (what, changes) in enumerate(cases(scene, count, f"{seed}{scene.go_on.__qualname__} commands")):
        write(folder / KEY.folder, {**scene.files, **changes})
        before = {path for path in folder.parent.rglob("*") if folder not in path.parents}
        command = random.Random(f"{seed}{number}").choice(commands(scene, folder))
        status = main(["ledger", command[0], "--ledger-path", str(folder), *command[1:]])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err, (what, command, printed.err)
        assert status in (0, 1, 2), (what, command)
        assert not SHOWN.search(printed.out + printed.err), (what, command, printed)
        assert printed.out.isascii() or "\x1b" not in printed.out, (what, command)
        assert not list(folder.parent.rglob(f"*{CANARY}*")), (what, command)
        assert (folder.parent / "outside" / "secret").read_text() == "kept", (what, command)
        left = {path for path in folder.parent.rglob("*") if folder not in path.parents}
        new = {path for path in left - before if "temporary" not in path.parts and path.name != "export.csv"}
        assert new == set(), (what, command)


def write(folder, files):
    """Write a ledger as it was stored; replace what is there."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for name, content in files.items():
        if content is not None:
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
