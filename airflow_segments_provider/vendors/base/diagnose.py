"""The first step of each connection test: fetch a token, or report which part of the connection is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_segments_provider.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    SegmentsError,
    UnexpectedReply,
    VendorUnavailable,
)

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient
    from airflow_segments_provider.http.auth import AccessToken


class Connected(Protocol):
    """A vendor's hook, whose connection may be wrong: each of these may raise a ``ConfigurationError``."""

    @property
    def fields(self) -> Any:
        """The extra fields of the connection."""

    @property
    def client(self) -> HttpClient:
        """The HTTP client of the connection."""

    def api(self) -> Any:
        """Return the vendor's API."""


def token_or_reason(hook: Connected, *, vendor: str, credentials: str) -> tuple[AccessToken | None, str]:
    """Return the token, or the reason why it cannot be fetched, without a secret.

    :param credentials: their names and where to find them, as the end of a sentence.
    """
    try:
        return hook.client.token(), ""
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
