"""Lists and objects that a template renders to text."""

from __future__ import annotations

import ast
import json
from typing import Any


def from_text(value: Any) -> Any:
    """Return the list, set or object that a text holds, as JSON or as Python writes it; else the value itself."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{", "(")):
        for parse in (json.loads, ast.literal_eval):
            try:
                found = parse(value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            return found if isinstance(found, (list, tuple, set, dict)) else value
    return value
