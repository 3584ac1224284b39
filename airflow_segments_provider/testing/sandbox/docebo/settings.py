"""How the sandbox's Docebo behaves where its documentation leaves a choice."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator

from airflow_segments_provider.testing.sandbox.docebo.constants import (
    CLIENT_ID,
    CLIENT_SECRET,
    HOUR_SECONDS,
    PASSWORD,
    USERNAME,
)
from airflow_segments_provider.testing.sandbox.settings import VendorSettings

AddForm = Literal["assign_users", "put_users", "post_users"]
Grant = Literal["client_credentials", "password", "jwt_bearer", "refresh_token"]


class DoceboSettings(VendorSettings):
    """The settings of Docebo; times are in seconds by the sandbox's clock.

    Tokens

    * ``client_id``, ``client_secret``: the one API app; ``username``, ``password``: its administrator
    * ``grants``: those that are enabled; ``scope_required``: whether a token call must name the scope
    * ``token_lifetime``; ``token_type``, ``expires_in_as``: how the token reply is spelled
    * ``refresh_token``: what the client-credentials reply says of one; other grants give a value
    * ``token_error_status``, ``token_error_body``: of a wrong client, user or assertion; the body is that of OAuth, or
      the one of all other calls
    * ``jwt_claims``: those an assertion must have; ``jwt_audience``: the ``aud`` it must have, None for any;
      ``jwt_client_in_form``: whether client id and secret must come with it

    Replies

    * ``message_as``: an error's message is an array or a text
    * ``list_form``: the whole envelope, or a bare array under ``data``
    * ``list_totals``: whether lists tell totals; users tell them on request only
    * ``list_cursor``: pages after the first need the cursor of the page before
    * ``page_size``, ``max_page_size``, ``large_page_size``: the default, the most, and what more than that does
    * ``idst_as``: how the members' numbers are spelled
    * ``list_lag``: from the creation of a group until the list holds it
    * ``create_status``, ``create_reply``: the new group, or only its uuid
    * ``export_reply``, ``export_bom``, ``export_line_end``: how the export looks
    * ``relation_names``: the relation types of members that were put there and of those that rules brought
    * ``pending_status``: a ruleset's status until its recalculation is done

    Operations

    * ``create_paths``: the spellings that creation has; ``add_forms``: the calls that add members;
      ``missing_route_status``: what the others answer; ``old_groups_status``: what the former groups service answers
    * ``type_required``: whether creation must name the type; otherwise it is manual
    * ``duplicate_names``: whether a second group may have a name
    * ``unknown_fields``: what a body with a field of no known name gets
    * ``rules_limit``: ten conditions in each set, or in all sets together
    * ``other_rules``: whom conditions match that are not on branches, or that they are refused
    * ``unknown_ids``: what ids of nobody get; with ``refuse`` the whole call fails
    * ``max_user_ids``: ids in one call; None for no limit, as none is published
    * ``branch_descendants``: whether adding a branch adds the people of the branches below
    * ``manual_in_automatic``: whether people may be put into automatic groups
    * ``user_ids_required``: whether a removal must have ``user_ids`` even beside the other fields
    * ``user_filters_as``: the forms of the removal's filter
    * ``background_threshold``: more people than this are changed by a job; None for never
    * ``background_delay``, ``background_outcome``: when the job is done, and how it ends; an aborted one does nothing
    * ``recalculation_delay``: until an automatic group has the people of changed rules, or of many changed users
    * ``concurrent_changes``: what a change of members gets while another one is still being answered
    * ``rate_limit``, ``rate_window``: calls in that time, tokens apart; None for no limit. ``retry_after``: whether a
      refusal says when to come again
    """

    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    username: str = USERNAME
    password: str = PASSWORD
    grants: frozenset[Grant] = frozenset(get_args(Grant))
    scope_required: bool = True
    token_lifetime: float = Field(default=HOUR_SECONDS, gt=0)
    token_type: Literal["Bearer", "bearer"] = "Bearer"
    expires_in_as: Literal["number", "string", "absent"] = "number"
    refresh_token: Literal["absent", "null", "value"] = "absent"
    token_error_status: Literal[400, 401] = 400
    token_error_body: Literal["oauth", "docebo"] = "oauth"
    jwt_claims: frozenset[str] = frozenset({"iss", "sub", "exp"})
    jwt_audience: str | None = None
    jwt_client_in_form: Literal["optional", "required"] = "optional"

    message_as: Literal["array", "string"] = "array"
    list_form: Literal["envelope", "bare"] = "envelope"
    list_totals: bool = True
    list_cursor: bool = False
    page_size: int = Field(default=200, ge=1)
    max_page_size: int = Field(default=200, ge=1)
    large_page_size: Literal["refuse", "clamp"] = "refuse"
    idst_as: Literal["number", "string"] = "number"
    list_lag: float = Field(default=0.0, ge=0)
    create_status: Literal[200, 201] = 200
    create_reply: Literal["group", "uuid"] = "group"
    export_reply: Literal["csv", "json"] = "csv"
    export_bom: bool = False
    export_line_end: Literal["lf", "crlf"] = "lf"
    relation_names: tuple[str, str] = ("manual", "automatic")
    pending_status: str = "PENDING"

    create_paths: Literal["both", "singular", "plural"] = "both"
    add_forms: frozenset[AddForm] = frozenset(get_args(AddForm))
    missing_route_status: Literal[404, 405] = 404
    old_groups_status: Literal[404, 410] = 404
    type_required: bool = False
    duplicate_names: Literal["allow", "refuse"] = "allow"
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    rules_limit: Literal["per_set", "in_all"] = "per_set"
    other_rules: Literal["nobody", "everybody", "refuse"] = "nobody"
    unknown_ids: Literal["ignore", "refuse"] = "ignore"
    max_user_ids: int | None = Field(default=None, ge=1)
    branch_descendants: bool = False
    manual_in_automatic: Literal["allow", "refuse"] = "allow"
    user_ids_required: bool = True
    user_filters_as: Literal["object", "array", "both"] = "both"
    background_threshold: int | None = Field(default=500, ge=0)
    background_delay: float = Field(default=60.0, ge=0)
    background_outcome: Literal["completed", "aborted"] = "completed"
    recalculation_delay: float = Field(default=HOUR_SECONDS, ge=0)
    concurrent_changes: Literal["refuse", "allow"] = "refuse"
    rate_limit: int | None = Field(default=1000, ge=1)
    rate_window: float = Field(default=HOUR_SECONDS, gt=0)
    retry_after: bool = True

    @field_validator("grants", "jwt_claims", "relation_names", "add_forms", mode="before")
    @classmethod
    def _several_in_one_text(cls, value: object) -> object:
        # A command line has no lists.
        return value.split() if isinstance(value, str) else value

    @field_validator("token_error_status", "create_status", "missing_route_status", "old_groups_status", mode="before")
    @classmethod
    def _number_in_text(cls, value: object) -> object:
        return int(value) if isinstance(value, str) and value.isdigit() else value
