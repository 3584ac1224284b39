"""How the sandbox's WalkMe behaves where its documentation leaves a choice."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from airflow_segments_provider.testing.sandbox.vendor import VendorSettings
from airflow_segments_provider.testing.sandbox.walkme.constants import (
    CLIENT_ID,
    CLIENT_SECRET,
    DAY_SECONDS,
    READ,
    SYSTEM_GUID,
    WRITE,
)

_GUID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class WalkMeSettings(VendorSettings):
    """The settings of WalkMe; times are in seconds by the sandbox's clock.

    * ``client_id``, ``client_secret``, ``systems``: the one API key, and the systems that exist
    * ``token_lifetime``; ``token_type``, ``expires_in_as``, ``scope_in_token``: the form of the token reply
    * ``scopes``: what the key allows; ``segments_enabled``: whether the customer has the feature
    * ``editor_lag``: from the creation of a segment until the Editor shows it
    * ``list_lag``: from the creation of a segment until the list shows it; a repeated external ID is refused at once
    * ``guid_form``: the form of GUIDs in replies; paths take the hyphenated form only
    * ``create_status``, ``create_reply``: the answer to a creation. ``guid``, ``segment_guid`` and ``id`` name the key
      that holds the new GUID, ``location`` is an empty body with the header, ``none`` an empty body without it,
      ``external_id_only`` a body with the caller's ID and the name
    * ``update_reply``: ``200`` with a body, or the status with an empty one
    * ``list_reply``: a bare array, or an object that holds it under ``segments`` or ``data``
    * ``delete_supported``: ``yes``, or what the missing operation answers
    * ``empty_override_allowed``: whether ``override`` may empty a segment
    * ``over_limit_status``: the refusal of more than 25,000 IDs
    * ``refused_user_ids``: a request with one of them is refused as a whole with 400
    * ``echo_ids_in_errors``: whether 400 messages repeat the wrong IDs
    * ``rate_limit``: calls a minute, token calls not counted; None for no limit
    """

    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    systems: tuple[str, ...] = Field(default=(SYSTEM_GUID,), min_length=1)
    token_lifetime: float = Field(default=DAY_SECONDS, gt=0)
    token_type: Literal["Bearer", "bearer", "BEARER"] = "Bearer"
    expires_in_as: Literal["number", "string", "absent"] = "number"
    scope_in_token: bool = True
    scopes: tuple[str, ...] = (WRITE, READ)
    segments_enabled: bool = True
    editor_lag: float = Field(default=600.0, ge=0)
    list_lag: float = Field(default=0.0, ge=0)
    guid_form: Literal["hex32", "hyphenated", "upper"] = "hex32"
    create_status: Literal[200, 201] = 201
    create_reply: Literal["guid", "segment_guid", "id", "location", "none", "external_id_only"] = "guid"
    update_reply: Literal["200", "200_empty", "202", "204"] = "200"
    list_reply: Literal["array", "segments", "data"] = "array"
    delete_supported: Literal["yes", "route_404", "route_405"] = "yes"
    empty_override_allowed: bool = True
    over_limit_status: Literal[400, 413] = 400
    refused_user_ids: frozenset[str] = frozenset()
    echo_ids_in_errors: bool = False
    rate_limit: int | None = Field(default=None, ge=1)

    @field_validator("systems")
    @classmethod
    def _guids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [text for text in value if guid_digits(text) is None]:
            raise ValueError(f"not a GUID: {', '.join(wrong)}")
        return value


def guid_digits(text: str) -> str | None:
    """Return the 32 digits of a GUID with or without hyphens, in lower case; None for any other text."""
    return text.replace("-", "").lower() if _GUID.fullmatch(text) else None
