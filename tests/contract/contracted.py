"""What the contract asks of a vendor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

NAME = "Trial users"


class Named(str):
    """A name where an id may stand as well."""


class Contracted:
    """A hook and its sandbox, with one word for what each vendor calls by its own.

    :param sandbox: the vendor's, emptied.
    :param set_env: sets a variable of the environment.
    """

    #: of the sandbox's fixture, and of the connection that the operators look for by default
    fixture: ClassVar[str]
    conn_id: ClassVar[str]
    #: its endpoints, as the sandbox names them
    token: ClassVar[str]
    create_endpoint: ClassVar[str]
    add_endpoint: ClassVar[str]
    list_endpoint: ClassVar[str]
    #: whether a change of members whose answer was lost is looked for by the hook itself, in the same try
    sees_its_work: ClassVar[bool] = False
    #: the fields of its connection beside fast retries
    extra: ClassVar[dict[str, Any]] = {"users_per_request": 10}
    #: how many segments it lists at once; None: all
    segments_a_page: ClassVar[int | None] = None
    #: the endpoint that lists members, and how many at once; None: it lists none, or all in one call
    members_endpoint: ClassVar[str | None] = None
    members_a_page: ClassVar[int | None] = None
    #: the arguments that name a segment by its id, and by the result of a create
    id_argument: ClassVar[str]
    result_argument: ClassVar[str]
    #: the argument of an operator that names the connection
    conn_argument: ClassVar[str]
    #: operators as a DAG file writes them: what is imported, and by name what is called
    imports: ClassVar[str]
    operators: ClassVar[dict[str, str]]

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox
        self.hook: Any = None

    def people(self, count: int) -> list[str]:
        """Ids that the vendor knows, as text."""
        raise NotImplementedError

    def create(self, ids: Iterable[object], *, name: str = NAME, **options: Any) -> Any:
        """Create a segment or group."""
        raise NotImplementedError

    def add(self, ids: Iterable[object], key: Any, **options: Any) -> Any:
        """Add people to what ``key`` names: a result, or an id of the vendor's."""
        return self.hook.add_users(ids, **self.named(key), **options)

    def remove(self, ids: Iterable[object], key: Any, **options: Any) -> Any:
        """Remove users."""
        return self.hook.remove_users(ids, **self.named(key), **options)

    def delete(self, key: Any, **options: Any) -> Any:
        """Delete it."""
        raise NotImplementedError

    def named(self, key: Any) -> dict[str, Any]:
        """The arguments that name a segment: by a name, by an id, or by the result of a create."""
        argument = (
            "name" if isinstance(key, Named) else self.id_argument if isinstance(key, str) else self.result_argument
        )
        return {argument: key}

    def names(self) -> list[str]:
        """The names of all that were made, by the hook."""
        raise NotImplementedError

    def fill(self, count: int) -> None:
        """Let there be so many segments, whoever makes them."""
        raise NotImplementedError

    def members(self, name: str = NAME) -> set[str]:
        """The true members, by the sandbox."""
        raise NotImplementedError

    def listed_members(self, key: Any) -> list[str]:
        """The members, by the hook; only where the vendor lists them."""
        raise NotImplementedError
