"""The reader `jsonl`: one JSON object a line, batch input files in OpenAI's format among them."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

import msgspec

from batchd import BadRow, FileRefused, Json, Reader, Settings, Source

from .bad_lines import bad_line
from .content import refuse_other_kinds

LINE_MOST = 10_000_000
"""Bytes in one line."""
COLUMNS_MOST = 1_000
"""Different keys in one file. Every row has every column, so a key of its own in each row would fill the disk."""
_SHOWN = 1_000
"""Characters that come back of a line that is too long; the rest is in the archived original."""

_decoder = msgspec.json.Decoder()
_MENDED = "Mend it and drop the line again."


class JsonlReader(Reader[Settings]):
    """Reads `.jsonl` and `.ndjson`. The columns are all keys of all lines, in the order they first appear.

    A key that a line does not have is None. Lines that are blank are no rows.
    """

    suffixes = (".jsonl", ".ndjson")

    def describe(self) -> Mapping[str, Json]:
        """It is always UTF-8."""
        return {"encoding": "utf-8"}

    def read(self, source: Source) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """See Reader. Goes through the file twice: for the columns, then for the rows."""
        columns = _columns(source)
        yield columns
        for record in _records(source):
            if isinstance(record, BadRow):
                yield record
            else:
                yield [record.get(column) for column in columns]


def _columns(source: Source) -> list[str]:
    columns: dict[str, None] = {}
    rows = bad = 0
    first_bad: BadRow | None = None
    for record in _records(source):
        if isinstance(record, BadRow):
            bad += 1
            first_bad = first_bad or record
            if rows == 0 and bad == 1 and record.values == ["["]:
                break  # a list over many lines: its last object, having no comma behind it, is not all there is
            continue
        rows += 1
        if not record.keys() <= columns.keys():
            columns.update(dict.fromkeys(record))
            if len(columns) > COLUMNS_MOST:
                raise FileRefused(
                    "columns",
                    f"The file has more than {COLUMNS_MOST:,} different keys. Put values under keys that all lines "
                    "share, rather than under a key of each line's own, and drop the file again.",
                )
    if first_bad is not None and rows == 0:
        raise _nothing_readable(first_bad, bad)
    if rows == 0:
        raise FileRefused("empty", "The file is empty. Write one JSON object a line and drop it again.")
    if not columns:
        raise FileRefused(
            "no_columns",
            "No line of the file has a key. Write one JSON object a line, such as "
            '{"review": "Good."}, and drop it again.',
        )
    return list(columns)


def _nothing_readable(first: BadRow, lines: int) -> FileRefused:
    if str(first.values[0]).lstrip().startswith("["):
        return FileRefused(
            "no_rows",
            "This looks like one JSON list, not like JSON Lines. Write each object of the list on a line of its "
            "own, without the brackets and commas around them, and drop the file again.",
        )
    return FileRefused(
        "no_rows",
        f"Not one of the {lines:,} lines is a row. {first.failure.message} Each line must be one JSON object."
        if lines > 1
        else f"The only line is not a row. {first.failure.message} Each line must be one JSON object.",
    )


def _records(source: Source) -> Iterator[dict[str, Json] | BadRow]:
    with source.open() as file:
        head = refuse_other_kinds(file)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise FileRefused(
                "encoding", "The file is UTF-16 text; JSON Lines are UTF-8. Save it as UTF-8 and drop it again."
            )
        file.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
        for number, line in _numbered(file):
            if isinstance(line, BadRow):
                yield line
            elif line:
                yield _record(number, line)


def _numbered(file: IO[bytes]) -> Iterator[tuple[int, bytes | BadRow]]:
    """The lines, without what ends them: newlines alone, since U+2028 and its like may stand in a string."""
    number = 0
    while line := file.readline(LINE_MOST + 1):
        number += 1
        if len(line) > LINE_MOST and not line.endswith(b"\n"):
            while (rest := file.readline(LINE_MOST)) and not rest.endswith(b"\n"):
                pass
            shown = line[:_SHOWN].decode("utf-8", "ignore")
            yield (
                number,
                bad_line(
                    f"{shown}…".encode(),
                    f"Line {number:,} is longer than {LINE_MOST:,} bytes. Only its beginning is given back; the "
                    "whole line is in the original file, in the archive.",
                ),
            )
        else:
            yield number, line.strip(b" \t\r\n")


def _record(number: int, line: bytes) -> dict[str, Json] | BadRow:
    try:
        record = _decoder.decode(line)
        if not isinstance(record, dict):
            return bad_line(line, f"Line {number:,} is not a JSON object in braces. {_MENDED}")
        if "" in record:
            return bad_line(line, f"Line {number:,} has a key without a name. {_MENDED}")
        double = _double_key(line, record)
    except UnicodeDecodeError:
        return bad_line(line, f"Line {number:,} is not valid UTF-8. Save the file as UTF-8. {_MENDED}")
    except ValueError as error:  # msgspec's own, and Python's of a number with thousands of digits
        return bad_line(line, f"Line {number:,} is not valid JSON: {_reason(line, error)}. {_MENDED}")
    except RecursionError:
        return bad_line(line, f"Line {number:,} is nested too deeply. {_MENDED}")
    if double is not None:
        return bad_line(line, f"Line {number:,} has the key “{double}” twice. {_MENDED}")
    return record


def _reason(line: bytes, error: ValueError) -> str:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return str(error).removeprefix("JSON is malformed: ").partition(" - at ")[0]
    return "it says NaN or Infinity, a number too great, or half a character such as \\ud800"


class _DoubleKey(Exception):
    """Carries the key out of the decoder."""


def _double_key(line: bytes, record: dict[str, Json]) -> str | None:
    """A key that one object of the line has twice: a decoder keeps the last of them in silence."""
    # As many keys as there are colons behind quotes: none is double. (More of these may also stand in texts.)
    if line.count(b'":') == _keys(record) and b" :" not in line and b"\t" not in line and b"\r" not in line:
        return None

    def once(pairs: list[tuple[str, Json]]) -> None:
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise _DoubleKey(key)
            seen.add(key)

    try:
        json.loads(line, object_pairs_hook=once)
    except _DoubleKey as double:
        return str(double)
    return None


def _keys(value: Json) -> int:
    """How many keys there are in it, at any depth."""
    count = 0
    if type(value) is dict:
        count = len(value)
        value = value.values()
    for one in value:
        if type(one) is dict or type(one) is list:
            count += _keys(one)
    return count
