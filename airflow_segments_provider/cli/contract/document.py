"""A vendor's own description of its API: a Swagger 2 or an OpenAPI 3 document, and its schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_VARIES = re.compile(r"\{[^{}/]*\}")
# Headers that the client sets.
_OWN_HEADERS = ("authorization", "accept", "content-type", "user-agent")

# Only a schema that refers to itself is deeper.
DEEPEST = 40


@dataclass(frozen=True)
class Body:
    """The body of a request.

    :param media: the accepted types; empty where the document has none.
    """

    schema: Schema | None
    required: bool
    media: tuple[str, ...]


class Document:
    """One document.

    :param content: parsed JSON.
    :param source: its path or file, for messages.
    :raises Unreadable: it is not a Swagger 2 or OpenAPI 3 document.
    """

    def __init__(self, content: Any, source: str) -> None:
        self.source = source
        self.root = as_object(content, f"The document {shown(source)}")
        self.version = str(self.root.get("swagger") or self.root.get("openapi") or "")
        if not self.version.startswith(("2.", "3.")) or not isinstance(self.root.get("paths"), dict):
            raise Unreadable(f"{shown(source)} is not a Swagger 2 or OpenAPI 3 document.")

    @property
    def title(self) -> str:
        """The title and version of the API."""
        info = self.root.get("info")
        parts = [info.get("title"), info.get("version")] if isinstance(info, dict) else []
        return shown(" ".join(str(part) for part in parts if part)) or "without a title"

    def operations(self) -> Iterator[Described]:
        """Yield all operations."""
        for path, item in self.root["paths"].items():
            if not isinstance(item, dict):
                continue
            found = resolved(self.root, item, f"The path {shown(path)}")
            for method in METHODS:
                if isinstance(found.get(method), dict):
                    yield Described(self, method.upper(), normal(path), found, found[method])

    @property
    def bases(self) -> list[str]:
        """The base paths, without the host."""
        if self.version.startswith("2."):
            return [str(self.root.get("basePath") or "")]
        servers = self.root.get("servers")
        found = [server for server in servers if isinstance(server, dict)] if isinstance(servers, list) else []
        return [_path_of(server) for server in found] or [""]


@dataclass(frozen=True)
class Described:
    """One operation of a document; its details are read on access."""

    document: Document
    method: str
    path: str
    item: dict[str, Any]
    node: dict[str, Any]

    @property
    def paths(self) -> list[str]:
        """The path as it is written, and below each base path."""
        return [self.path, *(normal(f"{base}/{self.path}") for base in self.document.bases)]

    @property
    def deprecated(self) -> bool:
        """Whether the vendor is going to remove it."""
        return self.node.get("deprecated") is True

    @property
    def query(self) -> dict[str, bool]:
        """The parameters of the query, and whether each is required."""
        return {str(one.get("name")): one.get("required") is True for one in self._parameters("query")}

    @property
    def required_headers(self) -> list[str]:
        """The required headers, except those of every request."""
        named = [str(one.get("name")) for one in self._parameters("header") if one.get("required") is True]
        return [name for name in named if name.lower() not in _OWN_HEADERS]

    @property
    def body(self) -> Body | None:
        """The body that it takes, or None.

        :raises Unreadable: the description is damaged.
        """
        if self.document.version.startswith("3."):
            return self._content()
        media = self.node.get("consumes", self.document.root.get("consumes"))
        types = tuple(str(one) for one in media) if isinstance(media, list) else ()
        fields = {str(one.get("name")): one for one in self._parameters("formData")}
        if fields:
            required = [name for name, one in fields.items() if one.get("required") is True]
            return Body(self._schema({"properties": fields, "required": required}), bool(required), types)
        for one in self._parameters("body"):
            return Body(self._schema(one.get("schema") or {}), one.get("required") is True, types)
        return None

    def _content(self) -> Body | None:
        if "requestBody" not in self.node:
            return None
        request = resolved(self.document.root, self.node["requestBody"], "A request body")
        content = as_object(request.get("content") or {}, "The content of a request body")
        chosen = next((kind for kind in content if is_json(kind)), None)
        found = as_object(content[chosen], "The content of a request body").get("schema") if chosen else None
        schema = self._schema(found) if found is not None else None
        return Body(schema, request.get("required") is True, tuple(content))

    def _parameters(self, where: str) -> Iterator[dict[str, Any]]:
        """Yield the parameters of the operation, and those of its path that it does not replace."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for owner in (self.item, self.node):
            nodes = owner.get("parameters")
            for node in nodes if isinstance(nodes, list) else ():
                one = resolved(self.document.root, node, "A parameter")
                found[str(one.get("in")), str(one.get("name"))] = one
        yield from (one for (location, _), one in found.items() if location == where)

    def _schema(self, node: Any) -> Schema:
        return Schema(self.document.root, node)


