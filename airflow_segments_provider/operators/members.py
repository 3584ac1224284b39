"""Keep the members of a segment in sync with a source."""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_segments_provider.errors import SyncIncomplete
from airflow_segments_provider.links import WalkMeSystemLink
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.targets.walkme import WalkMeSegment

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.members.apply import Progress
    from airflow_segments_provider.members.ledger.ledger import Ledger
    from airflow_segments_provider.members.plan import Plan
    from airflow_segments_provider.members.sync import Synced
    from airflow_segments_provider.members.target import SegmentKey

__all__ = ["SyncMembersOperator"]

# Seconds between two lines of progress in the log.
PROGRESS_EVERY = 5.0


class TargetField:
    """The attribute that holds the target: a copy each time, because Airflow renders its fields in place."""

    def __get__(self, instance: Any, owner: type) -> Any:
        """The target as it was given."""
        return self if instance is None else copy.copy(instance.__dict__["_target"])

    def __set__(self, instance: Any, value: Any) -> None:
        """Keep it."""
        instance.__dict__["_target"] = value


class SyncMembersOperator(BaseOperator):
    """Make the members of a segment follow a source: send only the difference, and refuse a dangerous one.

    The ledger (``[segments] ledger_path``) remembers whom it put into the segment; others who are in it stay, unless
    ``removals="all"``. A run that dies at any moment is finished by the next. The same source again sends nothing.

    Returns ``outcome`` (``changed``, ``unchanged``, ``planned``), ``counts`` (``wanted``, ``baseline``, ``add``,
    ``again``, ``remove``, ``applied``, ``rejected``, ``waiting``, ``duplicates``, ``invalid``…), ``rejected`` and
    ``invalid`` by reason, ``digest``, ``requests``, ``changed_at``, and the segment's ``vendor``, ``system``,
    ``segment``. The XCom ``plan`` has the counts and the digest also where the plan was refused.

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
    :param plan_only: send nothing, return the plan.
    :param first_sync: for a WalkMe segment that was there before: ``add`` leaves its members in it, ``override``
        removes them.
    :param max_invalid: fail, after the others were sent, when more rows were invalid; None for no limit.
    :param max_refused: fail, after the others were sent, when the vendor refused more people; None for no limit.
    :param retry_rejected_after: how long somebody whom the vendor refused is left alone; a timedelta, or seconds.
    :param allow_older: let this run's data interval be before the one that was committed last.
    :param takeover: go on with a segment that another task kept so far.
    :param ledger_path: in place of ``[segments] ledger_path``.
    :param memory_limit: beyond which DuckDB writes to disk.
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
        memory_limit: str = "512MB",
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

    def execute(self, context: Context) -> dict[str, Any]:
        """Carry out one run; see the parameters."""
        from airflow_segments_provider.members.given import GivenSync, given_sync
        from airflow_segments_provider.members.sync import Sync
        from airflow_segments_provider.members.workspace import Workspace
        from airflow_segments_provider.targets.given import target_of

        given = given_sync({name: getattr(self, name) for name in GivenSync.model_fields})
        self._reached = target_of(self.target).open()
        self.vendor_url = self._reached.hook.admin_url
        WalkMeSystemLink().push(context, self.vendor_url)
        settings = given.settings(data_until=_interval_end(context), witness=_witness(context))
        with Workspace(self.memory_limit) as workspace:
            synced = Sync(
                self._reached,
                self.source,
                lambda key: self._ledger(context, key),
                workspace,
                settings,
                tell=self._progress(),
                show=lambda plan: self._show(context, plan),
            ).run()
        result = self._result(context, synced)
        _check_complete(synced, max_invalid=given.max_invalid, max_refused=given.max_refused)
        return result

    def on_kill(self) -> None:
        """Finish the request under way and begin no further one."""
        if (reached := self.__dict__.get("_reached")) is not None:
            reached.hook.stop()

    def _ledger(self, context: Context, key: SegmentKey) -> Ledger:
        from airflow_segments_provider.members.ledger.ledger import Ledger
        from airflow_segments_provider.members.ledger.manifest import Writer
        from airflow_segments_provider.members.ledger.places import ledger_path, open_store

        ti = context["ti"]
        writer = Writer(
            token=uuid.uuid4().hex,
            owner=f"{ti.dag_id}.{ti.task_id}",
            run=f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}",
            try_number=ti.try_number,
        )
        store = open_store(self.ledger_path or ledger_path(), key.folder)
        return Ledger(store, key.folder, writer, self._reached.limits.request_timeout)

    def _show(self, context: Context, plan: Plan) -> None:
        """Say what the plan is, before anything is decided about it."""
        from airflow_segments_provider.members.plan_text import markdown

        self.log.info("Plan for %s:\n%s", plan.key, markdown(plan))
        context["ti"].xcom_push(key="plan", value={"counts": plan.counts, "digest": plan.digest})

    def _progress(self) -> Callable[[Progress], None]:
        began = said = time.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal said
            now = time.monotonic()
            if progress.done < progress.total and now - said < PROGRESS_EVERY:
                return
            said, rate = now, progress.done / max(now - began, 0.001)
            left = (progress.total - progress.done) / rate if rate else 0.0
            self.log.info(
                "%s of %s people sent, %s a second, about %d s left.",
                f"{progress.done:,}",
                f"{progress.total:,}",
                f"{rate:,.0f}",
                left,
            )

        return tell

    def _result(self, context: Context, synced: Synced) -> dict[str, Any]:
        """Say what came of it, keep the witness, and return the task's result."""
        plan, counts = synced.plan, synced.counts
        if synced.outcome == "planned":
            said = "; it would be refused: " + "; ".join(synced.breaches) if synced.breaches else ""
            self.log.info("Only planned, nothing was sent%s.", said)
        else:
            self.log.info(
                "%s is in sync: %s people wanted, %s changes applied, %s refused.",
                plan.key,
                f"{counts['wanted']:,}",
                f"{counts['applied']:,}",
                f"{counts['rejected']:,}",
            )
        for reason, count in {**plan.invalid, **synced.rejected}.items():
            self.log.warning("People left out, %s: %s.", reason, f"{count:,}")
        if synced.witness:
            witness = {"folder": plan.key.folder, "generation": synced.witness[0], "digest": synced.witness[1]}
            context["ti"].xcom_push(key="ledger", value=witness)
        return {
            "vendor": plan.key.vendor,
            "system": plan.key.system,
            "segment": plan.key.segment,
            "outcome": synced.outcome,
            "counts": counts,
            "rejected": synced.rejected,
            "invalid": plan.invalid,
            "digest": plan.digest,
            "breaches": list(synced.breaches),
            "changed_at": datetime.now(UTC).isoformat(),
        }


