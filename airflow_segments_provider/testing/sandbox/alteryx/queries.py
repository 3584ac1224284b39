"""The filters of the list of users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from airflow_segments_provider.testing.sandbox.alteryx import dates
from airflow_segments_provider.testing.sandbox.alteryx.constants import Role
from airflow_segments_provider.testing.sandbox.alteryx.problems import Fields, invalid
from airflow_segments_provider.testing.sandbox.alteryx.records import UserRecord
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.case import contains, same
from airflow_segments_provider.testing.sandbox.messages import Call

Comparison = Literal["contains", "exact"]


@dataclass(frozen=True)
class UserFilter:
    """Which users are listed, and whether in full; None and empty texts let all through."""

    full: bool
    active: bool | None
    role: str | None
    email: str
    first_name: str
    last_name: str
    created_after: float | None
    created_before: float | None

    def lets_through(self, user: UserRecord, settings: AlteryxSettings) -> bool:
        """Tell whether a user is listed."""
        return (
            self.active in (None, user.is_active)
            and self.role in (None, user.role)
            and _fits(self.email, user.email, settings.email_filter)
            and _fits(self.first_name, user.first_name, settings.name_filter)
            and _fits(self.last_name, user.last_name, settings.name_filter)
            and (self.created_after is None or user.created_at > self.created_after)
            and (self.created_before is None or user.created_at < self.created_before)
        )


def read_user_filter(call: Call) -> UserFilter:
    """Return what a query asks for; a value that cannot be is refused, an unknown parameter passed over (assumed)."""
    problems: Fields = {}
    found = UserFilter(
        full=_one_of(call, "view", ("Default", "Full"), problems) == "Full",
        active={"true": True, "false": False}.get(_one_of(call, "active", ("true", "false"), problems) or ""),
        role=_one_of(call, "role", get_args(Role), problems),
        email=call.query.get("email", ""),
        first_name=call.query.get("firstName", ""),
        last_name=call.query.get("lastName", ""),
        created_after=_moment(call, "createdAfter", problems),
        created_before=_moment(call, "createdBefore", problems),
    )
    if problems:
        raise invalid(problems)
    return found


def read_flag(call: Call, name: str) -> bool:
    """Return a true-or-false parameter, false where it is not given."""
    problems: Fields = {}
    value = _one_of(call, name, ("true", "false"), problems)
    if problems:
        raise invalid(problems)
    return value == "true"


def _one_of(call: Call, name: str, values: tuple[str, ...], problems: Fields) -> str | None:
    given = call.query.get(name, "")
    # Clients spell true and false as their language does.
    wanted = given.lower() if values == ("true", "false") else given
    if wanted and wanted not in values:
        problems[name] = [f"The value must be one of {', '.join(values)}."]
    return wanted if wanted in values else None


def _moment(call: Call, name: str, problems: Fields) -> float | None:
    given = call.query.get(name, "")
    found = dates.read(given) if given else None
    if given and found is None:
        problems[name] = ["The value must be a date and time."]
    return found


def _fits(wanted: str, value: str, comparison: Comparison) -> bool:
    if comparison == "exact" and wanted:
        return same(wanted, value)
    return contains(value, wanted)
