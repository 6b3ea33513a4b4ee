"""Zstandard files, block by block: no block holds more than 128 KiB, so memory is bounded whatever a file claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from ...archives import damaged
from ...errors import FileRefused

MAGIC = b"\x28\xb5\x2f\xfd"
MISSING = (
    "This file is compressed with Zstandard, and the package that unpacks it is not installed where batchd runs. "
    "Unpack it and drop what is inside.\nFor the operator: pip install 'batchd[zstd]'."
)
_MAX_WINDOW = 1 << 27
_DICTIONARY = (0, 1, 2, 4)
_SIZES = (0, 2, 4, 8)


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what the frames of a file unpack to. Raise FileRefused if one is cut off, or anything else follows."""
    try:
        import zstandard
    except ModuleNotFoundError:
        raise FileRefused("not_installed", MISSING) from None

    while magic := file.read(4):
        if len(magic) == 4 and 0x50 <= magic[0] <= 0x5F and magic[1:] == b"\x2a\x4d\x18":
            _exactly(file, int.from_bytes(_exactly(file, 4), "little"))
        elif magic == MAGIC:
            decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
            try:
                yield from _frame(file, decompressor)
            except zstandard.ZstdError:
                raise damaged() from None
        else:
            raise damaged()


def _frame(file: IO[bytes], decompressor: Any) -> Iterator[bytes]:
    [descriptor] = _exactly(file, 1)
    single, checksum = bool(descriptor & 0x20), bool(descriptor & 0x04)
    size = _SIZES[descriptor >> 6] or int(single)
    rest = _exactly(file, (not single) + _DICTIONARY[descriptor & 0x03] + size)
    yield decompressor.decompress(MAGIC + bytes([descriptor]) + rest)
    last = False
    while not last:
        head = _exactly(file, 3)
        number = int.from_bytes(head, "little")
        last, kind, length = bool(number & 1), number >> 1 & 3, number >> 3
        if kind == 3 or length > 1 << 17:
            raise damaged()
        yield decompressor.decompress(head + _exactly(file, 1 if kind == 1 else length))
    if checksum:
        yield decompressor.decompress(_exactly(file, 4))


def _exactly(file: IO[bytes], size: int) -> bytes:
    read = file.read(size)
    if len(read) < size:
        raise damaged()
    return read
