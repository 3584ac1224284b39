"""Operators for Alteryx Server user groups, their members, and what is shared with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.links import AlteryxServerLink
from airflow_segments_provider.operators.base import ExactMembersOperator, FoundUsersOperator, VendorOperator
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.vendors.alteryx.responses import UserGroupChange

__all__ = [
    "AlteryxServerAddActiveDirectoryGroupOperator",
    "AlteryxServerAddUserGroupUsersOperator",
    "AlteryxServerCreateUserGroupOperator",
    "AlteryxServerDeleteUserGroupOperator",
    "AlteryxServerGetUserGroupOperator",
    "AlteryxServerListUserGroupsOperator",
    "AlteryxServerRemoveActiveDirectoryGroupOperator",
    "AlteryxServerRemoveUserGroupUsersOperator",
    "AlteryxServerShareWithUserGroupOperator",
    "AlteryxServerUnshareFromUserGroupOperator",
    "AlteryxServerUpdateUserGroupOperator",
    "AlteryxServerUpdateUserGroupPermissionsOperator",
]


class AlteryxServerOperator(VendorOperator):
    """Base of the Alteryx Server operators.

    :param alteryx_conn_id: the connection.
    """

    hook_class = AlteryxServerHook
    asset = ("alteryx", "user_group_id")
    template_fields: Sequence[str] = ("alteryx_conn_id",)
    operator_extra_links = (AlteryxServerLink(),)
    ui_color = "#e6f4f1"

    def __init__(self, *, alteryx_conn_id: str = AlteryxServerHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alteryx_conn_id = alteryx_conn_id

    def result_of(self, change: UserGroupChange) -> dict[str, Any]:
        """Log the change and the users who were left out, and return the task's result."""
        self.log.info(
            "User group %r (%s) %s: %s user ids sent, %s added, %s removed, in %d requests.",
            change.name,
            change.user_group_id,
            change.outcome,
            f"{change.users_sent:,}",
            f"{change.users_added:,}",
            f"{change.users_removed:,}",
            change.requests,
        )
        self.log_left_out(change.users_rejected, change.users_unmatched, change.users_refused)
        return change.model_dump(mode="json")


