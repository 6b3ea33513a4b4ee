"""Writes values as cells of a CSV file: quoted where necessary, escaped where a spreadsheet would run them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from batchd import Dialect, Json, cell_text

from ..texts.content import begins_otherwise
from ..texts.encoding import begins_with_mark, encoded
from .delimiter import RARE, can_be_declared

# Every character that a CSV reader may take for a delimiter: when the file is dropped again, its delimiter is guessed
# and the cells must be the same. A byte order mark would be removed from the first cell.
_MUST_BE_QUOTED = re.compile('[",;\t|\r\n\ufeff]')
_RARE = re.compile(f"[{re.escape(''.join(RARE))}]")
FORMULA_SIGNS = frozenset("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-](?:\d+(?:[.,]\d+)*|\.\d+)(?:[eE][+-]?\d+)?%?")

_DECIMAL = re.compile(r"[+-]?\d[\d.]*,\d+[-%]?")
"""A number as it is written where the decimal sign is a comma, and `;` separates cells."""
PLAIN_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
"""A number that programs write without quotes if they put quotes around texts only."""


def harmless(text: str) -> str:
    """The text, with a ' before it if a spreadsheet would run it as a formula. Plain numbers stay as they are."""
    if text[:1] not in FORMULA_SIGNS or _NUMBER.fullmatch(text) is not None:
        return text
    return f"'{text}"


class _Back:
    """A file for Python's writer that gives the written line back."""

    def write(self, line: str) -> str:
        return line


_FEW = 4
"""At most this many rows are written one by one if a cell among them is odd."""


