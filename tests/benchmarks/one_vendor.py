"""One measurement: users synced by e-mail address into a group of a vendor that lists members; or the requests alone.

Arguments: ``engine`` or ``bare``, the vendor, ``first`` or ``again``, how many users, the server's address, and for the
engine the folder of its ledgers.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.vendors_server import ALTERYX_GROUP, GROUP, NAME, alteryx_id

AT_ONCE = 4
PER_REQUEST = 1_000


def addresses(users: int) -> list[str]:
    """Return the addresses of the users."""
    return [f"user{number}@example.com" for number in range(1, users + 1)]


def engine(vendor: str, users: int, ledgers: Path, number: int) -> dict[str, float]:
    """Run the engine as the operator does."""
    from airflow_segments_provider.sync.engine import Sync
    from airflow_segments_provider.sync.ledger.ledger import Ledger
    from airflow_segments_provider.sync.ledger.local_store import LocalStore
    from airflow_segments_provider.sync.ledger.manifest import Writer
    from airflow_segments_provider.sync.settings import Settings
    from airflow_segments_provider.sync.workspace import Workspace
    from airflow_segments_provider.targets.parse import target_of

    target: Any = target_of({"vendor": vendor, "name": NAME, "identity": "email"}).open()
    target.hook.client.token()
    writer = Writer(token=str(number), owner="dag.task", run="run", try_number=number)
    ids = addresses(users)

    def ledger(key: Any) -> Ledger:
        return Ledger(LocalStore(ledgers / key.folder), key.folder, writer, target.limits.request_timeout)

    began = time.perf_counter()
    with Workspace() as workspace:
        done = Sync(target, ids, ledger, workspace, Settings(max_added_fraction=None)).run()
    seconds = time.perf_counter() - began
    assert done.counts["wanted"] == users, done.counts
    return {"seconds": seconds, "applied": done.counts["applied"], "unconfirmed": done.counts["unconfirmed"]}


class Bare:
    """The minimal requests of a sync, by a session with as many connections."""

    def __init__(self, url: str) -> None:
        import requests
        from requests.adapters import HTTPAdapter

        self.url = url
        self.session = requests.Session()
        self.session.mount("http://", HTTPAdapter(pool_connections=AT_ONCE, pool_maxsize=AT_ONCE))

    def get(self, path: str, **query: str) -> Any:
        """Send a read, and read its body."""
        response = self.session.get(f"{self.url}/{path}", params=query, timeout=60)
        response.raise_for_status()
        return (
            response.json()
            if "json" in response.headers["Content-Type"]
            else list(csv.reader(io.StringIO(response.text)))
        )

    def send(self, method: str, path: str, body: Any) -> None:
        """Send a write."""
        self.session.request(method, f"{self.url}/{path}", json=body, timeout=60).raise_for_status()

    def each(self, call: Callable[[str], Any], values: list[str]) -> None:
        """Call a function for each value, several at once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(call, values))

    def batches(self, ids: list[Any]) -> list[list[Any]]:
        """Return the batches of a write."""
        return [ids[start : start + PER_REQUEST] for start in range(0, len(ids), PER_REQUEST)]

    def docebo(self, users: int, *, first: bool) -> None:
        """Find the group, list it; look users up, add them, and list it again."""
        self.get("docebo/audiences/v1/audience", search_text=NAME)
        self.get(f"docebo/audiences/v1/audience/{GROUP}/export-users", email="true", include_header="true")
        if first:
            self.each(lambda email: self.get("docebo/manage/v1/user", search_text=email), addresses(users))
            for batch in self.batches(list(range(1, users + 1))):
                self.send("PUT", f"docebo/audiences/v1/audience/{GROUP}/assign_users", {"user_ids": batch})
            self.get(f"docebo/audiences/v1/audience/{GROUP}/export-users", email="true")

    def alteryx(self, users: int, *, first: bool) -> None:
        """Do the same for Alteryx Server, which returns all users at once."""
        self.get("alteryx/webapi/v3/usergroups")
        self.get(f"alteryx/webapi/v3/usergroups/{ALTERYX_GROUP}")
        if first:
            self.get("alteryx/webapi/v3/users")
            for batch in self.batches([alteryx_id(number) for number in range(1, users + 1)]):
                self.send("POST", f"alteryx/webapi/v3/usergroups/{ALTERYX_GROUP}/users", batch)
            self.get(f"alteryx/webapi/v3/usergroups/{ALTERYX_GROUP}")

    def zendesk(self, users: int, *, first: bool) -> None:
        """Do the same for Zendesk, whose list is read again before it is written."""
        segment = "zendesk/api/v2/help_center/user_segments/1"
        self.get("zendesk/api/v2/help_center/user_segments")
        self.get(segment)
        if first:
            self.each(lambda email: self.get("zendesk/api/v2/users/search", query=f"email:{email}"), addresses(users))
            self.get(segment)
            self.send("PUT", segment, {"user_segment": {"added_user_ids": list(range(1, users + 1))}})
            self.get(segment)


def main(client: str, vendor: str, run: str, users: int, url: str, ledgers: str = "") -> dict[str, float]:
    """Measure one run."""
    if client == "engine":
        import duckdb  # noqa: F401

        from airflow_segments_provider.operators.sync import SyncMembersOperator  # noqa: F401

        return engine(vendor, users, Path(ledgers), 1 if run == "first" else 2)
    bare = Bare(url)
    began = time.perf_counter()
    getattr(bare, vendor)(users, first=run == "first")
    return {"seconds": time.perf_counter() - began}


if __name__ == "__main__":
    who, name, which, count, address, *folder = sys.argv[1:]
    print(json.dumps(main(who, name, which, int(count), address, *folder)))