def _interval_end(context: Context) -> int | None:
    """The end of the data interval; a run that was started by hand has none on newer versions."""
    end = context.get("data_interval_end")
    return int(end.timestamp() * 1000) if end else None


def _witness(context: Context) -> tuple[int, str] | None:
    """What the newest earlier run of this task said of the ledger; it is kept where the ledger is not."""
    ti = context["ti"]
    found = ti.xcom_pull(
        task_ids=ti.task_id, key="ledger", include_prior_dates=True, map_indexes=ti.map_index, default=None
    )
    found = found[0] if isinstance(found, (list, tuple)) and found else found
    if not isinstance(found, Mapping):
        return None
    return int(found["generation"]), str(found["digest"])


def _check_complete(synced: Synced, *, max_invalid: int | None, max_refused: int | None) -> None:
    invalid, refused = synced.counts["invalid"], synced.counts.get("rejected", 0) + synced.counts["waiting"]
    problems = []
    if max_invalid is not None and invalid > max_invalid:
        problems.append(f"{invalid:,} rows of the source are invalid, the limit is {max_invalid:,} (`max_invalid`)")
    if max_refused is not None and refused > max_refused:
        problems.append(f"{refused:,} people were refused by the vendor, the limit is {max_refused:,} (`max_refused`)")
    if problems:
        raise SyncIncomplete(
            f"{synced.plan.key} is in sync but for some: {'; '.join(problems)}. The others were sent, and that is "
            "written down. Correct the source, or raise the limit."
        )