class Table:
    """Writes the lines of a CSV file in one dialect. `sure`: a reader must detect its delimiter, whatever its names."""

    def __init__(self, dialect: Dialect, *, sure: bool = False) -> None:
        self._dialect = dialect
        self._sure = sure
        self.delimiter = dialect.delimiter
        # Results have other columns, so no reader takes a decimal comma for a delimiter.
        self._decimals = dialect.delimiter == ";" and not sure
        special = f"{dialect.delimiter}{dialect.quote}{dialect.escape or ''}"
        self._search = re.compile(f"{_MUST_BE_QUOTED.pattern[:-1]}{re.escape(special)}]").search
        self._in_own_style = dialect.quoting in {"all", "text"}
        # The quick check of a cell, `isalnum`, would pass a letter or digit that separates cells.
        self._usual = (
            dialect.quote == '"'
            and dialect.escape is None
            and not dialect.skip_spaces
            and len(dialect.delimiter) == 1
            and not dialect.delimiter.isalnum()
        )
        self._writer = csv.writer(
            _Back(), delimiter=dialect.delimiter if self._usual else ",", lineterminator=dialect.line_end
        )
        # What Python's writer does not quote, though readers may take it for a delimiter. The mark, which is always
        # looked for, stands in place of what the writer does quote.
        written = {dialect.delimiter, *dialect.line_end}
        rare = ["\ufeff" if each in written else each for each in (",", ";", "\t", "|", "\r", "\n")]
        self._rare = (*rare, "\ufeff", "\0'", "\\\0")

    def line(self, values: Sequence[Json]) -> str:
        """The values as a line with its end, by RFC 4180."""
        delimiter, line_end = self.delimiter, self._dialect.line_end
        if self._in_own_style:
            return f"{delimiter.join(map(self._in_style, values)) or self._dialect.quote * 2}{line_end}"
        texts = [
            value if type(value) is str else str(value) if type(value) is int else cell_text(value) for value in values
        ]
        if len(texts) > 1 and self._usual:
            # Each `in` is a memchr, ten times as fast as a regular expression, and it runs once for all cells.
            row = "\0".join(["", *texts, ""])
            if not self._is_odd(row):
                return str(self._writer.writerow(texts))
        cells = [text if text.isalnum() and self._usual else self._cell(text) for text in texts]
        # Readers skip blank lines, so a row with one empty cell is written as "". If nothing else separates cells,
        # readers look for rarer delimiters.
        if len(cells) == 1 and (not cells[0] or (self._sure and _RARE.search(cells[0]) is not None)):
            return f"{self._quoted(cell_text(values[0]))}{line_end}"
        return f"{delimiter.join(cells)}{line_end}"

    def lines(self, rows: Sequence[Sequence[Json]]) -> str:
        """Many rows of several values each, as lines: all at once if no cell is odd."""
        if self._usual and not self._in_own_style:
            try:
                text = "\0".join(["", *map("\0".join, rows), ""])
            except TypeError:
                rows = [[value if type(value) is str else cell_text(value) for value in row] for row in rows]
                text = "\0".join(["", *map("\0".join, rows), ""])
            if not self._is_odd(text):
                return self._column_by_column(rows)
            if len(rows) > _FEW:
                half = len(rows) // 2
                return f"{self.lines(rows[:half])}{self.lines(rows[half:])}"
        return "".join(map(self.line, rows))

    def _column_by_column(self, rows: Sequence[Sequence[str]]) -> str:
        """The lines as Python's writer writes them. A column without a cell to quote is checked only once."""
        delimiter, line_end = self.delimiter, self._dialect.line_end
        columns: list[Sequence[str]] = []
        for values in zip(*rows, strict=True):
            text = "\0".join(values)
            if delimiter in text or '"' in text or "\n" in text or "\r" in text:
                columns.append(
                    [
                        self._quoted(each) if delimiter in each or '"' in each or "\n" in each or "\r" in each else each
                        for each in values
                    ]
                )
            else:
                columns.append(values)
        return line_end.join([*map(delimiter.join, zip(*columns, strict=True)), ""])

    def _is_odd(self, cells: str) -> bool:
        """Whether a cell needs quotes that Python's writer would not write. A NUL stands before and after each cell."""
        a, b, c, d, e, f, mark, apostrophe, backslash = self._rare
        return (
            a in cells
            or b in cells
            or c in cells
            or d in cells
            or e in cells
            or f in cells
            or mark in cells
            or ("'" in cells and apostrophe in cells)
            or ("\\" in cells and backslash in cells)
        )

    def header(self, names: Sequence[str]) -> str:
        """The header line. All names are quoted if it could be taken for Excel's `sep=;`, or the file for another kind.

        A line `sep=;` stands before it if the dialect has one, or if the delimiter would not be detected otherwise.
        """
        dialect, line, above = self._dialect, self.line(names), self._dialect.above
        # With a quote in a name, a reader trusts no delimiter.
        unsure = self._sure and any('"' in name for name in names) and can_be_declared(dialect.delimiter)
        if dialect.declared or unsure:
            above -= unsure and not dialect.declared and above > 0
            return f"sep={dialect.delimiter}{dialect.line_end}{dialect.line_end * above}{line}"
        head = encoded(line[:16], dialect.encoding)
        if line[:4].lower() == "sep=" or (not dialect.mark and (begins_with_mark(head) or begins_otherwise(head))):
            line = self.delimiter.join(map(self._quoted, names)) + dialect.line_end
        return f"{dialect.line_end * above}{line}"

    def encoded(self, line: str) -> bytes:
        """The line in the encoding."""
        return encoded(line, self._dialect.encoding)

    def head(self, names: Sequence[str]) -> bytes:
        """The header line, after a byte order mark if the dialect has one."""
        mark = "\ufeff" if self._dialect.mark else ""
        return encoded(mark + self.header(names), self._dialect.encoding)

    def text(self, text: str) -> str:
        """The unchanged text of a record that could not be read, as a line."""
        return f"{text}{self._dialect.line_end}"

    def _in_style(self, value: Json) -> str:
        text = cell_text(value)
        quoted = self._dialect.quoting == "all" or (type(value) is str and PLAIN_NUMBER.fullmatch(text) is None)
        return self._quoted(text) if quoted else self._cell(text)

    def _cell(self, text: str) -> str:
        # A reader that expects other quotes, escapes or spaces must not find any.
        other = text[:1] == "'" or text[-1:] == "\\" or (text[:1] == " " and self._dialect.skip_spaces)
        if not other and (self._search(text) is None or (self._decimals and _DECIMAL.fullmatch(text))):
            return text
        return self._quoted(text)

    def _quoted(self, text: str) -> str:
        quote, escape = self._dialect.quote, self._dialect.escape
        if not quote:
            return text
        if escape is None:
            inside = text.replace(quote, quote * 2)
        else:
            inside = text.replace(escape, escape * 2).replace(quote, escape + quote)
        return f"{quote}{inside}{quote}"
