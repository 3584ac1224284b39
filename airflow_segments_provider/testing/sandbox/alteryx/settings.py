"""How the sandbox's Alteryx Server behaves where it is not documented."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_segments_provider.testing.sandbox.alteryx.constants import API_KEY, API_SECRET
from airflow_segments_provider.testing.sandbox.vendor import VendorSettings


class AlteryxSettings(VendorSettings):
    """The settings of Alteryx Server; times are in seconds by the sandbox's clock. The defaults are assumptions.

    * ``api_key``, ``api_secret``: the one pair of keys; ``client_auth``: where the token endpoint takes them from
    * ``caller_is_curator``: whether the pair's owner is one; ``not_curator_status``: every call's refusal otherwise
    * ``token_lifetime``; ``token_type``, ``expires_in_as``: the form of the token reply
    * ``invalid_client_status``: the refusal of a wrong pair
    * ``windows_authentication``: whether users and groups are those of an Active Directory. Off, the endpoints of AD
      groups answer 400; on, members are described by their ``activeDirectoryObject`` as well
    * ``create_status``, ``create_reply``: the answer to a creation: the new ID as JSON text, or ``raw`` without quotes
    * ``unknown_id_status``, ``malformed_id_status``: the refusal of an ID in a path that is unknown, or malformed
    * ``duplicate_names``: whether two groups may have one name, compared exactly; ``refuse`` answers 400
    * ``existing_member``: the result of adding a member again: ``counted`` as added, ``reported`` as a failure, or
      ``silent``, which is neither
    * ``unknown_user``, ``malformed_user``: whether an unknown or ill-formed user id in an add is ``reported`` among the
      failures, or has the whole call ``refuse``d with 400
    * ``no_failures_as``: how the reply to an add shows that none failed
    * ``form_users_status``: the refusal of an add whose body is a form
    * ``empty_add_status``: whether an empty array of users is a success
    * ``max_users_per_add``: more are refused with 400; None for no limit
    * ``email_filter``, ``name_filter``: how the list of users compares; without regard to case either way
    * ``unknown_fields``: the answer to an unknown field in a body
    * ``xml_for``: which replies are XML to a caller who does not accept application/json by name
    * ``rate_limit``: calls a minute, token calls not counted; None for no limit
    """

    api_key: str = API_KEY
    api_secret: str = API_SECRET
    client_auth: Literal["both", "basic", "body"] = "both"
    caller_is_curator: bool = True
    not_curator_status: Literal[401, 403] = 401
    token_lifetime: float = Field(default=3600.0, gt=0)
    token_type: Literal["bearer", "Bearer"] = "bearer"
    expires_in_as: Literal["number", "string", "absent"] = "number"
    invalid_client_status: Literal[400, 401] = 400
    windows_authentication: bool = False
    create_status: Literal[200, 201] = 200
    create_reply: Literal["json", "raw"] = "json"
    unknown_id_status: Literal[400, 404] = 404
    malformed_id_status: Literal[400, 404] = 400
    duplicate_names: Literal["refuse", "allow"] = "refuse"
    existing_member: Literal["reported", "silent", "counted"] = "reported"
    unknown_user: Literal["reported", "refuse"] = "reported"
    malformed_user: Literal["reported", "refuse"] = "refuse"
    no_failures_as: Literal["absent", "null", "empty"] = "absent"
    form_users_status: Literal[400, 415] = 400
    empty_add_status: Literal[200, 400] = 200
    max_users_per_add: int | None = Field(default=None, ge=1)
    email_filter: Literal["contains", "exact"] = "contains"
    name_filter: Literal["contains", "exact"] = "contains"
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    xml_for: Literal["errors", "all", "none"] = "errors"
    rate_limit: int | None = Field(default=None, ge=1)
