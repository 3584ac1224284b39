"""The demo customer's identity, and the paths, numbers and words."""

from __future__ import annotations

from typing import Final

CLIENT_ID = "docebo-sandbox-client"
# Unlike anything else, so that a search for them in logs and files finds every leak.
CLIENT_SECRET = "docebo-sandbox-SECRET-3fd81a6c07"
USERNAME = "admin@example.com"
PASSWORD = "docebo-sandbox-PASSWORD-91c4e7b25a"

PREFIX = "/docebo"
TOKEN_PATH = f"{PREFIX}/oauth2/token"
GROUPS_PATH = f"{PREFIX}/audiences/v1/audience"
GROUPS_PATH_PLURAL = f"{PREFIX}/audiences/v1/audiences"
GROUP_PATH = f"{GROUPS_PATH}/{{group}}"
USERS_PATH = f"{PREFIX}/manage/v1/user"
JOBS_PATH = f"{PREFIX}/manage/v1/job"
OLD_GROUPS_PATH = f"{PREFIX}/manage/v1/group"

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "api"
SUPERADMIN: Final = "superadmin"

MAX_SETS = 10
MAX_RULES = 10
MAX_NAME_CHARACTERS = 255
HOUR_SECONDS = 3600
