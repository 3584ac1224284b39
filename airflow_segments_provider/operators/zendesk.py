"""Operators for Zendesk user segments, the content that they restrict, and Zendesk's users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.links import ZendeskHelpCenterLink
from airflow_segments_provider.operators.base import ExactMembersOperator, FoundUsersOperator, VendorOperator
from airflow_segments_provider.operators.rendering import is_result
from airflow_segments_provider.operators.user_ids import UserIds, UserIdsField
from airflow_segments_provider.sources.values import NOT_GIVEN, UserSource, read_values

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.vendors.zendesk.responses import (
        AppliedSegment,
        UserSegment,
        UserSegmentChange,
    )

__all__ = [
    "ZendeskApplyUserSegmentOperator",
    "ZendeskCreateUserSegmentOperator",
    "ZendeskDeleteUserSegmentOperator",
    "ZendeskGetUserSegmentOperator",
    "ZendeskGetUserTagsOperator",
    "ZendeskListUserSegmentSectionsOperator",
    "ZendeskListUserSegmentTopicsOperator",
    "ZendeskListUserSegmentsOperator",
    "ZendeskUpdateUserSegmentOperator",
    "ZendeskUpdateUserTagsOperator",
    "ZendeskUpdateUsersOperator",
]


class UserIdField(UserIdsField):
    """The ID of one user, or None; stored as a list of one, so that Airflow shows a count."""

    def __set__(self, instance: object, value: Any) -> None:
        """Conceal the ID; keep None if the DAG's author wrote it, not if a template rendered to it."""
        if value is None and instance.__dict__.get(self._slot) is None:
            instance.__dict__[self._slot] = None
        else:
            held = value is None or isinstance(value, (list, UserIds))
            super().__set__(instance, value if held else [value])

    def conceal(self, value: Any) -> Any:
        """Conceal an ID of the DAG file, also of a mapped task; leave None and what Airflow has still to render."""
        if value is None or is_result(value):
            return value
        return super().conceal(value if isinstance(value, (list, UserIds)) else [value])


def the_user_id(user_ids: Any) -> Any:
    """Return the ID that a :class:`UserIdField` holds.

    :raises InvalidInput: it does not hold exactly one; a template may have rendered to nothing.
    """
    values = () if user_ids is None else read_values(user_ids)
    ids = [value for value in values if value is not None and value not in ("", "None")]
    if len(ids) != 1:
        raise InvalidInput("The task", [f"`user_id` must be the id of one user; it holds {len(ids)}."])
    return ids[0]


