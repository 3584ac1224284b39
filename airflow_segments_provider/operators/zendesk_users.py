"""Change the tags of a Zendesk user, or many users at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.operators.users import FoundUsersOperator
from airflow_segments_provider.operators.zendesk_arguments import UserIdField, from_text, the_user_id
from airflow_segments_provider.operators.zendesk_operator import ZendeskOperator
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["ZendeskGetUserTagsOperator", "ZendeskUpdateUserTagsOperator", "ZendeskUpdateUsersOperator"]


class ZendeskGetUserTagsOperator(ZendeskOperator):
    """Get a user's tags: ``{tags}``. Those of the user's organizations, which count in segments, are not among them.

    :param user_id: Zendesk's id of the user. Airflow's UI and database show "1 user id".
    """

    template_fields: Sequence[str] = ("user_id", "zendesk_conn_id")
    user_id = UserIdField()

    def __init__(self, *, user_id: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user_id = user_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Get the tags."""
        self.push_link(context, self.hook.help_center_url)
        tags = self.hook.get_user_tags(the_user_id(self.user_id))
        self.log.info("The user has %d tags.", len(tags))
        return {"tags": tags}


class ZendeskUpdateUserTagsOperator(ZendeskOperator):
    """Add tags to a user's, remove them, or make them the only ones. Can be repeated at will.

    Returns ``{tags}``: what the user has then. For many users see :class:`ZendeskUpdateUsersOperator`.

    :param user_id: Zendesk's id of the user. Airflow's UI and database show "1 user id".
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

        :raises InvalidInput: ``action`` is none of the three.
        """
        self.push_link(context, self.hook.help_center_url)
        change = {
            "add": self.hook.add_user_tags,
            "remove": self.hook.remove_user_tags,
            "set": self.hook.set_user_tags,
        }.get(self.action)
        if change is None:
            raise InvalidInput("The change of tags", ["`action` must be 'add', 'remove' or 'set'."])
        tags = change(the_user_id(self.user_id), from_text(self.tags))
        self.log.info("The user's tags are changed (%s): %d now.", self.action, len(tags))
        return {"tags": tags}


class ZendeskUpdateUsersOperator(FoundUsersOperator, ZendeskOperator):
    """Make the same change to many users, in background jobs of 100 users each.

    Returns ``job_ids, jobs, users_sent, users_updated, users_rejected, users_unmatched, unmatched_file, requests``:
    ``jobs`` is the number of all, ``job_ids`` are those that were not known to have succeeded, so that a million users
    leave no long list. The last 30 jobs are still to run then: wait for them, and see what failed in them, with
    :class:`~airflow_segments_provider.sensors.zendesk.ZendeskJobStatusSensor`.

    :param user_ids: a list, an upstream result, a template that renders to a list, any iterable, or a source. Airflow's
        UI and database show their number.
    :param change: in the API's words, or a text that holds such an object (JSON), e.g. ``{"tags": ["trial"]}``: note
        that Zendesk then takes away all other tags that these users have.
    :param identify_by: what ``user_ids`` are: ``id`` (Zendesk's), ``email`` (one call each) or ``external_id``.
    :param on_invalid: ``fail`` refuses all ids if one is unusable; ``skip`` leaves those out and counts them.
    :param on_unmatched: the same for people whom Zendesk does not know.
    :param max_invalid_fraction: limits what is left out, as ``max_unmatched_fraction`` does: see
        :class:`~airflow_segments_provider.operators.users.FoundUsersOperator`.
    """

    template_fields: Sequence[str] = (
        "user_ids",
        "change",
        "identify_by",
        "on_invalid",
        "on_unmatched",
        "zendesk_conn_id",
        *FoundUsersOperator.limit_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"change": "json"}
    value_fields: Sequence[str] = ("change",)
    user_ids = UserIdsField()

    def __init__(
        self,
        *,
        user_ids: UserSource | str,
        change: Mapping[str, Any] | str,
        identify_by: str = "id",
        on_invalid: str = "fail",
        on_unmatched: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_ids = user_ids
        self.change = change
        self.identify_by = identify_by
        self.on_invalid = on_invalid
        self.on_unmatched = on_unmatched

    def execute(self, context: Context) -> dict[str, Any]:
        """Begin the jobs."""
        self.push_link(context, self.hook.help_center_url)
        self.list_unmatched(context)
        update = self.hook.update_users(
            self.user_ids,
            from_text(self.change),
            identify_by=self.identify_by,  # type: ignore[arg-type]
            on_invalid=self.on_invalid,  # type: ignore[arg-type]
            on_unmatched=self.on_unmatched,  # type: ignore[arg-type]
            **self.limits,
        )
        open_jobs = [job.job_id for job in update.jobs if not job.success]
        self.log.info(
            "%s users sent in %d background jobs, of which %d have succeeded so far, in %d requests.",
            f"{update.users_sent:,}",
            len(update.jobs),
            len(update.jobs) - len(open_jobs),
            update.requests,
        )
        self.log_left_out(update.users_rejected, update.users_unmatched)
        return {
            "job_ids": open_jobs,
            "jobs": len(update.jobs),
            "users_updated": sum(job.succeeded or 0 for job in update.jobs if job.success),
            **update.model_dump(mode="json", exclude={"jobs"}),
        }
