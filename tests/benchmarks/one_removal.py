"""One measurement: users removed from a group of the local server by the Alteryx Server hook. Argument: how many."""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Remove the users, and print the seconds."""
    import requests  # noqa: F401

    from airflow_segments_provider.hooks.alteryx import AlteryxServerHook

    hook = AlteryxServerHook("alteryx_bench")
    hook.client.token()
    users = [f"{number:024x}" for number in range(int(sys.argv[1]))]
    began = time.perf_counter()
    change = hook.remove_users(users, user_group_id="0123456789abcdef01234567")
    seconds = time.perf_counter() - began
    assert change.users_removed == len(users)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
