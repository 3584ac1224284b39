"""The contents of a compressed file, whole or not at all, in bounded memory."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from airflow_segments_provider.sources.storage import BLOCK, SourceFile

# `xz -9` needs 65 MiB; a damaged file may ask for 4 GiB.
XZ_MEMORY = 256 << 20


class _Gzip:
    """A member of a gz file, with the interface of the decompressors for bz2, xz and zst."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data


def _xz() -> Any:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def _zst() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14
    except ImportError:
        from backports import zstd
    return zstd.ZstdDecompressor()


COMPRESSIONS: dict[str, Callable[[], Any] | None] = {
    "none": None,
    "gz": _Gzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": _xz,
    "zst": _zst,
}


def decompressed(file: SourceFile, compression: str) -> Iterator[bytes]:
    """Yield the contents of a file, at most a MiB at a time.

    A file may have several members, as ``cat a.gz b.gz`` makes it. Python's own readers ignore what follows the last
    one if it is not a member, and so would leave out users.

    :raises InvalidInput: a member is damaged or incomplete, or something else follows it.
    """
    new = COMPRESSIONS[compression]
    if new is None:
        yield from file.blocks()
        return
    member, is_open = new(), True
    for data in file.blocks():
        while data or not member.needs_input:
            try:
                content, data = member.decompress(data, BLOCK), b""
            except Exception:  # noqa: BLE001  # each library has its own
                raise file.refused(
                    f"it is damaged, or not in the format {compression}. Write or copy the file again."
                ) from None
            if content:
                yield content
            is_open = True
            if member.eof:
                data, member = member.unused_data, new()
                is_open = bool(data)
    if is_open:
        raise file.refused(f"it ends in the middle of its {compression} data. Write or copy the file again.")
