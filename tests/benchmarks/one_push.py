"""One measurement: user IDs pushed to the local server, by the hook or by a bare loop; time and peak memory.

Arguments: ``hook`` or ``bare``; the server's URL; how many IDs; ``ready`` (a list made before) or ``made`` (made one by
one as they are read).
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

SYSTEM = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
CONNECTION = "AIRFLOW_CONN_WALKME_BENCH"
NAME, EXTERNAL_ID = "Benchmark", "benchmark"
LOGIN, PASSWORD = "client", "a-secret-of-the-benchmarks"
PER_REQUEST = 25_000


def people(count: int) -> Iterator[str]:
    """Yield distinct IDs of 24 characters."""
    return (f"person{number:06d}@example.com" for number in range(count))


def connection(url: str) -> dict[str, str]:
    """Return the environment variable with the hook's connection."""
    fields = {"conn_type": "walkme", "host": url, "login": LOGIN, "password": PASSWORD}
    return {CONNECTION: json.dumps(fields | {"extra": {"system_guid": SYSTEM}})}


def hook_push(ids: Iterable[str]) -> Callable[[], None]:
    """Create a segment by the hook: token, list, create with the first 25,000, then an ``add`` for each 25,000 more.

    Loaded before the clock starts: what a DAG file imports; ``requests``, as in the bare loop; and what Airflow itself
    loads to find a connection, which a task's process has from its supervisor. The rest is measured: reading the
    connection, and what the hook imports when it is used.
    """
    import requests  # noqa: F401

    import airflow_segments_provider.operators.walkme  # noqa: F401
    from airflow_segments_provider.hooks.walkme import WalkMeHook

    WalkMeHook.get_connection("walkme_bench")

    def push() -> None:
        change = WalkMeHook("walkme_bench").create_segment(NAME, ids, external_id=EXTERNAL_ID)
        assert change.outcome == "created"

    return push


def bare_push(url: str, ids: Sequence[str]) -> Callable[[], None]:
    """Send the same requests, with bodies that were encoded before, by a bare session."""
    import requests

    from airflow_segments_provider import __version__
    from tests.benchmarks.server import SEGMENT_GUID, TOKEN_PATH

    encoded = [
        json.dumps(ids[start : start + PER_REQUEST], separators=(",", ":")).encode()
        for start in range(0, len(ids), PER_REQUEST)
    ]
    first = f'{{"id":"{EXTERNAL_ID}","name":"{NAME}","userIds":'.encode() + encoded[0] + b"}"
    bodies = [b'{"action":"add","userIds":' + part + b"}" for part in encoded[1:]]
    segments = f"{url}/public/v1/user/system/{SYSTEM}/segment"
    json_type = {"Content-Type": "application/json"}

    def push() -> None:
        with requests.Session() as session:
            session.headers.update(
                {
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    "User-Agent": f"airflow-provider-segments/{__version__}",
                }
            )
            grant = {"grant_type": "client_credentials"}
            token = session.post(url + TOKEN_PATH, data=grant, auth=(LOGIN, PASSWORD)).json()
            session.headers["Authorization"] = f"Bearer {token['access_token']}"
            session.get(segments).raise_for_status()
            session.post(segments, data=first, headers=json_type).raise_for_status()
            for body in bodies:
                session.put(f"{segments}/{SEGMENT_GUID}", data=body, headers=json_type).raise_for_status()

    return push


def peak_mib() -> float:
    """Return this process's largest resident size so far; macOS reports bytes, the others KiB."""
    told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return told / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Marks:
    """Note the processor time before the first ID is read and after the last, without slowing what comes between."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.times: list[float] = []
        self.ids = chain(self._note(), ids, self._note())

    def _note(self) -> Iterator[str]:
        self.times.append(time.process_time())
        yield from ()


def main(client: str, url: str, count: int, source: str) -> dict[str, float]:
    """Prepare and push; return the seconds, the processor seconds, their share by phase, and MiB."""
    marks = Marks(people(count) if source == "made" else list(people(count)))
    push = hook_push(marks.ids) if client == "hook" else bare_push(url, list(people(count)))
    # The same for both: otherwise one of them would pay for collecting the garbage of Airflow's import.
    gc.collect()
    peak = peak_mib()
    began, processor = time.perf_counter(), time.process_time()
    push()
    seconds, done = time.perf_counter() - began, time.process_time()
    first, last = marks.times or (processor, processor)
    return {
        "seconds": seconds,
        "processor": done - processor,
        "starting": first - processor,
        "reading": last - first,
        "sending": done - last,
        "peak_mib": peak_mib(),
        "peak_before_mib": peak,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))
