"""Users synced by e-mail address into a group of each vendor that lists members, beside the requests alone; and again
without a change, beside the list alone.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from statistics import median
from typing import Any

from tests.benchmarks.one import measure
from tests.benchmarks.report import Figure, progress, spread
from tests.benchmarks.server import ROOT

VENDORS = ("docebo", "alteryx", "zendesk")
NEW, UNCHANGED = 10_000, 100_000
DELAY = 0.020
GOALS = {"first": 1.15, "again": 1.3}
ROUNDS = 3


@contextlib.contextmanager
def server(users: int) -> Iterator[int]:
    """Run the server, and return its port."""
    command = [sys.executable, "-m", "tests.benchmarks.vendors_server", str(DELAY), str(users)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.communicate()


def control(port: int, what: str) -> dict[str, Any]:
    """Return the requests since the last call, after the members were set."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", f"/control/{what}")
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found


def connections(port: int) -> dict[str, str]:
    """Return the environment variables with the hooks' connections."""
    common = {"login": "key", "password": "a-secret-of-the-benchmarks"}
    url = f"http://127.0.0.1:{port}"
    fields = {
        "DOCEBO_DEFAULT": {**common, "conn_type": "docebo", "host": f"{url}/docebo"},
        "ALTERYX_SERVER_DEFAULT": {**common, "conn_type": "alteryx_server", "host": f"{url}/alteryx/webapi"},
        "ZENDESK_HELP_CENTER_DEFAULT": {**common, "conn_type": "zendesk_help_center", "host": f"{url}/zendesk"},
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(connection) for name, connection in fields.items()}


def figures() -> list[Figure]:
    """Return the seconds of both runs over those of the requests alone."""
    found = list[Figure]()
    for run, users in (("first", NEW), ("again", UNCHANGED)):
        with server(users) as port:
            found += [_figure(port, vendor, run, users) for vendor in VENDORS]
    return found


def _figure(port: int, vendor: str, run: str, users: int) -> Figure:
    env, times, sent = connections(port), {"engine": list[float](), "bare": list[float]()}, {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="segments-bench-") as ledgers:
            for client in ("bare", "engine"):
                if run == "again" and client == "engine":
                    # The members that a first run would leave, set at once and not measured.
                    measure("fill_ledger", vendor, str(users), ledgers, env=env)
                control(port, "clear" if run == "first" else "fill")
                arguments = (client, vendor, run, str(users), f"http://127.0.0.1:{port}", ledgers)
                seen = measure("one_vendor", *arguments, env=env)
                sent[client] = control(port, "show")["requests"]
                times[client].append(seen["seconds"])
                if seen.get("unconfirmed") or seen.get("applied", 0) not in (0, users if run == "first" else 0):
                    raise RuntimeError(f"{vendor}, {run}: {seen}")
    progress(f"vendors: {vendor}, {run}: engine {spread(times['engine'], ' s')}, {sent['engine']:,} requests")
    progress(f"vendors: {vendor}, {run}: bare {spread(times['bare'], ' s')}, {sent['bare']:,} requests")
    ratios = [one / other for one, other in zip(times["engine"], times["bare"], strict=True)]
    how = (
        f"seconds of a sync of {users:,} users by e-mail address at {DELAY * 1000:g} ms a request, over those of the "
        f"fewest requests by a requests.Session at the same concurrency; median of the ratios of {ROUNDS} rounds"
    )
    return Figure(f"{vendor}_{run}", median(ratios), GOALS[run], how)
