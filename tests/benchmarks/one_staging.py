"""One measurement: ten million user IDs from a file or a query, staged for a sync or copied by a plain reader.

Arguments: ``files`` (create them), or ``engine``, ``reader`` or ``copy`` (a reader that keeps repeated IDs) and
``parquet``, ``csv`` or ``query``; the folder of the files; how many users each has.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.one_push import peak_mib

READER_MEMORY = "512MB"


def files(folder: Path, count: int) -> None:
    """Create a Parquet file, a CSV file and a database, with a second column as exports have it."""
    rows = (
        "SELECT 'person' || lpad(n::VARCHAR, 9, '0') || '@example.com' AS id, hash(n) AS checksum "
        f"FROM range({count}) AS t(n) ORDER BY hash(n)"
    )
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder / "spill")}) as database:
        database.execute(f"COPY ({rows}) TO '{folder / 'users.parquet'}' (FORMAT parquet, COMPRESSION zstd)")
        parquet = f"read_parquet('{folder / 'users.parquet'}')"
        database.execute(f"COPY (FROM {parquet}) TO '{folder / 'users.csv'}' (FORMAT csv, HEADER)")
        found = database.execute(f"SELECT id FROM {parquet}")
        with sqlite3.connect(folder / "users.db") as users:
            users.execute("CREATE TABLE users (id TEXT)")
            while part := found.fetchmany(100_000):
                users.executemany("INSERT INTO users VALUES (?)", part)


def engine(kind: str, folder: Path) -> int:
    """Stage the users as a sync does: read, checked and without repeats."""
    from airflow_segments_provider.sources.files import FileMembers
    from airflow_segments_provider.sources.sql import SqlMembers
    from airflow_segments_provider.sync.staging import stage
    from airflow_segments_provider.sync.workspace import Workspace

    source: Any = FileMembers(str(folder / f"users.{kind}"), "id")
    if kind == "query":
        source = SqlMembers("SELECT id FROM users", "users_db")
    with Workspace() as workspace:
        return stage(workspace, source, max_length=100).wanted


def reader(kind: str, folder: Path, distinct: str) -> int:
    """Read the column without checks: DuckDB's COPY of a file, or the driver's rows into a table.

    :param distinct: ``DISTINCT``, or nothing; for files.
    """
    settings: dict[str, Any] = {"memory_limit": READER_MEMORY, "temp_directory": str(folder / "spill")}
    with duckdb.connect(config=settings) as database:
        if kind != "query":
            table = f"read_{kind}('{folder / f'users.{kind}'}')"
            users = f"SELECT {distinct} id FROM {table}"
            copied = database.execute(f"COPY ({users}) TO '{folder / 'copy.parquet'}' (FORMAT parquet)")
            return int((copied.fetchone() or (0,))[0])
        database.execute("CREATE TABLE users (id VARCHAR)")
        with sqlite3.connect(folder / "users.db") as driver:
            rows = driver.execute("SELECT id FROM users")
            while part := rows.fetchmany(25_000):
                database.execute("INSERT INTO users SELECT unnest(?::VARCHAR[])", [[user for (user,) in part]])
        return int((database.execute("SELECT count(*) FROM users").fetchone() or (0,))[0])


def main(what: str, kind: str, folder: Path, count: int) -> dict[str, float]:
    """Run the measurement; return the seconds and the peak."""
    if what == "files":
        files(folder, count)
        return {}
    import airflow_segments_provider.sources.files
    import airflow_segments_provider.sources.sql  # noqa: F401
    from airflow_segments_provider.sync.staging import stage  # noqa: F401

    began = time.perf_counter()
    distinct = "DISTINCT" if what == "reader" else ""
    users = engine(kind, folder) if what == "engine" else reader(kind, folder, distinct)
    seconds = time.perf_counter() - began
    assert users == count, users
    return {"seconds": seconds, "peak_mib": peak_mib()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
