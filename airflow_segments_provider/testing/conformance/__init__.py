"""What every target of a sync must keep to, as tests that come with the package.

Whoever writes a :class:`~airflow_segments_provider.sync.target.Target` for a vendor, writes a fake of that vendor
besides, and gets all the tests by a class in a test module::

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

The tests take the fixture ``vendor``, a fresh fake with one segment without members, and pytest's ``tmp_path``. The
fake should be reached as the vendor is, over a socket: what is between the target and the vendor is tested, too. Let
retries wait for milliseconds, or the tests take long.
"""

from __future__ import annotations

from airflow_segments_provider.testing.conformance.fake import VendorFake, Write
from airflow_segments_provider.testing.conformance.suite import TargetConformance

__all__ = ["TargetConformance", "VendorFake", "Write"]
