"""Messages that quote a response: no secrets, no users, and a limited length."""

from __future__ import annotations

import base64
import html
import json
import textwrap
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.http.redact import READ, SHOWN, clean
from tests.secrets.encodings import ENCODINGS, found_in

# The characters of IDs, without those of "[user id]", which could form an ID by chance.
letters = st.characters(blacklist_categories=("Cc", "Cs"), blacklist_characters="[]… ")
ids = st.text(letters, min_size=4, max_size=40).filter(lambda text: text.strip() == text and text not in "[user id]***")


@given(ids, st.text(max_size=60), st.text(max_size=60), st.lists(ids, max_size=3))
def test_no_sent_id_survives_in_a_text_that_contains_it(person, before, after, others):
    assert person not in clean(f"{before}{person}{after}", user_ids=[person, *others]).replace("[user id]", "")


@given(ids, st.sampled_from(["message", "error", "details", "other"]), st.booleans(), st.booleans())
def test_no_sent_id_survives_in_json_whichever_way_it_is_escaped(person, key, listed, ascii_only):
    value = [person, {person: person}] if listed else f"bad: {person}"
    text = json.dumps({key: value}, ensure_ascii=ascii_only)
    for said in (text, text[:-1], json.dumps([text]), json.dumps({"message": text})):
        cleaned = clean(said, user_ids=[person]).replace("[user id]", "")
        assert person not in cleaned
        if not person.isascii():
            assert json.dumps(person)[1:-1] not in cleaned


@pytest.mark.parametrize(
    "said",
    [
        {"message": "no such user CORP\\ada"},
        {"details": ["CORP\\ada"]},
        {"details": {"CORP\\ada": "unknown"}},
        ["CORP\\ada"],
        {"message": json.dumps({"userIds": ["CORP\\ada"]})},
    ],
)
def test_an_id_with_a_backslash_is_removed_in_every_form(said):
    assert "ada" not in clean(json.dumps(said), user_ids=["CORP\\ada"])


def test_an_id_is_removed_from_a_page_that_escapes_it_or_breaks_it_over_lines():
    assert clean("<p>o&#39;brien&amp;co</p>", user_ids=["o'brien&co"]) == "[user id]"
    assert "Lovelace" not in clean("<p>Ada\n  Lovelace</p>", user_ids=["Ada Lovelace"])


def test_the_longest_of_several_matching_ids_is_removed():
    assert clean("ada, ada-lovelace!", user_ids=["ada", "ada-lovelace"]) == "[user id], [user id]!"


def test_a_short_id_is_removed_only_as_a_whole_word():
    said = clean("user 1 of 2,100 in batch 11: '1' and id=1, v1.1", user_ids=["1"])
    assert said == "user [user id] of 2,100 in batch 11: '[user id]' and id=[user id], v1.[user id]"


def test_e_mail_addresses_are_removed_even_if_they_were_not_sent():
    assert clean("mail ada@example.com or eve.b+c@sub.example.org, please") == "mail [user id] or [user id], please"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("no Bearer abc.def-1 here", "no *** here"),
        ("no basic YWJjOmRlZg== here", "no *** here"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln_-x", "token ***"),
        ("secret s3cr3t!", "secret ***!"),
        ('{"message": "the secret is s3cr3t"}', "the secret is ***"),
        ('["pa\\"ss\\\\word"]', '["***"]'),
    ],
)
def test_secrets_are_replaced_by_asterisks(text, cleaned):
    assert clean(text, secrets=["s3cr3t", 'pa"ss\\word', ""]) == cleaned


