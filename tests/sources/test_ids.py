"""The definition of a valid user ID, value by value."""

from __future__ import annotations

import enum
import re
import sys
import unicodedata
import uuid
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.sources import ids
from airflow_segments_provider.sources.ids import PLAIN, IdCheck

GUID = "5f6a3c1e-0b7d-4c11-9a55-0123456789ab"


class Plan(enum.Enum):
    TRIAL = "trial"


class Number(enum.IntEnum):
    ONE = 1


VALID = [
    ("ada", "ada"),
    ("Ada.Lovelace@example.org", "Ada.Lovelace@example.org"),
    ("straße", "straße"),
    ("STRASSE", "STRASSE"),
    ("007", "007"),
    ("1e5", "1e5"),
    ("1.0", "1.0"),
    ("NaN", "NaN"),
    ("None", "None"),
    ("a b", "a b"),
    ("{{ ds }}", "{{ ds }}"),
    ("ACME\\jdoe", "ACME\\jdoe"),
    ('say "x"', 'say "x"'),
    ("日本", "日本"),
    ("e\u0301", "e\u0301"),
    ("\u00e9", "\u00e9"),
    ("a\u200bb", "a\u200bb"),
    ("\u0600\u0661", "\u0600\u0661"),
    ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4\U000e0067\U000e007f"),
    ("\u2764\ufe0f", "\u2764\ufe0f"),
    ("\u845b\U000e0100", "\u845b\U000e0100"),
    ("x" * 100, "x" * 100),
    ("é" * 100, "é" * 100),
    (np.str_("ada"), "ada"),
    (0, "0"),
    (-5, "-5"),
    (7, "7"),
    (2**53 + 1, "9007199254740993"),
    (10**40, "1" + "0" * 40),
    (Number.ONE, "1"),
    (np.int8(7), "7"),
    (np.uint64(2**64 - 1), "18446744073709551615"),
    (Decimal(7), "7"),
    (Decimal(9007199254740993), "9007199254740993"),
    (Decimal(12345678901234567890123456789012345678), "12345678901234567890123456789012345678"),
    (Decimal("7.00"), "7"),
    (Decimal("1E+3"), "1000"),
    (Decimal("-0"), "0"),
    (Fraction(6, 3), "2"),
    (123.0, "123"),
    (-0.0, "0"),
    (1e5, "100000"),
    (float(2**53 - 1), "9007199254740991"),
    (np.float64(7.0), "7"),
    (np.float32(2**24 - 1), "16777215"),
    (np.float16(2**11 - 1), "2047"),
    (uuid.UUID(GUID), GUID),
    (uuid.UUID(GUID.upper()), GUID),
]

STRIPPED = [
    (" ada", "ada"),
    ("ada ", "ada"),
    ("\tada\r\n", "ada"),
    ("\ufeffada", "ada"),
    ("\u200bada\u200b", "ada"),
    ("ada\u200e", "ada"),
    ("\u202aada\u202c", "ada"),
    ("\u2066ada\u2069", "ada"),
    ("ada\u00a0", "ada"),
    ("\u3000ada\u3000", "ada"),
    ("\u00adada", "ada"),
    ("ada\u2060", "ada"),
    ("ada\u2028", "ada"),
    ("\u3164ada", "ada"),
    ("\u2800ada\u2800", "ada"),
    ("ada\x85", "ada"),
    (" \ufeff\u200b ada b \u200e\t", "ada b"),
    (" " + "x" * 100, "x" * 100),
]

INVALID = [
    (None, "blank"),
    ("", "blank"),
    (" ", "blank"),
    ("\t\r\n", "blank"),
    ("\u200b", "blank"),
    ("\ufe0f", "blank"),
    ("\U000e0067\U000e007f", "blank"),
    ("\U000e0100\u200d\u180b", "blank"),
    ("\ufeff\u200e\u00a0", "blank"),
    ("\u3164\u2800\u115f", "blank"),
    (float("nan"), "blank"),
    (np.float32("nan"), "blank"),
    (Decimal("nan"), "blank"),
    (pd.NA, "blank"),
    (pd.NaT, "blank"),
    (np.ma.masked, "blank"),
    ("x" * 101, "too long"),
    (10**100, "too long"),
    (-(10**100), "too long"),
    (10**5001, "too long"),
    (Decimal("1E+1000000"), "too long"),
    ("a\x00b", "control characters"),
    ("\x00ada", "control characters"),
    ("a\nb", "control characters"),
    ("a\u2028b", "control characters"),
    ("\ud800", "control characters"),
    ("a\x7f", "control characters"),
    ("a\x9fb", "control characters"),
    (True, "boolean"),
    (False, "boolean"),
    (np.True_, "boolean"),
    (1.5, "fraction"),
    (float("inf"), "fraction"),
    (Decimal("1.5"), "fraction"),
    (Decimal("-Infinity"), "fraction"),
    (Fraction(1, 3), "fraction"),
    (np.float32(0.5), "fraction"),
    (float(2**53), "inexact number"),
    (1e300, "inexact number"),
    (np.float32(2**24), "inexact number"),
    (np.float16(2**11), "inexact number"),
    (b"ada", "bytes"),
    (bytearray(b"ada"), "bytes"),
    (memoryview(b"ada"), "bytes"),
    (["ada"], "nested value"),
    (("ada",), "nested value"),
    ({"id": "ada"}, "nested value"),
    ({"ada"}, "nested value"),
    (np.array(["ada"]), "nested value"),
    (np.array("ada"), "nested value"),
    (date(2026, 1, 1), "not text"),
    (np.timedelta64(5, "s"), "not text"),
    (1j, "not text"),
    (Plan.TRIAL, "not text"),
    (object(), "not text"),
]

