"""rows.jsonl: the one form of every dropped file. A row a line, a JSON array in column order.

A record that cannot be a row is a JSON object instead: `{"values": [...], "code": ..., "message": ...}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ..model import BadRow, Failure, Json

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

MOST_DIGITS = 18
"""Of a row's number: more rows than any file has."""


def encode(record: Sequence[Json] | BadRow) -> bytes:
    """The record's line, newline included."""
    if isinstance(record, BadRow):
        failure = record.failure
        return _encoder.encode({"values": record.values, "code": failure.code, "message": failure.message}) + b"\n"
    return _encoder.encode(record) + b"\n"


def decode(line: bytes) -> Sequence[Json] | BadRow:
    """The record of a line."""
    record = _decoder.decode(line)
    if type(record) is dict:
        return BadRow(record["values"], Failure(record["code"], record["message"]))
    return record  # type: ignore[no-any-return]  # what `encode` wrote: an array


def fitted(values: Sequence[Json], width: int) -> Sequence[Json]:
    """The values as exactly `width` cells: padded with None or cut."""
    if len(values) == width:
        return values
    return [*values[:width], *([None] * (width - len(values)))]


def cut(counts: Iterable[int], part_rows: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut lines of these lengths (bytes) into runs of `part_rows`: (first row, rows, offset, length) of each."""
    first = rows = offset = length = 0
    for size in counts:
        if rows == part_rows:
            yield first, rows, offset, length
            first, rows, offset, length = first + rows, 0, offset + length, 0
        rows += 1
        length += size
    if rows:
        yield first, rows, offset, length


def custom_id(job: str, row: int) -> str:
    """The id under which a row is asked about, unique for ever."""
    return f"{job}-{row}"


def row_of(custom_id: str) -> tuple[str, int] | None:
    """Job and row of one of our ids, None if it is not ours."""
    job, dash, number = custom_id.rpartition("-")
    if not dash or not number.isascii() or not number.isdigit() or (number != "0" and number[0] == "0"):
        return None
    if len(number) > MOST_DIGITS:
        return None  # int() refuses thousands of digits with an error, and a stranger may send them
    return job, int(number)
