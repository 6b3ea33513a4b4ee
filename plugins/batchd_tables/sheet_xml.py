"""The rows of a sheet in Excel's format, as they come out of the archive.

Python's XML parsers take four calls for a cell. This module takes one match of a regular expression if the cell is
written as Excel and most other programs write it. Rows that are written differently go through the parser.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from xml.etree.ElementTree import Element

from batchd import FileRefused, Json

from .looks import SheetLook
from .number_formats import PLAIN, Format, shown
from .row_shapes import Shapes
from .sheets import MAX_COLUMNS, SheetRow, column_letters, no_result
from .texts import Texts, cell_text, rich_text, unescaped
from .xml_text import broken, fragment, local, namespaces, opening, pieces

_REMEMBERED = 50_000
_EXACT = 10**15
_HEAD = 4_000_000
_NUMBERED = re.compile(r'<(?:[\w.-]+:)?row[^>]*?\sr="(\d{1,9})"')
"""A row that gives its own number."""


@cache
def _columns() -> tuple[Sequence[str], Mapping[str, int]]:
    """The letters of each column and an empty entry, and the places by letters. Made on first use: it takes 12 ms."""
    letters = [column_letters(place + 1) for place in range(MAX_COLUMNS)]
    return [*letters, ""], {each: place for place, each in enumerate(letters)}


class _Shown(dict[str, Json]):
    """How numbers in one format are shown, by how they are written. Kept, since columns of dates repeat values."""

    def __init__(self, format_: Format, from_1904: bool) -> None:
        super().__init__()
        self._format = format_
        self._from_1904 = from_1904

    def __missing__(self, written: str) -> Json:
        if len(self) > _REMEMBERED:
            self.clear()
        value = number_of(written)
        if isinstance(value, int | float):
            value = shown(value, self._format, from_1904=self._from_1904)
        self[written] = value
        return value


class SheetXml:
    """Reads a sheet. `formats` are those of the workbook, by the number that cells give for their style."""

    def __init__(self, texts: Sequence[str] | Texts, formats: Sequence[Format], *, from_1904: bool) -> None:
        self._texts = texts
        self._from_1904 = from_1904
        self.look = SheetLook()
        self._letters, self._places = _columns()
        # By the number of the style. Styles that show numbers as they are have no entry.
        self._shown = {str(number): _Shown(each, from_1904) for number, each in enumerate(formats) if each != PLAIN}

    def rows(self, chunks: Iterable[str]) -> Iterator[SheetRow]:
        """The rows of a sheet that have cells, with their numbers."""
        data, rest = opening(chunks, r"<((?:[\w.-]+:)?)sheetData\b[^>]*>", _HEAD)
        root = re.search(r"<(?:[\w.-]+:)?worksheet\b[^>]*>", data.string) if data is not None else None
        if data is None or root is None:
            raise broken("has no sheet where the workbook says that one is")
        if data[0].endswith("/>"):
            return
        prefix, spaces, look = data[1], namespaces(root[0]), self.look
        look.head(data.string[: data.end()])
        usual = _usual_cell(prefix)
        end = f"</{prefix}row>"
        row_tag, cell = f"<{prefix}row", f"<{prefix}c"

        number = 0
        shapes = Shapes(prefix, self._places, self._reader_of)
        for piece in pieces(rest, end, f"</{prefix}sheetData>"):
            if look.wants_more:
                look.rows(piece, self._places)
            odd = "<!" in piece
            at = 0
            while True:
                shape = shapes.current
                if shape is not None and not odd:
                    match = shape.pattern.match(piece, at)
                    while match is not None:
                        at = match.end()
                        number = int(match[1])
                        yield SheetRow(number, shape.values(match.groups()))
                        match = shape.pattern.match(piece, at)
                stop = piece.find(end, at)
                text = piece[at:stop] if stop >= 0 else piece[at:]
                at = stop + len(end)
                start = text.rfind(row_tag)
                if start >= 0:
                    own = _NUMBERED.match(text, start)
                    number = int(own[1]) if own is not None else number + 1 + text.count(row_tag, 0, start)
                    found = usual.findall(text, start)
                    if odd or len(found) != text.count(cell, start):
                        yield self._unusual(f"<root{spaces}>{text[start:]}{end}</root>" if cell in text else "", number)
                    elif found:
                        shapes.missed(found)
                        yield self._row(found, number)
                if stop < 0:
                    break

    def _reader_of(self, kind: str, style: str) -> Callable[[str], Json]:
        """The function that reads values of this kind and style."""
        if kind == "s":
            return self._shared
        if kind == "b":
            return _truth
        if kind and kind != "n":
            return cell_text
        return self._shown[style].__getitem__ if style in self._shown else _plain_number

    def _shared(self, value: str) -> str:
        try:
            place = int(value)
            if place >= 0:  # a negative place would count from the end
                return self._texts[place]
        except (IndexError, ValueError):
            pass
        raise broken("has no text for a cell")

    def _row(self, found: Sequence[tuple[str, ...]], number: int) -> SheetRow:
        """A row of usual cells."""
        cells: list[Json] = []
        row = SheetRow(number, cells)
        reached = 0
        for letters, style, kind, formula, value, inline in found:
            if value:
                item = self._reader_of(kind, style)(value)
            elif inline:
                item = cell_text(inline)
            elif formula and kind != "str":
                row.failure = row.failure or no_result(letters, number)
                continue
            else:
                continue
            if letters != self._letters[reached]:
                reached = self._places.get(letters, MAX_COLUMNS)
                _reach(cells, reached, number)
            cells.append(item)
            reached += 1
        return row

    def _unusual(self, text: str, number: int) -> SheetRow:
        """Parse a row that is written differently."""
        cells: list[Json] = []
        row = SheetRow(number, cells)
        if not text:
            return row
        place = -1
        for element in fragment(text)[0]:
            if local(element.tag) != "c":
                continue
            written = element.get("r")
            place = (
                place + 1 if written is None else self._places.get(written.rstrip("0123456789").upper(), MAX_COLUMNS)
            )
            value = self._value(element, row, place)
            if value is None or value == "":
                continue
            _reach(cells, place, number)
            cells.append(value)
        return row

    def _value(self, cell: Element, row: SheetRow, place: int) -> Json:
        parts = {local(child.tag): child for child in cell}
        kind, style = cell.get("t", "n"), cell.get("s", "")
        if "is" in parts:
            return unescaped(rich_text(parts["is"]))
        value = (parts["v"].text or "") if "v" in parts else ""
        if not value:
            if "f" in parts and kind != "str":
                row.failure = row.failure or no_result(column_letters(place + 1), row.number)
            return None
        if kind not in {"s", "n", "b"}:
            return unescaped(value)
        return self._row([("A", style if style.isdigit() else "", kind, "", value, "")], row.number).cells[0]


def _usual_cell(prefix: str) -> re.Pattern[str]:
    return re.compile(
        rf'<{prefix}c r="([A-Z]+)\d+"(?: s="(\d+)")?(?: t="(\w+)")?(?:/>|>'
        rf"(?:(<{prefix}f)(?:[^>]*/>|[^>]*>[^<]*</{prefix}f>))?"
        rf'(?:<{prefix}v(?: xml:space="preserve")?>([^<]*)</{prefix}v>|<{prefix}v/>'
        rf'|<{prefix}is><{prefix}t(?: xml:space="preserve")?>([^<]*)</{prefix}t></{prefix}is>)?</{prefix}c>)'
    )


def _truth(value: str) -> bool:
    return value.strip() in {"1", "true"}


def _plain_number(value: str) -> Json:
    return int(value) if value.isdecimal() and len(value) < 1_000 else number_of(value)


def number_of(text: str) -> Json:
    """The number, as an integer if it is one. Text that is no finite number stays text."""
    try:
        value = float(text)
        if value.is_integer():
            if text.lstrip("-").isdecimal():
                return int(text)
            return int(value) if -_EXACT < value < _EXACT else value
    except ValueError:
        return text  # no number, or one of thousands of digits
    return value if math.isfinite(value) else text


def _reach(cells: list[Json], place: int, number: int) -> None:
    """Fill up the row so that the next cell stands at its place."""
    missing = place - len(cells)
    if place >= MAX_COLUMNS:
        raise FileRefused(
            "columns",
            f"Row {number:,} has a cell beyond the last column that a sheet can have. Save the table as a new file, "
            "and drop that.",
        )
    if missing < 0:
        raise broken(f"has cells of row {number:,} twice, or in the wrong order")
    cells.extend([None] * missing)
