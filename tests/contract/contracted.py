"""What the contract asks of a vendor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

NAME = "Trial users"


class Named(str):
    """A name in a place where an ID is accepted, too."""


class Contracted:
    """A hook and its sandbox, with one name for what the vendors call differently.

    :param sandbox: the vendor's, emptied.
    :param set_env: sets an environment variable.
    """

    #: of the sandbox's fixture, and the default connection of the operators
    fixture: ClassVar[str]
    conn_id: ClassVar[str]
    #: its endpoints, by the names of the sandbox
    token: ClassVar[str]
    create_endpoint: ClassVar[str]
    add_endpoint: ClassVar[str]
    list_endpoint: ClassVar[str]
    #: whether the hook itself checks a change of members whose response was lost, in the same try
    sees_its_work: ClassVar[bool] = False
    #: The fields of its connection, in addition to fast retries.
    extra: ClassVar[dict[str, Any]] = {"users_per_request": 10}
    #: how many segments a page has; None: all
    segments_a_page: ClassVar[int | None] = None
    #: the endpoint that lists members, and how many a page has; None: it does not list members, or all at once
    members_endpoint: ClassVar[str | None] = None
    members_a_page: ClassVar[int | None] = None
    #: the arguments that name a segment by its ID, and by the result of a create
    id_argument: ClassVar[str]
    result_argument: ClassVar[str]
    #: the argument of an operator that names the connection
    conn_argument: ClassVar[str]
    #: operators as a DAG file writes them: the imports, and the calls by name
    imports: ClassVar[str]
    operators: ClassVar[dict[str, str]]

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.hook: Any = None

    def people(self, count: int) -> list[str]:
        """Return IDs that the vendor knows, as text."""
        raise NotImplementedError

    def create(self, ids: Iterable[object], *, name: str = NAME, **options: Any) -> Any:
        """Create a segment or group."""
        raise NotImplementedError

    def add(self, ids: Iterable[object], key: Any, **options: Any) -> Any:
        """Add users to what ``key`` names: a result, or an ID of the vendor."""
        return self.hook.add_users(ids, **self.named(key), **options)

    def remove(self, ids: Iterable[object], key: Any, **options: Any) -> Any:
        """Remove users."""
        return self.hook.remove_users(ids, **self.named(key), **options)

    def delete(self, key: Any, **options: Any) -> Any:
        """Delete it."""
        raise NotImplementedError

    def named(self, key: Any) -> dict[str, Any]:
        """Return the arguments that name a segment: by a name, by an ID, or by the result of a create."""
        argument = (
            "name" if isinstance(key, Named) else self.id_argument if isinstance(key, str) else self.result_argument
        )
        return {argument: key}

    def names(self) -> list[str]:
        """Return the names of all segments, by the hook."""
        raise NotImplementedError

    def fill(self, count: int) -> None:
        """Create this many segments."""
        raise NotImplementedError

    def members(self, name: str = NAME) -> set[str]:
        """Return the true members, by the sandbox."""
        raise NotImplementedError

    def listed_members(self, key: Any) -> list[str]:
        """Return the members, by the hook; only if the vendor lists them."""
        raise NotImplementedError
