"""The sink `csv`: the dropped table with the answers beside it, and a table of the rows that failed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Literal

from pydantic import field_validator

from batchd import DeliveryJob, ResultRows, RowStatus, Settings, Sink

from .cells import Table, as_text, harmless
from .writing import Draft, Wanted, in_thread


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


class CsvSink(Sink[CsvSinkSettings]):
    """Publishes `.results.csv` and, only if rows failed, `.failed.csv` with those rows as they were dropped.

    Input cells are written as they came, formulas included: the failed rows are dropped again, and must still be
    the same data. Lines end in a plain newline: Excel reads that as well, and no carriage return gets into the
    last column of the people who read the file with a script.
    """

    Settings = CsvSinkSettings

    async def publish(self, job: DeliveryJob, rows: ResultRows) -> None:
        """See Sink."""

        def write(wanted: Wanted) -> None:
            with ExitStack() as stack:
                results = Draft(stack, job.outbox, ".results.csv", wanted)
                failed = Draft(stack, job.outbox, ".failed.csv", wanted)
                self._write(rows, results, failed)

        await in_thread(write)

    def _write(self, rows: ResultRows, results: Draft, failed: Draft) -> None:
        table = Table(self.settings.delimiter)
        safe = self._safe
        start = "\ufeff" if self.settings.bom else ""
        own = own_columns([*rows.columns, *rows.answer_columns])
        results.add(_encoded(start + table.header([*rows.columns, *rows.answer_columns, *own])))
        nothing = [""] * len(rows.answer_columns)
        for row in rows:
            answer = [safe(as_text(value)) for value in row.answer] if row.status is RowStatus.OK else nothing
            error = safe(row.failure.message) if row.failure is not None else ""
            results.add(_encoded(table.line([*row.values, *answer, row.status.value, error])))
            if row.status is RowStatus.FAILED:
                if not failed.begun:
                    failed.add(_encoded(start + table.header(rows.columns)))
                failed.add(_encoded(table.line(row.original)))
        failed.flush()
        results.flush()

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
