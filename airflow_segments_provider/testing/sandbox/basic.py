"""Basic authorization, as callers of a token endpoint send it."""

from __future__ import annotations

import base64
import binascii


def basic_credentials(authorization: str) -> bytes | None:
    """Return the user and password of an ``Authorization`` header, a colon between them; None for any other header."""
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return None
