"""The operator that keeps the members of a segment equal to a source."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from airflow.providers.common.compat.sdk import AirflowSkipException, conf

from airflow_segments_provider.assets import declare, record_change, segment_asset
from airflow_segments_provider.errors import InvalidInput, LedgerBusy, PlanRefused, RunSuperseded, SyncIncomplete
from airflow_segments_provider.links import PlanLink, SegmentLink
from airflow_segments_provider.operators.base import SegmentsOperator
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.operators.user_list import UserListFile
from airflow_segments_provider.progress import ProgressLog
from airflow_segments_provider.sources.values import UserSource, read_values
from airflow_segments_provider.sync.ledger.timing import now_ms
from airflow_segments_provider.targets.base import Segment

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.sync.apply import Progress
    from airflow_segments_provider.sync.engine import Synced
    from airflow_segments_provider.sync.ledger.ledger import Ledger
    from airflow_segments_provider.sync.ledger.timing import Timing
    from airflow_segments_provider.sync.plan import Plan
    from airflow_segments_provider.sync.settings import Settings
    from airflow_segments_provider.sync.target import SegmentKey, Target

__all__ = ["SyncMembersOperator"]


# The types of the runs that a timetable creates, as Airflow 2.11 and 3 name them.
_AUTOMATED = ("scheduled", "backfill")
# What Airflow's default pattern for run IDs permits.
_PLAIN = "~:+"


def previews_only() -> bool:
    """Return whether ``[segments] plan_only`` makes every sync of this deployment a preview."""
    return bool(conf.getboolean("segments", "plan_only", fallback=False))


def ledger_of(context: Context, target: Target, key: SegmentKey, path: str | None, timing: Timing) -> Ledger:
    """Return the ledger of a segment, written by this task instance.

    :param path: in place of ``[segments] ledger_path``.
    """
    from airflow_segments_provider.operators.witness_variable import LedgerVariable
    from airflow_segments_provider.sync.ledger.ledger import Ledger
    from airflow_segments_provider.sync.ledger.location import ledger_path, open_store
    from airflow_segments_provider.sync.ledger.manifest import Writer

    ti = context["ti"]
    writer = Writer(
        token=uuid.uuid4().hex,
        owner=f"{ti.dag_id}.{ti.task_id}",
        run=f"{ti.dag_id}/{quote(ti.run_id, safe=_PLAIN)}/{ti.task_id}/{ti.map_index}",
        try_number=ti.try_number,
    )
    return Ledger(
        open_store(path or ledger_path(), key.folder),
        key.folder,
        writer,
        target.limits.request_timeout,
        timing,
        witness=LedgerVariable(key.folder),
        name=key.name,
        connection=key.connection,
    )


def approver(context: Context) -> str:
    """Return who approves a plan by the argument ``approve``, as far as Airflow records it."""
    user = getattr(context.get("dag_run"), "triggering_user_name", None)
    return f"{user}, who triggered the run, by `approve`" if user else "`approve`"


def as_of(context: Context) -> int | None:
    """Return the time that the data of a run represents, in milliseconds since 1970, and never later than now.

    It orders the runs of one segment, in whatever order they are executed:

    - Scheduled runs and backfills: the end of the data interval. Only then is the data of the interval complete.
    - Other runs with a logical date: that date. Airflow gives a manual run an interval that ends when the run is
      created, also where the user asked for a date in the past. On Airflow 2.11 this includes runs that a dataset
      triggered; their logical date is the time of the event.
    - Runs without a logical date: the date of the partition, else the time from which the run may start. These remain
      the same when the run is cleared a week later.

    Later than now would be wrong: one run with a date in the year 2036 would make all other runs look outdated.

    :return: None outside of a DAG run, for example in a unit test.
    """
    run: Any = context.get("dag_run")
    moment: Any = context.get("logical_date")
    if getattr(run, "run_type", None) in _AUTOMATED:
        moment = context.get("data_interval_end") or moment
    moment = moment or getattr(run, "partition_date", None) or getattr(run, "run_after", None)
    return min(int(moment.timestamp() * 1000), now_ms()) if moment else None


def log_result(log: Any, synced: Synced) -> None:
    """Log the result of a run."""
    plan, counts = synced.plan, synced.counts
    if synced.outcome == "planned":
        refusal = "; it would be refused: " + "; ".join(synced.breaches) if synced.breaches else ""
        log.info("Only planned, nothing was sent%s.", refusal)
    else:
        log.info(
            "%s is in sync:\n%s users wanted, %s changes applied, %s refused.",
            plan.key,
            f"{counts['wanted']:,}",
            f"{counts['applied']:,}",
            f"{counts['rejected']:,}",
        )
    for reason, count in {**plan.invalid, **synced.rejected}.items():
        log.warning("Users left out, %s: %s.", reason, f"{count:,}")
    for notice in synced.notices:
        log.warning("%s", notice)
    if synced.report:
        log.info("The plan and the rows that were left out are in\n%s", synced.report)


def result_of(synced: Synced, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task's result; see the operator.

    :param names: of the target.
    """
    key = synced.plan.key
    return {
        "vendor": key.vendor,
        "system": key.system,
        "segment": key.segment,
        "name": key.name,
        "connection": key.connection,
        "outcome": synced.outcome,
        "counts": synced.counts,
        "rejected": synced.rejected,
        "invalid": synced.plan.invalid,
        "digest": synced.plan.digest,
        "members": _members(synced, background=bool(names.get("background_job"))),
        "unmatched": synced.unmatched,
        "breaches": list(synced.breaches),
        "changed_in": synced.changed_in,
        "report": synced.report,
        "changed_at": synced.changed_at and datetime.fromtimestamp(synced.changed_at / 1000, UTC).isoformat(),
        **names,
    }


