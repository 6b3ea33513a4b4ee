"""Reads rows of a spreadsheet that are written like earlier ones: one match of a regular expression for a whole row.

A program writes a column the same way from the first row to the last. A row that is written differently is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from batchd import Json

from .sheet_xml import number_of
from .xml_text import plain

MAX_COLUMNS = 200
"""The most cells of a row with a shape: compiling more takes longer than it saves."""
MAX_SHAPES = 20
_DURATION = re.compile(r"(-?)P(?:(\d+)D)?T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d+))?S)?")
_ROW = re.compile(r'<table:table-row((?: table:(?:style-name|visibility)="[^"<]*")*)>')
_CELL = re.compile(
    r'<table:(table-cell|covered-table-cell)((?: [\w.:-]+="[^"<]*")*)(?:/>|>(?:<text:p>([^<]*)</text:p>)?</table:\1>)'
)
_ATTRIBUTE = re.compile(r' ([\w.:-]+)="([^"]*)"')
_ANY = {"table:style-name", "table:formula", "table:content-validation-name"}
"""Attributes that change nothing and may differ from row to row."""
_NUMBERS = {"float", "percentage", "currency"}
_TAG = "<table:table"
"""How the tags of tables, rows and cells begin."""
ReaderOf = Callable[[Sequence[str]], Sequence[Json]]
"""Reads the cells of a column."""
_VALUES = {**dict.fromkeys(_NUMBERS, "office:value"), "date": "office:date-value", "boolean": "office:boolean-value"}
_DIGITS = re.compile("0[0-9]+")


def duration(text: str) -> str | None:
    """A time or duration as hours, minutes and seconds; None if the text is neither.

    >>> [duration(text) for text in ("PT16H05M00S", "PT10H30M15.5S", "PT10H29M59.9999999S")]
    ['16:05:00', '10:30:15.500', '10:30:00']
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:5])
    # As in a workbook of Excel: milliseconds if there are any, rounded.
    more, milliseconds = divmod(round(float(f"0.{match[6] or 0}") * 1_000), 1_000)
    minutes, seconds = minutes + (seconds + more) // 60, (seconds + more) % 60
    hours, minutes = days * 24 + hours + minutes // 60, minutes % 60
    fraction = f".{milliseconds:03}" if milliseconds else ""
    return f"{match[1]}{hours:02}:{minutes:02}:{seconds:02}{fraction}"


class OdsShape:
    """How rows are written. `pattern` matches one, with a group for each cell that has a value."""

    def __init__(self, pattern: str, readers: Sequence[ReaderOf], gaps: Sequence[tuple[int, int]]) -> None:
        self.pattern = re.compile(pattern)
        self._tags = pattern.count(_TAG)
        self._readers = readers
        self._gaps = gaps
        """Where cells are missing, and how many."""

    def rows(self, text: str, at: int, most: int) -> tuple[list[list[Json]], int]:
        """The cells of the rows from `at` on that have this shape, and where these rows end."""
        if self.pattern.match(text, at) is None:
            return [], at
        found: list[Any] = self.pattern.findall(text, at)
        end = len(text)
        # If the numbers agree, no other row or table is between the matches.
        if len(found) > most or len(found) * self._tags != text.count(_TAG, at):
            found, end = self._following(text, at, most)
        elif len(self._readers) == 1:
            found = [(each,) for each in found]
        columns = [read(column) for read, column in zip(self._readers, zip(*found, strict=True), strict=True)]
        rows: list[list[Json]] = list(map(list, zip(*columns, strict=True)))
        for place, missing in self._gaps:
            for cells in rows:
                cells[place:place] = [None] * missing
        return rows, end

    def _following(self, text: str, at: int, most: int) -> tuple[list[tuple[str, ...]], int]:
        found: list[tuple[str, ...]] = []
        match = self.pattern.match(text, at)
        while match is not None and len(found) < most:
            found.append(match.groups())
            at = match.end()
            match = self.pattern.match(text, at)
        return found, at


def shape_of(row: str) -> OdsShape | None:
    """The shape of a row, from its tag to its last cell; None if there is anything unusual in it."""
    begun = _ROW.match(row)
    if begun is None:
        return None
    at, place = begun.end(), 0
    parts = [r'\s*+<table:table-row(?: table:(?:style-name|visibility)="[^"<]*+")*+>']
    readers: list[ReaderOf] = []
    gaps: list[tuple[int, int]] = []
    missing = 0
    while at < len(row):
        cell = _CELL.match(row, at)
        if cell is None or len(readers) >= MAX_COLUMNS:
            return None
        at = cell.end()
        attributes = _ATTRIBUTE.findall(cell[2])
        keys = dict(attributes)
        kind, times = keys.get("office:value-type"), int(keys.get("table:number-columns-repeated", "1"))
        reader: ReaderOf | None = None
        if kind is not None and cell[1] == "table-cell":
            reader = _reader(kind, cell[3] or "")
            if reader is None or times > 1 or "office:string-value" in keys:
                return None
            gaps += [(place, missing)] if missing else []
            place, missing = place + missing + 1, 0
            readers.append(reader)
        elif cell[3] or "table:formula" in keys:
            return None
        else:
            missing += times
        written = "".join(_written(name, value, kind if reader else None) for name, value in attributes)
        tag = f"table:{cell[1]}{written}"
        parts.append(f"<{tag}/>" if cell[0].endswith("/>") else f"<{tag}>{_shown(kind, cell[3])}</table:{cell[1]}>")
    return OdsShape("".join([*parts, "</table:table-row>"]), readers, gaps) if readers else None


def _written(name: str, value: str, kind: str | None) -> str:
    if name in _ANY:
        return f' {name}="[^"<]*+"'
    if kind is not None and name == _VALUES.get(kind):
        return f' {name}="([^"<&]++)"'
    return re.escape(f' {name}="{value}"')


def _shown(kind: str | None, text: str | None) -> str:
    if text is None:
        return ""
    if kind == "string":
        return "<text:p>([^<]++)</text:p>"
    # A number that is shown with zeros in front is read as the shown text, so it does not match here.
    return "<text:p>(?!0[0-9]++<)[^<]*+</text:p>" if kind in _NUMBERS else "<text:p>[^<]*+</text:p>"


def _reader(kind: str, shown: str) -> ReaderOf | None:
    if kind == "string":
        return _texts if shown else None
    if kind in _NUMBERS:
        return None if _DIGITS.fullmatch(shown) else _numbers
    others: dict[str, ReaderOf] = {"date": list, "boolean": _truths}
    return others.get(kind)


def _texts(column: Sequence[str]) -> Sequence[Json]:
    together = "".join(column)
    return [*map(plain, column)] if "&" in together or "\r" in together else column


def _numbers(column: Sequence[str]) -> Sequence[Json]:
    if "".join(column).isdecimal() and max(map(len, column)) < 1_000:
        return [*map(int, column)]
    with suppress(ValueError):
        # A value with a fraction is that number; infinities and NaN have none.
        return [
            value if value % 1 > 0 else number_of(text) for text, value in zip(column, map(float, column), strict=True)
        ]
    return [*map(number_of, column)]


def _truths(column: Sequence[str]) -> Sequence[Json]:
    return [each == "true" for each in column]
