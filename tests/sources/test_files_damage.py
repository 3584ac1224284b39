"""Damaged files: every format, compression and kind of damage, at random positions determined by a seed."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import duckdb
import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.files import FileMembers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# The beginning of every ID; no message may contain it.
MARK = "zq"
IDS = [f"{MARK}{number:04}" for number in range(400)]
SEEDS = 12

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda content: zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1}),
}


@cache
def whole(form, compression):
    """Return a file with all IDs; a compressed file has two members."""
    if form == "parquet":
        with duckdb.connect() as database, tempfile.TemporaryDirectory() as folder:
            database.execute("CREATE TABLE ids AS SELECT unnest(?) AS id, 1.5 AS n, 'x' AS t", [IDS])
            database.execute(f"COPY ids TO '{folder}/x' (FORMAT parquet, ROW_GROUP_SIZE 100)")
            content = Path(folder, "x").read_bytes()
    elif form == "csv":
        content = b"id,n,t\n" + b"".join(f'{one},"{n}","a ""b"", c\n"\n'.encode() for n, one in enumerate(IDS))
    else:
        content = b"".join(
            json.dumps({"n": [n, {}], "id": one, "t": 'a "b"'}).encode() + b"\n" for n, one in enumerate(IDS)
        )
    pack = PACKED[compression]
    half = len(content) // 2
    return content if compression == "none" else pack(content[:half]) + pack(content[half:])


def cut(content, chance):
    return content[: chance.randrange(len(content))]


def cut_start(content, chance):
    return content[chance.randrange(1, len(content)) :]


def flip(content, chance):
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 1, 5])):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def flip_ends(content, chance):
    """Change a byte where headers, footers and checksums are."""
    damaged = bytearray(content)
    damaged[chance.choice([*range(40), *range(-200, 0)])] = chance.randrange(256)
    return bytes(damaged)


def zeros(content, chance):
    start = chance.randrange(len(content))
    length = min(chance.choice([1, 20, 500]), len(content) - start)
    return content[:start] + bytes(length) + content[start + length :]


def remove(content, chance):
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.choice([1, 7, 300]) :]


def repeat(content, chance):
    start = chance.randrange(len(content))
    return content[: start + chance.choice([1, 7, 300])] + content[start:]


def insert(content, chance):
    start = chance.randrange(len(content))
    return content[:start] + chance.choice([b'"', b"\n", b",", b"\xff", chance.randbytes(9)]) + content[start:]


def append(content, chance):
    return content + chance.choice([b"\0", b"junk", chance.randbytes(50), content[:20]])


DAMAGES = [cut, cut_start, flip, flip_ends, zeros, remove, repeat, insert, append]


def outcome(path):
    """Return the IDs, or None if the file is refused; no other error may be raised or show an ID."""
    refused = None
    try:
        return list(FileMembers(str(path), "id").read_ids())
    except InvalidInput as error:
        refused = error
    assert MARK not in str(refused)
    assert refused.__cause__ is None
    assert refused.__suppress_context__ or refused.__context__ is None
    return None


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("compression", PACKED)
def test_an_undamaged_file_is_read_in_every_format_and_compression(tmp_path, form, compression):
    path = tmp_path / (f"x.{form}" if compression == "none" else f"x.{form}.{compression}")
    path.write_bytes(whole(form, compression))
    assert outcome(path) == IDS


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("compression", [kind for kind in PACKED if kind != "none"])
def test_a_damaged_compressed_file_is_refused_or_read_exactly(tmp_path, form, compression, damage):
    path = tmp_path / f"x.{form}.{compression}"
    refused = 0
    for seed in range(SEEDS):
        path.write_bytes(damage(whole(form, compression), random.Random(f"{form}{compression}{seed}")))
        found = outcome(path)
        assert found in (IDS, None), seed
        refused += found is None
    # A flipped bit in a name or a time of a member changes nothing.
    assert refused > SEEDS // 3


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_damaged_file_is_read_or_refused_without_its_content(tmp_path, form, damage):
    """Without a checksum, an ID can be changed; but the file is read or refused, and its content is not quoted."""
    path = tmp_path / f"x.{form}"
    refused = 0
    for seed in range(SEEDS * 3):
        path.write_bytes(damage(whole(form, "none"), random.Random(f"{form}{seed}")))
        found = outcome(path)
        refused += found is None
        if damage is cut and found is not None:
            assert form != "parquet"
            assert found == IDS[: len(found)], seed
    assert refused or (form, damage) == ("parquet", append) or damage in (flip, zeros)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_of_random_bytes_is_refused(tmp_path, form):
    chance = random.Random(7)
    for compression in ("", ".gz", ".bz2", ".xz", ".zst"):
        path = tmp_path / f"x.{form}{compression}"
        for length in (0, 1, 2, 10, 1_000):
            path.write_bytes(chance.randbytes(length))
            assert not outcome(path)


@pytest.mark.parametrize("compression", [kind for kind in PACKED if kind != "none"])
@pytest.mark.parametrize("after", [b"\0" * 512, b"x", b"id\n"])
def test_data_after_the_last_compressed_member_is_refused(tmp_path, compression, after):
    """Python's own readers ignore such data; a crash may leave zeros at the end of a file."""
    path = tmp_path / f"x.csv.{compression}"
    path.write_bytes(whole("csv", compression) + after)
    assert outcome(path) is None


@pytest.mark.parametrize("compression", [kind for kind in PACKED if kind != "none"])
def test_an_empty_file_is_refused_as_compressed_and_a_compressed_empty_one_has_no_ids(tmp_path, compression):
    path = tmp_path / f"x.jsonl.{compression}"
    path.write_bytes(b"")
    with pytest.raises(InvalidInput, match="it ends in the middle"):
        list(FileMembers(path, "id").read_ids())
    path.write_bytes(PACKED[compression](b""))
    assert outcome(path) == []


def test_an_error_after_some_ids_were_read_is_raised(tmp_path):
    (tmp_path / "x.csv").write_text("id,n\nu1,1\nu2,2\nu3\n")
    ids = FileMembers(tmp_path / "x.csv", "id").read_ids()
    assert [next(ids), next(ids)] == ["u1", "u2"]
    with pytest.raises(InvalidInput, match="line 4 has 1 cell"):
        next(ids)


def test_a_gz_header_without_end_is_refused(tmp_path):
    stream = zlib.compressobj(wbits=31)
    content = stream.compress(b"id\nu1\n") + stream.flush()
    (tmp_path / "x.csv.gz").write_bytes(content[:3] + b"\x08" + content[4:10] + b"n" * 5_000)
    assert outcome(tmp_path / "x.csv.gz") is None
