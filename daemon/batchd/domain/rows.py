"""rows.jsonl: the form into which every dropped file is read. One row per line, a JSON array in column order.

A record that cannot be a row is a JSON object instead: `{"values": [...], "code": ..., "message": ...}`.
"""

from __future__ import annotations

import math
import unicodedata
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import msgspec
from msgspec import Struct

from ..model import BadRow, Failure, Json

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

FINEST_RUN = 1_000
"""Rows of the smallest run: to hand out fewer takes longer than to process them."""


def encode(record: Sequence[Json] | BadRow) -> bytes:
    """The record's line, newline included."""
    if isinstance(record, BadRow):
        failure = record.failure
        return _encoder.encode({"values": record.values, "code": failure.code, "message": failure.message}) + b"\n"
    return _encoder.encode(record) + b"\n"


def encode_many(records: Sequence[Sequence[Json]]) -> bytes:
    """Return the lines of many rows: the same as from `encode`, in a fourth of the time."""
    return _encoder.encode_lines(records)


def decode(line: bytes) -> Sequence[Json] | BadRow:
    """The record of a line."""
    return _record(_decoder.decode(line))


def _record(decoded: Json) -> Sequence[Json] | BadRow:
    if type(decoded) is dict:
        return BadRow(decoded["values"], Failure(decoded["code"], decoded["message"]))
    return decoded  # type: ignore[no-any-return]  # what `encode` wrote: an array


def decode_many(lines: bytes) -> list[Sequence[Json] | BadRow]:
    """The records of several whole lines."""
    records: list[Any] = _decoder.decode_lines(lines)
    if any(type(record) is dict for record in records):
        return [_record(each) for each in records]
    return records


BLANK = " \t\r\n\xa0"
"""Characters of a cell that still counts as empty when a table is read."""
NULL = "\\N"
"""How MySQL, PostgreSQL and other databases write a cell without a value."""


def is_blank(record: Sequence[Json] | BadRow) -> bool:
    """Whether every cell is empty, so that the record is no row."""
    if isinstance(record, BadRow):
        return False
    return not any(value is not None and (type(value) is not str or value.strip(BLANK)) for value in record)


def shows_nothing(value: Json) -> bool:
    """Whether a cell holds nothing to ask about: no text, or only characters that cannot be seen.

    >>> [shows_nothing(each) for each in (None, " \\u200b", "\\ufeff\\u3164", "\\\\N", 0, False, ".")]
    [True, True, True, True, False, False, False]
    """
    if type(value) is str:
        return not value or value == NULL or (not "!" <= value[0] <= "~" and all(map(_unseen, value)))
    return value is None


_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
"""Letters and marks that are drawn as nothing."""


def _unseen(each: str) -> bool:
    # Control characters, format characters such as direction marks, and variation selectors, which show nothing alone.
    return each.isspace() or each in _FILLERS or unicodedata.category(each) in {"Cc", "Cf"} or _is_selector(each)


def _is_selector(each: str) -> bool:
    return "\ufe00" <= each <= "\ufe0f" or "\U000e0100" <= each <= "\U000e01ef"


def fitted(values: Sequence[Json], width: int) -> Sequence[Json]:
    """The values as exactly `width` cells: padded with None or cut."""
    if len(values) == width:
        return values
    return [*values[:width], *([None] * (width - len(values)))]


