"""Operators for WalkMe segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.assets import declare, record_change, walkme_asset
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.links import WalkMeSystemLink
from airflow_segments_provider.operators.base import UsersOperator, VendorOperator
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.vendors.walkme.responses import SegmentChange

__all__ = [
    "WalkMeCreateSegmentOperator",
    "WalkMeDeleteSegmentOperator",
    "WalkMeListSegmentsOperator",
    "WalkMeUpdateSegmentOperator",
]


class WalkMeOperator(VendorOperator):
    """Base of the WalkMe operators.

    :param system_guid: the WalkMe system; by default the connection's own.
    :param walkme_conn_id: the connection.
    """

    hook_class = WalkMeHook
    operator_extra_links = (WalkMeSystemLink(),)
    ui_color = "#e8eefc"

    def __init__(
        self, *, system_guid: str | None = None, walkme_conn_id: str = WalkMeHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.system_guid = system_guid
        self.walkme_conn_id = walkme_conn_id


class WalkMeChangeOperator(WalkMeOperator):
    """Base of the operators that change a segment: each change is an event of the segment's asset."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        declare(self)

    def report(self, context: Context, change: SegmentChange, *, changed: bool) -> dict[str, Any]:
        """Log the change and the users who were left out, and return the task's result.

        :param changed: whether anything was sent that may have changed the segment.
        """
        self.log.info(
            "WalkMe segment %r (%s) %s: %s user ids sent in %d requests.",
            change.name or change.external_id,
            change.segment_guid,
            change.outcome,
            f"{change.users_sent:,}",
            change.requests,
        )
        self.log_left_out(change.users_rejected)
        result = change.model_dump(mode="json")
        if changed and change.segment_guid:
            record_change(
                self,
                context,
                walkme_asset(self.hook.client.base_url, change.system_guid, change.segment_guid),
                outcome=change.outcome,
                name=change.name or "",
                connection=self.hook.conn_id,
                counts={"users_sent": change.users_sent, "users_rejected": sum(change.users_rejected.values())},
                digest=None,
                changed_at=result["changed_at"],
            )
        return result


class WalkMeCreateSegmentOperator(UsersOperator, WalkMeChangeOperator):
    """Create a segment with these users, or add them to the existing one; creating twice results in one.

    Returns ``system_guid, segment_guid, external_id, name, outcome, users_sent, users_rejected, requests, changed_at``.
    The segment is in the Editor's condition builder up to 10 minutes later: wait with
    :class:`~airflow_segments_provider.sensors.walkme.WalkMeSegmentPropagationSensor`.
    See https://developer.walkme.com/reference/create-segment.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.UsersOperator`; an ID is
    invalid if it is blank, longer than 100 characters or not a text.

    :param name: as the Editor will show it, 1 to 255 characters.
    :param external_id: your own ID of the segment, up to 100 characters; by default a UUIDv5 of system and name.
    :param if_exists: ``reuse`` adds the users to the existing segment and removes none, ``update`` makes them its only
        members (25,000 at most), ``fail`` fails.
    :param allow_duplicate_name: accept two segments of one name, although the Editor does not distinguish them.
    :param allow_empty: with ``if_exists="update"``, let an empty list remove all members.
    """

    template_fields: Sequence[str] = (
        "name",
        "external_id",
        "if_exists",
        "allow_duplicate_name",
        "allow_empty",
        "system_guid",
        "walkme_conn_id",
        *UsersOperator.user_fields,
    )

    def __init__(
        self,
        *,
        name: str,
        external_id: str | None = None,
        if_exists: str = "reuse",
        allow_duplicate_name: bool | str = False,
        allow_empty: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.external_id = external_id
        self.if_exists = if_exists
        self.allow_duplicate_name = allow_duplicate_name
        self.allow_empty = allow_empty

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the segment, or make the existing one right."""
        self.push_link(context)
        change: SegmentChange = self.hook.create_segment(**self.parameters)
        result = self.report(context, change, changed=change.outcome != "reused" or change.users_sent > 0)
        self.log.info(
            "In the WalkMe Editor, up to 10 minutes after %s: User Attributes > External-segment > %s > Is (or Is not) "
            "> true. No other operator or value works.",
            change.changed_at.isoformat(timespec="seconds"),
            change.name,
        )
        return result


class WalkMeExistingSegmentOperator(WalkMeChangeOperator):
    """Base of the operators on one existing segment.

    :param segment: the result of a create or update (``create.output``).
    :param segment_guid: in place of ``segment``, as are ``external_id`` and ``name``.
    """

    template_fields: Sequence[str] = (
        "segment",
        "segment_guid",
        "external_id",
        "name",
        "system_guid",
        "walkme_conn_id",
    )

    def __init__(
        self,
        *,
        segment: Any = None,
        segment_guid: str | None = None,
        external_id: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.segment = segment
        self.segment_guid = segment_guid
        self.external_id = external_id
        self.name = name


class WalkMeUpdateSegmentOperator(UsersOperator, WalkMeExistingSegmentOperator):
    """Add users to a segment, remove them, or make them its only members. A repetition changes nothing.

    Returns what :class:`WalkMeCreateSegmentOperator` returns. The parameters of users are the same. See
    https://developer.walkme.com/reference/update-segment.

    :param external_id: in place of ``segment``; one call more.
    :param name: in place of both; one call more.
    :param action: ``add``, ``remove`` or ``override``; the last accepts 25,000 user IDs at most.
    :param allow_empty: let ``override`` with an empty list remove all members; the other actions then make no call.
    """

    template_fields: Sequence[str] = (
        *WalkMeExistingSegmentOperator.template_fields,
        "action",
        "allow_empty",
        *UsersOperator.user_fields,
    )

    def __init__(
        self,
        *,
        action: str,
        user_ids: UserSource | str,
        allow_empty: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(user_ids=user_ids, **kwargs)
        self.action = action
        self.allow_empty = allow_empty

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the users."""
        self.push_link(context)
        change: SegmentChange = self.hook.update_segment(**self.parameters)
        return self.report(context, change, changed=change.users_sent > 0 or self.action == "override")


class WalkMeDeleteSegmentOperator(WalkMeExistingSegmentOperator):
    """Delete a segment, or remove its members where WalkMe's API has no deletion; ``outcome`` says which.

    Returns what :class:`WalkMeCreateSegmentOperator` returns.

    :param external_id: in place of ``segment``; one call more.
    :param name: in place of both; one call more.
    :param if_missing: ``skip`` accepts a missing segment, ``fail`` fails.
    :param if_unsupported: where WalkMe's API rejects the deletion, which it does not document: ``empty`` removes all
        members, ``fail`` fails.
    """

    template_fields: Sequence[str] = (
        *WalkMeExistingSegmentOperator.template_fields,
        "if_missing",
        "if_unsupported",
    )

    def __init__(self, *, if_missing: str = "skip", if_unsupported: str = "empty", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.if_missing = if_missing
        self.if_unsupported = if_unsupported

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the segment."""
        self.push_link(context)
        change: SegmentChange = self.hook.delete_segment(**self.parameters)
        return self.report(context, change, changed=change.outcome != "missing")


class WalkMeListSegmentsOperator(WalkMeOperator):
    """List a system's segments: ``[{segment_guid, external_id, name}, …]``. WalkMe does not list members."""

    template_fields: Sequence[str] = ("system_guid", "walkme_conn_id")

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the segments."""
        self.push_link(context)
        segments = self.hook.get_segments(self.system_guid)
        self.log.info("The WalkMe system has %d segments.", len(segments))
        return [segment.model_dump(mode="json") for segment in segments]
