"""An Airflow home of its own for each test run, and a real metadata database for the tests that run tasks."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# The home that `make` chose keeps a migrated database between runs; a run works on a copy, so that two runs do not
# conflict.
_kept = Path(os.environ.get("AIRFLOW_HOME") or tempfile.gettempdir())
_home = Path(tempfile.mkdtemp(prefix="segments-tests-"))
os.environ.update(
    {
        "AIRFLOW_HOME": str(_home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_home / 'airflow.db'}",
        "AIRFLOW__CORE__DAGS_FOLDER": str(_home / "dags"),
    }
)

import airflow  # noqa: E402  # sets warning filters, which must come before pytest's
from sqlalchemy import event  # noqa: E402
from sqlalchemy.engine import Engine  # noqa: E402

from tests.masking import forget_secrets, forget_tokens  # noqa: E402

if TYPE_CHECKING:
    import duckdb

BEFORE = pytest.StashKey[Counter[tuple[str, str]]]()
TRIED = "tried"
# Folders whose tests open workspaces without testing them.
TESTS = Path(__file__).parent
SHARING = {"assets", "cli", "demo", "docs", "operators", "secrets", "targets"}
# Fixtures with a server or with Airflow's database; the names of sandbox fixtures say so.
OVER_SOCKETS = {
    "airflow_db", "closed_port", "on_server", "postgres", "relay", "s3", "sandbox", "scene", "server", "services",
    "tls_vendor", "url", "vendor",
}  # fmt: skip
RETRY = {"max_attempts": 3, "base_delay": 0.01, "max_delay": 0.02, "max_total": 20, "retry_after_cap": 2}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `make test-fast` leaves out."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & OVER_SOCKETS or any(name.endswith("_sandbox") for name in fixtures):
            item.add_marker("socket")


def pytest_xdist_auto_num_workers() -> int:
    """Start three workers for two processors: many tests wait for a server, a time or a process."""
    return max(1, (os.cpu_count() or 1) * 3 // 2)


def pytest_sessionfinish() -> None:
    """Remove this run's home."""
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Return a function that prints at the end of the run what a test has tried."""
    return lambda text: record_property(TRIED, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests passed to ``tell``."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, text in report.user_properties:
            if name == TRIED:
                terminalreporter.write_line(f"{report.nodeid}: {text}")


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Forget tokens: a later server may get the port of an earlier one, and would receive its token."""
    yield
    forget_secrets()
    forget_tokens()


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Remove log handlers for the output of a test that has ended: `dag.test()` of Airflow 2 leaves one."""
    yield
    task_log = logging.getLogger("airflow.task")
    for handler in tuple(task_log.handlers):
        if isinstance(handler, logging.StreamHandler) and getattr(handler.stream, "closed", False):
            task_log.removeHandler(handler)


@pytest.fixture(scope="session")
def database() -> duckdb.DuckDBPyConnection:
    """Return an open DuckDB for few users."""
    from tests.databases import small_database

    return small_database()


@pytest.fixture(autouse=True)
def _workspaces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give workspaces a catalog of one open database, in tests that are not about workspaces."""
    from tests.databases import share

    if request.path.relative_to(TESTS).parts[0] in SHARING:
        share(request.getfixturevalue("database"), monkeypatch)


@pytest.fixture(scope="session")
def migrated_db() -> Path:
    """Return an empty metadata database, to be copied."""
    kept = _kept / f"migrated-{airflow.__version__}.db"
    if not kept.exists():
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        part = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(_home / "airflow.db", part)
        part.replace(kept)
    return kept


@pytest.fixture(scope="session")
def airflow_db(migrated_db: Path) -> Path:
    """A migrated metadata database in this run's home."""
    from airflow import settings

    event.listen(Engine, "connect", _do_not_wait_for_the_disk)
    path = Path(shutil.copy(migrated_db, _home / "airflow.db"))
    # A test that looked up a connection has opened the file without tables.
    if settings.engine is not None:
        settings.engine.dispose()
    return path


def _do_not_wait_for_the_disk(connection: Any, _: object) -> None:
    """Switch off syncing to the disk: no test needs its metadata database after a power failure."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def stored(request: pytest.FixtureRequest, airflow_db: Path) -> Callable[..., list[str]]:
    """Return where in the metadata database a test has written any of some texts: the ``table.column`` of each cell."""
    before = request.node.stash.get(BEFORE, Counter())

    def find(*texts: str) -> list[str]:
        cells = _cells(airflow_db) - before
        return sorted({place for place, cell in cells if any(text in cell for text in texts)})

    return find


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note what is stored before any fixture of a test writes: users of other tests may have the same names."""
    database = _home / "airflow.db"
    if "stored" in getattr(item, "fixturenames", ()) and database.exists():
        item.stash[BEFORE] = _cells(database)


# Since Airflow 3.4.
RENAMED = {"xcom_v2": "xcom", "rtif_v2": "rendered_task_instance_fields"}


def _cells(path: Path) -> Counter[tuple[str, str]]:
    """Return every cell as text, with the name of its column."""
    found = Counter[tuple[str, str]]()
    with closing(sqlite3.connect(path)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [
                f"{RENAMED.get(table, table)}.{row[1]}" for row in database.execute(f'PRAGMA table_info("{table}")')
            ]
            for row in database.execute(f'SELECT * FROM "{table}"'):
                found.update(zip(columns, map(_text, row), strict=True))
    return found


def _text(cell: object) -> str:
    """Return a cell as text; Airflow 2 pickles and may compress."""
    if isinstance(cell, bytes):
        with suppress(zlib.error):
            cell = zlib.decompress(cell)
        return cell.decode("latin-1")
    return str(cell)


@pytest.fixture
def dag_file(airflow_db: Path) -> Iterator[Callable[[str], Any]]:
    """Write a DAG file with these tasks into the DAGs folder, and return its DAG; ``dag.test()`` needs a real file."""
    folder = _home / "dags"
    folder.mkdir(exist_ok=True)
    written = []

    def write(tasks: str, options: str = "") -> Any:
        path = folder / f"test_{uuid.uuid4().hex}.py"
        path.write_text(
            _HEAD.format(dag_id=path.stem, options=options) + textwrap.indent(textwrap.dedent(tasks), "    ")
        )
        written.append(path)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.dag

    yield write
    for path in written:
        path.unlink()


_HEAD = """
from datetime import datetime, timedelta, timezone
from airflow.providers.common.compat.sdk import DAG, task
from airflow_segments_provider.sources.sql import SqlMembers
from airflow_segments_provider.operators.walkme import *
from airflow_segments_provider.sensors.walkme import *

with DAG("{dag_id}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), {options}) as dag:
"""


@pytest.fixture
def connect(walkme_sandbox, monkeypatch):
    """Set the connection ``walkme_default`` to the sandbox, with fast retries and these extra fields."""

    def set_up(**extra: object) -> None:
        fields = {"retry": RETRY, **extra}
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", walkme_sandbox.connection_json(**fields))

    return set_up


@pytest.fixture
def hook(connect):
    """Return a hook on the sandbox that sends at most ten users a request."""
    from airflow_segments_provider.hooks.walkme import WalkMeHook

    connect(users_per_request=10)
    return WalkMeHook()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Path]:
    """Return the folder of the socket of a PostgreSQL server for this module."""
    from tests.sources.postgres import serving

    with serving() as folder:
        yield folder
