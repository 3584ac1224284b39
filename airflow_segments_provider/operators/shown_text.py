"""The text of a query for Airflow's page *Rendered Templates*, without what may be data.

The author's text is in the DAG file, which Airflow shows. What a template puts into it may be a user ID from another
task, or a secret of a connection. So only expressions of dates, and of parameters of the run, are shown rendered;
Airflow stores and shows the parameters of a run itself. Any other expression is shown as the author wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2
    import jinja2.nodes

# Names of a task's context that hold a date, or the ID of a run.
_DATES = {
    "data_interval_end",
    "data_interval_start",
    "ds",
    "ds_nodash",
    "logical_date",
    "run_id",
    "ts",
    "ts_nodash",
    "ts_nodash_with_tz",
}
# Airflow's functions for dates; plugins may add others.
_MACROS = {"datetime", "ds_add", "ds_format", "timedelta"}
# Airflow's filters; a DAG may add others.
_FILTERS = {"ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz"}
# Beginnings of what is not an expression: statements, which may define names, and raw text.
_OTHER = {"block_begin", "linestatement_begin", "raw_begin"}
# A longer parameter may be a list of users.
_LONGEST = 100


def shown_text(source: str, env: jinja2.Environment, context: Mapping[str, Any], render: Callable[[str], str]) -> str:
    """Return a template with some of its expressions rendered.

    :param render: renders one expression, which is known to hold no data.
    """
    shown, expression = list[str](), list[str]()
    for _, kind, text in env.lex(source):
        if kind in _OTHER:
            return source
        if expression or kind == "variable_begin":
            expression.append(text)
        elif not kind.startswith(("comment", "linecomment")):
            shown.append(text)
        if kind == "variable_end":
            template = "".join(expression)
            shown.append(render(template) if _holds_no_data(template, env, context) else template)
            expression.clear()
    return "".join(shown)


def _holds_no_data(template: str, env: jinja2.Environment, context: Mapping[str, Any]) -> bool:
    from jinja2 import nodes
    from jinja2.filters import FILTERS

    tree = env.parse(template)
    parts: list[Any] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    allowed = {id(part.node) for part in parts if isinstance(part.node, nodes.Name) and _is_harmless(part, context)}
    return all(name.name in _DATES or id(name) in allowed for name in tree.find_all(nodes.Name)) and all(
        part.name in _FILTERS or part.name in FILTERS for part in tree.find_all(nodes.Filter)
    )


def _is_harmless(part: Any, context: Mapping[str, Any]) -> bool:
    """Return whether a part of a named object is a date function, or a short parameter of the run."""
    from jinja2 import nodes

    name = part.attr if isinstance(part, nodes.Getattr) else getattr(part.arg, "value", None)
    if part.node.name == "macros":
        return name in _MACROS
    if part.node.name != "params" or not isinstance(name, str):
        return False
    try:
        value = context["params"][name]
    except KeyError:
        return False
    return isinstance(value, (str, int, float, type(None))) and len(str(value)) <= _LONGEST
