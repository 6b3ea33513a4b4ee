"""The reader `jsonl`: one JSON object per line, for example a batch input file in OpenAI's format."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice
from operator import itemgetter
from typing import IO

import msgspec

from batchd import (
    BadRow,
    Dialect,
    Failure,
    FileRefused,
    Json,
    Reader,
    Settings,
    Source,
    read_json_line,
    read_json_together,
)

from ..texts.content import begin_json
from .bad_lines import TOO_LONG, bad_line

MAX_LINE = 21_000_000
"""Bytes in one line, and in one object of a JSON file: a field of 10 MB has room, as in a CSV file."""
MAX_COLUMNS = 16_384
"""Different keys in one file, as many as a sheet of Excel has columns."""
FEW_COLUMNS = 1_000
"""Different keys in a file whose objects each have few of them. Every row has every column, so a different key in each
row would fill the disk."""
MAX_VALUES = 200_000
"""Keys, lists and objects in one line: each takes up to 25 times as much memory as in the file."""
_PIECE = 1 << 16
"""Bytes that are read together. Fewer than MAX_VALUES."""
_PATIENCE = 20
"""A line of up to this many times the maximum fails alone. A longer one refuses the file."""
_SHOWN = 1_000
"""How much of a line that is too long is returned; the rest is in the archived original."""
_decode_lines = msgspec.json.Decoder(dict[str, Json]).decode_lines


class JsonlReader(Reader[Settings]):
    """Reads `.jsonl` and `.ndjson`. The columns are all keys of all lines, in order of first appearance.

    A key that a line does not have is None. Blank lines are skipped.
    """

    suffixes = (".jsonl", ".ndjson")
    max_line = MAX_LINE

    def describe(self) -> Mapping[str, Json]:
        """The encoding, which is always UTF-8."""
        return {"encoding": "utf-8"}

    def dialect(self) -> Dialect:
        return Dialect(form="jsonl")

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        return chain.from_iterable(self.read_many(source))

    def read_many(self, source: Source) -> Iterator[Sequence[Sequence[str] | Sequence[Json] | BadRow]]:
        """Reads the file twice: for the columns, then for the rows."""
        lines = _Lines(source, self.max_line)
        columns = _columns(lines)
        yield [columns]
        for records in lines.records():
            yield [records] if isinstance(records, BadRow) else list(rows_of(records, columns))


def rows_of(records: list[dict[str, Json]], columns: Sequence[str]) -> Iterator[list[Json]]:
    """The values of the records, in the order of the columns."""
    if len(columns) > 1 and sum(map(len, records)) == len(records) * len(columns):
        with suppress(KeyError):  # a program may still write into the file
            return iter([*map(list, map(itemgetter(*columns), records))])  # no record lacks a column
    return ([record.get(column) for column in columns] for record in records)


def has_nameless(text: bytes, records: list[dict[str, Json]]) -> bool:
    """Whether any of the records, decoded from this text, has a key without a name."""
    return b'""' in text and "" in set().union(*records)


def add_columns(columns: dict[str, None], records: list[dict[str, Json]], what: str) -> None:
    """Add the new keys of the records to the columns. Raise FileRefused if there are too many."""
    if columns.keys() >= set().union(*records):
        return
    for record in records:
        columns.update(dict.fromkeys(record))
        if len(columns) > MAX_COLUMNS:
            raise _too_many(MAX_COLUMNS, what)


def refuse_sparse(columns: Collection[str], rows: int, keys: int, what: str) -> None:
    """Raise FileRefused if there are many columns and over half of the cells are empty. `keys` counts the others."""
    if len(columns) > FEW_COLUMNS and 2 * keys < rows * len(columns):
        raise _too_many(FEW_COLUMNS, what)


def _too_many(most: int, what: str) -> FileRefused:
    return FileRefused(
        "columns",
        f"The file has more than {most:,} different keys. Use the same keys in all {what}, and drop the file again.",
    )


def _columns(lines: _Lines) -> list[str]:
    columns: dict[str, None] = {}
    rows = bad = keys = 0
    first_bad: BadRow | None = None
    for records in lines.records():
        if isinstance(records, BadRow):
            bad += 1
            first_bad = first_bad or records
            if rows == 0 and bad == 1 and records.values == ["["]:
                break  # a list over many lines: only its last object, without a comma after it, would pass for a row
            continue
        rows += len(records)
        keys += sum(map(len, records))
        add_columns(columns, records, "lines")
    if first_bad is not None and rows == 0:
        raise _nothing_readable(first_bad, bad)
    if rows == 0:
        raise FileRefused("empty", "The file is empty. Write one JSON object per line and drop it again.")
    if not columns:
        raise FileRefused(
            "no_columns",
            "No line of the file has a key. Write one JSON object per line, such as "
            '{"review": "Good."}, and drop it again.',
        )
    refuse_sparse(columns, rows, keys, "lines")
    return list(columns)


def _nothing_readable(first: BadRow, lines: int) -> FileRefused:
    if str(first.values[0]).lstrip().startswith("["):
        return FileRefused(
            "no_rows",
            "This is one JSON list, not JSON Lines. Give it a name that ends in .json, and drop it again.",
        )
    what = f"Not one of the {lines:,} lines is a row." if lines > 1 else "The only line is not a row."
    return FileRefused("no_rows", f"{what} {first.failure.message} Each line must be one JSON object.")


class _Lines:
    """The objects of the lines: all of a piece at once if they can be decoded together, else line by line."""

    def __init__(self, source: Source, max_line: int) -> None:
        self._source = source
        self._max_line = max_line
        self._whole: set[int] = set()
        """Where pieces that could be decoded together begin. The second reading does not examine them again."""

    def records(self) -> Iterator[list[dict[str, Json]] | BadRow]:
        """All objects, from the beginning of the file."""
        number = 0
        with self._source.open() as file:
            begin_json(file, "JSON Lines are")
            start = file.tell()
            size = min(_PIECE, self._max_line)
            while piece := file.read(size):
                lines = piece if len(piece) < size else piece[: piece.rfind(b"\n") + 1]
                # The beginning of a line that is not complete is read again.
                file.seek(start + len(lines))
                together = self._together(start, lines)
                if together is not None:
                    number += len(together)
                    yield together
                else:
                    one_by_one = _each_line(io.BytesIO(lines) if lines else file, self._max_line)
                    for line in one_by_one if lines else islice(one_by_one, 1):
                        number += 1
                        record = _record(number, line, self._max_line)
                        if record is not None:
                            yield record if isinstance(record, BadRow) else [record]
                start = file.tell()

    def _together(self, start: int, lines: bytes) -> list[dict[str, Json]] | None:
        if start in self._whole:
            with suppress(ValueError):  # a program may have written into the file meanwhile
                return _decode_lines(lines)
        records = read_json_together(lines, lines=True)
        if records is None or has_nameless(lines, records):
            return None
        self._whole.add(start)
        return records


def _each_line(file: IO[bytes], max_line: int) -> Iterator[bytes]:
    """The lines with their line ends; only the beginning of a line that is too long."""
    while line := file.readline(max_line + 1):
        rest, pieces = line, 1
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(max_line)
            pieces += 1
            if pieces > _PATIENCE:
                raise FileRefused(
                    "too_long",
                    f"A line of the file is longer than {_PATIENCE * max_line:,} bytes. Write each object on a line of "
                    "its own, and drop the file again.",
                )
        yield line


def _record(number: int, line: bytes, max_line: int) -> dict[str, Json] | BadRow | None:
    """The object of a line; None if it is blank. Only a newline ends a line: a string may contain U+2028."""
    if len(line) > max_line and not line.endswith(b"\n"):
        return _too_much(
            line,
            f"Line {number:,} is longer than {max_line:,} bytes. Only its beginning is returned; the whole line is in "
            "the original file, in the archive.",
        )
    line = line.strip(b" \t\r\n")
    if not line:
        return None
    if len(line) > MAX_VALUES and line.count(b":") + line.count(b"[") + line.count(b"{") > MAX_VALUES:
        return _too_much(
            line,
            f"Line {number:,} has more than {MAX_VALUES:,} keys, lists and objects. Only its beginning is returned; "
            "the whole line is in the original file, in the archive.",
        )
    record = read_json_line(line)
    if isinstance(record, Failure):
        return bad_line(line, record.code, f"Line {number:,}: {record.message}")
    if "" in record:
        return bad_line(line, "invalid_json_line", f"Line {number:,}: This line has a key without a name. Write one.")
    return record


def _too_much(line: bytes, why: str) -> BadRow:
    return bad_line(f"{line[:_SHOWN].decode('utf-8', 'ignore')}…".encode(), TOO_LONG, why)