def test_a_secret_that_contains_another_one_is_replaced_whole():
    assert clean("abc abcdef", secrets=["abc", "abcdef"]) == "*** ***"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ('{"error": "invalid_client", "error_description": "no such key"}', "invalid_client: no such key"),
        ('{"message": "a", "statusCode": 400}', "a"),
        ('{"code": 7}', '{"code": 7}'),
        ("<html><head><style>b {}</style></head><body>\n<h1>Bad  gateway</h1></body></html>", "Bad gateway"),
        ("<!-- x --><script>secret()</script>a &lt; b", "a < b"),
        ("  plain \n text ", "plain text"),
        ("", ""),
        ("[" * 50_000, None),
    ],
)
def test_the_readable_message_of_a_response_is_kept(text, cleaned):
    assert clean(text) == ("[" * (SHOWN - 1) + "…" if cleaned is None else cleaned)


def test_a_text_is_cleaned_before_it_is_cut():
    text = "x" * (SHOWN - 5) + " ada-lovelace"
    cleaned = clean(text, user_ids=["ada-lovelace"])
    assert "ada" not in cleaned
    assert len(cleaned) == SHOWN


@pytest.mark.parametrize("filler", [" ", "<p>", "<script", "<!--", "é ", "x"])
def test_a_very_long_response_to_a_full_request_is_cleaned_at_once_and_shows_no_user(filler):
    """25,000 IDs in a response of megabytes: the unsearched rest is not shown, and no part of an ID either."""
    people = [f"person-{number:05}-ä" for number in range(25_000)]
    for cut in (0, 3, 7):
        text = filler * ((READ - cut) // len(filler)) + "".join(people[:100]) + filler * 500_000
        assert "person" not in clean(text, user_ids=people if not cut else people[:100])


SECRET = "s3cr3t/Pa+ss=W0rd!"
SPELLINGS = {
    "percent": quote(SECRET, safe=""),
    "percent, but slashes": quote(SECRET),
    "percent in lower case": quote(SECRET, safe="").lower(),
    "percent twice": quote(quote(SECRET, safe=""), safe=""),
    "percent four times": quote(quote(quote(quote(SECRET, safe=""), safe=""), safe=""), safe=""),
    "form": quote_plus(SECRET),
    "upper case": SECRET.upper(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 of a pair": base64.b64encode(f"id:{SECRET}".encode()).decode(),
    "base64url": base64.urlsafe_b64encode(f"??>{SECRET}".encode()).decode(),
    "base64 beside a word": "credentials" + base64.b64encode(SECRET.encode()).decode(),
    "base64 in lines": "\n ".join(textwrap.wrap(base64.b64encode(SECRET.encode()).decode(), 7)),
    "base64 in percent": quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
    "hex": SECRET.encode().hex(),
    "hex after a digit": "0" + SECRET.encode().hex().upper(),
    "html": html.escape(SECRET),
    "html decimal": "".join(f"&#{ord(char)};" for char in SECRET),
    "html hex in a page": "<p>" + "".join(f"&#x{ord(char):X};" for char in SECRET) + "</p>",
    "json escapes": "".join(f"\\u{ord(char):04X}" for char in SECRET),
    "json in json": json.dumps({"error": json.dumps({"a": SECRET})}),
    "escaped slash": SECRET.replace("/", "\\/"),
    "python bytes": "".join(f"\\x{byte:02x}" for byte in SECRET.encode()),
    "IIS": "".join(f"%u{ord(char):04x}" for char in SECRET),
    "two lines": f"{SECRET[:9]}\n  {SECRET[9:]}",
    "tags between": f"<b>{SECRET[:9]}</b><i>{SECRET[9:]}</i>",
    "utf-16": SECRET.encode("utf-16").decode("utf-8", "replace"),
    "directions": "\u202e".join(SECRET),
    "no width": "\u200b".join(SECRET),
    "quoted-printable": SECRET.replace("=", "=3D").replace("/", "=2F"),
    "quoted-printable in lines": SECRET.replace("=", "=3d")[:8] + "=\r\n" + SECRET.replace("=", "=3d")[8:],
    "quoted-printable of each byte": "".join(f"={byte:02X}" for byte in SECRET.encode()),
    "quoted-printable of base64": base64.b64encode(SECRET.encode()).decode().replace("=", "=3D"),
    "wide": "".join(chr(ord(char) + 0xFEE0) for char in SECRET),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_removed_in_every_encoding(spelling):
    said = clean(f"bad {SPELLINGS[spelling]} here", secrets=[SECRET])
    shown = said.replace("***", "")
    assert not any(part in shown.lower() for part in ("s3cr3t", "w0rd", SPELLINGS[spelling].lower()[-9:-1]))
    assert "***" in said


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("/users/search?query=email%3Aada.lovelace%40example.com", "ada.lovelace@example.com"),
        ("no user ada&#64;example.com", "ada@example.com"),
        ("no user ADA+X@EXAMPLE.COM", "ada+x@example.com"),
        ("no user ada x@example.com", "ada+x@example.com"),
        ('no user "ada lovelace"@example.com', "nobody"),
        ("no user ada=2Elovelace=40example=2Ecom", "ada.lovelace@example.com"),
        ("no user emp%2F0042%20%C3%A9", "emp/0042 é"),
        ("no user 00A1B2C3", "00a1b2c3"),
        ("no user 00a1\nb2c3", "00a1b2c3"),
        ("no user JOSE\u0301", "jos\u00e9"),
        (base64.b64encode("no user émile-77!".encode()).decode(), "émile-77"),
    ],
)
def test_a_user_id_is_removed_in_every_encoding(text, user):
    said = clean(text, user_ids=[user])
    assert "[user id]" in said
    assert not any(part in said.lower() for part in ("ada", "lovelace", "0042", "a1", "b2c3", "jos", "w1pb"))


def test_control_and_direction_characters_are_removed():
    said = clean("\x1b[2J\x1b[31mALL GOOD \x07\u202e evil \x9b31m\r\n[2026] INFO fake&#10;line%0d%0a\u2066x\ufeff")
    assert said == "[2J[31mALL GOOD evil 31m [2026] INFO fake line x"


def test_a_text_that_is_encoded_too_many_times_is_not_shown():
    text = SECRET
    for _ in range(12):
        text = quote(text, safe="")
    assert "3cr3t" not in clean(text, secrets=[SECRET])


def test_a_text_that_only_looks_encoded_is_kept():
    text = "code=404 of 100% of 25%; see https://x.example/a?b=c&d=e and C:\\temp, Zm9vYmFyYmF6 or deadbeefdeadbeef"
    assert clean(text, secrets=[SECRET], user_ids=["ada@example.com"]) == text


@pytest.mark.parametrize("shown", [8, 9, 17])
@pytest.mark.parametrize("encoding", ["plain", "upper", "percent", "percent twice", "form", "json", "base64", "hex"])
def test_the_beginning_of_a_secret_is_removed(encoding, shown):
    cleaned = clean(f"Refused: {ENCODINGS[encoding](SECRET[:shown])}… at 10:42", secrets=[SECRET])
    assert cleaned.startswith("Refused: ***")
    assert cleaned.endswith(" at 10:42")
    assert found_in(cleaned, (SECRET[:4],)) == []
    assert clean(f"Refused: {SECRET[:7]}…", secrets=["other", SECRET]) == f"Refused: {SECRET[:7]}…"


@pytest.mark.parametrize("before", ["Bearer ", "basic ", "eyJ0.", "ada@example.com,", "a@", "token=", ""])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_part_of_a_secret_is_left_beside_a_token_or_an_address(encoding, before):
    secret = 'client-"SECRET"/+&=%é\\-3fd81a6c07'
    cleaned = clean(f"Refused: {before}{ENCODINGS[encoding](secret)} at 10:42", secrets=[secret])
    parts = tuple(secret[start : start + 8] for start in range(len(secret) - 7))
    assert found_in(cleaned, parts) == []
    assert cleaned.endswith("at 10:42")
