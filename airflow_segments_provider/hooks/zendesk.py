"""User segments of a Zendesk Help Center, and Zendesk's users."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import UserSource
from airflow_segments_provider.vendors.zendesk.connection import (
    ZendeskConnectionFields,
    _extra,
    from_official,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.sources.ids import OnInvalid
    from airflow_segments_provider.vendors.base.parameters import FoundUserLimits, Given, OnUnmatched
    from airflow_segments_provider.vendors.zendesk.api import ZendeskEndpoints
    from airflow_segments_provider.vendors.zendesk.connection import ZendeskConnectionFields
    from airflow_segments_provider.vendors.zendesk.parameters import IdentifyBy
    from airflow_segments_provider.vendors.zendesk.responses import JobStatus, User, UserMatches, UsersUpdate
    from airflow_segments_provider.vendors.zendesk.users import StagedPeople

    Model = TypeVar("Model", bound=Given)
    from airflow_segments_provider.vendors.base.parameters import ExactMemberLimits
    from airflow_segments_provider.vendors.zendesk.parameters import (
        ChangeUsers,
        IfExists,
        IfMissing,
        UserSegmentKey,
        UserType,
    )
    from airflow_segments_provider.vendors.zendesk.responses import (
        AppliedSegment,
        Section,
        Topic,
        UserSegment,
        UserSegmentChange,
        UserSegments,
    )

__all__ = ["ZendeskHelpCenterHook"]


def in_our_words(connection: Connection) -> Connection:
    """The connection; one of the official provider's type as one of ours."""
    from airflow.providers.common.compat.sdk import Connection

    extra = _extra(connection)
    if connection.conn_type != "zendesk" or extra is None:
        return connection
    return Connection(
        conn_id=connection.conn_id,
        conn_type="zendesk_help_center",
        host=connection.host,
        schema=connection.schema,
        login=connection.login,
        password=connection.password,
        port=connection.port,
        extra=json.dumps(from_official(extra, connection.login, connection.password)),
    )


