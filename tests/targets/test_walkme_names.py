"""A WalkMe segment by name, external ID or GUID, as rendered by a template, with or without spaces."""

from __future__ import annotations

import json
import uuid

import pytest

from airflow_segments_provider.errors import InvalidInput, NotFound
from airflow_segments_provider.targets.walkme import WalkMeSegment


def spaced(text):
    return [text, f" {text}", f"{text}\n", f"\t {text}  "]


def test_spaces_around_a_name_do_not_matter(walkme_sandbox, connect):
    connect()
    guid = walkme_sandbox.create_segment("Trial users")
    targets = [WalkMeSegment(name, create=True).open() for name in spaced("Trial users")]
    assert {target.key().segment for target in targets} == {str(uuid.UUID(guid))}
    assert {target.made_as for target in targets} == {"Trial users"}


def test_spaces_around_an_external_id_or_a_guid_do_not_matter(walkme_sandbox, connect):
    connect()
    guid = walkme_sandbox.create_segment("Trial users", external_id="trial")
    targets = [WalkMeSegment(external_id=external_id, create=True).open() for external_id in spaced("trial")]
    targets += [WalkMeSegment(segment_guid=text).open() for text in spaced(guid.upper())]
    system = targets[0].key().system
    targets += [WalkMeSegment("Trial users", system_guid=text).open() for text in spaced(system.upper())]
    assert len({target.key() for target in targets}) == 1
    assert {target.made_as for target in targets} == {"trial", ""}


def test_a_created_segment_has_the_trimmed_name(walkme_sandbox, connect):
    connect()
    first, second = (WalkMeSegment(name, external_id=" trial ", create=True).open() for name in (" New\n", "New "))
    assert first.key().segment == ""
    first.make()
    assert first.key() == second.key()
    made = first.hook.find_segment(segment_guid=first.segment_id)
    assert made is not None
    assert (made.name, made.external_id) == ("New", "trial")
    assert first.made_as == second.made_as == "trial"


@pytest.mark.parametrize("text", ["", " ", "\n", None])
def test_a_value_that_renders_to_nothing_is_absent(walkme_sandbox, connect, text):
    connect()
    with pytest.raises(InvalidInput, match="must be given"):
        WalkMeSegment(text, external_id=text, segment_guid=text).open().key()
    target = WalkMeSegment("New", external_id=text, segment_guid=text, system_guid=text, create=True).open()
    assert (target.made_as, target.key().system) == ("New", WalkMeSegment("New", create=True).open().key().system)
    with pytest.raises(NotFound):
        WalkMeSegment("New", external_id=text).open().key()


def test_opening_a_target_does_not_change_it(connect):
    connect()
    given = WalkMeSegment(" Trial users ", external_id=" x ")
    before = repr(given)
    assert given.open().made_as == ""
    assert repr(given) == before


def test_all_spellings_of_the_address_of_a_connection_give_one_key(walkme_sandbox, monkeypatch):
    walkme_sandbox.create_segment("Trial users")
    fields, keys = walkme_sandbox.connection(), set()
    for host in (walkme_sandbox.walkme_url, f" {walkme_sandbox.walkme_url}/ ", f"HTTP{walkme_sandbox.walkme_url[4:]}"):
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", json.dumps({**fields, "host": host}))
        keys.add(WalkMeSegment("Trial users").open().key())
    assert [key.base_url for key in keys] == [walkme_sandbox.walkme_url]
