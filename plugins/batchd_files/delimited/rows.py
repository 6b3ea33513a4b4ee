"""The rows of a CSV file: which records are left out, and which fail alone."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from batchd import BadRow, Failure, FileRefused, Json, column_names

from .blocks import cells_of
from .delimiter import named
from .forms import Form, is_blank, is_ruler, names_columns
from .quotes import explained, stray_row
from .records import Endless, Records

_AT_ONCE = 500
_SURELY = 3
"""Rows of a sample. With fewer of them, it is not certain that the header lacks a name."""

_JOINERS = frozenset("\u200c\u200d")
"""Invisible, and part of words in Farsi and Hindi."""


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns. A row has a cell for each; those from `required` on may be missing.

    `written` are the cells of the header as they stand in the file, `given` the names that batchd has made up.
    """

    names: Sequence[str]
    required: int
    written: Sequence[str]
    given: Sequence[str]


class Rows:
    """The rows below the header, which is read first. `first` are rows of a sample, for columns without a name."""

    def __init__(self, records: Records, form: Form, first: Sequence[Sequence[str]], *, declared: bool) -> None:
        self._records = records
        self._form = form
        self._declared = declared
        self._sample = first
        self._header = Header((), 0, (), ())
        self._ruler: Sequence[str] | None = None
        self._blank = self._repeated = 0

    def remarks(self) -> dict[str, Json]:
        """What a person may want to know about the file, once it is read."""
        header = self._header
        found = {"blank_rows": self._blank, "repeated_headers": self._repeated, "named": list(header.given)}
        return {key: value for key, value in found.items() if value}

    def header(self) -> Header:
        """Read the header."""
        records, nameless = self._records, 0
        try:
            for cells in records.reader():
                if is_blank(cells):
                    nameless = nameless or (records.line if cells else 0)
                    records.pending.clear()
                    continue
                if nameless and not names_columns(cells):
                    raise _without_names(nameless)
                self._header = _header_of(cells, records.line, self._sample)
                self._ruler = next((row for row in self._sample[:1] if is_ruler(row)), None)
                self._refuse_names_of_rows()
                records.pending.clear()
                records.odd = False
                return self._header
        except (csv.Error, Endless) as error:
            first = records.line
            reason = explained(records.broken(error, 0), first, self._form)
            raise FileRefused("quote", f"{reason} Correct the header, and drop the file again.") from None
        raise FileRefused(
            "empty",
            "The file is empty. Write a line with the names of the columns and rows below it, and drop it again.",
        )

    def blocks(self) -> Iterator[list[Sequence[str] | BadRow]]:
        """The rows, some at a time."""
        records, any_rows = self._records, False
        while text := records.block():
            rows = self._together(text)
            if rows is None:
                records.one_by_one(text)
                rows = list(self._one_by_one(again=True))
            if rows:
                any_rows = True
                yield rows
        if text is None:
            remaining = self._one_by_one()
            while rows := list(islice(remaining, _AT_ONCE)):
                any_rows = True
                yield rows
        if not any_rows:
            raise FileRefused("no_rows", "The file has a header line but no rows below it. Add rows and drop it again.")

    def _together(self, text: str) -> list[Sequence[str] | BadRow] | None:
        """The rows of a block; None if any of them may be unusual."""
        read = cells_of(text, self._form, len(self._header.names))
        if read is None:
            return None
        rows, lines = read
        if not self._special.isdisjoint([row[0] for row in rows]):
            return None
        self._records.passed(lines)
        return rows  # type: ignore[return-value]  # a list of its own

    @property
    def _special(self) -> set[str]:
        """The first cells of records that may not be rows."""
        header = self._header
        ruler = [] if self._ruler is None else self._ruler[:1]
        return {header.written[0], header.names[0], *(["sep="] if self._declared else []), *ruler}

    def _refuse_names_of_rows(self) -> None:
        """Raise FileRefused if every row begins with its number but the header has no name for that, as R writes it."""
        width = len(self._header.names)
        if len(self._sample) < _SURELY or width != len(self._header.written):
            return
        if all(len(row) == width + 1 and row[0] == str(n) and row[-1].strip() for n, row in enumerate(self._sample, 1)):
            raise FileRefused(
                "header",
                f"Each row has {width + 1:,} cells, but the header has {width:,}. If the first cell is the number of "
                "the row, as R writes it, write a name for that column in front of the header. If a cell "
                f'contains a {named(self._form.delimiter)}, put quotes (") around that cell. Then drop the file again.',
            )

    def _one_by_one(self, *, again: bool = False) -> Iterator[Sequence[str] | BadRow]:
        """The rows; with `again`, only those that begin in lines that are read again."""
        records, pending, header = self._records, self._records.pending, self._header
        width, special = len(header.names), self._special
        while records.is_again or not again:
            try:
                for cells in records.reader():
                    # Nearly all records need no more than this check.
                    if (
                        len(cells) == width
                        and (first := cells[0])
                        and first not in special
                        and not first.isspace()
                        and not records.odd
                        and len(pending) == 1
                    ):
                        pending.clear()
                        yield cells
                    else:
                        stray = records.swallowing(width) if len(pending) > 1 else None
                        row = self._row(cells) if stray is None else stray_row(stray, records.line, self._form)
                        pending.clear()
                        records.odd = False
                        if row is not None:
                            yield row
                        if stray is not None:
                            break
                    if again and not records.is_again:
                        return
                else:
                    return
            except (csv.Error, Endless) as error:
                first_line = records.line
                bad = stray_row(records.broken(error, width), first_line, self._form)
                pending.clear()
                records.odd = False
                yield bad

    def _row(self, cells: list[str]) -> Sequence[str] | BadRow | None:
        """The record as a row; None if it is not a row."""
        header, records = self._header, self._records
        width = len(header.names)
        if is_blank(cells):
            self._blank += bool(cells)
            return None
        if width > 1 and _same(cells, header):
            self._repeated += 1
            return None
        if self._declared and cells[0] == "sep=" and not any(cells[1:]):
            return None
        if cells == self._ruler:
            return None
        if records.odd and any("\0" in cell for cell in cells):
            return BadRow(cells, _nul(records.line))
        if header.required <= len(cells) <= width:
            return cells + [""] * (width - len(cells))
        if len(cells) > width and is_blank(cells[width:]):
            return cells[:width]
        return BadRow(cells, _ragged(records.line, len(cells), width, self._form.delimiter))