WHOLE = [("7", "7"), ("007", "7"), (7, "7"), (7.0, "7"), (" 7\ufeff", "7"), (2**63 - 1, "9223372036854775807")]
NOT_WHOLE = ["ada", "0", "-1", "1.0", "1e5", "٣", "²", "1_000", "+7", str(2**63), 0, -7, "9" * 19]


def numbered(rows):
    """Return names for the parametrized tests: some values have no printable form."""
    return [f"{number}-{type(value).__name__}" for number, (value, _) in enumerate(rows)]


def taken(value, **options):
    """Return the ID and the reason of a chunk of one value; check that valid IDs around the value change nothing."""
    alone, among = IdCheck(100, **options), IdCheck(100, **options)
    found, around = alone.take([value]), among.take(["1", value, "2"])
    assert around == ["1", *found, "2"]
    assert (alone.invalid, alone.changed) == (among.invalid, among.changed)
    return found, list(alone.invalid), alone.changed


@pytest.mark.parametrize(("value", "text"), VALID, ids=numbered(VALID))
def test_a_valid_id_is_accepted_unchanged(value, text):
    assert taken(value) == ([text], [], 0)
    assert type(taken(value)[0][0]) in (str, np.str_)


@pytest.mark.parametrize(("value", "text"), STRIPPED, ids=numbered(STRIPPED))
def test_invisible_characters_are_stripped_and_counted(value, text):
    assert taken(value) == ([text], [], 1)


@pytest.mark.parametrize(("value", "reason"), INVALID, ids=numbered(INVALID))
def test_an_invalid_value_has_a_reason(value, reason):
    assert taken(value) == ([], [reason], 0)


@pytest.mark.parametrize(("value", "text"), WHOLE, ids=numbered(WHOLE))
def test_all_spellings_of_a_whole_number_give_one_id(value, text):
    assert taken(value, whole_numbers=True)[:2] == ([text], [])


@pytest.mark.parametrize("value", NOT_WHOLE)
def test_text_that_is_not_a_whole_number_is_invalid(value):
    assert taken(value, whole_numbers=True)[:2] == ([], ["not a whole number"])


def test_each_reason_is_a_sentence_and_quotes_no_id():
    check = IdCheck(100, whole_numbers=True)
    values = [value for value, _ in INVALID] + ["secret-user"]
    check.take(values)
    problems = check.problems()
    assert len(problems) == len(check.invalid) == len({reason for _, reason in INVALID}) + 1
    assert all(
        re.fullmatch(r"(1 user ID (is|contains)|\d+ user IDs (are|contain)) .*[^.]\.", line) for line in problems
    )
    assert not any(word in "".join(problems) for word in ("ada", "secret"))


def test_rows_are_counted_and_reported_across_chunks():
    rows = []
    check = IdCheck(100, on_invalid=lambda row, reason: rows.append((row, reason)))
    check.take(["a", "b"])
    check.take(["c", None])
    check.take([True])
    assert rows == [(4, "blank"), (5, "boolean")]
    assert check.rows == 5


anything = st.one_of(st.text(max_size=6), st.text(alphabet="ab \u200b\ufeff\u3164é\x00\n", max_size=5))


@given(st.lists(anything, max_size=8), st.integers(1, 6))
def test_a_chunk_of_ids_is_checked_like_each_id_alone(values, max_length):
    whole = IdCheck(max_length)
    taken = whole.take(list(values))
    parsed = [IdCheck(max_length).parse(value) for value in values]
    assert taken == [text for text, reason in parsed if not reason]
    assert whole.rows == len(values)


@given(st.one_of(anything, st.text(alphabet=st.characters(max_codepoint=300), max_size=4)))
def test_ids_that_match_the_pattern_of_plain_ids_are_valid_unchanged(value):
    if re.fullmatch(PLAIN, value):
        assert IdCheck(10).parse(value) == (value, "")


def test_the_table_of_invisible_characters_is_complete():
    """All others are visible: signs of Arabic, Syriac, Kaithi, hieroglyphs, music and shorthand, and tags."""
    left = [
        code
        for code in range(sys.maxunicode)
        if (chr(code).isspace() or unicodedata.category(chr(code)) == "Cf") and chr(code) not in ids.INVISIBLE
    ]
    assert {code >> 8 for code in left} == {0x6, 0x7, 0x8, 0x110, 0x134, 0x1BC, 0x1D1, 0xE00}
