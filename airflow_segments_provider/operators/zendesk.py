"""Create, update, delete, get and list Zendesk Help Center user segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.operators.users import ExactMembersOperator
from airflow_segments_provider.operators.zendesk_arguments import (
    OptionalUserIdsField,
    UserIdField,
    from_text,
    the_user_id,
)
from airflow_segments_provider.operators.zendesk_operator import ZendeskOperator, ZendeskUserSegmentOperator
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = [
    "ZendeskCreateUserSegmentOperator",
    "ZendeskDeleteUserSegmentOperator",
    "ZendeskGetUserSegmentOperator",
    "ZendeskListUserSegmentsOperator",
    "ZendeskUpdateUserSegmentOperator",
]

_RULES = ("tags", "or_tags", "organization_ids", "group_ids")


class ZendeskCreateUserSegmentOperator(ExactMembersOperator, ZendeskOperator):
    """Make sure that a user segment exists and that these people are in it; creating twice makes one.

    Returns ``user_segment_id, name, user_type, outcome, users_sent, users_added, users_removed, users_rejected,
    users_unmatched, unmatched_file, requests, changed_at``. In place of a list, a text that holds one (JSON) will do.

    :param name: 1 to 255 characters; the only thing by which an existing one is found.
    :param user_ids: people who are in it whatever its rules say: a list, an upstream result, a template that renders to
        a list, any iterable, or a source. Airflow's UI and database show their number.
    :param user_type: ``signed_in_users`` or ``staff``.
    :param tags: a user needs all of them; of ``or_tags``, one. The tags of a user's organizations count.
    :param organization_ids: any one of them will do, for signed-in users; so it is with ``group_ids`` for staff.
    :param if_exists: ``reuse`` adds the people and changes nothing else, ``update`` makes it exactly as given, people
        included, ``fail`` fails.
    :param allow_empty: with ``update``, let nobody at all empty one that has members.
    :param identify_by: what ``user_ids`` are: ``id`` (Zendesk's), ``email`` (one call each) or ``external_id``.
    :param on_invalid: ``fail`` refuses all ids if one is unusable; ``skip`` leaves those out and counts them.
    :param on_unmatched: the same for people whom Zendesk does not know.
    :param max_invalid_fraction: limits what is left out, as ``max_unmatched_fraction`` does, and
        ``max_removed_fraction`` what ``update`` removes: see
        :class:`~airflow_segments_provider.operators.users.ExactMembersOperator`.
    """

    template_fields: Sequence[str] = (
        "name",
        "user_ids",
        "user_type",
        "tags",
        "or_tags",
        "organization_ids",
        "group_ids",
        "if_exists",
        "allow_empty",
        "identify_by",
        "on_invalid",
        "on_unmatched",
        "zendesk_conn_id",
        *ExactMembersOperator.limit_fields,
    )
    user_ids = UserIdsField()

    def __init__(
        self,
        *,
        name: str,
        user_ids: UserSource | str = (),
        user_type: str = "signed_in_users",
        tags: Iterable[str] | str = (),
        or_tags: Iterable[str] | str = (),
        organization_ids: Iterable[int | str] | str = (),
        group_ids: Iterable[int | str] | str = (),
        if_exists: str = "reuse",
        allow_empty: bool | str = False,
        identify_by: str = "id",
        on_invalid: str = "fail",
        on_unmatched: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.user_ids = user_ids
        self.user_type = user_type
        self.tags = tags
        self.or_tags = or_tags
        self.organization_ids = organization_ids
        self.group_ids = group_ids
        self.if_exists = if_exists
        self.allow_empty = allow_empty
        self.identify_by = identify_by
        self.on_invalid = on_invalid
        self.on_unmatched = on_unmatched

    def execute(self, context: Context) -> dict[str, Any]:
        """Create the segment, or make the existing one right."""
        self.push_link(context, self.hook.help_center_url)
        self.list_unmatched(context)
        return self.result_of(
            self.hook.create_user_segment(
                self.name,
                self.user_ids,
                user_type=self.user_type,  # type: ignore[arg-type]
                tags=from_text(self.tags),
                or_tags=from_text(self.or_tags),
                organization_ids=from_text(self.organization_ids),
                group_ids=from_text(self.group_ids),
                if_exists=self.if_exists,  # type: ignore[arg-type]
                allow_empty=self.allow_empty,  # type: ignore[arg-type]
                identify_by=self.identify_by,  # type: ignore[arg-type]
                on_invalid=self.on_invalid,  # type: ignore[arg-type]
                on_unmatched=self.on_unmatched,  # type: ignore[arg-type]
                **self.limits,
            )
        )


class ZendeskUpdateUserSegmentOperator(ExactMembersOperator, ZendeskUserSegmentOperator):
    """Change the people of a user segment, its rules, its type or its name. Can be repeated at will.

    Returns what a create returns. Zendesk takes all added people at once: they are read, changed and written, so of two
    tasks that do so at the same time in the same segment one is lost. Give both to one task, or a pool of one slot.

    :param user_ids: as for a create; those who fit the segment's rules are in it besides.
    :param action: ``add`` or ``remove`` these people, or ``set`` the added people to exactly these.
    :param new_name: what is not given stays as it is, here and below.
    :param tags: as for a create, as are ``or_tags``, ``organization_ids``, ``group_ids``, ``user_type``,
        ``identify_by``, ``on_invalid``, ``on_unmatched`` and the limits; an empty list takes the rule away.
    :param allow_empty: let ``set`` without anybody remove all added people.
    """

    template_fields: Sequence[str] = (
        *ZendeskUserSegmentOperator.template_fields,
        "user_ids",
        "action",
        "new_name",
        "user_type",
        "tags",
        "or_tags",
        "organization_ids",
        "group_ids",
        "allow_empty",
        "identify_by",
        "on_invalid",
        "on_unmatched",
        *ExactMembersOperator.limit_fields,
    )
    user_ids = OptionalUserIdsField()

    def __init__(
        self,
        *,
        user_ids: UserSource | str | None = None,
        action: str = "add",
        new_name: str | None = None,
        user_type: str | None = None,
        tags: Iterable[str] | str | None = None,
        or_tags: Iterable[str] | str | None = None,
        organization_ids: Iterable[int | str] | str | None = None,
        group_ids: Iterable[int | str] | str | None = None,
        allow_empty: bool | str = False,
        identify_by: str = "id",
        on_invalid: str = "fail",
        on_unmatched: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_ids = user_ids
        self.action = action
        self.new_name = new_name
        self.user_type = user_type
        self.tags = tags
        self.or_tags = or_tags
        self.organization_ids = organization_ids
        self.group_ids = group_ids
        self.allow_empty = allow_empty
        self.identify_by = identify_by
        self.on_invalid = on_invalid
        self.on_unmatched = on_unmatched

    def execute(self, context: Context) -> dict[str, Any]:
        """Change what is given."""
        self.push_link(context, self.hook.help_center_url)
        self.list_unmatched(context)
        rest = {field: from_text(getattr(self, field)) for field in _RULES}
        rest |= {"new_name": self.new_name, "user_type": self.user_type}
        if self.user_ids is None:
            return self.result_of(self.hook.update_user_segment(**self.key, **rest))
        given = {
            **self.key,
            "identify_by": self.identify_by,
            "on_invalid": self.on_invalid,
            "on_unmatched": self.on_unmatched,
            **self.limits,
        }
        if any(value is not None and value != "" for value in rest.values()):
            from airflow_segments_provider.operators.zendesk_update import update_with_users

            given |= {"action": self.action, "allow_empty": self.allow_empty}
            return self.result_of(update_with_users(self.hook, self.user_ids, rest, **given))
        if self.action == "set":
            given["allow_empty"] = self.allow_empty
            return self.result_of(self.hook.set_users(self.user_ids, **given))
        change = {"add": self.hook.add_users, "remove": self.hook.remove_users}.get(self.action)
        if change is None:
            raise InvalidInput("The update of a user segment", ["`action` must be 'add', 'remove' or 'set'."])
        # Of the members that `set` removes.
        given.pop("max_removed_fraction", None)
        return self.result_of(change(self.user_ids, **given))


class ZendeskDeleteUserSegmentOperator(ZendeskUserSegmentOperator):
    """Delete a user segment. One that is in use is not deleted: the error says where it is applied.

    Returns what a create returns; ``outcome`` is ``deleted`` or ``missing``.

    :param if_missing: ``skip`` takes a segment that is not there for deleted, ``fail`` fails.
    """

    template_fields: Sequence[str] = (*ZendeskUserSegmentOperator.template_fields, "if_missing")

    def __init__(self, *, if_missing: str = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.if_missing = if_missing

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the segment."""
        self.push_link(context, self.hook.help_center_url)
        change = self.hook.delete_user_segment(if_missing=self.if_missing, **self.key)  # type: ignore[arg-type]
        return self.result_of(change)


class ZendeskGetUserSegmentOperator(ZendeskUserSegmentOperator):
    """Get a user segment.

    Returns ``user_segment_id, name, user_type, built_in, tags, or_tags, organization_ids, group_ids, added_users,
    created_at, updated_at``, where ``added_users`` is the number of people added by their ids.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the segment."""
        self.push_link(context, self.hook.help_center_url)
        segment = self.hook.get_user_segment(**self.key)
        self.log.info(
            "User segment %r (%s) has %s added users.", segment.name, segment.user_segment_id, segment.added_users
        )
        return segment.model_dump(mode="json")


class ZendeskListUserSegmentsOperator(ZendeskOperator):
    """List user segments.

    Returns ``{user_segments, shared_only}``: each segment as :class:`ZendeskGetUserSegmentOperator` returns it, and
    whether those of ``user_id`` were kept back that the connection's own user, an agent, is not in.

    :param applicable: only those that the plan lets be applied.
    :param built_in: only those that are built in, or only the others; by default both.
    :param user_id: only those that this user is in; not together with ``applicable``. Airflow's UI and database show
        "1 user id".
    """

    template_fields: Sequence[str] = ("applicable", "built_in", "user_id", "zendesk_conn_id")
    user_id = UserIdField()

    def __init__(
        self,
        *,
        applicable: bool | str = False,
        built_in: bool | str | None = None,
        user_id: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.applicable = applicable
        self.built_in = built_in
        self.user_id = user_id

    def execute(self, context: Context) -> dict[str, Any]:
        """List the segments."""
        self.push_link(context, self.hook.help_center_url)
        found = self.hook.get_user_segments(
            applicable=self.applicable,  # type: ignore[arg-type]
            built_in=self.built_in,  # type: ignore[arg-type]
            user_id=None if self.user_id is None else the_user_id(self.user_id),
        )
        self.log.info("Zendesk lists %d user segments.", len(found.segments))
        if found.shared_only:
            self.log.warning(
                "Only segments that the connection's own user is in as well: it is no Help Center manager."
            )
        return {
            "user_segments": [segment.model_dump(mode="json") for segment in found.segments],
            "shared_only": found.shared_only,
        }
