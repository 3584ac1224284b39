"""A test suite for targets of a sync: every implementation has to pass it.

To test a :class:`~airflow_segments_provider.sync.target.Target`, write a fake of its vendor and a class in a test
module::

    import pytest
    from airflow_segments_provider.testing.conformance import TargetConformance, VendorFake, Write

    class AcmeFake(VendorFake):
        pages = 200

        def open(self, limit):
            return AcmeTarget(base_url=self.server.url, users_per_request=limit)

        ...  # the other methods of VendorFake

    class TestAcme(TargetConformance):
        @pytest.fixture
        def vendor(self):
            with AcmeServer() as server:
                yield AcmeFake(server)

The tests use the fixture ``vendor``, a fresh fake with one segment without members, and pytest's ``tmp_path``. Connect
to the fake as to the vendor, over a socket, so that the HTTP client is tested too. Let retries wait for milliseconds
only.

The fake's optional methods switch tests on: ``identities`` with ``open_by`` and ``identity_of`` those of users who are
looked up, ``ignore`` those of the confirmation, ``hide`` and ``linger`` those of a list that lags.
"""

from __future__ import annotations

from airflow_segments_provider.testing.conformance.fake import VendorFake, Write
from airflow_segments_provider.testing.conformance.suite import TargetConformance

__all__ = ["TargetConformance", "VendorFake", "Write"]
