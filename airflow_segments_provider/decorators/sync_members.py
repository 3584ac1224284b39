"""``@task.sync_members``: a function that returns or yields the users who are wanted in a segment."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_segments_provider.decorators.arguments import ArgumentsField, concealing
from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.rendering import reveal
from airflow_segments_provider.operators.sync import SyncMembersOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["sync_members_task"]


class SyncMembersDecoratedOperator(DecoratedOperator, SyncMembersOperator):
    """Keep a segment's members in sync with the IDs that a function returns or yields.

    Airflow stores and shows only the types and sizes of the function's arguments.

    :param python_callable: returns an iterable of IDs, or a source such as ``SqlMembers``, whose fields are then not
        rendered; or yields IDs, which are not held in memory.
    :param op_args: positional arguments of the function, templates.
    :param op_kwargs: keyword arguments of the function, templates.
    """

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in SyncMembersOperator.template_fields if name != "source"),
    )
    value_fields: Sequence[str] = ("op_args", "op_kwargs")
    custom_operator_name = "@task.sync_members"
    op_args = ArgumentsField()
    op_kwargs = ArgumentsField()

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if "source" in kwargs:
            raise TypeError("@task.sync_members takes no `source`: the function returns the users")
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, source=(), **kwargs)

    def _written_fields(self, context: Context) -> Collection[str]:
        """Return the arguments, too: those of a mapped task are concealed unless they are results of other tasks."""
        return {*super()._written_fields(context), "op_args", "op_kwargs"}

    def execute(self, context: Context) -> dict[str, Any]:
        """Call the function, and sync its users; see the operator."""
        return SyncMembersOperator.execute(self, context)

    def _prepare(self, context: Context) -> None:
        """Call the function.

        :raises InvalidInput: it returned no users and no source.
        """
        op_args, op_kwargs = reveal(self.op_args), reveal(self.op_kwargs)
        context_merge(context, op_kwargs)
        arguments = determine_kwargs(self.python_callable, op_args, context)
        found = self.python_callable(*op_args, **arguments)
        if found is None or inspect.iscoroutine(found):
            what = "nothing" if found is None else "a coroutine"
            raise InvalidInput(
                f"The function of task {self.task_id}",
                [f"it returned {what}; it must return an iterable of ids (an empty one for no users), or yield them."],
            )
        self.source = found


def sync_members_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Make a function the source of a ``SyncMembersOperator``: ``@task.sync_members(target=WalkMeSegment("Trial"))``.

    :param python_callable: the decorated function.
    :param kwargs: arguments of the operator.
    """
    made: Any = task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=SyncMembersDecoratedOperator, **kwargs
    )
    return concealing(made) if python_callable is not None else lambda function: concealing(made(function))
