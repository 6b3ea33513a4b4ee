"""The sink `csv`: the dropped table with the answers added, and a table of the failed rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from pydantic import field_validator

from batchd import Dialect, FileSink, Json, ResultRow, RowStatus, Settings, Shape

from ..texts.encoding import encoded
from .cells import FORMULA_SIGNS, Table, harmless
from .quotes import original_text

OK = RowStatus.OK.value


class CsvSinkSettings(Settings):
    """The table of a `csv` sink."""

    bom: bool = False
    """Begin with a byte order mark: without it, Excel misreads UTF-8 when the file is double-clicked."""
    delimiter: str = ","
    """One character between the cells; `;` is what Excel expects where the decimal sign is a comma."""
    formulas: Literal["escape", "keep"] = "escape"
    """`escape` puts a ' before answers and errors that a spreadsheet would run; `keep` leaves them unchanged."""

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if len(value) != 1 or value.isalnum() or value in "\"'\r\n\0 .-+":
            raise ValueError(f'{value!r} cannot separate cells. Write ",", ";", "\\t" or "|".')
        return value


class CsvSink(FileSink[CsvSinkSettings]):
    """Publishes `.results.csv` and, if rows failed, `.failed.csv` with those rows as they were dropped.

    Input cells are written unchanged, formulas included, so that failed rows can be dropped again as the same data; the
    file of failed rows is in the dialect of the dropped one. Lines of results end in a plain newline: Excel reads that
    too, and scripts get no carriage return in the last column.
    """

    Settings = CsvSinkSettings
    _made: tuple[Shape, tuple[Table, Table]] | None = None
    """The last shape and its tables, kept since answered rows and other rows come in turns."""

    def heads(self, shape: Shape) -> Mapping[str, bytes]:
        results, failed = self._tables(shape)
        return {".results.csv": results.head(shape.names), ".failed.csv": failed.head(shape.columns)}

    def lines(self, shape: Shape, rows: Iterable[ResultRow]) -> Iterator[tuple[str, bytes]]:
        return table_lines(shape, rows, "csv", self._tables(shape), self._safe or str)

    def answered(
        self, shape: Shape, rows: Iterable[tuple[Sequence[Json], Sequence[Json]]]
    ) -> Iterator[tuple[str, bytes]]:
        results, _ = self._tables(shape)
        for some in answered_lines(rows, self._safe):
            yield ".results.csv", results.encoded(results.lines(some))

    def _tables(self, shape: Shape) -> tuple[Table, Table]:
        """The table of the results, and that of the failed rows, which is in the dialect of the dropped file."""
        made = self._made
        if made is not None and made[0] is shape:
            return made[1]
        came = shape.dialect if shape.dialect is not None and shape.dialect.is_text else None
        # With a mark the results are read right if they are dropped again, whatever encoding the route expects.
        mark = self.settings.bom or (came is not None and (came.guessed or came.encoding != "utf-8"))
        results = Dialect(mark=mark, delimiter=self.settings.delimiter)
        tables = Table(results), Table(again(came) if came is not None else results, sure=True)
        self._made = (shape, tables)
        return tables

    @property
    def _safe(self) -> Callable[[str], str] | None:
        return harmless if self.settings.formulas == "escape" else None


def table_lines(
    shape: Shape,
    rows: Iterable[ResultRow],
    form: str,
    tables: tuple[Table, Table],
    safe: Callable[[str], str] = harmless,
) -> Iterator[tuple[str, bytes]]:
    """The lines of the results in UTF-8, and those of the failed rows as they were dropped."""
    results, failed = tables
    results_file, failed_file, signs = f".results.{form}", f".failed.{form}", FORMULA_SIGNS
    no_answer: Sequence[Json] = [""] * len(shape.answer_columns)
    for row in rows:
        answer = no_answer
        if row.answer:
            # A fast path for each value: nearly all are texts that no spreadsheet would run.
            answer = [
                value if type(value) is not str or value[:1] not in signs else safe(value) for value in row.answer
            ]
        error = safe(row.failure.message) if row.failure is not None else ""
        yield results_file, encoded(results.line([*row.values, *answer, row.status.value, error]), "utf-8")
        if row.status is RowStatus.FAILED:
            text = original_text(row.original, row.failure, failed.delimiter)
            yield failed_file, failed.encoded(failed.line(row.original) if text is None else failed.text(text))


TOGETHER = 64
"""Rows that are written together. With more, an odd cell among them is more likely."""


def answered_lines(
    rows: Iterable[tuple[Sequence[Json], Sequence[Json]]], safe: Callable[[str], str] | None = harmless
) -> Iterator[list[list[Json]]]:
    """The cells of answered rows as the results have them, some rows at a time."""
    rest = iter(rows)
    while some := list(islice(rest, TOGETHER)):
        if safe is not None and _may_be_run(some):
            some = [(values, [safe(each) if type(each) is str else each for each in answer]) for values, answer in some]
        yield [[*values, *answer, OK, ""] for values, answer in some]


def _may_be_run(rows: Sequence[tuple[Sequence[Json], Sequence[Json]]]) -> bool:
    """Whether a spreadsheet may run one of the answers. One search for all, since it would run hardly any."""
    try:
        return _SIGN.search("\0".join(["", *("\0".join(answer) for _, answer in rows)])) is not None
    except TypeError:
        return True  # some answers are not text


_SIGN = re.compile(f"\0[{re.escape(''.join(FORMULA_SIGNS))}]")


def again(came: Dialect) -> Dialect:
    """The dialect of failed rows. A guessed encoding becomes UTF-8 with a mark: few rows may not allow the guess."""
    return replace(came, encoding="utf-8", mark=True, guessed=False) if came.guessed else came
