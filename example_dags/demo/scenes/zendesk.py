"""Zendesk Help Center: users by their external IDs, background jobs, and an article."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from example_dags.demo import home
from example_dags.demo.scene import BLANKS, Members, Scene, World, change, untidy

SEGMENT, TAG = "People on trial", "tries-everything"
PEOPLE, CONVERTED, UNKNOWN = 130, 25, 4


def zendesk_user_segment(world: World) -> Scene:
    """Move the sandbox's clock, so that each job is done as soon as it has begun."""
    from airflow_segments_provider.testing.sandbox import ZendeskSandboxClient

    sandbox = ZendeskSandboxClient(world.server.url)
    home.connect("zendesk_help_center_default", sandbox.connection())
    ids = set(sandbox.seed_users(PEOPLE))
    known = {str(user.external_id): user.id for user in sandbox.iter_users() if user.id in ids}
    strangers = [f"nobody-{number}" for number in range(UNKNOWN)]
    database = world.people(("person", "plan"), [(person, "trial") for person in [*untidy(list(known)), *strangers]])
    converted = list(known)[:CONVERTED]
    article = sandbox.create_article("How to try everything")

    def finish() -> None:
        sandbox.advance(600)

    def convert() -> None:
        change(database, "UPDATE people SET plan = 'paid' WHERE person = ?", [(person,) for person in converted])

    def members() -> Members:
        return {str(segment.name): set(segment.added_user_ids) for segment in sandbox.segments()}

    def also() -> Iterator[tuple[str, Any, Any]]:
        tagged = {user.id for user in sandbox.iter_users() if TAG in user.tags}
        yield "people without the tag", len(ids - tagged), 0
        yield "people with the tag who are not on trial", len(tagged - ids), 0
        yield "segments on the article", [one.user_segment_ids for one in sandbox.articles() if one.id == article], [[]]

    left = ids - {known[person] for person in converted}
    unmatched = {"users_rejected": BLANKS, "users_unmatched": {"no such user": UNKNOWN}}
    return Scene(
        "zendesk_user_segment",
        {"segment_name": SEGMENT, "article_id": article, "tag": TAG, "delete_at_end": True},
        members,
        {
            "create": {SEGMENT: ids},
            "apply": {SEGMENT: ids},
            "wait": {SEGMENT: ids},
            "remove_converted": {SEGMENT: left},
            "clear": {SEGMENT: left},
            "delete": {},
        },
        results={
            "create": {"users_added": PEOPLE, **unmatched},
            "wait": {"users_failed": {}},
            "remove_converted": {"users_removed": CONVERTED, "users_unmatched": {}},
            "delete": {"outcome": "deleted"},
        },
        then={"tag_users": finish, "wait": convert},
        also=also,
    )