class AlteryxServerUserGroupOperator(AlteryxServerOperator):
    """Base of the operators on one existing user group.

    :param user_group: the result of a create or update (``create.output``).
    :param user_group_id: in place of ``user_group``.
    :param name: in place of both; one call more.
    """

    template_fields: Sequence[str] = ("user_group", "user_group_id", "name", "alteryx_conn_id")

    def __init__(
        self, *, user_group: Any = None, user_group_id: str | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.user_group = user_group
        self.user_group_id = user_group_id
        self.name = name


class AlteryxServerCreateUserGroupOperator(ExactMembersOperator, AlteryxServerOperator):
    """Create a user group with these users, or add them to the existing one; creating twice results in one.

    Returns ``user_group_id, name, role, outcome, users_sent, users_added, users_removed, users_refused, users_rejected,
    users_unmatched, unmatched_file, requests, changed_at``.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.ExactMembersOperator`.
    ``identify_by`` is ``id`` or ``email``, which needs one call for each address. Users who share an address are
    unmatched.

    :param name: 1 to 255 characters; an existing group is found by its name.
    :param role: NoAccess, Viewer, Member, Artisan, Curator, or Evaluated: decided by the server at run time.
    :param if_exists: ``reuse`` adds the users and changes nothing else, ``update`` sets the role and makes the members
        exactly these users, ``fail`` fails.
    :param on_refused: ``fail`` fails where the server refuses to add a user; ``skip`` counts these users by reason.
    """

    template_fields: Sequence[str] = (
        "name",
        "role",
        "if_exists",
        "on_refused",
        "alteryx_conn_id",
        *ExactMembersOperator.user_fields,
    )

    def __init__(
        self,
        *,
        name: str,
        role: str = "Evaluated",
        if_exists: str = "reuse",
        on_refused: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.role = role
        self.if_exists = if_exists
        self.on_refused = on_refused

    def execute(self, context: Context) -> dict[str, Any]:
        """Create or update the group."""
        return self.call_hook(context, self.hook.create_user_group)


class AlteryxServerUpdateUserGroupOperator(AlteryxServerUserGroupOperator):
    """Change the name or the role of a user group; None leaves it unchanged.

    :param new_name: 1 to 255 characters.
    :param role: as for :class:`AlteryxServerCreateUserGroupOperator`.
    """

    template_fields: Sequence[str] = (*AlteryxServerUserGroupOperator.template_fields, "new_name", "role")

    def __init__(self, *, new_name: str | None = None, role: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.new_name = new_name
        self.role = role

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the group and write it."""
        return self.call_hook(context, self.hook.update_user_group)


class AlteryxServerDeleteUserGroupOperator(AlteryxServerUserGroupOperator):
    """Delete a user group.

    :param force_delete: delete also a group that has members, which the server refuses otherwise.
    :param if_missing: ``skip`` accepts a missing group, ``fail`` fails.
    """

    template_fields: Sequence[str] = (*AlteryxServerUserGroupOperator.template_fields, "force_delete", "if_missing")

    def __init__(self, *, force_delete: bool | str = False, if_missing: str = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.force_delete = force_delete
        self.if_missing = if_missing

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the group."""
        return self.call_hook(context, self.hook.delete_user_group)


class AlteryxServerGetUserGroupOperator(AlteryxServerUserGroupOperator):
    """Get a user group: ``{user_group_id, name, role, members}``, where ``members`` is their number."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the group."""
        self.push_link(context)
        group = self.hook.get_user_group(**self.parameters)
        return {**group.model_dump(mode="json"), "members": len(group.members or ())}


class AlteryxServerListUserGroupsOperator(AlteryxServerOperator):
    """List the custom user groups: ``[{user_group_id, name, role}, …]``; Active Directory groups are not listed."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the groups."""
        self.push_link(context)
        groups = self.hook.get_user_groups()
        self.log.info("The server has %d user groups.", len(groups))
        return [group.model_dump(mode="json") for group in groups]


class AlteryxServerAddUserGroupUsersOperator(FoundUsersOperator, AlteryxServerUserGroupOperator):
    """Add users to a user group.

    The task fails if the server refuses some of them, although the server reports a success: see ``on_refused`` of
    :class:`AlteryxServerCreateUserGroupOperator`.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.FoundUsersOperator`.

    :param on_refused: ``fail`` or ``skip``, as for a create.
    """

    template_fields: Sequence[str] = (
        *AlteryxServerUserGroupOperator.template_fields,
        "on_refused",
        *FoundUsersOperator.user_fields,
    )

    def __init__(self, *, user_ids: UserSource | str, on_refused: str = "fail", **kwargs: Any) -> None:
        super().__init__(user_ids=user_ids, **kwargs)
        self.on_refused = on_refused

    def execute(self, context: Context) -> dict[str, Any]:
        """Add the users."""
        return self.call_hook(context, self.hook.add_users)


class AlteryxServerRemoveUserGroupUsersOperator(FoundUsersOperator, AlteryxServerUserGroupOperator):
    """Remove users from a user group: one call each, ``max_concurrency`` of the connection at once.

    A user who is not a member is not an error. The parameters of users are those of
    :class:`~airflow_segments_provider.operators.base.FoundUsersOperator`.
    """

    template_fields: Sequence[str] = (
        *AlteryxServerUserGroupOperator.template_fields,
        *FoundUsersOperator.user_fields,
    )

    def __init__(self, *, user_ids: UserSource | str, **kwargs: Any) -> None:
        super().__init__(user_ids=user_ids, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:
        """Remove the users."""
        return self.call_hook(context, self.hook.remove_users)


class AlteryxServerAddActiveDirectoryGroupOperator(AlteryxServerUserGroupOperator):
    """Add an Active Directory group to a user group.

    :param sid: its security identifier, ``S-1-…``.
    """

    template_fields: Sequence[str] = (*AlteryxServerUserGroupOperator.template_fields, "sid")

    def __init__(self, *, sid: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sid = sid

    def execute(self, context: Context) -> None:
        """Add the Active Directory group."""
        self.push_link(context)
        self.hook.add_active_directory_group(**self.parameters)
        self.log.info("Active Directory group %s is in the user group.", self.sid)


class AlteryxServerRemoveActiveDirectoryGroupOperator(AlteryxServerUserGroupOperator):
    """Remove an Active Directory group from a user group.

    :param sid: its security identifier, ``S-1-…``.
    """

    template_fields: Sequence[str] = (*AlteryxServerUserGroupOperator.template_fields, "sid")

    def __init__(self, *, sid: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sid = sid

    def execute(self, context: Context) -> None:
        """Remove the Active Directory group."""
        self.push_link(context)
        self.hook.remove_active_directory_group(**self.parameters)
        self.log.info("Active Directory group %s is no longer in the user group.", self.sid)


class AlteryxServerShareWithUserGroupOperator(AlteryxServerUserGroupOperator):
    """Share a resource with a user group.

    :param resource_type: ``collection``, ``credential`` or ``data_connection``.
    :param resource_id: the server's ID of the resource.
    :param permissions: for a collection, any of ``is_admin, can_add_assets, can_remove_assets, can_update_assets,
        can_add_users, can_remove_users``; others are not allowed.
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
        """Share the resource."""
        self.push_link(context)
        self.hook.share(**self.parameters)
        self.log.info("The %s %s is shared with the user group.", self.resource_type, self.resource_id)


class AlteryxServerUpdateUserGroupPermissionsOperator(AlteryxServerUserGroupOperator):
    """Change the permissions of a user group in a collection that is shared with it.

    :param collection_id: the server's ID of the collection.
    :param permissions: as for :class:`AlteryxServerShareWithUserGroupOperator`; they replace the former ones.
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
        self.push_link(context)
        parameters = self.parameters
        self.hook.update_permissions(parameters.pop("collection_id"), **parameters)
        self.log.info("The permissions of the user group in collection %s are changed.", self.collection_id)


class AlteryxServerUnshareFromUserGroupOperator(AlteryxServerUserGroupOperator):
    """Unshare a resource from a user group.

    :param resource_type: ``collection``, ``credential`` or ``data_connection``.
    :param resource_id: the server's ID of the resource.
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
        """Unshare the resource."""
        self.push_link(context)
        self.hook.unshare(**self.parameters)
        self.log.info("The %s %s is no longer shared with the user group.", self.resource_type, self.resource_id)
