"""Cuts a part into smaller ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from ...domain import rows
from ..part_files import decode_results, lines_of, read_corrections, write_corrections, write_results
from .identical_rows import read_follows, write_follows
from .reuse import read_keys


class SplitTask(Struct, frozen=True):
    """Cut the part into pieces of `piece_rows` rows. `results` is the path of each piece's results, with `{first}`.

    `corrections` and `follows` are such paths for the corrections and for which rows follow others. The part's own
    files are those with its first row. `keys` is the file with the keys of the part's requests.
    """

    first: int
    offset: int
    length: int
    rows: str
    piece_rows: int
    settled: str | None
    results: str
    corrections: str
    follows: str
    keys: str


class Piece(Struct, frozen=True):
    """A new part: its run of rows.jsonl, and the counts of its settled rows."""

    first: int
    rows: int
    offset: int
    length: int
    ok: int
    failed: int
    empty: int


def split(task: SplitTask) -> Sequence[Piece]:
    """Cut the part; each piece gets the results of its rows so far."""
    settled = decode_results(Path(task.settled)) if task.settled else {}
    corrections = read_corrections(task.corrections.replace("{first}", str(task.first)))
    # A row may be cut off from the row of the same part that it follows.
    follows = read_follows(task.follows.replace("{first}", str(task.first))) | read_keys(task.keys).followers
    sizes = (len(line) for line in lines_of(Path(task.rows), task.offset, task.length))
    pieces = []
    for first, count, offset, length in rows.cut(sizes, task.piece_rows):
        start = task.first + first
        mine = [settled[row] for row in range(start, start + count) if row in settled]
        if task.settled:
            write_results(Path(task.results.replace("{first}", str(start))), mine)
        if start != task.first:
            told = {row: corrections[row] for row in range(start, start + count) if row in corrections}
            write_corrections(task.corrections.replace("{first}", str(start)), told)
        # The first piece gets all of them: until the pieces exist, its file is that of the whole part.
        following = {row: follows[row] for row in range(start, start + count) if row in follows}
        write_follows(task.follows.replace("{first}", str(start)), following if start != task.first else follows)
        ok, empty = sum(line.ok for line in mine), sum(line.empty for line in mine)
        pieces.append(Piece(start, count, task.offset + offset, length, ok, len(mine) - ok - empty, empty))
    return pieces
