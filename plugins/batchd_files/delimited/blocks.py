"""Reads blocks of lines of a CSV file at once if nothing in them is unusual: several times as fast as one by one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from .forms import Form

MAX_LINE = 16_384
"""The most characters of a usual line."""
_MANY, _HEAD = 1.5, 8_192
"""Quotes per line, in this many characters: with more, `csv` is faster than looking for lines without quotes."""
_MAX_TEXT = 1 << 20
"""Characters of a block. A longer block has an unusual cell."""


def can_be_read_together(form: Form) -> bool:
    """Whether a line without quotes can be split at its delimiters."""
    return form.escape is None and not form.skip_spaces


def cells_of(text: str, form: Form, width: int) -> tuple[list[list[str]], int] | None:
    """Return the rows of whole lines, each with `width` cells, and the number of lines.

    None if anything is unusual: then the records must be read one by one.
    """
    if "\0" in text or "\ufeff" in text or len(text) > _MAX_TEXT:
        return None
    quoted, head = bool(form.quote) and form.quote in text, text[:_HEAD]
    many = quoted and head.count(form.quote) > _MANY * head.count("\n")
    read = _by_csv(text, form) if many else _in_lines(text, form, width, quoted=quoted)
    if read is None:
        return None
    rows, _ = read
    firsts = [row[0] for row in rows if row]
    usual = len(firsts) == len(rows) and set(map(len, rows)) == {width} and all(firsts)
    return read if usual and not any(map(str.isspace, firsts)) else None


def _by_csv(text: str, form: Form) -> tuple[list[list[str]], int] | None:
    """Read all lines with `csv`: most have quotes, and looking for the others takes longer."""
    reader: Any = form.reader(io.StringIO(text, newline=""))
    try:
        rows = list(reader)
    except csv.Error:
        return None
    if len(rows) < reader.line_num and any(_may_count_on(row, form.delimiter) for row in rows):
        return None
    return rows, reader.line_num


def _may_count_on(row: Sequence[str], delimiter: str) -> bool:
    """Whether `counts_on` may be true of the lines of a row: the number after its first cell is in its text."""
    first = row[0] if row else ""
    return first.isascii() and first.isdigit() and len(first) <= 15 and f"{int(first) + 1}{delimiter}" in "".join(row)


def _in_lines(text: str, form: Form, width: int, *, quoted: bool) -> tuple[list[list[str]], int] | None:
    """Split the lines at their delimiters: most have no quotes."""
    lines = text.split("\n")
    if not lines[-1]:
        del lines[-1]
    if max(map(len, lines)) > MAX_LINE:
        return None
    plain = lines
    if ends := text.count("\r"):
        plain = [line.removesuffix("\r") for line in lines]
        if sum(map(len, lines)) - sum(map(len, plain)) != ends:
            return None  # some carriage returns are not at the end of a line
    rows = _with_quotes(lines, plain, form, width) if quoted else [line.split(form.delimiter) for line in plain]
    return None if rows is None else (rows, len(lines))


def _with_quotes(lines: Sequence[str], plain: Sequence[str], form: Form, width: int) -> list[list[str]] | None:
    """Split the lines without quotes at their delimiters, and read the others with `csv`."""
    delimiter, quote = form.delimiter, form.quote
    rows: list[list[str]] = []
    at, number = 0, len(lines)

    def by_csv() -> Iterator[str]:
        nonlocal at
        while at < number:
            at += 1
            yield lines[at - 1] + "\n"

    reader = form.reader(by_csv())
    while at < number:
        if quote not in lines[at]:
            rows.append(plain[at].split(delimiter))
            at += 1
            continue
        begun = at
        try:
            rows.append(next(reader))
        except csv.Error:
            return None
        if at > begun + 1 and counts_on(lines[begun:at], delimiter, width):
            return None
    return rows


def counts_on(lines: Sequence[str], delimiter: str, width: int) -> bool:
    """Whether lines that read as one record, since a quote is not closed, are rows: their first cells count up."""
    if not lines[1][:1].isdigit():
        return False  # the usual case
    first = lines[0].partition(delimiter)[0]
    if not first.isascii() or not first.isdigit() or len(first) > 15:
        return False
    return all(
        line.partition(delimiter)[0] == str(number) and line.count(delimiter) + 1 >= width
        for number, line in enumerate(lines[1:], start=int(first) + 1)
    )
