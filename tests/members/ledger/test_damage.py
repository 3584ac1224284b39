"""A ledger that is not what was written is refused before anything is sent, with the way out."""

from __future__ import annotations

import json

import pytest

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.members.guard import Guard
from tests.members.conftest import people

FREE = Guard(max_removed_fraction=1, max_added_fraction=None)


@pytest.fixture
def kept(segment):
    """A segment with a snapshot, two deltas, and an intent that was not committed."""
    segment.sync(people(0, 100))
    segment.sync(people(0, 101))
    segment.sync(people(0, 102))
    return segment


def newest(segment, folder):
    return max(name for name in segment.store.files if name.startswith(folder + "/"))


def refused(segment, match):
    requests = segment.vendor.requests
    with pytest.raises(LedgerError, match=match) as caught:
        segment.sync(people(0, 103))
    assert segment.vendor.requests == requests
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"format": 1}'])
def test_a_damaged_manifest(kept, content):
    kept.store.files[newest(kept, "generations")] = content
    assert "ledger forget" in refused(kept, "is damaged")


def test_a_manifest_of_a_newer_version(kept):
    name = newest(kept, "generations")
    kept.store.files[name] = kept.store.files[name].replace(b'"format": 1', b'"format": 2')
    assert "Update the package" in refused(kept, "newer version")


def test_a_manifest_of_another_segment(kept):
    name = newest(kept, "generations")
    manifest = json.loads(kept.store.files[name])
    manifest["folder"] = "memory/elsewhere/-/2"
    kept.store.files[name] = json.dumps(manifest).encode()
    assert "own folder" in refused(kept, "of another segment")


def test_a_manifest_that_was_changed_or_lost_below_the_newest(kept):
    with pytest.raises(LedgerError):
        _interrupt(kept)
    names = sorted(name for name in kept.store.files if name.startswith("generations/"))
    content = kept.store.files[names[-2]]
    kept.store.files[names[-2]] = content.replace(b'"counts"', b' "counts"')
    refused(kept, "not the one that was written")
    del kept.store.files[names[-2]]
    refused(kept, "missing between others")


def _interrupt(segment):
    """Leave an intent open."""

    def acknowledge(*given, **named):
        raise LedgerError("stopped here")

    from airflow_segments_provider.members.ledger.ledger import Ledger

    kept, Ledger.acknowledge = Ledger.acknowledge, acknowledge  # type: ignore[method-assign]
    try:
        segment.sync(people(0, 103))
    finally:
        Ledger.acknowledge = kept  # type: ignore[method-assign]


@pytest.mark.parametrize("change", ["changed", "gone"])
@pytest.mark.parametrize("folder", ["state", "batches"])
def test_files_with_people(kept, folder, change):
    if folder == "batches":
        with pytest.raises(LedgerError):
            _interrupt(kept)
    name = newest(kept, folder)
    if change == "gone":
        del kept.store.files[name]
    else:
        kept.store.files[name] += b"x"
    refused(kept, "missing or damaged")


def test_a_damaged_acknowledgement(kept):
    with pytest.raises(LedgerError):
        _interrupt(kept)
    generation = newest(kept, "generations").partition("/")[2].removesuffix(".json")
    kept.store.files[f"acknowledged/{generation}/000001-add.json"] = b"{"
    assert "Delete that file" in refused(kept, "is damaged")


def test_deltas_become_a_snapshot_when_they_are_many_or_large(segment):
    segment.limit = 1_000
    segment.sync(people(0, 400))
    for number in range(1, 30):
        segment.sync(people(0, 400 + number), guard=FREE)
        commit = json.loads(segment.store.files[newest(segment, "generations")])["body"]
        assert len(commit["deltas"]) <= 20
        assert sum(part["rows"] for part in commit["deltas"]) <= 0.25 * commit["snapshot"]["rows"]
    segment.sync(people(0, 800), guard=FREE)
    commit = json.loads(segment.store.files[newest(segment, "generations")])["body"]
    assert (commit["deltas"], commit["snapshot"]["rows"]) == ([], 800)
    segment.sync(people(300, 800), guard=FREE)
    assert segment.vendor.members == set(people(300, 800))
    assert segment.sync(people(300, 800)).outcome == "unchanged"
