"""What the operators of Zendesk share, and those among them that are about one user segment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.links import ZendeskHelpCenterLink
from airflow_segments_provider.operators.vendor import VendorOperator
from airflow_segments_provider.operators.zendesk_arguments import from_text

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.zendesk.responses import UserSegmentChange


class ZendeskOperator(VendorOperator):
    """What the operators of Zendesk share.

    :param zendesk_conn_id: the connection.
    """

    template_fields: Sequence[str] = ("zendesk_conn_id",)
    operator_extra_links = (ZendeskHelpCenterLink(),)
    ui_color = "#e9f3ec"

    def __init__(self, *, zendesk_conn_id: str = ZendeskHelpCenterHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zendesk_conn_id = zendesk_conn_id

    @cached_property
    def hook(self) -> ZendeskHelpCenterHook:
        """The hook of the rendered connection id."""
        return ZendeskHelpCenterHook(self.zendesk_conn_id)

    def result_of(self, change: UserSegmentChange) -> dict[str, Any]:
        """Say what was done, how many were left out and why, and return the task's result."""
        self.log.info(
            "User segment %r (%s) %s: %s user ids sent, %s added, %s removed, in %d requests.",
            change.name,
            change.user_segment_id,
            change.outcome,
            f"{change.users_sent:,}",
            f"{change.users_added:,}",
            f"{change.users_removed:,}",
            change.requests,
        )
        self.log_left_out(change.users_rejected, change.users_unmatched)
        return change.model_dump(mode="json")


class ZendeskUserSegmentOperator(ZendeskOperator):
    """What those share that are about one user segment that exists.

    :param user_segment: the result of a create or update (``create.output``).
    :param user_segment_id: in place of it.
    :param name: in place of both, exactly; that of a built-in segment is not looked for. One list of segments more.
    """

    template_fields: Sequence[str] = ("user_segment", "user_segment_id", "name", "zendesk_conn_id")

    def __init__(
        self,
        *,
        user_segment: Any = None,
        user_segment_id: int | str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_segment = user_segment
        self.user_segment_id = user_segment_id
        self.name = name

    @property
    def key(self) -> dict[str, Any]:
        """What names the segment."""
        return {
            "user_segment": from_text(self.user_segment),
            "user_segment_id": self.user_segment_id,
            "name": self.name,
        }
