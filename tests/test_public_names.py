"""Every public name. A change of this test is a change of the package's interface."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import airflow_segments_provider.vendors

VENDORS = {info.name for info in pkgutil.iter_modules(airflow_segments_provider.vendors.__path__)} - {"base"}
PUBLIC = {
    "assets": [
        "alteryx_asset",
        "docebo_asset",
        "segment_asset",
        "walkme_asset",
        "zendesk_asset",
    ],
    "decorators.sync_members": [
        "sync_members_task",
    ],
    "errors": [
        "AuthenticationError",
        "ConfigurationError",
        "Conflict",
        "InvalidInput",
        "LedgerBusy",
        "LedgerDamaged",
        "LedgerError",
        "LedgerLost",
        "LedgerOvertaken",
        "LedgerUnavailable",
        "NotFound",
        "PermissionDenied",
        "PlanRefused",
        "RateLimited",
        "RejectedRequest",
        "RunSuperseded",
        "SegmentsError",
        "SourceUnavailable",
        "Stopped",
        "SyncIncomplete",
        "UnexpectedReply",
        "VendorError",
        "VendorUnavailable",
    ],
    "hooks.alteryx": [
        "AlteryxServerHook",
    ],
    "hooks.docebo": [
        "DoceboHook",
    ],
    "hooks.walkme": [
        "WalkMeHook",
    ],
    "hooks.zendesk": [
        "ZendeskHelpCenterHook",
    ],
    "http": [
        "ClientCredentials",
        "FixedAuthorization",
        "HttpClient",
        "JwtBearer",
        "PasswordGrant",
        "Response",
        "RetryPolicy",
        "UserId",
    ],
    "links": [
        "AlteryxServerLink",
        "DoceboLink",
        "PlanLink",
        "SegmentLink",
        "WalkMeSystemLink",
        "ZendeskHelpCenterLink",
    ],
    "operators.alteryx": [
        "AlteryxServerAddActiveDirectoryGroupOperator",
        "AlteryxServerAddUserGroupUsersOperator",
        "AlteryxServerCreateUserGroupOperator",
        "AlteryxServerDeleteUserGroupOperator",
        "AlteryxServerGetUserGroupOperator",
        "AlteryxServerListUserGroupsOperator",
        "AlteryxServerRemoveActiveDirectoryGroupOperator",
        "AlteryxServerRemoveUserGroupUsersOperator",
        "AlteryxServerShareWithUserGroupOperator",
        "AlteryxServerUnshareFromUserGroupOperator",
        "AlteryxServerUpdateUserGroupOperator",
        "AlteryxServerUpdateUserGroupPermissionsOperator",
    ],
    "operators.docebo": [
        "DoceboAddGroupUsersOperator",
        "DoceboConvertGroupIdOperator",
        "DoceboCreateGroupOperator",
        "DoceboDeleteGroupOperator",
        "DoceboExportGroupUsersOperator",
        "DoceboGetConditionsHistoryOperator",
        "DoceboGetGroupOperator",
        "DoceboListGroupUsersOperator",
        "DoceboListGroupsOperator",
        "DoceboRemoveGroupUsersOperator",
        "DoceboUpdateGroupOperator",
    ],
    "operators.sync": [
        "SyncMembersOperator",
    ],
    "operators.walkme": [
        "WalkMeCreateSegmentOperator",
        "WalkMeDeleteSegmentOperator",
        "WalkMeListSegmentsOperator",
        "WalkMeUpdateSegmentOperator",
    ],
    "operators.zendesk": [
        "ZendeskApplyUserSegmentOperator",
        "ZendeskCreateUserSegmentOperator",
        "ZendeskDeleteUserSegmentOperator",
        "ZendeskGetUserSegmentOperator",
        "ZendeskGetUserTagsOperator",
        "ZendeskListUserSegmentSectionsOperator",
        "ZendeskListUserSegmentTopicsOperator",
        "ZendeskListUserSegmentsOperator",
        "ZendeskUpdateUserSegmentOperator",
        "ZendeskUpdateUserTagsOperator",
        "ZendeskUpdateUsersOperator",
    ],
    "sensors.docebo": [
        "DoceboGroupPopulatedSensor",
    ],
    "sensors.walkme": [
        "WalkMeSegmentPropagationSensor",
    ],
    "sensors.zendesk": [
        "ZendeskJobStatusSensor",
    ],
    "sources.files": [
        "FileMembers",
    ],
    "sources.sql": [
        "SqlMembers",
    ],
    "targets.alteryx": [
        "AlteryxUserGroup",
    ],
    "targets.docebo": [
        "DoceboGroup",
    ],
    "targets.walkme": [
        "WalkMeSegment",
    ],
    "targets.zendesk": [
        "ZendeskUserSegment",
    ],
    "testing.conformance": [
        "TargetConformance",
        "VendorFake",
        "Write",
    ],
    "testing.sandbox": [
        "AlteryxSandboxClient",
        "DoceboSandboxClient",
        "ExtraMissing",
        "SandboxClient",
        "SandboxError",
        "SandboxServer",
        "ZendeskSandboxClient",
    ],
    "triggers.docebo": [
        "DoceboGroupPopulatedTrigger",
    ],
    "triggers.zendesk": [
        "ZendeskJobStatusTrigger",
    ],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_a_module_exports_exactly_these_documented_names(module):
    found = importlib.import_module(f"airflow_segments_provider.{module}")
    assert sorted(found.__all__) == PUBLIC[module]
    for name in PUBLIC[module]:
        assert getattr(found, name).__doc__, name


README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_readme_names_every_hook_operator_and_sensor_and_no_other():
    ours = {name for room in PUBLIC if room.startswith(("hooks.", "operators.", "sensors.")) for name in PUBLIC[room]}
    assert set(re.findall(r"\b\w+(?:Hook|Operator|Sensor)\b", README)) == ours


def test_the_readme_names_the_tested_versions():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text()
    tested = re.search(r"^TESTED := (.+)$", makefile, re.MULTILINE)
    assert tested is not None
    said = README.partition("## Versions tested")[2].partition("\n## ")[0]
    assert re.findall(r"\b\d+\.\d+\.\d+\b", said) == tested[1].split()
