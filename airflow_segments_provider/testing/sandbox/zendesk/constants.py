"""The demo account's identity, and the documented numbers and words."""

from __future__ import annotations

from datetime import UTC, datetime

CLIENT_ID = "zendesk-sandbox-client"
# Unlike anything else, so that a search for it in logs and files finds every leak.
CLIENT_SECRET = "zendesk-sandbox-SECRET-4f83d0a6c1"
API_TOKEN = "zendesk-sandbox-APITOKEN-91be27d5f0"

PREFIX = "/zendesk"
TOKEN_PATH = f"{PREFIX}/oauth/tokens"
SUPPORT = f"{PREFIX}/api/v2"
HELP_CENTER = f"{SUPPORT}/help_center"
COMMUNITY = f"{SUPPORT}/community"

MIN_EXPIRES_IN = 300
MAX_EXPIRES_IN = 172_800
API_TOKENS_END = datetime(2027, 4, 30, tzinfo=UTC).timestamp()

MAX_PAGE_SIZE = 100
MAX_USERS_PER_CALL = 100
MAX_SEGMENTS_PER_ARTICLE = 10
DAY_SECONDS = 86_400


def is_help_center(path: str) -> bool:
    """Return whether a path belongs to the Help Center's half of the API, or else to Support's."""
    return path.startswith((HELP_CENTER, COMMUNITY))
