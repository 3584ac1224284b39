"""What every vendor's operators do in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_segments_provider.links import VendorLink
from airflow_segments_provider.operators.base import SegmentsOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class VendorOperator(SegmentsOperator):
    """An operator with a ``hook`` and one link, which works while the task is still running."""

    hook: Any

    def on_kill(self) -> None:
        """Finish the request under way and begin no further one."""
        if "hook" in self.__dict__:
            self.hook.stop()

    def push_link(self, context: Context, url: str) -> None:
        """Keep where the link leads."""
        self.vendor_url = url
        for link in self.operator_extra_links:
            if isinstance(link, VendorLink):
                link.push(context, url)

    def log_left_out(self, *counts: dict[str, int]) -> None:
        """Warn of the people who were left out, by reason."""
        for reason, count in (item for counted in counts for item in counted.items()):
            self.log.warning("User ids left out, %s: %s.", reason, f"{count:,}")
