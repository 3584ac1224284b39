"""Links beside a task in Airflow's UI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

# A browser drops, decodes or turns what is left out here; `user@` would hide where a link leads.
_ADDRESS = re.compile(r"https?://([\w.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?#][^\s\\<>\"'`{}|^]*)?", re.IGNORECASE)

__all__ = ["AlteryxServerLink", "DoceboLink", "WalkMeSystemLink", "ZendeskHelpCenterLink"]


def web_address(url: object) -> str:
    """Return an address of http or https that a browser reads in one way only; an empty text for any other value."""
    return url if isinstance(url, str) and url.isprintable() and _ADDRESS.fullmatch(url) else ""


class VendorLink(BaseOperatorLink):
    """A link that a task keeps as soon as it knows where it leads, in its attribute ``vendor_url``."""

    name = "Vendor"

    @property
    def xcom_key(self) -> str:
        """Where the address is kept; Airflow 3 looks there itself."""
        return f"_link_{type(self).__name__}"

    def push(self, context: Context, url: str) -> None:
        """Keep the address now: Airflow itself would only do so when the task has ended."""
        if url := web_address(url):
            context["ti"].xcom_push(key=self.xcom_key, value=url)

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the address, or an empty text before the task has begun."""
        # Airflow 3 asks in the task's own process; Airflow 2.11 in the web server, where only the XCom is.
        known: Any = getattr(operator, "vendor_url", None)
        if known is not None:
            return web_address(known)
        return web_address(XCom.get_value(key=self.xcom_key, ti_key=ti_key))


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
