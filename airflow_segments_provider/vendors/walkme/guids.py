"""GUIDs and external IDs of WalkMe, and how two are compared."""

from __future__ import annotations

import re
import uuid
from typing import Annotated

from pydantic import AfterValidator

_GUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def normalise_guid(value: str) -> str:
    """Return a GUID hyphenated, as WalkMe takes it in a path, and in lower case for comparisons.

    :raises ValueError: it is not 32 hexadecimal digits, with or without hyphens in 8-4-4-4-12 and braces.
    """
    text = value.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if not _GUID.fullmatch(text):
        raise ValueError("is not a GUID: 32 hexadecimal digits, with or without hyphens in 8-4-4-4-12")
    return str(uuid.UUID(text))


def default_external_id(system_guid: str, name: str) -> str:
    """Derive a segment's external ID from system and name, for a creation without one."""
    return str(uuid.uuid5(uuid.UUID(system_guid), name))


Guid = Annotated[str, AfterValidator(normalise_guid)]


def same_id(one: str | None, other: str | None) -> bool:
    """Return whether two IDs are the same; GUIDs are compared without hyphens and case."""
    if one is None or other is None:
        return False
    if _GUID.fullmatch(one) and _GUID.fullmatch(other):
        return normalise_guid(one) == normalise_guid(other)
    return one == other
