"""A call as Zendesk reads it."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_segments_provider.testing.sandbox.messages import Call

_SUFFIX = ".json"


@dataclass(frozen=True)
class Ask:
    """One call, and how Zendesk reads it."""

    call: Call

    def value(self, name: str) -> str | None:
        """Return a parameter of the query; None when absent or empty, which are assumed to be the same."""
        return self.call.query.get(name) or None

    def values(self, name: str) -> list[str]:
        """Return the parts of a parameter that holds several, separated by commas."""
        return [part.strip() for part in (self.value(name) or "").split(",") if part.strip()]

    def text(self, name: str) -> str:
        """Return a part of the path, without the suffix that a path may end with."""
        return self.call.parameters[name].removesuffix(_SUFFIX)

    def number(self, name: str = "id") -> int:
        """Return a part of the path as an id; 0, which nothing has, for what is none."""
        return as_id(self.text(name))

    @property
    def origin(self) -> str:
        """Scheme and host under which the sandbox was reached."""
        return f"http://{self.call.headers.get('host', 'localhost')}"

    @property
    def path(self) -> str:
        """The path as it was called."""
        return self.call.path

    @property
    def bare_path(self) -> str:
        """The path without the suffix."""
        return self.call.path.removesuffix(_SUFFIX)


def as_id(text: str) -> int:
    """Return an id written as text; 0, which nothing has, for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
