"""The endpoints of Docebo's groups, and advice for their errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeVar

from airflow_segments_provider.errors import (
    AuthenticationError,
    Conflict,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
)
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.http.pages import check_count
from airflow_segments_provider.progress import ProgressLog
from airflow_segments_provider.vendors.base.api import VendorApi
from airflow_segments_provider.vendors.docebo.parameters import GroupKey, is_legacy
from airflow_segments_provider.vendors.docebo.responses import (
    GroupIds,
    Page,
    parse_group,
    parse_legacy_id,
    parse_one_group,
    parse_page,
    parse_uuid,
)

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.docebo.connection import DoceboConnectionFields
    from airflow_segments_provider.vendors.docebo.responses import Group


Parsed = TypeVar("Parsed")

logger = logging.getLogger(__name__)

GROUPS = ("audiences", "v1", "audience")
USERS = ("manage", "v1", "user")

NOT_A_SUPERADMIN = "The user behind the token must be a Superadmin of the platform."
# The statuses of a path that does not exist.
NO_SUCH_ROUTE = (404, 405)


class DoceboApi(VendorApi):
    """Calls the endpoints of groups and users.

    :param conn_id: the Airflow connection, for messages.
    """

    vendor = "Docebo"
    fields: DoceboConnectionFields

    def hint(self, error: VendorError) -> str:
        """Return the advice for an error."""
        if isinstance(error, (AuthenticationError, PermissionDenied)):
            return f"{NOT_A_SUPERADMIN} {self.where}"
        if isinstance(error, NotFound):
            return (
                f"Docebo does not have what the path names, or the host of connection {self.conn_id!r} is not the "
                "platform's address."
            )
        return self.where

    # Groups --------------------------------------------------------------------------------------------------------

    def groups(self, **query: str | None) -> Iterator[Group]:
        """Return the groups that a query finds."""
        for page in self.pages(GROUPS, parse_group, query):
            yield from page.items

    def group(self, group_id: str) -> Group:
        """Return a group by its UUID."""
        return self.read(parse_one_group, self.call("GET", *GROUPS, group_id))

    def find(self, name: str) -> Group | None:
        """Return the one group of that name, or None; spaces around it do not count.

        :raises Conflict: several groups have that name.
        """
        found = [group for group in self.groups(search_text=name) if group.name.strip() == name]
        if len(found) > 1:
            ids = ", ".join(group.group_id for group in found)
            raise Conflict(
                f"Docebo has {len(found)} groups named {name!r} ({ids}); nothing was changed. Name the one that is "
                f"meant by its `group_id`, or delete the others. {self.where}",
                vendor=self.vendor,
            )
        return found[0] if found else None

    def resolve_id(self, key: GroupKey) -> str:
        """Return the UUID of a group; a former number or a name needs a call.

        :raises NotFound: Docebo does not have the group.
        """
        if key.group_id:
            return self.uuid(key.group_id) if is_legacy(key.group_id) else key.group_id
        found = self.find(str(key.name))
        if found is None:
            raise NotFound(
                f"Docebo has no {key}; nothing was changed. Create it first, or name another. The Airflow connection "
                f"is {self.conn_id!r}.",
                vendor=self.vendor,
            )
        return found.group_id

    def uuid(self, legacy_id: str) -> str:
        """Return the uuid of the group that has this number in the former groups service."""
        response = self.call("GET", *GROUPS, legacy_id, "group_to_audience")
        return self._converted(parse_uuid(response.json), response)

    def legacy_id(self, group_id: str) -> int:
        """Return the number that a group has in the former groups service."""
        response = self.call("GET", *GROUPS, group_id, "audience_to_group")
        return self._converted(parse_legacy_id(response.json), response)

    def number(self, group_id: str) -> int:
        """Return the former number of a group, by either ID."""
        return int(group_id) if is_legacy(group_id) else self.legacy_id(group_id)

    def both_ids(self, group_ids: Sequence[str]) -> list[GroupIds]:
        """Return both IDs of each group, by either ID.

        :raises NotFound: some groups do not exist; names all of them.
        """

        def convert(group_id: str) -> GroupIds | None:
            try:
                if is_legacy(group_id):
                    return GroupIds(group_id=self.uuid(group_id), legacy_id=int(group_id))
                return GroupIds(group_id=group_id, legacy_id=self.legacy_id(group_id))
            except NotFound:
                return None

        found = self.concurrently(convert, group_ids)
        if unknown := [group_id for group_id, ids in zip(group_ids, found, strict=True) if ids is None]:
            raise NotFound(
                f"Docebo does not know {len(unknown):,} of {len(group_ids):,} group ids: {', '.join(unknown)}. The "
                f"Airflow connection is {self.conn_id!r}.",
                vendor=self.vendor,
                status=404,
            )
        return [ids for ids in found if ids is not None]

    def _converted(self, found: Parsed | None, response: Response) -> Parsed:
        if found is None:
            raise UnexpectedReply(
                f"Docebo answered {response.call} with status {response.status}, but not with the "
                f"group's other ID. {self.where}",
                **response.context,
            )
        return found

    # Calls ---------------------------------------------------------------------------------------------------------

    def pages(
        self,
        path: Sequence[str],
        parse: Callable[[Any], Parsed],
        query: Mapping[str, str | None],
        user_ids: Callable[[], Iterable[str]] = tuple,
        *,
        sized: bool = True,
    ) -> Iterator[Page[Parsed]]:
        """Return the pages of a list, one held at a time.

        The list ends with an empty page, or by Docebo's own flag. An array without an envelope has no flag; such a list
        also ends with a page that repeats.

        :param parse: reads an entry.
        :param sized: False for a list without published parameters: it is requested without a page size, and further
            pages only if Docebo announces them.
        :raises UnexpectedReply: a page repeats although Docebo announced more: the list would have no end.
        """
        fixed = {name: value for name, value in query.items() if value is not None}
        fixed = {"page_size": str(self.fields.page_size), **fixed} if sized else fixed
        number, cursor, seen = 1, None, set[bytes]()
        progress = ProgressLog(logger, "pages read")
        while True:
            check_count(number)
            paged = {"page": str(number)} if sized or number > 1 else {}
            sent = {**fixed, **paged, **({"cursor": cursor} if cursor else {})}
            response = self.call("GET", *path, query=sent, user_ids=user_ids)
            page = self.read(lambda answer: parse_page(answer, parse), response)
            if page.digest in seen and page.items and page.more is not None:
                raise UnexpectedReply(
                    f"Docebo answered {response.call} with page {number} as an earlier page of the list, "
                    f"which so has no end. {self.where}",
                    **response.context,
                )
            if page.digest in seen or not page.items:
                return
            seen.add(page.digest)
            progress.add()
            yield page
            if page.more is False or not (sized or page.more):
                return
            number, cursor = number + 1, page.cursor

    def first_route(
        self,
        what: str,
        setting: str,
        forms: Sequence[str],
        send: Callable[[str], Response],
        check: Callable[[], object] = lambda: None,
    ) -> Response:
        """Send in the first form that the platform has, and keep that form for the life of the process.

        :param what: the call, for the log; also the key under which the form is kept.
        :param setting: the connection's extra field that sets the form.
        :param send: sends in one form.
        :param check: raises an error if a 404 is about the group in the path, not about the route; called once.
        """
        known = self.client.discovered.get(what)
        missing: VendorError | None = None
        for form in sorted(forms, key=lambda form: form != known):
            try:
                response = send(form)
            except (NotFound, RejectedRequest) as error:
                if error.status not in NO_SUCH_ROUTE:
                    raise
                if error.status == 404 and missing is None:
                    check()
                missing = missing or error
            else:
                if form != known and len(forms) > 1:
                    self.client.discovered[what] = form
                    logger.info("Docebo's %s is %r.", what, form)
                return response
        if missing is None:
            raise AssertionError("there is at least one form")
        if len(forms) == 1:
            raise missing.add_hint(self.no_such_route(setting, forms[0]))
        raise missing.add_hint(f"None of the known forms of this call exists: {', '.join(forms)}.")

    def no_such_route(self, setting: str, form: str) -> str:
        """Return the problem of a connection's extra field with a route, and the remedy."""
        return (
            f"`{setting}` of connection {self.conn_id!r} is {form!r}, which this platform does not seem to have. "
            "The default, auto, finds the one that it has."
        )

    def call(
        self,
        method: str,
        *path: str,
        body: bytes | Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        idempotent: bool = True,
        may_be_empty: bool = False,
        user_ids: Callable[[], Iterable[str]] = tuple,
        into: IO[bytes] | None = None,
    ) -> Response:
        """Call an endpoint."""
        return self.request(
            method,
            path,
            body=encode(body) if isinstance(body, Mapping) else body,
            query=query,
            idempotent=idempotent,
            may_be_empty=may_be_empty,
            user_ids=user_ids,
            into=into,
        )
