"""Lines of a JSON Lines file that are no rows, and how they go back to the person who dropped them.

The reader gives such a line as a BadRow of one value, its text; the sink writes that text again, so that the
line in `.failed.jsonl` is the line that came in. The Failure's code tells both of them which it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from batchd import BadRow, Failure, Json

NOT_UTF8 = "not_utf8"
"""The line is not UTF-8. Its value has one character for each byte (latin-1), so that no byte is lost."""
TOO_LONG = "line_too_long"
"""The line is so long that only its beginning is kept."""
_BAD = frozenset({"invalid_json_line", "duplicate_key", "byte_order_mark", TOO_LONG})
"""The line is text, but no row. No row that could be read ever fails with one of these."""


def bad_line(line: bytes, code: str, reason: str) -> BadRow:
    """The line as it stands, and why it is no row."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return BadRow([line.decode("latin-1")], Failure(NOT_UTF8, reason))
    return BadRow([text], Failure(code, reason))


def line_again(values: Sequence[Json], failure: Failure | None) -> bytes | None:
    """The bytes of a line that `bad_line` took apart, None if these values are something else."""
    if failure is None or len(values) != 1 or not isinstance(values[0], str):
        return None
    if failure.code == NOT_UTF8:
        return values[0].encode("latin-1")
    return values[0].encode("utf-8") if failure.code in _BAD else None
