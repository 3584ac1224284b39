"""Every vendor's connections, with secrets of each kind, and a DAG of all its operators."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.conftest import RETRY

# Characters that must be escaped in JSON, in a form and in a URL, some of them not ASCII.
ODD_SECRET = 'sandbox-"SECRET"/+&=%é\\-3fd81a6c07'
PROXY_PASSWORD = "proxy-PASSWORD@:/-77aa"
HEAD = """
import json, os
PEOPLE, EMAILS, MADE = (json.loads(os.environ[name]) for name in ("PEOPLE", "EMAILS", "MADE"))
"""


class Unsent(str):
    """A secret that is never sent, so that no response can repeat it."""


@dataclass(frozen=True)
class Case:
    """One connection.

    :param fixture: The fixture of the vendor's sandbox.
    :param conn_id: The default connection of the operators.
    :param connect: Configures the sandbox, and returns the connection's fields and the secrets in each form that is
        sent.
    :param seed: Creates what the DAG needs, and returns the users' IDs, their e-mail addresses, and the IDs of other
        objects.
    :param tasks: The code of tasks of every operator of the vendor.
    :param with_ids: Endpoints whose requests contain user IDs, so that their errors must be cleaned of them.
    """

    fixture: str
    conn_id: str
    hook: str
    token: str
    connect: Callable[[Any], tuple[dict[str, Any], list[str]]]
    seed: Callable[[Any], tuple[list[Any], list[str], dict[str, Any]]]
    tasks: str = field(repr=False)
    with_ids: tuple[str, ...] = ()


def _basic(login: str, password: str) -> str:
    return base64.b64encode(f"{login}:{password}".encode()).decode()


def _plain(login_setting: str, secret_setting: str, *, basic: bool = False, **extra: Any) -> Callable[[Any], Any]:
    def connect(sandbox: Any) -> tuple[dict[str, Any], list[str]]:
        # Each test has another login, so that no cached token of an earlier test is used.
        login = f"client-{uuid.uuid4().hex[:8]}"
        sandbox.settings(**{login_setting: login, secret_setting: ODD_SECRET})
        fields = sandbox.connection(retry=RETRY | {"max_attempts": 2}, **extra)
        return fields, [ODD_SECRET, _basic(login, ODD_SECRET)] if basic else [ODD_SECRET]

    return connect


def _docebo_password(sandbox: Any) -> tuple[dict[str, Any], list[str]]:
    sandbox.settings(client_secret=ODD_SECRET, grants=["password"])
    extra = {"grant_type": "password", "username": sandbox.username, "user_password": sandbox.password}
    return sandbox.connection(retry=RETRY, **extra), [ODD_SECRET, sandbox.password]


def _docebo_jwt(sandbox: Any) -> tuple[dict[str, Any], list[str]]:
    private, public = _keys()
    sandbox.settings(client_secret=ODD_SECRET, grants=["jwt_bearer"])
    sandbox.set_public_key(public)
    extra = {"grant_type": "jwt_bearer", "username": sandbox.username, "private_key": private}
    return sandbox.connection(retry=RETRY, **extra), [
        ODD_SECRET,
        *(Unsent(line) for line in private.splitlines()[1:-1]),
    ]


@cache
def _keys() -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def _zendesk_token(sandbox: Any) -> str:
    """Return a bearer token of the sandbox."""
    import requests

    body = {
        "grant_type": "client_credentials",
        "client_id": sandbox.client_id,
        "client_secret": sandbox.client_secret,
        "scope": "read write",
    }
    with requests.Session() as session:
        session.trust_env = False
        return str(session.post(f"{sandbox.zendesk_url}/oauth/tokens", json=body, timeout=20).json()["access_token"])


def _zendesk_bearer(sandbox: Any) -> tuple[dict[str, Any], list[str]]:
    token = _zendesk_token(sandbox)
    fields = sandbox.connection(retry=RETRY, auth="bearer", token=token)
    return fields | {"login": None, "password": None}, [token]


def _zendesk_api_token(sandbox: Any) -> tuple[dict[str, Any], list[str]]:
    email = "ada.okafor@example.com"
    fields = sandbox.connection(retry=RETRY, auth="api_token", email=email, token=sandbox.api_token)
    return fields | {"login": None, "password": None}, [sandbox.api_token, _basic(f"{email}/token", sandbox.api_token)]


def _zendesk_official(sandbox: Any) -> tuple[dict[str, Any], list[str]]:
    fields = {
        "conn_type": "zendesk",
        "host": sandbox.connection()["host"],
        "login": "ada.okafor@example.com",
        "password": sandbox.api_token,
        "extra": {"use_token": True, "retry": RETRY},
    }
    return fields, [sandbox.api_token, _basic(f"{fields['login']}/token", sandbox.api_token)]


def _walkme_people(sandbox: Any) -> tuple[list[Any], list[str], dict[str, Any]]:
    return ["grace.hopper.4711", "CORP\\ada-0815", 'o"brien-7788'], ["grace@people.example"], {}


def _alteryx_people(sandbox: Any) -> tuple[list[Any], list[str], dict[str, Any]]:
    sandbox.settings(windows_authentication=True)
    people = sandbox.seed_users(3)
    emails = [user.email for user in sandbox.users() if user.id in people]
    return people, emails, {"collection": sandbox.create_collection("Sales")}


def _docebo_people(sandbox: Any) -> tuple[list[Any], list[str], dict[str, Any]]:
    people = sandbox.seed_users(3)
    return people, [user.email for user in sandbox.users() if user.idst in people], {}


def _zendesk_people(sandbox: Any) -> tuple[list[Any], list[str], dict[str, Any]]:
    people = list(sandbox.seed_users(3))
    emails = [user.email for user in sandbox.iter_users() if user.id in people]
    return people, emails, {"article": sandbox.create_article("How to")}


_WALKME = """
create = WalkMeCreateSegmentOperator(task_id="create", name="Trial users", user_ids=PEOPLE)
WalkMeUpdateSegmentOperator(task_id="more", action="add", name="Trial users", user_ids=PEOPLE)
WalkMeUpdateSegmentOperator(task_id="fewer", action="remove", name="Trial users", user_ids=PEOPLE[:1])
WalkMeUpdateSegmentOperator(task_id="replaced", action="override", name="Trial users", user_ids=PEOPLE[1:])
WalkMeListSegmentsOperator(task_id="listed")
WalkMeSegmentPropagationSensor(
    task_id="wait", segment=create.output, propagation_delay=0.1, poke_interval=0.1, timeout=1,
    deferrable=False,
)
WalkMeDeleteSegmentOperator(task_id="delete", name="Trial users")
"""
_ALTERYX = """
from airflow_segments_provider.operators.alteryx import *
from airflow_segments_provider.operators.alteryx import *
from airflow_segments_provider.operators.alteryx import *

