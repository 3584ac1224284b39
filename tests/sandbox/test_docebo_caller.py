"""A minimal client of Docebo's API, independent of the package's client, and tests of the sandbox that use it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import requests

from airflow_segments_provider.testing.sandbox import DoceboSandboxClient

NO_GROUP = "00000000-0000-4000-8000-000000000000"


class DoceboCaller:
    """Client with a token of its own that sends requests unchanged, and never follows a redirect or retries."""

    def __init__(self, sandbox: DoceboSandboxClient) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.timeout = 20.0

    def token(self, how: str = "data", **fields: str) -> requests.Response:
        """Request a token; the parameters replace fields of a valid request, an empty text removes one."""
        right = {
            "grant_type": "client_credentials",
            "scope": "api",
            "client_id": self.sandbox.client_id,
            "client_secret": self.sandbox.client_secret,
        }
        given: dict[str, Any] = {name: text for name, text in {**right, **fields}.items() if text}
        if how == "files":
            given = {name: (None, text) for name, text in given.items()}
        request: dict[str, Any] = {how: given}
        return self.session.post(f"{self.sandbox.docebo_url}/oauth2/token", timeout=self.timeout, **request)

    def log_in(self) -> DoceboCaller:
        self.session.headers["authorization"] = f"Bearer {self.token().json()['access_token']}"
        return self

    def send(self, method: str, path: str = "", **request: Any) -> requests.Response:
        """Send a request to the groups path or a path below it."""
        url = f"{self.sandbox.docebo_url}/audiences/v1/audience{path}"
        return self.session.request(method, url, **{"timeout": self.timeout, "allow_redirects": False, **request})

    def manage(self, path: str, method: str = "GET", **query: object) -> requests.Response:
        """Send a request outside of the audiences service."""
        url = f"{self.sandbox.docebo_url}/manage/v1/{path}"
        return self.session.request(
            method, url, params={name: str(value) for name, value in query.items()}, timeout=self.timeout
        )

    def create(self, name: object = "Trial users", **body: object) -> requests.Response:
        return self.send("POST", json={"name": name, **body})

    def new_group(self, name: str = "Trial users", **body: object) -> str:
        """Create a group, and return its UUID."""
        return str(self.create(name, **body).json()["data"]["uuid"])

    def add(self, group: str, user_ids: Iterable[int] = (), **body: object) -> requests.Response:
        return self.send("PUT", f"/{group}/assign_users", json={"user_ids": list(user_ids), **body})

    def remove(self, group: str, user_ids: Iterable[int] = (), **body: object) -> requests.Response:
        return self.send("DELETE", f"/{group}/users", json={"user_ids": list(user_ids), **body})

    def members(self, group: str, **query: object) -> list[dict[str, Any]]:
        """Return one page of members."""
        reply = self.send("GET", f"/{group}/users", params=query)
        assert reply.status_code == 200, reply.text
        items: list[dict[str, Any]] = reply.json()["data"]["items"]
        return items


def branch_rules(*branches: int, **payload: object) -> dict[str, Any]:
    """Return a ruleset of one rule on branches."""
    rule = {"type": "BranchMembership", "payload": {"branch_ids": list(branches), **payload}}
    return {"operator": "AND", "sets": [{"rules_operator": "AND", "rules": [rule]}]}


def caller_of(url: str) -> DoceboCaller:
    """Empty a sandbox, and return a client of it."""
    sandbox = DoceboSandboxClient(url)
    sandbox.reset()
    return DoceboCaller(sandbox).log_in()