def _members(synced: Synced, *, background: bool) -> int | None:
    """Return how many of the wanted users are members at least; None where a run only removes.

    :param background: the vendor continues in the background: what is unconfirmed may follow.
    """
    counts = synced.counts
    if synced.plan.mode == "remove" or synced.outcome == "planned":
        return None
    kinds = ("rejected", "waiting", "deferred", *(() if background else ("unconfirmed",)))
    return max(0, counts["wanted"] - sum(counts.get(kind, 0) for kind in kinds))


def check_complete(synced: Synced, settings: Settings) -> None:
    """Check the numbers of users who were left out against their limits.

    :raises SyncIncomplete: a limit is exceeded.
    """
    counts = synced.counts
    refused = sum(counts.get(kind, 0) for kind in ("rejected", "waiting", "deferred"))
    problems = [
        f"{found:,} {what}, the limit is {limit:,} (`{name}`)"
        for found, limit, name, what in (
            (counts["invalid"], settings.max_invalid, "max_invalid", "rows of the source are invalid"),
            (counts["unmatched"], settings.max_unmatched, "max_unmatched", "users were not found"),
            (refused, settings.max_refused, "max_refused", "users were refused by the vendor"),
            (
                counts.get("unconfirmed", 0),
                settings.max_unconfirmed,
                "max_unconfirmed",
                "changes were acknowledged, and the vendor's list does not show them",
            ),
        )
        if limit is not None and found > limit
    ]
    if problems:
        raise SyncIncomplete(
            f"{synced.plan.key} is in sync except for some users: {'; '.join(problems)}. The others were sent and "
            "are in the ledger. Correct the source, or raise the limit."
        )