group, shared = {"name": "Analysts"}, {"resource_type": "collection", "resource_id": MADE["collection"]}
AlteryxServerCreateUserGroupOperator(task_id="create", user_ids=PEOPLE[:1], **group)
AlteryxServerAddUserGroupUsersOperator(task_id="add", user_ids=PEOPLE, **group)
AlteryxServerRemoveUserGroupUsersOperator(task_id="remove", user_ids=PEOPLE[:2], **group)
AlteryxServerUpdateUserGroupOperator(task_id="update", role="Viewer", **group)
AlteryxServerGetUserGroupOperator(task_id="get", **group)
AlteryxServerListUserGroupsOperator(task_id="listed")
AlteryxServerShareWithUserGroupOperator(task_id="share", **group, **shared)
AlteryxServerUpdateUserGroupPermissionsOperator(
    task_id="permit", collection_id=MADE["collection"], permissions={"is_admin": True}, **group
)
AlteryxServerUnshareFromUserGroupOperator(task_id="unshare", **group, **shared)
AlteryxServerAddActiveDirectoryGroupOperator(task_id="add_ad", sid="S-1-5-21-1004", **group)
AlteryxServerRemoveActiveDirectoryGroupOperator(task_id="remove_ad", sid="S-1-5-21-1004", **group)
AlteryxServerDeleteUserGroupOperator(task_id="delete", force_delete=True, **group)
"""
_DOCEBO = """
from airflow_segments_provider.operators.docebo import *
from airflow_segments_provider.operators.docebo import *
from airflow_segments_provider.operators.docebo import *
from airflow_segments_provider.sensors.docebo import *

group = {"name": "Analysts"}
DoceboCreateGroupOperator(task_id="create", user_ids=PEOPLE[:1], **group)
DoceboCreateGroupOperator(task_id="again", user_ids=EMAILS, identify_by="email", **group)
DoceboUpdateGroupOperator(task_id="update", description="Those who analyse", **group)
DoceboGetGroupOperator(task_id="get", **group)
DoceboListGroupsOperator(task_id="listed")
DoceboAddGroupUsersOperator(task_id="add", user_ids=PEOPLE, **group)
DoceboRemoveGroupUsersOperator(task_id="remove", user_ids=EMAILS[:1], identify_by="email", **group)
DoceboRemoveGroupUsersOperator(task_id="filtered", user_filters={"search": EMAILS[1]}, **group)
DoceboListGroupUsersOperator(task_id="members", search_text=EMAILS[2], **group)
DoceboExportGroupUsersOperator(task_id="export", path=MADE["folder"] + "/members.csv", **group)
DoceboConvertGroupIdOperator(task_id="convert", ids="{{ [ti.xcom_pull('create')['group_id']] | tojson }}")
DoceboGetConditionsHistoryOperator(task_id="history", name="Everyone in sales")
DoceboGroupPopulatedSensor(
    task_id="wait", expected_user_ids=PEOPLE[2:], still_polls=1, poke_interval=0.1, timeout=1, deferrable=True,
    max_failures=0, **group
)
DoceboDeleteGroupOperator(task_id="delete", **group)
"""
_ZENDESK = """
from airflow_segments_provider.operators.zendesk import *
from airflow_segments_provider.operators.zendesk import *
from airflow_segments_provider.operators.zendesk import *
from airflow_segments_provider.sensors.zendesk import *

