"""The half of the Zendesk hook that is about users: the connection, users, their tags, and background jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.zendesk_endpoints import ZendeskEndpoints
    from airflow_segments_provider.hooks.zendesk_people import StagedPeople
    from airflow_segments_provider.http import HttpClient
    from airflow_segments_provider.models.zendesk import IdentifyBy, ZendeskConnectionFields
    from airflow_segments_provider.models.zendesk_users import JobStatus, User, UserMatches, UsersUpdate
    from airflow_segments_provider.sources.ids import OnInvalid
    from airflow_segments_provider.vendors.base.parameters import FoundUserLimits, Given, OnUnmatched

    Model = TypeVar("Model", bound=Given)


class ZendeskUsersHook(VendorHook):
    """What :class:`~airflow_segments_provider.hooks.zendesk.ZendeskHelpCenterHook` does with users."""

    # The connection ------------------------------------------------------------------------------------------------

    @cached_property
    def connection(self) -> Any:
        """The Airflow connection, looked up once; one of the official provider's type is put in our words."""
        from airflow_segments_provider.hooks.zendesk_connection import in_our_words

        return in_our_words(self.get_connection(self.conn_id))

    @cached_property
    def fields(self) -> ZendeskConnectionFields:
        """The connection's extra fields, parsed.

        :raises ConfigurationError: names every field that is missing or wrong.
        """
        from airflow_segments_provider.hooks.zendesk_connection import read_zendesk_fields

        return read_zendesk_fields(self.connection)

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        from airflow_segments_provider.hooks.zendesk_connection import open_zendesk_client

        return open_zendesk_client(self.connection, self.fields, self.retry, self.mask)

    # Users ---------------------------------------------------------------------------------------------------------

    def get_users(self, query: str | None = None) -> Iterator[User]:
        """All users, page by page; or those whom Zendesk's search finds, 10,000 at most.

        :param query: in Zendesk's search syntax, e.g. ``tags:vip role:end-user``.
        """
        from airflow_segments_provider.hooks.zendesk_users import all_users

        return all_users(self.endpoints(), query)

    def find_users(self, values: UserSource, *, by: IdentifyBy = "email") -> UserMatches:
        """The ids of users by their e-mail addresses (one call each), external ids or ids (one call for 100).

        Case does not count; nothing but a value that is the same otherwise does.
        """
        from airflow_segments_provider.hooks.zendesk_users import find_users
        from airflow_segments_provider.models.zendesk_users import FindUsers
        from airflow_segments_provider.vendors.base.parameters import accepted

        wanted = accepted("The look-up of users", FindUsers, {"by": by})
        return find_users(self.endpoints(), values, wanted.by)

    def update_user(self, user_id: int | str, change: Mapping[str, Any]) -> User:
        """Change one user; Zendesk takes 5 changes of one user a minute, and 60 of all.

        :param change: in the API's words; ``tags`` replaces all of the user's tags.
        """
        from airflow_segments_provider.hooks.zendesk_users import update_user
        from airflow_segments_provider.models.zendesk_users import UpdateUser

        given = {"user_id": user_id, "change": change}
        with self.checked("The update of a user", UpdateUser, given) as (endpoints, wanted, _):
            return update_user(endpoints, wanted)

    def get_user_tags(self, user_id: int | str) -> list[str]:
        """The tags of a user; those of the user's organizations are not among them."""
        from airflow_segments_provider.hooks.zendesk_users import get_tags
        from airflow_segments_provider.models.zendesk_users import UserTags
        from airflow_segments_provider.vendors.base.parameters import accepted

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
        from airflow_segments_provider.hooks.zendesk_users import change_tags
        from airflow_segments_provider.models.zendesk_users import UserTags

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
        from airflow_segments_provider.hooks.zendesk_jobs import update_users
        from airflow_segments_provider.models.zendesk_users import UpdateUsers

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
        from airflow_segments_provider.hooks.zendesk_jobs import update_each_user
        from airflow_segments_provider.hooks.zendesk_people import Rows
        from airflow_segments_provider.vendors.base.parameters import Given

        with self.checked("The update of users", Given, {}, Rows(changes)) as (endpoints, _, people):
            return update_each_user(endpoints, people)

    def get_job_status(self, job_id: str) -> JobStatus:
        """One background job."""
        return self.get_job_statuses([job_id])[0]

    def get_job_statuses(self, job_ids: Iterable[str]) -> list[JobStatus]:
        """Background jobs, in the order asked for; one call for 100.

        :raises NotFound: Zendesk does not know one of them (any more).
        """
        from airflow_segments_provider.hooks.zendesk_jobs import get_jobs
        from airflow_segments_provider.models.zendesk_users import JobIds
        from airflow_segments_provider.vendors.base.parameters import accepted

        wanted = accepted("The look-up of jobs", JobIds, {"job_ids": listed(job_ids)})
        return get_jobs(self.endpoints(), wanted.job_ids)

    # Checking ------------------------------------------------------------------------------------------------------

    def endpoints(self) -> ZendeskEndpoints:
        """The endpoints of this connection, for one method's work."""
        from airflow_segments_provider.hooks.zendesk_endpoints import ZendeskEndpoints

        return ZendeskEndpoints(self.client, self.conn_id, self.fields)

    @contextmanager
    def checked(
        self, subject: str, model: type[Model], given: dict[str, Any], user_ids: UserSource = ()
    ) -> Iterator[tuple[ZendeskEndpoints, Model, StagedPeople]]:
        """The endpoints, the input and the people of a write, once all of them are found to be right."""
        from airflow_segments_provider.hooks.zendesk_people import Rows, checked_people, longest
        from airflow_segments_provider.models.zendesk_users import PER_CALL

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
