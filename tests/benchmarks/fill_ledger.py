"""Write the ledger of a first sync without its requests.

Arguments: the vendor, how many users, and the folder of the ledgers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.one_vendor import addresses
from tests.benchmarks.vendors_server import NAME, alteryx_id


def main(vendor: str, users: int, ledgers: Path) -> None:
    """Write the members and their identities."""
    from airflow_segments_provider.sync.ledger.ledger import Ledger
    from airflow_segments_provider.sync.ledger.local_store import LocalStore
    from airflow_segments_provider.sync.ledger.manifest import Writer
    from airflow_segments_provider.sync.ledger.timing import now_ms
    from airflow_segments_provider.sync.workspace import Workspace
    from airflow_segments_provider.targets.parse import target_of

    target: Any = target_of({"vendor": vendor, "name": NAME, "identity": "email"}).open()
    key = target.key()
    writer = Writer(token="0", owner="dag.task", run="run")
    ledger = Ledger(LocalStore(ledgers / key.folder), key.folder, writer, target.limits.request_timeout)
    ids = [alteryx_id(number) if vendor == "alteryx" else str(number) for number in range(1, users + 1)]
    with Workspace() as workspace:
        members = ledger.open(workspace, as_of=now_ms())
        members.put(
            "SELECT unnest(?::VARCHAR[]) AS id, true AS owned, NULL AS uncertain, NULL AS pending, NULL AS rejected, "
            "NULL AS size, NULL AS reason",
            [ids],
        )
        members.identities.make()
        members.identities.put("email", addresses(users), dict(zip(addresses(users), ids, strict=True)), now_ms())
        ledger.commit(members, as_of=now_ms())
    print("{}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
