"""What a sync is given, as text or values, checked in one go."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.members.guard import Guard
from airflow_segments_provider.members.plan import Rules
from airflow_segments_provider.members.sync import Settings

_NOT_GIVEN = ("", "None")


def _seconds(value: Any) -> Any:
    """A template renders a number of seconds to text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _absent(value: Any) -> Any:
    return None if value in _NOT_GIVEN else value


Fraction = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Period = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]


class GivenSync(BaseModel):
    """The arguments of a sync; see the operator for each."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    mode: Literal["mirror", "add", "remove"]
    removals: Literal["owned", "all"]
    max_removed_fraction: Annotated[Fraction, Field(le=1)]
    max_removals: Annotated[Count | None, BeforeValidator(_absent)]
    max_added_fraction: Annotated[Fraction | None, BeforeValidator(_absent)]
    max_members: Annotated[Count | None, BeforeValidator(_absent)]
    max_duration: Annotated[Period | None, BeforeValidator(_absent)]
    allow_empty: bool
    on_guard: Literal["fail", "skip_removals"]
    approve: Annotated[Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")] | None, BeforeValidator(_absent)]
    plan_only: bool
    first_sync: Annotated[Literal["add", "override"] | None, BeforeValidator(_absent)]
    max_invalid: Annotated[Count | None, BeforeValidator(_absent)]
    max_refused: Annotated[Count | None, BeforeValidator(_absent)]
    retry_rejected_after: Period
    allow_older: bool
    takeover: bool

    def settings(self, *, data_until: int | None, plan_only: bool = False) -> Settings:
        """As the engine takes them.

        :param plan_only: also where the arguments do not say so.
        """
        return Settings(
            rules=Rules(self.mode, self.removals, retry_rejected_after=self.retry_rejected_after),
            guard=Guard(
                self.max_removed_fraction,
                self.max_removals,
                self.max_added_fraction,
                self.max_members,
                allow_empty=self.allow_empty,
            ),
            on_guard=self.on_guard,
            plan_only=self.plan_only or plan_only,
            approve=self.approve,
            first_sync=self.first_sync,
            max_duration=self.max_duration,
            data_until=data_until,
            allow_older=self.allow_older,
            takeover=self.takeover,
        )


def given_sync(values: dict[str, Any]) -> GivenSync:
    """The arguments, checked.

    :raises InvalidInput: with every problem found.
    """
    try:
        return GivenSync.model_validate(values)
    except ValidationError as error:
        problems = [
            f"`{detail['loc'][0]}`: {detail['msg']}."
            for detail in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidInput("The sync", list(dict.fromkeys(problems))) from None
