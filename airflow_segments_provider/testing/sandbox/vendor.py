"""What the vendors of the sandbox have in common: settings, state, and limits of calls."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.control import control
from airflow_segments_provider.testing.sandbox.database import Database, R, Table
from airflow_segments_provider.testing.sandbox.tokens import TokenStore

WINDOW_SECONDS = 60.0


class VendorSettings(BaseModel):
    """How one vendor behaves; never changed in place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def changed(self, changes: Mapping[str, object]) -> Self:
        """Return a validated copy with some fields changed; an unknown field is an error."""
        return self.model_validate({**self.model_dump(), **changes})

    @field_validator("*", mode="before")
    @classmethod
    def _accept_text(cls, value: object, info: ValidationInfo) -> object:
        # A command line has neither lists nor numbers.
        annotation = cls.model_fields[str(info.field_name)].annotation
        kind, choices = get_origin(annotation), get_args(annotation)
        if isinstance(value, str) and kind in (tuple, frozenset):
            return value.split()
        if kind is Literal and isinstance(value, str | int) and value not in choices:
            return next((choice for choice in choices if str(choice) == str(value)), value)
        return value


S = TypeVar("S", bound=VendorSettings)


class Vendor(Generic[S]):
    """The state of one vendor; methods marked as :func:`.control.control` are its control API.

    :param settings: those that differ from the defaults; a reset returns to them
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    conn_type: ClassVar[str]
    # The settings that are the login and the password of a connection.
    credentials: ClassVar[tuple[str, str]] = ("client_id", "client_secret")
    make_settings: type[S]

    def __init__(self, database: Database, clock: Clock, settings: Mapping[str, object]) -> None:
        self.database, self.clock = database, clock
        self._first_settings = self.settings = self.make_settings().changed(settings)
        self._tables: list[Table[Any]] = []
        self.tokens = TokenStore(database, clock, self.name)
        self.rate = RateWindow()
        self.create_tables()
        if database.meta(f"{self.name}_begun") is None:
            self._begin()

    def create_tables(self) -> None:
        """Create the tables of the state."""
        raise NotImplementedError

    def seed(self) -> None:
        """Fill an empty state with what exists at the start."""

    def settle(self) -> None:
        """Carry out background work that is due."""

    def connection_extra(self) -> dict[str, Any]:
        """Return the extra fields of a connection."""
        return {}

    def table(self, name: str, make: type[R], *key: str, **options: Any) -> Table[R]:
        """Create a table that a reset empties."""
        found = Table(self.database, f"{self.name}_{name}", make, key, **options)
        self._tables.append(found)
        return found

    def next_numbers(self, name: str, first: int, count: int = 1) -> range:
        """Return the next numbers of a sequence, each returned once until a reset."""
        key = f"{self.name}_next_{name}"
        start = int(self.database.meta(key) or first)
        self.database.set_meta(key, str(start + count))
        return range(start, start + count)

    def settings_of_start(self, changes: Mapping[str, object]) -> S:
        """Return the settings of the start with some changes, or raise the problems of the changes."""
        return self._first_settings.changed(changes)

    def reset(self, settings: S) -> None:
        """Return to the state of the start, with some settings."""
        self.settings = settings
        self._begin()

    @control
    def configure(self, **changes: Any) -> dict[str, Any]:
        """Change some settings, and return all."""
        if changes:
            self.settings = self.settings.changed(changes)
        return self.settings.model_dump()

    @control
    def connection(self, url: str) -> dict[str, Any]:
        """Return the fields of an Airflow connection, as Airflow reads them from JSON.

        :param url: the sandbox's own address, without a path
        """
        login, password = (getattr(self.settings, name) for name in self.credentials)
        fields = {"conn_type": self.conn_type, "host": url + self.prefix, "login": login, "password": password}
        return {**fields, "extra": self.connection_extra()}

    @control
    def expire_tokens(self) -> None:
        """Make every token issued so far invalid."""
        self.tokens.clear()

    def _begin(self) -> None:
        with self.database.transaction():
            for table in self._tables:
                table.delete()
            self.database.run("DELETE FROM meta WHERE key GLOB ?", (f"{self.name}_*",))
            self.tokens.clear()
            self.rate.clear()
            self.seed()
            self.database.set_meta(f"{self.name}_begun", "yes")


class RateWindow:
    """A sliding window of the calls of the last minute, by whatever clock the caller reads."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def refuse(self, now: float, per_minute: int | None) -> int | None:
        """Count a call and return None, or return the seconds after which it may be repeated.

        :param per_minute: None for no limit
        """
        while self._times and self._times[0] <= now - WINDOW_SECONDS:
            self._times.popleft()
        if per_minute is not None and len(self._times) >= per_minute:
            # There is room when the oldest of the last `per_minute` calls has left the window.
            leaves = self._times[len(self._times) - per_minute] + WINDOW_SECONDS
            return max(1, math.ceil(leaves - now))
        self._times.append(now)
        return None

    def remaining(self, now: float, per_minute: int) -> int:
        """Return how many calls are left now."""
        return max(0, per_minute - sum(1 for moment in self._times if moment > now - WINDOW_SECONDS))

    def resets(self, now: float) -> int:
        """Return the seconds after which the oldest call no longer counts."""
        return max(1, math.ceil(self._times[0] + WINDOW_SECONDS - now)) if self._times else 0

    def wait_within(self, now: float, seconds: float, most: int) -> int | None:
        """Return how long to wait if the last seconds had as many calls; count nothing."""
        recent = [moment for moment in self._times if moment > now - seconds]
        return max(1, math.ceil(recent[0] + seconds - now)) if len(recent) >= most else None

    def clear(self) -> None:
        """Forget all calls."""
        self._times.clear()
