"""Zendesk Help Center user segments: see the models' modules for the vendor's pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

from airflow_segments_provider.hooks.zendesk_support import ZendeskUsersHook, listed
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.zendesk_endpoints import ZendeskEndpoints
    from airflow_segments_provider.hooks.zendesk_people import StagedPeople
    from airflow_segments_provider.http import RetryPolicy
    from airflow_segments_provider.models.zendesk import (
        ChangeUsers,
        IdentifyBy,
        IfExists,
        IfMissing,
        UserSegment,
        UserSegmentChange,
        UserSegmentKey,
        UserSegments,
        UserType,
    )
    from airflow_segments_provider.models.zendesk_content import AppliedSegment, Section, Topic
    from airflow_segments_provider.sources.ids import OnInvalid
    from airflow_segments_provider.vendors.base.parameters import ExactMemberLimits, OnUnmatched

__all__ = ["ZendeskHelpCenterHook"]


class ZendeskHelpCenterHook(ZendeskUsersHook):
    """User segments of a Zendesk Help Center, and the users and tags that fill them.

    The connection, of type ``zendesk_help_center``: host = ``acme``, ``acme.zendesk.com`` or a URL, login = OAuth
    client id, password = OAuth client secret; other ways to log in, and the rest, in the extra fields of
    :class:`~airflow_segments_provider.models.zendesk.ZendeskConnectionFields`. A connection of the official
    provider's type ``zendesk`` works, too. Segments need a Help Center manager (Guide admin).

    Wherever a segment is meant, it is named by ``user_segment_id``, by ``name`` (exact, not that of a built-in one), or
    by ``user_segment``, the result of a create or update. Wherever people are taken, any iterable will do; it is
    checked whole before the first call. Every method that calls may raise
    :class:`~airflow_segments_provider.errors.VendorError`.

    :param zendesk_conn_id: the connection.
    :param retry: in place of the connection's own ``retry``.
    """

    conn_name_attr = "zendesk_conn_id"
    default_conn_name = "zendesk_help_center_default"
    conn_type = "zendesk_help_center"
    hook_name = "Zendesk Help Center"

    def __init__(self, zendesk_conn_id: str = default_conn_name, *, retry: RetryPolicy | None = None) -> None:
        super().__init__(zendesk_conn_id, retry=retry)
        self.zendesk_conn_id = zendesk_conn_id

    @property
    def help_center_url(self) -> str:
        """Where people see the Help Center."""
        return f"{self.client.base_url}/hc"

    def test_connection(self) -> tuple[bool, str]:
        """Whether user segments could be managed, in plain words, and what is wrong if not. Changes nothing."""
        from airflow_segments_provider.hooks.zendesk_check import explain

        return explain(self)

    # Reading user segments -----------------------------------------------------------------------------------------

    def get_user_segments(
        self, *, built_in: bool | None = None, applicable: bool = False, user_id: int | str | None = None
    ) -> UserSegments:
        """All user segments, or those of one list.

        :param built_in: only those that are built in, or only the others.
        :param applicable: only those that the plan lets be applied.
        :param user_id: only those that this user is in. An agent who asks about somebody else is shown only those that
            the agent is in as well: ``shared_only`` says so.
        """
        from airflow_segments_provider.hooks.zendesk_read import list_segments
        from airflow_segments_provider.models.zendesk import ListUserSegments
        from airflow_segments_provider.vendors.base.parameters import accepted

        given = {"built_in": built_in, "applicable": applicable, "user_id": user_id}
        return list_segments(self.endpoints(), accepted("The list of user segments", ListUserSegments, given))

    def get_user_segment(self, **user_segment: Any) -> UserSegment:
        """One user segment.

        :raises NotFound: there is no such segment.
        :raises Conflict: several segments have that name.
        """
        return self.endpoints().found(self._key(user_segment))

    def find_user_segment(self, name: str) -> UserSegment | None:
        """The one segment of that name that is not built in, or None.

        :raises Conflict: several segments have that name.
        """
        return self.endpoints().find(self._key({"name": name}))

    def get_sections(self, **user_segment: Any) -> Iterator[Section]:
        """The sections that a segment is applied to, page by page."""
        from airflow_segments_provider.hooks.zendesk_read import sections

        return sections(self.endpoints(), self._key(user_segment))

    def get_topics(self, **user_segment: Any) -> Iterator[Topic]:
        """The topics that a segment is applied to, page by page."""
        from airflow_segments_provider.hooks.zendesk_read import topics

        return topics(self.endpoints(), self._key(user_segment))

    # User segments -------------------------------------------------------------------------------------------------

    def create_user_segment(
        self,
        name: str,
        user_ids: UserSource = (),
        *,
        user_type: UserType = "signed_in_users",
        tags: Iterable[str] = (),
        or_tags: Iterable[str] = (),
        organization_ids: Iterable[int] = (),
        group_ids: Iterable[int] = (),
        if_exists: IfExists = "reuse",
        allow_empty: bool = False,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **limits: Unpack[ExactMemberLimits],
    ) -> UserSegmentChange:
        """Make sure that the segment exists and that these people are in it. Creating twice makes one.

        :param user_ids: people who are in it whatever the rules say (``added_user_ids``).
        :param tags: a user needs all of them; ``or_tags``: one of them. Those of the user's organizations count.
        :param organization_ids: any one of them will do; for signed-in users.
        :param group_ids: any one of them will do; for staff.
        :param if_exists: ``reuse`` adds the people and changes nothing else; ``update`` makes it exactly as given, the
            people included; ``fail`` refuses.
        :param allow_empty: with ``update``, let nobody at all empty one that has members.
        :param identify_by: what ``user_ids`` are: Zendesk's ids, e-mail addresses (one call each) or external ids.
        :param on_invalid: ``fail`` refuses all ids if one is unusable; ``skip`` leaves those out and counts them.
        :param on_unmatched: the same for people whom Zendesk does not know.
        :param limits: ``max_invalid_fraction``, ``max_unmatched_fraction`` and ``max_removed_fraction``, see
            :mod:`airflow_segments_provider.vendors.base.parameters`. Methods that remove nobody else have the first
            two.
        :raises InvalidInput: before any change, with every problem found.
        :raises Conflict: it exists and ``if_exists="fail"``; or several segments have that name.
        """
        from airflow_segments_provider.hooks.zendesk_create import UserSegmentCreation
        from airflow_segments_provider.models.zendesk import CreateUserSegment

        given = {
            "name": name,
            "user_type": user_type,
            "tags": listed(tags),
            "or_tags": listed(or_tags),
            "organization_ids": listed(organization_ids),
            "group_ids": listed(group_ids),
            "if_exists": if_exists,
            "allow_empty": allow_empty,
            "identify_by": identify_by,
            "on_invalid": on_invalid,
            "on_unmatched": on_unmatched,
            **limits,
        }
        with self.checked(f"User segment {name!r}", CreateUserSegment, given, user_ids) as checked:
            return UserSegmentCreation(*checked).run()

    def update_user_segment(
        self,
        *,
        new_name: str | None = None,
        user_type: UserType | None = None,
        tags: Iterable[str] | None = None,
        or_tags: Iterable[str] | None = None,
        organization_ids: Iterable[int] | None = None,
        group_ids: Iterable[int] | None = None,
        **user_segment: Any,
    ) -> UserSegmentChange:
        """Give a segment another name or other rules. What is not given stays, an empty list takes a rule away.

        :raises InvalidInput: it is built in.
        :raises Conflict: another segment has the new name.
        """
        from airflow_segments_provider.hooks.zendesk_change import update
        from airflow_segments_provider.models.zendesk import UpdateUserSegment

        given = {
            **user_segment,
            "new_name": new_name,
            "user_type": user_type,
            "tags": listed(tags),
            "or_tags": listed(or_tags),
            "organization_ids": listed(organization_ids),
            "group_ids": listed(group_ids),
        }
        with self.checked("The update of a user segment", UpdateUserSegment, given) as (endpoints, wanted, _):
            return update(endpoints, wanted)

    def delete_user_segment(self, *, if_missing: IfMissing = "skip", **user_segment: Any) -> UserSegmentChange:
        """Delete a segment; Zendesk refuses where it is applied to something.

        :param if_missing: ``skip`` takes a segment that is not there for deleted, ``fail`` raises.
        :raises Conflict: it is in use; says where, as far as the API tells.
        :raises InvalidInput: it is built in.
        """
        from airflow_segments_provider.hooks.zendesk_change import delete
        from airflow_segments_provider.models.zendesk import DeleteUserSegment

        given = {**user_segment, "if_missing": if_missing}
        with self.checked("The deletion of a user segment", DeleteUserSegment, given) as (endpoints, wanted, _):
            return delete(endpoints, wanted)

    def apply_user_segment(
        self,
        *,
        article_id: int | str | None = None,
        topic_id: int | str | None = None,
        clear: bool = False,
        **user_segment: Any,
    ) -> AppliedSegment:
        """Let only the people of a segment see an article or a topic; it takes the place of every segment there.

        :param clear: let everybody see it, anonymous visitors included; then without a segment.
        :raises InvalidInput: the plan does not let the segment be applied.
        """
        from airflow_segments_provider.hooks.zendesk_apply import apply
        from airflow_segments_provider.models.zendesk_content import ApplyUserSegment

        given = {**user_segment, "article_id": article_id, "topic_id": topic_id, "clear": clear}
        with self.checked("The application of a user segment", ApplyUserSegment, given) as (endpoints, wanted, _):
            return apply(endpoints, wanted)

    # The people of a user segment ----------------------------------------------------------------------------------

    def add_users(
        self,
        user_ids: UserSource,
        *,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **user_segment: Any,
    ) -> UserSegmentChange:
        """Add people, whatever the segment's rules say of them; the other arguments are those of a create.

        Zendesk takes all added people at once, so they are read, changed and written: a change that somebody else makes
        between our reading and our writing is lost. Nothing is written where nothing changes, and what was written is
        checked. All of them are in memory and in one request.
        """
        from airflow_segments_provider.hooks.zendesk_added import add

        given = {**user_segment, "identify_by": identify_by, "on_invalid": on_invalid, "on_unmatched": on_unmatched}
        return self._change_users("The addition of people", add, user_ids, given)

    def remove_users(
        self,
        user_ids: UserSource,
        *,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **user_segment: Any,
    ) -> UserSegmentChange:
        """Remove people from those who were added; whoever fits the rules stays in the segment.

        Read, changed and written as by :meth:`add_users`, with the same loss. Somebody who was not added is no error.
        """
        from airflow_segments_provider.hooks.zendesk_added import remove

        given = {**user_segment, "identify_by": identify_by, "on_invalid": on_invalid, "on_unmatched": on_unmatched}
        return self._change_users("The removal of people", remove, user_ids, given)

    def set_users(
        self,
        user_ids: UserSource,
        *,
        allow_empty: bool = False,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **user_segment: Any,
    ) -> UserSegmentChange:
        """Make the added people exactly these; read first, and written only where something changes.

        :param allow_empty: without it, nobody at all is refused.
        """
        from airflow_segments_provider.hooks.zendesk_added import replace
        from airflow_segments_provider.models.zendesk import SetUsers

        given = {**user_segment, "identify_by": identify_by, "on_invalid": on_invalid, "on_unmatched": on_unmatched}
        subject = "The list of people"
        with self.checked(subject, SetUsers, {**given, "allow_empty": allow_empty}, user_ids) as checked:
            return replace(*checked)

    def _change_users(
        self,
        subject: str,
        change: Callable[[ZendeskEndpoints, ChangeUsers, StagedPeople], UserSegmentChange],
        user_ids: UserSource,
        given: dict[str, Any],
    ) -> UserSegmentChange:
        from airflow_segments_provider.models.zendesk import ChangeUsers

        with self.checked(subject, ChangeUsers, given, user_ids) as checked:
            return change(*checked)

    def _key(self, given: dict[str, Any]) -> UserSegmentKey:
        from airflow_segments_provider.models.zendesk import UserSegmentKey
        from airflow_segments_provider.vendors.base.parameters import accepted

        return accepted("The look-up of a user segment", UserSegmentKey, given)
