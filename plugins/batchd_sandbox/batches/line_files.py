"""Files of lines, in the order of the input or shuffled. They appear when complete; lines are not kept in memory."""

from __future__ import annotations

import os
import secrets
from array import array
from pathlib import Path
from random import Random

_BUFFER = 1 << 20


def shuffled_ranks(total: int) -> array[int]:
    """The rank of each input position in a random order, which depends only on the number of lines."""
    ranks = array("I", range(total))
    Random(total).shuffle(ranks)
    return ranks


class LineFile:
    """Accepts lines in the order of the input and writes them in the order of their ranks."""

    def __init__(self, path: str, drafts: str, *, ranked: int | None, newline: bytes = b"\n") -> None:
        self._path = Path(path)
        self._draft = Path(drafts) / secrets.token_hex(12)
        self.newline = newline
        """The end of a line, for a caller that writes two lines at one rank."""
        self._file = self._draft.open("w+b", buffering=_BUFFER)
        # The offset and length of each line by rank: 16 bytes for each request of the batch.
        self._offsets = array("Q", bytes(8 * ranked)) if ranked is not None else None
        self._lengths = array("Q", bytes(8 * ranked)) if ranked is not None else None
        self._size = 0
        self._tail: list[bytes] = []
        self.lines = 0

    def write(self, rank: int, line: bytes) -> None:
        """Adds the line of a rank, given without its newline."""
        self._file.write(line)
        self._file.write(self.newline)
        self.lines += 1
        if self._offsets is not None and self._lengths is not None:
            length = len(line) + len(self.newline)
            self._offsets[rank] = self._size
            self._lengths[rank] = length
            self._size += length

    def write_last(self, line: bytes) -> None:
        """Adds a line after all others."""
        self._tail.append(line + self.newline)
        self.lines += 1

    def finish(self) -> int:
        """Moves the file to its path and returns its size. Without lines there is no file."""
        if not self.lines:
            self.discard()
            self._path.unlink(missing_ok=True)
            return 0
        if self._offsets is not None:
            self._reorder()
        self._file.writelines(self._tail)
        size = self._file.tell()
        self._file.close()
        self._draft.replace(self._path)
        return size

    def discard(self) -> None:
        """Deletes the draft."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def _reorder(self) -> None:
        assert self._offsets is not None
        assert self._lengths is not None
        self._file.flush()
        source = os.dup(self._file.fileno())
        self._file.close()
        self._draft.unlink()
        try:
            self._file = self._draft.open("w+b", buffering=_BUFFER)
            for offset, length in zip(self._offsets, self._lengths, strict=True):
                if length:
                    self._file.write(os.pread(source, length, offset))
        finally:
            os.close(source)
