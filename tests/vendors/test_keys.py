"""The parameters that identify a segment, beside the result of an earlier task."""

from __future__ import annotations

import pytest

from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey
from airflow_segments_provider.vendors.docebo.parameters import GroupKey
from airflow_segments_provider.vendors.walkme.parameters import SegmentKey
from airflow_segments_provider.vendors.zendesk.parameters import ApplyUserSegment, UserSegmentKey

GUID = "5a4d0c1e-77b2-4c39-9f0e-2b6d8e51a7c4"


@pytest.mark.parametrize(
    ("model", "result", "key", "more"),
    [
        (SegmentKey, "segment", "segment_guid", {}),
        (GroupKey, "group", "group_id", {}),
        (UserGroupKey, "user_group", "user_group_id", {}),
        (UserSegmentKey, "user_segment", "user_segment_id", {}),
        (ApplyUserSegment, "user_segment", "user_segment_id", {"article_id": 1}),
    ],
)
def test_a_name_in_place_of_a_result_is_not_joined_with_the_id_of_the_result(model, result, key, more):
    earlier = {key: GUID if model is SegmentKey else "7", "name": "Sellers"}
    named = model.model_validate({result: earlier, "name": "Buyers", **more})
    assert (getattr(named, key), named.name) == (None, "Buyers")
    alone = model.model_validate({result: earlier, "name": "", **more})
    assert (str(getattr(alone, key)), alone.name) == (earlier[key], "Sellers")
