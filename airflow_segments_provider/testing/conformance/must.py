"""How a test of the suite fails: with a sentence, and without people's ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def must(holds: object, sentence: str) -> None:
    """Fail unless ``holds``; pytest does not rewrite the asserts of an installed package, so the sentence says it all.

    :raises AssertionError: with the sentence.
    """
    if not holds:
        raise AssertionError(sentence)


def must_be(found: Iterable[str], wanted: Iterable[str], who: str) -> None:
    """Fail unless both are the same people, each once.

    :param who: what was looked at, as the start of the sentence, e.g. ``"The members after an add"``.
    """
    held, right = Counter(found), set(wanted)
    missing, more = len(right - held.keys()), len(held.keys() - right)
    twice = sum(1 for times in held.values() if times > 1)
    must(
        not (missing or more or twice),
        f"{who} are not the {len(right)} that they should be: {missing} missing, {more} too many, {twice} more than "
        "once.",
    )
