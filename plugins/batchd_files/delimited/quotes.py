"""Explains what is wrong with the quotes of a record, and returns the record as it stood in its file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from batchd import BadRow, Failure, Json

from .delimiter import named
from .forms import Form
from .records import FOLLOWED, TOO_LONG, Stray

STRAY = "stray_quote"
"""The code of a record that cannot be read. Its values are its text, quotes included, split at the delimiter."""


def stray_row(stray: Stray, first: int, form: Form) -> BadRow:
    """A record with a stray quote, that begins on line `first`."""
    return BadRow(stray.text.split(form.delimiter), Failure(STRAY, f"{explained(stray, first, form)} {_ADVICE}"))


def original_text(values: Sequence[Json], failure: Failure | None, delimiter: str) -> str | None:
    """The text of a record that `stray_row` wrapped; None if the values are an ordinary row."""
    if failure is None or failure.code != STRAY:
        return None
    return delimiter.join(map(str, values))


_ADVICE = "Correct it, and drop the row again."


def explained(stray: Stray, first: int, form: Form) -> str:
    """What is wrong with the quotes, in words."""
    quote = form.quote
    found = _opened(stray.text.splitlines(keepends=True), first, form)
    if found is None and stray.what == TOO_LONG:
        return f"A cell on line {first:,} has more than 10 million characters. Shorten it."
    opened = found or first
    if stray.what == FOLLOWED:
        begins = f"The cell begins on line {opened:,}; the quote there may be wrong. " if opened != stray.line else ""
        return (
            f"On line {stray.line:,} a quote ({quote}) ends a cell, but more text follows before the next "
            f"{named(form.delimiter)}. {begins}A quote that belongs to the text is written twice ({quote * 2}), with "
            "quotes around the whole cell."
        )
    endless = " within 10 million characters" if stray.what == TOO_LONG else ""
    return (
        f"A quote ({quote}) is opened on line {opened:,} and never closed{endless}. Close it, or write it twice "
        f"({quote * 2}) if it belongs to the text."
    )


def _opened(lines: Iterable[str], first: int, form: Form) -> int | None:
    """The line on which the cell begins whose quote is not properly closed; None if all are closed."""
    quote, delimiter = form.quote, form.delimiter
    opened: int | None = None
    for number, line in enumerate(lines, first):
        position = 0
        while position < len(line):
            if opened is None:
                if line[position] == quote:
                    opened, position = number, position + 1
                    continue
                following = line.find(delimiter, position)
                if following < 0:
                    break
                position = following + 1
                continue
            closing = line.find(quote, position)
            if closing < 0:
                break
            behind = line[closing + 1 : closing + 2]
            if behind == quote:
                position = closing + 2
            elif behind in ("", delimiter, "\r", "\n"):
                opened, position = None, closing + 1
            else:
                return opened
    return opened
