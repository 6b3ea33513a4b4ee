"""The sink `xlsx`: a workbook with the answers beside the rows, and one of the failed rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from batchd import FileSink, Json, RejectedError, ResultRow, RowStatus, Settings, Shape

MAX_ROWS = 1_048_576
"""As many as a sheet has, the header's among them."""
MAX_TEXT = 32_767
"""Characters in a cell."""
CUT = " … (cut: a cell holds no more)"
NEEDED = (
    "The sink xlsx needs the package XlsxWriter, which is not installed here. Install it where batchd runs: "
    "pip install 'batchd[excel]'. Then start batchd again."
)
_SAMPLE, _NARROW, _WIDE = 100, 8, 60
_EXACT = 10**15
"""A sheet keeps 15 digits of a number, so longer ones are written as text."""
_CHUNK = 1 << 20
_encode = msgspec.json.Encoder().encode


class XlsxSink(FileSink[Settings]):
    """Publishes `.results.xlsx` and, if rows failed, `.failed.xlsx` with those rows as they were dropped.

    Numbers stay numbers and texts stay texts: nothing becomes a formula or a link.
    """

    max_rows = MAX_ROWS

    def heads(self, shape: Shape) -> Mapping[str, bytes]:  # noqa: ARG002  # a workbook has no head
        """See FileSink."""
        if find_spec("xlsxwriter") is None:
            raise RejectedError(NEEDED)
        return {".results.xlsx": b"", ".failed.xlsx": b""}

    def in_one_piece(self, shape: Shape) -> bool:  # noqa: ARG002  # always
        """See FileSink."""
        return True

    async def check(self) -> Sequence[str]:
        """See Sink."""
        return () if find_spec("xlsxwriter") is not None else (NEEDED,)

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        """See FileSink."""
        if find_spec("xlsxwriter") is None:
            raise RejectedError(NEEDED)
        nothing = [None] * len(shape.answer_columns)
        with TemporaryDirectory(prefix="batchd-xlsx-") as folder, ExitStack() as stack:
            results = _Book(Path(folder, "results"), shape.names, self.max_rows)
            stack.callback(results.abandon)
            failed: _Book | None = None
            count = 0
            for row in rows:
                count += 1
                error = row.failure.message if row.failure is not None else None
                results.add([*row.values, *(row.answer or nothing), row.status.value, error])
                if row.status is RowStatus.FAILED:
                    if failed is None:
                        failed = _Book(Path(folder, "failed"), shape.columns, self.max_rows)
                        stack.callback(failed.abandon)
                    failed.add(row.original)
            if count:
                yield from ((".results.xlsx", chunk) for chunk in results.content())
            if failed is not None:
                yield from ((".failed.xlsx", chunk) for chunk in failed.content())


class _Book:
    """A workbook that is written row by row, in memory that does not grow."""

    def __init__(self, path: Path, names: Sequence[str], max_rows: int) -> None:
        import xlsxwriter  # here: it takes a while

        self._path = path
        self._names = names
        self._max_rows = max_rows
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
        # The same rows give the same bytes, so no clock.
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001  # XlsxWriter takes no other
        self._bold = self._book.add_format({"bold": True, "bottom": 1})
        self._widths = [_NARROW] * len(names)
        self._sheet: Any = None
        self._row = max_rows

    def add(self, values: Sequence[Json]) -> None:
        """Another row."""
        if self._row >= self._max_rows:
            self._next_sheet()
        sheet, row = self._sheet, self._row
        for column, value in enumerate(values):
            kind = type(value)
            if kind is str:
                if value:
                    sheet.write_string(row, column, value if len(value) <= MAX_TEXT else _shortened(value))
            elif kind is bool:
                sheet.write_boolean(row, column, value)
            elif (kind is int and -_EXACT < value < _EXACT) or kind is float:
                sheet.write_number(row, column, value)
            elif value is not None:
                sheet.write_string(row, column, _shortened(_encode(value).decode()))
            if row <= _SAMPLE and column < len(self._widths) and value is not None:
                self._widths[column] = min(_WIDE, max(self._widths[column], len(str(value)) + 2))
        self._row += 1

    def content(self) -> Iterator[bytes]:
        """Ends the workbook; its bytes."""
        self._end_sheet()
        self._book.close()
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def abandon(self) -> None:
        """Closes what a delivery that broke off leaves open."""
        for sheet in self._book.worksheets():
            file = getattr(sheet, "row_data_fh", None)
            if file is not None:
                file.close()

    def _next_sheet(self) -> None:
        self._end_sheet()
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(self._names):
            self._sheet.write_string(0, column, _shortened(name), self._bold)
            self._widths[column] = min(_WIDE, max(self._widths[column], len(name) + 2))
        self._row = 1

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            for column, width in enumerate(self._widths):
                self._sheet.set_column(column, column, width)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - len(CUT)]}{CUT}"
