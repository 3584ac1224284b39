"""What a vendor registers for the fault tests: its operations, the letters of its requests, and who is a member.

Members are written as text, a character a person: "ab" are there before, "12345" are the people of the operation.
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
    """One way to call a vendor, and the request of it that goes wrong.

    :param role: what kind of request that is: the table speaks of kinds.
    :param endpoint: whose faults its rows are about.
    :param healthy: the letters of a run in which nothing goes wrong; the first of the endpoint is the one struck.
    :param before: the members before, None where there is no segment, as for the others.
    :param first: the members when the request struck was carried out and no other.
    :param run: does it, given the hook, what names the segment, and the people's ids.
    :param lost: the letters where the request struck is carried out and its answer lost; None: it is sent again, and
        that is all.
    :param answer: what the request is answered: JSON, JSON that may be missing, or nothing.
    :param right: whether the result is what it should be.
    :param look: the requests by which it is looked at after a doubt, where they are not the scene's.
    :param put: puts there what it begins with, where that is no segment; ``shown`` tells then who is in it.
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
    """One vendor: its sandbox, hooks on it, and what is true there."""

    #: as errors name it
    vendor: ClassVar[str]
    fixture: ClassVar[str]
    #: a letter for each request, by endpoint, or by endpoint and action
    letters: ClassVar[dict[str | tuple[str, str], str]]
    #: the requests by which a create looks whether it is there
    look: ClassVar[str] = "L"
    operations: ClassVar[dict[str, Operation]]
    #: further operations that are killed
    crashes: ClassVar[dict[str, Operation]] = {}
    #: where this vendor differs from the table, by fault and operation; None: makes no sense for it
    cells: ClassVar[Mapping[tuple[str, str], str | None]] = {}
    #: further rows, with cells by operation
    rows: ClassVar[list[Any]] = []
    #: further fields of the connection; mostly two people in a request
    extra: ClassVar[dict[str, Any]] = {"users_per_request": 2}

    #: of the connection to the sandbox, which the sandbox's fixture has set
    conn_id: ClassVar[str]
    #: the sandbox's setting that holds the connection's login
    login_setting: ClassVar[str] = "client_id"

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.ids: dict[str, Any] = {}
        self.connection: dict[str, Any] = json.loads(os.environ[f"AIRFLOW_CONN_{self.conn_id.upper()}"])

    def hook(self, monkeypatch: Any, **extra: object) -> Any:
        """A new hook with fast retries and these extra fields."""
        fields = {**self.connection["extra"], "retry": RETRY, **self.extra, **extra}
        monkeypatch.setenv("AIRFLOW_CONN_FAULTS", json.dumps({**self.connection, "extra": fields}))
        return self.new_hook("faults")

    def new_hook(self, conn_id: str) -> Any:
        """A new hook of this connection."""
        raise NotImplementedError

    def start_over(self, operation: Operation) -> Any:
        """Put the sandbox into the state that an operation begins with, and return what names the segment."""
        self.sandbox.reset(**{self.login_setting: self.connection["login"]})
        self.begin()
        return self.put_before(operation)

    def put_before(self, operation: Operation) -> Any:
        """Put there what an operation begins with, and return what names it."""
        if operation.put is not None:
            return operation.put(self, operation.before or "")
        return self.nothing() if operation.before is None else self.put(operation.before)

    def begin(self) -> None:
        """Set ``ids``: the people of the tests, as the vendor knows them."""
        raise NotImplementedError

    def put(self, members: str) -> Any:
        """Put the segment there, with these members, and return what names it."""
        raise NotImplementedError

    def shown(self) -> list[list[Any]]:
        """The ids of the true members of each segment of the name."""
        raise NotImplementedError

    def credentials(self) -> list[str]:
        """What proves who calls, in every form in which it is sent."""
        login, password = self.connection["login"], self.connection["password"]
        return [password, base64.b64encode(f"{login}:{password}".encode()).decode()]

    def nothing(self) -> Any:
        """What names a segment that is not there."""
        raise NotImplementedError

    def people(self, members: str) -> list[Any]:
        """The ids of these people."""
        return [self.ids[person] for person in members]

    def members(self, operation: Operation | None = None) -> list[str]:
        """The true members of each segment of the name; a stranger shows as "!"."""
        names = {str(number): person for person, number in self.ids.items()}
        shown = operation.shown(self) if operation and operation.shown else self.shown()
        return ["".join(sorted(names.get(str(number), "!") for number in found)) for found in shown]

    def trace(self) -> str:
        """The calls that the sandbox counted, a letter each; one without a letter is a "-"."""
        return "".join(self.letter(call.endpoint, call.action) for call in self.sandbox.calls())

    @classmethod
    def struck(cls, operation: Operation) -> int:
        """The place of the request that is struck in a healthy run."""
        letters = [letter for key, letter in cls.letters.items() if operation.endpoint in (key, key[0])]
        return min(operation.healthy.index(letter) for letter in letters if letter in operation.healthy)

    def letter(self, endpoint: str, action: str | None) -> str:
        """The letter of a request."""
        return self.letters.get((endpoint, action or "")) or self.letters.get(endpoint, "-")

    def people_in(self, text: str) -> list[str]:
        """Whose ids stand in a text, as they are or as JSON has them."""
        forms = {form for number in map(str, self.ids.values()) for form in (number, json.dumps(number)[1:-1])}
        return sorted(form for form in forms if re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text))

    def without_people(self, path: str) -> str:
        """A path of the sandbox's log, as errors show it."""
        people = {"{userId}", *map(str, self.ids.values())}
        return "/".join("{user}" if part in people else part for part in path.split("/"))

    def credentials_in(self, text: str, tokens: Iterable[str]) -> list[str]:
        """Which credentials stand in a text."""
        return [secret for secret in (*self.credentials(), *tokens) if secret in text]


def as_list(expected: Members) -> list[str]:
    """What :meth:`Scene.members` returns where there is one segment with these members, or none."""
    return [] if expected is None else ["".join(sorted(expected))]
