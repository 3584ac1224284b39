"""The demo customer's identity, and the documented numbers and words."""

from __future__ import annotations

SYSTEM_GUID = "5a4d0c1e-77b2-4c39-9f0e-2b6d8e51a7c4"
CLIENT_ID = "walkme-sandbox-client"
# Unlike anything else, so that a search for it in logs and files finds every leak.
CLIENT_SECRET = "walkme-sandbox-SECRET-b7e1c2d94f"

PREFIX = "/walkme"
TOKEN_PATH = f"{PREFIX}/accounts/connect/token"
SEGMENTS_PATH = f"{PREFIX}/public/v1/user/system/{{system}}/segment"
SEGMENT_PATH = f"{SEGMENTS_PATH}/{{segment}}"

WRITE = "segments:write"
READ = "segments:read"

MAX_USER_IDS = 25_000
MAX_ID_CHARACTERS = 100
MAX_NAME_CHARACTERS = 255
DAY_SECONDS = 86_400
