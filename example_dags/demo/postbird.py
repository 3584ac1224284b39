"""A small server of Postbird, the fictional vendor of ``custom_target``: lists, members and users in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "postbird-token"
PER_PAGE = 100


@dataclass
class Postbird:
    """The state, and the server; use it as a context manager.

    :ivar users: e-mail addresses by ID; ``lists``: the IDs of the members, by name. The name's place is the list's ID.
    :ivar calls: method and path of each request; ``changes``: those of members, with the number of IDs.
    :ivar failing: how the next changes fail, ``busy`` or ``lost``, and how many, None for all.
    :ivar ignored: users whose addition is acknowledged and not carried out.
    :ivar hidden: members that a list does not show; ``lingering``: removed users that it still shows.
    """

    users: dict[str, str] = field(default_factory=dict)
    lists: dict[str, set[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    changes: list[tuple[str, int]] = field(default_factory=list)
    failing: tuple[str, int | None] = ("", 0)
    ignored: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    lingering: frozenset[str] = frozenset()
    lock: Any = field(default_factory=Lock)

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"postbird": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def connection(self, **extra: object) -> dict[str, object]:
        """Return the fields of an Airflow connection."""
        url = f"http://127.0.0.1:{self.server.server_port}"
        return {"conn_type": "generic", "host": url, "password": TOKEN, "extra": extra}

    def answer(self, method: str, path: list[str], query: dict[str, str], body: Any) -> tuple[int | None, Any]:
        """Carry out a request; return the status, None for no response, and the body."""
        names = list(self.lists)
        match method, path:
            case "GET", ["lists"]:
                return 200, {"lists": [{"id": str(names.index(name))} for name in names if name == query["name"]]}
            case "POST", ["lists"]:
                self.lists[body["name"]] = set()
                return 201, {"id": str(len(names))}
            case "GET", ["lists", number, "members"]:
                shown = (self.lists[names[int(number)]] - self.hidden) | self.lingering
                return 200, {"members": sorted(user for user in shown if user > query.get("after", ""))[:PER_PAGE]}
            case "POST", ["lists", number, "members"]:
                return self.change(self.lists[names[int(number)]], body)
            case "GET", ["users"]:
                wanted = query.get("emails", "").lower().split(",")
                return 200, {
                    "users": [{"id": key, "email": mail} for key, mail in self.users.items() if mail.lower() in wanted]
                }
        return (401 if path == ["wrong token"] else 404), {"error": " ".join(path)}

    def change(self, members: set[str], body: dict[str, list[str]]) -> tuple[int | None, Any]:
        """Add or remove members."""
        ((action, ids),) = body.items()
        self.changes.append((action, len(ids)))
        how, times = self.failing
        fails = times != 0
        if fails:
            self.failing = (how, times and times - 1)
        if fails and how == "busy":
            return 429, {"error": "too many requests"}
        rejected = {user: "no such user" for user in ids if action == "add" and user not in self.users}
        if action == "add":
            members.update(set(ids) - rejected.keys() - self.ignored)
        else:
            members.difference_update(ids)
        return None if fails else 200, {"rejected": rejected}


class _Handler(BaseHTTPRequestHandler):
    postbird: Postbird
    protocol_version = "HTTP/1.1"

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        path = target.path.strip("/").split("/")
        with self.postbird.lock:
            self.postbird.calls.append(f"{self.command} {target.path}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                path = ["wrong token"]
            status, answer = self.postbird.answer(self.command, path, query, json.loads(body or b"null"))
        if status is None:
            self.close_connection = True
            return
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = handle_one  # http.server calls these

    def log_message(self, *_: object) -> None:
        """Print nothing."""