def _header_of(cells: Sequence[str], line: int, rows: Sequence[Sequence[str]]) -> Header:
    """The header. Columns at its end without a name are left out, unless one of the first `rows` has a cell there."""
    names = [visible(cell) for cell in cells]
    width = max((n for n, name in enumerate(names, start=1) if name), default=0)
    if not width:
        raise _without_names(line)
    required = width
    if not all(is_blank(row[width:]) for row in rows if len(row) <= len(names)):
        width = len(names)
    unique = column_names(names[:width])
    given = [name for name, own in zip(unique, names, strict=False) if name != own]
    return Header(unique, required, cells, given)


def _without_names(line: int) -> FileRefused:
    """The refusal of a file whose header is empty."""
    return FileRefused(
        "header",
        f"Line {line:,}, the header, names no column. Write the names of the columns there, and drop the file again.",
    )


def visible(name: str) -> str:
    """A name without spaces around it and without invisible characters, such as a mark or a soft hyphen."""
    if name.isascii():
        return name.replace("\0", "").strip()
    seen = (each for each in name if each != "\0" and (unicodedata.category(each) != "Cf" or each in _JOINERS))
    return "".join(seen).strip()


def _same(cells: Sequence[str], header: Header) -> bool:
    """Whether a row is the header again, as in joined files, each of which may begin with a byte order mark."""
    width = len(header.names)
    first, *others = [*cells, *[""] * (width - len(cells))]
    again = [first.removeprefix("\ufeff"), *others[: width - 1]]
    return (again in (list(header.written[:width]), list(header.names))) and is_blank(others[width - 1 :])


def _nul(line: int) -> Failure:
    return Failure(
        "nul", f"Line {line:,} contains a NUL character, which is not text. Remove it and drop the row again."
    )


def _ragged(line: int, cells: int, columns: int, delimiter: str) -> Failure:
    counted = f"{cells:,} cell{'' if cells == 1 else 's'}"
    if cells > columns:
        advice = f'If a cell contains a {named(delimiter)}, put quotes (") around that cell.'
    else:
        advice = f"Write a {named(delimiter)} for each empty cell."
    return Failure("ragged", f"Line {line:,} has {counted}, but the header has {columns:,}. {advice}")
