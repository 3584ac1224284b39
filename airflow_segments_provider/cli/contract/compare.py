"""Lays what this package sends beside what a vendor's documents say."""

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
    """What came of it.

    :param compared: how many of our operations were found and compared.
    :param named: how many operations the documents name.
    :param differences: each a sentence that names the request.
    :param unclear: what could not be compared, each a sentence.
    :param notes: what is worth knowing and no difference.
    """

    compared: int = 0
    named: int = 0
    differences: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare(operations: Sequence[Operation], documents: Sequence[Document], base: str, complete: bool) -> Comparison:
    """Compare every operation with what the documents name.

    :param base: the path of the connection's base URL: documents name paths with it or without it.
    :param complete: False: more documents exist than could be read, so what is missing may be in one of those.
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
    return next((by_path[one][method] for one in _places(path, base) if method in by_path.get(one, {})), None)


def _places(path: str, base: str) -> list[str]:
    return [normal(f"{base}/{path}"), normal(path)]


def _named(operation: Operation) -> str:
    return f"{' or '.join(operation.spellings)} ({operation.does})"


def _why_absent(operation: Operation, by_path: dict[str, dict[str, Described]], base: str) -> str:
    """Whether there are other methods, or another spelling, of it."""
    places = [place for spelling in operation.spellings for place in _places(spelling.partition(" ")[2], base)]
    methods = sorted({method for place in places for method in by_path.get(place, {})})
    if methods:
        return f"the path is there, but only with {', '.join(methods)}."
    folded = {place.lower() for place in places}
    alike = next((path for path in by_path if path.lower() in folded), None)
    return f"it is spelled {shown(alike)}." if alike else "the vendor names no such operation."


def _problems(operation: Operation, described: Described) -> Iterator[str]:
    """What is wrong with a request, each as the end of a sentence that begins with it."""
    given = {sent(name): always(name) for name in operation.query}
    for name, required in described.query.items():
        if required and not given.get(name):
            yield f"requires the parameter `{shown(name)}`, which is {_how_rarely(name in given)} sent."
    for name in given:
        if name not in described.query:
            yield f"does not know the parameter `{name}`, which is sent."
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
    """What is wrong with a part of a body; of alternatives the one that fits best is meant."""
    if depth > DEEPEST_ALTERNATIVES:
        raise Unreadable("A schema is an alternative to itself.")
    problems = list(_own_problems(shape, schema, at))
    if alternatives := schema.alternatives:
        best: list[str] = min((_shape_problems(shape, one, at, depth + 1) for one in alternatives), key=len)
        problems += best
    return problems


def _own_problems(shape: Shape, schema: Schema, at: str) -> Iterator[str]:
    place, kind = _place(at), _kind(shape)
    fitting = {kind, "number"} if kind == "integer" else {kind}
    if kind != ANY and schema.types and not schema.types & fitting:
        yield f"takes {place} as {shown(' or '.join(sorted(schema.types)))}, and it is sent as {kind}."
    elif isinstance(shape, dict):
        yield from _field_problems(shape, schema, at)
    elif isinstance(shape, list):
        if schema.items is not None:
            yield from _shape_problems(shape[0], schema.items, f"{at}[]")
    elif isinstance(shape, tuple) and schema.values is not None:
        for value in shape:
            if value not in schema.values:
                yield f"does not know the value {value!r} of {place}."


def _field_problems(shape: dict[str, Shape], schema: Schema, at: str) -> Iterator[str]:
    given = {sent(name): (always(name), inner) for name, inner in shape.items()}
    known, alternatives = schema.properties, schema.alternatives
    for name in schema.required:
        if name not in given or not given[name][0]:
            where = shown(f"{at}.{name}" if at else name)
            yield f"requires the field `{where}`, which is {_how_rarely(name in given)} sent."
    for name, (_, inner) in given.items():
        where = f"{at}.{name}" if at else name
        if name in known:
            yield from _shape_problems(inner, known[name], where)
        elif not schema.is_open and not alternatives:
            yield f"does not know the field `{where}`, which is sent."


def _place(at: str) -> str:
    field = at.removesuffix("[]")
    place = f"the field `{field}`" if field else "the body"
    return f"each item of {place}" if at.endswith("[]") else place


def _kind(shape: Shape) -> str:
    if isinstance(shape, str):
        return shape
    return {dict: "object", list: "array", tuple: "string"}[type(shape)]


def _how_rarely(sometimes: bool) -> str:
    return "not always" if sometimes else "never"
