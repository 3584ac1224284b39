"""What a Docebo connection holds, and what Docebo's audiences service tells of groups and people.

Docebo calls them groups, its API audiences. Published at https://help.docebo.com/hc/en-us/articles/360020124359 and,
for each platform, at https://<platform>/api-browser/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from textwrap import wrap
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from airflow_segments_provider.sources.case import without_case
from airflow_segments_provider.vendors.base.connection import ConnectionFields, Credential

Column = Literal["userid", "firstname", "lastname", "email"]
IdentifyBy = Literal["id", "email", "username"]

#: The export's columns, in the order in which Docebo has them.
COLUMNS: tuple[Column, ...] = ("userid", "firstname", "lastname", "email")


_ONE_LINE = re.compile("-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/= ]+)-----END \\1-----")


def _private_key(value: str) -> str:
    """A key that can sign.

    Its line ends may be a backslash and an n, as in a URI, or spaces or nothing, as a form field of one line leaves it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = value.replace("\\n", "\n").strip() + "\n"
    if found := _ONE_LINE.fullmatch(pem.strip()):
        body = "\n".join(wrap(found[2].replace(" ", ""), 64))
        pem = f"-----BEGIN {found[1]}-----\n{body}\n-----END {found[1]}-----\n"
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError("is locked with a passphrase; give the key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            "is no private key: it must be PEM, from BEGIN PRIVATE KEY to END PRIVATE KEY. The public key, as BEGIN "
            "PUBLIC KEY and not as a certificate, belongs into Docebo's API app"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is no RSA key, and Docebo's assertions are signed with RS256")
    return pem


_NEEDED = {"password": ("username", "user_password"), "jwt_bearer": ("username", "private_key")}


class DoceboConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``docebo``.

    :param grant_type: how a token is got; ``password`` needs ``username`` and ``user_password``, ``jwt_bearer`` needs
        ``username`` and ``private_key``.
    :param token_url: by default ``/oauth2/token`` of the platform.
    :param jwt_audience: whom the assertion is for; by default the platform's host.
    :param add_route: how members are added: ``PUT .../assign_users``, ``PUT .../users`` or ``POST .../users``. What
        Docebo publishes is at odds with itself; ``auto`` finds out.
    :param create_path: where groups are created; ``auto`` finds out.
    :param rules_limit: what may have 10 rules at most: each ``set``, or the whole ``group``.
    """

    grant_type: Literal["client_credentials", "password", "jwt_bearer"] = "client_credentials"
    username: Credential | None = Field(None, repr=False)
    user_password: Credential | None = Field(None, repr=False)
    private_key: Annotated[str, AfterValidator(_private_key)] | None = Field(None, repr=False)
    token_url: Credential | None = None
    scope: Credential = "api"
    jwt_audience: str | None = None
    add_route: Literal["auto", "assign_users", "put_users", "post_users"] = "auto"
    create_path: Literal["auto", "audience", "audiences"] = "auto"
    rules_limit: Literal["set", "group"] = "set"
    users_per_request: int = Field(1000, ge=1, le=100_000)
    page_size: int = Field(200, ge=1, le=200)

    @model_validator(mode="after")
    def _what_the_grant_needs(self) -> Self:
        lacking = [f"`{name}`" for name in _NEEDED.get(self.grant_type, ()) if not getattr(self, name)]
        if lacking:
            verb = "is" if len(lacking) == 1 else "are"
            raise ValueError(f"`grant_type` {self.grant_type} needs {' and '.join(lacking)}, which {verb} missing")
        return self


def user_key(value: str) -> str:
    """Return what usernames and e-mail addresses are compared by: white space around them and case do not count."""
    return without_case(value.strip())


def _moment(value: Any) -> Any:
    """A time as Docebo writes it; zeros stand for none, and what cannot be read is none either."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Group(BaseModel):
    """A group as Docebo shows it.

    :param group_id: its uuid.
    :param type: ``manual`` or ``automatic``.
    :param ruleset: of an automatic group, in the API's own words; its ``status`` is READY once the group is filled.
    :param updated_at: taken for UTC, as Docebo writes no zone.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    group_id: str
    name: str
    slug: str | None = None
    description: str | None = None
    type: str | None = None
    ruleset: dict[str, Any] | None = None
    exclude_deactivated_users: bool | None = None
    updated_at: Annotated[datetime | None, BeforeValidator(_moment)] = None

    @property
    def ruleset_status(self) -> str | None:
        """Of an automatic group: READY once it is filled."""
        status = (self.ruleset or {}).get("status")
        return None if status is None else str(status)


class Member(BaseModel):
    """A member of a group: a person, so nothing of it belongs into a log or an XCom.

    :param user_id: the number that the API calls ``idst`` here and ``user_id`` elsewhere.
    :param username: what the API calls ``userid`` here.
    :param relation_type: what made the person a member, in the API's own words.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_id: str = Field(repr=False)
    username: str | None = Field(None, repr=False)
    first_name: str | None = Field(None, repr=False)
    last_name: str | None = Field(None, repr=False)
    email: str | None = Field(None, repr=False)
    relation_type: str | None = None


class UserMatches(BaseModel):
    """What a look-up of users found: people, so nothing of it but its counts belongs into a log or an XCom.

    :param found: user ids by the value that was looked up.
    :param unmatched: values that no user has.
    :param ambiguous: values that several users have.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    found: Mapping[str, str] = Field(repr=False)
    unmatched: list[str] = Field(repr=False)
    ambiguous: list[str] = Field(default_factory=list, repr=False)


class GroupChange(BaseModel):
    """What a create, update, delete or change of members did: the small result of its task.

    :param users_sent: ids that Docebo acknowledged as added, or of a removal, as removed; those of users whom it does
        not know, or whose membership did not change, are among them.
    :param users_removed: members whom ``if_exists="update"`` removed.
    :param users_rejected: ids that were left out before any call, by reason (``on_invalid="skip"``).
    :param users_unmatched: people who were not found, by reason (``on_unmatched="skip"``).
    :param unmatched_file: beside the ledger, that lists them.
    :param background_job: Docebo does a part of it later; it gives no id to ask for.
    :param requests: calls to the API, repeats and look-ups included.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    group_id: str | None
    name: str | None = None
    type: str | None = None
    outcome: Literal["created", "reused", "updated", "deleted", "missing"]
    users_sent: int = 0
    users_removed: int = 0
    users_rejected: dict[str, int] = Field(default_factory=dict)
    users_unmatched: dict[str, int] = Field(default_factory=dict)
    unmatched_file: str | None = None
    background_job: bool = False
    requests: int = 0
    changed_at: datetime


class GroupPopulation(BaseModel):
    """How many members a group has, and how far its rules are.

    :param ruleset_status: of an automatic group; READY once it is filled.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    members: int
    ruleset_status: str | None = None


class GroupExport(BaseModel):
    """A file of a group's members.

    :param bytes: the file's size.
    :param users: its rows, without the header.
    :param columns: in the order of the file.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    path: str
    bytes: int
    users: int
    columns: list[Column]


class GroupIds(BaseModel):
    """The two ids of a group: the uuid, and the number that it has in the former groups service."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    group_id: str
    legacy_id: int
