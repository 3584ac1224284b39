"""The whole suite; each part has its file."""

from __future__ import annotations

from airflow_segments_provider.testing.conformance.faults import FaultTests
from airflow_segments_provider.testing.conformance.identity import IdentityTests
from airflow_segments_provider.testing.conformance.lists import ListTests
from airflow_segments_provider.testing.conformance.membership import MembershipTests
from airflow_segments_provider.testing.conformance.requests import RequestTests
from airflow_segments_provider.testing.conformance.syncs import SyncTests


class TargetConformance(IdentityTests, MembershipTests, RequestTests, FaultTests, ListTests, SyncTests):
    """Subclass it in a test module as ``Test…``, with a fixture ``vendor``; see the package's docstring."""
