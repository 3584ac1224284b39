"""Keep a mailing list at a vendor of your own equal to a CSV file of e-mail addresses.

The vendor here is Postbird, which does not exist. Run it: `make demo-all`. Its API, below the connection's host:

- `GET /lists?name=…` and `POST /lists`, with `{"name": …}`
- `GET /lists/<id>/members?after=<ID>`: a page of user IDs in their order
- `POST /lists/<id>/members`, with `{"add": […]}` or `{"remove": […]}`: returns the rejected users, each with a reason
- `GET /users?emails=…`: the users with these addresses, separated by commas

To use it, put your vendor's requests into `PostbirdTarget`, and let the target pass the conformance suite of
`airflow_segments_provider.testing.conformance`. `tests/conformance/test_custom.py` does so for this one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sources.files import FileMembers
from airflow_segments_provider.sources.ids import all_without_case
from airflow_segments_provider.sources.look_up import LookUp
from airflow_segments_provider.sync.target import Applied, Limits
from airflow_segments_provider.targets.base import Segment, SegmentTarget

# Postbird's limits of one request.
MOST_CHANGED, MOST_LOOKED_UP, PER_PAGE = 500, 50, 100


class PostbirdHook(VendorHook):
    """Postbird's API, with an Airflow connection of any type: host = the API's URL, password = a bearer token."""

    hook_name = "Postbird"

    @cached_property
    def fields(self) -> Any:
        """The connection's extra fields: `read_only`, `rate_limit`, `retry` and others that all vendors have."""
        from airflow_segments_provider.vendors.base.connection import ConnectionFields, read_fields

        return read_fields(self.connection, ConnectionFields, needs=("host", "password"))

    @cached_property
    def client(self) -> Any:
        """The HTTP client, which waits, repeats requests, and raises this package's errors."""
        from airflow_segments_provider.http import FixedAuthorization
        from airflow_segments_provider.vendors.base.connection import base_url, open_client

        token = FixedAuthorization("Bearer", str(self.connection.password), "the token")
        return open_client(
            "Postbird",
            self.connection,
            self.fields,
            base_url=base_url(self.connection, "", {}),
            credentials=token,
            retry=self.retry,
            mask=self.mask,
        )

    @property
    def ui_url(self) -> str:
        """The page that the operator links to."""
        return str(self.client.base_url)

    def call(self, field: str, method: str, *path: str, users: Sequence[str] = (), **options: Any) -> tuple[Any, bool]:
        """Return a field of the response, and whether an earlier try may still be carried out.

        :param users: the IDs in the request, which no error message shows.
        """
        response = self.client.request(method, path, user_ids=lambda: users, **options)
        if not isinstance(response.json, Mapping) or field not in response.json:
            message = f"Postbird answered {response.call} without {field!r}. Check the host of the connection."
            raise UnexpectedReply(message, **response.context)
        return response.json[field], response.in_doubt


class PostbirdList(Segment):
    """A mailing list as a DAG names it; templates are rendered in ``template_fields``."""

    template_fields = ("name", "identity", "postbird_conn_id")
    vendor = "postbird"
    identities = ("id", "email")

    def __init__(
        self, name: str, *, create: bool = False, identity: str = "id", postbird_conn_id: str = "postbird_default"
    ) -> None:
        self.name, self.create, self.identity, self.postbird_conn_id = name, create, identity, postbird_conn_id

    def open(self) -> PostbirdTarget:
        """Return the target that the sync engine uses."""
        return PostbirdTarget(self.trimmed())


class PostbirdTarget(SegmentTarget):
    """Postbird's requests for one list; see :class:`~airflow_segments_provider.sync.target.Target` for each method."""

    noun = "list"
    lists = True
    identity_keys = staticmethod(all_without_case)

    def __init__(self, spec: PostbirdList) -> None:
        self.spec, self.hook = spec, PostbirdHook(spec.postbird_conn_id)

    @cached_property
    def limits(self) -> Limits:  # type: ignore[override]
        """The limits of one request."""
        return Limits(
            MOST_CHANGED,
            MOST_CHANGED,
            max_length=100,
            request_timeout=self.longest_try(),
            per_minute=self.hook.fields.rate_limit,
            listing=lambda members: members // PER_PAGE + 1,
        )

    @property
    def names(self) -> dict[str, Any]:
        """What the task's result has besides the counts."""
        return {"list_id": self.segment_id}

    def find(self) -> str | None:
        """Return the ID of the list of that name."""
        found, _ = self.hook.call("lists", "GET", "lists", query={"name": self.spec.name})
        return next((str(one["id"]) for one in found), None)

    def create(self, name: str) -> tuple[str, bool]:
        """Create the list; not repeated without a look, as there could be two."""
        made, _ = self.hook.call("id", "POST", "lists", body=_json({"name": name}), idempotent=False)
        return str(made), True

    def add(self, ids: Sequence[str]) -> Applied:
        """Add users."""
        return self._change("add", ids)

    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users."""
        return self._change("remove", ids)

    def _change(self, action: str, ids: Sequence[str]) -> Applied:
        path = ("lists", self.segment_id, "members")
        rejected, in_doubt = self.hook.call("rejected", "POST", *path, users=ids, body=_json({action: list(ids)}))
        return Applied(rejected, in_doubt=in_doubt)

    def members(self) -> Iterator[Sequence[str]]:
        """Yield the IDs of the members by page; the last page is not full."""
        page, after = [""] * PER_PAGE, ""
        while len(page) == PER_PAGE:
            page, _ = self.hook.call("members", "GET", "lists", self.segment_id, "members", query={"after": after})
            yield page
            after = page[-1] if page else ""

    def look_up(self, users: int) -> AbstractContextManager[LookUp]:
        """Return a function that finds IDs by e-mail address."""
        return nullcontext(PostbirdLookUp(self.hook, users))


class PostbirdLookUp:
    """A look-up of the IDs of users by e-mail address, several in a request."""

    def __init__(self, hook: PostbirdHook, users: int) -> None:
        self.hook, self.requests = hook, -(-users // MOST_LOOKED_UP)

    def __call__(self, values: list[str]) -> dict[str, str | None]:
        """Return the ID of each address that a user has; None if several users have it."""
        found: dict[str, set[str]] = {}
        for start in range(0, len(values), MOST_LOOKED_UP):
            some = [value for value in values[start : start + MOST_LOOKED_UP] if "," not in value]
            users, _ = self.hook.call("users", "GET", "users", users=some, query={"emails": ",".join(some)})
            for user in users:
                found.setdefault(user["email"].lower(), set()).add(str(user["id"]))
        ids = {value: found.get(key, set()) for value, key in zip(values, all_without_case(values), strict=True)}
        return {value: next(iter(some)) if len(some) == 1 else None for value, some in ids.items() if some}


def _json(body: object) -> bytes:
    from airflow_segments_provider.http.client import encode

    return encode(body)


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="custom_target",
    description="Keep a mailing list of a vendor of your own equal to a CSV file of e-mail addresses",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "list_name": Param("Newsletter", type="string", minLength=1, maxLength=255),
        "path": Param("/data/readers.csv", type="string", description="A local path, or e.g. s3://…"),
    },
    tags=["custom"],
    doc_md=__doc__,
) as dag:
    SyncMembersOperator(
        task_id="sync",
        target=PostbirdList("{{ params.list_name }}", create=True, identity="email"),
        source=FileMembers("{{ params.path }}", column="email"),
    )
