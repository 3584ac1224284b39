"""User segments of a Zendesk Help Center, and Zendesk's users."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import NOT_GIVEN, UserSource

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.vendors.base.lookup import UserRules
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.connection import ZendeskConnectionFields
    from airflow_segments_provider.vendors.zendesk.parameters import IdentifyBy, UserSegmentKey
    from airflow_segments_provider.vendors.zendesk.responses import (
        AppliedSegment,
        JobStatus,
        Section,
        Topic,
        User,
        UserMatches,
        UserSegment,
        UserSegmentChange,
        UserSegments,
        UsersUpdate,
    )

__all__ = ["ZendeskHelpCenterHook"]


def as_help_center(connection: Connection) -> Connection:
    """Return the connection, converted to type ``zendesk_help_center`` if it has the official provider's type."""
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.vendors.zendesk.connection import extra_of, from_official

    extra = extra_of(connection)
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
    """User segments of a Zendesk Help Center, and Zendesk's users and tags.

    The connection, of type ``zendesk_help_center``: host = ``acme``, ``acme.zendesk.com`` or a URL, login = OAuth
    client id, password = OAuth client secret; other authentication and settings in the extra fields of
    :class:`~airflow_segments_provider.vendors.zendesk.connection.ZendeskConnectionFields`. A connection of the official
    provider's type ``zendesk`` works, too. Segments need a Help Center manager (Guide admin).

    A segment is identified by ``user_segment_id``, by ``name`` (exact, not that of a built-in one), or by
    ``user_segment``, the result of a create or update. Users are anything that
    :func:`~airflow_segments_provider.sources.values.read_values` reads; all are checked before the first call. The
    other parameters of a method are the fields of the model in
    :mod:`airflow_segments_provider.vendors.zendesk.parameters` that it names. Every method that sends requests may
    raise :class:`~airflow_segments_provider.errors.VendorError`, and
    :class:`~airflow_segments_provider.errors.InvalidInput`, with every problem found, before the first request.

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

    @cached_property
    def connection(self) -> Any:
        """The Airflow connection, looked up once; one of the official provider's type is converted."""
        return as_help_center(self.get_connection(self.conn_id))

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

    @property
    def ui_url(self) -> str:
        """The list of user segments in the Knowledge admin."""
        return f"{self.client.base_url}/knowledge/user_segments"

    def segment_url(self, segment_id: str) -> str:
        """Return the address of a user segment's page in the Knowledge admin."""
        return f"{self.ui_url}/edit/{segment_id}"

    def api(self) -> ZendeskApi:
        """Return the API, whose count of requests begins at 0."""
        from airflow_segments_provider.vendors.zendesk.api import ZendeskApi

        return ZendeskApi(self.client, self.fields, self.conn_id)

    def user_rules(self) -> UserRules:
        """Return the rules for the users of a write."""
        from airflow_segments_provider.vendors.zendesk.users import ZendeskUserRules

        return ZendeskUserRules(self.api(), self.unmatched_list)

    def test_connection(self) -> tuple[bool, str]:
        """Report whether user segments can be managed; else what is wrong, and what to do. Sends reads only."""
        from airflow_segments_provider.vendors.zendesk.diagnose import explain

        return explain(self)

    def get_user_segments(self, **parameters: Any) -> UserSegments:
        """Return all user segments, or those of one list.

        :param parameters: of :class:`~airflow_segments_provider.vendors.zendesk.parameters.ListUserSegments`.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.content import list_segments
        from airflow_segments_provider.vendors.zendesk.parameters import ListUserSegments

        return list_segments(self.api(), accepted("The list of user segments", ListUserSegments, parameters))

    def get_user_segment(self, **user_segment: Any) -> UserSegment:
        """Return one user segment with its added users.

        :raises NotFound: the vendor does not have the segment.
        """
        return self.api().found(self._key(user_segment))

    def find_user_segment(self, name: str) -> UserSegment | None:
        """Return the custom segment of that name, or None.

        :raises Conflict: several segments have that name.
        """
        return self.api().find(self._key({"name": name}))

    def get_sections(self, **user_segment: Any) -> Iterator[Section]:
        """Return the sections that a segment is applied to."""
        from airflow_segments_provider.vendors.zendesk.content import sections

        return sections(self.api(), self._key(user_segment))

    def get_topics(self, **user_segment: Any) -> Iterator[Topic]:
        """Return the topics that a segment is applied to."""
        from airflow_segments_provider.vendors.zendesk.content import topics

        return topics(self.api(), self._key(user_segment))

    def _key(self, user_segment: dict[str, Any]) -> UserSegmentKey:
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey

        return accepted("The look-up of a user segment", UserSegmentKey, user_segment)

    def create_user_segment(self, name: str, user_ids: UserSource = (), **parameters: Any) -> UserSegmentChange:
        """Create a segment with these users, or use the one of that name. Creating twice results in one.

        :param parameters: of :class:`~airflow_segments_provider.vendors.zendesk.parameters.CreateUserSegment`.
        :raises Conflict: it exists and ``if_exists="fail"``; or several segments have that name.
        """
        from airflow_segments_provider.vendors.zendesk.creation import create
        from airflow_segments_provider.vendors.zendesk.parameters import CreateUserSegment

        subject, parameters = f"User segment {name!r}", {"name": name, **parameters}
        with self.prepare(subject, CreateUserSegment, parameters, user_ids) as prepared:
            return create(*prepared)

    def update_user_segment(self, user_ids: UserSource = NOT_GIVEN, **parameters: Any) -> UserSegmentChange:
        """Change the rules, type or name of a segment, its added users, or both; the users last.

        Zendesk replaces the added users as a whole: they are read, changed and written. If two processes do so at the
        same time, one change is lost; threads of one process wait for each other.

        :param user_ids: the users besides those who match the segment's rules.
        :param parameters: of :class:`~airflow_segments_provider.vendors.zendesk.parameters.UpdateUserSegment`.
        :raises InvalidInput: also where the segment is built in, or too many users would be removed.
        :raises Conflict: another segment has the new name.
        :raises UnexpectedReply: the segment does not have the users that were sent.
        """
        from airflow_segments_provider.vendors.zendesk.added_users import update
        from airflow_segments_provider.vendors.zendesk.parameters import UpdateUserSegment

        with self.prepare("The update of a user segment", UpdateUserSegment, parameters, user_ids) as prepared:
            return update(*prepared)

    def add_users(self, user_ids: UserSource, **parameters: Any) -> UserSegmentChange:
        """Update a segment with the action ``add``. Adding a user again changes nothing."""
        return self.update_user_segment(user_ids, action="add", **parameters)

    def remove_users(self, user_ids: UserSource, **parameters: Any) -> UserSegmentChange:
        """Update a segment with the action ``remove``. A user who was not added is not an error."""
        return self.update_user_segment(user_ids, action="remove", **parameters)

    def set_users(self, user_ids: UserSource, **parameters: Any) -> UserSegmentChange:
        """Update a segment with the action ``set``: sent only if something changes."""
        return self.update_user_segment(user_ids, action="set", **parameters)

    def delete_user_segment(self, **parameters: Any) -> UserSegmentChange:
        """Delete a segment; Zendesk refuses where it is in use.

        :param parameters: of :class:`~airflow_segments_provider.vendors.zendesk.parameters.DeleteUserSegment`.
        :raises Conflict: it is in use; the message names the places that the API shows.
        :raises InvalidInput: it is built in.
        """
        from airflow_segments_provider.vendors.zendesk.parameters import DeleteUserSegment
        from airflow_segments_provider.vendors.zendesk.segments import delete

        with self.prepare("The deletion of a user segment", DeleteUserSegment, parameters) as prepared:
            return delete(*prepared)

    def apply_user_segment(self, **parameters: Any) -> AppliedSegment:
        """Restrict an article or a topic to a segment, which replaces every segment there; or remove the restriction.

        :param parameters: of :class:`~airflow_segments_provider.vendors.zendesk.parameters.ApplyUserSegment`.
        :raises InvalidInput: the Zendesk plan does not permit to apply the segment.
        """
        from airflow_segments_provider.vendors.zendesk.content import apply
        from airflow_segments_provider.vendors.zendesk.parameters import ApplyUserSegment

        with self.prepare("The application of a user segment", ApplyUserSegment, parameters) as prepared:
            return apply(*prepared)

    def get_users(self, query: str | None = None) -> Iterator[User]:
        """Return all users, page by page; or those that Zendesk's search finds, 10,000 at most.

        :param query: in Zendesk's search syntax, e.g. ``tags:vip role:end-user``.
        """
        from airflow_segments_provider.vendors.zendesk.users import all_users

        return all_users(self.api(), query)

    def find_users(self, values: UserSource, *, by: IdentifyBy = "email") -> UserMatches:
        """Return the IDs of users by their e-mail addresses (one call each), external IDs or IDs (one call for 100).

        Case is ignored.
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.parameters import FindUsers
        from airflow_segments_provider.vendors.zendesk.users import find_users

        return find_users(self.api(), values, accepted("The look-up of users", FindUsers, {"by": by}).by)

    def update_user(self, user_id: int | str, change: Mapping[str, Any]) -> User:
        """Change one user; Zendesk accepts 5 changes of one user a minute, and 60 of all.

        :param change: in the API's words; ``tags`` replaces all of the user's tags.
        """
        from airflow_segments_provider.vendors.zendesk.parameters import UpdateUser
        from airflow_segments_provider.vendors.zendesk.users import update_user

        with self.prepare("The update of a user", UpdateUser, {"user_id": user_id, "change": change}) as prepared:
            return update_user(*prepared)

    def get_user_tags(self, user_id: int | str) -> list[str]:
        """Return the tags of a user, without those of the user's organizations."""
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.parameters import UserTags
        from airflow_segments_provider.vendors.zendesk.users import get_tags

        return get_tags(self.api(), accepted("The look-up of tags", UserTags, {"user_id": user_id}).user_id)

    def set_user_tags(self, user_id: int | str, tags: Iterable[str] | str) -> list[str]:
        """Set a user's tags to exactly these, and return them."""
        return self._change_tags("set", user_id, tags)

    def add_user_tags(self, user_id: int | str, tags: Iterable[str] | str) -> list[str]:
        """Add tags to a user's, and return them all."""
        return self._change_tags("add", user_id, tags)

    def remove_user_tags(self, user_id: int | str, tags: Iterable[str] | str) -> list[str]:
        """Remove tags from a user's, and return the others."""
        return self._change_tags("remove", user_id, tags)

    def _change_tags(self, action: str, user_id: int | str, tags: Iterable[str] | str) -> list[str]:
        from airflow_segments_provider.vendors.zendesk.parameters import UserTags
        from airflow_segments_provider.vendors.zendesk.users import change_tags

        with self.prepare("The change of tags", UserTags, {"user_id": user_id, "tags": tags}) as (api, write):
            return change_tags(api, action, write)

    def update_users(self, user_ids: UserSource, change: Mapping[str, Any] | str, **parameters: Any) -> UsersUpdate:
        """Start background jobs that make the same change to many users, 100 a job.

        Zendesk runs 30 jobs at once, so this waits until the last ones can start; it does not wait for their end. A
        job that completes may have failed for some users: see :class:`JobStatus`.

        :param change: in the API's words; ``tags`` replaces all tags of a user.
        :param parameters: of :class:`~airflow_segments_provider.vendors.zendesk.parameters.UpdateUsers`.
        """
        from airflow_segments_provider.vendors.zendesk.jobs import update_users
        from airflow_segments_provider.vendors.zendesk.parameters import UpdateUsers

        with self.prepare("The update of users", UpdateUsers, {**parameters, "change": change}, user_ids) as prepared:
            return update_users(*prepared)

    def update_each_user(self, changes: Iterable[Mapping[str, Any]]) -> UsersUpdate:
        """Start background jobs that change each user in its own way, 100 a job; otherwise as :meth:`update_users`.

        :param changes: each with ``id`` or ``external_id``, and what is to change.
        """
        from airflow_segments_provider.vendors.zendesk.jobs import update_each_user
        from airflow_segments_provider.vendors.zendesk.parameters import UpdateEachUser
        from airflow_segments_provider.vendors.zendesk.users import Rows

        with self.prepare("The update of users", UpdateEachUser, {}, Rows(changes)) as prepared:
            return update_each_user(*prepared)

    def get_job_status(self, job_id: str) -> JobStatus:
        """Return one background job."""
        return self.get_job_statuses([job_id])[0]

    def get_job_statuses(self, job_ids: Iterable[str]) -> list[JobStatus]:
        """Return background jobs, in the order of the IDs; one call for 100.

        :raises NotFound: Zendesk does not have one of them (any more).
        """
        from airflow_segments_provider.vendors.base.parameters import accepted
        from airflow_segments_provider.vendors.zendesk.jobs import get_jobs
        from airflow_segments_provider.vendors.zendesk.parameters import JobIds

        return get_jobs(self.api(), accepted("The look-up of jobs", JobIds, {"job_ids": job_ids}).job_ids)
