"""The conformance suite: a correct target passes it, and each target with one fault fails it."""

from __future__ import annotations

import inspect

import pytest

from airflow_segments_provider.errors import VendorError
from airflow_segments_provider.testing.conformance import TargetConformance
from tests.conformance.broken import BROKEN
from tests.conformance.honest import HonestLookUp, HonestTarget, HonestVendor, PartialVendor

TESTS = [name.removeprefix("test_") for name in dir(TargetConformance) if name.startswith("test_")]


class TestCorrectTarget(TargetConformance):
    @pytest.fixture
    def vendor(self):
        return HonestVendor()


class TestCorrectTargetWithoutAList(TargetConformance):
    @pytest.fixture
    def vendor(self):
        vendor = HonestVendor()
        vendor.pages = 0
        return vendor


class TestCorrectTargetWithPartialAcceptance(TargetConformance):
    @pytest.fixture
    def vendor(self):
        return PartialVendor()


class TestCorrectTargetWithoutRepeats(TargetConformance):
    """A target may leave every further try to the engine."""

    @pytest.fixture
    def vendor(self):
        class SendsOnce(HonestTarget):
            def send(self, kind, ids, tries=1):
                return super().send(kind, ids, tries)

        vendor = HonestVendor()
        vendor.target = SendsOnce
        return vendor


def run(name, vendor, folder):
    test = getattr(TargetConformance(), f"test_{name}")
    test(vendor, folder) if "tmp_path" in inspect.signature(test).parameters else test(vendor)


@pytest.mark.parametrize(("broken", "name"), BROKEN, ids=lambda given: getattr(given, "__name__", given))
def test_each_broken_target_fails_the_conformance_suite(broken, name, tmp_path):
    if issubclass(broken, HonestTarget):
        vendor = broken.of()
        vendor.target = broken
    elif issubclass(broken, HonestLookUp):
        vendor = HonestVendor()
        vendor.look_up = broken
    else:
        vendor = broken()
    with pytest.raises((AssertionError, VendorError)) as failed:
        run(name, vendor, tmp_path)
    assert "p00" not in str(failed.value)


def test_each_test_of_the_conformance_suite_fails_for_a_broken_target():
    assert {name for _, name in BROKEN} == set(TESTS)
