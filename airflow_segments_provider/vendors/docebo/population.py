"""The parameters of a wait for a Docebo group, and the expected users, in a temporary file."""

from __future__ import annotations

import csv
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.id_storage import IdSet
from airflow_segments_provider.sources.ids import MAX_DIGITS
from airflow_segments_provider.sources.values import UserSource, chunks
from airflow_segments_provider.vendors.base.lookup import FEW, user_key
from airflow_segments_provider.vendors.base.parameters import (
    UsersParameters,
    is_absent,
    limit_problems,
    validated,
    with_result,
)
from airflow_segments_provider.vendors.docebo.parameters import MAX_ID_LENGTH, Column, GroupKey, IdentifyBy
from airflow_segments_provider.vendors.docebo.users import DoceboLookUp

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.docebo import DoceboHook


SUBJECT = "The wait for a Docebo group"
PER_LOOK_UP = 1_000

# The fields of the result of a change that say what to wait for.
_RESULT_FIELDS = ("outcome", "background_job", "users_unmatched")
# The same of a sync; its members are the least number to wait for.
_SYNC_FIELDS = ("unmatched", "members")


class GroupWait(GroupKey, UsersParameters):
    """The parameters of the sensor, which documents them."""

    identify_by: IdentifyBy = "id"
    max_missing: int | None = Field(None, ge=0)
    expected_count: int | None = Field(None, ge=0)
    min_count: int | None = Field(None, ge=0)
    still_polls: int = Field(3, ge=1, le=100)
    max_failures: int = Field(10, ge=0, le=1000)

    outcome: str | None = None
    background_job: bool | None = None
    users_unmatched: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _take_result(cls, values: dict[str, Any]) -> dict[str, Any]:
        found = with_result({"group": values.get("group")}, "group", (*_RESULT_FIELDS, *_SYNC_FIELDS))
        unmatched, members = (found.pop(name, None) for name in _SYNC_FIELDS)
        if unmatched is not None:
            found["users_unmatched"] = unmatched
        if members and is_absent(values.get("min_count")):
            values = {**values, "min_count": members}
        return found | values

    @property
    def allowed_missing(self) -> int:
        """How many of the expected users may be missing, among them those that the change did not find."""
        if self.max_missing is not None:
            return self.max_missing
        return 0 if self.identify_by == "id" else sum(self.users_unmatched.values())

    @property
    def has_end(self) -> bool:
        """Whether the member count can show that a background job is done; a constant count may be from before it."""
        counted = self.expected_count is not None or bool(self.min_count)
        return counted or not self.background_job or self.outcome == "created"

    def polls(self, group_type: str | None) -> int:
        """Return how many polls in a row must have the same count; one if the change ended with its task."""
        return 1 if group_type == "manual" and self.background_job is False else self.still_polls

    def least(self, user_ids: int) -> int | None:
        """Return the least number of members of the populated group, or None if it is not known.

        :param user_ids: the number of expected users.
        """
        filled_first = self.background_job and self.outcome == "created" and self.expected_count is None
        return max(self.min_count or 0, user_ids - self.allowed_missing, 1 if filled_first else 0) or None


class ExpectedUsers:
    """The users who must be members, in a temporary file.

    :param by: the kind of their IDs.
    """

    def __init__(self, by: IdentifyBy) -> None:
        self._by = by
        self._users = IdSet()
        self.count = 0

    def close(self) -> None:
        """Delete the file."""
        self._users.close()

    def fill(self, user_ids: UserSource, wait: GroupWait | None) -> list[str]:
        """Store the users; return the problems, in sentences without user IDs.

        :param wait: the other parameters, or None if they are invalid.
        """
        numbered = self._by == "id"
        max_length = MAX_DIGITS if numbered else MAX_ID_LENGTH
        with StagedUserIds(max_length=max_length, per_request=1000, whole_numbers=numbered) as staged:
            try:
                problems = staged.fill(user_ids)
            except InvalidInput as error:  # from a source or a template; some users may be staged already
                return [f"`expected_user_ids`: {problem}" for problem in error.problems]
            for batch in staged.batches():
                self._users.update(map(user_key, batch.ids()))
            self.count = len(self._users)
            if wait is None or wait.on_invalid == "fail":
                return problems
            return limit_problems(wait, staged)

    def check_known(self, hook: DoceboHook) -> None:
        """Check that Docebo has one of the users; if it has the first, this takes one call.

        :raises InvalidInput: it has none of them.
        """
        ids, api = iter(self._users), hook.api()
        for most in (1, FEW, self.count):
            some = min(most, self.count)
            with DoceboLookUp(api, self._by, some) as look_up:
                for values in chunks(islice(ids, some), PER_LOOK_UP):
                    if look_up(values):
                        return
        if self.count:
            problem = (
                f"Docebo has no user for any of the {self.count:,} `expected_user_ids`, so they cannot become members. "
                "Check `identify_by` and the source."
            )
            raise InvalidInput(SUBJECT, [problem])

    def missing(self, hook: DoceboHook, group_id: str) -> int:
        """Return how many users are not members; from an export in one call, for IDs from the list of members."""
        if not self.count:
            return 0
        if self._by == "id":
            return self._users.missing_from(member.user_id for member in hook.get_members(group_id=group_id))
        column: Column = "userid" if self._by == "username" else "email"
        with tempfile.TemporaryDirectory(prefix="segments-") as folder:
            path = Path(folder, "members.csv")
            hook.export_users(str(path), columns=(column,), include_header=False, group_id=group_id)
            with path.open(newline="", encoding="utf-8") as rows:
                return self._users.missing_from(user_key(row[0]) for row in csv.reader(rows) if row)


def read_wait(values: dict[str, Any], user_ids: UserSource) -> tuple[GroupWait, ExpectedUsers]:
    """Check the parameters of a wait and its expected users, and return both.

    :raises InvalidInput: with every problem found.
    """
    problems: list[str] = []
    wait = validated(GroupWait, values, problems)
    expected = ExpectedUsers(wait.identify_by if wait else "username")
    problems += expected.fill(user_ids, wait)
    if wait and not (wait.has_end or expected.count):
        problems.append(
            "Docebo makes the change in a background job without a status, and the resulting members are not known: "
            "set `expected_user_ids`, `expected_count` or `min_count`."
        )
    if wait is None or problems:
        expected.close()
        raise InvalidInput(SUBJECT, problems)
    return wait, expected
