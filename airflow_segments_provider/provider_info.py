"""Description of this package for Airflow: its connection types with their forms, and its modules.

Every Airflow process reads it, and an error here hides all providers of the deployment. Therefore it is plain data,
imports nothing else, and is tested against Airflow's own schemas.
"""

from __future__ import annotations

from typing import Any

from airflow_segments_provider.connection_fields import (
    ALTERYX_SERVER_FIELDS,
    DOCEBO_FIELDS,
    WALKME_FIELDS,
    ZENDESK_FIELDS,
    form_fields,
)

PACKAGE = "airflow-provider-segments"
ASSETS = [
    {
        "schemes": [vendor],
        "handler": "airflow_segments_provider.assets.sanitize_uri",
        "factory": f"airflow_segments_provider.assets.{vendor}_asset",
    }
    for vendor in ("walkme", "docebo", "alteryx", "zendesk")
]


def get_provider_info() -> dict[str, Any]:
    """Return the data of the entry point ``apache_airflow_provider``."""
    return {
        "package-name": PACKAGE,
        "name": "Audience segments",
        "description": "Keeps the right users in a WalkMe segment, a Docebo group, an Alteryx Server user group or a "
        "Zendesk Help Center user segment.",
        "integrations": [
            {
                "integration-name": "WalkMe",
                "external-doc-url": "https://support.walkme.com/knowledge-base/segments-api/",
                "tags": ["service"],
            },
            {
                "integration-name": "Docebo",
                "external-doc-url": "https://help.docebo.com/hc/en-us/articles/360020084100-Managing-groups",
                "tags": ["service"],
            },
            {
                "integration-name": "Alteryx Server",
                "external-doc-url": "https://help.alteryx.com/current/en/server/api-overview/alteryx-server-api-v3.html",
                "tags": ["service"],
            },
            {
                "integration-name": "Zendesk Help Center",
                "external-doc-url": "https://developer.zendesk.com/api-reference/help_center/help-center-api/user_segments/",
                "tags": ["service"],
            },
        ],
        "hooks": [
            {"integration-name": "WalkMe", "python-modules": ["airflow_segments_provider.hooks.walkme"]},
            {"integration-name": "Docebo", "python-modules": ["airflow_segments_provider.hooks.docebo"]},
            {"integration-name": "Alteryx Server", "python-modules": ["airflow_segments_provider.hooks.alteryx"]},
            {"integration-name": "Zendesk Help Center", "python-modules": ["airflow_segments_provider.hooks.zendesk"]},
        ],
        "operators": [
            {
                "integration-name": "WalkMe",
                "python-modules": [
                    "airflow_segments_provider.operators.sync",
                    "airflow_segments_provider.operators.walkme",
                ],
            },
            {
                "integration-name": "Docebo",
                "python-modules": ["airflow_segments_provider.operators.docebo"],
            },
            {
                "integration-name": "Alteryx Server",
                "python-modules": ["airflow_segments_provider.operators.alteryx"],
            },
            {
                "integration-name": "Zendesk Help Center",
                "python-modules": ["airflow_segments_provider.operators.zendesk"],
            },
        ],
        "sensors": [
            {"integration-name": "WalkMe", "python-modules": ["airflow_segments_provider.sensors.walkme"]},
            {"integration-name": "Docebo", "python-modules": ["airflow_segments_provider.sensors.docebo"]},
            {
                "integration-name": "Zendesk Help Center",
                "python-modules": ["airflow_segments_provider.sensors.zendesk"],
            },
        ],
        "triggers": [
            {"integration-name": "Docebo", "python-modules": ["airflow_segments_provider.triggers.docebo"]},
            {
                "integration-name": "Zendesk Help Center",
                "python-modules": ["airflow_segments_provider.triggers.zendesk"],
            },
        ],
        "extra-links": [
            "airflow_segments_provider.links.SegmentLink",
            "airflow_segments_provider.links.PlanLink",
            "airflow_segments_provider.links.WalkMeSystemLink",
            "airflow_segments_provider.links.DoceboLink",
            "airflow_segments_provider.links.AlteryxServerLink",
            "airflow_segments_provider.links.ZendeskHelpCenterLink",
        ],
        # Since Airflow 3.2.
        "cli": ["airflow_segments_provider.cli.commands.airflow_commands"],
        "asset-uris": ASSETS,
        "dataset-uris": ASSETS,  # their name in Airflow 2
        "config": {
            "segments": {
                "description": "Keeping members of segments in sync.",
                "options": {
                    "ledger_path": {
                        "description": "Location of the ledgers of the syncs: an absolute path, or any URL of "
                        "Airflow's object storage. Empty: the folder segments_ledger in AIRFLOW_HOME, for "
                        "executors that run on one machine.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "s3://aws_default@bucket/segments",
                        "default": "",
                    },
                    "ledger_path_is_shared": {
                        "description": "Whether a local ledger path is on a file system that all workers share.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                    },
                    "keep_days": {
                        "description": "Days for which the ledger keeps files, with user IDs, that it no longer needs.",
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": None,
                        "default": "30",
                    },
                    "plan_only": {
                        "description": "Whether every sync of this deployment ends with its plan and sends nothing.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                    },
                },
            }
        },
        # The schema names it `path`, but Airflow reads `class-name`.
        "task-decorators": [
            {
                "name": "sync_members",
                "class-name": "airflow_segments_provider.decorators.sync_members.sync_members_task",
            }
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
                "conn-fields": form_fields(WALKME_FIELDS, ("system_guid", "region", "read_only")),
            },
            {
                "connection-type": "docebo",
                "hook-class-name": "airflow_segments_provider.hooks.docebo.DoceboHook",
                "hook-name": "Docebo",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {"host": "Platform", "login": "Client id", "password": "Client secret"},
                    "placeholders": {
                        "host": "https://acme.docebosaas.com",
                        "login": "from Admin Menu > API and SSO > API Credentials",
                    },
                },
                "conn-fields": form_fields(
                    DOCEBO_FIELDS, ("grant_type", "username", "user_password", "private_key", "read_only")
                ),
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
                "conn-fields": form_fields(ALTERYX_SERVER_FIELDS, ("read_only",)),
            },
            {
                "connection-type": "zendesk_help_center",
                "hook-class-name": "airflow_segments_provider.hooks.zendesk.ZendeskHelpCenterHook",
                "hook-name": "Zendesk Help Center",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {"host": "Account", "login": "Client id", "password": "Client secret"},
                    "placeholders": {
                        "host": "https://acme.zendesk.com",
                        "login": "OAuth client of the API, confidential; empty for other authentication",
                    },
                },
                "conn-fields": form_fields(ZENDESK_FIELDS, ("auth", "token", "email", "read_only")),
            },
        ],
    }
