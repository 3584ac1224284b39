"""Sensor for a change of a segment in WalkMe's Editor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_segments_provider.errors import InvalidInput, NotFound
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.links import WalkMeSystemLink
from airflow_segments_provider.operators.base import SegmentsOperator, skip_planned

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["WalkMeSegmentPropagationSensor"]

# A trigger that fires a few seconds after the deferral races with the task's own end in Airflow.
SHORTEST_DEFERRAL = timedelta(seconds=10)


class WalkMeSegmentPropagationSensor(SegmentsOperator, BaseSensorOperator):
    """Wait until WalkMe's Editor shows a new or changed segment, up to 10 minutes after the change.

    The wait ends at a fixed time, ``changed_at + propagation_delay``: a retry, a clear or a restart of the triggerer
    does not restart it. No call is made during the wait; at its end one call lists the segments, and the segment must
    be among them. WalkMe's API does not show whether the Editor shows a segment: the delay is WalkMe's statement, see
    https://support.walkme.com/knowledge-base/segments-api/.

    Returns ``system_guid, segment_guid, external_id, name, visible_at``.

    :param external_id: in place of ``segment``.
    :param name: in place of ``segment``.
    :param system_guid: the WalkMe system; by default the connection's own.
    :param walkme_conn_id: the connection.
    :param segment: the result of a create, update or sync (``create.output``), which also has ``changed_at``. The wait
        for a sync that was only planned, or that has changed no members so far, is skipped.
    :param segment_guid: in place of ``segment``, as are ``external_id`` and ``name``.
    :param changed_at: when the segment was changed, with time zone; needed without ``segment``.
    :param propagation_delay: a ``timedelta``, a number of seconds, or an ISO 8601 duration.
    :param deferrable: wait in the triggerer, without a worker slot; by default as ``[operators] default_deferrable``
        says. A wait of under 10 seconds is not deferred.
    """

    template_fields: Sequence[str] = (
        "segment",
        "segment_guid",
        "external_id",
        "name",
        "changed_at",
        "propagation_delay",
        "system_guid",
        "walkme_conn_id",
    )
    operator_extra_links = (WalkMeSystemLink(),)
    ui_color = "#e8eefc"

    def __init__(
        self,
        *,
        segment: Any = None,
        segment_guid: str | None = None,
        external_id: str | None = None,
        name: str | None = None,
        changed_at: datetime | str | None = None,
        propagation_delay: timedelta | float | str = timedelta(minutes=10),
        system_guid: str | None = None,
        walkme_conn_id: str = WalkMeHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.segment = segment
        self.segment_guid = segment_guid
        self.external_id = external_id
        self.name = name
        self.changed_at = changed_at
        self.propagation_delay = propagation_delay
        self.system_guid = system_guid
        self.walkme_conn_id = walkme_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> WalkMeHook:
        """The hook of the rendered connection id."""
        return WalkMeHook(self.walkme_conn_id)

    def execute(self, context: Context) -> Any:
        """Wait in the triggerer, or as ``mode`` says."""
        skip_planned(self.segment)
        if self._is_unchanged:
            raise AirflowSkipException("The sync has changed no members so far, so there is nothing to wait for.")
        self.vendor_url = self.hook.ui_url
        WalkMeSystemLink().push(context, self.vendor_url)
        until, now = self.visible_at(), datetime.now(UTC)
        if now < until:
            self.log.info(
                "Waiting until %s, in %.0f s: WalkMe's Editor may not show the change before.",
                until.isoformat(timespec="seconds"),
                (until - now).total_seconds(),
            )
        if self.deferrable and until - now >= SHORTEST_DEFERRAL:
            from airflow.providers.standard.triggers.temporal import DateTimeTrigger

            from airflow_segments_provider.triggers.base import moment_after

            deadline = moment_after(self.timeout)
            self.defer(trigger=DateTimeTrigger(moment=min(until, deadline)), method_name="execute_complete")
        left = (until - now).total_seconds()
        if 0 < left <= min(SHORTEST_DEFERRAL.total_seconds(), self.timeout):
            self.hook.client.sleep(left)
        return super().execute(context)

    def on_kill(self) -> None:
        """End a wait in the worker."""
        if "hook" in self.__dict__:
            self.hook.stop()

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """Look for the segment after the trigger has fired.

        :raises AirflowSensorTimeout: it fired at the sensor's ``timeout``, before the end of the wait.
        """
        until = self.visible_at()
        # The triggerer's clock decides: this worker's may be a little behind.
        fired = event if isinstance(event, datetime) else datetime.now(UTC)
        if fired < until:
            raise AirflowSensorTimeout(
                f"The sensor's timeout of {self.timeout:g} s passed before {until.isoformat(timespec='seconds')}, when "
                "WalkMe's Editor may be expected to show the segment. Raise `timeout` above the propagation delay."
            )
        return self.proof(until)

    def poke(self, context: Context) -> bool | PokeReturnValue:  # noqa: ARG002
        """Return whether the wait is over and the segment exists; no call before that time."""
        until = self.visible_at()
        return datetime.now(UTC) >= until and PokeReturnValue(True, self.proof(until))

    def visible_at(self) -> datetime:
        """Return the time from which WalkMe's Editor shows the change.

        :raises InvalidInput: with every problem of the sensor's parameters.
        """
        from airflow_segments_provider.vendors.base.parameters import validated
        from airflow_segments_provider.vendors.walkme.parameters import Propagation

        problems: list[str] = []
        parameters = {**self._key, "changed_at": self.changed_at, "propagation_delay": self.propagation_delay}
        wait = validated(Propagation, parameters, problems)
        if wait is None:
            raise InvalidInput("The wait for a WalkMe segment", problems)
        try:
            return wait.changed_at + wait.propagation_delay
        except OverflowError:
            problem = "`changed_at` and `propagation_delay` lead beyond the year 9999."
            raise InvalidInput("The wait for a WalkMe segment", [problem]) from None

    def proof(self, until: datetime) -> dict[str, Any]:
        """Return the segment as WalkMe lists it.

        :raises NotFound: WalkMe does not list it (any more).
        """
        found = self.hook.find_segment(**self._key)
        if found is None:
            raise NotFound(
                "WalkMe does not list the segment of this wait: it was deleted since, or it was created with another "
                f"connection than {self.walkme_conn_id!r} or in another system.",
                vendor="WalkMe",
            )
        self.log.info("WalkMe lists segment %r (%s).", found.name, found.segment_guid)
        return {**found.model_dump(mode="json"), "visible_at": until.isoformat()}

    @property
    def _is_unchanged(self) -> bool:
        """Return whether no run of the sync has changed members yet."""
        from airflow_segments_provider.vendors.base.template_text import from_text

        result = {} if self.changed_at else from_text(self.segment)
        return isinstance(result, Mapping) and result.get("outcome") == "unchanged" and not result.get("changed_at")

    @property
    def _key(self) -> dict[str, Any]:
        return {
            "segment": self.segment,
            "segment_guid": self.segment_guid,
            "external_id": self.external_id,
            "name": self.name,
            "system_guid": self.system_guid,
        }
