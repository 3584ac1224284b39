"""Every name that users may type, in one place. A change here is a change of the package's promise."""

from __future__ import annotations

import importlib

import pytest

PUBLIC = {
    "errors": [
        "AuthenticationError",
        "ConfigurationError",
        "Conflict",
        "InvalidInput",
        "NotFound",
        "PermissionDenied",
        "RateLimited",
        "RejectedRequest",
        "SegmentsError",
        "Stopped",
        "UnexpectedReply",
        "VendorError",
        "VendorUnavailable",
    ],
    "hooks.walkme": ["WalkMeHook"],
    "http": ["ClientCredentials", "HttpClient", "Reply", "RetryPolicy"],
    "links": ["WalkMeSystemLink"],
    "members.source": ["SqlMembers"],
    "operators.user_ids": ["UserIds"],
    "operators.walkme": [
        "WalkMeCreateSegmentOperator",
        "WalkMeDeleteSegmentOperator",
        "WalkMeListSegmentsOperator",
        "WalkMeUpdateSegmentOperator",
    ],
    "sandbox": ["ExtraMissing", "SandboxClient", "SandboxError", "SandboxServer"],
    "sensors.walkme": ["WalkMeSegmentPropagationSensor"],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_a_module_offers_exactly_these(module):
    found = importlib.import_module(f"airflow_segments_provider.{module}")
    assert sorted(found.__all__) == PUBLIC[module]
    for name in PUBLIC[module]:
        assert getattr(found, name).__doc__, name
