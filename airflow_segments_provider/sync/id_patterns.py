"""What IDs look like, without the IDs: a wrong format shows at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container
from functools import cache

from airflow_segments_provider.sync.workspace import Workspace

# Of each kind; the same ones each time.
LOOKED_AT = 10_000
SHOWN = 3
LONGEST = 40

CHANGES = {"add": ("add", "again"), "remove": ("remove", "remove_again", "gone")}

_MIXED = re.compile("[aA]*9+[aA]+9[aA9]*|[aA]+9+[aA]+[aA9]*")
_RUN = re.compile(r"([aA9])\1{3,}")


def samples(workspace: Workspace, table: str, planned: Container[str]) -> dict[str, dict[str, int]]:
    """Return the most frequent shapes of the IDs to ``add`` and to ``remove``, with their numbers.

    :param table: of IDs and their ``action``.
    :param planned: the actions in it.
    """
    found = {}
    for kind, all_actions in CHANGES.items():
        actions = [action for action in all_actions if action in planned]
        if not actions:
            continue
        rows = workspace.rows(
            f"SELECT id FROM {table} WHERE list_contains(?::VARCHAR[], action) ORDER BY md5_number(id) "
            f"LIMIT {LOOKED_AT}",
            [actions],
        )
        shapes = Counter(shape(user) for (user,) in rows)
        found[kind] = dict(sorted(shapes.items(), key=lambda item: (-item[1], item[0]))[:SHOWN])
    return found


def shape(user: str) -> str:
    """Mask letters as ``a`` and ``A``, digits as ``9``, longer runs as ``aaa…``; keep ``@``, ``.``, ``-`` and such.

    A mix of letters and digits becomes ``xxx…``: the places of the digits in a GUID would identify it.
    """
    masked = _MIXED.sub("xxx…", "".join(map(_mask, user)))
    return _RUN.sub(r"\1\1\1…", masked)[:LONGEST]


@cache
def _mask(character: str) -> str:
    if character.isupper():
        return "A"
    if character.isalpha():
        return "a"
    if character.isnumeric():
        return "9"
    return character if character.isascii() and character.isprintable() else "?"