segment = {"name": "Trial users"}
ZendeskCreateUserSegmentOperator(task_id="create", user_ids=PEOPLE[:1], **segment)
ZendeskCreateUserSegmentOperator(task_id="again", user_ids=EMAILS, identify_by="email", **segment)
ZendeskUpdateUserSegmentOperator(task_id="fewer", user_ids=PEOPLE[:1], action="remove", or_tags=["trial"], **segment)
ZendeskGetUserSegmentOperator(task_id="get", **segment)
ZendeskListUserSegmentsOperator(task_id="listed", user_id=PEOPLE[1])
ZendeskListUserSegmentSectionsOperator(task_id="sections", **segment)
ZendeskListUserSegmentTopicsOperator(task_id="topics", **segment)
ZendeskApplyUserSegmentOperator(task_id="apply", article_id=MADE["article"], **segment)
ZendeskApplyUserSegmentOperator(task_id="open", article_id=MADE["article"], clear=True)
ZendeskGetUserTagsOperator(task_id="tags", user_id=PEOPLE[0])
ZendeskUpdateUserTagsOperator(task_id="tag", user_id=PEOPLE[0], tags=["trial"])
update = ZendeskUpdateUsersOperator(task_id="update", user_ids=PEOPLE, change={"tags": ["trial"]})
ZendeskJobStatusSensor(
    task_id="wait", job_ids="{{ ti.xcom_pull('update') }}", poke_interval=0.1, timeout=20, deferrable=True,
    max_failures=0,
)
ZendeskDeleteUserSegmentOperator(task_id="delete", **segment)
"""


def _walkme(connect: Callable[[Any], Any]) -> Case:
    return Case(
        "walkme_sandbox",
        "walkme_default",
        "airflow_segments_provider.hooks.walkme.WalkMeHook",
        "walkme.token",
        connect,
        _walkme_people,
        _WALKME,
        ("walkme.create", "walkme.update"),
    )


def _alteryx(connect: Callable[[Any], Any]) -> Case:
    return Case(
        "alteryx_sandbox",
        "alteryx_server_default",
        "airflow_segments_provider.hooks.alteryx.AlteryxServerHook",
        "alteryx.token",
        connect,
        _alteryx_people,
        _ALTERYX,
        ("alteryx.add_users",),
    )


def _docebo(connect: Callable[[Any], Any]) -> Case:
    return Case(
        "docebo_sandbox",
        "docebo_default",
        "airflow_segments_provider.hooks.docebo.DoceboHook",
        "docebo.get_token",
        connect,
        _docebo_people,
        _DOCEBO,
        ("docebo.add_members",),
    )


def _zendesk(connect: Callable[[Any], Any]) -> Case:
    return Case(
        "zendesk_sandbox",
        "zendesk_help_center_default",
        "airflow_segments_provider.hooks.zendesk.ZendeskHelpCenterHook",
        "zendesk.create_token",
        connect,
        _zendesk_people,
        _ZENDESK,
        ("zendesk.create_segment", "zendesk.update_segment", "zendesk.update_users"),
    )


OPERATORS = {
    "WalkMe": _walkme(_plain("client_id", "client_secret", basic=True)),
    "Alteryx Server": _alteryx(_plain("api_key", "api_secret", basic=True)),
    "Docebo": _docebo(_plain("client_id", "client_secret")),
    "Zendesk": _zendesk(_plain("client_id", "client_secret")),
}
CONNECTIONS = {
    **OPERATORS,
    "Alteryx Server, body": _alteryx(_plain("api_key", "api_secret", client_auth="body")),
    "Docebo, password": _docebo(_docebo_password),
    "Docebo, JWT": _docebo(_docebo_jwt),
    "Zendesk, bearer": _zendesk(_zendesk_bearer),
    "Zendesk, API token": _zendesk(_zendesk_api_token),
    "Zendesk, the official provider's": _zendesk(_zendesk_official),
}


def dag_of(case: Case) -> str:
    """Return the DAG, in which every task is run, whatever the result of those before it."""
    return (
        HEAD
        + case.tasks
        + "\nordered = list(dag.tasks)\nfor one, next_ in zip(ordered, ordered[1:]):\n    one >> next_\n"
    )


def as_env(people: list[Any], emails: list[str], made: dict[str, Any]) -> dict[str, str]:
    """Return the environment that the DAG reads, so that its file contains no user."""
    return {"PEOPLE": json.dumps(people), "EMAILS": json.dumps(emails), "MADE": json.dumps(made)}
