"""A minimal server with one group of each vendor that lists members; see :mod:`tests.benchmarks.server`.

Arguments: the seconds that each request but those for tokens takes, and the number of users. User ``n`` has the ID
``n`` and the address ``user<n>@example.com``; the platforms have a million other users.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.benchmarks.server import TOKEN_ANSWER, Connection, Ledger, reply

OTHERS = 1_000_000
GROUP = "0f8fad5b-d9cb-469f-a165-70867728950e"
ALTERYX_GROUP = f"{1:024x}"
NAME = "Trial users"
ADDRESS = re.compile(r"user(\d+)@example\.com")
CSV = "text/csv; charset=utf-8"


def alteryx_id(number: int) -> str:
    """Return the ID of a user of Alteryx Server."""
    return f"{number:024x}"


class Vendors:
    """The members of the three groups."""

    def __init__(self, users: int) -> None:
        self.users = users
        self.members: dict[str, set[int]] = {"docebo": set(), "alteryx": set(), "zendesk": set()}
        self.requests = 0
        self.everyone = json.dumps(
            [{"id": alteryx_id(n), "email": f"user{n}@example.com", "firstName": "A"} for n in range(1, users + 1)]
        ).encode()

    def answer(self, method: str, target: str, body: memoryview) -> tuple[bytes, str]:
        """Return the body of a response, and its content type."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        vendor, _, path = parts.path.lstrip("/").partition("/")
        answer: Any = getattr(self, vendor)(method, path, query, body)
        if isinstance(answer, bytes):
            return answer, "application/json"
        return (answer.encode(), CSV) if isinstance(answer, str) else (json.dumps(answer).encode(), "application/json")

    def control(self, method: str, path: str, query: dict[str, str], body: memoryview) -> Any:
        """Return the requests since the last call, and set the members to all users."""
        if path == "fill":
            self.members = {vendor: set(range(1, self.users + 1)) for vendor in self.members}
        if path == "clear":
            self.members = {vendor: set() for vendor in self.members}
        found, self.requests = self.requests, 0
        return {"requests": found, "members": {vendor: len(members) for vendor, members in self.members.items()}}

    def docebo(self, method: str, path: str, query: dict[str, str], body: memoryview) -> Any:
        """Return the response to a request to Docebo."""
        members = self.members["docebo"]
        if path == "manage/v1/user":
            if text := query.get("search_text"):
                number = int(ADDRESS.fullmatch(text)[1])  # type: ignore[index]
                return {
                    "data": {
                        "items": [{"user_id": str(number), "username": f"u{number}", "email": text}],
                        "has_more_data": False,
                    }
                }
            return {"data": {"items": [{"user_id": "0", "username": "u0", "email": ""}], "total_count": OTHERS}}
        if path.endswith("/export-users"):
            return "email\n" + "".join(f"user{number}@example.com\n" for number in sorted(members))
        if path.endswith("/assign_users"):
            members.update(json.loads(bytes(body))["user_ids"])
            return {"data": {"success": True, "background_job": False}}
        return {"data": {"items": [{"uuid": GROUP, "name": NAME, "type": "manual"}], "has_more_data": False}}

    def alteryx(self, method: str, path: str, query: dict[str, str], body: memoryview) -> Any:
        """Return the response to a request to Alteryx Server."""
        members = self.members["alteryx"]
        if path == "webapi/v3/users":
            return self.everyone
        group = {"id": ALTERYX_GROUP, "name": NAME, "role": "Evaluated"}
        if method == "POST":
            added = json.loads(bytes(body))
            members.update(int(user, 16) for user in added)
            return {"successfullyAddedUserCount": len(added), "totalUsersSubmittedCount": len(added)}
        if path.endswith(ALTERYX_GROUP):
            return {**group, "members": [{"userId": alteryx_id(number)} for number in sorted(members)]}
        return [group]

    def zendesk(self, method: str, path: str, query: dict[str, str], body: memoryview) -> Any:
        """Return the response to a request to Zendesk."""
        if path == "api/v2/users/search":
            number = int(ADDRESS.search(query["query"])[1])  # type: ignore[index]
            user = {"id": number, "name": "A", "email": f"user{number}@example.com"}
            return {"users": [user], "next_page": None, "count": 1}
        if path == "api/v2/users":
            return {"users": [], "next_page": None, "count": 100 * OTHERS}
        if method == "PUT":
            self.members["zendesk"] = set(json.loads(bytes(body))["user_segment"]["added_user_ids"])
        segment = {
            "id": 1,
            "name": NAME,
            "user_type": "signed_in_users",
            "built_in": False,
            "tags": ["nobody"],
            "added_user_ids": sorted(self.members["zendesk"]),
        }
        if path.endswith("user_segments"):
            return {"user_segments": [segment], "meta": {"has_more": False}, "links": {}}
        return {"user_segment": segment}


class VendorsConnection(Connection):
    """The connection of one client."""

    vendors: Vendors

    def _answer(self, method: str, path: str, head: list[bytes], body: memoryview) -> bytes:
        received = time.monotonic()
        if "oauth" in path:
            return reply("200 OK", TOKEN_ANSWER)
        control = path.startswith("/control/")
        content, kind = self.vendors.answer(method, path, body)
        if not control:
            self.vendors.requests += 1
            time.sleep(max(0.0, received + self._delay - time.monotonic()))
        answer = reply("200 OK", content)
        return answer.replace(b"application/json", kind.encode(), 1)


def accept(listener: socket.socket, delay: float) -> None:
    """Serve every client that connects."""
    while True:
        VendorsConnection(listener.accept()[0], delay, Ledger()).start()


if __name__ == "__main__":
    VendorsConnection.vendors = Vendors(int(sys.argv[2]))
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        print(listening.getsockname()[1], flush=True)
        threading.Thread(target=accept, args=(listening, float(sys.argv[1])), daemon=True).start()
        sys.stdin.read()
