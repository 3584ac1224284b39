"""WalkMe in the contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.contract.contracted import NAME, Contracted


class WalkMe(Contracted):
    """Segments; members are not listed."""

    fixture, conn_id, conn_argument = "walkme_sandbox", "walkme_default", "walkme_conn_id"
    id_argument, result_argument = "segment_guid", "segment"
    token, list_endpoint = "walkme.token", "walkme.list"
    create_endpoint, add_endpoint = "walkme.create", "walkme.update"
    imports = "from airflow_segments_provider.operators.walkme import *"
    operators = {
        "create": 'WalkMeCreateSegmentOperator(name="Trial users", user_ids=PEOPLE[:2], ...)',
        "add": 'WalkMeUpdateSegmentOperator(action="add", name="Trial users", user_ids=PEOPLE, ...)',
        "remove": 'WalkMeUpdateSegmentOperator(action="remove", name="Trial users", user_ids=PEOPLE[:1], ...)',
        "list": "WalkMeListSegmentsOperator(...)",
        "delete": 'WalkMeDeleteSegmentOperator(name="Trial users", ...)',
    }

    def __init__(self, sandbox: Any) -> None:
        from airflow_segments_provider.hooks.walkme import WalkMeHook

        super().__init__(sandbox)
        self.hook = WalkMeHook()

    def people(self, count: int) -> list[str]:
        odd = ["grüße", "日本", "a/b", "..", "100%", "?x=1#y", 'say "x"', "ACME\\ada", "🙂🙂", "שלום"]
        return [*odd, *(f"user{number}" for number in range(count))][:count]

    def create(self, ids: Iterable[object], *, name: str = NAME, **options: Any) -> Any:
        return self.hook.create_segment(name, ids, **options)

    def delete(self, key: Any, **options: Any) -> Any:
        return self.hook.delete_segment(**self.named(key), **options)

    def names(self) -> list[str]:
        return [str(segment.name) for segment in self.hook.get_segments()]

    def fill(self, count: int) -> None:
        for number in range(count):
            self.sandbox.create_segment(f"Segment {number}")

    def members(self, name: str = NAME) -> set[str]:
        found: set[str] = self.sandbox.members(name)
        return found
