"""Directives of the pages for what the package itself describes, so that no page repeats it.

- ``{segments} MODULE``: every name in ``__all__`` of a module
- ``{segments-bases} CLASS …``: the parameters of base classes
- ``{segments-members} CLASS …``: the same, with their methods
- ``{segments-fields} CLASS …``: the fields of the results of a vendor
- ``{segments-options}``: the options of ``[segments]``
- ``{segments-connection} TYPE``: the fields of a connection
- ``{segments-fixtures}``: the pytest fixtures
- ``{segments-commands}``: the commands of ``python -m airflow_segments_provider``

The parameters of a class are those of its base classes, too; those of a hook's method are the fields of its model.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

PACKAGE = "airflow_segments_provider"
_PARAMETER = re.compile(r":param (?P<name>\w+): (?P<text>.*(?:\n {4}.*)*)")
_OF_MODEL = re.compile(r":param parameters: of :class:`~(?P<model>[\w.]+)`.*")


def find(dotted: str) -> Any:
    """Return the object of that name within the package."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(f"{PACKAGE}.{module.removeprefix(f'{PACKAGE}.')}"), name)


def own_parameters(cls: type) -> dict[str, str]:
    """Return the parameters that the docstring of a class describes, as reStructuredText."""
    doc = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    return {found["name"]: " ".join(found["text"].split()) for found in _PARAMETER.finditer(doc)}


def parameters(cls: type) -> dict[str, str]:
    """Return the parameters of a class and of its base classes in the package."""
    found: dict[str, str] = {}
    for base in cls.__mro__:
        if base.__module__.startswith(PACKAGE):
            found = {**found, **{name: text for name, text in own_parameters(base).items() if name not in found}}
    return found


def complete_docstring(_: Sphinx, what: str, __: str, documented: Any, ___: Any, lines: list[str]) -> None:
    """Add the parameters of base classes to a class, and those of the model to a method of a hook."""
    if what == "class":
        known = own_parameters(documented)
        more = {name: text for name, text in parameters(documented).items() if name not in known}
        taken = set(_init_names(documented))
        lines += [f":param {name}: {text}" for name, text in more.items() if name in taken]
    for number, line in enumerate(lines):
        if model := _OF_MODEL.fullmatch(line):
            fields = find(model["model"])
            given = {name for other in lines for name in re.findall(r"^:param (\w+):", other)}
            described = parameters(fields)
            lines[number : number + 1] = [
                f":param {name}: {described[name]}"
                for name in fields.model_fields
                if name in described and name not in given
            ]
            break


def _init_names(cls: type) -> Iterator[str]:
    """Yield the parameters of a class and of the base classes to which it hands the rest."""
    for base in cls.__mro__:
        if base.__module__.startswith(PACKAGE) and "__init__" in base.__dict__:
            yield from inspect.signature(base.__init__).parameters  # type: ignore[misc]


