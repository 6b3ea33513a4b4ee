"""Blocks of lines of a CSV file, read together where nothing in them is unusual: some times as fast as one by one."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from .forms import Form

MAX_LINE = 16_384
"""Characters of a line that is usual."""


def can_be_read_together(form: Form) -> bool:
    """Whether a line without a quote has its cells between its delimiters."""
    return form.escape is None and not form.skip_spaces


def cells_of(text: str, form: Form, width: int) -> tuple[list[list[str]], int] | None:
    """The rows of whole lines, each of so many cells, and the number of lines.

    None if anything is unusual: then each record is to be read by itself.
    """
    if "\0" in text or "\ufeff" in text:
        return None
    lines = text.split("\n")
    if not lines[-1]:
        del lines[-1]
    if max(map(len, lines)) > MAX_LINE:
        return None
    delimiter, quote = form.delimiter, form.quote
    plain = lines
    if ends := text.count("\r"):
        plain = [line.removesuffix("\r") for line in lines]
        if sum(map(len, lines)) - sum(map(len, plain)) != ends:
            return None  # some ends of lines have no other half
    if not quote or quote not in text:
        rows = [line.split(delimiter) for line in plain]
    else:
        found = _with_quotes(lines, plain, form, width)
        if found is None:
            return None
        rows = found
    firsts = [row[0] for row in rows if row]
    usual = len(firsts) == len(rows) and set(map(len, rows)) == {width} and all(firsts)
    return (rows, len(lines)) if usual and not any(map(str.isspace, firsts)) else None


def _with_quotes(lines: Sequence[str], plain: Sequence[str], form: Form, width: int) -> list[list[str]] | None:
    """The same where some lines have quotes: only these are read with `csv`."""
    delimiter, quote = form.delimiter, form.quote
    rows: list[list[str]] = []
    at, number = 0, len(lines)

    def quoted() -> Iterator[str]:
        nonlocal at
        while at < number:
            at += 1
            yield lines[at - 1] + "\n"

    reader = form.reader(quoted())
    while at < number:
        if quote not in lines[at]:
            rows.append(plain[at].split(delimiter))
            at += 1
            continue
        begun = at
        try:
            row = next(reader)
        except csv.Error:
            return None
        if at > begun + 1 and counts_on(lines[begun:at], delimiter, width):
            return None
        rows.append(row)
    return rows


def counts_on(lines: Sequence[str], delimiter: str, width: int) -> bool:
    """Whether lines that read as one record are rows: their first cells count on, since a quote is not closed."""
    if not lines[1][:1].isdigit():
        return False  # the usual case
    first = lines[0].partition(delimiter)[0]
    if not first.isascii() or not first.isdigit() or len(first) > 15:
        return False
    return all(
        line.partition(delimiter)[0] == str(number) and line.count(delimiter) + 1 >= width
        for number, line in enumerate(lines[1:], start=int(first) + 1)
    )
