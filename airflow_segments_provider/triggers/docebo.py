"""Trigger that polls a Docebo group until it is populated."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.triggers.base import PASSING, SHORTEST_DEFERRAL, connection_of, in_thread, one_try

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.vendors.docebo.responses import GroupPopulation

__all__ = ["DoceboGroupPopulatedTrigger"]


def lacking(population: GroupPopulation, *, expected_count: int | None, min_count: int | None) -> str | None:
    """Return why the group is not populated, as the end of a sentence; None if it is."""
    status, members = population.ruleset_status, population.members
    if status is not None and status.upper() != "READY":
        return f"its rules are being evaluated (status {status})"
    if expected_count is not None and members != expected_count:
        return f"it has {members:,} members, not {expected_count:,}"
    if min_count is not None and members < min_count:
        return f"it has {members:,} members, not yet {min_count:,}"
    return None


class DoceboGroupPopulatedTrigger(BaseTrigger):
    """A trigger that polls a group until its rules are evaluated and its number of members is as expected and stable.

    Its one event is a small dict: ``status`` is ``populated``, ``timeout`` or ``failed``; ``group_id`` and ``deadline``
    are those of the trigger; ``members`` is the latest number; ``lacking`` is the reason of a time-out; ``error`` and
    ``message`` describe a failure. The trigger has no user IDs: the sensor checks the expected users.

    :param docebo_conn_id: the connection.
    :param group_id: the group's uuid.
    :param deadline: when to give up, ISO 8601 with time zone; a restart of the triggerer does not extend it.
    :param poke_interval: seconds before the first poll, 10 at least; each further wait is twice as long, up to
        ``max_wait``. An expected state is polled again after ``poke_interval``, to see whether it is stable.
    :param still_polls: consecutive polls that must find the same state.
    :param expected_count: the exact number of members.
    :param min_count: the least number of members.
    :param checked_count: a number of members at which the sensor found users missing: with the same number again, the
        trigger fires only after its interval has grown to ``max_wait``.
    :param max_failures: consecutive polls that may fail temporarily.
    """

    def __init__(
        self,
        *,
        docebo_conn_id: str,
        group_id: str,
        deadline: str,
        poke_interval: float = 15.0,
        max_wait: float = 300.0,
        still_polls: int = 3,
        expected_count: int | None = None,
        min_count: int | None = None,
        checked_count: int | None = None,
        max_failures: int = 10,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.docebo_conn_id = docebo_conn_id
        self.group_id = group_id
        self.deadline = deadline
        self.poke_interval = poke_interval
        self.max_wait = max_wait
        self.still_polls = still_polls
        self.expected_count = expected_count
        self.min_count = min_count
        self.checked_count = checked_count
        self.max_failures = max_failures
        self._hook: DoceboHook | None = None
        self._last: GroupPopulation | None = None
        self._still, self._met, self._soon = 0, False, False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to continue the wait."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "docebo_conn_id": self.docebo_conn_id,
            "group_id": self.group_id,
            "deadline": self.deadline,
            "poke_interval": self.poke_interval,
            "max_wait": self.max_wait,
            "still_polls": self.still_polls,
            "expected_count": self.expected_count,
            "min_count": self.min_count,
            "checked_count": self.checked_count,
            "max_failures": self.max_failures,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the one event."""
        try:
            event = await self._watch()
        except SegmentsError as error:
            event = self._event("failed", error=type(error).__name__, message=str(error))
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def cleanup(self) -> None:
        """End a poll in its thread early."""
        if self._hook is not None:
            self._hook.stop()

    async def _watch(self) -> dict[str, Any]:
        self._hook = await in_thread(self._hook_on)(await connection_of(self.docebo_conn_id))
        deadline = datetime.fromisoformat(self.deadline)
        wait, failures, last = max(self.poke_interval, SHORTEST_DEFERRAL), 0, False
        while not last:
            left = (deadline - datetime.now(UTC)).total_seconds()
            last = left <= wait  # the poll at the deadline, or the only one where the triggerer starts after it
            await sleep(max(0.0, min(wait, left)))
            try:
                population = await in_thread(self._hook.get_population)(group_id=self.group_id)
            except PASSING as error:
                failures += 1
                if failures > self.max_failures:
                    raise
                wait = max(min(2 * wait, self.max_wait), error.retry_after or 0.0)
                self.log.warning("Poll failed, the %d. in a row: %s Next in %.0f s.", failures, error, wait)
            else:
                failures = 0
                if self._is_populated(population, wait):
                    return self._event("populated")
                wait = self.poke_interval if self._soon else min(2 * wait, self.max_wait)
        unstable = "its number of members did not hold still" if self._met else "some of the expected users are missing"
        return self._event("timeout", lacking=self._lacking() or unstable)

    def _is_populated(self, population: GroupPopulation, wait: float) -> bool:
        """Return whether the group is populated; if not, note whether the next poll should be soon."""
        self._still = self._still + 1 if population == self._last else 1
        self._last, met_before = population, self._met
        unmet = self._lacking()
        self._met = unmet is None and population.members != self.checked_count
        state = f"it has {population.members:,} members, the same in {self._still} of {self.still_polls} polls"
        self.log.info("Docebo group %s: %s.", self.group_id, unmet or state)
        # Poll an expected state again soon, but not repeatedly where it keeps changing.
        self._soon = self._met and self._still < self.still_polls and (self._still > 1 or not met_before)
        return unmet is None and self._still >= self.still_polls and (self._met or wait >= self.max_wait)

    def _hook_on(self, connection: Connection) -> DoceboHook:
        hook = DoceboHook(self.docebo_conn_id, retry=one_try())
        hook.connection = connection
        return hook

    def _lacking(self) -> str | None:
        if self._last is None:
            return "no poll got a response"
        return lacking(self._last, expected_count=self.expected_count, min_count=self.min_count)

    def _event(self, status: str, **more: str) -> dict[str, Any]:
        members = None if self._last is None else self._last.members
        return {"status": status, "group_id": self.group_id, "deadline": self.deadline, "members": members, **more}
