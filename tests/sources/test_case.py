"""Identities in different case are one user, and different letters are different users."""

from __future__ import annotations

import sys

import pytest

from airflow_segments_provider.sources.ids import without_case


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada.LOVELACE@Example.com", "ada.lovelace@example.com"),
        ("JOSÉ@example.com", "josé@example.com"),
        ("ΣΙΓΜΑ", "σιγμα"),
        ("ЖЕНЯ", "женя"),
    ],
)
def test_ids_that_differ_only_in_case_are_equal_without_case(one, other):
    assert without_case(one) == without_case(other) == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße", "strasse"),
        ("stra\u1e9ee", "strasse"),
        ("stra\u1e9ee", "straße"),
        ("\u212aim", "kim"),
        ("lea\u017f", "leas"),
        ("\u0131da", "ida"),
        ("\u0130da", "ida"),
        ("\u0130da", "i\u0307da"),
        ("\ufb01n", "fin"),
        ("\u212bsa", "åsa"),
        ("ά\u03c2", "ά\u03c3"),
        ("e\u0301", "é"),
        ("\u01c5", "\u01c6"),
    ],
)
def test_ids_with_different_letters_stay_different_without_case(one, other):
    assert without_case(one) != without_case(other)


def test_without_case_at_most_two_letters_become_one():
    sources: dict[str, list[str]] = {}
    for point in range(sys.maxunicode + 1):
        sources.setdefault(without_case("é" + chr(point)), []).append(chr(point))
    shared = [letters for letters in sources.values() if len(letters) > 1]
    assert len(shared) > 1_000
    assert all(len(letters) == 2 and letters[0].lower() == letters[1] for letters in map(_upper_first, shared))


def _upper_first(letters):
    return letters if letters[0].lower() == letters[1] else letters[::-1]
