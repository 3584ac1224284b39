"""The kind of statement of an SQL text, in time proportional to its length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

_START = r"[A-Za-z_\x80-\U0010ffff]"
_COMMENT_EDGE = re.compile(r"/\*|\*/")

_READS = {"select", "table", "values"}
_CHANGES = {"delete", "insert", "merge", "update"}
# Statements that some databases commit by themselves, and that return no rows in any.
_DEFINES = {"alter", "create", "drop", "grant", "revoke", "truncate"}
_RETURNS = {"output", "returning"}


@cache
def _token() -> re.Pattern[str]:
    """Return the pattern of PostgreSQL's tokens, compiled when a query is read: it takes too long for an import."""
    # A quote outside of the tokens has no certain end: whether a backslash escapes the quote after it
    # depends on a setting of the server. With possessive quantifiers, no character is tried twice.
    return re.compile(
        rf"""
          (?P<blank>   \s++ | --[^\n\r]*+ )
        | (?P<comment> /\* )
        | (?P<dollar>  \$ (?:{_START} (?:{_START}|\d)*+ )?+ \$ )
        | (?P<quoted>  [eE]' (?:[^'\\]|\\.|'')*+ ' | ' (?:[^'\\]|\\[^']|'')*+ ' | " (?:[^"]|"")*+ " )
        | (?P<word>    {_START} (?:{_START}|[\d$])*+ )
        | (?P<open>    ['"] )
        | (?P<other>   . )
        """,
        re.VERBOSE | re.DOTALL,
    )


def can_be_declared(sql: str) -> bool:
    """Return whether PostgreSQL can declare a cursor for this text: it is one statement, which only reads.

    False where that is not certain: a wrong declaration fails, a missing one costs memory.
    """
    found = statements(sql)
    # `into`, `for update` and a change within `with` are not reads; a column of such a name counts as one of these.
    return len(found) == 1 and _verb(found[0]) in _READS and not (_CHANGES | {"into"}) & set(found[0])


def only_changes(sql: str) -> bool:
    """Return whether this is one statement that changes rows or tables, and returns none.

    Some drivers return the number of rows.
    """
    found = statements(sql)
    return len(found) == 1 and (
        _verb(found[0]) in _DEFINES or (_verb(found[0]) in _CHANGES | {"replace"} and not _RETURNS & set(found[0]))
    )


def statements(sql: str) -> list[list[str]]:
    """Return the tokens of each statement in lower case, without comments; nothing if a quote or comment has no end."""
    found: list[list[str]] = [[]]
    for kind, text in tokens(sql):
        if kind == "open":
            return []
        if text == ";":
            found.append([])
        elif kind not in ("blank", "comment"):
            found[-1].append(text.lower())
    while found and not found[-1]:
        found.pop()
    return found


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each token; the last one is ``open`` if it has no end."""
    position = 0
    while match := _token().match(sql, position):
        kind, end = str(match.lastgroup), match.end()
        if kind == "comment":
            end = _comment_end(sql, end)
        elif kind == "dollar":
            closing = sql.find(match[0], end)
            end = closing + len(match[0]) if closing >= 0 else -1
        if kind == "open" or end < 0:
            yield "open", sql[position:]
            return
        yield kind, sql[position:end]
        position = end


def _comment_end(sql: str, position: int) -> int:
    """Return where a comment ends whose text begins here; -1 if it does not. Comments may contain comments."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(sql, position):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return -1


def _verb(statement: list[str]) -> str:
    """Return the first word; of a statement that begins with `with`, the verb after the common table expressions."""
    begin = next((number for number, word in enumerate(statement) if word != "("), 0)
    if statement[begin : begin + 1] != ["with"]:
        return "".join(statement[begin : begin + 1])
    depth = 0
    for word in statement[begin:]:
        depth += (word == "(") - (word == ")")
        if not depth and word in _READS | _CHANGES:
            return word
    return ""
