"""What ids look like, without telling whose they are: a wrong format shows at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container

from airflow_segments_provider.members.workspace import Workspace

# So many of each kind are looked at, the same ones each time.
LOOKED_AT = 10_000
SHOWN = 3
LONGEST = 40

CHANGES = {"add": ("add", "again"), "remove": ("remove", "remove_again", "gone")}

_MIXED = re.compile("[aA]*9+[aA]+9[aA9]*|[aA]+9+[aA]+[aA9]*")
_RUN = re.compile(r"([aA9])\1{3,}")


def samples(workspace: Workspace, table: str, planned: Container[str]) -> dict[str, dict[str, int]]:
    """The most frequent shapes of the ids to ``add`` and to ``remove``, with their numbers.

    :param table: of ids and their ``action``.
    :param planned: the actions that it has.
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
        shapes = Counter(shape(person) for (person,) in rows)
        found[kind] = dict(sorted(shapes.items(), key=lambda item: (-item[1], item[0]))[:SHOWN])
    return found


def shape(person: str) -> str:
    """Letters become ``a`` and ``A``, digits ``9``, longer runs ``aaa…``; ``@``, ``.``, ``-`` and their like stay.

    A mix of letters and digits becomes ``xxx…``: where the digits stand in a GUID would tell it from others.
    """
    mixed = _MIXED.sub("xxx…", person.translate(_MASKS))
    return _RUN.sub(r"\1\1\1…", mixed)[:LONGEST]


class _Masks(dict[int, str]):
    """What stands for each character, found out once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isupper():
            mask = "A"
        elif character.isalpha():
            mask = "a"
        elif character.isnumeric():
            mask = "9"
        else:
            mask = character if character.isascii() and character.isprintable() else "?"
        self[code] = mask
        return mask


_MASKS = _Masks()