class ZendeskOperator(VendorOperator):
    """Base of the Zendesk operators.

    :param zendesk_conn_id: the connection.
    """

    hook_class = ZendeskHelpCenterHook
    asset = ("zendesk", "user_segment_id")
    template_fields: Sequence[str] = ("zendesk_conn_id",)
    operator_extra_links = (ZendeskHelpCenterLink(),)
    ui_color = "#e9f3ec"

    def __init__(self, *, zendesk_conn_id: str = ZendeskHelpCenterHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zendesk_conn_id = zendesk_conn_id

    def result_of(self, change: UserSegmentChange) -> dict[str, Any]:
        """Log the change and the users who were left out, and return the task's result."""
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
    """Base of the operators on one existing user segment.

    :param user_segment: the result of a create or update (``create.output``).
    :param user_segment_id: in place of ``user_segment``.
    :param name: in place of both: the exact name of a segment that is not built in. One list of segments more.
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


_RULES = ("tags", "or_tags", "organization_ids", "group_ids")


class ZendeskCreateUserSegmentOperator(ExactMembersOperator, ZendeskOperator):
    """Create a user segment with these added users, or add them to the existing one; creating twice results in one.

    Returns ``user_segment_id, name, user_type, outcome, users_sent, users_added, users_removed, users_rejected,
    users_unmatched, unmatched_file, requests, changed_at``.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.ExactMembersOperator`;
    ``user_ids`` are in the segment besides those who fit its rules: without a rule, these are all users of its type. A
    segment of ``user_ids`` alone needs a rule that no user fits, such as a tag. ``identify_by`` is ``id``,
    ``email`` (one call for each address) or ``external_id``. A list of the other parameters may also be a text that
    holds one (JSON).

    :param or_tags: a user needs one of them.
    :param group_ids: a member of the staff needs one of them.
    :param name: 1 to 255 characters; an existing segment is found by its name.
    :param user_type: ``signed_in_users`` or ``staff``.
    :param tags: a user needs all of them; of ``or_tags``, one. The tags of a user's organizations count.
    :param organization_ids: a signed-in user needs one of them; a member of the staff, one of ``group_ids``.
    :param if_exists: ``reuse`` adds the users and changes nothing else, ``update`` sets the rules, the type and the
        added users (a rule that is not set is removed), ``fail`` fails.
    """

    template_fields: Sequence[str] = (
        "name",
        "user_type",
        "tags",
        "or_tags",
        "organization_ids",
        "group_ids",
        "if_exists",
        "zendesk_conn_id",
        *ExactMembersOperator.user_fields,
    )

    def __init__(
        self,
        *,
        name: str,
        user_type: str = "signed_in_users",
        tags: Iterable[str] | str = (),
        or_tags: Iterable[str] | str = (),
        organization_ids: Iterable[int | str] | str = (),
        group_ids: Iterable[int | str] | str = (),
        if_exists: str = "reuse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.user_type = user_type
        self.tags = tags
        self.or_tags = or_tags
        self.organization_ids = organization_ids
        self.group_ids = group_ids
        self.if_exists = if_exists

    def execute(self, context: Context) -> dict[str, Any]:
        """Create or update the segment."""
        return self.call_hook(context, self.hook.create_user_segment)


class ZendeskUpdateUserSegmentOperator(ExactMembersOperator, ZendeskUserSegmentOperator):
    """Change the added users of a user segment, its rules, its type or its name. A repetition changes nothing.

    Zendesk replaces all added users at once: they are read, changed and written. If two tasks change one segment at the
    same time, one change is lost. Make both changes in one task, or use a pool of one slot.

    Returns what :class:`ZendeskCreateUserSegmentOperator` returns. The parameters of users and rules are the same; None
    leaves a rule, the type or the name unchanged.

    :param new_name: no other custom segment may have it.
    :param user_type: ``signed_in_users`` or ``staff``.
    :param or_tags: a user needs one of them.
    :param organization_ids: a signed-in user needs one of them.
    :param group_ids: a member of the staff needs one of them.
    :param action: ``add`` or ``remove`` these users, or ``set`` the added users to exactly these.
    :param tags: an empty list removes the rule, as for the other rules.
    """

    template_fields: Sequence[str] = (
        *ZendeskUserSegmentOperator.template_fields,
        "action",
        "new_name",
        "user_type",
        "tags",
        "or_tags",
        "organization_ids",
        "group_ids",
        *ExactMembersOperator.user_fields,
    )

    def __init__(
        self,
        *,
        user_ids: UserSource | str = NOT_GIVEN,
        action: str = "add",
        new_name: str | None = None,
        user_type: str | None = None,
        tags: Iterable[str] | str | None = None,
        or_tags: Iterable[str] | str | None = None,
        organization_ids: Iterable[int | str] | str | None = None,
        group_ids: Iterable[int | str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(user_ids=user_ids, **kwargs)
        self.action = action
        self.new_name = new_name
        self.user_type = user_type
        self.tags = tags
        self.or_tags = or_tags
        self.organization_ids = organization_ids
        self.group_ids = group_ids

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the segment."""
        return self.call_hook(context, self.hook.update_user_segment)


class ZendeskDeleteUserSegmentOperator(ZendeskUserSegmentOperator):
    """Delete a user segment that is not in use; otherwise the error says where it is applied.

    Returns what :class:`ZendeskCreateUserSegmentOperator` returns; ``outcome`` is ``deleted`` or ``missing``.

    :param if_missing: ``skip`` accepts a missing segment, ``fail`` fails.
    """

    template_fields: Sequence[str] = (*ZendeskUserSegmentOperator.template_fields, "if_missing")

    def __init__(self, *, if_missing: str = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.if_missing = if_missing

    def execute(self, context: Context) -> dict[str, Any]:
        """Delete the segment."""
        return self.call_hook(context, self.hook.delete_user_segment)


class ZendeskGetUserSegmentOperator(ZendeskUserSegmentOperator):
    """Get a user segment.

    Returns ``user_segment_id, name, user_type, built_in, tags, or_tags, organization_ids, group_ids, added_users,
    created_at, updated_at``, where ``added_users`` is the number of users added by their IDs.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the segment."""
        self.push_link(context)
        segment: UserSegment = self.hook.get_user_segment(**self.parameters)
        self.push_link(context, segment.user_segment_id)
        self.log.info(
            "User segment %r (%s) has %s added users.", segment.name, segment.user_segment_id, segment.added_users
        )
        return segment.model_dump(mode="json")


class ZendeskListUserSegmentsOperator(ZendeskOperator):
    """List user segments.

    Returns ``{user_segments, shared_only}``: each segment as :class:`ZendeskGetUserSegmentOperator` returns it.
    ``shared_only`` is true where Zendesk lists only those segments of ``user_id`` that the connection's own user, an
    agent, is in, too.

    :param applicable: only segments that the Zendesk plan permits to apply.
    :param built_in: only segments that are built in, or only the others; by default both.
    :param user_id: only segments that this user is in; not together with ``applicable``. Airflow's UI and database
        show "1 user id".
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
        self.push_link(context)
        parameters = self.parameters
        if self.user_id is not None:
            parameters["user_id"] = the_user_id(self.user_id)
        found = self.hook.get_user_segments(**parameters)
        self.log.info("Zendesk lists %d user segments.", len(found.segments))
        if found.shared_only:
            self.log.warning(
                "Only segments that the connection's own user is in as well: it is not a Help Center manager."
            )
        return {
            "user_segments": [segment.model_dump(mode="json") for segment in found.segments],
            "shared_only": found.shared_only,
        }


class ZendeskGetUserTagsOperator(ZendeskOperator):
    """Get a user's tags: ``{tags}``, without those of the user's organizations, which count in segments.

    :param user_id: Zendesk's ID of the user. Airflow's UI and database show "1 user id".
    """

    template_fields: Sequence[str] = ("user_id", "zendesk_conn_id")
    user_id = UserIdField()

    def __init__(self, *, user_id: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user_id = user_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the tags."""
        self.push_link(context)
        tags = self.hook.get_user_tags(the_user_id(self.user_id))
        self.log.info("The user has %d tags.", len(tags))
        return {"tags": tags}


class ZendeskUpdateUserTagsOperator(ZendeskOperator):
    """Add, remove or set the tags of one user. A repetition changes nothing.

    Returns ``{tags}``: the user's tags after the change. For many users see :class:`ZendeskUpdateUsersOperator`.

    :param user_id: Zendesk's ID of the user. Airflow's UI and database show "1 user id".
    :param tags: a list, or a text that holds one (JSON).
    :param action: ``add``, ``remove`` or ``set``; ``set`` without tags removes all.
    """

    template_fields: Sequence[str] = ("user_id", "tags", "action", "zendesk_conn_id")
    user_id = UserIdField()

    def __init__(self, *, user_id: Any, tags: Iterable[str] | str, action: str = "add", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user_id = user_id
        self.tags = tags
        self.action = action

    def execute(self, context: Context) -> dict[str, Any]:
        """Change the tags.

        :raises InvalidInput: ``action`` is not one of the three.
        """
        self.push_link(context)
        change = {
            "add": self.hook.add_user_tags,
            "remove": self.hook.remove_user_tags,
            "set": self.hook.set_user_tags,
        }.get(self.action)
        if change is None:
            raise InvalidInput("The change of tags", ["`action` must be 'add', 'remove' or 'set'."])
        tags = change(the_user_id(self.user_id), self.tags)
        self.log.info("The user's tags are changed (%s): %d now.", self.action, len(tags))
        return {"tags": tags}


class ZendeskUpdateUsersOperator(FoundUsersOperator, ZendeskOperator):
    """Make the same change to many users, in background jobs of 100 users each.

    Returns ``job_ids, jobs, users_sent, users_updated, users_rejected, users_unmatched, unmatched_file, requests``:
    ``jobs`` is the number of all jobs, ``job_ids`` are those without a known success. Up to 30 jobs still run when the
    task ends: wait for them, and get their failures, with
    :class:`~airflow_segments_provider.sensors.zendesk.ZendeskJobStatusSensor`.

    The parameters of users are those of :class:`~airflow_segments_provider.operators.base.FoundUsersOperator`.
    ``identify_by`` is ``id``, ``email`` (one call for each address) or ``external_id``.

    :param change: the fields in the API's words, or such an object as a text (JSON). For example,
        ``{"tags": ["trial"]}`` replaces all tags of these users.
    """

    template_fields: Sequence[str] = (
        "change",
        "zendesk_conn_id",
        *FoundUsersOperator.user_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"change": "json"}
    value_fields: Sequence[str] = ("change",)

    def __init__(self, *, user_ids: UserSource | str, change: Mapping[str, Any] | str, **kwargs: Any) -> None:
        super().__init__(user_ids=user_ids, **kwargs)
        self.change = change

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the jobs."""
        return self.call_hook(context, self.hook.update_users)

    def result_of(self, change: Any) -> dict[str, Any]:
        """Log the jobs, and return the task's result."""
        open_jobs = [job.job_id for job in change.jobs if not job.success]
        self.log.info(
            "%s users sent in %d background jobs, of which %d have succeeded so far, in %d requests.",
            f"{change.users_sent:,}",
            len(change.jobs),
            len(change.jobs) - len(open_jobs),
            change.requests,
        )
        self.log_left_out(change.users_rejected, change.users_unmatched)
        return {
            "job_ids": open_jobs,
            "jobs": len(change.jobs),
            "users_updated": sum(job.succeeded or 0 for job in change.jobs if job.success),
            **change.model_dump(mode="json", exclude={"jobs"}),
        }


class ZendeskApplyUserSegmentOperator(ZendeskUserSegmentOperator):
    """Restrict an article or a topic to a user segment, or remove the restriction.

    The segment replaces every other one of the article or topic. Refused where the Zendesk plan does not permit to
    apply the segment.

    Returns ``article_id, topic_id, user_segment_id, changed``.

    :param topic_id: either this or ``article_id``.
    :param article_id: either this or ``topic_id``.
    :param clear: in place of a segment: all visitors may see the article or topic, also without signing in.
    """

    template_fields: Sequence[str] = (
        *ZendeskUserSegmentOperator.template_fields,
        "article_id",
        "topic_id",
        "clear",
    )

    def __init__(
        self,
        *,
        article_id: int | str | None = None,
        topic_id: int | str | None = None,
        clear: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.article_id = article_id
        self.topic_id = topic_id
        self.clear = clear

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply the segment."""
        self.push_link(context)
        applied: AppliedSegment = self.hook.apply_user_segment(**self.parameters)
        self.push_link(context, applied.user_segment_id)
        self.log.info(
            "%s %s: %s%s.",
            "Topic" if applied.article_id is None else "Article",
            applied.article_id or applied.topic_id,
            "all visitors may see it"
            if applied.user_segment_id is None
            else f"only user segment {applied.user_segment_id} may see it",
            "" if applied.changed else ", as before",
        )
        return applied.model_dump(mode="json")


class ZendeskListUserSegmentSectionsOperator(ZendeskUserSegmentOperator):
    """List the sections that a user segment is applied to: ``[{id, name, html_url}, …]``."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the sections."""
        self.push_link(context)
        found = [
            section.model_dump(mode="json", include={"id", "name", "html_url"})
            for section in self.hook.get_sections(**self.parameters)
        ]
        self.log.info("The user segment is applied to %d sections.", len(found))
        return found


class ZendeskListUserSegmentTopicsOperator(ZendeskUserSegmentOperator):
    """List the topics that a user segment is applied to: ``[{id, name, html_url}, …]``."""

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """List the topics."""
        self.push_link(context)
        found = [
            topic.model_dump(mode="json", include={"id", "name", "html_url"})
            for topic in self.hook.get_topics(**self.parameters)
        ]
        self.log.info("The user segment is applied to %d topics.", len(found))
        return found
