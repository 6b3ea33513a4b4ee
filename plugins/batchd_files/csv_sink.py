"""The sink `csv`: the dropped table with the answers beside it, and a table of the rows that failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from pydantic import field_validator

from batchd import FileSink, ResultRow, RowStatus, Settings, Shape

from .cells import FORMULA_SIGNS, Table, as_text, harmless


class CsvSinkSettings(Settings):
    """The table of a `csv` sink."""

    bom: bool = False
    """Begin with a byte order mark: without it, Excel opens UTF-8 as something else when double-clicked."""
    delimiter: str = ","
    """One character between the cells; `;` is what Excel expects where the decimal sign is a comma."""
    formulas: Literal["escape", "keep"] = "escape"
    """`escape` puts a ' before answers and errors that a spreadsheet would run; `keep` leaves them as they are."""

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if len(value) != 1 or value.isalnum() or value in "\"'\r\n\0 .-+":
            raise ValueError(f'{value!r} cannot separate cells. Write ",", ";", "\\t" or "|".')
        return value


class CsvSink(FileSink[CsvSinkSettings]):
    """Publishes `.results.csv` and, only if rows failed, `.failed.csv` with those rows as they were dropped.

    Input cells are written as they came, formulas included: the failed rows are dropped again, and must still be
    the same data. Lines end in a plain newline: Excel reads that as well, and no carriage return gets into the
    last column of the people who read the file with a script.
    """

    Settings = CsvSinkSettings

    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        """See FileSink."""
        table = Table(self.settings.delimiter)
        start = "\ufeff" if self.settings.bom else ""
        columns = [*shape.columns, *shape.answer_columns]
        return {
            ".results.csv": _encoded(start + table.header([*columns, *own_columns(columns)])),
            ".failed.csv": _encoded(start + table.header(shape.columns)),
        }

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        """See FileSink."""
        table = Table(self.settings.delimiter)
        safe, signs = self._safe, FORMULA_SIGNS
        nothing = [""] * len(shape.answer_columns)
        for row in rows:
            answer = nothing
            if row.status is RowStatus.OK:
                # Nearly all values are texts that no spreadsheet would run, and this is done for each one there is.
                answer = [
                    value if type(value) is str and value[:1] not in signs else safe(as_text(value))
                    for value in row.answer
                ]
            error = safe(row.failure.message) if row.failure is not None else ""
            yield ".results.csv", _encoded(table.line([*row.values, *answer, row.status.value, error]))
            if row.status is RowStatus.FAILED:
                yield ".failed.csv", _encoded(table.line(row.original))

    def _safe(self, text: str) -> str:
        return harmless(text) if self.settings.formulas == "escape" else text


def own_columns(taken: Iterable[str]) -> list[str]:
    """`status` and `error`, with ` (2)` behind them where the file or the answer has a column of that name."""
    names = set(taken)
    own = []
    for name in ("status", "error"):
        free, number = name, 1
        while free in names:
            number += 1
            free = f"{name} ({number})"
        names.add(free)
        own.append(free)
    return own


def _encoded(line: str) -> bytes:
    # Half a surrogate pair cannot be written as UTF-8; it must not keep a whole job from being delivered.
    return line.encode("utf-8", "backslashreplace")