def normal(path: str) -> str:
    """Return a path in a form that can be compared: ``/v3/usergroups/{}``."""
    parts = [part for part in _VARIES.sub("{}", path).split("/") if part]
    return "/" + "/".join(parts)


def is_json(media: str) -> bool:
    """Return whether this media type stands for JSON."""
    kind = media.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json", "application/*", "*/*") or kind.endswith("+json")


def _path_of(server: dict[str, Any]) -> str:
    """Return the path of a server's address, with the defaults of its variables."""
    url = str(server.get("url") or "")
    variables = server.get("variables")
    for name, variable in variables.items() if isinstance(variables, dict) else ():
        default = variable.get("default") if isinstance(variable, dict) else None
        url = url.replace(f"{{{name}}}", str(default or ""))
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


class Unreadable(Exception):
    """A document, or a part of one, that cannot be read; the message is the reason."""


def as_object(value: Any, what: str) -> dict[str, Any]:
    """Return a value that must be a JSON object."""
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is not a JSON object.")
    return value


def resolved(root: dict[str, Any], node: Any, what: str) -> dict[str, Any]:
    """Return a node, or the one that it refers to within the same document.

    :raises Unreadable: it refers to another document, to nothing, or to itself.
    """
    found = as_object(node, what)
    for _ in range(DEEPEST):
        reference = found.get("$ref")
        if not isinstance(reference, str):
            return found
        found = as_object(_pointed_to(root, reference), f"{what}, by {shown(reference)},")
    raise Unreadable(f"{what} refers to itself.")


def _pointed_to(root: dict[str, Any], reference: str) -> Any:
    if not reference.startswith("#/"):
        raise Unreadable(f"{shown(reference)} refers to another document; it was not fetched.")
    found: Any = root
    for part in unquote(reference[2:]).split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise Unreadable(f"{shown(reference)} refers to nothing.")
        found = found[name]
    return found


@dataclass(frozen=True)
class Schema:
    """The schema of a value: one node of a document."""

    root: dict[str, Any]
    node: Any

    @property
    def types(self) -> set[str]:
        """The accepted JSON types; empty for any."""
        found = {one for part in self.parts() for one in _texts(part.get("type"))}
        if not found and self.properties:
            return {"object"}
        return found - {"null"}

    @property
    def values(self) -> list[Any] | None:
        """The accepted values, or None for any."""
        return next((part["enum"] for part in self.parts() if isinstance(part.get("enum"), list)), None)

    @property
    def properties(self) -> dict[str, Schema]:
        """The fields of an object."""
        return {
            str(name): Schema(self.root, node)
            for part in self.parts()
            for name, node in as_object(part.get("properties") or {}, "The properties of a schema").items()
        }

    @property
    def required(self) -> list[str]:
        """The required fields, except those of responses only."""
        named = [name for part in self.parts() for name in _texts(part.get("required"))]
        known = self.properties
        return [name for name in dict.fromkeys(named) if not (name in known and known[name].read_only)]

    @property
    def read_only(self) -> bool:
        """Whether it is in responses only."""
        return any(part.get("readOnly") is True for part in self.parts())

    @property
    def is_open(self) -> bool:
        """Whether an object may have other fields."""
        return not self.properties or any(part.get("additionalProperties") for part in self.parts())

    @property
    def items(self) -> Schema | None:
        """The schema of an array's items."""
        return next((Schema(self.root, part["items"]) for part in self.parts() if part.get("items")), None)

    @property
    def alternatives(self) -> list[Schema]:
        """The schemas of which one must fit."""
        nodes = (part.get(name) for part in self.parts() for name in ("oneOf", "anyOf"))
        return [Schema(self.root, node) for found in nodes if isinstance(found, list) for node in found]

    def parts(self, depth: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the nodes of the schema and, joined by ``allOf``, of those that belong to it."""
        if depth > DEEPEST:
            raise Unreadable("A schema contains itself.")
        own = resolved(self.root, self.node, "A schema")
        yield own
        joined = own.get("allOf")
        for node in joined if isinstance(joined, list) else ():
            yield from Schema(self.root, node).parts(depth + 1)


def shown(text: str) -> str:
    """Return a name from a document, shortened and without control characters."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in text)
    return printable if len(printable) <= 100 else f"{printable[:99]}…"


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, str)]
