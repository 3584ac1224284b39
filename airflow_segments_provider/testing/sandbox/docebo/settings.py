"""How the sandbox's Docebo behaves where its documentation leaves a choice."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from airflow_segments_provider.testing.sandbox.docebo.constants import (
    CLIENT_ID,
    CLIENT_SECRET,
    HOUR_SECONDS,
    PASSWORD,
    USERNAME,
)
from airflow_segments_provider.testing.sandbox.vendor import VendorSettings

AddForm = Literal["assign_users", "put_users", "post_users"]
Grant = Literal["client_credentials", "password", "jwt_bearer", "refresh_token"]


class DoceboSettings(VendorSettings):
    """The settings of Docebo; times are in seconds by the sandbox's clock.

    Tokens

    * ``client_id``, ``client_secret``: the one API app; ``username``, ``password``: its administrator
    * ``grants``: the enabled ones; ``scope_required``: whether a token call must name the scope
    * ``token_lifetime``; ``token_type``, ``expires_in_as``: the form of the token reply
    * ``refresh_token``: its value in the client-credentials reply; other grants always have one
    * ``token_error_status``, ``token_error_body``: of a wrong client, user or assertion; the body is that of OAuth, or
      the one of all other calls
    * ``jwt_claims``: those an assertion must have; ``jwt_audience``: the ``aud`` it must have, None for any;
      ``jwt_client_in_form``: whether client id and secret must come with it

    Replies

    * ``message_as``: an error's message is an array or a text
    * ``list_form``: the whole envelope, or a bare array under ``data``
    * ``list_totals``: whether lists have totals; the list of users has them on request only
    * ``list_cursor``: pages after the first need the cursor of the page before
    * ``page_size``, ``max_page_size``, ``large_page_size``: the default, the maximum, and the answer to more
    * ``idst_as``: the form of the members' numbers
    * ``list_lag``: from the creation of a group until the list shows it
    * ``hidden_members``, ``lingering_members``: users whom no list and no export of members shows yet, and users whom
      those of every group still show
    * ``create_status``, ``create_reply``: the new group, or only its uuid
    * ``export_reply``, ``export_bom``, ``export_line_end``: the form of the export
    * ``relation_names``: the relation types of members put there and of those matched by rules
    * ``pending_status``: a ruleset's status until its recalculation is done

    Operations

    * ``create_paths``: the spellings that creation has; ``add_forms``: the calls that add members;
      ``missing_route_status``: the answer of the others; ``old_groups_status``: the answer of the former groups service
    * ``type_required``: whether creation must name the type; otherwise it is manual
    * ``duplicate_names``: whether a second group may have a name
    * ``unknown_fields``: the answer to an unknown field in a body
    * ``rules_limit``: ten conditions in each set, or in all sets together
    * ``other_rules``: the users matched by conditions that are not on branches, or their refusal
    * ``unknown_ids``: the answer to unknown IDs; with ``refuse`` the whole call fails
    * ``max_user_ids``: ids in one call; None for no limit, as none is published
    * ``branch_descendants``: whether adding a branch adds the users of the branches below
    * ``manual_in_automatic``: whether users may be put into automatic groups
    * ``user_ids_required``: whether a removal must have ``user_ids`` even beside the other fields
    * ``user_filters_as``: the accepted forms of the removal's filter
    * ``background_threshold``: more users than this are changed by a job; None for never
    * ``background_delay``, ``background_outcome``: when the job is done, and how it ends; an aborted one does nothing
    * ``recalculation_delay``: until an automatic group has the members of changed rules, or of many changed users
    * ``concurrent_changes``: the answer to a change of members while another one is still being answered
    * ``rate_limit``, ``rate_window``: calls in that time, token calls not counted; None for no limit.
      ``retry_after``: whether a refusal says when to call again
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
    hidden_members: frozenset[int] = frozenset()
    lingering_members: frozenset[int] = frozenset()
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