def complete_signature(
    _: Sphinx, what: str, __: str, documented: Any, ___: Any, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """Show the parameters of base classes in the signature of an operator; errors are raised by the package only."""
    if not signature or what not in ("class", "exception"):
        return None
    if what == "exception":
        return "", None
    if not hasattr(documented, "template_fields_renderers"):
        return None
    found: dict[str, inspect.Parameter] = {}
    for base in documented.__mro__:
        if base.__module__.startswith(PACKAGE) and "__init__" in base.__dict__:
            for name, parameter in list(inspect.signature(base.__init__).parameters.items())[1:]:
                if parameter.kind is parameter.KEYWORD_ONLY:
                    found.setdefault(name, parameter)
    more = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    required_first = sorted(found.values(), key=lambda parameter: parameter.default is not parameter.empty)
    whole = inspect.Signature([*required_first, more])
    return stringify_signature(whole, unqualified_typehints=True), returns


class Generated(SphinxDirective):
    """A directive whose content is Markdown that :meth:`markdown` returns."""

    optional_arguments = 1
    final_argument_whitespace = True

    def markdown(self) -> Iterator[str]:
        """Yield the lines."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the lines."""
        return self.parse_text_to_nodes("\n".join(self.markdown()))

    @property
    def names(self) -> list[str]:
        """The arguments."""
        return self.arguments[0].split() if self.arguments else []


class Module(Generated):
    """The public names of a module; of a hook or a client also the methods."""

    def markdown(self) -> Iterator[str]:
        """Yield a directive of autodoc for each name."""
        for module in self.names:
            yield from ("```{eval-rst}", f".. automodule:: {PACKAGE}.{module}", "```")
            found = importlib.import_module(f"{PACKAGE}.{module}")
            # In the order of the file, where that is not the alphabet's.
            order = {name: number for number, name in enumerate(vars(found))}
            for name in sorted(found.__all__, key=lambda name: order.get(name, 0)):
                documented = find(f"{module}.{name}")
                kind = "class" if inspect.isclass(documented) else "function"
                kind = "exception" if kind == "class" and issubclass(documented, BaseException) else kind
                yield from ("```{eval-rst}", f".. auto{kind}:: {PACKAGE}.{module}.{name}")
                if module.startswith(("hooks", "http", "testing")) and kind == "class":
                    yield from ("   :members:", "   :inherited-members: object" if module == "testing.sandbox" else "")
                if kind == "exception":
                    yield "   :show-inheritance:"
                yield "```"


class Bases(Generated):
    """The parameters of base classes."""

    def markdown(self) -> Iterator[str]:
        """Yield a directive of autodoc for each class."""
        for name in self.names:
            kind = "class" if inspect.isclass(find(name)) else "function"
            yield from ("```{eval-rst}", f".. auto{kind}:: {PACKAGE}.{name}", "```")


class Members(Generated):
    """Classes with their methods."""

    def markdown(self) -> Iterator[str]:
        """Yield a directive of autodoc for each class."""
        for name in self.names:
            yield from ("```{eval-rst}", f".. autoclass:: {PACKAGE}.{name}", "   :members:", "```")


class Fields(Generated):
    """A table of the fields of each result."""

    def markdown(self) -> Iterator[str]:
        """Yield a table for each class."""
        for name in self.names:
            cls = find(name)
            described = parameters(cls)
            summary = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
            shown = {field: info for field, info in cls.model_fields.items() if not info.exclude}
            yield from (f"**`{cls.__name__}`**: {_markdown(summary)}", "")
            yield from table(
                ("field", "type", "meaning"),
                (
                    (f"`{field}`", f"`{_type(cls, field)}`", _markdown(described.get(field, "")))
                    for field in [*shown, *cls.model_computed_fields]
                ),
            )


def _type(cls: Any, field: str) -> str:
    owners = map(inspect.get_annotations, cls.__mro__)
    declared = next((annotations[field] for annotations in owners if field in annotations), None)
    if declared is None:
        declared = cls.model_computed_fields[field].return_type
        declared = getattr(declared, "__name__", declared)
    text = re.sub(r"^Annotated\[([^,]+(?:\[.*?\])?),.*\]$", r"\1", str(declared))
    if literal := re.fullmatch(r"Literal\[(.*)\]", text):
        text = " | ".join(part.strip() for part in literal[1].split(","))
    return text


class Options(Generated):
    """The options of the section of Airflow's configuration."""

    def markdown(self) -> Iterator[str]:
        """Yield a table."""
        (content,) = find("provider_info.get_provider_info")()["config"].values()
        yield from table(
            ("option", "type", "default", "meaning"),
            (
                (
                    f"`{option}`",
                    about["type"],
                    f"`{about['default']}`" if about["default"] else "empty",
                    about["description"] + (f" Example: `{about['example']}`." if about["example"] else ""),
                )
                for option, about in content["options"].items()
            ),
        )


class Connection(Generated):
    """The fields of a connection."""

    def markdown(self) -> Iterator[str]:
        """Yield a table."""
        (wanted,) = self.names
        info = find("provider_info.get_provider_info")()
        (about,) = (one for one in info["connection-types"] if one["connection-type"] == wanted)
        behaviour = about["ui-field-behaviour"]
        rows = [
            (f"`{field}`", label, behaviour["placeholders"].get(field, ""))
            for field, label in behaviour["relabeling"].items()
        ]
        rows += [
            (f"`{field}`", shown["label"], shown.get("description", ""))
            for field, shown in about["conn-fields"].items()
        ]
        yield from table(("field", "in the form", "value"), rows)


class Fixtures(Generated):
    """The pytest fixtures."""

    def markdown(self) -> Iterator[str]:
        """Yield a directive for each fixture."""
        plugin = importlib.import_module(f"{PACKAGE}.testing.sandbox.pytest_plugin")
        for name, found in vars(plugin).items():
            if type(found).__name__ == "FixtureFunctionDefinition":
                doc = inspect.cleandoc(inspect.unwrap(found).__doc__ or found.__doc__ or "")
                returned = str(inspect.signature(inspect.unwrap(found)).return_annotation)
                returned = re.sub(r"^Iterator\[(.*)\]$", r"\1", returned)
                yield from ("```{eval-rst}", f".. py:function:: {name}() -> {returned}", "")
                yield from (f"   {line}".rstrip() for line in doc.splitlines())
                yield "```"


class Commands(Generated):
    """The help of each command."""

    def markdown(self) -> Iterator[str]:
        """Yield a code block for each command."""
        os.environ["COLUMNS"] = "88"
        main = importlib.import_module(f"{PACKAGE}.__main__")
        sandbox = importlib.import_module(f"{PACKAGE}.testing.sandbox.__main__")
        for parser in (*_leaves(main._parser()), sandbox._parser()):  # noqa: SLF001
            yield from (f"**{parser.prog}**", "", "```text", parser.format_help().strip(), "```", "")


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers of the commands within a parser."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    for group in groups:
        for command in group.choices.values():
            yield from _leaves(command)
    if not groups:
        yield parser


def table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


def _markdown(text: str) -> str:
    """Return a sentence of a docstring as Markdown."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", " ".join(text.split()))
    return text.replace("``", "`")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    for name, directive in {
        "segments": Module,
        "segments-bases": Bases,
        "segments-members": Members,
        "segments-fields": Fields,
        "segments-options": Options,
        "segments-connection": Connection,
        "segments-fixtures": Fixtures,
        "segments-commands": Commands,
    }.items():
        app.add_directive(name, directive)
    app.connect("autodoc-process-docstring", complete_docstring)
    app.connect("autodoc-process-signature", complete_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