class ZendeskHelpCenterHook(VendorHook):
    """User segments of a Zendesk Help Center, and the users and tags that fill them.

    The connection, of type ``zendesk_help_center``: host = ``acme``, ``acme.zendesk.com`` or a URL, login = OAuth
    client id, password = OAuth client secret; other ways to log in, and the rest, in the extra fields of
    :class:`~airflow_segments_provider.vendors.zendesk.connection.ZendeskConnectionFields`. A connection of the official
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
        from airflow_segments_provider.vendors.zendesk.diagnose import explain

        return explain(self)

    # The connection ------------------------------------------------------------------------------------------------

    @cached_property
    def connection(self) -> Any:
        """The Airflow connection, looked up once; one of the official provider's type is put in our words."""
        return in_our_words(self.get_connection(self.conn_id))

    @cached_property
    def fields(self) -> ZendeskConnectionFields:
        """The connection's extra fields, parsed.

        :raises ConfigurationError: names every field that is missing or wrong.
        """
        from airflow_segments_provider.vendors.zendesk.connection import read_zendesk_fields

        return read_zendesk_fields(self.connection)

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        from airflow_segments_provider.vendors.zendesk.connection import open_zendesk_client

        return open_zendesk_client(self.connection, self.fields, self.retry, self.mask)

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
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.content import list_segments
        from airflow_segments_provider.vendors.zendesk.parameters import ListUserSegments

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
        from airflow_segments_provider.vendors.zendesk.content import sections

        return sections(self.endpoints(), self._key(user_segment))

    def get_topics(self, **user_segment: Any) -> Iterator[Topic]:
        """The topics that a segment is applied to, page by page."""
        from airflow_segments_provider.vendors.zendesk.content import topics

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
        from airflow_segments_provider.vendors.zendesk.creation import UserSegmentCreation
        from airflow_segments_provider.vendors.zendesk.parameters import CreateUserSegment

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
        from airflow_segments_provider.vendors.zendesk.parameters import UpdateUserSegment
        from airflow_segments_provider.vendors.zendesk.segments import update

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
        from airflow_segments_provider.vendors.zendesk.parameters import DeleteUserSegment
        from airflow_segments_provider.vendors.zendesk.segments import delete

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
        from airflow_segments_provider.vendors.zendesk.content import apply
        from airflow_segments_provider.vendors.zendesk.parameters import ApplyUserSegment

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
        from airflow_segments_provider.vendors.zendesk.added_users import add

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
        from airflow_segments_provider.vendors.zendesk.added_users import remove

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
        from airflow_segments_provider.vendors.zendesk.added_users import replace
        from airflow_segments_provider.vendors.zendesk.parameters import SetUsers

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
        from airflow_segments_provider.vendors.zendesk.parameters import ChangeUsers

        with self.checked(subject, ChangeUsers, given, user_ids) as checked:
            return change(*checked)

    def _key(self, given: dict[str, Any]) -> UserSegmentKey:
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey

        return accepted("The look-up of a user segment", UserSegmentKey, given)

    # Users ---------------------------------------------------------------------------------------------------------

    def get_users(self, query: str | None = None) -> Iterator[User]:
        """All users, page by page; or those whom Zendesk's search finds, 10,000 at most.

        :param query: in Zendesk's search syntax, e.g. ``tags:vip role:end-user``.
        """
        from airflow_segments_provider.vendors.zendesk.users import all_users

        return all_users(self.endpoints(), query)

    def find_users(self, values: UserSource, *, by: IdentifyBy = "email") -> UserMatches:
        """The ids of users by their e-mail addresses (one call each), external ids or ids (one call for 100).

        Case does not count; nothing but a value that is the same otherwise does.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.parameters import FindUsers
        from airflow_segments_provider.vendors.zendesk.users import find_users

        wanted = accepted("The look-up of users", FindUsers, {"by": by})
        return find_users(self.endpoints(), values, wanted.by)

    def update_user(self, user_id: int | str, change: Mapping[str, Any]) -> User:
        """Change one user; Zendesk takes 5 changes of one user a minute, and 60 of all.

        :param change: in the API's words; ``tags`` replaces all of the user's tags.
        """
        from airflow_segments_provider.vendors.zendesk.parameters import UpdateUser
        from airflow_segments_provider.vendors.zendesk.users import update_user

        given = {"user_id": user_id, "change": change}
        with self.checked("The update of a user", UpdateUser, given) as (endpoints, wanted, _):
            return update_user(endpoints, wanted)

    def get_user_tags(self, user_id: int | str) -> list[str]:
        """The tags of a user; those of the user's organizations are not among them."""
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.parameters import UserTags
        from airflow_segments_provider.vendors.zendesk.users import get_tags

        return get_tags(self.endpoints(), accepted("The look-up of tags", UserTags, {"user_id": user_id}).user_id)

    def set_user_tags(self, user_id: int | str, tags: Iterable[str]) -> list[str]:
        """Make a user's tags exactly these, and return what they are then."""
        return self._change_tags("set", user_id, tags)

    def add_user_tags(self, user_id: int | str, tags: Iterable[str]) -> list[str]:
        """Add tags to a user's, and return what they are then."""
        return self._change_tags("add", user_id, tags)

    def remove_user_tags(self, user_id: int | str, tags: Iterable[str]) -> list[str]:
        """Remove tags from a user's, and return what they are then."""
        return self._change_tags("remove", user_id, tags)

    def _change_tags(self, action: str, user_id: int | str, tags: Iterable[str]) -> list[str]:
        from airflow_segments_provider.vendors.zendesk.parameters import UserTags
        from airflow_segments_provider.vendors.zendesk.users import change_tags

        given = {"user_id": user_id, "tags": listed(tags)}
        with self.checked("The change of tags", UserTags, given) as (endpoints, wanted, _):
            return change_tags(endpoints, action, wanted)

    # Many users at once --------------------------------------------------------------------------------------------

    def update_users(
        self,
        user_ids: UserSource,
        change: Mapping[str, Any],
        *,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **limits: Unpack[FoundUserLimits],
    ) -> UsersUpdate:
        """Begin background jobs that make the same change to many users, 100 a job.

        Zendesk runs 30 jobs at once, so this waits while more are to be begun; it does not wait for the last ones. A
        job that completes may still have failed for some users: see :class:`JobStatus`.

        :param change: in the API's words; ``tags`` replaces all tags that a user has when the job comes to it.
        :param limits: ``max_invalid_fraction`` and ``max_unmatched_fraction``, see
            :mod:`airflow_segments_provider.vendors.base.parameters`.
        """
        from airflow_segments_provider.vendors.zendesk.jobs import update_users
        from airflow_segments_provider.vendors.zendesk.parameters import UpdateUsers

        given = {
            "change": change,
            "identify_by": identify_by,
            "on_invalid": on_invalid,
            "on_unmatched": on_unmatched,
            **limits,
        }
        with self.checked("The update of users", UpdateUsers, given, user_ids) as checked:
            return update_users(*checked)

    def update_each_user(self, changes: Iterable[Mapping[str, Any]]) -> UsersUpdate:
        """Begin background jobs that change each user in its own way, 100 a job; otherwise as :meth:`update_users`.

        :param changes: each with ``id`` or ``external_id``, and what is to change.
        """
        from airflow_segments_provider.vendors.base.parameters import Given
        from airflow_segments_provider.vendors.zendesk.jobs import update_each_user
        from airflow_segments_provider.vendors.zendesk.users import Rows

        with self.checked("The update of users", Given, {}, Rows(changes)) as (endpoints, _, people):
            return update_each_user(endpoints, people)

    def get_job_status(self, job_id: str) -> JobStatus:
        """One background job."""
        return self.get_job_statuses([job_id])[0]

    def get_job_statuses(self, job_ids: Iterable[str]) -> list[JobStatus]:
        """Background jobs, in the order asked for; one call for 100.

        :raises NotFound: Zendesk does not know one of them (any more).
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.jobs import get_jobs
        from airflow_segments_provider.vendors.zendesk.parameters import JobIds

        wanted = accepted("The look-up of jobs", JobIds, {"job_ids": listed(job_ids)})
        return get_jobs(self.endpoints(), wanted.job_ids)

    # Checking ------------------------------------------------------------------------------------------------------

    def endpoints(self) -> ZendeskEndpoints:
        """The endpoints of this connection, for one method's work."""
        from airflow_segments_provider.vendors.zendesk.api import ZendeskEndpoints

        return ZendeskEndpoints(self.client, self.conn_id, self.fields)

    @contextmanager
    def checked(
        self, subject: str, model: type[Model], given: dict[str, Any], user_ids: UserSource = ()
    ) -> Iterator[tuple[ZendeskEndpoints, Model, StagedPeople]]:
        """The endpoints, the input and the people of a write, once all of them are found to be right."""
        from airflow_segments_provider.vendors.zendesk.parameters import PER_CALL
        from airflow_segments_provider.vendors.zendesk.users import Rows, checked_people, longest

        length = longest(user_ids, given)
        numbered = not isinstance(user_ids, Rows) and given.get("identify_by", "id") == "id"
        with self.staged(subject, given, user_ids, max_length=length, per_request=PER_CALL, whole_numbers=numbered) as (
            staged,
            problems,
        ):
            endpoints = self.endpoints()
            with checked_people(endpoints, staged, user_ids, subject, model, given, problems, self.unmatched_list) as (
                wanted,
                people,
            ):
                yield endpoints, wanted, people


def listed(values: Any) -> Any:
    """A list of what is iterable; anything else is for the model to refuse."""
    return list(values) if isinstance(values, (tuple, set, frozenset, range)) or hasattr(values, "__next__") else values
