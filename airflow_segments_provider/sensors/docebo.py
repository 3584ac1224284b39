"""Sensor for the members of a Docebo group: rules are evaluated, and background jobs are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_segments_provider import errors
from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.links import DoceboLink
from airflow_segments_provider.operators.base import SegmentsOperator, skip_planned
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.vendors.docebo.responses import GroupPopulation

__all__ = ["DoceboGroupPopulatedSensor"]

_OTHER_FIELDS = ("expected_user_ids", "docebo_conn_id")

# Docebo may take an hour to evaluate rules; the polls need the rest.
TIMEOUT = timedelta(minutes=75)


class DoceboGroupPopulatedSensor(SegmentsOperator, BaseSensorOperator):
    """Wait until a group has its members after an addition, a removal, or a change of rules.

    Docebo adds many users in a background job without an ID, and evaluates rules within an hour. Therefore the sensor
    polls the group until its rules are READY, its number of members is as expected, and consecutive polls find the same
    state. Then it reads the member list, which must contain all ``expected_user_ids``.

    A stable number does not prove that a background job is done: the job may not have started. After a background job,
    set at least one of the ``expected_…`` parameters or ``min_count``. Only where the job filled an empty group, the
    sensor waits for the first members without them.

    Returns ``group_id, members, users_missing, populated_at``. If the group is deleted meanwhile, the sensor fails at
    once with ``NotFound``.

    :param docebo_conn_id: the connection.
    :param max_wait: seconds between polls at most.
    :param exponential_backoff: whether each wait is longer than the one before.
    :param group: the result of the change (``create.output``), or of a sync (``sync.output``), which also sets
        ``min_count``; a manual group without a background job needs one poll. The wait for a sync that was only planned
        is skipped.
    :param group_id: in place of ``group``: the uuid, or the number of the former groups service.
    :param name: in place of both; one call more.
    :param expected_user_ids: users who must be members, as ``user_ids`` of the operators. The triggerer gets their
        number only. Checking them needs one call for each 200 members.
    :param identify_by: what these are: ``id``, ``email`` or ``username``.
    :param on_invalid: ``fail`` rejects all of these if one is invalid; ``skip`` leaves those out.
    :param max_invalid_fraction: with ``skip``, fail where a larger share of 100 or more is invalid; 0.2 by default. If
        all are invalid or unmatched, the sensor always fails.
    :param max_missing: how many of these may be missing; by default 0, or for addresses and usernames the number of
        unmatched users in ``group``.
    :param expected_count: the exact number of members.
    :param min_count: the least number of members.
    :param still_polls: consecutive polls that must find the same state.
    :param max_failures: consecutive polls that may fail temporarily: network, 5xx, 429, an unreadable response. In
        ``reschedule`` mode, which keeps no count, any number until the timeout.
    :param poke_interval: seconds between the first polls; each wait is longer than the one before, up to ``max_wait``.
    :param timeout: from the start of the first poll; a restart of the triggerer or another deferral does not restart
        it.
    :param deferrable: wait in the triggerer, without a worker slot; by default as ``[operators] default_deferrable``
        says. Otherwise ``mode`` is ``poke`` or ``reschedule``, as of any sensor; also then the last polls hold the
        slot, for ``still_polls`` times ``poke_interval``.
    """

    template_fields: Sequence[str] = (
        "group",
        "group_id",
        "name",
        "expected_user_ids",
        "identify_by",
        "on_invalid",
        "max_invalid_fraction",
        "max_missing",
        "expected_count",
        "min_count",
        "still_polls",
        "max_failures",
        "docebo_conn_id",
    )
    operator_extra_links = (DoceboLink(),)
    ui_color = "#e7f0fb"
    expected_user_ids = UserIdsField()

    def __init__(
        self,
        *,
        group: Any = None,
        group_id: str | int | None = None,
        name: str | None = None,
        expected_user_ids: UserSource | str = (),
        identify_by: str = "id",
        on_invalid: str = "fail",
        max_invalid_fraction: float | str | None = None,
        max_missing: int | str | None = None,
        expected_count: int | str | None = None,
        min_count: int | str | None = None,
        still_polls: int | str = 3,
        max_failures: int | str = 10,
        poke_interval: timedelta | float = 15,
        max_wait: timedelta | float = 300,
        exponential_backoff: bool = True,
        timeout: timedelta | float = TIMEOUT,
        docebo_conn_id: str = DoceboHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval,
            max_wait=max_wait,
            exponential_backoff=exponential_backoff,
            timeout=timeout,
            **kwargs,
        )
        self.group = group
        self.group_id = group_id
        self.name = name
        self.expected_user_ids = expected_user_ids
        self.identify_by = identify_by
        self.on_invalid = on_invalid
        self.max_invalid_fraction = max_invalid_fraction
        self.max_missing = max_missing
        self.expected_count = expected_count
        self.min_count = min_count
        self.still_polls = still_polls
        self.max_failures = max_failures
        self.docebo_conn_id = docebo_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> DoceboHook:
        """The hook of the rendered connection id."""
        return DoceboHook(self.docebo_conn_id)

    def execute(self, context: Context) -> Any:
        """Wait in the triggerer, or as ``mode`` says."""
        skip_planned(self.group)
        self.vendor_url = self.hook.ui_url
        DoceboLink().push(context, self.vendor_url)
        self._failures = 0
        self._uuid: str | None = None
        with self._reading():
            return super().execute(context)

    def on_kill(self) -> None:
        """End a wait in the worker."""
        if "hook" in self.__dict__:
            self.hook.stop()

    def poke(self, context: Context) -> bool | PokeReturnValue:  # noqa: ARG002
        """Poll once; defer a deferrable wait that is not over."""
        from airflow_segments_provider.triggers.base import PASSING, moment_after

        result = None
        try:
            result = self._look()
            self._failures = 0
        except PASSING as error:
            self._failures += 1
            if self._failures > self._wait.max_failures or (self.deferrable and self._uuid is None):
                raise
            self.log.warning("Poll failed, the %d. in a row: %s", self._failures, error)
        if result is None and self.deferrable and self._uuid is not None:
            # Airflow's sensors skip or fail, by their parameters, on errors that are raised here.
            self._defer(self._uuid, moment_after(self.timeout))
        return result is not None and PokeReturnValue(True, result)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """Check the expected users after the trigger has found the right number; if some are missing, wait again.

        :raises AirflowSensorTimeout: the group was not populated within ``timeout``.
        :raises SegmentsError: the error of the trigger; or its event is unknown.
        """
        from airflow_segments_provider.triggers.base import PASSING

        group_id, deadline, members = _read_event(event)
        with self._reading():
            self._polls = self._wait.still_polls
            try:
                missing = self._expected.missing(self.hook, group_id)
            except PASSING as error:
                if datetime.now(UTC) >= deadline:
                    raise
                self.log.warning("The members could not be read, the wait continues: %s", error)
            else:
                if missing <= self._wait.allowed_missing:
                    return self._result(group_id, members, missing)
                sentence = f"{missing:,} of the {self._expected.count:,} expected users are not among its members"
                if datetime.now(UTC) >= deadline:
                    raise _timed_out(group_id, sentence)
                self.log.info("The group is not populated: %s.", sentence)
            return self._defer(group_id, deadline, checked_count=members)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Read the parameters of the wait and the expected users."""
        from airflow_segments_provider.vendors.docebo.population import read_wait

        parameters = {field: getattr(self, field) for field in self.template_fields if field not in _OTHER_FIELDS}
        self._wait, self._expected = read_wait(parameters, self.expected_user_ids)
        with closing(self._expected):
            yield

    def _look(self) -> dict[str, Any] | None:
        """Return the task's result, or None where the group is not populated yet."""
        if self._uuid is None:
            group = self.hook.get_group(group=self.group, group_id=self.group_id, name=self.name)
            self._expected.check_known(self.hook)
            self.log.info("Waiting for group %r (%s) to be populated.", group.name, group.group_id)
            self._uuid, self._polls = group.group_id, self._wait.polls(group.type)
        members = self._settled(self._uuid)
        if members is None:
            return None
        missing = self._expected.missing(self.hook, self._uuid)
        if missing > self._wait.allowed_missing:
            self.log.info("The group is not populated: %s of the expected users are not members.", f"{missing:,}")
            return None
        return self._result(self._uuid, members, missing)

    def _settled(self, group_id: str) -> int | None:
        """Return the number of members if it is as expected and, unless the wait is deferrable, stable."""
        from airflow_segments_provider.triggers.docebo import lacking

        found: GroupPopulation | None = None
        for poll in range(self._polls):
            if poll and self.deferrable:
                return None
            if poll:
                self.hook.client.sleep(self.poke_interval)
            population = self.hook.get_population(group_id=group_id)
            unmet = lacking(population, expected_count=self._wait.expected_count, min_count=self._least)
            if unmet is None and found is not None and population != found:
                unmet = "its number of members changes"
            if unmet:
                self.log.info("The group is not populated: %s.", unmet)
                return None
            found = population
        return found.members if found else None

    def _result(self, group_id: str, members: int, missing: int) -> dict[str, Any]:
        self.log.info(
            "The group is populated: %s members; of %s expected users, %s are missing.",
            f"{members:,}",
            f"{self._expected.count:,}",
            f"{missing:,}",
        )
        return {
            "group_id": group_id,
            "members": members,
            "users_missing": missing,
            "populated_at": datetime.now(UTC).isoformat(),
        }

    @property
    def _least(self) -> int | None:
        return self._wait.least(self._expected.count)

    def _defer(self, group_id: str, deadline: datetime, *, checked_count: int | None = None) -> NoReturn:
        from airflow_segments_provider.triggers.docebo import DoceboGroupPopulatedTrigger

        slowest = self.max_wait.total_seconds() if self.max_wait else self.timeout
        self.log.info("Waiting in the triggerer, until %s at most.", deadline.isoformat(timespec="seconds"))
        self.defer(
            trigger=DoceboGroupPopulatedTrigger(
                docebo_conn_id=self.docebo_conn_id,
                group_id=group_id,
                deadline=deadline.isoformat(),
                poke_interval=self.poke_interval,
                max_wait=slowest if self.exponential_backoff else self.poke_interval,
                still_polls=self._polls,
                expected_count=self._wait.expected_count,
                min_count=self._least,
                checked_count=checked_count,
                max_failures=self._wait.max_failures,
            ),
            method_name="execute_complete",
        )


def _read_event(event: Any) -> tuple[str, datetime, int]:
    """Return group, deadline and number of members of an event ``populated``.

    :raises AirflowException: the event is a time-out, an error, or unknown.
    """
    match event:
        case {"status": "populated", "group_id": str(group_id), "deadline": str(deadline), "members": int(members)}:
            return group_id, datetime.fromisoformat(deadline), members
        case {"status": "timeout", "group_id": str(group_id), "lacking": str(sentence)}:
            raise _timed_out(group_id, sentence)
        case {"status": "failed", "error": str(name), "message": str(message)} if name in errors.__all__:
            raise getattr(errors, name)(message)
        case _:
            raise SegmentsError(
                "The trigger of this sensor sent an unknown event, so it is uncertain whether the group is populated. "
                "Run the task again."
            )


def _timed_out(group_id: str, sentence: str) -> AirflowSensorTimeout:
    return AirflowSensorTimeout(
        f"Docebo group {group_id} was not populated within the sensor's timeout: {sentence}. If that is "
        "right, correct the expected users or number; if Docebo is only late, raise `timeout`."
    )
