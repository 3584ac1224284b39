"""What Airflow is told about this package: its connection types with their forms, and its modules.

Airflow reads this in every one of its processes, and an error here hides every provider of the deployment; so it is
plain data, imports nothing, and is tested against Airflow's own schemas.
"""

from __future__ import annotations

from typing import Any

PACKAGE = "airflow-provider-segments"

# The fields that every vendor's connection has, stored in the connection's extra.
COMMON_FIELDS: dict[str, Any] = {
    "read_only": {
        "label": "Read-only",
        "description": "Refuse every write before the call. Set it on a staging Airflow that knows a production host.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "timeout": {
        "label": "Time-out (s)",
        "description": "Seconds to wait for the next byte of an answer. Default 60.",
        "schema": {"type": ["number", "null"], "minimum": 0.1, "maximum": 3600},
    },
    "rate_limit": {
        "label": "Requests a minute",
        "description": "Send at most so many requests a minute from one task. Tasks that run side by side do not share "
        "it: give each its part. Empty: no limit but the vendor's own.",
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
        "description": "The WalkMe system whose segments are meant. It stands in the Editor's snippet address, between "
        "cdn.walkme.com/users/ and /test/walkme_. With or without hyphens.",
        "schema": {"type": ["string", "null"]},
    },
    "region": {
        "label": "Region",
        "description": "Where the account lives, if Base URL is empty. Default us.",
        "schema": {"type": ["string", "null"], "enum": ["us", "eu", "gov", "ca"], "default": "us"},
    },
    "token_url": {
        "label": "Token URL",
        "description": "Only if tokens come from elsewhere than <Base URL>/accounts/connect/token.",
        "schema": {"type": ["string", "null"]},
    },
    "admin_url": {
        "label": "Admin Center URL",
        "description": "Where the link of a task leads. Empty: the region's own.",
        "schema": {"type": ["string", "null"]},
    },
    "distinct_users": {
        "label": "Distinct users",
        "description": "Let no request hold an id twice, should WalkMe refuse that. It is not known to.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "users_per_request": {
        "label": "Users a request",
        "description": "Ids sent in one request, WalkMe's limit and the default is 25000.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 25000},
    },
}

ALTERYX_SERVER_FIELDS: dict[str, Any] = {
    "client_auth": {
        "label": "Credentials in",
        "description": "Where the token request has key and secret: basic (default) or body.",
        "schema": {"type": ["string", "null"], "enum": ["basic", "body"], "default": "basic"},
    },
    "gallery_url": {
        "label": "Gallery URL",
        "description": "Where the link of a task leads. Empty: /gallery/ on the host of the Web API address.",
        "schema": {"type": ["string", "null"]},
    },
    "users_per_request": {
        "label": "Users a request",
        "description": "Ids sent in one request that adds users. The vendor names no limit; default 1000.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000},
    },
}


def get_provider_info() -> dict[str, Any]:
    """What the entry point ``apache_airflow_provider`` hands to Airflow."""
    return {
        "package-name": PACKAGE,
        "name": "Audience segments",
        "description": "Keeps the right people in a WalkMe segment or an Alteryx Server user group.",
        "integrations": [
            {
                "integration-name": "WalkMe",
                "external-doc-url": "https://support.walkme.com/knowledge-base/segments-api/",
                "tags": ["service"],
            },
            {
                "integration-name": "Alteryx Server",
                "external-doc-url": "https://help.alteryx.com/current/en/server/api-overview/alteryx-server-api-v3.html",
                "tags": ["service"],
            },
        ],
        "hooks": [
            {"integration-name": "WalkMe", "python-modules": ["airflow_segments_provider.hooks.walkme"]},
            {"integration-name": "Alteryx Server", "python-modules": ["airflow_segments_provider.hooks.alteryx"]},
        ],
        "operators": [
            {"integration-name": "WalkMe", "python-modules": ["airflow_segments_provider.operators.walkme"]},
            {
                "integration-name": "Alteryx Server",
                "python-modules": [
                    "airflow_segments_provider.operators.alteryx",
                    "airflow_segments_provider.operators.alteryx_directory",
                    "airflow_segments_provider.operators.alteryx_sharing",
                ],
            },
        ],
        "sensors": [{"integration-name": "WalkMe", "python-modules": ["airflow_segments_provider.sensors.walkme"]}],
        "extra-links": [
            "airflow_segments_provider.links.WalkMeSystemLink",
            "airflow_segments_provider.links.AlteryxServerLink",
        ],
        "connection-types": [
            {
                "connection-type": "walkme",
                "hook-class-name": "airflow_segments_provider.hooks.walkme.WalkMeHook",
                "hook-name": "WalkMe",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {"host": "Base URL", "login": "Client id", "password": "Client secret"},
                    "placeholders": {
                        "host": "https://api.walkme.com (empty: the region's own)",
                        "login": "from Admin Center > API Keys, with Segments API: Read and Write",
                        "system_guid": "0123abcd-4567-89ab-cdef-0123456789ab",
                    },
                },
                "conn-fields": {**WALKME_FIELDS, **COMMON_FIELDS},
            },
            {
                "connection-type": "alteryx_server",
                "hook-class-name": "airflow_segments_provider.hooks.alteryx.AlteryxServerHook",
                "hook-name": "Alteryx Server",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "Web API address",
                        "login": "API access key",
                        "password": "API access secret",
                    },
                    "placeholders": {
                        "host": "https://alteryx.example.com/webapi",
                        "login": "from My Profile > Keys of a Curator: API Access, not Private Studio",
                    },
                },
                "conn-fields": {**ALTERYX_SERVER_FIELDS, **COMMON_FIELDS},
            },
        ],
    }
