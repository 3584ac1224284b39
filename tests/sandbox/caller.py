"""A minimal client of WalkMe's API, independent of the package's client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

from airflow_segments_provider.testing.sandbox.client import SandboxClient

FORM = "application/x-www-form-urlencoded"
NO_GUID = "00000000-0000-4000-8000-000000000000"


class Caller:
    """Client with a token of its own that sends requests unchanged, and never follows a redirect or retries."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self.sandbox = sandbox
        self.segments_url = f"{sandbox.walkme_url}/public/v1/user/system/{sandbox.system_guid}/segment"
        self.session = requests.Session()
        self.session.trust_env = False
        self.timeout = 20.0

    def token(self, **request: Any) -> requests.Response:
        """Request a token; the parameters replace parts of a valid request."""
        right = {
            "auth": (self.sandbox.client_id, self.sandbox.client_secret),
            "data": "grant_type=client_credentials",
            "headers": {"content-type": FORM},
        }
        url = f"{self.sandbox.walkme_url}/accounts/connect/token"
        return self.session.post(url, **{"timeout": self.timeout, **right, **request})

    def log_in(self) -> Caller:
        self.session.headers["authorization"] = f"Bearer {self.token().json()['access_token']}"
        return self

    def send(self, method: str, path: str = "", **request: Any) -> requests.Response:
        """Send a request to the segments path or a path below it."""
        return self.session.request(
            method, self.segments_url + path, **{"timeout": self.timeout, "allow_redirects": False, **request}
        )

    def create(self, name: object = "Trial users", user_ids: object = (), **body: object) -> requests.Response:
        return self.send("POST", json={"name": name, "userIds": _jsonable(user_ids), **body})

    def update(self, guid: str, action: object = "add", user_ids: object = ()) -> requests.Response:
        return self.send("PUT", f"/{guid}", json={"action": action, "userIds": _jsonable(user_ids)})

    def list(self) -> requests.Response:
        return self.send("GET")

    def delete(self, guid: str) -> requests.Response:
        return self.send("DELETE", f"/{guid}")

    def new_segment(self, name: str = "Trial users", user_ids: object = (), **body: object) -> str:
        """Create a segment, and return its GUID as used in paths, whatever the form of the response."""
        assert self.create(name, user_ids, **body).ok
        return hyphenated(self.sandbox.segments()[-1].guid)


def hyphenated(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait until the server has noticed something."""
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _jsonable(value: object) -> object:
    return list(value) if isinstance(value, tuple | set | range) else value
