"""Templates, and values that Airflow neither stores nor shows because they may name a user."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import Context


class Concealed:
    """A value that shows as its size, or as its type.

    :param rendered: it is data already; it must not be rendered as a template.
    """

    def __init__(self, value: Any, *, rendered: bool = False) -> None:
        self.value = value
        self.rendered = rendered

    def __str__(self) -> str:
        """Return what Airflow stores and shows; the same in every process."""
        if not isinstance(self.value, (list, tuple, set, frozenset, dict)):
            return type(self.value).__name__
        count = len(self.value)
        return "1 value" if count == 1 else f"{count:,} values"

    __repr__ = __str__

    def serialize(self) -> str:
        """Return what newer Airflow versions store of an object in a template field."""
        return str(self)


class ConcealedField:
    """The attribute of an operator that holds a :class:`Concealed` value, or the result of another task."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, instance: Any, owner: type) -> Any:
        """Return the concealed value; see :func:`reveal`."""
        return self if instance is None else instance.__dict__[self._slot]

    def __set__(self, instance: Any, value: Any) -> None:
        """Conceal a value."""
        instance.__dict__[self._slot] = conceal(value)

    def conceal(self, value: Any) -> Any:
        """Conceal what is written in ``partial()`` or ``expand()``."""
        return conceal(value)


def conceal(value: Any, *, rendered: bool = False) -> Any:
    """Wrap a value; within containers, leave the results of other tasks visible to Airflow."""
    if value is None or isinstance(value, (bool, Concealed)) or is_result(value):
        return value
    if _has_results(value):
        return rebuilt(value, lambda part: conceal(part, rendered=rendered))
    return Concealed(value, rendered=rendered)


def reveal(value: Any) -> Any:
    """Return the value itself."""
    if isinstance(value, Concealed):
        return value.value
    return rebuilt(value, reveal)


def is_result(value: Any) -> bool:
    """Return whether Airflow has still to resolve a value; paths also have a method ``resolve``."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a container of the same type with changed parts; anything else as it is."""
    if isinstance(value, dict):
        return {key: change(part) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    if isinstance(value, (list, tuple, set)):
        return type(value)(map(change, value))
    return value


def _has_results(value: Any) -> bool:
    """Return whether a container holds results of other tasks, at any depth."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set)):
        return is_result(value)
    return any(_has_results(part) for part in value)


class Rendering:
    """The rendering of one field.

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
        endings, shown = getattr(value, "template_files", {}), {}
        for name in value.template_fields:
            part = getattr(value, name)
            is_file = isinstance(part, str) and name in endings and part.endswith(endings[name])
            if name in getattr(value, "shown_fields", ()):
                shown[name] = self._shown(part, is_file=is_file)
            if is_file:
                part = self._text(self._env.get_template, part)
            elif name in getattr(value, "value_fields", ()):
                values, self._values = self._values, self._native
                part = self.render(part)
                self._values = values
            else:
                part = self.render(part)
            setattr(made, name, part)
        if shown:
            made.shown = shown
        return made

    def _shown(self, value: Any, *, is_file: bool) -> Any:
        """Return what Airflow may show of a field: a text without data, the names of a dict, the number of values."""
        from airflow_segments_provider.operators.shown_text import shown_text

        if isinstance(value, dict):
            return list(value)
        if isinstance(value, (list, tuple)):
            return len(value)
        if not isinstance(value, str):
            return None
        loader = self._env.loader if is_file else None
        text = loader.get_source(self._env, value)[0] if loader else value
        return shown_text(text, self._env, self._context, lambda part: str(self._text(self._env.from_string, part)))

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
