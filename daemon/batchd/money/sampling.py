"""Makes a small file of lines from all over a large one, for an estimate that does not read all of it."""

from __future__ import annotations

import random
from pathlib import Path

PIECES = 128
PIECE = 64 * 1024
"""The number and the bytes of the sections that are read, evenly spread over the file."""

_MAX_REFUSED = PIECES // 4
_SEED = 7


def thin(source: Path, target: Path, *, quoted: bool, piece: int = PIECE) -> int | None:
    """Write the beginning of `source` and whole lines from all over it. Returns the bytes written, None if impossible.

    A line must be a record. So if cells may be in quotes (`quoted`), it leaves out sections in which a cell may span
    lines. It returns None if there are many such sections, or if the file is not text in lines. The same file always
    gives the same lines.
    """
    chance = random.Random(_SEED)
    size = source.stat().st_size
    with source.open("rb") as file, target.open("wb") as out:
        head = _lines(b"\n" + file.read(piece), quoted=quoted)
        # UTF-16 encodes newlines differently, and a file without a line end in its first section has no usable lines.
        if head is None or b"\0" in head:
            return None
        written = out.write(head)
        room = (size - len(head)) // (PIECES - 1)
        refused = 0
        for number in range(PIECES - 1):
            file.seek(len(head) + number * room + chance.randrange(max(1, room - piece)))
            lines = _lines(file.read(piece), quoted=quoted)
            if lines is None:
                refused += 1
            else:
                written += out.write(lines)
        return written if refused <= _MAX_REFUSED else None


def _lines(stretch: bytes, *, quoted: bool) -> bytes | None:
    """The whole lines in a section, None if they may not be whole records."""
    begin, end = stretch.find(b"\n") + 1, stretch.rfind(b"\n") + 1
    lines = stretch[begin:end]
    if not lines or (quoted and any(line.count(b'"') % 2 for line in lines.split(b"\n"))):
        return None
    return lines
