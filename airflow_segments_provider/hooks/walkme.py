"""The hook for WalkMe segments."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.vendors.base.lookup import UserRules
    from airflow_segments_provider.vendors.walkme.api import WalkMeApi
    from airflow_segments_provider.vendors.walkme.connection import WalkMeConnectionFields
    from airflow_segments_provider.vendors.walkme.parameters import Action, LookUp
    from airflow_segments_provider.vendors.walkme.responses import Segment, SegmentChange

    Model = TypeVar("Model", bound=LookUp)

__all__ = ["WalkMeHook"]


class WalkMeHook(VendorHook):
    """Segments of a WalkMe system, with the credentials of an Airflow connection of type ``walkme``.

    The connection: host = base URL (or the name of a region, or empty), login = client id, password = client secret,
    and the extra fields of :class:`~airflow_segments_provider.vendors.walkme.connection.WalkMeConnectionFields`.

    User IDs may be any iterable, which is read once, checked as a whole before the first call, and sent in requests of
    at most 25,000. A ``system_guid`` of None is the connection's own. Every method that sends requests may raise
    :class:`~airflow_segments_provider.errors.VendorError`.

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
    def ui_url(self) -> str:
        """The Admin Center page that lists the account's systems, or an empty text for an unknown host."""
        from airflow_segments_provider.vendors.walkme.connection import ADMIN_CENTERS, REGIONS

        if self.fields.admin_url:
            return self.fields.admin_url
        host = (self.connection.host or "").strip().rstrip("/").lower()
        if host and host not in REGIONS:
            known = {url.removeprefix("https://"): region for region, url in REGIONS.items()}
            return ADMIN_CENTERS.get(known.get(host.removeprefix("https://"), ""), "")
        return ADMIN_CENTERS[host or self.fields.region]

    def test_connection(self) -> tuple[bool, str]:
        """Report whether segments can be managed; else what is wrong, and what to do. Sends reads only."""
        from airflow_segments_provider.vendors.walkme.diagnose import explain

        return explain(self)

    def api(self, system_guid: str | None = None) -> WalkMeApi:
        """Return the API of one system, by default the connection's; its count of requests begins at 0."""
        from airflow_segments_provider.vendors.walkme.api import WalkMeApi

        return WalkMeApi(self.client, self.fields, self.conn_id).use_system(system_guid)

    def user_rules(self) -> UserRules:
        """Return the rules for the users of a write."""
        from airflow_segments_provider.vendors.walkme.users import WalkMeUserRules

        return WalkMeUserRules(self.api())

    def get_segments(self, system_guid: str | None = None) -> list[Segment]:
        """Return all segments of the system: their names and IDs. WalkMe lists no members."""
        from airflow_segments_provider.vendors.walkme.parameters import LookUp

        return self._accepted("The list of WalkMe segments", LookUp, {"system_guid": system_guid})[0].segments()

    def find_segment(self, **segment: Any) -> Segment | None:
        """Return one segment, or None, with one call. A GUID decides, else an external ID, else a name.

        :param segment: the fields of :class:`~airflow_segments_provider.vendors.walkme.parameters.SegmentKey`.
        :raises Conflict: several segments have that name: WalkMe's Editor does not distinguish them.
        """
        from airflow_segments_provider.vendors.walkme.parameters import SegmentKey
        from airflow_segments_provider.vendors.walkme.responses import select

        api, key = self._accepted("The look-up of a WalkMe segment", SegmentKey, segment)
        return select(api.segments(), key)

    def _accepted(self, subject: str, model: type[Model], parameters: dict[str, Any]) -> tuple[WalkMeApi, Model]:
        """Check the parameters of a read.

        :raises InvalidInput: with every problem found.
        """
        from airflow_segments_provider.errors import InvalidInput
        from airflow_segments_provider.vendors.base.parameters import parsed

        wanted, readable, problems = parsed(model, parameters)
        problems.texts += self.api(getattr(readable, "system_guid", None)).problems()
        if wanted is None or problems.texts:
            raise InvalidInput(subject, problems.texts)
        return self.api(wanted.system_guid), wanted

    def create_segment(self, name: str, user_ids: UserSource = (), **parameters: Any) -> SegmentChange:
        """Create a segment with these users, or use the one that exists. Creating twice results in one.

        An existing one is found by external ID, else by name. After a failure of unknown effect it is looked for before
        anything is sent again.

        :param parameters: of :class:`~airflow_segments_provider.vendors.walkme.parameters.CreateSegment`.
        :raises Conflict: it exists and ``if_exists="fail"``; or the name belongs to a segment with another external ID.
        """
        from airflow_segments_provider.vendors.walkme.parameters import CreateSegment
        from airflow_segments_provider.vendors.walkme.segments import create

        subject, parameters = f"WalkMe segment {name!r}", {"name": name, **parameters}
        with self.prepare(subject, CreateSegment, parameters, user_ids) as prepared:
            return create(*prepared)

    def update_segment(self, action: Action, user_ids: UserSource, **parameters: Any) -> SegmentChange:
        """Add users to a segment, remove them, or make them its only members.

        Adding a member again and removing a user who is not a member change nothing, so a repetition is safe.
        Without IDs, ``add`` and ``remove`` send nothing.

        :param action: ``override`` takes 25,000 IDs at most: WalkMe replaces all members with each single request.
        :param parameters: of :class:`~airflow_segments_provider.vendors.walkme.parameters.UpdateSegment`.
        :raises NotFound: the system or the segment does not exist.
        """
        from airflow_segments_provider.vendors.walkme.parameters import UpdateSegment
        from airflow_segments_provider.vendors.walkme.segments import update

        subject, parameters = "The update of a WalkMe segment", {"action": action, **parameters}
        with self.prepare(subject, UpdateSegment, parameters, user_ids) as prepared:
            return update(*prepared)

    def add_users(self, user_ids: UserSource, **parameters: Any) -> SegmentChange:
        """Update a segment with the action ``add``."""
        return self.update_segment("add", user_ids, **parameters)

    def remove_users(self, user_ids: UserSource, **parameters: Any) -> SegmentChange:
        """Update a segment with the action ``remove``."""
        return self.update_segment("remove", user_ids, **parameters)

    def override_users(self, user_ids: UserSource, **parameters: Any) -> SegmentChange:
        """Update a segment with the action ``override``."""
        return self.update_segment("override", user_ids, **parameters)

    def delete_segment(self, **parameters: Any) -> SegmentChange:
        """Delete a segment. WalkMe states that this is possible, but documents no delete endpoint.

        ``DELETE`` of the segment is tried; where WalkMe has no such endpoint, all members are removed instead.

        :param parameters: of :class:`~airflow_segments_provider.vendors.walkme.parameters.DeleteSegment`.
        :raises NotFound: the segment does not exist, and ``if_missing="fail"``; or the system does not.
        """
        from airflow_segments_provider.vendors.walkme.parameters import DeleteSegment
        from airflow_segments_provider.vendors.walkme.segments import delete

        with self.prepare("The deletion of a WalkMe segment", DeleteSegment, parameters) as prepared:
            return delete(*prepared)
