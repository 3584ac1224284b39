"""How the sandbox's WalkMe behaves where its documentation leaves a choice."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from airflow_segments_provider.testing.sandbox.settings import VendorSettings
from airflow_segments_provider.testing.sandbox.walkme import guids
from airflow_segments_provider.testing.sandbox.walkme.constants import (
    CLIENT_ID,
    CLIENT_SECRET,
    DAY_SECONDS,
    READ,
    SYSTEM_GUID,
    WRITE,
)


class WalkMeSettings(VendorSettings):
    """The settings of WalkMe; times are in seconds by the sandbox's clock.

    * ``client_id``, ``client_secret``, ``systems``: the one API key, and the systems that exist
    * ``token_lifetime``; ``token_type``, ``expires_in_as``, ``scope_in_token``: how the token reply is spelled
    * ``scopes``: what the key may do; ``segments_enabled``: whether the feature is switched on for the customer
    * ``editor_lag``: from the creation of a segment until the Editor shows it
    * ``list_lag``: from the creation of a segment until the list holds it; a repeated external id is refused at once
    * ``guid_form``: how GUIDs are written in replies; paths take the hyphenated form only
    * ``create_status``, ``create_reply``: what creation answers. ``guid``, ``segment_guid`` and ``id`` name the key
      that holds the new GUID, ``location`` is an empty body with the header, ``none`` an empty body without it,
      ``external_id_only`` a body with the caller's id and the name
    * ``update_reply``: ``200`` with a body, or the status with an empty one
    * ``list_reply``: a bare array, or an object that holds it under ``segments`` or ``data``
    * ``delete_supported``: ``yes``, or what the missing operation answers
    * ``empty_override_allowed``: whether ``override`` may empty a segment
    * ``over_limit_status``: the refusal of more than 25,000 ids
    * ``refused_user_ids``: a request that holds one of them is refused as a whole with 400
    * ``echo_ids_in_errors``: whether 400 messages repeat the ids at fault
    * ``rate_limit``: calls a minute, tokens apart; None for no limit
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

    @field_validator("scopes", "systems", "refused_user_ids", mode="before")
    @classmethod
    def _several_in_one_text(cls, value: object) -> object:
        # A command line has no lists.
        return value.split() if isinstance(value, str) else value

    @field_validator("systems")
    @classmethod
    def _guids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if strangers := [text for text in value if guids.from_anything(text) is None]:
            raise ValueError(f"no GUID: {', '.join(strangers)}")
        return value

    @field_validator("create_status", "over_limit_status", mode="before")
    @classmethod
    def _number_in_text(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdigit() else value

    @field_validator("update_reply", mode="before")
    @classmethod
    def _text_of_number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) else value
