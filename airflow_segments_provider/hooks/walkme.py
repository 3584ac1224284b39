"""WalkMe segments: https://support.walkme.com/knowledge-base/segments-api/."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.sources.ids import OnInvalid
    from airflow_segments_provider.vendors.base.parameters import UserLimits
    from airflow_segments_provider.vendors.walkme.api import SegmentEndpoints
    from airflow_segments_provider.vendors.walkme.connection import WalkMeConnectionFields
    from airflow_segments_provider.vendors.walkme.parameters import Action, IfExists, IfMissing, LookUp
    from airflow_segments_provider.vendors.walkme.responses import Segment, SegmentChange

    Model = TypeVar("Model", bound=LookUp)

__all__ = ["WalkMeHook"]


class WalkMeHook(VendorHook):
    """Segments of a WalkMe system, with the credentials of an Airflow connection of type ``walkme``.

    The connection: host = base URL (or the name of a region, or empty), login = client id, password = client secret,
    and the extra fields of :class:`~airflow_segments_provider.vendors.walkme.connection.WalkMeConnectionFields`.

    Wherever people's ids are taken, any iterable will do; it is read once, checked whole before the first call, and
    sent in requests of at most 25,000. Wherever a ``system_guid`` is taken, None means the connection's own.
    Every method that calls may raise :class:`~airflow_segments_provider.errors.VendorError`.

    :param walkme_conn_id: the connection.
    :param retry: in place of the connection's own ``retry``.
    """

    conn_name_attr = "walkme_conn_id"
    default_conn_name = "walkme_default"
    conn_type = "walkme"
    hook_name = "WalkMe"

    def __init__(self, walkme_conn_id: str = default_conn_name, *, retry: RetryPolicy | None = None) -> None:
        super().__init__(walkme_conn_id, retry=retry)
        self.walkme_conn_id = walkme_conn_id

    # The connection ------------------------------------------------------------------------------------------------

    @cached_property
    def fields(self) -> WalkMeConnectionFields:
        """The connection's extra fields, parsed.

        :raises ConfigurationError: names every field that is missing or wrong.
        """
        from airflow_segments_provider.vendors.base.connection import read_fields
        from airflow_segments_provider.vendors.walkme.connection import WalkMeConnectionFields

        return read_fields(self.connection, WalkMeConnectionFields, needs=("login", "password"))

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        from airflow_segments_provider.http import ClientCredentials
        from airflow_segments_provider.vendors.base.connection import base_url, login_of, open_client
        from airflow_segments_provider.vendors.walkme.connection import REGIONS

        url = base_url(self.connection, REGIONS[self.fields.region], REGIONS)
        token_url = self.fields.token_url or f"{url}/accounts/connect/token"
        credentials = ClientCredentials(token_url, *login_of(self.connection))
        return open_client(
            "WalkMe",
            self.connection,
            self.fields,
            base_url=url,
            credentials=credentials,
            retry=self.retry,
            mask=self.mask,
        )

    @property
    def admin_url(self) -> str:
        """The Admin Center page that lists the account's systems, or an empty text where it is not known."""
        from airflow_segments_provider.vendors.walkme.connection import ADMIN_CENTERS, REGIONS

        if self.fields.admin_url:
            return self.fields.admin_url
        host = (self.connection.host or "").strip().rstrip("/").lower()
        if host and host not in REGIONS:
            known = {url.removeprefix("https://"): region for region, url in REGIONS.items()}
            return ADMIN_CENTERS.get(known.get(host.removeprefix("https://"), ""), "")
        return ADMIN_CENTERS[host or self.fields.region]

    def test_connection(self) -> tuple[bool, str]:
        """Whether a segment could be managed, in plain words: what is wrong, and where to mend it. Changes nothing."""
        from airflow_segments_provider.vendors.walkme.diagnose import explain

        return explain(self)

    # Reading -------------------------------------------------------------------------------------------------------

    def get_segments(self, system_guid: str | None = None) -> list[Segment]:
        """All segments of the system; WalkMe tells their names and ids, never their members."""
        from airflow_segments_provider.vendors.walkme.parameters import LookUp

        wanted = self._validated("The list of WalkMe segments", LookUp, {"system_guid": system_guid})
        return self.endpoints(wanted.system_guid).segments()

    def find_segment(
        self,
        *,
        segment: Any = None,
        segment_guid: str | None = None,
        external_id: str | None = None,
        name: str | None = None,
        system_guid: str | None = None,
    ) -> Segment | None:
        """The one segment that is meant, or None, by one call. A GUID decides, else an external id, else a name.

        :param segment: the result of a create or update, in place of the others.
        :raises InvalidInput: none of them is given, or the GUID is none.
        :raises Conflict: several segments have that name: WalkMe's Editor could not tell them apart, nor can we.
        """
        from airflow_segments_provider.vendors.walkme.parameters import SegmentKey
        from airflow_segments_provider.vendors.walkme.responses import select

        given = {
            "segment": segment,
            "segment_guid": segment_guid,
            "external_id": external_id,
            "name": name,
            "system_guid": system_guid,
        }
        key = self._validated("The look-up of a WalkMe segment", SegmentKey, given)
        return select(self.endpoints(key.system_guid).segments(), key)

    # Writing -------------------------------------------------------------------------------------------------------

    def create_segment(
        self,
        name: str,
        user_ids: UserSource = (),
        *,
        external_id: str | None = None,
        if_exists: IfExists = "reuse",
        allow_duplicate_name: bool = False,
        allow_empty: bool = False,
        on_invalid: OnInvalid = "fail",
        system_guid: str | None = None,
        **limits: Unpack[UserLimits],
    ) -> SegmentChange:
        """Make sure that the segment exists and holds these people. Creating twice makes one.

        An existing one is found by external id, else by name. After a failure of unknown effect it is looked for before
        anything is sent again.

        :param name: as the Editor's condition builder will show it, 1 to 255 characters.
        :param external_id: yours, up to 100 characters; by default a UUIDv5 of system and name. Always sent.
        :param if_exists: ``reuse`` adds the people and removes none; ``update`` makes the members exactly these (25,000
            at most); ``fail`` refuses.
        :param allow_duplicate_name: let there be two segments of one name, though the Editor cannot tell them apart.
        :param allow_empty: with ``update``, let no ids at all empty the existing segment.
        :param on_invalid: ``fail`` refuses the whole list if it holds one unusable id; ``skip`` leaves those out and
            counts them in the result.
        :param limits: ``max_invalid_fraction``, see
            :class:`~airflow_segments_provider.vendors.base.parameters.GivenUsers`.
        :raises InvalidInput: before any call, with every problem found.
        :raises Conflict: ``if_exists="fail"`` and it does; or the name is taken by a segment with another external id.
        """
        from airflow_segments_provider.vendors.walkme.parameters import CreateSegment
        from airflow_segments_provider.vendors.walkme.segments import SegmentCreation

        given = {
            "name": name,
            "external_id": external_id,
            "if_exists": if_exists,
            "allow_duplicate_name": allow_duplicate_name,
            "allow_empty": allow_empty,
            "on_invalid": on_invalid,
            "system_guid": system_guid,
            **limits,
        }
        with self._checked(f"WalkMe segment {name!r}", CreateSegment, given, user_ids) as checked:
            return SegmentCreation(*checked).run()

    def update_segment(
        self,
        action: Action,
        user_ids: UserSource,
        *,
        segment: Any = None,
        segment_guid: str | None = None,
        external_id: str | None = None,
        name: str | None = None,
        allow_empty: bool = False,
        on_invalid: OnInvalid = "fail",
        system_guid: str | None = None,
        **limits: Unpack[UserLimits],
    ) -> SegmentChange:
        """Add people to a segment, remove them, or make them its only members.

        Adding a member again and removing somebody who is none change nothing, so this can always be repeated. Without
        ids, ``add`` and ``remove`` send nothing.

        :param action: ``override`` takes 25,000 ids at most: WalkMe replaces all members by each single request.
        :param segment: the result of a create or update. Or name the segment by ``segment_guid``, or, for one call
            more, by ``external_id`` or ``name``.
        :param allow_empty: let ``override`` without ids empty the segment.
        :param on_invalid: as for a create, as are ``limits``.
        :raises InvalidInput: before any call, with every problem found.
        :raises NotFound: the system or the segment does not exist.
        """
        from airflow_segments_provider.vendors.walkme.parameters import UpdateSegment
        from airflow_segments_provider.vendors.walkme.segments import update

        given = {
            "segment": segment,
            "segment_guid": segment_guid,
            "external_id": external_id,
            "name": name,
            "action": action,
            "allow_empty": allow_empty,
            "on_invalid": on_invalid,
            "system_guid": system_guid,
            **limits,
        }
        with self._checked("The update of a WalkMe segment", UpdateSegment, given, user_ids) as checked:
            return update(*checked)

    def add_users(self, user_ids: UserSource, **segment: Any) -> SegmentChange:
        """``update_segment`` with ``add``."""
        return self.update_segment("add", user_ids, **segment)

    def remove_users(self, user_ids: UserSource, **segment: Any) -> SegmentChange:
        """``update_segment`` with ``remove``."""
        return self.update_segment("remove", user_ids, **segment)

    def override_users(self, user_ids: UserSource, **segment: Any) -> SegmentChange:
        """``update_segment`` with ``override``."""
        return self.update_segment("override", user_ids, **segment)

    def delete_segment(
        self,
        *,
        segment: Any = None,
        segment_guid: str | None = None,
        external_id: str | None = None,
        name: str | None = None,
        if_missing: IfMissing = "skip",
        if_unsupported: Literal["empty", "fail"] = "empty",
        system_guid: str | None = None,
    ) -> SegmentChange:
        """Delete a segment. WalkMe says that this can be done, but publishes no endpoint for it.

        So the obvious one is called; where it turns out not to exist, the segment is emptied instead, which takes its
        content away from everybody.

        :param segment: the segment is named as for an update.
        :param if_missing: ``skip`` takes a segment that is not there for deleted, ``fail`` raises.
        :param if_unsupported: ``fail`` raises rather than empties.
        :raises NotFound: the segment is not there, and ``if_missing="fail"``; or the system is not.
        """
        from airflow_segments_provider.vendors.walkme.parameters import DeleteSegment
        from airflow_segments_provider.vendors.walkme.segments import SegmentDeletion

        given = {
            "segment": segment,
            "segment_guid": segment_guid,
            "external_id": external_id,
            "name": name,
            "if_missing": if_missing,
            "if_unsupported": if_unsupported,
            "system_guid": system_guid,
        }
        with self._checked("The deletion of a WalkMe segment", DeleteSegment, given, ()) as checked:
            return SegmentDeletion(*checked).run()

    # Checking ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _checked(
        self, subject: str, model: type[Model], given: dict[str, Any], user_ids: UserSource
    ) -> Iterator[tuple[SegmentEndpoints, Model, StagedUserIds]]:
        """The endpoints, the input and the staged ids of a write, once all of them are found to be right.

        :raises ConfigurationError: the connection is read-only, or wrong.
        :raises InvalidInput: with every problem found.
        """
        from airflow_segments_provider.vendors.walkme.parameters import MAX_ID_LENGTH, limits

        with self.staged(
            subject,
            given,
            user_ids,
            max_length=MAX_ID_LENGTH,
            per_request=self.fields.users_per_request,
            distinct=self.fields.distinct_users,
        ) as (staged, problems):
            # A create that would override what it finds must not begin with more than a retry could override.
            exact = given.get("if_exists") == "update"
            allow_empty = exact or given.get("allow_empty") in (True, "True", "true")
            action = "override" if exact else given.get("action")
            problems += limits(action, staged.users, staged.per_request, allow_empty=allow_empty)
            wanted = self._validated(subject, model, given, problems, staged)
            yield self.endpoints(wanted.system_guid), wanted, staged

    def _validated(
        self,
        subject: str,
        model: type[Model],
        given: dict[str, Any],
        problems: Sequence[str] = (),
        staged: StagedUserIds | None = None,
    ) -> Model:
        """``given`` as a model, if nothing is wrong with it and there were no problems before."""
        from airflow_segments_provider.vendors.base.parameters import limit_problems, validated

        found: list[str] = []
        wanted = validated(model, given, found)
        found += limit_problems(wanted, staged)
        if wanted is not None and not (wanted.system_guid or self.fields.system_guid):
            found.append(f"`system_guid` is given neither here nor in connection {self.conn_id!r}.")
        if wanted is None or found or problems:
            raise InvalidInput(subject, [*found, *problems])
        return wanted

    def endpoints(self, system_guid: str | None = None) -> SegmentEndpoints:
        """The endpoints of one system, by default the connection's own."""
        from airflow_segments_provider.vendors.walkme.api import SegmentEndpoints

        return SegmentEndpoints(self.client, str(system_guid or self.fields.system_guid), self.walkme_conn_id)
