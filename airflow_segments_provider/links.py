"""Links beside a task in Airflow's UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

__all__ = ["AlteryxServerLink", "DoceboLink", "WalkMeSystemLink", "ZendeskHelpCenterLink"]


class VendorLink(BaseOperatorLink):
    """A link that a task keeps as soon as it knows where it leads, in its attribute ``vendor_url``."""

    name = "Vendor"

    @property
    def xcom_key(self) -> str:
        """Where the address is kept; Airflow 3 looks there itself."""
        return f"_link_{type(self).__name__}"

    def push(self, context: Context, url: str) -> None:
        """Keep the address now: Airflow itself would only do so when the task has ended."""
        if url:
            context["ti"].xcom_push(key=self.xcom_key, value=url)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, or an empty text before the task has begun."""
        # Airflow 3 asks in the task's own process; Airflow 2.11 in the web server, where only the XCom is.
        known: Any = getattr(operator, "vendor_url", None)
        if known is not None:
            return str(known)
        return XCom.get_value(key=self.xcom_key, ti_key=ti_key) or ""


class WalkMeSystemLink(VendorLink):
    """The Admin Center page with the segment's system (WalkMe publishes no address of a single segment)."""

    name = "WalkMe systems"


class AlteryxServerLink(VendorLink):
    """The server's own user interface."""

    name = "Alteryx Server"


class DoceboLink(VendorLink):
    """The platform itself; Docebo publishes no address of a single group."""

    name = "Docebo"


class ZendeskHelpCenterLink(VendorLink):
    """The list of user segments in Guide's own settings."""

    name = "Zendesk user segments"
