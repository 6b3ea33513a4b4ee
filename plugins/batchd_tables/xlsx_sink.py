"""The sink `xlsx`: a workbook with the answers beside the rows, and one of the failed rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from batchd import FileSink, Json, OptionalPackage, ResultRow, RowStatus, Settings, Shape

from .number_formats import PLAIN, Kind, built_in, format_of, stored

MAX_ROWS = 1_048_576
"""Rows of a sheet, including the header."""
MAX_TEXT = 32_767
"""Characters in a cell."""
CUT = " … (cut: a cell holds no more)"
PACKAGE = OptionalPackage("XlsxWriter", "excel", "sink xlsx")
_SAMPLE, _NARROW, _WIDE = 100, 8, 60
_EXACT = 10**15
"""A sheet keeps 15 digits of a number, so longer ones are written as text."""
_CHUNK = 1 << 20
_TEXT_FORMAT, _DATE, _FIRST_OF_COUNTRIES = 49, 14, 23
"""Numbers of built-in formats."""
_REMEMBERED = 50_000
_encode = msgspec.json.Encoder().encode


class XlsxSink(FileSink[Settings]):
    """Publishes `.results.xlsx` and, if rows failed, `.failed.xlsx` with those rows as they were dropped.

    Numbers stay numbers and texts stay texts: nothing becomes a formula or a link. If a workbook was dropped, the
    results keep its column widths, number formats and the look of its header, and dates are dates.
    """

    max_rows = MAX_ROWS

    def heads(self, shape: Shape) -> Mapping[str, bytes]:  # noqa: ARG002  # a workbook has no head
        PACKAGE.require()
        return {".results.xlsx": b"", ".failed.xlsx": b""}

    def in_one_piece(self, shape: Shape) -> bool:  # noqa: ARG002  # always
        return True

    async def check(self) -> Sequence[str]:
        return () if PACKAGE.is_installed else (PACKAGE.advice,)

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        PACKAGE.require()
        nothing = [None] * len(shape.answer_columns)
        look = shape.dialect.details if shape.dialect is not None and shape.dialect.form == "xlsx" else {}
        with TemporaryDirectory(prefix="batchd-xlsx-") as folder, ExitStack() as stack:
            results = _Book(Path(folder, "results"), shape.names, self.max_rows, look)
            stack.callback(results.abandon)
            failed: _Book | None = None
            count = 0
            for row in rows:
                count += 1
                error = row.failure.message if row.failure is not None else None
                results.add([*row.values, *(row.answer or nothing), row.status.value, error])
                if row.status is RowStatus.FAILED:
                    if failed is None:
                        failed = _Book(Path(folder, "failed"), shape.columns, self.max_rows, look)
                        stack.callback(failed.abandon)
                    failed.add(row.original)
            if count:
                yield from ((".results.xlsx", chunk) for chunk in results.content())
            if failed is not None:
                yield from ((".failed.xlsx", chunk) for chunk in failed.content())


class _Style:
    """The number format of a column, and how its values are written."""

    def __init__(self, book: Any, code: str | int) -> None:
        self.format = book.add_format({"num_format": code})
        self._kind = built_in(code) if isinstance(code, int) else format_of(code)
        self.of_text = self.format if code in {"@", _TEXT_FORMAT} else None
        """The format for a text. Only the text format is used: it keeps ids from being taken for numbers."""
        self.of_number = self.format if self._kind == PLAIN else None
        """The format for a number. None in a column of dates: there the number had another format, and was no date."""
        self._numbers: dict[str, float | None] = {}

    def number(self, text: str) -> float | None:
        """The number that is shown as this text in this format; None if the value is a text."""
        if self._kind == PLAIN:
            return None
        if len(self._numbers) > _REMEMBERED:
            self._numbers.clear()
        if text not in self._numbers:
            self._numbers[text] = stored(text, self._kind)
        return self._numbers[text]


class _Book:
    """A workbook that is written row by row, in constant memory. `look` is the look of the dropped workbook."""

    def __init__(self, path: Path, names: Sequence[str], max_rows: int, look: Mapping[str, Json]) -> None:
        import xlsxwriter  # only here, since it takes a while

        self._path = path
        self._names = names
        self._max_rows = max_rows
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
        # A fixed time, so that the same rows give the same bytes.
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001  # XlsxWriter takes no other
        self._head = self._book.add_format(look.get("header") or {"bold": True, "bottom": 1})
        codes = [_known(code) for code in look.get("formats") or ()][: len(names)]
        styles = {code: _Style(self._book, code) for code in dict.fromkeys(codes) if code is not None}
        self._styles = [styles[code] if code is not None else None for code in codes]
        self._styles += [None] * (len(names) - len(codes))
        self._kept = [*(look.get("widths") or ())][: len(names)]
        self._kept += [None] * (len(names) - len(self._kept))
        self._hidden = frozenset(look.get("hidden") or ())
        self._widths = [_NARROW] * len(names)
        self._sheet: Any = None
        self._row = max_rows

    def add(self, values: Sequence[Json]) -> None:
        """Add a row."""
        if self._row >= self._max_rows:
            self._next_sheet()
        sheet, row, styles, wide = self._sheet, self._row, self._styles, len(self._names)
        for column, value in enumerate(values):
            kind = type(value)
            style = styles[column] if column < wide else None
            if kind is str:
                if value:
                    if style is None:
                        sheet.write_string(row, column, value if len(value) <= MAX_TEXT else _shortened(value))
                    elif (number := style.number(value)) is not None:
                        sheet.write_number(row, column, number, style.format)
                    else:
                        sheet.write_string(row, column, _shortened(value), style.of_text)
            elif kind is bool:
                sheet.write_boolean(row, column, value)
            elif (kind is int and -_EXACT < value < _EXACT) or kind is float:
                sheet.write_number(row, column, value, None if style is None else style.of_number)
            elif value is not None:
                sheet.write_string(row, column, _shortened(_encode(value).decode()))
            if row <= _SAMPLE and column < wide and value is not None:
                self._widths[column] = min(_WIDE, max(self._widths[column], len(str(value)) + 2))
        self._row += 1

    def content(self) -> Iterator[bytes]:
        """End the workbook, and yield its bytes."""
        self._end_sheet()
        self._book.close()
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def abandon(self) -> None:
        """Close the files that an interrupted delivery leaves open."""
        for sheet in self._book.worksheets():
            file = getattr(sheet, "row_data_fh", None)
            if file is not None:
                file.close()

    def _next_sheet(self) -> None:
        self._end_sheet()
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(self._names):
            self._sheet.write_string(0, column, _shortened(name), self._head)
            self._widths[column] = min(_WIDE, max(self._widths[column], len(name) + 2))
        self._row = 1

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            for column, width in enumerate(self._widths):
                hidden = {"hidden": True} if column in self._hidden else {}
                self._sheet.set_column(column, column, self._kept[column] or width, None, hidden)


def _known(code: Json) -> str | int | None:
    """A format's code, or its number if XlsxWriter has it. Date formats of other countries become the usual date."""
    if not isinstance(code, int) or 0 <= code < _FIRST_OF_COUNTRIES or code in range(37, 50):
        return code if isinstance(code, str | int) else None
    return _DATE if built_in(code)[0] is Kind.DATE else None


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - len(CUT)]}{CUT}"
