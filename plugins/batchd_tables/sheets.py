"""Makes a table of the rows of a sheet: finds the header, names the columns, leaves out empty rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from pydantic import Field

from batchd import BadRow, Failure, FileRefused, Json, Reader, Settings, Source, UnpackLimits, column_names

MAX_COLUMNS = 16_384
"""As many as a sheet of Excel has."""
_LOOKED_AT = 50
"""Rows at the beginning that tell a title from a header."""
_AT_ONCE = 500
_TITLES = 20
"""Rows above the header."""
_DEFAULTS = UnpackLimits()


class SheetSettings(Settings):
    """The reader table of a route, for workbooks."""

    sheet: str | None = None
    """The name of the sheet; by default the first that is not hidden and has rows."""
    header_row: int = Field(default=0, ge=0)
    """The row with the names of the columns, counted from 1. 0: the first row, after titles of one cell."""
    max_unpacked: int = Field(default=_DEFAULTS.max_unpacked, ge=1)
    max_ratio: int = Field(default=_DEFAULTS.max_ratio, ge=1)
    max_files: int = Field(default=_DEFAULTS.max_files, ge=1)

    @property
    def limits(self) -> UnpackLimits:
        """The limits of what a workbook may unpack to."""
        return UnpackLimits(max_unpacked=self.max_unpacked, max_ratio=self.max_ratio, max_files=self.max_files)


class SheetReader(Reader[SheetSettings]):
    """What all readers of workbooks have in common."""

    Settings = SheetSettings

    def __init__(self, settings: SheetSettings) -> None:
        super().__init__(settings)
        self._description: dict[str, Json] = {}

    def describe(self) -> Mapping[str, Json]:
        """The sheet that was read, and the row of its header."""
        return dict(self._description)

    def read_many(self, source: Source) -> Iterator[Sequence[Sequence[str] | Sequence[Json] | BadRow]]:
        records = self.read(source)
        yield [next(records)]
        while some := list(islice(records, _AT_ONCE)):
            yield some

    def records(
        self, rows: Iterable[SheetRow], form: str, sheet: str, others: Sequence[str] = ()
    ) -> Iterator[Sequence[str] | Sequence[Json] | BadRow]:
        """The names of the columns, then the rows of the sheet, without the empty ones.

        `others` are the names of the other sheets that people see.
        """
        header, rest = _header(filter(is_filled, rows), self.settings.header_row, sheet)
        names = header_names(header.cells, header.number)
        self._description = {"format": form, "sheet": sheet, "header_row": header.number}
        self._description |= {"other_sheets": list(others[:20])} if others else {}
        yield names
        width, count = len(names), 0
        for row in rest:
            count += 1
            cells = row.cells
            if len(cells) == width and row.failure is None:
                yield cells
                continue
            while len(cells) > width and (cells[-1] is None or cells[-1] == ""):
                cells.pop()
            if row.failure is not None:
                yield BadRow(cells, row.failure)
            elif len(cells) > width:
                yield BadRow(cells, _beside(row.number, cells, width))
            else:
                yield cells + [None] * (width - len(cells))
        if count == 0:
            raise FileRefused(
                "no_rows", f"The sheet “{sheet}” has a header but no rows below it. Add rows and drop the file again."
            )


@dataclass(slots=True)
class SheetRow:
    """A row of a sheet: its number, counted from 1, its cells up to the last that is filled, and what is wrong."""

    number: int
    cells: list[Json]
    failure: Failure | None = None


def is_filled(row: SheetRow) -> bool:
    """Whether a row has any text or number, or a failure."""
    for cell in row.cells:
        if cell is not None and (type(cell) is not str or (cell and not cell.isspace())):
            return True
    return row.failure is not None


def _header(filled: Iterator[SheetRow], wanted: int, sheet: str) -> tuple[SheetRow, Iterator[SheetRow]]:
    """The header, which is the row numbered `wanted` unless that is 0, and the rows below it."""
    if wanted:
        for row in filled:
            if row.number == wanted:
                return row, filled
            if row.number > wanted:
                break
        raise FileRefused(
            "header",
            f"Row {wanted:,}, which should name the columns, is empty in the sheet “{sheet}”. "
            "Write the names there, and drop the file again.\n"
            "For the operator: header_row in the table [routes.NAME.reader] says which row it is.",
        )
    first = list(islice(filled, _LOOKED_AT))
    if not first:
        raise FileRefused(
            "empty",
            f"The sheet “{sheet}” is empty. Write the names of the columns into its first row and the rows below it, "
            "and drop the file again.",
        )
    place = _header_place(first)
    return first[place], chain(first[place + 1 :], filled)


def _header_place(first: Sequence[SheetRow]) -> int:
    """The place of the header: the first row, unless the first rows are titles of one cell above a wider table.

    Lines such as `Date | 2026-05-01` are titles too, if empty rows divide them from the header.
    """
    for place in range(min(len(first), _TITLES + 1) - 1, 0, -1):
        if first[place].number > first[place - 1].number + 1 and _begins_below(first, place):
            return place
    for place, row in enumerate(first):
        if _filled(row.cells) > 1:
            named = all(isinstance(cell, str) for cell in row.cells if cell is not None)
            return place if named else 0
    return 0


def _begins_below(first: Sequence[SheetRow], place: int) -> bool:
    """Whether this row, after an empty one, can only be the header: wider than all above, as wide as all below."""
    header = first[place].cells
    names = [cell.strip().casefold() for cell in header if isinstance(cell, str) and cell.strip()]
    width = _filled(header)
    return (
        1 < width == len(names) == len(set(names))
        and len(first) > place + 1
        and all(row.failure is None and _filled(row.cells) < min(width, 3) for row in first[:place])
        and all(len(row.cells) <= len(header) for row in first[place + 1 :])
    )


def _filled(cells: Sequence[Json]) -> int:
    return sum(cell is not None and cell != "" for cell in cells)


def header_names(cells: Sequence[Json], number: int) -> list[str]:
    """The names of the columns. A column without a name is named after its position, a repeated one by a number."""
    names = [cell_text(cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise FileRefused(
            "header",
            f"Row {number:,}, the header, names no column. Write the names of the columns there, and drop the file "
            "again.",
        )
    return column_names(names)


def cell_text(value: Json) -> str:
    """A cell as the name of a column."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "" if value is None else str(value)


def _beside(number: int, cells: Sequence[Any], width: int) -> Failure:
    return Failure(
        "ragged",
        f"Row {number:,} has something in column {column_letters(len(cells))}, to the right of the table, where the "
        f"header has no name: its last column is {column_letters(width)}. Write a name above it, or remove it.",
    )


def no_result(letters: str, number: int) -> Failure:
    """The failure of a row with a formula whose result is not in the file."""
    return Failure(
        "formula",
        f"Cell {letters}{number} has a formula, and its result is not in the file: the program that wrote it does not "
        "calculate. Open the file in a spreadsheet program, save it, and drop it again.",
    )


def column_letters(position: int) -> str:
    """The name of a column in a sheet, counted from 1.

    >>> [column_letters(each) for each in (1, 26, 27, 16_384)]
    ['A', 'Z', 'AA', 'XFD']
    """
    letters = ""
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
