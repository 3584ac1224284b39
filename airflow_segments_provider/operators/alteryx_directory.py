"""Put Active Directory groups into an Alteryx Server user group, on a server with Windows authentication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.operators.alteryx import AlteryxServerUserGroupOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["AlteryxServerAddActiveDirectoryGroupOperator", "AlteryxServerRemoveActiveDirectoryGroupOperator"]


class AlteryxServerAddActiveDirectoryGroupOperator(AlteryxServerUserGroupOperator):
    """Put an Active Directory group into a user group.

    :param sid: its security identifier, ``S-1-…``.
    """

    template_fields: Sequence[str] = (*AlteryxServerUserGroupOperator.template_fields, "sid")

    def __init__(self, *, sid: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sid = sid

    def execute(self, context: Context) -> None:
        """Add it."""
        self.push_link(context, self.hook.gallery_url)
        self.hook.add_active_directory_group(self.sid, **self.key)
        self.log.info("Active Directory group %s is in the user group.", self.sid)


class AlteryxServerRemoveActiveDirectoryGroupOperator(AlteryxServerUserGroupOperator):
    """Take an Active Directory group out of a user group.

    :param sid: its security identifier, ``S-1-…``.
    """

    template_fields: Sequence[str] = (*AlteryxServerUserGroupOperator.template_fields, "sid")

    def __init__(self, *, sid: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sid = sid

    def execute(self, context: Context) -> None:
        """Remove it."""
        self.push_link(context, self.hook.gallery_url)
        self.hook.remove_active_directory_group(self.sid, **self.key)
        self.log.info("Active Directory group %s is no longer in the user group.", self.sid)
