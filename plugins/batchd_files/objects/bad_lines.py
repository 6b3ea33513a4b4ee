"""Lines of a JSON Lines file that are not rows, and how they are returned unchanged.

The reader yields such a line as a BadRow with one value, its text. The sink writes that text to `.failed.jsonl`, so
that the line is the one that was dropped. Both recognise it by the code of its Failure.
"""

from __future__ import annotations

from collections.abc import Sequence

from batchd import BadRow, Failure, Json

NOT_UTF8 = "not_utf8"
"""The line is not UTF-8. Its value has one character for each byte (latin-1), so that no byte is lost."""
TOO_LONG = "line_too_long"
"""The line is too long: only its beginning is kept."""
BAD = frozenset({"invalid_json_line", "duplicate_key", "byte_order_mark", TOO_LONG})
"""The line is text, but not a row. A row that could be read never fails with one of these codes."""


def bad_line(line: bytes, code: str, reason: str) -> BadRow:
    """The unchanged line, with the reason why it is not a row."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return BadRow([line.decode("latin-1")], Failure(NOT_UTF8, reason))
    return BadRow([text], Failure(code, reason))


def original_line(values: Sequence[Json], failure: Failure | None) -> bytes | None:
    """The bytes of a line that `bad_line` wrapped; None if the values are an ordinary row."""
    if failure is None or len(values) != 1 or not isinstance(values[0], str):
        return None
    if failure.code == NOT_UTF8:
        return values[0].encode("latin-1")
    return values[0].encode("utf-8") if failure.code in BAD else None
