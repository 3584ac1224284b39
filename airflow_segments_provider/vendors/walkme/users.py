"""The users of a write to WalkMe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_segments_provider.vendors.base.lookup import IdRules, UserRules
from airflow_segments_provider.vendors.walkme.parameters import (
    MAX_ID_LENGTH,
    CreateSegment,
    UpdateSegment,
    override_problems,
)

if TYPE_CHECKING:
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.vendors.walkme.api import WalkMeApi


class WalkMeUserRules(UserRules):
    """The rules for the users of a write. WalkMe uses the customer's own user IDs, so users are not looked up."""

    api: WalkMeApi

    def id_rules(self, identify_by: str) -> IdRules:  # noqa: ARG002
        """Return the rules for user IDs."""
        fields = self.api.fields
        return IdRules(MAX_ID_LENGTH, fields.users_per_request, distinct=fields.distinct_users)

    def problems(self, parameters: Any, users: StagedUserIds, source: object) -> list[str]:  # noqa: ARG002
        """Return the problems of the system and of an override."""
        problems = self.api.use_system(getattr(parameters, "system_guid", None)).problems()
        if isinstance(parameters, CreateSegment) and parameters.if_exists == "update":
            # A retry may find the segment and override it, so the users must fit in one request.
            problems += override_problems(users.users, users.per_request, allow_empty=True)
        if isinstance(parameters, UpdateSegment) and getattr(parameters, "action", None) == "override":
            problems += override_problems(users.users, users.per_request, allow_empty=parameters.allow_empty)
        return problems
