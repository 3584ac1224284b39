"""What every connection test asks first: does a token come, and if not, which part of the connection is wrong."""

from __future__ import annotations

from collections.abc import Callable

from airflow_segments_provider.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    SegmentsError,
    UnexpectedReply,
    VendorUnavailable,
)
from airflow_segments_provider.http.auth import AccessToken


def token_or_reason(
    fetch: Callable[[], AccessToken], *, vendor: str, credentials: str
) -> tuple[AccessToken | None, str]:
    """The token, or why there is none, in plain words and without a secret.

    :param credentials: where they are found, as the end of a sentence.
    """
    try:
        return fetch(), ""
    except AuthenticationError:
        return None, f"Credentials: {vendor} refuses the {credentials}."
    except PermissionDenied as error:
        return None, f"Permission: {vendor} gives this key no token. {error}"
    except (NotFound, UnexpectedReply) as error:
        return None, f"Host: this does not look like {vendor}'s API; check the address. {error}"
    except VendorUnavailable as error:
        return None, f"Host: {error}"
    except ConfigurationError as error:
        return None, f"Connection: {error}"
    except SegmentsError as error:
        return None, str(error)
