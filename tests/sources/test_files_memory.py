"""Files of any kind take bounded memory: without line ends, with a long quoted line, or a compressed bomb."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
import tracemalloc
import zlib
from contextlib import contextmanager

import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.files import FileMembers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1 << 20


@contextmanager
def at_most(mib):
    """Check the peak of Python's own memory, without that of the decompressors."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < mib * MIB


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("compression", "pack"),
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd.compress)],
)
def test_a_gibibyte_without_line_ends_is_refused_with_little_memory(tmp_path, form, compression, pack):
    path = tmp_path / f"x.{form}.{compression}"
    path.write_bytes(pack(bytes(16 * MIB)) * 64)
    with at_most(200), pytest.raises(InvalidInput, match="line 1 is longer than 16,777,216 characters"):
        list(FileMembers(path, "id").read_ids())


def test_a_row_that_an_unclosed_quote_extends_is_refused_with_little_memory(tmp_path):
    (tmp_path / "x.csv").write_bytes(b'id,n\nu1,"' + b'","\n' * 2_000_000)
    with at_most(40), pytest.raises(InvalidInput, match="line 2 is longer than 1,000,000 characters"):
        list(FileMembers(tmp_path, "id", max_row_length=1_000_000).read_ids())


def test_a_long_compressed_file_is_read_with_little_memory(tmp_path):
    with gzip.open(tmp_path / "x.csv.gz", "wb", compresslevel=1) as file:
        for start in range(0, 100_000, 1_000):
            file.write(b"".join(b"%d,user%d\n" % (number, number) for number in range(start, start + 1_000)))
    source = FileMembers(tmp_path, column="7", encoding="ascii")
    with at_most(20), pytest.raises(InvalidInput, match="no column"):
        list(source.read_ids())
    source = FileMembers(tmp_path, column="user0")
    with at_most(20):
        assert sum(1 for _ in source.read_ids()) == 99_999


def test_an_xz_file_that_needs_four_gibibytes_is_refused(tmp_path):
    content = bytearray(lzma.compress(b"id\nu1\n"))
    header = slice(12, 12 + (content[12] + 1) * 4)
    content[16] = 40  # The size of the dictionary.
    content[header.stop - 4 : header.stop] = zlib.crc32(content[12 : header.stop - 4]).to_bytes(4, "little")
    (tmp_path / "x.csv.xz").write_bytes(content)
    with pytest.raises(InvalidInput, match="it is damaged, or not in the format xz"):
        list(FileMembers(tmp_path, "id").read_ids())
