"""Keep the members of a segment in sync with a source."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_segments_provider.assets import declare, record_change, segment_asset
from airflow_segments_provider.errors import LedgerBusy
from airflow_segments_provider.links import WalkMeSystemLink
from airflow_segments_provider.operators import sync_context, sync_result
from airflow_segments_provider.operators.user_ids import ConcealingPartial, UserIdsField, conceal_argument
from airflow_segments_provider.targets.walkme import WalkMeSegment

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.members.plan import Plan

__all__ = ["SyncMembersOperator"]


class TargetField:
    """The attribute that holds the target: where it has fields, a copy each time, because Airflow renders in place."""

    def __get__(self, instance: Any, owner: type) -> Any:
        """The target as it was given."""
        if instance is None:
            return self
        target = instance.__dict__["_target"]
        # Others as they are: Airflow knows by its identity what a mapped task was given, which is no template.
        return copy.copy(target) if hasattr(target, "template_fields") else target

    def __set__(self, instance: Any, value: Any) -> None:
        """Keep it."""
        instance.__dict__["_target"] = value


class SyncMembersOperator(BaseOperator):
    """Make the members of a segment follow a source: send only the difference, and refuse a dangerous one.

    The ledger (``[segments] ledger_path``) remembers whom it put into the segment; others who are in it stay, unless
    ``removals="all"``. A run that dies at any moment is finished by the next. The same source again sends nothing.

    Returns ``outcome`` (``changed``, ``unchanged``, ``planned``), ``counts`` (``wanted``, ``baseline``, ``add``,
    ``again``, ``remove``, ``applied``, ``rejected``, ``waiting``, ``duplicates``, ``invalid``…), ``rejected`` and
    ``invalid`` by reason, ``digest``, ``changed_at`` and ``changed_in`` (the last change, maybe an earlier run's: when,
    and in which generation of the ledger), ``report`` (where the plan and the rows that were left out are written
    down), and the segment's ``vendor``, ``system``, ``segment``; at WalkMe also ``system_guid`` and ``segment_guid``,
    so that the propagation sensor takes the result. The XCom ``plan`` has the counts and the digest also where the plan
    was refused. After a change, Airflow gets an event of the segment's asset; see
    :mod:`airflow_segments_provider.assets`.

    :param target: the segment: a :class:`~airflow_segments_provider.targets.walkme.WalkMeSegment`, a dict of its
        arguments and ``vendor``, or an address such as ``walkme:///Trial%20users?create=true``.
    :param source: who is wanted: a list, an upstream result, a template that renders to a list, any iterable, or a
        source such as ``SqlMembers``. Airflow's UI and database show their number.
    :param mode: ``mirror``: the members follow the source. ``add`` and ``remove``: put in, or take out, whom it names.
    :param removals: ``owned``: remove only whom the ledger vouches for; ``all``: everybody who is not wanted.
    :param max_removed_fraction: refuse to remove more than this of 100 members or more.
    :param max_removals: refuse to remove more people than this.
    :param max_added_fraction: refuse to add more than this of 1,000 members or more; None for no limit.
    :param max_members: refuse more wanted people than this.
    :param max_duration: refuse what would take longer at the connection's ``rate_limit``; a timedelta, or seconds.
    :param allow_empty: let a source without anybody empty the segment.
    :param on_guard: ``fail``, or ``skip_removals``: add only, where a limit is passed.
    :param approve: the digest of a plan that was refused: apply exactly that one.
    :param plan_only: send nothing, return the plan. ``[segments] plan_only`` does so for all syncs of a deployment.
    :param first_sync: for a WalkMe segment that was there before: ``add`` leaves its members in it, ``override``
        removes them.
    :param max_invalid: fail, after the others were sent, when more rows were invalid; None for no limit.
    :param max_refused: fail, after the others were sent, when the vendor refused more people; None for no limit.
    :param retry_rejected_after: how long somebody whom the vendor refused is left alone; a timedelta, or seconds.
    :param allow_older: let this run's data interval be before the one that was committed last.
    :param takeover: go on with a segment that another task kept so far.
    :param ledger_path: in place of ``[segments] ledger_path``.
    :param memory_limit: beyond which DuckDB writes to disk.
    :param deferrable: where another run holds the segment's ledger, or died holding it: wait for it in the triggerer,
        at most until its lease ends. Otherwise the task fails, and a later try finds the ledger free.
    """

    template_fields: Sequence[str] = (
        "target",
        "source",
        "mode",
        "removals",
        "max_removed_fraction",
        "max_removals",
        "max_added_fraction",
        "max_members",
        "max_duration",
        "allow_empty",
        "on_guard",
        "approve",
        "plan_only",
        "first_sync",
        "max_invalid",
        "max_refused",
        "retry_rejected_after",
        "allow_older",
        "takeover",
        "ledger_path",
    )
    template_ext: Sequence[str] = (".sql",)
    operator_extra_links = (WalkMeSystemLink(),)
    ui_color = "#e8eefc"
    target = TargetField()
    source = UserIdsField()

    def __init__(
        self,
        *,
        target: WalkMeSegment | Mapping[str, Any] | str,
        source: Iterable[object] | str,
        mode: str = "mirror",
        removals: str = "owned",
        max_removed_fraction: float | str = 0.2,
        max_removals: int | str | None = None,
        max_added_fraction: float | str | None = 1.0,
        max_members: int | str | None = None,
        max_duration: timedelta | float | str | None = None,
        allow_empty: bool | str = False,
        on_guard: str = "fail",
        approve: str | None = None,
        plan_only: bool | str = False,
        first_sync: str | None = None,
        max_invalid: int | str | None = None,
        max_refused: int | str | None = 0,
        retry_rejected_after: timedelta | float | str = timedelta(days=1),
        allow_older: bool | str = False,
        takeover: bool | str = False,
        ledger_path: str | None = None,
        memory_limit: str = "440MB",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.source = source
        self.mode = mode
        self.removals = removals
        self.max_removed_fraction = max_removed_fraction
        self.max_removals = max_removals
        self.max_added_fraction = max_added_fraction
        self.max_members = max_members
        self.max_duration = max_duration
        self.allow_empty = allow_empty
        self.on_guard = on_guard
        self.approve = approve
        self.plan_only = plan_only
        self.first_sync = first_sync
        self.max_invalid = max_invalid
        self.max_refused = max_refused
        self.retry_rejected_after = retry_rejected_after
        self.allow_older = allow_older
        self.takeover = takeover
        self.ledger_path = ledger_path
        self.memory_limit = memory_limit
        self.deferrable = deferrable
        declare(self)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Begin a mapped task; see Airflow's documentation."""
        return ConcealingPartial(super().partial(**conceal_argument(kwargs, "source")), "source")

    def execute(self, context: Context) -> dict[str, Any]:
        """Carry out one run; see the parameters.

        :raises TaskDeferred: another run holds the ledger, and ``deferrable`` lets this one wait for it.
        """
        try:
            return self._sync(context)
        except LedgerBusy as busy:
            if not self.deferrable or not busy.until:
                raise
            self._wait(busy.until)

    def execute_again(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002  # Airflow hands it over
        """Begin anew, after the time at which another run's hold ended."""
        return self.execute(context)

    def on_kill(self) -> None:
        """Finish the request under way and begin no further one."""
        if (reached := self.__dict__.get("_reached")) is not None:
            reached.hook.stop()

    def _sync(self, context: Context) -> dict[str, Any]:
        from airflow_segments_provider.members.given import GivenSync, given_sync
        from airflow_segments_provider.members.ledger import places
        from airflow_segments_provider.members.sync import Sync
        from airflow_segments_provider.members.workspace import Workspace
        from airflow_segments_provider.targets.given import target_of

        timing = places.timing()
        given = given_sync({name: getattr(self, name) for name in GivenSync.model_fields})
        self._reached = reached = target_of(self.target).open()
        self.vendor_url = reached.hook.admin_url
        WalkMeSystemLink().push(context, self.vendor_url)
        settings = given.settings(data_until=sync_context.as_of(context), plan_only=sync_context.previews_only())
        if not settings.plan_only:
            # Before the ledger: the next run would take an intent for requests of unknown outcome.
            reached.hook.client.check_writable(f"The sync of {reached.spec}")
        with Workspace(self.memory_limit) as workspace:
            synced = Sync(
                reached,
                self.source,
                lambda key: sync_context.ledger_of(context, reached, key, self.ledger_path, timing),
                workspace,
                settings,
                tell=sync_result.progress_log(self.log),
                show=lambda plan: self._show(context, plan),
            ).run()
        sync_result.log_result(self.log, synced)
        sync_context.keep_witness(context, synced)
        sync_result.check_complete(synced, max_invalid=given.max_invalid, max_refused=given.max_refused)
        result = {**sync_result.result(synced), **reached.names}
        if sync_context.is_news(context, result):
            key = synced.plan.key
            told = {name: result[name] for name in ("outcome", "counts", "digest", "changed_at")}
            record_change(self, context, segment_asset(key.vendor, key.base_url, key.system, key.segment), **told)
        return result

    def _show(self, context: Context, plan: Plan) -> None:
        """Say what the plan is, before anything is decided about it."""
        from airflow_segments_provider.members.plan_text import markdown

        self.log.info("Plan for %s:\n%s", plan.key, markdown(plan))
        context["ti"].xcom_push(key="plan", value={"counts": plan.counts, "digest": plan.digest})

    def _wait(self, until: int) -> NoReturn:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from airflow_segments_provider.triggers.polling import SHORTEST_DEFERRAL

        # Airflow loses track of a task whose wait ends as soon as it has begun.
        earliest = datetime.now(UTC) + timedelta(seconds=SHORTEST_DEFERRAL)
        moment = max(datetime.fromtimestamp(until / 1000, UTC), earliest)
        self.log.info("Another run holds this segment's ledger; waiting until %s.", moment.isoformat("T", "seconds"))
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute_again")
