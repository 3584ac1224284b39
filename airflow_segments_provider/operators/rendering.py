"""Renders the templates of one field of a task."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_segments_provider.operators.concealed import Concealed, rebuilt

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import Context


class Rendering:
    """Renders one field.

    :param native: a collection stays a collection.
    :param values: any object stays what it is.
    """

    def __init__(
        self, operator: BaseOperator, context: Context, env: jinja2.Environment, *, native: bool, values: bool
    ) -> None:
        self._operator = operator
        self._context = context
        self._native = native
        self._values = values
        self._printed: list[Any] = []
        before = env.finalize or (lambda value: value)

        def note(value: Any) -> Any:
            value = before(value)
            self._printed.append(value)
            return value

        self._env = env.overlay(finalize=note)

    def render(self, value: Any) -> Any:
        """Return what a value renders to; the value itself is left as it is, because it may be rendered again."""
        if isinstance(value, Concealed):
            # The field conceals what is set, as a whole.
            return value.value if value.rendered else self.render(value.value)
        if isinstance(value, str):
            return self._text(self._env.from_string, value)
        if isinstance(value, (list, tuple, set, dict)):
            return rebuilt(value, self.render)
        if hasattr(value, "template_fields"):
            return self._object(value)
        # The results of other tasks, and paths.
        return BaseOperator.render_template(self._operator, value, self._context, self._env)

    def _object(self, value: Any) -> Any:
        """Return a copy of a source or target with rendered fields."""
        made = copy.copy(value)
        endings = getattr(value, "template_files", {})
        for name in value.template_fields:
            part = getattr(value, name)
            if isinstance(part, str) and name in endings and part.endswith(endings[name]):
                part = self._text(self._env.get_template, part)
            elif name in getattr(value, "value_fields", ()):
                values, self._values = self._values, self._native
                part = self.render(part)
                self._values = values
            else:
                part = self.render(part)
            setattr(made, name, part)
        return made

    def _text(self, load: Callable[[str], jinja2.Template], source: str) -> Any:
        """Return the text that a template renders to, or the object that its only expression is."""
        self._printed.clear()
        text = _evaluate(load(source), self._context)
        if len(self._printed) != 1 or isinstance(self._printed[0], str):
            return text
        (found,) = self._printed
        if found is None:
            return None if text.strip() == "None" else text
        keeps = self._values or (self._native and _is_collection(found))
        return found if keeps and text.strip() == str(found).strip() else text


def _evaluate(template: jinja2.Template, context: Context) -> str:
    """Render a template as Airflow does, without reading all of the context."""
    env = template.environment
    known: Any = copy.copy(context)
    known.update({name: value for name, value in template.globals.items() if name not in known})
    try:
        return "".join(template.root_render_func(env.context_class(env, known, template.name, template.blocks)))
    except Exception:  # noqa: BLE001  # as jinja2 does: it raises the error with the place in the template
        env.handle_exception()


def _is_collection(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, (str, bytes))
