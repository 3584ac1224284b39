"""The parameters of a sync: declared, parsed and checked here only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.limits import (
    MAX_INVALID_FRACTION,
    MAX_REMOVED_FRACTION,
    MAX_UNMATCHED_FRACTION,
    Share,
)
from airflow_segments_provider.sync.ledger.names import PlanDigest

_NOT_SET = ("", "None")

Mode = Literal["mirror", "add", "remove"]


def _seconds(value: Any) -> Any:
    """Read a number of seconds that a template rendered to text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _absent(value: Any) -> Any:
    return None if value in _NOT_SET else value


Fraction = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Period = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]
OptionalCount = Annotated[Count | None, BeforeValidator(_absent)]
Switch = Annotated[bool, BeforeValidator(lambda value: value if value not in (None, *_NOT_SET) else False)]


class Settings(BaseModel):
    """The parameters of a sync; see ``SyncMembersOperator`` for each. Text, as templates render it, is accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    mode: Mode = "mirror"
    removals: Literal["owned", "all"] = "owned"
    replace: Switch = False
    first_sync: Annotated[Literal["add", "replace"] | None, BeforeValidator(_absent)] = None
    max_removed_fraction: Share = MAX_REMOVED_FRACTION
    max_removals: OptionalCount = None
    max_added_fraction: Annotated[Fraction | None, BeforeValidator(_absent)] = 1.0
    max_members: OptionalCount = None
    max_invalid_fraction: Share = MAX_INVALID_FRACTION
    max_unmatched_fraction: Share = MAX_UNMATCHED_FRACTION
    max_duration: Annotated[Period | None, BeforeValidator(_absent)] = None
    allow_empty: Switch = False
    on_guard: Literal["fail", "skip_removals"] = "fail"
    approve: Annotated[PlanDigest | None, BeforeValidator(_absent)] = None
    plan_only: Switch = False
    max_invalid: OptionalCount = None
    max_unmatched: OptionalCount = None
    max_unconfirmed: OptionalCount = None
    max_refused: OptionalCount = 0
    retry_rejected_after: Period = timedelta(days=1)
    identity_max_age: Period = timedelta(days=7)
    baseline: Literal["auto", "live", "ledger"] = "auto"
    on_older: Literal["skip", "fail", "apply"] = "skip"
    takeover: Switch = False

    @model_validator(mode="after")
    def _check_replacement(self) -> Settings:
        if self.mode != "mirror" and (self.replace or self.first_sync == "replace"):
            raise ValueError('a replacement makes the members exactly those of the source: it needs `mode="mirror"`')
        if self.baseline == "ledger" and (self.removals == "all" or self.replace or self.first_sync == "replace"):
            raise ValueError('`baseline="ledger"` does not show all members, so not all can be removed')
        return self


def parse_settings(values: Mapping[str, Any]) -> Settings:
    """Check the parameters of a sync.

    :param values: by name, as values or as the text that templates rendered.
    :raises InvalidInput: with every problem.
    """
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        problems = [
            f"`{detail['loc'][0]}`: {detail['msg']}." if detail["loc"] else f"{detail['msg']}."
            for detail in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise InvalidInput("The sync", list(dict.fromkeys(problems))) from None
