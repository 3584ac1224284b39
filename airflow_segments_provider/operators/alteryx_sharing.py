"""Share collections, credentials and data connections of Alteryx Server with a user group."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.operators.alteryx import AlteryxServerUserGroupOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = [
    "AlteryxServerShareWithUserGroupOperator",
    "AlteryxServerUnshareFromUserGroupOperator",
    "AlteryxServerUpdateUserGroupPermissionsOperator",
]


class AlteryxServerShareWithUserGroupOperator(AlteryxServerUserGroupOperator):
    """Share a resource with a user group.

    :param resource_type: ``collection``, ``credential`` or ``data_connection``.
    :param resource_id: the server's id of it.
    :param permissions: for a collection, any of ``is_admin, can_add_assets, can_remove_assets, can_update_assets,
        can_add_users, can_remove_users``; what is not named is not allowed.
    :param expiration_date: for a collection, when the sharing ends.
    """

    template_fields: Sequence[str] = (
        *AlteryxServerUserGroupOperator.template_fields,
        "resource_type",
        "resource_id",
        "permissions",
        "expiration_date",
    )

    def __init__(
        self,
        *,
        resource_type: str,
        resource_id: str,
        permissions: dict[str, bool] | None = None,
        expiration_date: datetime | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource_type = resource_type
        self.resource_id = resource_id
        self.permissions = permissions
        self.expiration_date = expiration_date

    def execute(self, context: Context) -> None:
        """Share it."""
        self.push_link(context, self.hook.gallery_url)
        self.hook.share(
            self.resource_type,  # type: ignore[arg-type]
            self.resource_id,
            permissions=self.permissions,
            expiration_date=self.expiration_date,
            **self.key,
        )
        self.log.info("The %s %s is shared with the user group.", self.resource_type, self.resource_id)


class AlteryxServerUpdateUserGroupPermissionsOperator(AlteryxServerUserGroupOperator):
    """Change what a user group may do in a collection that is shared with it.

    :param collection_id: the server's id of the collection.
    :param permissions: as for sharing; they replace those of before.
    :param expiration_date: when the sharing ends.
    """

    template_fields: Sequence[str] = (
        *AlteryxServerUserGroupOperator.template_fields,
        "collection_id",
        "permissions",
        "expiration_date",
    )

    def __init__(
        self,
        *,
        collection_id: str,
        permissions: dict[str, bool],
        expiration_date: datetime | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.collection_id = collection_id
        self.permissions = permissions
        self.expiration_date = expiration_date

    def execute(self, context: Context) -> None:
        """Change the permissions."""
        self.push_link(context, self.hook.gallery_url)
        self.hook.update_permissions(
            self.collection_id, self.permissions, expiration_date=self.expiration_date, **self.key
        )
        self.log.info("The permissions of the user group in collection %s are changed.", self.collection_id)


class AlteryxServerUnshareFromUserGroupOperator(AlteryxServerUserGroupOperator):
    """Take a resource away from a user group.

    :param resource_type: ``collection``, ``credential`` or ``data_connection``.
    :param resource_id: the server's id of it.
    """

    template_fields: Sequence[str] = (
        *AlteryxServerUserGroupOperator.template_fields,
        "resource_type",
        "resource_id",
    )

    def __init__(self, *, resource_type: str, resource_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.resource_type = resource_type
        self.resource_id = resource_id

    def execute(self, context: Context) -> None:
        """Unshare it."""
        self.push_link(context, self.hook.gallery_url)
        self.hook.unshare(self.resource_type, self.resource_id, **self.key)  # type: ignore[arg-type]
        self.log.info("The %s %s is no longer shared with the user group.", self.resource_type, self.resource_id)