class Cutter:
    """Cuts lines into runs of `part_rows` rows, as they are written: `parts` gives them at the end.

    Lines that would make fewer runs than there are workers (`among`) are cut into smaller runs, of at least
    FINEST_RUN rows.
    """

    def __init__(self, part_rows: int, among: int = 1) -> None:
        self._part_rows = part_rows
        self._among = among
        self._few = array("Q")
        self._parts: list[tuple[int, int, int, int]] = []
        self._first = self._rows = self._offset = self._length = 0

    @property
    def room(self) -> int:
        """How many lines the next `add` may have."""
        return self._part_rows * self._among - len(self._few) or self._part_rows - self._rows

    def add(self, lines: bytes, rows: int) -> None:
        """Add the next `rows` lines, no more than there is `room` for."""
        if len(self._few) < self._part_rows * self._among:
            # Keep the length of each of these lines: if few others follow, the runs become smaller.
            self._few.extend(len(line) + 1 for line in lines[:-1].split(b"\n"))
            if len(self._few) == self._part_rows * self._among:
                self._parts = list(_cut(self._few, self._part_rows))
                self._first = self._part_rows * self._among
                self._offset = sum(self._few)
            return
        self._rows += rows
        self._length += len(lines)
        if self._rows == self._part_rows:
            self._end_part()

    def _end_part(self) -> None:
        self._parts.append((self._first, self._rows, self._offset, self._length))
        self._first += self._rows
        self._offset += self._length
        self._rows = self._length = 0

    def parts(self) -> Sequence[tuple[int, int, int, int]]:
        """(first row, rows, offset, length) of each run."""
        if len(self._few) < self._part_rows * self._among:
            part_rows = min(self._part_rows, max(FINEST_RUN, math.ceil(len(self._few) / self._among)))
            return list(_cut(self._few, part_rows))
        if self._rows:
            self._end_part()
        return self._parts


def cut(counts: Iterable[int], part_rows: int, among: int = 1) -> Iterator[tuple[int, int, int, int]]:
    """Cut lines of these lengths (bytes), as `Cutter` does: (first row, rows, offset, length) of each run."""
    lines = iter(counts)
    few = array("Q", islice(lines, part_rows * among))
    if len(few) < part_rows * among:
        part_rows = min(part_rows, max(FINEST_RUN, math.ceil(len(few) / among)))
    return _cut(chain(few, lines), part_rows)


def _cut(counts: Iterable[int], part_rows: int) -> Iterator[tuple[int, int, int, int]]:
    first = rows = offset = length = 0
    for size in counts:
        if rows == part_rows:
            yield first, rows, offset, length
            first, rows, offset, length = first + rows, 0, offset + length, 0
        rows += 1
        length += size
    if rows:
        yield first, rows, offset, length


def sample(total: int, number: int, *, spread: bool) -> frozenset[int]:
    """Return the rows to ask ahead: the first `number` of `total`, or as many spread over all of them.

    >>> sorted(sample(10, 2, spread=False)), sorted(sample(10, 2, spread=True))
    ([0, 1], [2, 7])
    """
    if not spread or number >= total:
        return frozenset(range(min(number, total)))
    return frozenset((2 * each + 1) * total // (2 * number) for each in range(number))


def cut_ahead(
    counts: Iterable[int], firsts: Collection[int], ahead: Collection[int]
) -> Iterator[tuple[int, int, int, int]]:
    """Cut lines of these lengths into runs that begin at `firsts`, and again so that none mixes `ahead` with others."""
    first = rows = offset = length = 0
    for number, size in enumerate(counts):
        if rows and (number in firsts or (number in ahead) != (first in ahead)):
            yield first, rows, offset, length
            first, rows, offset, length = number, 0, offset + length, 0
        rows += 1
        length += size
    if rows:
        yield first, rows, offset, length


def cut_short(lines: Iterable[bytes], part: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Cut a run, whose lines come first in `lines`, in two: a short one and the rest."""
    first, number, offset, length = part
    short = min(number, FINEST_RUN)
    size = sum(map(len, islice(lines, short)))
    yield first, short, offset, size
    if short < number:
        yield first + short, number - short, offset + size, length - size


class Run(Struct, frozen=True):
    """`number` rows from row `first`: `length` bytes at `offset` of `rows`. `results` is None if there are none yet.

    Rows without an outcome are skipped if the job is `cancelled`, and an error if it is not.
    """

    rows: str
    offset: int
    length: int
    first: int
    number: int
    columns: Sequence[str]
    results: str | None
    cancelled: bool
