"""The fields of one body, read one by one; their problems are told together."""

from __future__ import annotations

from typing import get_args
from urllib.parse import parse_qsl

from airflow_segments_provider.testing.sandbox.alteryx import dates, ids
from airflow_segments_provider.testing.sandbox.alteryx.constants import MAX_NAME_CHARACTERS, Role
from airflow_segments_provider.testing.sandbox.alteryx.problems import Fields, invalid, problem
from airflow_segments_provider.testing.sandbox.messages import Call

JSON_TYPES = ("application/json", "text/json")


def read_json(call: Call) -> object:
    """Return a JSON body, or refuse it.

    XML bodies, which the real server is said to take, are refused like any other type.
    """
    if call.content_type not in JSON_TYPES:
        raise problem(415, "The request's media type is not supported for this resource.")
    if not call.body:
        raise problem(400, "A body is required.")
    try:
        return call.json
    except ValueError:
        raise invalid({"contract": ["The body is no JSON."]}) from None


def read_form(call: Call) -> dict[str, object]:
    """Return a form body, or refuse it."""
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


class FieldReader:
    """Reads the fields of an object, and collects what is wrong with them.

    :param body: what should be an object; anything else is refused at once
    :param inside: the name of the field that holds this object, for the names of its own fields
    """

    def __init__(self, body: object, inside: str = "") -> None:
        if not isinstance(body, dict):
            raise invalid({inside.rstrip(".") or "contract": ["The body must be an object."]})
        self._body: dict[str, object] = body
        self._inside = inside
        self._seen: set[str] = set()
        self.problems: Fields = {}

    def has(self, field: str) -> bool:
        """Tell whether a field is given; null counts as not given."""
        self._seen.add(field)
        return self._body.get(field) is not None

    def raw(self, field: str) -> object:
        """Return a required field as it is."""
        if not self.has(field):
            self._wrong(field, f"The {field} field is required.")
        return self._body.get(field)

    def name(self, field: str) -> str:
        """Return a name of 1 to 255 characters; that they are counted in UTF-16 and not all blank is an assumption."""
        value = self._text(field)
        units = len(value.encode("utf-16-le", "surrogatepass")) // 2
        if not self._is_wrong(field) and (not value.strip() or units > MAX_NAME_CHARACTERS):
            self._wrong(field, f"The field must have 1 to {MAX_NAME_CHARACTERS} characters.")
        if not _encodable(value):
            self._wrong(field, "The field must be valid Unicode.")
        return value

    def role(self, field: str) -> Role:
        """Return a role, spelled exactly."""
        value = self._text(field)
        for role in get_args(Role):
            if value == role:
                found: Role = role
                return found
        if not self._is_wrong(field):
            self._wrong(field, f"The field must be one of {', '.join(get_args(Role))}.")
        return "Evaluated"

    def id(self, field: str) -> str:
        """Return an id."""
        found = ids.read(self._text(field))
        if found is None and not self._is_wrong(field):
            self._wrong(field, "The field must have 24 hexadecimal digits.")
        return found or ""

    def optional_date(self, field: str) -> str | None:
        """Return a date as it is spelled, or None."""
        if not self.has(field):
            return None
        value = self._text(field)
        if dates.read(value) is None:
            self._wrong(field, "The field must be a date and time.")
        return value

    def optional_flag(self, field: str) -> bool:
        """Return true or false, false where it is not given."""
        value = self._body[field] if self.has(field) else False
        if not isinstance(value, bool):
            self._wrong(field, "The field must be true or false.")
        return bool(value)

    def finish(self, unknown_refused: bool) -> None:
        """Refuse the body if anything was wrong.

        :param unknown_refused: whether a field that was not asked for is wrong
        """
        if unknown_refused:
            for field in self._body.keys() - self._seen:
                self._wrong(field, "There is no such field.")
        if self.problems:
            raise invalid(self.problems)

    def _text(self, field: str) -> str:
        value = self.raw(field)
        if value is not None and not isinstance(value, str):
            self._wrong(field, "The field must be a string.")
        return value if isinstance(value, str) else ""

    def _is_wrong(self, field: str) -> bool:
        return self._inside + field in self.problems

    def _wrong(self, field: str, what: str) -> None:
        self.problems.setdefault(self._inside + field, []).append(what)


def _encodable(text: str) -> bool:
    # JSON may spell half of a surrogate pair, which is no character.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
