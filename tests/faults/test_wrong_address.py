"""A 404 may come from a wrong address or a gateway: it does not prove that a segment is missing."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import NotFound
from tests.faults.scene import as_list
from tests.faults.vendors import SCENES

DELETES = [
    pytest.param(scene, scene.operations[name] if name in scene.operations else scene.crashes[name], struck, id=id_)
    for scene in SCENES
    for name, struck in (("delete", "token"), ("delete by name", "token"), ("delete by name", "list"))
    for id_ in [f"{scene.vendor}-{name}-{struck}"]
]


@pytest.mark.parametrize(("scene", "operation", "struck"), DELETES, indirect=["scene"])
@pytest.mark.parametrize("kind", ["status", "html"])
def test_a_404_before_the_request_of_a_deletion_is_an_error(scene, operation, struck, kind, new_hook):
    """The outcome is neither "missing" nor "deleted", because no response about the segment itself was received."""
    key = scene.put_before(operation)
    scene.sandbox.fault(scene.operations[struck].endpoint, kind, status=404, times=None)
    with pytest.raises(NotFound, match="'faults'"):
        operation.run(new_hook(), key, [])
    assert operation.endpoint not in scene.sandbox.counts()
    assert scene.members() == as_list(operation.before)
