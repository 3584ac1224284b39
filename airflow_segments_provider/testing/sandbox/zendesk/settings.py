"""How the sandbox's Zendesk behaves where its documentation leaves a choice, or accounts differ."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from airflow_segments_provider.testing.sandbox.vendor import VendorSettings
from airflow_segments_provider.testing.sandbox.zendesk.constants import (
    API_TOKEN,
    API_TOKENS_END,
    CLIENT_ID,
    CLIENT_SECRET,
)

_RATES = {"team": 200, "growth": 400, "professional": 400, "enterprise": 700, "enterprise_plus": 2500}


class ZendeskSettings(VendorSettings):
    """The settings of Zendesk; times are in seconds by the sandbox's clock. "Assumed" marks what is not documented.

    Access:

    * ``client_id``, ``client_secret``, ``client_user``: the one OAuth client, and the e-mail address of the user that
      it acts as
    * ``default_expires_in``: a token's lifetime when the call names none; None for no end, as for clients created
      before 2026
    * ``expires_in_reply``: whether the token reply has the lifetime; ``token_status``: its status
    * ``default_scope``: what a token allows when the call names no scope (assumed)
    * ``api_token``; ``api_token_ends_at``: when API tokens end, None for never; ``api_token_idle_days``: unused for
      so long it is deactivated, None for never; ``api_token_active``: false for a deactivated one
    * ``guide_enabled``: false for an account without a Help Center, which answers 401
    * ``anonymous_user_id``: the ID of the user that ``users/me`` shows to an unauthenticated caller (assumed)
    * ``agents_may_list``: whether agents may list all segments, or only those of a user
    * ``forbidden_body``: the form of a 403 (assumed)

    The account:

    * ``plan``: sets the rate limit, and whether there are custom segments, staff segments and several per article
    * ``rate_limit``: calls a minute for each of Support and Help Center; ``plan`` or ``none``
    * ``support_rate_headers``: the name under which Support repeats its rate headers
    * ``rate_limit_body``: a 429's body on the Help Center (assumed); Support's is always text
    * ``user_updates_per_minute``, ``user_updates_per_second``: the limits of updates, per user and per account
    * ``tag_lists_per_minute``: the limit of the list of all tags
    * ``user_tagging``: whether users can be tagged; ``tags_delete_status``: the answer to a removal of tags

    Segments:

    * ``in_use_refusal``: how the deletion of a segment in use is refused; ``none`` deletes it, and what it was applied
      to keeps its ID (all assumed)
    * ``built_in_refusal``: the status for a change of a built-in segment (assumed)
    * ``user_type_changeable``: whether an update may change the type (assumed)
    * ``missing_name``: the name of a segment created without one (assumed)
    * ``strict_ids``: whether unknown organizations, groups and users are refused (assumed)
    * ``max_segments``, ``max_tags``, ``max_organizations``: limits known at second hand; None for no
      limit. That built-in segments count is assumed
    * ``absent_fields``: fields that are absent from segments in replies

    Pages:

    * ``segments_per_page``: the default of the lists of segments (assumed)
    * ``over_page_size``: whether a page size above 100 is reduced or refused (assumed)
    * ``max_offset_pages``, ``max_offset_records``: the limits of offset paging
    * ``link_origin``: scheme and host of links to other pages, where they differ from the one called (assumed)
    * ``warn_of_unknown_fields``: which half reports ignored fields in a header

    Jobs:

    * ``job_queue_seconds``, ``job_seconds_per_row``: how long a job is queued, and how long it takes for each user
    * ``failing_user_ids``: their rows fail within a completed job; ``job_outcome``: ``failed`` fails every job
    * ``max_jobs``: how many may be queued or running
    """

    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    client_user: str = "ada.okafor@example.com"
    default_expires_in: int | None = Field(default=1800, gt=0)
    expires_in_reply: bool = True
    token_status: Literal[200, 201] = 201
    default_scope: str = "read write"
    api_token: str = API_TOKEN
    api_token_ends_at: float | None = API_TOKENS_END
    api_token_idle_days: float | None = Field(default=30, gt=0)
    api_token_active: bool = True
    guide_enabled: bool = True
    anonymous_user_id: int | None = None
    agents_may_list: bool = False
    forbidden_body: Literal["flat", "nested", "text"] = "flat"

    plan: Literal["team", "growth", "professional", "enterprise", "enterprise_plus"] = "enterprise"
    rate_limit: int | Literal["plan", "none"] = "plan"
    support_rate_headers: Literal["ratelimit", "rate-limit"] = "ratelimit"
    rate_limit_body: Literal["text", "json"] = "text"
    user_updates_per_minute: int | None = Field(default=5, ge=1)
    user_updates_per_second: int | None = Field(default=1, ge=1)
    tag_lists_per_minute: int | None = Field(default=100, ge=1)
    user_tagging: bool = True

    in_use_refusal: Literal["errors_base", "record_invalid", "forbidden", "none"] = "errors_base"
    built_in_refusal: Literal[400, 403, 404, 422] = 403
    user_type_changeable: bool = True
    missing_name: Literal["empty", "null"] = "empty"
    strict_ids: bool = False
    max_segments: int | None = Field(default=200, ge=2)
    max_tags: int | None = Field(default=50, ge=1)
    max_organizations: int | None = Field(default=50, ge=1)
    absent_fields: frozenset[Literal["or_tags", "added_user_ids"]] = frozenset()
    tags_delete_status: Literal[200, 204] = 204

    segments_per_page: int = Field(default=30, ge=1, le=100)
    over_page_size: Literal["clamp", "refuse"] = "clamp"
    max_offset_pages: int | None = Field(default=100, ge=1)
    max_offset_records: int | None = Field(default=10_000, ge=1)
    link_origin: str | None = None
    warn_of_unknown_fields: Literal["support", "both", "none"] = "support"

    job_queue_seconds: float = Field(default=1.0, ge=0)
    job_seconds_per_row: float = Field(default=0.02, ge=0)
    failing_user_ids: frozenset[int] = frozenset()
    job_outcome: Literal["completed", "failed"] = "completed"
    max_jobs: int | None = Field(default=30, ge=1)

    @property
    def per_minute(self) -> int | None:
        """Calls a minute for each half; None for no limit."""
        if isinstance(self.rate_limit, int):
            return self.rate_limit
        return _RATES[self.plan] if self.rate_limit == "plan" else None

    @property
    def custom_segments(self) -> bool:
        """Whether segments can be created, and those of staff applied."""
        return self.plan != "team"

    @property
    def several_segments(self) -> bool:
        """Whether an article may have more than one segment."""
        return self.plan.startswith("enterprise")

    @field_validator("rate_limit")
    @classmethod
    def _at_least_one(cls, value: object) -> object:
        if isinstance(value, int) and value < 1:
            raise ValueError("a rate limit is at least 1")
        return value