class SyncMembersOperator(SegmentsOperator):
    """Keep the members of a segment in sync with a source: send only the difference, and refuse a dangerous one.

    The ledger (``[segments] ledger_path``) records which members this task has added. Other members stay, unless
    ``removals="all"`` or ``replace=True``. After a crash at any moment, the next run completes the work. A run with the
    same source sends nothing.

    Returns ``outcome`` (``changed``, ``unchanged``, ``planned``), ``counts`` (``wanted``, ``baseline``, ``add``,
    ``again``, ``remove``, ``applied``, ``rejected``, ``waiting``, ``duplicates``, ``invalid``, ``unmatched``,
    ``unconfirmed``, ``strangers``, ``missing``…), ``rejected``, ``invalid`` and ``unmatched`` by reason, ``members``
    (how many of the wanted users are members, by the vendor's responses), ``digest`` of the plan, ``changed_at`` and
    ``changed_in`` (time and ledger generation of the last change, which an earlier run may have made), ``report`` (the
    folder of the plan and of the rows that were left out), and the segment's ``vendor``, ``system``, ``segment``,
    ``name`` and ``connection``. For WalkMe, ``system_guid`` and ``segment_guid`` are added, for Docebo ``group_id``,
    for Alteryx Server ``user_group_id``, for Zendesk ``user_segment_id``, so that the vendors' sensors and operators
    accept the result. The XCom ``plan`` has the counts and the digest, also of a plan that was refused. After a change,
    Airflow gets an event of the segment's asset; see :mod:`airflow_segments_provider.assets`.

    An Airflow variable ``segments_ledger_…`` for each segment detects a ledger that was lost or restored from an older
    copy.

    :param target: the segment or group: a :class:`~airflow_segments_provider.targets.walkme.WalkMeSegment`,
        :class:`~airflow_segments_provider.targets.docebo.DoceboGroup`,
        :class:`~airflow_segments_provider.targets.alteryx.AlteryxUserGroup` or
        :class:`~airflow_segments_provider.targets.zendesk.ZendeskUserSegment`, a dict of its arguments and ``vendor``,
        or an address such as ``walkme:///Trial%20users?create=true``.
    :param source: the wanted users: a list, an upstream result, a template that renders to a list, any iterable, or a
        source such as ``SqlMembers``. It has user IDs, or what the target's ``identity`` says. Airflow's UI and
        database show their number only.
    :param mode: ``mirror``: the members follow the source. ``add``: only add users. ``remove``: remove the users that
        the source names.
    :param removals: ``owned``: remove only members that the ledger owns. ``all``: remove all members who are not
        wanted; for vendors that list members.
    :param replace: make the members exactly those of the source, whatever the ledger says. Use it for one run, after a
        lost ledger or changes by hand, for example with ``"{{ params.replace }}"``. A retry does not repeat it.
    :param first_sync: for a segment that existed before the first sync, where the vendor lists no members: ``add``
        leaves its members in it, ``replace`` removes them.
    :param max_removed_fraction: refuse to remove a larger share of 100 members or more.
    :param max_removals: refuse to remove more members.
    :param max_added_fraction: refuse to add a larger share of 1,000 members or more; None for no limit.
    :param max_members: refuse more wanted users.
    :param max_invalid_fraction: refuse a source with a larger share of invalid rows.
    :param max_unmatched_fraction: refuse a source of which the vendor does not have a larger share of users.
    :param max_duration: refuse a plan, or look-ups of users, that would take longer at the connection's ``rate_limit``;
        a timedelta, or seconds.
    :param allow_empty: let a source without users empty the segment.
    :param on_guard: where a limit is exceeded: ``fail``, or ``skip_removals`` to add only.
    :param approve: the digest of a plan that was refused: apply exactly that plan. Several digests, as a list or as a
        text with spaces, are of several segments: each task takes the one whose plan its segment's ledger keeps. So a
        mapped task, whose instances all get the same text, applies each plan to the right segment.
    :param plan_only: a dry run: send nothing, return the plan. ``[segments] plan_only`` does so for all syncs of a
        deployment.
    :param max_invalid: fail, after the other users were sent, when more rows were invalid; None for no limit.
    :param max_unmatched: fail, after the other users were sent, when the vendor did not have more users; None for no
        limit. A file beside the ledger lists them.
    :param max_unconfirmed: fail, after all were sent, when the vendor's list does not show more acknowledged changes;
        None for no limit. They are sent again by the next run.
    :param max_refused: fail, after the other users were sent, when the vendor rejected more users; None for no limit.
    :param retry_rejected_after: how long to wait before a rejected user is sent again, or an unmatched one looked up
        again; a timedelta, or seconds.
    :param identity_max_age: look a user up again after this time: an e-mail address may have another owner; a
        timedelta, or seconds.
    :param baseline: ``live``: compare with the vendor's list of members; ``ledger``: with the ledger; ``auto``: with
        the list, where the vendor has one and it takes 100 requests at most.
    :param on_older: where the segment already has newer data than that of this run: ``skip`` the task, ``fail``, or
        ``apply`` the older data. Which data is newer depends on the data interval or the logical date of the runs.
    :param takeover: continue with a segment that another task has kept so far.
    :param ledger_path: in place of ``[segments] ledger_path``.
    :param memory_limit: beyond which DuckDB writes to disk.
    :param deferrable: where another run holds the segment's ledger, wait for it in the triggerer, at most until its
        lease ends. Otherwise the task fails, and a later try finds the ledger free.
    """

    template_fields: Sequence[str] = (
        "target",
        "source",
        "mode",
        "removals",
        "replace",
        "first_sync",
        "max_removed_fraction",
        "max_removals",
        "max_added_fraction",
        "max_members",
        "max_invalid_fraction",
        "max_unmatched_fraction",
        "max_duration",
        "allow_empty",
        "on_guard",
        "approve",
        "plan_only",
        "max_invalid",
        "max_unmatched",
        "max_unconfirmed",
        "max_refused",
        "retry_rejected_after",
        "identity_max_age",
        "baseline",
        "on_older",
        "takeover",
        "ledger_path",
    )
    operator_extra_links = (SegmentLink(), PlanLink())
    plan_url = ""
    ui_color = "#e8eefc"
    source = UserIdsField()
    _reached: Target | None = None
    _shown: Mapping[str, int] | None = None
    _killed = _ended = False

    def __init__(
        self,
        *,
        target: Segment | Mapping[str, Any] | str,
        source: UserSource | str,
        mode: str = "mirror",
        removals: str = "owned",
        replace: bool | str | None = False,
        first_sync: str | None = None,
        max_removed_fraction: float | str = 0.2,
        max_removals: int | str | None = None,
        max_added_fraction: float | str | None = 1.0,
        max_members: int | str | None = None,
        max_invalid_fraction: float | str = 0.2,
        max_unmatched_fraction: float | str = 0.2,
        max_duration: timedelta | float | str | None = None,
        allow_empty: bool | str | None = False,
        on_guard: str = "fail",
        approve: str | Sequence[str] | None = None,
        plan_only: bool | str | None = False,
        max_invalid: int | str | None = None,
        max_unmatched: int | str | None = None,
        max_unconfirmed: int | str | None = None,
        max_refused: int | str | None = 0,
        retry_rejected_after: timedelta | float | str = timedelta(days=1),
        identity_max_age: timedelta | float | str = timedelta(days=7),
        baseline: str = "auto",
        on_older: str = "skip",
        takeover: bool | str | None = False,
        ledger_path: str | None = None,
        memory_limit: str = "420MB",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.source = source
        self.mode = mode
        self.removals = removals
        self.replace = replace
        self.first_sync = first_sync
        self.max_removed_fraction = max_removed_fraction
        self.max_removals = max_removals
        self.max_added_fraction = max_added_fraction
        self.max_members = max_members
        self.max_invalid_fraction = max_invalid_fraction
        self.max_unmatched_fraction = max_unmatched_fraction
        self.max_duration = max_duration
        self.allow_empty = allow_empty
        self.on_guard = on_guard
        self.approve = approve
        self.plan_only = plan_only
        self.max_invalid = max_invalid
        self.max_unmatched = max_unmatched
        self.max_unconfirmed = max_unconfirmed
        self.max_refused = max_refused
        self.retry_rejected_after = retry_rejected_after
        self.identity_max_age = identity_max_age
        self.baseline = baseline
        self.on_older = on_older
        self.takeover = takeover
        self.ledger_path = ledger_path
        self.memory_limit = memory_limit
        self.deferrable = deferrable
        declare(self)

    def execute(self, context: Context) -> dict[str, Any]:
        """Carry out one run; see the parameters.

        :raises TaskDeferred: another run holds the ledger, and ``deferrable`` lets this one wait for it.
        :raises AirflowSkipException: the segment has newer data already, and ``on_older`` says to skip the task.
        """
        self._ended, self._shown = False, None
        try:
            self._prepare(context)
            return self._sync(context)
        except LedgerBusy as busy:
            if not self.deferrable or not busy.until:
                raise
            self.log.info("%s", busy)
            self._wait(busy.until)
        finally:
            # The operator can be executed again in the same process; a late signal must not end that.
            self._killed, self._ended, self._reached = False, True, None

    def execute_again(self, context: Context, event: Any = None) -> dict[str, Any]:  # noqa: ARG002  # Airflow hands it over
        """Start again when the lease of the other run has ended."""
        return self.execute(context)

    def on_kill(self) -> None:
        """Finish the current request and send no further one, also if ``execute`` has not started yet."""
        if not self._ended:
            self._killed = True
            self._stop_requests()

    def _prepare(self, context: Context) -> None:
        """Make the source, where the task makes it itself."""

    def _is_killed(self) -> bool:
        """Return whether Airflow ended the task; the engine asks before each step."""
        if self._killed:
            self._stop_requests()  # the client may have been made after the signal
        return self._killed

    def _stop_requests(self) -> None:
        if self._reached is not None:
            self._reached.stop()

    def _sync(self, context: Context) -> dict[str, Any]:
        from airflow_segments_provider.sync import approvals
        from airflow_segments_provider.sync.engine import Sync
        from airflow_segments_provider.sync.ledger import location
        from airflow_segments_provider.sync.settings import Settings, parse_settings
        from airflow_segments_provider.sync.workspace import Workspace
        from airflow_segments_provider.targets.parse import target_of

        timing = location.timing()
        parameters = {name: getattr(self, name) for name in Settings.model_fields}
        parameters["plan_only"] = previews_only() or self.plan_only
        approved = approvals.digests(self.approve)
        # Each digest is checked; the one of this segment is chosen when the segment is known.
        settings, *_ = [parse_settings({**parameters, "approve": digest}) for digest in approved or [""]]
        source, target = self.source, target_of(self.target)
        try:
            read_values(source)  # what cannot be read at all is rejected before the first request
        except InvalidInput as error:
            raise InvalidInput(f"{error.subject} for {target}", error.problems) from None
        self._reached = reached = target.open()
        self.vendor_url = reached.url
        SegmentLink().push(context, self.vendor_url)
        if not settings.plan_only:
            # Before the ledger: the next run would take an intent for requests of unknown outcome.
            reached.check_writable()
            if len(approved) > 1 or (approved and context["ti"].map_index not in (None, -1)):
                settings = settings.model_copy(update={"approve": self._own_approval(reached, approved)})
        with Workspace(self.memory_limit) as workspace:
            sync = Sync(
                reached,
                source,
                lambda key: ledger_of(context, reached, key, self.ledger_path, timing),
                workspace,
                settings,
                as_of=as_of(context),
                approver=approver(context),
                stopped=self._is_killed,
                on_progress=self._show_progress(),
                on_plan=lambda plan: self._show(context, plan),
                on_look_up=self._show_look_up,
                keep_list=lambda name, path: UserListFile(
                    context["ti"], self.log, name, self.ledger_path or location.ledger_path()
                ).write(path),
            )
            try:
                synced = sync.run()
            except PlanRefused as refused:
                if refused.details:
                    option = (
                        f"\nCommands need: --ledger-path {shlex.quote(self.ledger_path)}" if self.ledger_path else ""
                    )
                    self.log.error("%s%s", refused.details, option)  # noqa: TRY400  # Airflow logs the exception
                raise
            except RunSuperseded as newer:
                if settings.on_older != "skip":
                    raise
                raise AirflowSkipException(str(newer)) from None
            finally:
                self._update_link(context, reached)
        log_result(self.log, synced)
        result = result_of(synced, reached.names)
        if synced.outcome != "planned":
            check_complete(synced, settings)
            self._report_change(context, synced, result)
        return result

    def _own_approval(self, target: Target, approved: list[str]) -> str | None:
        """Return the digest of a plan of this segment; None if all are of other segments."""
        from airflow_segments_provider.sync import approvals
        from airflow_segments_provider.sync.ledger.location import ledger_path, store_at

        key = target.key()
        found = key.segment and approvals.kept_digest(store_at(self.ledger_path or ledger_path(), key.folder), approved)
        if not found:
            self.log.info("`approve` names no plan that the ledger of %s keeps; this run makes a plan of its own.", key)
        return found or None

    def _report_change(self, context: Context, synced: Synced, result: Mapping[str, Any]) -> None:
        """Have Airflow record an asset event of a change that has none yet.

        An earlier run may have made the change and then failed: Airflow records events of tasks that succeed.
        """
        from airflow_segments_provider.operators.witness_variable import LedgerVariable

        key = synced.plan.key
        variable = LedgerVariable(key.folder)
        if synced.outcome == "changed" or not variable.is_reported(synced.changed_in):
            event = {name: result[name] for name in ("outcome", "name", "counts", "digest", "changed_at")}
            asset = segment_asset(key.vendor, key.base_url, key.system, key.segment)
            record_change(self, context, asset, connection=key.connection, **event)
        variable.report(synced.changed_in)

    def _show(self, context: Context, plan: Plan) -> None:
        """Log the plan and push its counts, before the guard decides on it."""
        from airflow_segments_provider.sync.report import summary

        # The plan before a segment is created has the same counts as the one after it.
        if plan.counts != self._shown:
            self.log.info("%s", summary(plan))
        self._shown = plan.counts
        context["ti"].xcom_push(key="plan", value={"counts": plan.counts, "digest": plan.digest})
        # On Airflow 2.11, a task of `dag.test()` may have no address.
        self.plan_url = getattr(context["ti"], "log_url", "")
        PlanLink().push(context, self.plan_url)
        if self._reached is not None:
            self._update_link(context, self._reached)

    def _update_link(self, context: Context, target: Target) -> None:
        """Store the address of the segment's page, once it is known."""
        if self.vendor_url != target.url:
            self.vendor_url = target.url
            SegmentLink().push(context, self.vendor_url)

    def _show_progress(self) -> Callable[[Progress], None]:
        shown: ProgressLog | None = None

        def show(progress: Progress) -> None:
            nonlocal shown
            shown = shown or ProgressLog(self.log, "users sent", progress.total)
            shown.show(progress.done)

        return show

    def _show_look_up(self, users: int, requests: int, duration: timedelta | None) -> None:
        takes = f", about {duration} at the connection's rate" if duration else ""
        sent = "1 request" if requests == 1 else f"{requests:,} requests"
        self.log.info("Looking up %s users in %s%s.", f"{users:,}", sent, takes)

    def _wait(self, until: int) -> NoReturn:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from airflow_segments_provider.triggers.base import SHORTEST_DEFERRAL

        # Airflow loses track of a task whose wait ends as soon as it has begun.
        earliest = datetime.now(UTC) + timedelta(seconds=SHORTEST_DEFERRAL)
        moment = max(datetime.fromtimestamp(until / 1000, UTC), earliest)
        self.log.info("Waiting for the segment's ledger until %s.", moment.isoformat("T", "seconds"))
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute_again")
