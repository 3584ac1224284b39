"""A minimal client of Alteryx Server's API, independent of the package's client."""

from __future__ import annotations

from typing import Any

import requests

from airflow_segments_provider.testing.sandbox import AlteryxSandboxClient

NO_ID = "0123456789abcdef01234567"
FORM = "application/x-www-form-urlencoded"


class AlteryxCaller:
    """Client with a token of its own that sends requests unchanged, and never follows a redirect or retries."""

    def __init__(self, sandbox: AlteryxSandboxClient) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["accept"] = "application/json"
        self.timeout = 20.0

    def token(self, **request: Any) -> requests.Response:
        """Request a token; the parameters replace parts of a valid request."""
        right = {"auth": (self.sandbox.api_key, self.sandbox.api_secret), "data": {"grant_type": "client_credentials"}}
        url = f"{self.sandbox.base_url}/oauth2/token"
        return self.session.post(url, **{"timeout": self.timeout, **right, **request})

    def log_in(self) -> AlteryxCaller:
        self.session.headers["authorization"] = f"Bearer {self.token().json()['access_token']}"
        return self

    def send(self, method: str, path: str, **request: Any) -> requests.Response:
        """Send a request to a path below ``v3``."""
        url = f"{self.sandbox.base_url}/v3/{path}"
        return self.session.request(method, url, **{"timeout": self.timeout, "allow_redirects": False, **request})

    def create(self, name: object = "Trial users", role: object = "Viewer", **body: object) -> requests.Response:
        return self.send("POST", "usergroups", json={"name": name, "role": role, **body})

    def new_group(self, name: str = "Trial users", role: str = "Viewer") -> str:
        return str(self.create(name, role).json())

    def group(self, group_id: str) -> requests.Response:
        return self.send("GET", f"usergroups/{group_id}")

    def update(self, group_id: str, name: object = "Others", role: object = "Member") -> requests.Response:
        return self.send("PUT", f"usergroups/{group_id}", json={"name": name, "role": role})

    def delete(self, group_id: str, **query: object) -> requests.Response:
        return self.send("DELETE", f"usergroups/{group_id}", params=query)

    def add(self, group_id: str, user_ids: object) -> requests.Response:
        return self.send("POST", f"usergroups/{group_id}/users", json=user_ids)

    def remove(self, group_id: str, user_id: str) -> requests.Response:
        return self.send("DELETE", f"usergroups/{group_id}/users/{user_id}")

    def users(self, **query: object) -> requests.Response:
        return self.send("GET", "users", params=query)
