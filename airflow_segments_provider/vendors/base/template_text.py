"""Lists and objects that a template renders to text."""

from __future__ import annotations

import ast
import json
from typing import Any


def from_text(value: Any) -> Any:
    """The list or object that a template rendered to text, as JSON or as Python writes it; else the value itself."""
    if isinstance(value, str):
        for parse in (json.loads, ast.literal_eval):
            try:
                found = parse(value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            return found if isinstance(found, (list, tuple, dict)) else value
    return value
