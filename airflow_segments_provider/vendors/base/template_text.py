"""Lists and objects that a template renders to text."""

from __future__ import annotations

import ast
import json
import tokenize
from io import StringIO
from itertools import pairwise
from typing import Any

_NOT_CODE = (tokenize.NL, tokenize.COMMENT)


def from_text(value: Any) -> Any:
    """Return the list, set or object that a text holds, as JSON or as Python writes it; else the value itself."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{", "(", "set()")):
        for parse in (json.loads, _python):
            try:
                found = parse(value.strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            return found if isinstance(found, (list, tuple, set, dict)) else value
    return value


def _python(text: str) -> Any:
    """Return the value of a literal of Python.

    :raises ValueError: it has texts without a comma between them, as NumPy writes an array. Python would join them.
    """
    found = ast.literal_eval(text)
    kinds = [token.type for token in tokenize.generate_tokens(StringIO(text).readline) if token.type not in _NOT_CODE]
    if (tokenize.STRING, tokenize.STRING) in pairwise(kinds):
        raise ValueError
    return found
