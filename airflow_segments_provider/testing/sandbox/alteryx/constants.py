"""The demo server's identity, and the known numbers and words."""

from __future__ import annotations

from typing import Literal

API_KEY = "alteryx-sandbox-key"
# Unlike anything else, so that a search for it in logs and files finds every leak.
API_SECRET = "alteryx-sandbox-SECRET-3fd08a7c51"

# The address that an administrator chose for the web API; its default has no first part.
PREFIX = "/alteryx/webapi"
TOKEN_PATH = f"{PREFIX}/oauth2/token"
GROUPS_PATH = f"{PREFIX}/v3/usergroups"
GROUP_PATH = f"{GROUPS_PATH}/{{group}}"
GROUP_USERS_PATH = f"{GROUP_PATH}/users"
GROUP_USER_PATH = f"{GROUP_USERS_PATH}/{{user}}"
AD_GROUPS_PATH = f"{GROUP_PATH}/activedirectorygroups"
AD_GROUP_PATH = f"{AD_GROUPS_PATH}/{{sid}}"
USERS_PATH = f"{PREFIX}/v3/users"
USER_PATH = f"{USERS_PATH}/{{user}}"

Role = Literal["NoAccess", "Viewer", "Member", "Artisan", "Curator", "Evaluated"]
Kind = Literal["collection", "credential", "connection"]
# What a group can be given, and the path it has there: with a capital G, unlike the group's own.
SHARED_PATHS: dict[Kind, str] = {
    "collection": f"{PREFIX}/v3/collections/{{object}}/userGroups",
    "credential": f"{PREFIX}/v3/credentials/{{object}}/userGroups",
    "connection": f"{PREFIX}/v3/serverDataConnections/{{object}}/userGroups",
}

MAX_NAME_CHARACTERS = 255
DENIED = "Authorization has been denied for this request."
# First, last name and role of those who are there from the start; the first is the caller, the last is not active.
PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("Orla", "Quill", "Curator"),
    ("Ada", "Byrne", "Artisan"),
    ("Bruno", "Castell", "Member"),
    ("Chiara", "Dvorak", "Viewer"),
    ("Zoë", "O'Hara", "Evaluated"),
    ("Edgar", "Flint", "Member"),
)
