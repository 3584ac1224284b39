"""The comparison of this package's requests with a vendor's documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from airflow_segments_provider.cli.contract.document import (
    Body,
    Described,
    Document,
    Schema,
    Unreadable,
    is_json,
    normal,
    shown,
)
from airflow_segments_provider.cli.contract.operations import ANY, Operation, Shape, always, sent

DEEPEST_ALTERNATIVES = 4


@dataclass
class Comparison:
    """The outcome of a comparison; differences, unclear requests and notes are sentences.

    :param compared: how many of our operations were found and compared.
    :param named: how many operations the documents have.
    """

    compared: int = 0
    named: int = 0
    differences: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare(operations: Sequence[Operation], documents: Sequence[Document], base: str, complete: bool) -> Comparison:
    """Compare every operation with the documents.

    :param base: the path of the connection's base URL; paths in documents begin with it or not.
    :param complete: False where some documents could not be read and may have the missing operations.
    """
    found = Comparison()
    by_path: dict[str, dict[str, Described]] = {}
    for document in documents:
        try:
            for described in document.operations():
                found.named += 1
                for path in described.paths:
                    by_path.setdefault(path, {}).setdefault(described.method, described)
        except Unreadable as error:
            found.unclear.append(str(error))
    for operation in operations:
        _compare_one(operation, by_path, base, complete, found)
    return found


def _compare_one(
    operation: Operation, by_path: dict[str, dict[str, Described]], base: str, complete: bool, found: Comparison
) -> None:
    found_as = ((spelling, _described(spelling, by_path, base)) for spelling in operation.spellings)
    spelling, described = next(((one, known) for one, known in found_as if known), ("", None))
    if described is None:
        missing = f"{_named(operation)}: {_why_absent(operation, by_path, base)}"
        if complete:
            found.differences.append(f"{missing}{f' {operation.absent}' if operation.absent else ''}")
        else:
            found.unclear.append(f"{missing} It may be in a document that could not be read.")
        return
    request = f"{spelling} ({operation.does})"
    try:
        found.differences += [f"{request} {problem}" for problem in _problems(operation, described)]
    except Unreadable as error:
        found.unclear.append(f"{request}: {error}")
        return
    found.compared += 1
    if described.deprecated:
        found.notes.append(f"{request} is marked as deprecated.")


def _described(spelling: str, by_path: dict[str, dict[str, Described]], base: str) -> Described | None:
    method, _, path = spelling.partition(" ")
    return next((by_path[one][method] for one in _absolute_paths(path, base) if method in by_path.get(one, {})), None)


def _absolute_paths(path: str, base: str) -> list[str]:
    return [normal(f"{base}/{path}"), normal(path)]


def _named(operation: Operation) -> str:
    return f"{' or '.join(operation.spellings)} ({operation.does})"


def _why_absent(operation: Operation, by_path: dict[str, dict[str, Described]], base: str) -> str:
    """Return whether the document has other methods or another spelling of it, as a sentence."""
    paths = [path for spelling in operation.spellings for path in _absolute_paths(spelling.partition(" ")[2], base)]
    methods = sorted({method for path in paths for method in by_path.get(path, {})})
    if methods:
        return f"the document has the path only with {', '.join(methods)}."
    folded = {path.lower() for path in paths}
    alike = next((path for path in by_path if path.lower() in folded), None)
    return f"it is spelled {shown(alike)}." if alike else "the document has no such operation."


def _problems(operation: Operation, described: Described) -> Iterator[str]:
    """Yield the problems of a request, each as the end of a sentence that begins with the request."""
    ours = {sent(name): always(name) for name in operation.query}
    for name, required in described.query.items():
        if required and not ours.get(name):
            yield f"requires the parameter `{shown(name)}`, which is {_how_rarely(name in ours)} sent."
    for name in ours:
        if name not in described.query:
            yield f"does not have the parameter `{name}`, which is sent."
    for name in described.required_headers:
        yield f"requires the header `{shown(name)}`, which is never sent."
    yield from _body_problems(operation.body, described.body)


def _body_problems(shape: Shape | None, body: Body | None) -> Iterator[str]:
    if shape is None:
        if body is not None and body.required:
            yield "requires a body, and none is sent."
    elif body is None:
        yield "takes no body, and one is sent."
    elif body.media and not any(is_json(kind) for kind in body.media):
        yield f"takes {shown(', '.join(body.media))} only, and JSON is sent."
    elif body.schema is not None:
        yield from _shape_problems(shape, body.schema, "")


def _shape_problems(shape: Shape, schema: Schema, at: str, depth: int = 0) -> list[str]:
    """Return the problems of a part of a body; of alternatives, those of the one that fits best."""
    if depth > DEEPEST_ALTERNATIVES:
        raise Unreadable("A schema is an alternative of itself.")
    problems = list(_own_problems(shape, schema, at))
    if alternatives := schema.alternatives:
        best: list[str] = min((_shape_problems(shape, one, at, depth + 1) for one in alternatives), key=len)
        problems += best
    return problems


def _own_problems(shape: Shape, schema: Schema, at: str) -> Iterator[str]:
    part, kind = _part(at), _kind(shape)
    fitting = {kind, "number"} if kind == "integer" else {kind}
    if kind != ANY and schema.types and not schema.types & fitting:
        yield f"takes {part} as {shown(' or '.join(sorted(schema.types)))}, and it is sent as {kind}."
    elif isinstance(shape, dict):
        yield from _field_problems(shape, schema, at)
    elif isinstance(shape, list):
        if schema.items is not None:
            yield from _shape_problems(shape[0], schema.items, f"{at}[]")
    elif isinstance(shape, tuple) and schema.values is not None:
        for value in shape:
            if value not in schema.values:
                yield f"does not have the value {value!r} of {part}."


def _field_problems(shape: dict[str, Shape], schema: Schema, at: str) -> Iterator[str]:
    ours = {sent(name): (always(name), inner) for name, inner in shape.items()}
    known, alternatives = schema.properties, schema.alternatives
    for name in schema.required:
        if name not in ours or not ours[name][0]:
            where = shown(f"{at}.{name}" if at else name)
            yield f"requires the field `{where}`, which is {_how_rarely(name in ours)} sent."
    for name, (_, inner) in ours.items():
        where = f"{at}.{name}" if at else name
        if name in known:
            yield from _shape_problems(inner, known[name], where)
        elif not schema.is_open and not alternatives:
            yield f"does not have the field `{where}`, which is sent."


def _part(at: str) -> str:
    field = at.removesuffix("[]")
    part = f"the field `{field}`" if field else "the body"
    return f"each item of {part}" if at.endswith("[]") else part


def _kind(shape: Shape) -> str:
    if isinstance(shape, str):
        return shape
    return {dict: "object", list: "array", tuple: "string"}[type(shape)]


def _how_rarely(sometimes: bool) -> str:
    return "not always" if sometimes else "never"
