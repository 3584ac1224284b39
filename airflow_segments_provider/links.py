"""Links beside a task in Airflow's UI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

# Browsers drop, decode or convert the excluded characters; `user@` would hide the host of a link.
_ADDRESS = re.compile(r"https?://([\w.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?#][^\s\\<>\"'`{}|^]*)?", re.IGNORECASE)

__all__ = ["AlteryxServerLink", "DoceboLink", "PlanLink", "SegmentLink", "WalkMeSystemLink", "ZendeskHelpCenterLink"]


def web_address(url: object) -> str:
    """Return an unambiguous address of http or https; an empty text for any other value."""
    return url if isinstance(url, str) and url.isprintable() and _ADDRESS.fullmatch(url) else ""


class VendorLink(BaseOperatorLink):
    """A link whose address a task stores early, and keeps in an attribute of the operator.

    :cvar attribute: its name; None while only the XCom has the address.
    """

    name = "Vendor"
    attribute = "vendor_url"

    @property
    def xcom_key(self) -> str:
        """The key of the address, which Airflow 3 reads itself."""
        return f"_link_{type(self).__name__}"

    def push(self, context: Context, url: str) -> None:
        """Store the address now: Airflow itself would only do so at the end of the task.

        Also an empty one: Airflow 3 logs an error when a task that was deferred looks for an XCom that does not exist.
        """
        context["ti"].xcom_push(key=self.xcom_key, value=web_address(url))

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or an empty text before the task has started."""
        # Airflow 3 calls this in the task's process; Airflow 2.11 in the web server, which has only the XCom.
        url: Any = getattr(operator, self.attribute, None)
        if url is not None:
            return web_address(url)
        return web_address(XCom.get_value(key=self.xcom_key, ti_key=ti_key))


class WalkMeSystemLink(VendorLink):
    """The Admin Center page with the segment's system (WalkMe publishes no address of a single segment)."""

    name = "WalkMe systems"


class SegmentLink(VendorLink):
    """The vendor's page of the segment of a sync, or the page that leads to it, as the vendor's own link."""

    name = "Segment"


class PlanLink(VendorLink):
    """The log of the task, with the plan of a sync, the reason of a refusal, and the folder of the report."""

    name = "Plan"
    attribute = "plan_url"


class AlteryxServerLink(VendorLink):
    """The server's own user interface (Alteryx publishes no address of a single user group)."""

    name = "Alteryx Server"


class DoceboLink(VendorLink):
    """The platform itself (Docebo publishes no address of a single group)."""

    name = "Docebo"


class ZendeskHelpCenterLink(VendorLink):
    """The page of the user segment in the Knowledge admin, or the list of user segments."""

    name = "Zendesk user segments"
