"""The extra fields of each connection type's form: plain data, read by every Airflow process, so it imports nothing.

The form shows them in the order of :func:`form_fields`, below host, login and password.
"""

from __future__ import annotations

from typing import Any

# The section of Airflow 3's form for what most connections leave at its default. Airflow 2.11 shows one section.
ADVANCED = "Advanced"


def form_fields(vendor: dict[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a form: first those that a connection needs, then those for special cases.

    :param vendor: the vendor's own fields.
    :param first: the names of those that a connection needs, in the order of the form.
    """
    fields = {**vendor, **COMMON_FIELDS}
    advanced = {
        name: {**field, "schema": {**field["schema"], "section": ADVANCED}}
        for name, field in fields.items()
        if name not in first
    }
    return {name: fields[name] for name in first} | advanced


# The fields that every vendor's connection has, stored in the connection's extra.
COMMON_FIELDS: dict[str, Any] = {
    "read_only": {
        "label": "Read-only",
        "description": "Refuse every write before the call. Set it on a staging Airflow with a production connection.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "timeout": {
        "label": "Time-out (s)",
        "description": "Seconds to wait for the next byte of a response. Default 60.",
        "schema": {"type": ["number", "null"], "minimum": 0.1, "maximum": 3600},
    },
    "rate_limit": {
        "label": "Requests a minute",
        "description": "The most requests a minute from one task. Parallel tasks do not share it: set a part for each. "
        "Empty: only the vendor's own limit.",
        "schema": {"type": ["number", "null"], "minimum": 0.01},
    },
    "max_concurrency": {
        "label": "Open connections",
        "description": "Connections to the vendor that one task keeps open. Default 4.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 64},
    },
    "verify": {
        "label": "TLS check",
        "description": "true, false, or the path of a CA bundle. Default true.",
        "schema": {"type": ["string", "null"]},
    },
    "proxies": {
        "label": "Proxies",
        "description": 'JSON by scheme, e.g. {"https": "http://proxy.example.com:3128"}. '
        "Empty: those of the environment.",
        "schema": {"type": ["object", "null"]},
    },
    "retry": {
        "label": "Retries",
        "description": 'JSON, any of {"max_attempts": 5, "base_delay": 0.5, "max_delay": 20, "max_total": 300, '
        '"retry_after_cap": 120}, in seconds. Empty: these defaults.',
        "schema": {"type": ["object", "null"]},
    },
}

WALKME_FIELDS: dict[str, Any] = {
    "system_guid": {
        "label": "System GUID",
        "description": "Required, unless each operator has `system_guid`: the WalkMe system with the segments. It "
        "is in the Editor's snippet address, between cdn.walkme.com/users/ and /test/walkme_. With or without hyphens.",
        "schema": {"type": ["string", "null"]},
    },
    "region": {
        "label": "Region",
        "description": "The account's region, if Base URL is empty. Default us.",
        "schema": {"type": ["string", "null"], "enum": ["us", "eu", "gov", "ca"], "default": "us"},
    },
    "token_url": {
        "label": "Token URL",
        "description": "Only if tokens come from elsewhere than <Base URL>/accounts/connect/token.",
        "schema": {"type": ["string", "null"]},
    },
    "admin_url": {
        "label": "Admin Center URL",
        "description": "Address of a task's link. Empty: that of the region.",
        "schema": {"type": ["string", "null"]},
    },
    "distinct_users": {
        "label": "Distinct users",
        "description": "Send each ID once in a request. Set it if WalkMe refuses repeated IDs.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "users_per_request": {
        "label": "Users a request",
        "description": "IDs in one request. Default 25000, which is WalkMe's limit.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 25000},
    },
}

ALTERYX_SERVER_FIELDS: dict[str, Any] = {
    "client_auth": {
        "label": "Credentials in",
        "description": "Part of the token request with key and secret: basic (default) or body.",
        "schema": {"type": ["string", "null"], "enum": ["basic", "body"], "default": "basic"},
    },
    "gallery_url": {
        "label": "Gallery URL",
        "description": "Address of a task's link. Empty: /gallery/ on the host of the Web API address.",
        "schema": {"type": ["string", "null"]},
    },
    "users_per_request": {
        "label": "Users a request",
        "description": "IDs in one request that adds users. Default 1000; the vendor documents no limit.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000},
    },
}

DOCEBO_FIELDS: dict[str, Any] = {
    "grant_type": {
        "label": "Grant",
        "description": "Grant of the token request: client_credentials (default), password, or jwt_bearer.",
        "schema": {
            "type": ["string", "null"],
            "enum": ["client_credentials", "password", "jwt_bearer"],
            "default": "client_credentials",
        },
    },
    "username": {
        "label": "User name",
        "description": "Required for password and jwt_bearer: the Superadmin in whose name calls are made.",
        "schema": {"type": ["string", "null"]},
    },
    "user_password": {
        "label": "User password",
        "description": "Required for password.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "private_key": {
        "label": "Private key",
        "description": "Required for jwt_bearer: PEM. Its public key is uploaded to Docebo as BEGIN PUBLIC KEY, "
        "not as a certificate.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "jwt_audience": {
        "label": "Audience",
        "description": "For jwt_bearer: the audience of the assertion. Empty: the platform's host.",
        "schema": {"type": ["string", "null"]},
    },
    "token_url": {
        "label": "Token URL",
        "description": "Only if tokens come from elsewhere than <Platform>/oauth2/token.",
        "schema": {"type": ["string", "null"]},
    },
    "scope": {
        "label": "Scope",
        "description": "Default api, the only documented one.",
        "schema": {"type": ["string", "null"]},
    },
    "add_route": {
        "label": "Add route",
        "description": "Endpoint that adds users: assign_users, put_users or post_users. auto (default) tries them in "
        "that order and keeps the first that works.",
        "schema": {
            "type": ["string", "null"],
            "enum": ["auto", "assign_users", "put_users", "post_users"],
            "default": "auto",
        },
    },
    "create_path": {
        "label": "Create path",
        "description": "Endpoint that creates groups: audience or audiences. auto (default) tries them in that order.",
        "schema": {"type": ["string", "null"], "enum": ["auto", "audience", "audiences"], "default": "auto"},
    },
    "rules_limit": {
        "label": "Limit of rules",
        "description": "Scope of the limit of 10 rules: each set (default), or the whole group.",
        "schema": {"type": ["string", "null"], "enum": ["set", "group"], "default": "set"},
    },
    "users_per_request": {
        "label": "Users a request",
        "description": "IDs in one request. Default 1000; the vendor documents no limit.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000},
    },
    "page_size": {
        "label": "Page size",
        "description": "Entries in a page of a list. Default 200, which is Docebo's limit.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 200},
    },
}

ZENDESK_FIELDS: dict[str, Any] = {
    "auth": {
        "label": "Authentication",
        "description": "oauth (default): client id and secret; bearer: an access token; api_token: an API token, which "
        "ends on 30 April 2027. Password log-in ended in January 2026.",
        "schema": {"type": ["string", "null"], "enum": ["oauth", "bearer", "api_token"], "default": "oauth"},
    },
    "token": {
        "label": "Token",
        "description": "Required for bearer and api_token.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "email": {
        "label": "E-mail",
        "description": "Required for api_token: the e-mail address of the agent who owns it.",
        "schema": {"type": ["string", "null"]},
    },
    "scope": {
        "label": "Scope",
        "description": "For oauth, space-separated. Default read write.",
        "schema": {"type": ["string", "null"]},
    },
    "expires_in": {
        "label": "Token life (s)",
        "description": "For oauth: seconds that a token should live, 301 to 172799. Default 7200.",
        "schema": {"type": ["integer", "null"], "minimum": 301, "maximum": 172799},
    },
    "token_url": {
        "label": "Token URL",
        "description": "Only if tokens come from elsewhere than <Account>/oauth/tokens.",
        "schema": {"type": ["string", "null"]},
    },
    "warnings_are_errors": {
        "label": "Warnings are errors",
        "description": "Fail where Zendesk reports that it dropped a field, instead of logging a warning.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
}
