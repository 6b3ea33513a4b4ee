"""The reader `jsonl`: one JSON object per line, for example a batch input file in OpenAI's format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from batchd import BadRow, Dialect, Failure, FileRefused, Json, Reader, Settings, Source, read_json_line

from .bad_lines import TOO_LONG, bad_line
from .content import begin_json

MAX_LINE = 10_000_000
"""Bytes in one line."""
MAX_COLUMNS = 1_000
"""Different keys in one file. Every row has every column, so a different key in each row would fill the disk."""
MAX_VALUES = 200_000
"""Keys, lists and objects in one line: each takes up to 25 times as much memory as in the file."""
_SHOWN = 1_000
"""How much of a line that is too long is returned; the rest is in the archived original."""


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
        """See Reader."""
        return Dialect(form="jsonl")

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """See Reader. Reads the file twice: for the columns, then for the rows."""
        columns = _columns(source, self.max_line)
        yield columns
        for record in _records(source, self.max_line):
            if isinstance(record, BadRow):
                yield record
            else:
                yield [record.get(column) for column in columns]


def _columns(source: Source, max_line: int) -> list[str]:
    columns: dict[str, None] = {}
    rows = bad = 0
    first_bad: BadRow | None = None
    for record in _records(source, max_line):
        if isinstance(record, BadRow):
            bad += 1
            first_bad = first_bad or record
            if rows == 0 and bad == 1 and record.values == ["["]:
                break  # a list over many lines: only its last object, without a comma after it, would pass for a row
            continue
        rows += 1
        if not record.keys() <= columns.keys():
            columns.update(dict.fromkeys(record))
            if len(columns) > MAX_COLUMNS:
                raise FileRefused(
                    "columns",
                    f"The file has more than {MAX_COLUMNS:,} different keys. Use the same keys in all lines, and drop "
                    "the file again.",
                )
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
    return list(columns)


def _nothing_readable(first: BadRow, lines: int) -> FileRefused:
    if str(first.values[0]).lstrip().startswith("["):
        return FileRefused(
            "no_rows",
            "This is one JSON list, not JSON Lines. Write each object of the list on its own line, without the "
            "brackets and commas around them, and drop the file again.",
        )
    return FileRefused(
        "no_rows",
        f"Not one of the {lines:,} lines is a row. {first.failure.message} Each line must be one JSON object."
        if lines > 1
        else f"The only line is not a row. {first.failure.message} Each line must be one JSON object.",
    )


def _records(source: Source, max_line: int) -> Iterator[dict[str, Json] | BadRow]:
    with source.open() as file:
        begin_json(file, "JSON Lines are")
        for number, line in _numbered(file, max_line):
            if isinstance(line, BadRow):
                yield line
            elif line:
                yield _record(number, line)


def _numbered(file: IO[bytes], max_line: int) -> Iterator[tuple[int, bytes | BadRow]]:
    """The numbered lines, without their ends. Only a newline ends a line: a string may contain U+2028."""
    number = 0
    while line := file.readline(max_line + 1):
        number += 1
        if len(line) > max_line and not line.endswith(b"\n"):
            while (rest := file.readline(max_line)) and not rest.endswith(b"\n"):
                pass
            shown = line[:_SHOWN].decode("utf-8", "ignore")
            yield (
                number,
                bad_line(
                    f"{shown}…".encode(),
                    TOO_LONG,
                    f"Line {number:,} is longer than {max_line:,} bytes. Only its beginning is returned; the "
                    "whole line is in the original file, in the archive.",
                ),
            )
        else:
            yield number, line.strip(b" \t\r\n")


def _record(number: int, line: bytes) -> dict[str, Json] | BadRow:
    if len(line) > MAX_VALUES and line.count(b":") + line.count(b"[") + line.count(b"{") > MAX_VALUES:
        return bad_line(
            line[:_SHOWN].decode("utf-8", "ignore").encode(),
            TOO_LONG,
            f"Line {number:,} has more than {MAX_VALUES:,} keys, lists and objects. Only its beginning is returned; "
            "the whole line is in the original file, in the archive.",
        )
    record = read_json_line(line)
    if isinstance(record, Failure):
        return bad_line(line, record.code, f"Line {number:,}: {record.message}")
    if "" in record:
        return bad_line(line, "invalid_json_line", f"Line {number:,}: This line has a key without a name. Write one.")
    return record
