"""What a vendor registers for the fault tests: its operations, the letters of its requests, and its members.

Members are written as text, a character for a user: "ab" are members before, "12345" are the users of the operation.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

RETRY = {"max_attempts": 3, "base_delay": 0.01, "max_delay": 0.02, "max_total": 20, "retry_after_cap": 2}
NAME = "Trial users"
PEOPLE, OTHERS = "12345", "ab"

Role = Literal["token", "read", "create", "write", "delete"]
Answer = Literal["json", "optional", "none"]
Members = str | None


@dataclass(frozen=True)
class Operation:
    """One method of a hook, and the request of it that the faults affect.

    :param role: The kind of that request, by which the table selects a cell.
    :param endpoint: The endpoint whose faults affect the request.
    :param healthy: The letters of a run without a fault; the first one of the endpoint is the faulty request.
    :param before: The members before the operation; None, also in the other fields, where there is no segment.
    :param first: The members after the faulty request alone was carried out.
    :param run: Calls the method with the hook, the name or ID of the segment, and the IDs of the users.
    :param lost: The letters where the faulty request is carried out and its response is lost; None if the request is
        only repeated.
    :param answer: The body of the response: JSON, JSON that may be missing, or none.
    :param right: Returns whether the result of the method is right.
    :param look: The requests that look up the outcome of an uncertain request, where they are not the scene's.
    :param put: Creates what the operation begins with, where that is not a segment; ``shown`` then returns its members.
    """

    role: Role
    endpoint: str
    healthy: str
    before: Members
    first: Members
    wanted: Members
    run: Callable[[Any, Any, list[Any]], Any]
    lost: str | None = None
    answer: Answer = "json"
    right: Callable[[Any], bool] = lambda result: True
    look: str | None = None
    put: Callable[[Any, str], Any] | None = None
    shown: Callable[[Any], list[list[Any]]] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Scene:
    """One vendor: its sandbox, hooks on it, and the true members."""

    #: as errors name it
    vendor: ClassVar[str]
    fixture: ClassVar[str]
    #: a letter for each request, by endpoint, or by endpoint and action
    letters: ClassVar[dict[str | tuple[str, str], str]]
    #: the requests by which a create looks for the segment
    look: ClassVar[str] = "L"
    operations: ClassVar[dict[str, Operation]]
    #: further operations that are killed
    crashes: ClassVar[dict[str, Operation]] = {}
    #: where this vendor differs from the table, by fault and operation; None: not applicable
    cells: ClassVar[Mapping[tuple[str, str], str | None]] = {}
    #: further rows, with cells by operation
    rows: ClassVar[list[Any]] = []
    #: further fields of the connection; mostly two users in a request
    extra: ClassVar[dict[str, Any]] = {"users_per_request": 2}

    #: of the connection to the sandbox, which the sandbox's fixture has set
    conn_id: ClassVar[str]
    #: the sandbox's setting with the connection's login
    login_setting: ClassVar[str] = "client_id"

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.ids: dict[str, Any] = {}
        self.connection: dict[str, Any] = json.loads(os.environ[f"AIRFLOW_CONN_{self.conn_id.upper()}"])

    def hook(self, monkeypatch: Any, **extra: object) -> Any:
        """Return a new hook with fast retries and these extra fields."""
        fields = {**self.connection["extra"], "retry": RETRY, **self.extra, **extra}
        monkeypatch.setenv("AIRFLOW_CONN_FAULTS", json.dumps({**self.connection, "extra": fields}))
        return self.new_hook("faults")

    def new_hook(self, conn_id: str) -> Any:
        """Return a new hook of this connection."""
        raise NotImplementedError

    def start_over(self, operation: Operation) -> Any:
        """Put the sandbox into the state before an operation, and return what names the segment."""
        self.sandbox.reset(**{self.login_setting: self.connection["login"]})
        self.begin()
        return self.put_before(operation)

    def put_before(self, operation: Operation) -> Any:
        """Create what an operation needs, and return what names it."""
        if operation.put is not None:
            return operation.put(self, operation.before or "")
        return self.nothing() if operation.before is None else self.put(operation.before)

    def begin(self) -> None:
        """Set ``ids``: the users of the tests, as the vendor knows them."""
        raise NotImplementedError

    def put(self, members: str) -> Any:
        """Create the segment with these members, and return what names it."""
        raise NotImplementedError

    def shown(self) -> list[list[Any]]:
        """Return the IDs of the true members of each segment of the name."""
        raise NotImplementedError

    def credentials(self) -> list[str]:
        """Return the credentials, in every form in which they are sent."""
        login, password = self.connection["login"], self.connection["password"]
        return [password, base64.b64encode(f"{login}:{password}".encode()).decode()]

    def nothing(self) -> Any:
        """Return what names a segment that does not exist."""
        raise NotImplementedError

    def people(self, members: str) -> list[Any]:
        """Return the IDs of these users."""
        return [self.ids[person] for person in members]

    def members(self, operation: Operation | None = None) -> list[str]:
        """Return the true members of each segment of the name; an unknown one is "!"."""
        names = {str(number): person for person, number in self.ids.items()}
        shown = operation.shown(self) if operation and operation.shown else self.shown()
        return ["".join(sorted(names.get(str(number), "!") for number in found)) for found in shown]

    def trace(self) -> str:
        """Return the requests that the sandbox counted, a letter each; one without a letter is a "-"."""
        return "".join(self.letter(call.endpoint, call.action) for call in self.sandbox.calls())

    @classmethod
    def struck(cls, operation: Operation) -> int:
        """Return the place of the struck request in a run without faults."""
        letters = [letter for key, letter in cls.letters.items() if operation.endpoint in (key, key[0])]
        return min(operation.healthy.index(letter) for letter in letters if letter in operation.healthy)

    def letter(self, endpoint: str, action: str | None) -> str:
        """Return the letter of a request."""
        return self.letters.get((endpoint, action or "")) or self.letters.get(endpoint, "-")

    def users_in(self, text: str) -> list[str]:
        """Return the users whose IDs are in a text, as they are or as JSON has them."""
        forms = {form for number in map(str, self.ids.values()) for form in (number, json.dumps(number)[1:-1])}
        return sorted(form for form in forms if re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text))

    def without_users(self, path: str) -> str:
        """Return a path of the sandbox's log, as errors show it."""
        people = {"{userId}", *map(str, self.ids.values())}
        return "/".join("{user}" if part in people else part for part in path.split("/"))

    def credentials_in(self, text: str, tokens: Iterable[str]) -> list[str]:
        """Return the credentials in a text."""
        return [secret for secret in (*self.credentials(), *tokens) if secret in text]


def as_list(expected: Members) -> list[str]:
    """Return what :meth:`Scene.members` returns for one segment with these members, or for none."""
    return [] if expected is None else ["".join(sorted(expected))]
