"""The history of a Docebo group's rules, and both ids of groups for DAGs that come from the former groups service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.docebo import DoceboGroupOperator, DoceboOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["DoceboConvertGroupIdOperator", "DoceboGetConditionsHistoryOperator"]

# In the names of what tells who made a change.
_PEOPLE = ("author", "user", "by", "name", "mail", "idst")


class DoceboGetConditionsHistoryOperator(DoceboGroupOperator):
    """Get the rules that an automatic group has had, the latest first.

    Returns ``[{date, ruleset}, …]``, and what else Docebo tells of each but for the person who made the change.

    :param limit: how many at most; None for all.
    """

    template_fields: Sequence[str] = (*DoceboGroupOperator.template_fields, "limit")

    def __init__(self, *, limit: int | str | None = 50, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit = limit

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Get the history."""
        limit = str(self.limit or "None").strip()
        if limit != "None" and not (limit.isascii() and limit.isdigit()):
            raise InvalidInput("The history of a group's rules", ["`limit` is neither a whole number nor None."])
        self.push_link(context, self.hook.platform_url)
        entries = self.hook.get_conditions_history(**self.key)
        found = [_told(entry) for entry in islice(entries, None if limit == "None" else int(limit))]
        self.log.info("Read %d rulesets that the group has had.", len(found))
        return found


class DoceboConvertGroupIdOperator(DoceboOperator):
    """Find both ids of groups: the uuid, and the number that it had in the groups service of before 2020.

    A DAG that was written for the old service keeps its numbers, converts them here, and maps the result over other
    operators. One call for each id. Returns ``[{group_id, legacy_id}, …]`` in the order of ``ids``; an id of no group
    fails the task, which names all such ids.

    :param ids: uuids and numbers, mixed at will: a list, an upstream result, or a template that renders to a list.
    """

    template_fields: Sequence[str] = ("ids", "docebo_conn_id")

    def __init__(self, *, ids: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ids = ids

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Convert the ids."""
        self.push_link(context, self.hook.platform_url)
        found = self.hook.convert_group_ids(self.ids)
        self.log.info("Found both ids of %d groups.", len(found))
        return [ids.model_dump(mode="json") for ids in found]


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The ruleset and what is plain; nobody who had a hand in it."""
    return {
        key: value
        for key, value in entry.items()
        if key == "ruleset" or not (isinstance(value, (Mapping, list)) or any(word in key.lower() for word in _PEOPLE))
    }
