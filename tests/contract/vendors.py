"""What the contract asks of a vendor; a new one needs only to be registered here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tests.conftest import RETRY

NAME = "Trial users"


class Contracted(Protocol):
    """A hook and its sandbox, with one word for what each vendor calls by its own."""

    #: its endpoints, as the sandbox names them
    token: str
    create_endpoint: str
    add_endpoint: str
    list_endpoint: str
    sandbox: Any

    def people(self, count: int) -> list[str]:
        """Ids that the vendor knows."""

    def create(self, ids: Iterable[object], **options: Any) -> Any:
        """Create the segment or group of that name."""

    def add(self, ids: Iterable[object], key: Any) -> Any:
        """Add people to what ``key`` names: a result, or an id of the vendor's."""

    def remove(self, ids: Iterable[object], key: Any) -> Any:
        """Remove people."""

    def delete(self, key: Any, **options: Any) -> Any:
        """Delete it."""

    def names(self) -> list[str]:
        """The names of all that exist, by the hook."""

    def members(self) -> set[str]:
        """The true members, by the sandbox."""


class WalkMe:
    token, list_endpoint = "walkme.token", "walkme.list"
    create_endpoint, add_endpoint = "walkme.create", "walkme.update"

    def __init__(self, sandbox: Any, monkeypatch: Any) -> None:
        from airflow_segments_provider.hooks.walkme import WalkMeHook

        connection = sandbox.connection_json(retry=RETRY, users_per_request=10)
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", connection)
        self.sandbox, self.hook = sandbox, WalkMeHook()

    def people(self, count: int) -> list[str]:
        odd = ["grüße", "日本", "a/b", "..", "100%", "?x=1#y", 'say "x"', "ACME\\ada"]
        return [*odd, *(f"user{number}" for number in range(count))][:count]

    def create(self, ids: Iterable[object], **options: Any) -> Any:
        return self.hook.create_segment(NAME, ids, **options)

    def add(self, ids: Iterable[object], key: Any) -> Any:
        return self.hook.add_users(ids, **self._key(key))

    def remove(self, ids: Iterable[object], key: Any) -> Any:
        return self.hook.remove_users(ids, **self._key(key))

    def delete(self, key: Any, **options: Any) -> Any:
        return self.hook.delete_segment(**self._key(key), **options)

    def names(self) -> list[str]:
        return [str(segment.name) for segment in self.hook.get_segments()]

    def members(self) -> set[str]:
        found: set[str] = self.sandbox.members(NAME)
        return found

    def _key(self, key: Any) -> dict[str, Any]:
        return {"segment_guid": key} if isinstance(key, str) else {"segment": key}


class Alteryx:
    token, list_endpoint = "alteryx.token", "alteryx.list_groups"
    create_endpoint, add_endpoint = "alteryx.create_group", "alteryx.add_users"

    def __init__(self, sandbox: Any, monkeypatch: Any) -> None:
        from airflow_segments_provider.hooks.alteryx import AlteryxServerHook

        connection = sandbox.connection_json(retry=RETRY, users_per_request=10)
        monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", connection)
        self.sandbox, self.hook = sandbox, AlteryxServerHook()

    def people(self, count: int) -> list[str]:
        found: list[str] = self.sandbox.seed_users(count)
        return found

    def create(self, ids: Iterable[object], **options: Any) -> Any:
        return self.hook.create_user_group(NAME, ids, **options)

    def add(self, ids: Iterable[object], key: Any) -> Any:
        return self.hook.add_users(ids, **self._key(key))

    def remove(self, ids: Iterable[object], key: Any) -> Any:
        return self.hook.remove_users(ids, **self._key(key))

    def delete(self, key: Any, **options: Any) -> Any:
        return self.hook.delete_user_group(**self._key(key), force_delete=True, **options)

    def names(self) -> list[str]:
        return [group.name for group in self.hook.get_user_groups()]

    def members(self) -> set[str]:
        found: set[str] = self.sandbox.members(NAME)
        return found

    def _key(self, key: Any) -> dict[str, Any]:
        return {"user_group_id": key} if isinstance(key, str) else {"user_group": key}


VENDORS: dict[str, Callable[[Any, Any], Contracted]] = {"walkme_sandbox": WalkMe, "alteryx_sandbox": Alteryx}
