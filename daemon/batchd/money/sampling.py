"""A small file made of lines from all over a large one, for an estimate that does not read it all."""

from __future__ import annotations

import random
from pathlib import Path

PIECES = 128
PIECE = 64 * 1024
"""So many stretches of so many bytes, one from each part of the file."""

_MAX_REFUSED = PIECES // 4
_SEED = 7


def thin(source: Path, target: Path, *, quoted: bool, piece: int = PIECE) -> int | None:
    """Write the beginning of `source` and whole lines from all over it; the bytes written, None if it will not do.

    It takes a line for a record, so where there are quotes (`quoted`) it leaves out stretches in which a cell might
    span lines; if there are many of those, or what is there is no text of lines, it gives up. The same file gives
    the same lines each time.
    """
    chance = random.Random(_SEED)
    size = source.stat().st_size
    with source.open("rb") as file, target.open("wb") as out:
        head = _lines(b"\n" + file.read(piece), quoted=quoted)
        # UTF-16 has its newlines elsewhere, and a file without a line in its first stretch has none to take.
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
    """The whole lines in a stretch, None if there are none that can be trusted."""
    begin, end = stretch.find(b"\n") + 1, stretch.rfind(b"\n") + 1
    lines = stretch[begin:end]
    if not lines or (quoted and any(line.count(b'"') % 2 for line in lines.split(b"\n"))):
        return None
    return lines
